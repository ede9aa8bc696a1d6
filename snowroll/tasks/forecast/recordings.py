"""Series as they lie in a file, on even steps: tables wide and long, JSON lines, NumPy. Runs in limited children."""

from __future__ import annotations

import csv
import io
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.archives import Limits
from snowroll.prepare.series import NUMPY, open_series
from snowroll.prepare.tables import Cell, Table, cell_of
from snowroll.tasks.forecast.clocks import Grid, Times, grid_of
from snowroll.tasks.forecast.roles import MARKS, flag_of, ids_of, is_flag, is_index, share_of_numbers, time_of, word

MOST_COLUMNS = 512  # of numbers, in one table
MOST_SERIES = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One or several series that share their times. What was found wrong while it was read stands beside it."""

    name: str  # "" where its file holds no other
    columns: tuple[str, ...]
    values: np.ndarray  # float32 [T, C], a row a step; NaN where nothing was measured
    start: float = 0.0  # seconds of row 0, since 1970 where `dated`
    step_s: float = 0.0  # 0: nobody knows
    dated: bool = False
    calendar: str = ""  # steps that are not of one length: see clocks.Grid
    marks: np.ndarray | None = None  # int8 [T], 1 where somebody labelled an anomaly, -1 unknown; None: no such column
    times: np.ndarray = field(default_factory=lambda: np.zeros(0))  # [T] seconds, where a calendar counts the steps
    told: Mapping[str, object] = field(default_factory=dict)  # findings: see `_found`

    def at(self, row: int) -> float | None:
        """Seconds of a row, also of one that is still to come; None where no time is told."""
        if not self.step_s:
            return None
        if not len(self.times):
            return self.start + row * self.step_s
        over = max(0, row - len(self.times) + 1)
        return float(self.times[min(row, len(self.times) - 1)]) + over * self.step_s

    def as_dict(self) -> dict[str, object]:
        """What crosses from a limited child."""
        marks = np.zeros(0, np.int8) if self.marks is None else self.marks
        plain = {name: getattr(self, name) for name in ("name", "start", "step_s", "dated", "calendar", "times")}
        return {**plain, "columns": list(self.columns), "values": self.values, "marks": marks, "told": dict(self.told)}

    @staticmethod
    def of(told: Mapping[str, object]) -> Recording:
        given = dict(told)
        marks = given.pop("marks")
        columns = tuple(str(name) for name in given.pop("columns"))  # type: ignore[attr-defined]
        known = marks if isinstance(marks, np.ndarray) and len(marks) else None
        return Recording(columns=columns, marks=known, **given)  # type: ignore[arg-type]


_opened: OrderedDict[tuple[int, int], list[Recording]] = OrderedDict()  # a child is sent one file many times


def recordings_of(raw: bytes, most_values: float) -> list[Recording]:
    """The series in a file's bytes. Raises DataError for what holds none."""
    key = (len(raw), hash(raw))
    if key not in _opened:
        _opened[key] = _read(raw, most_values)
        while len(_opened) > 2:
            _opened.popitem(last=False)
    return _opened[key]


def survey(raw: bytes, most_values: float) -> dict[str, object]:
    """In a limited child: {"recordings": [...]}."""
    return {"recordings": [one.as_dict() for one in recordings_of(raw, most_values)]}


def _read(raw: bytes, most_values: float) -> list[Recording]:
    if not raw:
        raise DataError("the file is empty", cure="remove it")
    if raw.startswith((NUMPY, b"PK\x03\x04")):
        series = open_series(raw, most_values)
        names = series.leads or _numbered(series.signal.shape[1])
        step = 1 / series.rate_hz if series.rate_hz else 0.0
        return [_checked(Recording("", tuple(names), series.signal.copy(), 0.0, step))]
    header, columns, refused = _columns(raw, most_values)
    return _from_columns(header, columns, refused)


def _numbered(n: int) -> tuple[str, ...]:
    return ("value",) if n == 1 else tuple(f"value {place}" for place in range(1, n + 1))


