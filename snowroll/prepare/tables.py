"""A table of rows, CSV and its kin or Parquet: parsed once, held as it stands on disk, any row at hand.

Encoding, delimiter and whether there is a header are found by looking. A row is known by the line it begins in, as an
editor counts; a row of Parquet by its number, from 1. What does not fit the header is in `refused`, by line.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Protocol, TypeVar

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import canonical
from snowroll.prepare.archives import Limits
from snowroll.prepare.respelled import respelled
from snowroll.prepare.sparse_rows import SPARSE

Cell = str | float | int | bool | None  # None: nothing is known
LONGEST = 1 << 20  # characters of a row: more is no row of a table
MOST_REFUSED = 1_000  # rows: a table with more of them is another kind of file
MOST_COLUMNS = 10_000
_MISSING = frozenset({"", "?", "na", "n/a", "#n/a", "nan", "null", "<na>"})
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,14})")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_COMMA = re.compile(r"[+-]?\d+,\d+")
_COMPARED = 200  # rows that the first one is compared with
_NAMED = ("Parquet", "ARFF", SPARSE)  # have a header whatever it looks like
_DELIMITERS = ",;\t|"


class Headed(Protocol):
    """What has named columns and a number of rows."""

    @property
    def where(self) -> str: ...

    @property
    def header(self) -> tuple[str, ...]: ...

    def __len__(self) -> int: ...


H = TypeVar("H", bound=Headed)


@dataclass(slots=True)
class Table:
    """Rows with their lines. `text` and `starts` are one file's characters and where each row begins in them."""

    where: str
    header: tuple[str, ...]
    lines: np.ndarray  # [n] int64, ascending: the line each row begins in
    text: str
    starts: np.ndarray  # [n] int64, into text
    ends: np.ndarray
    delimiter: str
    encoding: str
    has_header: bool
    spelled: str = ""  # what it was before: Parquet, ARFF, svmlight, spaces; "": delimited text as it stands
    refused: dict[int, str] = field(default_factory=dict)  # line -> why it is no row

    @staticmethod
    def read(where: str, file: BinaryIO, size: int, limits: Limits) -> Table:
        """Raises DataError, where it is no table, with the reason."""
        if where.lower().endswith(".parquet"):
            from snowroll.prepare.parquet import as_csv

            return _parsed(where, as_csv(where, file, size, limits), "utf-8", "Parquet")
        text, encoding = _decoded(where, _bytes(where, file, size, limits))
        text, spelled = respelled(where, text)
        return _parsed(where, text, encoding, spelled)

    def __len__(self) -> int:
        return len(self.lines)

    def rows(self) -> Iterator[tuple[int, list[Cell]]]:
        """(line, cells in the order of the header) of every row."""
        for place, line in enumerate(self.lines.tolist()):
            yield line, self._cells(place)

    def stream(self, lines: Collection[int]) -> Iterator[tuple[int, dict[str, Cell]]]:
        """(line, cells by name) of these rows, in order; nothing of a line that no row begins in."""
        for line, words in self.named_words(lines):
            yield line, self.cells(words)

    def named_words(self, lines: Collection[int] | None = None) -> Iterator[tuple[int, dict[str, str]]]:
        """(line, column -> what stands there) of these rows, or of all; likewise."""
        for line, words in self.words(lines):
            yield line, dict(zip(self.header, words, strict=True))

    def words(self, lines: Collection[int] | None = None) -> Iterator[tuple[int, list[str]]]:
        """(line, cells as they are written) of these rows, or of all; likewise."""
        known = self.lines if lines is None else np.array(sorted(lines), np.int64)
        for line in known.tolist():
            place = int(np.searchsorted(self.lines, line))
            if place < len(self.lines) and self.lines[place] == line:
                yield line, self._words(place)

    def cells(self, words: Mapping[str, str]) -> dict[str, Cell]:
        """What they mean."""
        return {name: cell_of(word, self.delimiter) for name, word in words.items()}

    def _cells(self, place: int) -> list[Cell]:
        return [cell_of(cell, self.delimiter) for cell in self._words(place)]

    def _words(self, place: int) -> list[str]:
        row = self.text[self.starts[place] : self.ends[place]]
        return next(csv.reader(io.StringIO(row, newline=""), delimiter=self.delimiter))


