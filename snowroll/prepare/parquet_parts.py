"""A Parquet file by its parts: its end, which tells what lies where, then those columns of a group of rows that are
asked for. No more of it is ever in memory.

The library is C++ and the file a stranger's: it is handed these bytes in a limited child, see parquet_cells.py.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, BinaryIO

from snowroll.base.errors import DataError
from snowroll.prepare.archives import Limits
from snowroll.prepare.parquet_cells import DAMAGED, Told, between
from snowroll.prepare.pictures import sniff

_MARK = b"PAR1"
_LONGEST_END = 64 << 20  # bytes
_LONG = 16 << 20  # bytes of a column in a group of rows from which on it names no classes
_PEEKED, _PICTURES_PEEKED = 50, 8  # rows from which it is told what a column holds
NESTED = "holds lists or records, which are no cells"


class Parquet:
    """One file. `open_file` opens it anew for each walk; `reader` runs `answered` in a child."""

    def __init__(self, open_file: Callable[[], BinaryIO], reader: Callable[[Any], Told], limits: Limits) -> None:
        self._open_file, self._reader, self._limits = open_file, reader, limits

    @cached_property
    def told(self) -> Told:
        """Raises DataError for a damaged file, and where pyarrow is not installed."""
        with self._opened() as file:
            return self._ask(file, Told(), (), ())

    @cached_property
    def pictures(self) -> str:
        """The column that holds them; "" for none. Of several the one that is called so, else the first."""
        found = [name for name in self.told.raw if any(sniff(raw or b"") for raw in self.peek([name])[name])]
        called = [name for name in found if name.removesuffix(".bytes").lower() in ("image", "img", "picture", "photo")]
        return (called or found or [""])[0]

    @cached_property
    def columns(self) -> list[str]:
        """Those of numbers and words, but for long texts."""
        spans = self.told.spans
        return [name for name in self.told.plain if max((one[2] for one in spans.get(name, ())), default=0) < _LONG]

    def check_is_table(self) -> None:
        """Raises DataError where not all cells are numbers and words."""
        records = [name.removesuffix(".bytes") for name in self.told.raw if name.endswith(".bytes")]
        if self.pictures:
            told = f"column '{self.pictures.removesuffix('.bytes')}' holds pictures, which are no cells"
            raise DataError(told, cure="--task classify_images reads them")
        if nested := [*records, *self.told.nested]:
            raise DataError(f"column '{nested[0]}' {NESTED}", cure="flatten it")

    def peek(self, columns: Sequence[str]) -> dict[str, list[Any]]:
        """Some cells of them, from the first group of rows."""
        group = next((group for group, rows in enumerate(self.told.rows) if rows), None)
        if group is None or not columns:
            return {name: [] for name in columns}
        n = self.told.rows[group]
        few = _PICTURES_PEEKED if {*columns} & {*self.told.raw} else _PEEKED
        with self._opened() as file:
            return self._ask(file, self.told, columns, [group], range(0, n, max(1, n // few))).cells

    def cells(self, columns: Sequence[str]) -> dict[str, list[Any]]:
        """All cells of these columns, whole numbers as words."""
        with self._opened() as file:
            return self._ask(file, self.told, columns, range(len(self.told.rows))).cells if columns else {}

    def every(self, where: str) -> list[str]:
        """All pictures of the file called `where`, as samples are called."""
        return [f"{where}#@{row}" for row in range(sum(self.told.rows))]

    def stream(self, rows: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """(row, its picture) in order, a group of rows at a time; nothing of a row that holds none or is not there."""
        left, start, told, name = sorted(rows), 0, self.told, self.pictures
        with self._opened() as file:
            for group, n in enumerate(told.rows):
                wanted = [row - start for row in between(left, start, start + n)]
                if wanted:
                    found = self._ask(file, told, [name], [group], wanted).cells[name]
                    yield from ((start + row, raw) for row, raw in zip(wanted, found, strict=True) if raw)
                start += n

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with self._open_file() as file:
                yield file
        except OSError as fault:
            raise DataError((fault.strerror or str(fault)).lower(), cure="check that the file is there") from None

    def _ask(
        self,
        file: BinaryIO,
        told: Told,
        columns: Sequence[str],
        groups: Sequence[int],
        rows: Sequence[int] | None = None,
    ) -> Told:
        """What the child answers. told: what is known of the file. rows: of the group; None: all."""
        spans = [told.spans[name][group] for name in columns for group in groups]
        most = self._limits.file_mb << 20
        if max(sum(size for _, size, _ in spans), sum(unpacked for *_, unpacked in spans)) > most:
            what = "a group of rows" if len(groups) == 1 else f"column '{columns[0]}'"
            raise DataError(
                f"more than {most >> 20:,} MiB in {what}", cure="save it with fewer rows in a group or file"
            )
        size = file.seek(0, io.SEEK_END)
        pieces = [_end(file, size), *(_piece(file, start, length) for start, length, _ in spans)]
        asked = {"size": size, "pieces": pieces, "columns": [*columns], "groups": [*groups]}
        return self._reader({**asked, "rows": None if rows is None else [*rows]})


def _end(file: BinaryIO, size: int) -> tuple[int, bytes]:
    """(where it begins, the part that tells what lies where)"""
    file.seek(max(0, size - 8))
    length = int.from_bytes(file.read(4), "little") + 8
    if size < 12 or file.read(4) != _MARK or not 8 < length <= min(size, _LONGEST_END):
        raise DataError(f"{DAMAGED} (its end is not that of one)", cure="save it again")
    return _piece(file, size - length, length)


def _piece(file: BinaryIO, start: int, size: int) -> tuple[int, bytes]:
    file.seek(max(0, start))
    raw = file.read(max(0, size))
    if start < 0 or len(raw) != size:
        raise DataError(f"{DAMAGED} (it names parts that are not there)", cure="save it again")
    return start, raw