# tables --------------------------------------------------------------------------------------------------------------


def _columns(raw: bytes, most_values: float) -> tuple[list[str], list[list[Cell]], int]:
    """(names, cells by column, lines that are no rows)."""
    if raw.lstrip()[:1] == b"{":
        return _from_lines(raw)
    if raw[:4] == b"PAR1":
        from snowroll.prepare.parquet import spelled

        raw = spelled(raw).encode()
    elif b"\0" in raw[:4096] and raw[:2] not in (b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff"):
        raise DataError("no series: neither a table, JSON lines nor NumPy", cure="leave it out")
    name = "series.csv.gz" if raw[:2] == b"\x1f\x8b" else "series.csv"
    if name == "series.csv" and (plain := _one_column(raw)) is not None:
        return ["value"], [plain], 0
    raw = raw if name.endswith("gz") else _without_comments(raw)
    table = Table.read(name, io.BytesIO(raw), len(raw), Limits())
    if len(table) * len(table.header) > most_values:
        told = f"too large: {len(table):,} rows of {len(table.header):,} columns"
        raise DataError(told, cure="cut the table, or raise prepare.megapixels")
    text = table.text
    if not table.refused and text.count('"') == 0:  # the short way
        rows = list(csv.reader(io.StringIO(text), delimiter=table.delimiter))
        rows = [row for row in rows if row][int(table.has_header) :]
        columns = [_cells([row[place] for row in rows], table.delimiter) for place in range(len(table.header))]
    else:
        columns = [list(column) for column in zip(*(cells for _, cells in table.rows()), strict=True)]
    return list(table.header), columns or [[] for _ in table.header], len(table.refused)


def _without_comments(raw: bytes) -> bytes:
    """Without the lines before the table that begin with '#'."""
    while raw.startswith(b"#") and b"\n" in raw:
        raw = raw[raw.index(b"\n") + 1 :]
    return raw


def _cells(words: list[str], delimiter: str) -> list[Cell]:
    try:
        return np.array(words, np.float64).tolist()
    except ValueError:
        return [cell_of(word, delimiter) for word in words]


def _one_column(raw: bytes) -> list[Cell] | None:
    """A file of one number a line, with a name over them or not."""
    lines = raw[:4096].splitlines()[:20]
    if not lines or any(mark in line for line in lines for mark in (b",", b";", b"\t", b"|")):
        return None
    try:
        words = raw.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError:
        return None
    cells = [cell_of(word) for word in words]
    while cells and cells[-1] is None:
        cells.pop()
    if cells and isinstance(cells[0], str):
        cells = cells[1:]
    wrong = next((place for place, cell in enumerate(cells) if isinstance(cell, str | bool)), None)
    if wrong is not None or len(cells) < 2:
        return None
    return cells


def _from_lines(raw: bytes) -> tuple[list[str], list[list[Cell]], int]:
    rows: list[dict[str, Cell]] = []
    refused = 0
    for line in raw.decode("utf-8-sig", "replace").splitlines():
        if not line.strip():
            continue
        try:
            told = json.loads(line, parse_constant=lambda name: None)
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict) or any(isinstance(cell, dict | list) for cell in told.values()):
            refused += 1
            continue
        rows.append({str(key): cell_of(cell) if isinstance(cell, str) else cell for key, cell in told.items()})
    if refused > len(rows) or len(rows) < 2:
        raise DataError("no series: not JSON lines of one value a name", cure="write an object a line")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return names, [[row.get(name) for row in rows] for name in names], refused


# which column is what ---------------------------------------------------------------------------------------------


