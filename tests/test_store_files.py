"""Blobs: what a name promises is what is read, or the file is named."""

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowroll.base import atomic
from snowroll.base.errors import StoreError
from snowroll.store.files import Blobs


@given(data=st.binary(max_size=200))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_put_is_got_once(tmp_path: Path, data: bytes) -> None:
    blobs = Blobs(tmp_path)
    sha = blobs.put(data)
    assert sha == blobs.put(data) == hashlib.sha256(data).hexdigest()
    assert blobs.get(sha) == data
    assert list(blobs.all()).count(sha) == 1
    assert blobs.path(sha).relative_to(tmp_path).parts == (sha[:2], sha[2:])


def test_every_flipped_bit_is_found_and_named(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    sha = blobs.put(b"scan")
    for bit in range(32):
        rotten = bytearray(b"scan")
        rotten[bit // 8] ^= 1 << bit % 8
        blobs.path(sha).write_bytes(rotten)
        assert not blobs.is_sound(sha)
        with pytest.raises(StoreError, match=sha[2:]):
            blobs.get(sha)
    assert blobs.get(blobs.put(b"scan")) == b"scan", "putting the bytes again mends the file"


def test_what_is_forgotten_is_gone(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    sha = blobs.put(b"a scan")
    assert blobs.size() == len(b"a scan")
    blobs.forget(sha)
    blobs.forget(sha)
    assert not blobs.has(sha)
    assert blobs.size() == 0


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n"])
def test_only_hashes_name_blobs(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="names no blob"):
        Blobs(tmp_path).get(name)


def test_a_missing_blob_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"{'b' * 62}: cannot be read"):
        Blobs(tmp_path).get("b" * 64)


@pytest.mark.parametrize(("hours", "is_gone"), [(0.0, False), (2.0, True)])
def test_a_writer_in_another_container_has_gone_when_it_is_long_silent(
    tmp_path: Path, hours: float, is_gone: bool
) -> None:
    """Its process number says nothing here: nobody may have it, or somebody else."""
    here, nobody = atomic.pid_namespace(), 2**22 + 1
    ours, lost = (tmp_path / f"{name}.part-{here}-{pid}-1" for name, pid in (("a", os.getpid()), ("b", nobody)))
    theirs = [tmp_path / f"{name}.part-{here + 1}-{pid}-1" for name, pid in (("c", 1), ("d", nobody))]
    for path in (ours, lost, *theirs):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - 3600 * hours,) * 2)
    assert atomic.sweep(tmp_path) == 1 + 2 * is_gone
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in (ours, *(() if is_gone else theirs))}
