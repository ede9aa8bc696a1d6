"""A version decoded once: columns on disk, mapped into memory, row i for job i. A cache, safe to delete.

    pack/<key>/image.npy                        a column of fixed shape [n, ...], written by the decoding children
    pack/<key>/boxes.values.npy, .offsets.npy   a ragged one: row i is values[offsets[i]:offsets[i + 1]]
    pack/<key>/meta.json                        written last: without it, or where it does not fit, there is no pack

The columns are page cache, not process memory: a pack larger than memory works, at the speed of the disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib import format as npy

from snowroll.base import atomic
from snowroll.base.errors import DataError, StoreError
from snowroll.base.nouns import digest
from snowroll.prepare.decode import limited

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Encode = tuple[Callable[[bytes, Any], dict[str, Any]], Any]  # (function of bytes and options -> columns, options)
Stream = Callable[[Iterable[str]], Iterator[tuple[str, bytes]]]
_PLAN = "columns.json"  # shapes and types, for the children; known after the first item is decoded
_KEPT = 4  # packs: a roll wants three, of two versions and of two ways to encode
_SUMMED = 1 << 30  # bytes up to which a column's checksum is verified when it is opened: below a second


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Rows of different lengths: row i is values[offsets[i]:offsets[i + 1]]. numpy in the pack, torch in a batch."""

    values: Any  # [total, ...]
    offsets: Any  # [n + 1] int64

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> Any:
        return self.values[int(self.offsets[row]) : int(self.offsets[row + 1])]

    def take(self, rows: np.ndarray) -> Ragged:
        """These rows, copied out. numpy only."""
        starts, ends = self.offsets[rows], self.offsets[rows + 1]
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(ends - starts)])
        parts = [self.values[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
        return Ragged(np.concatenate(parts) if parts else self.values[:0].copy(), offsets)


@dataclass(frozen=True, slots=True, eq=False)
class Pack:
    """`columns`: name -> array [n, ...] or Ragged, mapped from disk. `failed`: row -> why it could not be decoded."""

    path: Path
    columns: Mapping[str, Any]
    failed: Mapping[int, str]
    n: int

    def __len__(self) -> int:
        return self.n

    @staticmethod
    def cached(
        path: Path,
        jobs: Sequence[tuple[str, str]],
        *,
        stream: Stream,
        encode: Encode,
        ragged: frozenset[str] = frozenset(),
        workers: int = 0,
        memory_mb: int = 2048,
        seconds_each: float = 30.0,
        say: Callable[[str], None] = lambda line: None,
    ) -> Pack:
        """The pack at `path`, if it is whole and holds these jobs; else decode them now and publish it.

        jobs: (where, SHA-256 of the content) by row; a file of another content
        fails. Two processes asking at once: the second waits, then opens. A new pack takes the place of the one beside
        it that was not asked for longest, so that a project that grows is not kept many times over.
        """
        with suppress(StoreError):
            pack = Pack.open(path, _name_of(jobs))  # no lock: works in a read-only project
            _used(path)
            return pack
        with _alone(path):
            try:
                return Pack.open(path, _name_of(jobs))  # another process made it meanwhile
            except StoreError as fault:
                if (path / "meta.json").exists():
                    say(f"the pack of decoded data is rebuilt: {fault.what}")
            shutil.rmtree(path, ignore_errors=True)
            say(f"decoding {len(jobs):,} samples ...")
            builder = _Builder(path, len(jobs), ragged)
            try:
                builder.fill(jobs, stream, encode, workers, memory_mb, seconds_each)
                builder.publish(_name_of(jobs))
            finally:
                builder.close()
        _drop_oldest(path)
        return Pack.open(path)

    @staticmethod
    def open(path: Path, name: str | None = None) -> Pack:
        """Raises StoreError where there is no pack, half of one, a damaged one, or one of other jobs than `name`."""
        try:
            meta = json.loads((path / "meta.json").read_text())
            if name is not None and meta["name"] != name:
                raise StoreError("it holds other samples", where=path, cure="delete it")
            files = {file: _map(path / file, told) for file, told in meta["files"].items()}
            columns = {
                column: Ragged(files[f"{column}.values.npy"], files[f"{column}.offsets.npy"])
                if is_ragged
                else files[f"{column}.npy"]
                for column, is_ragged in meta["columns"].items()
            }
            failed = {int(row): why for row, why in meta["failed"].items()}
            return Pack(path, columns, failed, meta["rows"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
            raise StoreError(f"no whole pack here ({fault})", where=path, cure="delete it; it is made again") from None

    def gather(self, rows: np.ndarray | Tensor, device: str | torch.device = "cpu") -> dict[str, Any]:
        """Rows of every column as tensors on the device (`Ragged` of tensors where ragged), copied once."""
        import torch

        index = torch.as_tensor(rows, dtype=torch.int64)
        gathered: dict[str, Any] = {}
        for name, column in self.columns.items():
            if isinstance(column, Ragged):
                part = column.take(index.numpy())
                gathered[name] = Ragged(
                    torch.from_numpy(part.values).to(device), torch.from_numpy(part.offsets).to(device)
                )
            else:
                gathered[name] = torch.from_numpy(column).index_select(0, index).to(device)
        return gathered


class _Builder:
    """Fills an unpublished pack. Fixed columns are laid out when the first item shows their shapes."""

    def __init__(self, path: Path, n: int, ragged: frozenset[str]) -> None:
        self._path, self._n, self._ragged = path, n, ragged
        self._failed: dict[int, str] = {}
        self._plan: dict[str, tuple[str, tuple[int, ...]]] | None = None
        self._spools: dict[str, _Spool] = {}

    def fill(
        self, jobs: Sequence[tuple[str, str]], stream: Stream, encode: Encode, workers: int, memory_mb: int, each: float
    ) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        rows = {where: row for row, (where, _) in enumerate(jobs)}
        seen: set[int] = set()

        def items() -> Iterator[tuple[int, bytes]]:
            for where, raw in stream(list(rows)):
                row = rows[where]
                seen.add(row)
                if hashlib.sha256(raw).hexdigest() == jobs[row][1]:
                    yield row, row.to_bytes(8, "big") + raw
                else:  # another sample now: scored as the old one, it would get a target that is not its own
                    self._failed[row] = "the file has changed since it was indexed"

        function, options = encode
        child = partial(_encode_row, function=function, options=options, folder=str(self._path), ragged=[*self._ragged])
        for row, result in limited(child, items(), workers, memory_mb, each):
            if isinstance(result, DataError):
                self._failed[row] = result.what
            else:
                self._take(row, result)
        for row in set(rows.values()) - seen:
            self._failed[row] = "the file cannot be read any more"

    def _take(self, row: int, columns: dict[str, np.ndarray]) -> None:
        """What a child sent back: ragged columns always, fixed ones until it knew where to write them."""
        fixed = {name: value for name, value in columns.items() if name not in self._ragged}
        if self._plan is None:
            self._plan = {name: (value.dtype.str, value.shape) for name, value in fixed.items()}
            for name, (dtype, shape) in self._plan.items():
                npy.open_memmap(self._path / f"{name}.npy", "w+", np.dtype(dtype), (self._n, *shape))
            atomic.write_json(self._path / _PLAN, self._plan)
        if fixed:
            try:
                _write_row(str(self._path), row, fixed)
            except DataError as fault:
                self._failed[row] = fault.what
                return
        for name in self._ragged:
            if name not in self._spools:
                self._spools[name] = _Spool(self._path / f"{name}.spool", self._n)
            self._spools[name].add(row, columns[name])

    def close(self) -> None:
        for spool in self._spools.values():
            spool.close()

    def publish(self, name: str) -> None:
        """Order the ragged rows, sum and sync every file, then write meta.json: from now on it is a pack."""
        for column, spool in self._spools.items():
            spool.publish(self._path, column)
        _maps.cache_clear()
        columns = {**dict.fromkeys(self._plan or {}, False), **dict.fromkeys(self._spools, True)}
        files = {path.name: _sum(path) for path in sorted(self._path.glob("*.npy"))}
        (self._path / _PLAN).unlink(missing_ok=True)
        failed = {str(row): why for row, why in sorted(self._failed.items())}
        meta = {"name": name, "rows": self._n, "columns": columns, "files": files, "failed": failed}
        atomic.write_json(self._path / "meta.json", meta)


class _Spool:
    """Ragged rows in the order they arrive, on disk; put into row order at the end."""

    def __init__(self, path: Path, n: int) -> None:
        self._path, self._file = path, open(path, "wb")  # noqa: SIM115 - open as long as rows arrive
        self._starts, self._lengths = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._total, self._dtype, self._tail = 0, np.dtype(np.uint8), ()

    def add(self, row: int, value: np.ndarray) -> None:
        if self._total == 0:
            self._dtype, self._tail = value.dtype, value.shape[1:]
        if len(value) and (value.dtype, value.shape[1:]) != (self._dtype, self._tail):
            raise AssertionError(
                f"{self._path.stem}: {value.dtype} {value.shape} among {self._dtype} [*, {self._tail}]"
            )
        self._starts[row], self._lengths[row] = self._total, len(value)
        self._total += len(value)
        self._file.write(np.ascontiguousarray(value).tobytes())

    def close(self) -> None:
        self._file.close()

    def publish(self, folder: Path, column: str) -> None:
        self.close()
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(self._lengths)])
        np.save(folder / f"{column}.offsets.npy", offsets)
        shape = (self._total, *self._tail)
        values = npy.open_memmap(folder / f"{column}.values.npy", "w+", self._dtype, shape)
        if self._total:
            spooled = np.memmap(self._path, self._dtype, "r", shape=shape)
            for row, (start, length) in enumerate(zip(self._starts.tolist(), self._lengths.tolist(), strict=True)):
                values[offsets[row] : offsets[row + 1]] = spooled[start : start + length]
        self._path.unlink()


def _encode_row(
    job: bytes, function: Callable[[bytes, Any], dict[str, Any]], options: Any, folder: str, ragged: list[str]
) -> dict[str, Any]:
    """In the child: decode one item and write its fixed columns where they belong. job: 8 bytes row, then the file."""
    row, columns = int.from_bytes(job[:8], "big"), function(job[8:], options)
    columns = {name: np.asarray(value) for name, value in columns.items()}
    fixed = {name: value for name, value in columns.items() if name not in ragged}
    if not fixed or not (Path(folder) / _PLAN).exists():
        return columns
    _write_row(folder, row, fixed)
    return {name: value for name, value in columns.items() if name in ragged}


def _write_row(folder: str, row: int, fixed: dict[str, np.ndarray]) -> None:
    for name, column in _maps(folder).items():
        value = fixed[name]
        if value.shape != column.shape[1:] or value.dtype != column.dtype:
            was, wants = f"{value.dtype} {list(value.shape)}", f"{column.dtype} {list(column.shape[1:])}"
            raise DataError(f"'{name}' came out as {was} among {wants}", cure="make the samples alike")
        column[row] = value


@lru_cache(maxsize=2)
def _maps(folder: str) -> dict[str, np.ndarray]:
    plan = json.loads((Path(folder) / _PLAN).read_text())
    return {name: npy.open_memmap(Path(folder) / f"{name}.npy", "r+") for name in plan}


def _map(path: Path, told: Sequence[int]) -> np.ndarray:
    size, checksum = told
    if path.stat().st_size != size:
        raise ValueError(f"{path.name} has {path.stat().st_size:,} bytes, not {size:,}")
    if size <= _SUMMED and _checksum(path) != checksum:
        raise ValueError(f"{path.name} is damaged")
    # copy-on-write: torch wants to be allowed to write, the file stays as it is; an empty array cannot be mapped
    with open(path, "rb") as file:
        npy.read_magic(file)
        empty = 0 in npy.read_array_header_1_0(file)[0]
    return np.load(path, mmap_mode=None if empty else "c", allow_pickle=False)


def _sum(path: Path) -> list[int]:
    """[bytes, CRC-32], after the file has reached the disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
    size = path.stat().st_size
    return [size, _checksum(path) if size <= _SUMMED else 0]


def _checksum(path: Path) -> int:
    summed = 0
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            summed = zlib.crc32(block, summed)
    return summed


def _name_of(jobs: Sequence[tuple[str, str]]) -> str:
    return digest(*[part for job in jobs for part in job])


@contextmanager
def _alone(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Only one process makes this pack. The kernel frees the lock when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(_lock_of(path), "ab") as file:
        fcntl.flock(file, how)
        yield


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _used(path: Path) -> None:
    with suppress(OSError):  # read-only
        os.utime(path / "meta.json")


def _drop_oldest(new: Path) -> None:
    """Leave the packs beside the new one that were used last; of those that were never finished, none.

    Who has one open goes on with it: what is mapped stays until it is closed.
    """
    _used(new)
    used = {path: _last_use(path) for path in new.parent.iterdir() if _lock_of(path).exists()}
    for path in sorted(used, key=lambda path: used[path], reverse=True):
        if path != new and (not used[path] or sum(at >= used[path] for at in used.values()) > _KEPT):
            with suppress(BlockingIOError), _alone(path, fcntl.LOCK_EX | fcntl.LOCK_NB):  # it is being made right now
                shutil.rmtree(path, ignore_errors=True)


def _last_use(path: Path) -> float:
    """0 where it is no whole pack."""
    try:
        return (path / "meta.json").stat().st_mtime
    except OSError:
        return 0.0
