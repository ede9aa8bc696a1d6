"""What `check` finds of folders of parts."""

from __future__ import annotations

from collections.abc import Iterator

from snowroll.base.errors import DataError
from snowroll.base.nouns import Fault
from snowroll.prepare.view import View, count
from snowroll.tasks.inspect.parts import faulty, is_faulty, mask_of

FEW = 20  # good parts: what they have in common is not known from fewer


def part_faults(view: View) -> Iterator[Fault]:
    """Too few good parts, no faulty ones to judge by, marks that mark nothing."""
    rows = [row for row, sample in enumerate(view.samples) if sample.target is not None]
    bad = faulty(view.samples[row].target for row in rows)
    good = [row for row, is_bad in zip(rows, bad, strict=True) if not is_bad]
    if rows and len(good) < FEW:
        told = f"{count(len(good), 'good part')}: what good parts have in common is not known from so few"
        yield view.fault("few_good_parts", "warn", good, told, f"add good parts, {FEW} at least")
    learnt = [row for row in good if view.splits[row] in ("train", None)]
    if rows and not learnt:
        yield view.fault("no_good_parts", "block", rows, "no good part is there to learn from", "add good parts")
    if rows and not bad.any():
        told = "no faulty part is known, so how many faults are found cannot be said"
        cure = "put some into the test split, or label what production sends back"
        yield view.fault("no_faulty_parts", "note", [], told, cure)
    empty = [row for row in rows if _marks_nothing(view, row)]
    if empty:
        told = f"{view.names(empty)}: faulty, and its mask marks nothing"
        yield view.fault("empty_mask", "warn", empty, told, "mark the fault, or remove the mask", fix=view.ask(empty))


def _marks_nothing(view: View, row: int) -> bool:
    try:
        mask = mask_of(view.samples[row].target)
    except DataError:
        return True
    return mask is not None and is_faulty(view.samples[row].target) and not mask.any()