def _from_columns(header: Sequence[str], columns: Sequence[list[Cell]], refused: int) -> list[Recording]:
    cells = dict(zip(header, columns, strict=True))
    rows = len(columns[0]) if columns else 0
    if rows < 2:
        raise DataError(f"{rows} rows", cure="a series has two values at least")
    at, times = time_of(cells)
    left = [name for name in header if name not in at and not is_index(name, cells[name])]
    numbers = [name for name in left if share_of_numbers(cells[name]) >= 0.5]
    words = [name for name in left if name not in numbers]
    marks = next((name for name in left if MARKS.match(name) and is_flag(cells[name])), "")
    numbers = [name for name in numbers if name != marks]
    ids = ids_of(cells, [name for name in words if name != marks], numbers, times)
    values = [name for name in numbers if name not in ids]
    if not values:
        raise DataError("no column of numbers beside time and names", cure="leave it out")
    if len(values) > MOST_COLUMNS:
        raise DataError(f"{len(values):,} columns of numbers, and {MOST_COLUMNS} are the most", cure="split the table")
    array = np.stack([_as_array(cells[name]) for name in values], axis=1)
    flags = _as_array(cells[marks], flags=True) if marks else None
    told: dict[str, object] = {
        "time": " and ".join(at), "how": times.how if times else "", "ids": list(ids), "marks": marks,
        "words": [name for name in words if name not in ids and name != marks], "refused": refused,
        "zones": times.zones if times else 0, "zone": times.zone if times else "",
    }  # fmt: skip
    keys = list(zip(*(cells[name] for name in ids), strict=True)) if ids else []
    parts: dict[str, list[int]] = {}
    for row in range(rows):
        parts.setdefault(" ".join(word(cell) for cell in keys[row]) if keys else "", []).append(row)
    if len(parts) > MOST_SERIES:
        raise DataError(f"{len(parts):,} series in one file, and {MOST_SERIES:,} are the most", cure="split the table")
    found = []
    for name, its in parts.items():
        index = np.array(its)
        if len(index) >= 2:
            own = None if flags is None else flags[index]
            found.append(_on_grid(name, tuple(values), array[index], times, index, own, told))
    if not found:
        raise DataError("not one series of two values or more", cure="leave it out")
    return found


def _as_array(cells: Sequence[Cell], flags: bool = False) -> np.ndarray:
    if flags:
        return np.array([-1 if cell is None else flag_of(cell) for cell in cells], np.int8)
    with np.errstate(over="ignore"):
        values = np.array([float(c) if isinstance(c, int | float) and isfinite(c) else np.nan for c in cells])
        return values.astype(np.float32)


# on even steps ----------------------------------------------------------------------------------------------------


def _on_grid(
    name: str,
    columns: tuple[str, ...],
    values: np.ndarray,
    times: Times | None,
    rows: np.ndarray,
    marks: np.ndarray | None,
    told: Mapping[str, object],
) -> Recording:
    if times is None:
        return _checked(Recording(name, columns, values, marks=marks, told=dict(told)))
    seconds = times.seconds[rows]
    grid = grid_of(seconds)
    kept = grid.place >= 0
    even = np.full((grid.steps, values.shape[1]), np.nan, np.float32)
    # of two rows of one step the later one in the file is meant; what it does not tell, the one before it may
    place, given = grid.place[kept], values[kept]
    for column in range(values.shape[1]):
        known = np.isfinite(given[:, column])
        even[place[known], column] = given[known, column]
    flags = None
    if marks is not None:
        flags = np.full(grid.steps, -1, np.int8)
        np.maximum.at(flags, place, marks[kept])
    return _checked(
        Recording(
            name, columns, even, grid.start, grid.step_s, times.is_dated, grid.calendar, flags, grid.times,
            {**told, **_found(grid, int((~kept).sum()))},
        )
    )  # fmt: skip


def _found(grid: Grid, unread: int) -> dict[str, object]:
    missing = sum(n for _, n in grid.gaps)
    longest = max(grid.gaps, key=lambda gap: gap[1], default=(0, 0))
    return {
        "unordered": grid.unordered, "doubled": grid.doubled, "gaps": len(grid.gaps), "missing_steps": missing,
        "longest_gap": list(longest), "jitter": grid.jitter, "unread_times": unread,
    }  # fmt: skip


def _checked(one: Recording) -> Recording:
    if not np.isfinite(one.values).any():
        raise DataError("not one finite number in it", cure="export it again")
    return one
