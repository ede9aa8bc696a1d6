"""Rows that name their columns by number and leave out the zeros, as svmlight and LIBSVM write them: +1 3:0.5 17:1"""

from __future__ import annotations

import re
from collections.abc import Iterator

from snowroll.base.errors import DataError

ENDINGS = ("libsvm", "svmlight", "svm")
SPARSE = "svmlight"
TELLS = f"rows as svmlight, no text: called .{ENDINGS[0]} it is read as a table"
_MOST_COLUMNS = 1_000
_MOST_CELLS = 50_000_000
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_ROW = re.compile(rf"({_NUMBER})(?:\s+qid:(\d+))?((?:\s+\d+:{_NUMBER})*)\s*(?:#.*)?")
_LOOKED_AT = 20  # lines
_READ = 1 << 16  # letters


def are_sparse(text: str) -> bool:
    """
    >>> are_sparse("+1 3:0.5 17:1\\n-1 2:1 # why\\n"), are_sparse("1 2:3\\nat 12:30\\n"), are_sparse("7 8 9\\n")
    (True, False, False)
    """
    whole = text[:_READ].rpartition("\n")[0] if len(text) > _READ else text  # the last line may be cut
    lines = [line for line in whole.split("\n")[:_LOOKED_AT] if _is_said(line)]
    rows = [_ROW.fullmatch(line.strip()) for line in lines]
    return bool(rows) and all(rows) and 2 * sum(bool(row and row[3]) for row in rows) > len(rows)


def as_dense(where: str, text: str) -> str:
    """The same as CSV: a line of names, then a line each, empty where it tells no row. Raises DataError."""
    rows = [_parsed(where, *line) for line in enumerate(text.split("\n"), 1)]
    told = [row for row in rows if row is not None]
    last = max((number for _, _, cells in told for number in cells), default=0)
    first = min((number for _, _, cells in told for number in cells), default=1)
    columns = range(min(first, 1), last + 1)
    if len(columns) > _MOST_COLUMNS or len(columns) * len(told) > _MOST_CELLS:
        most = f"{_MOST_COLUMNS:,} columns and {_MOST_CELLS:,} cells are the most that a table holds"
        why = f"svmlight of {len(columns):,} columns and {len(told):,} rows; {most}"
        raise DataError(why, where=where, cure="save the columns that matter as CSV")
    has_groups = any(group for _, group, _ in told)
    names = ["target", *["group"] * has_groups, *(f"feature {number}" for number in columns)]
    return "\n".join([",".join(names), *_lines(rows, columns, has_groups)])


Row = tuple[str, str, dict[int, str]]  # target, group, column -> what is not zero


def _parsed(where: str, number: int, line: str) -> Row | None:
    if not _is_said(line):
        return None
    row = _ROW.fullmatch(line.strip())
    if row is None:
        raise DataError(f"svmlight that breaks off: line {number} is no row of it", where=where, cure="mend the line")
    pairs = (cell.split(":") for cell in row[3].split())
    return row[1].lstrip("+"), row[2] or "", {int(column): value for column, value in pairs}


def _lines(rows: list[Row | None], columns: range, has_groups: bool) -> Iterator[str]:
    for row in rows:
        if row is None:
            yield ""
            continue
        target, group, cells = row
        yield ",".join([target, *[group] * has_groups, *(cells.get(number, "0") for number in columns)])


def _is_said(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")
