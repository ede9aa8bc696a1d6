"""The same plan on a split that ignores groups: what somebody who knows of none would have believed.

Everything of it lies in runs/0007-train/random/. Its model has learned from locked samples, so it is never saved as a
model, never a run of its own, and no version of it enters the catalog.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from snowroll.base import atomic
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Metric, Plan, Split, Version, digest
from snowroll.evaluate.splits import BesideRandom
from snowroll.project.aside import fit_aside
from snowroll.project.data import Packed
from snowroll.project.judging import metrics
from snowroll.project.opened import Opened, Say


def beside_random(opened: Opened, packed: Packed, plan: Plan, grouped: Metric, folder: Path, say: Say) -> BesideRandom:
    """Train the plan once more in `folder`, and set its figure beside `grouped`. Killed, it goes on like any run."""
    drawn = at_random(opened, packed, plan.seed)
    say("once more, on splits of the same sizes drawn at random: for comparison only, never a champion ...")
    _, judged = fit_aside(opened, drawn, plan, folder, say, name="the random run beside it", flag="--beside-random")
    headline = opened.task.headline
    found = BesideRandom(headline, grouped, metrics(opened.task, judged, drawn.schema)[headline])
    atomic.write_json(folder / "beside.json", found.as_json())
    return found


def at_random(opened: Opened, packed: Packed, seed: int) -> Packed:
    """The pack's readable rows dealt out anew, as many of each class to each split as before, groups forgotten.

    A pure function of version and seed. The same sizes and classes: all that differs is where the groups lie.
    """
    items = list(packed.version.items)
    strata = opened.task.strata([item.target for item in items])
    of_class: dict[str, list[int]] = defaultdict(list)
    for row in np.concatenate(list(packed.rows.values())):
        of_class[strata[row]].append(int(row))
    for same in of_class.values():
        places = sorted(items[row].split for row in same)
        order = sorted(same, key=lambda row: digest(str(seed), items[row].sample))
        for row, split in zip(order, places, strict=True):
            items[row] = replace(items[row], split=split, group=None)
    version = Version.freeze(items, packed.version.schema, packed.version.id, packed.version.left_out)
    readable = np.sort(np.concatenate(list(packed.rows.values())))
    splits = np.array([item.split for item in version.items])[readable]
    rows: dict[Split, np.ndarray] = {name: readable[splits == name] for name in packed.rows}
    return replace(packed, version=version, rows=rows)


def refuse_ungrouped(opened: Opened, version: Version) -> None:
    """Raise UsageError where no two samples share a group that was declared or asked for: nothing is to compare."""
    declared = opened.samples([item.sample for item in version.items]).values()
    named = version.items if opened.prepare.scenes else declared
    sizes = Counter(one.group for one in named if one.group is not None)
    if max(sizes.values(), default=0) < 2:
        told = "the project has no groups" if not sizes else "no two samples share a group"
        cure = (
            "say what they are: --prepare.group PATTERN, whose first (...) matches patient, machine or scene; "
            "or take those that `check` finds: --prepare.scenes true"
        )
        raise UsageError(f"{told}, so a split by group is a random one", where="--beside-random", cure=cure)
