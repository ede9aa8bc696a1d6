"""The learning rate's course, and the rate itself, against the steps that the run really has."""

from __future__ import annotations

import math

from snowroll.train.course import judged
from snowroll.train.own.loop import Loop, rehearse
from snowroll.train.trial import Measured


def schedule(loop: Loop) -> Measured:
    """The share of the learning rate at every step; nothing is trained."""
    course = [loop.rate(step, loop.steps) for step in range(loop.steps)]
    return judged(course, lambda step: loop.rate(step, loop.steps))


FACTORS = (0.01, 0.1, 1.0, 10.0, 100.0)
POOR = 0.65  # of the best rate's progress; the suite's healthy programs measured 0.79 and more


def learning_rate(loop: Loop, steps: int = 60, at_most: int = 200) -> Measured:
    """The same start at a hundredth to a hundred times the rate: is the loop's own anywhere near the best?"""
    found = _range_test(loop, min(steps, loop.steps))
    if not found.holds:  # once more with more patience: some losses take their time to begin
        found = _range_test(loop, min(at_most, loop.steps))
    return found


def _range_test(loop: Loop, steps: int) -> Measured:
    gains: dict[float, float] = {}
    for factor in FACTORS:
        _, losses = rehearse(loop, steps, factor)
        late = losses[-max(1, steps // 8) :]
        gains[factor] = losses[0] - sum(late) / len(late) if len(losses) == steps else -math.inf
        if not math.isfinite(gains[factor]):
            gains[factor] = -math.inf
    best = max(gains, key=lambda factor: gains[factor])
    told = ", ".join(f"{factor:g}x {-gain:+.3g}" for factor, gain in gains.items())
    words = f"change of the loss in {steps} steps, by factor on the rate: {told}"
    return Measured(words, gains[best] <= 0 or best == 1.0 or gains[1.0] >= POOR * gains[best])
