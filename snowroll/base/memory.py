"""What the C library does with memory that is freed. glibc's only; elsewhere nothing changes."""

from __future__ import annotations

import ctypes
from functools import cache

# parameters of mallopt(3)
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
_NEVER = 2**31 - 1  # bytes
_AHEAD = 64 * 2**20  # bytes asked of the system beyond what is needed


def keep_freed() -> None:
    """Keep what is freed for what is asked for next.

    By default blocks of more than some megabytes come from the system and go back to it when they are freed. A step of
    training frees and asks for hundreds of those, and each page of each is cleared and mapped anew: a fifth of the
    time of a convolutional network on a processor.
    """
    if (libc := _glibc()) is not None:
        libc.mallopt(_MMAP_THRESHOLD, _NEVER)
        libc.mallopt(_TRIM_THRESHOLD, _NEVER)
        libc.mallopt(_TOP_PAD, _AHEAD)


def give_back() -> None:
    """Return to the system what is freed and kept: the long work is over, the process goes on."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


@cache
def _glibc() -> ctypes.CDLL | None:
    try:
        libc = ctypes.CDLL(None)
    except (OSError, TypeError):
        return None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
