"""What can be wrong with masks of scans, beside what can be wrong with scans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from snowroll.base.nouns import Fault
from snowroll.prepare.mask_targets import shares
from snowroll.prepare.view import View, count
from snowroll.tasks.medical.faults import scan_faults
from snowroll.tasks.medical.masks.volumes import grounds, shape_of

IN_FEW = 3  # scans that show a class, below which it can be neither learnt nor measured
RARE = 0.02  # share of the scans in which nothing is to be found, where nearly all others have something


def mask_faults(view: View) -> Iterator[Fault]:
    """Masks on another grid than their scan, without a judged voxel or anything to be found; classes hardly there."""
    yield from scan_faults(view)
    other_grid, unjudged, empty, shown = [], [], [], Counter[str]()
    labelled = [row for row, sample in enumerate(view.samples) if sample.target is not None]
    for row in labelled:
        target, seen = view.samples[row].target, view.looks[row]
        grid = (int(seen.own["depth"]), seen.height, seen.width) if seen and not seen.reason else None
        if grid is not None and shape_of(target) != grid:
            other_grid.append(row)
        there = {name for name in shares(target) if name}
        shown.update(there)
        if not there:
            unjudged.append(row)
        elif not there - set(grounds(sorted(there))):
            empty.append(row)
    if other_grid:
        told = f"{count(len(other_grid), 'mask')} on another grid than the scan: {view.names(other_grid)}"
        yield view.fault(
            "mask_size", "warn", other_grid, told, "resample the masks; until then they are stretched", 1.0
        )
    if unjudged:
        told = f"{count(len(unjudged), 'mask')} without a voxel that is judged: {view.names(unjudged)}"
        fix = view.leave_out(unjudged)
        yield view.fault("empty_mask", "warn", unjudged, told, "draw them, or leave the scans out", 1.0, fix)
    if empty and len(empty) <= RARE * len(labelled):
        told = f"{count(len(empty), 'mask')} with nothing to be found, where nearly all have something"
        cure = "look at them: was something forgotten?"
        yield view.fault("plain_mask", "warn", empty, f"{told}: {view.names(empty)}", cure, 0.5, view.ask(empty))
    for name, n in sorted(shown.items()):
        if n < IN_FEW and len(labelled) >= 10:
            rows = [row for row in labelled if name in shares(view.samples[row].target)]
            told = f"class '{name}' is in {count(n, 'scan')} only: {view.names(rows)}"
            yield view.fault("rare_class", "warn", rows, told, "label more of it, or give it to another class", 1.0)
