"""A time budget becomes a number of steps: the one place where training looks at a clock, before its first step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from statistics import median

import torch
from torch import nn

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Plan
from snowroll.train.fit import Batches, Objective, fit

MARGIN = 0.1  # share of the budget kept back for what was not measured: a guess to be revisited
EVALUATING = 0.2  # share of the budget that evaluations may take: fewer of them, where each is dear (a beam search is)
MEASURED, MOST_MEASURED = 7, 500  # steps; the first two (allocation) are not counted


@dataclass(frozen=True, slots=True)
class Budget:
    """What fits into the time."""

    steps: int
    eval_every: int  # steps
    checkpoint_every: int  # steps


def step_seconds(
    model: nn.Module,
    batches: Batches,
    objective: Objective,
    plan: Plan,
    now: Callable[[], float],
    look_s: float = 0.0,
) -> float:
    """Median time of a warm step on the run's own batches: of MEASURED of them, and more until `look_s` have passed,
    so that a moment in which the machine was busy does not halve a long run.
    """
    times = [now()]
    for _ in fit(model, batches, objective, replace(plan, steps=MOST_MEASURED)):
        if plan.device.startswith("cuda"):
            torch.cuda.synchronize()
        times.append(now())
        if len(times) > MEASURED and times[-1] - times[0] >= look_s:
            break
    return median(after - before for before, after in pairwise(times[2:]))


def steps_within(
    time_s: float,
    step_s: float,
    eval_s: float = 0.0,
    save_s: float = 0.0,
    evaluations: int = 10,
    save_every_s: float = 60.0,
    eval_every: int = 0,
) -> Budget:
    """Steps and cadence such that steps, evaluations and checkpoints together take at most `time_s` less the margin.

    eval_every: steps, where a person settled it; else `evaluations` of them, or fewer where each takes long.
    Raises PlanError when not even ten steps fit.

    >>> steps_within(100.0, step_s=0.1, eval_s=1.0)
    Budget(steps=800, eval_every=80, checkpoint_every=600)
    """
    free_s = time_s * (1 - MARGIN)
    checkpoint_every = max(1, round(save_every_s / step_s))
    each_s = step_s + save_s / checkpoint_every
    if eval_every:
        each_s += eval_s / eval_every
        free_s -= eval_s  # the last, whatever the steps
    else:
        if evaluations * eval_s > free_s * EVALUATING:  # evaluating must not eat the training
            evaluations = max(1, int(free_s * EVALUATING / eval_s))
        free_s -= evaluations * eval_s
    steps = int(free_s / each_s)
    if steps < 10:
        raise PlanError(
            f"{time_s:.0f} s are too short: a step takes {step_s:.2g} s and an evaluation {eval_s:.2g} s",
            cure="allow more --time, or choose a smaller model or size",
        )
    return Budget(steps, eval_every or ceil(steps / evaluations), checkpoint_every)
