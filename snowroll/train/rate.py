"""The gate of a learning rate that a person set: the run in small, at that rate and at others. Planned rates are known
to do, so that nobody pays for it who set none.
"""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import torch

from snowroll.base.errors import GateError
from snowroll.train.fit import fit
from snowroll.train.trial import Measured, Trial, few

FACTORS = (1.0, 0.1, 10.0, 0.01, 100.0)
STEPS = (20, 100)  # the second where the first says no: some losses take their time to begin
POOR = 0.2  # of the best rate's progress: far from the 0.01 of a rate that is off by a hundred. Both are guesses:
HALF = 0.5  # likewise, were it to go on like this to the end of the run
LITTLE = 0.02  # of the untrained loss: where no rate makes as much, none can be blamed
WORSE = 0.5  # of the untrained loss: who is so much above it was thrown there


def learning_rate(trial: Trial) -> Measured:
    """Whether the rate, its whole course in a few steps, gets a fifth as far as the best of its multiples, or half as
    far at this pace in all the steps of the run.
    """
    found = Measured("", False)
    for steps in STEPS:
        if not found.holds:
            found = _in_small(trial, min(steps, trial.plan.steps), can_wait=steps < STEPS[-1])
    return found


def _in_small(trial: Trial, steps: int, can_wait: bool) -> Measured:
    untrained = _untrained(trial, steps)
    gains = {factor: untrained - _learnt(trial, steps, trial.plan.lr * factor) for factor in FACTORS}
    best = max(gains, key=lambda factor: gains[factor])
    told = ", ".join(f"{trial.plan.lr * factor:.3g}: {-gains[factor]:+.3g}" for factor in sorted(FACTORS))
    words = f"the loss after {steps} steps, beside {untrained:.3g} of the untrained network, by rate: {told}"
    if gains[best] < LITTLE * untrained:
        return Measured(words, gains[1.0] > -WORSE * untrained and not can_wait)
    in_the_end = 0.0 if can_wait else gains[1.0] * trial.plan.steps / steps
    return Measured(words, gains[1.0] >= POOR * gains[best] or in_the_end >= HALF * gains[best])


def _learnt(trial: Trial, steps: int, lr: float) -> float:
    """The mean loss of the last few of the steps; infinite where it is lost on the way."""
    plan = replace(trial.plan, steps=steps, lr=lr, ema=0.0, compile=False)
    try:
        losses = [step.loss for step in fit(trial.make(), lambda at: few(trial.batches(at)), trial.objective, plan)]
    except GateError:  # no number any more
        return math.inf
    return fmean(losses[-_few_of(steps) :])


@torch.no_grad()
def _untrained(trial: Trial, steps: int) -> float:
    """The same of a network that takes no step."""
    model = trial.make().train()
    seen = [few(trial.batches(step)) for step in range(steps - _few_of(steps), steps)]
    return fmean(float(trial.objective(model, batch).mean()) for batch in seen)


def _few_of(steps: int) -> int:
    return max(1, steps // 5)
