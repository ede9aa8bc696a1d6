"""The same plan on a quarter and on half of the training data: the points of the learning curve.

Everything of it lies in runs/0007-train/shares/. Its models are judged on the locked test set and never saved.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from snowroll.base import atomic
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Plan, digest
from snowroll.evaluate.learning import LearningCurve, learning_curve
from snowroll.project.aside import fit_aside
from snowroll.project.data import Packed
from snowroll.project.judging import Judged
from snowroll.project.opened import Opened, Say
from snowroll.train.order import steps_per_epoch

SHARES = (0.25, 0.5)


def learning_curve_of(
    opened: Opened, packed: Packed, plan: Plan, whole: Judged, folder: Path, say: Say
) -> LearningCurve:
    """Train the plan on shares of what it learns from, as many passes over each. Killed, it goes on like any run."""
    sizes, credits = [], []
    for share in SHARES:
        part = share_of(opened, packed, share, plan.seed)
        say(f"once more, on {len(part.rows['train']):,} of {len(packed.rows['train']):,} samples ...")
        shorter = as_often(plan, len(packed.rows["train"]), len(part.rows["train"]))
        name = f"the run on {share:.0%} of the data"
        _, judged = fit_aside(opened, part, shorter, folder / f"{share:g}", say, name=name, flag="--learning-curve")
        sizes.append(len(part.rows["train"]))
        credits.append(judged.credit)
    credited = opened.task.credited or opened.task.headline
    found = learning_curve(credited, [*sizes, len(packed.rows["train"])], [*credits, whole.credit], whole.groups)
    atomic.write_json(folder / "curve.json", found.as_json())
    return found


def as_often(plan: Plan, n: int, some: int) -> Plan:
    """The plan for `n` samples with as many passes over `some` of them: no batch holds more than there are."""
    share = steps_per_epoch(some, min(plan.batch, some)) / steps_per_epoch(n, min(plan.batch, n))
    every = max(1, round(share * plan.eval_every)) if plan.eval_every else 0
    return replace(plan, steps=max(1, round(share * plan.steps)), eval_every=every)


def share_of(opened: Opened, packed: Packed, share: float, seed: int) -> Packed:
    """A share of the training rows of each class, whole groups where they fit; a smaller share lies in a larger one."""
    rows = packed.rows["train"]
    items = [packed.version.items[row] for row in rows]
    of_class: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for row, item, stratum in zip(rows, items, opened.task.strata([item.target for item in items]), strict=True):
        of_class[stratum].append((digest(str(seed), item.group or item.sample), int(row)))
    kept = [row for same in of_class.values() for _, row in sorted(same)[: math.ceil(share * len(same))]]
    return replace(packed, rows={**packed.rows, "train": np.sort(np.array(kept, dtype=rows.dtype))})


def refuse_curve(plan: Plan, n: int) -> None:
    """Raise UsageError where a curve would say nothing, before anything is spent on it."""
    if plan.folds:
        told, cure = "a learning curve of folds is not drawn", "set --train.folds 0, or leave --learning-curve out"
        raise UsageError(told, where="--learning-curve", cure=cure)
    if n < 40:
        told, cure = f"{n} training samples are too few for a learning curve", "label at least 40"
        raise UsageError(told, where="--learning-curve", cure=cure)
