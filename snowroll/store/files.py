"""Immutable bytes by their SHA-256: blobs/ab/cdef... What a name promises is checked whenever it is read."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from snowroll.base import atomic
from snowroll.base.errors import StoreError


class Blobs:
    """A folder of files named by what they hold. Writing the same bytes twice keeps one file."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, data: bytes) -> str:
        """Keep these bytes, durably. Returns their SHA-256 (64 hex digits)."""
        sha = hashlib.sha256(data).hexdigest()
        if not self._has_fresh(sha, len(data)):
            atomic.write(self.path(sha), data)
        return sha

    def get(self, sha: str) -> bytes:
        """The bytes with this hash. Raises StoreError naming the file if it is missing or has rotted."""
        path = self.path(sha)
        with _opened(path) as file:
            data = file.read()
        if hashlib.sha256(data).hexdigest() != sha:
            raise StoreError("this file no longer holds what its name says", where=path, cure="restore it or forget it")
        return data

    def path(self, sha: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", sha):
            raise StoreError(f"'{sha}' names no blob", where=self.root, cure="a blob's name has 64 hex digits")
        return self.root / sha[:2] / sha[2:]

    def has(self, sha: str) -> bool:
        return self.path(sha).is_file()

    def is_sound(self, sha: str) -> bool:
        """Whether the file is there and still hashes to its name."""
        if not self.has(sha):
            return False
        with _opened(self.path(sha)) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha

    def forget(self, sha: str) -> None:
        """Delete these bytes; deleting what is not there is no error."""
        try:
            self.path(sha).unlink(missing_ok=True)
        except OSError as fault:
            raise StoreError(f"cannot be deleted ({fault.strerror})", where=self.path(sha)) from None

    def all(self) -> Iterator[str]:
        """The hash of every blob there is."""
        for path in self.root.glob("??/*"):
            if re.fullmatch(r"[0-9a-f]{62}", path.name):
                yield path.parent.name + path.name

    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.stat().st_size for path in self.root.glob("??/*") if path.is_file())

    def _has_fresh(self, sha: str, size: int) -> bool:
        """Whether the blob is there whole; if so its age starts anew, so that no clean-up takes it from its new owner.

        A file of the right length may still have rotted: then it is written again.
        """
        path = self.path(sha)
        if not path.is_file() or path.stat().st_size != size or not self.is_sound(sha):
            return False
        os.utime(path)
        return True


def _opened(path: Path) -> BufferedReader:
    try:
        return open(path, "rb")
    except OSError as fault:
        raise StoreError(f"cannot be read ({fault.strerror})", where=path, cure="run `snowroll doctor`") from None
