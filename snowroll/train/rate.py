"""The gate of a learning rate that a person set: the run in small, at that rate and at others. Planned rates are known
to do, so that nobody pays for it who set none.
"""

from __future__ import annotations

import math
from dataclasses import replace

from snowroll.base.errors import GateError
from snowroll.train.fit import fit
from snowroll.train.trial import Measured, Trial, few

FACTORS = (1.0, 0.1, 10.0, 0.01, 100.0)
STEPS = (20, 100)  # the second where the first says no: some losses take their time to begin
POOR = 0.2  # of the best rate's progress. A guess: far from the 0.01 of a rate that is off by a hundred


def learning_rate(trial: Trial) -> Measured:
    """Whether the rate, its whole course in a few steps, gets a fifth as far as the best of its multiples."""
    found = Measured("", False)
    for steps in STEPS:
        if not found.holds:
            found = _in_small(trial, min(steps, trial.plan.steps))
    return found


def _in_small(trial: Trial, steps: int) -> Measured:
    gains = {factor: _gain(trial, steps, trial.plan.lr * factor) for factor in FACTORS}
    best = max(gains, key=lambda factor: gains[factor])
    told = ", ".join(f"{trial.plan.lr * factor:.3g}: {-gains[factor]:+.3g}" for factor in sorted(FACTORS))
    words = f"change of the loss in {steps} steps, by rate: {told}"
    return Measured(words, gains[best] <= 0 or gains[1.0] >= POOR * gains[best])


def _gain(trial: Trial, steps: int, lr: float) -> float:
    """By how much the loss falls from the first step to the last few; minus infinity where it is lost on the way."""
    plan = replace(trial.plan, steps=steps, lr=lr, ema=0.0, compile=False)
    try:
        losses = [step.loss for step in fit(trial.make(), lambda at: few(trial.batches(at)), trial.objective, plan)]
    except GateError:  # no number any more
        return -math.inf
    late = losses[-max(1, steps // 5) :]
    return losses[0] - sum(late) / len(late)
