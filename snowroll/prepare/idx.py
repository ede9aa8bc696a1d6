"""IDX, the format of MNIST and its kin: one array with its shape before it, packed by gzip or not."""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.archives import BROKEN
from snowroll.prepare.arrays import Array, Arrays

NAME = "array"  # of the only one in a file
_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_MOST_AXES = 4


class Idx(Arrays):
    """A file of one array, read as an .npz is."""

    def _read_headers(self, headers: dict[str, Array]) -> None:
        with self._unpacked() as file:
            zeros, kind, axes = struct.unpack(">HBB", file.read(4).ljust(4, b"\xff"))
            if zeros or kind not in _TYPES or not 1 <= axes <= _MOST_AXES:
                self.refused[""] = "not an IDX file: its first bytes tell no type and number of axes"
                return
            sides = file.read(4 * axes)
            if len(sides) < 4 * axes:
                self.refused[""] = "an IDX file that ends within its header"
                return
        shape = struct.unpack(f">{axes}I", sides)
        found = Array(NAME, shape, np.dtype(_TYPES[kind]), False)
        need = found.row_bytes * shape[0] + 4 + 4 * axes
        if need > self._limits.most_bytes(self.size):
            self.refused[""] = f"{self.size:,} bytes that claim to unpack to {need:,}: refused as an archive bomb"
        elif not self._is_packed() and need != self.size:
            self.refused[""] = f"its header claims {need:,} bytes and it has {self.size:,}"
        else:
            headers[NAME] = found

    @contextmanager
    def _opened(self, header: Array) -> Iterator[IO[bytes]]:
        try:
            with self._unpacked() as file:
                file.read(4 + 4 * len(header.shape))
                yield _Bounded(file, header.row_bytes * header.shape[0])  # type: ignore[misc]
        except BROKEN as fault:
            raise DataError(f"a damaged IDX file ({fault})", where=self.name, cure="copy it again") from None

    def _is_packed(self) -> bool:
        return self.name.lower().endswith(".gz")

    @contextmanager
    def _unpacked(self) -> Iterator[IO[bytes]]:
        with self._open_file() as file:
            if self._is_packed():
                with gzip.open(file) as unpacked:
                    yield unpacked  # type: ignore[misc]
            else:
                yield file


class _Bounded(io.RawIOBase):
    """The next `left` bytes of a file, and not one more, whatever it would still unpack to."""

    def __init__(self, file: IO[bytes], left: int) -> None:
        self._file, self._left = file, left

    def read(self, size: int = -1) -> bytes:
        raw = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(raw)
        return raw