def cell_of(text: str, delimiter: str = ",") -> Cell:
    """What a cell says: a number where it is spelled as one, None for "", "?", "NA" and the like, else its words.

    Numbers with leading zeros are names: post codes. Beside ';' as delimiter a comma is read as a decimal point.

    >>> [cell_of(text) for text in (" 39", "1e3", "007", "?", "Male ")]
    [39, 1000.0, '007', None, 'Male']
    """
    text = text.strip()
    if text.lower() in _MISSING:
        return None
    if _WHOLE.fullmatch(text):
        return int(text)
    if delimiter == ";" and _COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if _NUMBER.fullmatch(text) and not re.match(r"[+-]?0\d", text) and abs(number := float(text)) < 1e300:
        return number
    return text


def leading(tables: Sequence[H], named: Collection[str], target_of: Callable[[H], str]) -> H | None:
    """The table that tells which column is what: the largest in which `target_of` finds a target ("": none).

    A smaller one that has all of its columns and the target beside them comes before it: rows that are to be told lie
    beside labelled ones. Where the largest offers none, a smaller one may lead that shares half of its columns: no
    legend. Only tables with the columns `named` lead, where there are such.
    """
    fit = [table for table in tables if set(named) <= set(table.header)] or tables
    by_size = sorted(fit, key=lambda table: (len(table), table.where), reverse=True)
    found: H | None = None
    for table in by_size:
        header = set(table.header)
        if found is not None and not set(found.header) < header:
            continue
        if not named and 2 * len(header.intersection(by_size[0].header)) < len(by_size[0].header):
            continue
        target = target_of(table)
        if target and (found is None or target not in found.header):
            found = table
    return found


def row_as_json(cells: Mapping[str, Cell], target: str) -> bytes:
    """A row as a sample's bytes: canonical JSON of what is known, without the target."""
    return canonical({name: cell for name, cell in cells.items() if cell is not None and name != target}).encode()


def text_of_row(words: Mapping[str, str], columns: Sequence[str]) -> bytes:
    """The cells of these columns as one text, a line for each that says something."""
    told = (words.get(name, "").strip() for name in columns)
    return "\n".join(word for word in told if word).encode("utf-8", "surrogatepass")


def row_from_bytes(raw: bytes, most: int = LONGEST) -> dict[str, Cell]:
    """The named cells of one row sent as a JSON object, or as CSV with its header. Raises DataError."""
    if len(raw) > most:
        raise DataError(f"{len(raw):,} bytes are no row of a table", cure=f"send at most {most:,}")
    try:
        text = raw.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise DataError("no row of a table: it is no UTF-8 text", cure=_SEND) from None
    if "\0" in text or not text:
        raise DataError("no row of a table", cure=_SEND)
    return _from_json(text) if text[0] in "{[" else _from_csv(text)


_SEND = 'send a JSON object {"column": value, ...}, or two lines of CSV: names and values'


def _from_json(text: str) -> dict[str, Cell]:
    try:
        told = json.loads(text, parse_constant=lambda name: None)
    except (ValueError, RecursionError):
        raise DataError("no row of a table: broken JSON", cure=_SEND) from None
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    if not isinstance(told, dict) or len(told) > MOST_COLUMNS:
        raise DataError("no row of a table: the JSON is no object of named cells", cure=_SEND)
    found: dict[str, Cell] = {}
    for name, value in told.items():
        if not isinstance(value, str | int | float | bool | None):
            raise DataError(f"the cell '{name[:60]}' holds {type(value).__name__}s, not one value", cure=_SEND)
        if isinstance(value, int | float) and not abs(value) < 1e300:  # too large for a number, or none
            raise DataError(f"the cell '{name[:60]}' is no number that can be used", cure="send a finite one")
        found[name] = cell_of(value) if isinstance(value, str) else value
    return found


