"""A NumPy .npz of images: its arrays by header, its rows one at a time, nothing unpickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, BinaryIO

import numpy as np
from numpy.lib import format as npy

from snowroll.base.errors import DataError
from snowroll.prepare.archives import BROKEN, Limits


@dataclass(frozen=True, slots=True)
class Array:
    """What an array's header says, checked against the bytes behind it."""

    member: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.shape[1:], dtype=object)) * self.dtype.itemsize


class Arrays:
    """One .npz file. `open_file` opens it anew for each walk."""

    def __init__(self, name: str, size: int, open_file: Callable[[], BinaryIO], limits: Limits) -> None:
        self.name, self.size, self._open_file, self._limits = name, size, open_file, limits
        self.refused: dict[str, str] = {}  # array -> reason; "" for the file itself
        self._headers: dict[str, Array] | None = None
        self._held: tuple[str, np.ndarray] | None = None

    def headers(self) -> dict[str, Array]:
        """Array name -> header; arrays that cannot be read safely are in `refused`."""
        if self._headers is None:
            self._headers = {}
            try:
                self._read_headers(self._headers)
            except (*BROKEN, RuntimeError) as fault:
                self.refused[""] = f"a damaged .npz ({' '.join(str(fault).split())[:120]})"
        return self._headers

    def whole(self, name: str) -> np.ndarray:
        """One array in memory (the last one is kept: single rows are asked for in turn). Raises DataError."""
        if self._held is None or self._held[0] != name:
            header = self._header(name)
            if header.row_bytes * (header.shape or (1,))[0] > self._limits.file_mb << 20:
                raise DataError(f"array '{name}' is larger than {self._limits.file_mb:,} MiB", where=self.name)
            with self._opened(header) as member:
                flat = np.frombuffer(member.read(), header.dtype)
            self._held = name, flat.reshape(header.shape, order="F" if header.fortran else "C")
        return self._held[1]

    def row(self, name: str, row: int) -> bytes:
        """One row as the bytes of a .npy file. Raises DataError."""
        array = self.whole(name)
        if row >= len(array):
            raise DataError(f"array '{name}' has no row {row}", where=self.name)
        return as_npy(array[row])

    def stream(self, name: str, rows: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """The rows in order, each as the bytes of a .npy file, in one pass and without holding the array."""
        header = self._header(name)
        wanted = sorted(rows)
        if header.fortran:
            yield from ((row, self.row(name, row)) for row in wanted if row < header.shape[0])
            return
        with self._opened(header) as member:
            at = 0
            for row in wanted:
                while at < row:
                    at += _skip(member, header.row_bytes, row - at)
                data = member.read(header.row_bytes)
                at += 1
                if len(data) < header.row_bytes:
                    return
                yield row, as_npy(np.frombuffer(data, header.dtype).reshape(header.shape[1:]))

    def _header(self, name: str) -> Array:
        found = self.headers().get(name)
        if found is None:
            raise DataError(self.refused.get(name, f"there is no array '{name}'"), where=self.name)
        return found

    def _read_headers(self, headers: dict[str, Array]) -> None:
        with self._open_file() as file, zipfile.ZipFile(file) as archive:
            total = sum(info.file_size for info in archive.infolist())
            if total > self._limits.most_bytes(self.size):
                self.refused[""] = f"{self.size:,} bytes that unpack to {total:,}: refused as an archive bomb"
                return
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if not info.filename.endswith(".npy"):
                    self.refused[name] = "not an array"
                    continue
                with archive.open(info) as member:
                    found = _read_header(info.filename, member, info.file_size)
                if isinstance(found, str):
                    self.refused[name] = found
                else:
                    headers[name] = found

    @contextmanager
    def _opened(self, header: Array) -> Iterator[IO[bytes]]:
        """The member's bytes after its header. Damage is a DataError."""
        try:
            with self._open_file() as file, zipfile.ZipFile(file) as archive, archive.open(header.member) as member:
                _read_header(header.member, member, -1)
                yield member
        except BROKEN as fault:
            raise DataError(f"'{header.member}' is damaged ({fault})", where=self.name, cure="save it again") from None


def as_npy(array: np.ndarray) -> bytes:
    """One array as the bytes of a .npy file: the same array, the same bytes."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(array), allow_pickle=False)
    return file.getvalue()


def _read_header(member_name: str, member: IO[bytes], size: int) -> Array | str:
    """The header of a .npy at the start of `member`, or what is wrong with it. size: of the member; -1: known good."""
    try:
        version = npy.read_magic(member)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(member)
    except ValueError as fault:
        return f"not a .npy array ({' '.join(str(fault).split())[:120]})"
    if dtype.hasobject:
        return "holds Python objects, which are not read"
    found = Array(member_name, tuple(int(side) for side in shape), dtype, fortran)
    need = (found.row_bytes * found.shape[0] if found.shape else dtype.itemsize) + member.tell()
    if size >= 0 and need != size:
        return f"its header claims {need:,} bytes and it has {size:,}"
    return found


def _skip(member: IO[bytes], row_bytes: int, rows: int) -> int:
    """Read past rows, a bounded number at a time. Returns how many were passed; all of them at the end of the data."""
    step = min(rows, max(1, (1 << 22) // max(1, row_bytes)))
    return step if member.read(step * row_bytes) else rows
