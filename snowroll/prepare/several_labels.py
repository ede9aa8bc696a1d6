"""Cells that hold several labels: 'Effusion|Infiltration', "['Comedy', 'Drama']", '13 51'. A class is one of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection

_MARKS = (r"\|", ";", ",", r"\s+")


def several_labels(cells: Collection[str]) -> set[str]:
    """Those of a column's different cells that are made of labels which come in other cells, too.

    >>> several_labels({"Mass", "Effusion|Mass", "Effusion"}), several_labels({"tench, Tinca tinca", "shark"})
    ({'Effusion|Mass'}, set())

    Blanks stand in names of classes: they part labels only where far fewer labels than cells are left.
    """
    plain = {cell: re.sub(r"""^[\[({]|[\])}]$|['"]""", "", cell) for cell in cells}
    if numbers := {cell for cell in cells if re.fullmatch(r"\d+(\s+\d+)+", cell)}:
        return numbers
    for mark in _MARKS:
        parts = {cell: [part for part in re.split(rf"\s*{mark}\s*", text) if part] for cell, text in plain.items()}
        often = Counter(part for some in parts.values() for part in set(some))
        joined = {cell: some for cell, some in parts.items() if len(some) > 1}
        again = [often[part] > 1 for some in joined.values() for part in some]
        if not joined or 2 * sum(again) < len(again):
            continue
        if mark != _MARKS[-1] or (3 * len(often) <= 2 * len(cells) and len(joined) < len(cells)):
            return set(joined)
    return set()