def _from_csv(text: str) -> dict[str, Cell]:
    delimiter = _delimiter(text.split("\n", 1)[:1])
    try:
        header, *rows = csv.reader(io.StringIO(text), delimiter=delimiter)
    except csv.Error as fault:
        raise DataError(f"no row of a table ({fault})", cure=_SEND) from None
    if len(rows) != 1 or len(rows[0]) != len(header):
        told = f"{len(rows)} rows" if len(rows) != 1 else f"{len(rows[0])} cells under {len(header)} names"
        raise DataError(f"no row of a table: {told}", cure=_SEND)
    return dict(zip(_names(header), (cell_of(cell, delimiter) for cell in rows[0]), strict=True))


# a file's characters --------------------------------------------------------------------------------------------------


def _bytes(where: str, file: BinaryIO, size: int, limits: Limits) -> bytes:
    most = limits.file_mb << 20
    if not where.lower().endswith(".gz"):
        if size > most:
            raise DataError(f"is larger than {limits.file_mb:,} MiB", where=where, cure="split the table")
        return file.read(most + 1)
    try:
        with gzip.open(file) as unpacked:
            raw = unpacked.read(min(most, limits.most_bytes(size)) + 1)
    except (OSError, EOFError, zlib.error) as fault:
        raise DataError(f"a damaged .gz ({fault})", where=where, cure="pack it again") from None
    if len(raw) > min(most, limits.most_bytes(size)):
        raise DataError(f"unpacks to more than {limits.file_mb:,} MiB", where=where, cure="split the table")
    return raw


def _decoded(where: str, raw: bytes) -> tuple[str, str]:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ("utf-16",)
    elif b"\0" in raw[:65536]:
        raise DataError("no table: it holds zero bytes", where=where, cure="save it as CSV in UTF-8")
    else:
        encodings = ("utf-8-sig", "cp1252", "latin-1")
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        return text.replace("\r\n", "\n").replace("\r", "\n"), "utf-8" if encoding == "utf-8-sig" else encoding
    raise DataError("no table: its characters cannot be read", where=where, cure="save it as CSV in UTF-8")


# rows -----------------------------------------------------------------------------------------------------------------


def _parsed(where: str, text: str, encoding: str, spelled: str) -> Table:
    head = list(_some_lines(text, 60))
    delimiter = _delimiter(head)
    refused: dict[int, str] = {}
    places: list[tuple[int, int, int]] = []
    width = 0
    first: list[str] | None = None
    next_ones: list[list[str]] = []
    for row in _walk(where, text, delimiter, refused):
        if first and len(next_ones) < _COMPARED:
            next_ones.append(row.cells)
        first = first or row.cells
        width = len(first)
        if len(row.cells) != width:
            _refuse(where, refused, row.line, f"{len(row.cells)} cells where there are {width} columns")
            continue
        places.append((row.line, row.start, row.end))
    if first is None or width < 2:
        raise DataError("no table: it has fewer than two columns", where=where, cure="separate cells with commas")
    if width > MOST_COLUMNS:
        raise DataError(f"{width:,} columns, and {MOST_COLUMNS:,} are the most", where=where, cure="split the table")
    has_header = spelled in _NAMED or (_is_header(first) and not _is_row(first, next_ones))
    names = _names(first) if has_header else tuple(f"column {place}" for place in range(1, width + 1))
    if len(refused) > len(places):
        why = f"{len(refused):,} of its lines do not have the {width} cells of the first"
        raise DataError(f"no table: {why}", where=where, cure="save it with one delimiter")
    rows = np.array(places[has_header:], np.int64).reshape(-1, 3)
    lines, starts, ends = rows.T.copy()
    if spelled == SPARSE:  # its names stand in a line of their own
        lines, refused = lines - 1, {line - 1: why for line, why in refused.items()}
    return Table(where, names, lines, text, starts, ends, delimiter, encoding, has_header, spelled, refused)


class _Row(NamedTuple):
    """A row as it stands in a text."""

    line: int
    start: int
    end: int
    cells: list[str]


