"""Freed memory is kept for the next step, and given back when the work is over."""

import subprocess
import sys

import pytest

from snowroll.base.memory import _glibc

ASKED = """
import resource
from ctypes import CDLL, c_size_t, c_void_p, memset
from snowroll.base.memory import give_back, keep_freed

libc = CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = c_void_p, [c_size_t], [c_void_p]
SIZE, TIMES = 48 * 2**20, 20

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TIMES):
        block = libc.malloc(SIZE)
        memset(block, 1, SIZE)
        libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

anew = faults()
keep_freed()
faults()
kept, held = faults(), resident()
give_back()
print(anew, kept, held - resident())
"""


@pytest.mark.slow
@pytest.mark.skipif(_glibc() is None or sys.platform != "linux", reason="glibc's alone")
def test_what_is_freed_is_not_mapped_anew_until_it_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    anew, kept, back = map(int, done.stdout.split())
    assert kept < anew / 10
    assert back > 30 * 2**20


def test_another_c_library_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from snowroll.base import memory

    monkeypatch.setattr(memory, "_glibc", lambda: None)
    memory.keep_freed()
    memory.give_back()
