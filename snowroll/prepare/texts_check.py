"""What can be wrong with texts of any task: near copies that are learnt and judged on, scripts that are rare there.

A text's Look holds its `marks` (prepare/texts.py) as mark0, mark1 ..., its letters, and its letters of each script.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.texts import MARKS
from snowroll.prepare.view import View, count

ALIKE = 0.75  # of two texts' marks, from which they are copies. A guess
BANDS = 8  # of marks: two texts that share one whole band are compared
RARE = 0.02  # share of the letters below which a script is a stranger. A guess


def copies_across(view: View, rows: list[int], what: str) -> Iterator[Fault]:
    """Texts that share most of their pieces, one of them learnt from and one judged on."""
    across = [pair for pair in near_copies(view, rows) if _parted(view, *pair)]
    if not across:
        return
    learnt = sorted({row for pair in across for row in pair if view.splits[row] == "train"})
    told = ", ".join(
        f"{view.where(a)} ({view.splits[a]}) and {view.where(b)} ({view.splits[b]})" for a, b in across[:2]
    )
    message = f"{count(len(learnt), what)} to learn from nearly as in another split: {told}"
    cure = "nothing needs doing for training, which leaves them out"
    yield view.fault("near_copies_across_splits", "warn", learnt, message, cure, 0.9)


def _parted(view: View, one: int, other: int) -> bool:
    splits = {view.splits[one], view.splits[other]}
    return "train" in splits and len(splits) > 1 and None not in splits


def near_copies(view: View, rows: list[int]) -> list[tuple[int, int]]:
    """Pairs of rows that share at least ALIKE of their marks, found by bands of them (Leskovec et al., ch. 3.4)."""
    if len(rows) < 2:
        return []
    marks = np.array([[look.own[f"mark{i}"] for i in range(MARKS)] for row in rows if (look := view.looks[row])])
    pairs: set[tuple[int, int]] = set()
    for band in np.split(marks, BANDS, axis=1):
        alike: dict[bytes, list[int]] = defaultdict(list)
        for place, part in enumerate(band):
            alike[part.tobytes()].append(place)
        for places in alike.values():
            first = places[0]
            pairs |= {(first, other) for other in places[1:]}
    return sorted((rows[a], rows[b]) for a, b in pairs if float((marks[a] == marks[b]).mean()) >= ALIKE)


def in_rare_scripts(view: View, rows: list[int], what: str) -> Iterator[Fault]:
    """Texts mostly in a script that is rare in the whole."""
    looks = {row: look for row in rows if (look := view.looks[row])}
    names = sorted({name for look in looks.values() for name in look.own if name.startswith("of_")})
    totals = {name: sum(look.own.get(name, 0.0) for look in looks.values()) for name in names}
    everything = sum(totals.values())
    for name in names:
        if not 0 < totals[name] < RARE * everything:
            continue
        found = [row for row, look in looks.items() if look.own.get(name, 0.0) > 0.5 * max(1.0, look.own["letters"])]
        if found:
            message = f"{count(len(found), what)} in {name[3:]} script, which is rare here: {view.names(found)}"
            cure = "leave them out, or bring more of their kind"
            yield view.fault("rare_script", "note", found, message, cure, 0.7, view.leave_out(found))
