"""The learning rate's course, and the rate itself, against the steps that the run really has."""

from __future__ import annotations

import math

from snowroll.train.own.loop import Loop, rehearse
from snowroll.train.trial import Measured

OVER = 0.02  # of the peak: a rate that no longer teaches
BEYOND = 100  # times the run: how far ahead a decay is looked for that does not come


def schedule(loop: Loop) -> Measured:
    """The share of the learning rate at every step, as numbers; nothing is trained."""
    course = [loop.rate(step, loop.steps) for step in range(loop.steps)]
    peak, last = max(course), course[-1]
    if peak <= 0 or not all(map(math.isfinite, course)):
        return Measured("the rate is never above zero, or not a number", False)
    words = f"peak at step {course.index(peak) + 1} of {loop.steps}, {last / peak:.3g} of it at the end"
    over = sum(share < OVER * peak for share in course) / len(course)
    if over > 0.7:
        return Measured(f"{words}: for {over:.0%} of the run the rate is under {OVER:.0%} of its peak", False)
    if min(course) == peak:
        if (at := _first_change(loop, peak)) is not None:
            return Measured(
                f"the rate is the same throughout, and first changes at step {at + 1} of {loop.steps}", False
            )
        return Measured("the same rate throughout, and no decay beyond the end that would have been meant", True)
    if course.index(peak) == loop.steps - 1:
        return Measured(f"{words}: the warm-up does not end within the run", False)
    if last > 0.9 * peak and len(set(course[course.index(peak) :])) > 1:
        return Measured(f"{words}: the decay has hardly begun when the run ends", False)
    if (turns := _rises_after_a_fall(course, peak)) > 4:
        return Measured(f"{words}; it falls and rises again {turns} times", False)
    return Measured(words, True)


def _first_change(loop: Loop, peak: float) -> int | None:
    """The first step after the run at which the rate would no longer be `peak`."""
    ahead = (step for power in range(1, 60) for step in [int(loop.steps * 1.1**power)] if step < BEYOND * loop.steps)
    return next((step for step in ahead if abs(loop.rate(step, loop.steps) - peak) > 1e-9), None)


def _rises_after_a_fall(course: list[float], peak: float) -> int:
    """How often the rate comes back up by a tenth of its peak."""
    rises, turning, is_falling = 0, course[0], True
    for share in course:
        if is_falling:
            turning = min(turning, share)
            if share > turning + 0.1 * peak:
                rises, is_falling, turning = rises + 1, False, share
        else:
            turning = max(turning, share)
            if share < turning - 0.1 * peak:
                is_falling, turning = True, share
    return rises


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
