"""What pyarrow says of a Parquet file of which it is given some parts: its shape, or cells. Runs in a limited child."""

from __future__ import annotations

import io
import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from snowroll.base.errors import DataError

DAMAGED = "a damaged Parquet file"
_AT_ONCE = 256  # rows that are unpacked together
_INSTALL = "pip install 'snowroll[tables]'"


@dataclass(frozen=True)
class Told:
    """What a child says of a file by its end, or some of its cells."""

    rows: list[int] = field(default_factory=list)  # of each group
    spans: dict[str, list[list[int]]] = field(default_factory=dict)  # column -> each group's start, size, unpacked size
    plain: list[str] = field(default_factory=list)  # columns of numbers and words
    raw: list[str] = field(default_factory=list)  # those of bytes: "img"; or "image.bytes", of a record
    nested: list[str] = field(default_factory=list)  # all others: lists and records
    names: dict[str, list[str]] = field(default_factory=dict)  # column -> what its numbers mean, by Hugging Face's note
    cells: dict[str, list[Any]] = field(default_factory=dict)  # words, or bytes of a raw column; None where empty


@contextmanager
def reading_parquet() -> Iterator[tuple[Any, Any]]:
    """The library and its part for Parquet, whose complaints are DataErrors."""
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise DataError("Parquet needs pyarrow, which is not installed", cure=_INSTALL) from None
    try:
        yield arrow, parquet
    except (arrow.ArrowException, OSError, ValueError, OverflowError) as fault:
        told = " ".join(str(fault).split())[:120]
        raise DataError(f"{DAMAGED} ({told})", cure="save it again") from None


def answered(asked: Mapping[str, Any]) -> Told:
    """What `Parquet` asks: cells where columns are named, else what the end of the file tells."""
    with reading_parquet() as (_, parquet):
        file = parquet.ParquetFile(_Sparse(asked["size"], asked["pieces"]))
        return Told(cells=_cells(file, asked)) if asked["columns"] else _shape(file)


class _Sparse(io.RawIOBase):
    """A file of which only some pieces are here, and zeros elsewhere."""

    def __init__(self, size: int, pieces: Sequence[tuple[int, bytes]]) -> None:
        self._size, self._pieces, self._at = size, pieces, 0

    def read(self, size: int = -1, /) -> bytes:
        stop = self._size if size < 0 else min(self._size, self._at + size)
        start, self._at = self._at, max(self._at, stop)
        for begins, raw in self._pieces:
            if begins <= start and stop <= begins + len(raw):
                return raw[start - begins : stop - begins]
        out = bytearray(max(0, stop - start))
        for begins, raw in self._pieces:
            first, last = max(start, begins), min(stop, begins + len(raw))
            if first < last:
                out[first - start : last - start] = raw[first - begins : last - begins]
        return bytes(out)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


def _shape(file: Any) -> Told:
    from pyarrow import types

    told = Told(names=_class_names(file.schema_arrow.metadata or {}))
    for one in file.schema_arrow:
        kind = one.type.value_type if types.is_dictionary(one.type) else one.type
        at = kind.get_field_index("bytes") if types.is_struct(kind) else -1
        if _is_bytes(kind):
            told.raw.append(one.name)
        elif at >= 0 and _is_bytes(kind.field(at).type):
            told.raw.append(f"{one.name}.bytes")
        else:
            (told.nested if types.is_nested(kind) else told.plain).append(one.name)
    wanted = {*told.plain, *told.raw}
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        told.rows.append(group.num_rows)
        for place in range(group.num_columns):
            column = group.column(place)
            if column.path_in_schema in wanted:
                start = column.data_page_offset
                if column.has_dictionary_page and 0 < column.dictionary_page_offset < start:
                    start = column.dictionary_page_offset
                span = [start, column.total_compressed_size, column.total_uncompressed_size]
                told.spans.setdefault(column.path_in_schema, []).append(span)
    for some in (told.plain, told.raw):  # what is stored as a list, whatever type it is told to be
        told.nested.extend(name for name in some if len(told.spans.get(name, ())) != len(told.rows))
        some[:] = [name for name in some if name not in told.nested]
    return told


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    kinds = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(is_one(kind) for is_one in kinds)


def _class_names(notes: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """What Hugging Face's `datasets` write beside a table: of columns of class numbers the names."""
    try:
        features = json.loads(notes.get(b"huggingface", b"{}"))["info"]["features"]
        told = {name: what["names"] for name, what in features.items() if isinstance(what, dict) and what.get("names")}
        return {name: _all_different([*map(str, names)]) for name, names in told.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _all_different(names: Sequence[str]) -> list[str]:
    """With their numbers where two classes are called alike: a crane is a bird, and a machine."""
    often = Counter(names)
    return [f"{name} {number}" if often[name] > 1 else name for number, name in enumerate(names)]


def _cells(file: Any, asked: Mapping[str, Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {name: [] for name in asked["columns"]}
    rows, start = asked["rows"], 0
    for batch in file.iter_batches(_AT_ONCE, row_groups=asked["groups"], columns=asked["columns"], use_threads=False):
        stop = start + batch.num_rows
        wanted = range(batch.num_rows) if rows is None else [row - start for row in between(rows, start, stop)]
        for name, cells in found.items():
            column = batch.column(name if name in batch.schema.names else name.removesuffix(".bytes"))
            cells += (_cell(column[row].as_py()) for row in wanted)
        start = stop
        if rows is not None and stop > rows[-1]:
            break
    return found


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return value.get("bytes")
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # of a column in which some are empty
    if value is None or isinstance(value, bytes | str) or value != value:
        return value if isinstance(value, bytes | str) else None
    return str(value).lower() if isinstance(value, bool) else str(value)


def between(rows: Sequence[int], start: int, stop: int) -> Sequence[int]:
    """Those of sorted rows from start to before stop."""
    return rows[bisect_left(rows, start) : bisect_left(rows, stop)]
