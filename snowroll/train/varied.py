"""The gate that asks whether augmentation changes what a sample is: is more learnt as soon as it is left out?

A model that saw every arrow mirrored half of the time cannot tell left from right, in neither kind of picture, and its
own losses do not say whose fault that is. Some more steps without augmentation do, beside more of them with it: who
was not done learning goes on with it, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from snowroll.base.nouns import Plan
from snowroll.train.fit import Batches
from snowroll.train.nested import leaves
from snowroll.train.trial import Measured

SHARE, LEAST, MOST = 0.05, 20, 0.1  # of the run's steps, but so many, and no larger share: what is learnt without it
LONGER = 3  # times as many with it, where the first bring anything. A run that was not done caught up within as many
UNITS = 10  # groups of one class, or samples that are in none: fewer say nothing
MISSED = 0.1  # credit that a class must lack before anything is asked, and must gain: a guess
GAINED = 0.5  # share of what it lacked. Healthy runs gain a little, too: they see at last what they will be asked about
STANDS = 1 / 3  # of that gain: what goes on with augmentation and gains no more has learnt what can be learnt
SURE = 3.0  # standard errors
LOOKED_AT = 4  # batches, for whether anything is augmented
ALL = "all"  # beside the classes, whose names stand in quotes


@dataclass(frozen=True, slots=True)
class Unseen:
    """Samples that were not learnt from, as they are."""

    credit: Callable[[nn.Module], np.ndarray]  # a model in evaluation mode -> [n] what each sample earned
    strata: Sequence[str]  # [n] their classes
    groups: Sequence[str]  # [n]


def briefly(plan: Plan, times: int) -> Plan:
    """The same course in a twentieth of the steps, or so many twentieths."""
    steps = min(max(LEAST, round(SHARE * plan.steps)), max(1, round(MOST * plan.steps)))
    return replace(plan, steps=times * steps, ema=0.0, compile=False)


def varies(batches: Batches, plain: Batches) -> bool:
    """Whether any of the first inputs is other than it is stored."""
    pairs = ((leaves(batches(step).inputs), leaves(plain(step).inputs)) for step in range(LOOKED_AT))
    return not all(torch.equal(a, b) for seen, stored in pairs for a, b in zip(seen, stored, strict=True))


def augmentation_keeps_labels(
    model: nn.Module, unseen: Unseen, batches: Batches, plain: Batches, learn_more: Callable[[Batches, int], nn.Module]
) -> Measured:
    """learn_more: the trained model after some more steps on these batches, or so many times as many.

    Classes are wronged where such steps on samples as they are bring half of what was lacking, and three times as many
    on augmented ones bring next to nothing. The second are spent only where the first brought something.
    """
    if not varies(batches, plain):
        return Measured("there is none", True)
    if not (classes := _classes(unseen)):
        return Measured(f"{len(unseen.groups)} samples that were not learnt from are too few to ask", True)
    before = unseen.credit(model)
    if all(before[rows].mean() > 1 - MISSED for rows in classes.values()):
        return Measured(f"credit {before.mean():.3f} on what was not learnt from, and no class far under it", True)
    without = unseen.credit(learn_more(plain, 1))
    words = f"credit {before.mean():.3f}, after some more steps without augmentation {without.mean():.3f}"
    if not any(_more(without, before, unseen, rows) for rows in classes.values()):
        return Measured(words, True)
    control = unseen.credit(learn_more(batches, LONGER))
    words += f", after {LONGER} times as many with it {control.mean():.3f}"
    # of two that cannot be told apart one is always said, and after some more steps it may be the other
    gained = [
        name
        for name, rows in classes.items()
        if name != ALL and (_more(without, before, unseen, rows) or _more(without, control, unseen, rows))
    ]
    together = np.concatenate([np.zeros(0, int), *(classes[name] for name in gained)])
    for rows in (together, classes.get(ALL, together)):
        is_learnt = len(rows) and _more(without, before, unseen, rows) and _more(without, control, unseen, rows)
        if is_learnt and (control - before)[rows].mean() < STANDS * (without - before)[rows].mean():
            which = ": " + ", ".join(gained[:6]) if gained else ""
            return Measured(f"augmented samples are no longer what their targets say{which} ({words})", False)
    return Measured(words, True)


def _classes(unseen: Unseen) -> dict[str, np.ndarray]:
    """Rows of all samples, and of each class; of those that have enough groups."""
    names, groups = np.array(unseen.strata), np.array(unseen.groups)
    found = {ALL: np.arange(len(names))}
    found |= {f"'{name}'": np.flatnonzero(names == name) for name in sorted(set(names.tolist()))}
    return {name: rows for name, rows in found.items() if len(set(groups[rows])) >= UNITS}


def _more(one: np.ndarray, other: np.ndarray, unseen: Unseen, rows: np.ndarray) -> bool:
    """Whether `one` earns half of what `other` lacks in these rows, beyond chance: group by group."""
    _, place = np.unique(np.array(unseen.groups)[rows], return_inverse=True)
    gain = np.bincount(place, (one - other)[rows]) / np.bincount(place)
    error = gain.std(ddof=1) / len(gain) ** 0.5
    return bool(gain.mean() >= max(MISSED, GAINED * (1 - other[rows].mean()), SURE * error))
