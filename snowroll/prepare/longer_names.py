"""Rows that know a file by the end of its name: 'photo.jpg' of 'face.7.photo.jpg', where other cells of the row tell
which of several it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from snowroll.prepare.manifest_lines import Lines
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.shelf import TRIED

_BREAK = re.compile(r"[ _.-]")
_PARTS = re.compile(r"[/!._ -]+")
_SHARE = 0.9  # of the rows in which a cell stands in the path of a file with such an end
_NAME = "file"  # what the column is called


def with_whole_names(lines: Lines, pictures: Sequence[str]) -> Lines:
    """With a column of whole paths, where the names of pictures that stand there are ends of those of files."""
    tried = [cells for _, cells in lines.rows[:: max(1, len(lines.rows) // TRIED)]][:TRIED]
    columns = [name for name in lines.columns if tried and all(format_of_name(cells[name]) for cells in tried)]
    known = {where.replace("!", "/").rpartition("/")[2] for where in pictures} if columns else set[str]()
    column = next((name for name in columns if not any(cells[name] in known for cells in tried)), None)
    if column is None or _NAME in lines.columns:
        return lines
    ends = _ends({cells[column] for _, cells in lines.rows}, pictures)
    if 2 * sum(cells[column] in ends for cells in tried) < len(tried):
        return lines
    telling = _telling([name for name in lines.columns if name != column], column, tried, ends)
    rows = [(number, {_NAME: _whole(cells, column, telling, ends), **cells}) for number, cells in lines.rows]
    return Lines(lines.where, (_NAME, *lines.columns), tuple(rows))


def _ends(wanted: set[str], pictures: Sequence[str]) -> dict[str, list[str]]:
    """name -> files whose own names end so, after a break."""
    found: dict[str, list[str]] = defaultdict(list)
    for where in pictures:
        name = where.replace("!", "/").rpartition("/")[2]
        for at in _BREAK.finditer(name):
            if (end := name[at.end() :]) in wanted:
                found[end].append(where)
    return found


def _telling(
    columns: Sequence[str], column: str, tried: Sequence[Mapping[str, str]], ends: Mapping[str, list[str]]
) -> list[str]:
    """The columns whose cells stand in the paths."""
    rows = [(cells, [_parts(where) for where in ends[cells[column]]]) for cells in tried if cells[column] in ends]
    stands = {name: sum(any(cells[name] in parts for parts in paths) for cells, paths in rows) for name in columns}
    return [name for name, n in stands.items() if n >= _SHARE * len(rows)]


def _whole(cells: Mapping[str, str], column: str, telling: Sequence[str], ends: Mapping[str, list[str]]) -> str:
    found = [where for where in ends.get(cells[column], ()) if {cells[name] for name in telling} <= _parts(where)]
    return found[0] if len(found) == 1 else cells[column]


def _parts(where: str) -> set[str]:
    return {*_PARTS.split(where), *where.replace("!", "/").split("/")}