def _walk(where: str, text: str, delimiter: str, refused: dict[int, str]) -> Iterator[_Row]:
    """Every row. A quote that is not closed, or not where it should be, costs its own line only: the next is tried."""
    pen = _Pen(text)
    reader = csv.reader(pen, delimiter=delimiter, strict=True)
    width = 0
    while True:
        start, line = pen.at, pen.line
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as fault:
            is_open = "limit" in str(fault) or "end of data" in str(fault)
            _refuse(where, refused, line, "a quote that is not closed" if is_open else str(fault))
            pen.go_back(start, line)
            reader = csv.reader(pen, delimiter=delimiter, strict=True)
            continue
        row = _Row(line, start, pen.at, cells)
        if cells:
            width = width or len(cells)
            yield row
        if pen.line > line + 1 and len(cells) != width:
            pen.go_back(start, line)
            reader = csv.reader(pen, delimiter=delimiter, strict=True)


class _Pen:
    """The lines of a text one after the other, and where it has come to."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.line = text, 0, 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        start = self.at
        if start >= len(self.text):
            raise StopIteration
        end = self.text.find("\n", start)
        self.at = len(self.text) if end < 0 else end + 1
        self.line += 1
        if self.at - start > LONGEST:
            raise csv.Error(f"more than {LONGEST:,} characters in one line")
        return self.text[start : self.at]

    def go_back(self, start: int, line: int) -> None:
        """To the line after the one that a row began in."""
        end = self.text.find("\n", start)
        self.at, self.line = len(self.text) if end < 0 else end + 1, line + 1


def _refuse(where: str, refused: dict[int, str], line: int, why: str) -> None:
    refused[line] = why
    if len(refused) > MOST_REFUSED:
        told = f"no table: more than {MOST_REFUSED:,} lines are no rows, such as line {min(refused)}"
        raise DataError(f"{told} ({refused[min(refused)]})", where=where, cure="save it with one delimiter")


def _some_lines(text: str, most: int) -> Iterator[str]:
    at = 0
    for _ in range(most):
        end = text.find("\n", at)
        if end < 0:
            if text[at : at + 1]:
                yield text[at : at + LONGEST]
            return
        yield text[at : min(end, at + LONGEST)]
        at = end + 1


def _delimiter(lines: Iterable[str]) -> str:
    """The mark that parts the most lines into the same number of cells, at least two; more cells where it is a tie."""
    lines = [line for line in lines if line.strip()]
    best, mark = (0.0, 0), ","
    for candidate in _DELIMITERS:
        widths = [_width(line, candidate) for line in lines]
        usual = max(sorted({width for width in widths if width > 1}), key=widths.count, default=1)
        score = (widths.count(usual) / max(1, len(widths)), usual)
        if usual > 1 and score > best:
            best, mark = score, candidate
    return mark


def _width(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 1


def _is_header(first: Sequence[str]) -> bool:
    """Names: at most one of them a number or missing, no two alike but for a few, and not two that end like sentences;
    not one of several words beside a number."""
    cells = [cell_of(cell) for cell in first]
    named = [cell for cell in cells if isinstance(cell, str)]
    spoken = [name for name in named if name.rstrip().endswith((".", "!", "。"))]
    if any(isinstance(cell, int | float) for cell in cells) and any(len(name.split()) > 4 for name in named):
        return False
    return len(named) >= len(first) - 1 and len(set(named)) * 2 > len(first) and len(spoken) < 2


def _is_row(first: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Whether what could be names is a row like the others: a sentence, beside a word that stands below it again."""
    is_spoken = any(len(cell.split()) > 3 for cell in first)
    below = (row for row in others if len(row) == len(first))
    return is_spoken and any(cell and cell == there for row in below for cell, there in zip(first, row, strict=True))


def _names(first: Sequence[str]) -> tuple[str, ...]:
    """Each name once: a second 'score' is 'score.1', as pandas has it; an empty one is 'column 3'."""
    found: dict[str, None] = {}
    for place, cell in enumerate(first, 1):
        name = cell.strip() or f"column {place}"
        base, number = name, 0
        while name in found:
            number += 1
            name = f"{base}.{number}"
        found[name] = None
    return tuple(found)
