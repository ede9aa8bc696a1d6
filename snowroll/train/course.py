"""The gate that looks at the learning rate's course, against the steps that the run really has. Nothing is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from snowroll.base.nouns import Plan
from snowroll.train.fit import lr_at
from snowroll.train.trial import Measured, Trial

OVER = 0.02  # of the peak: a rate that no longer teaches
BEYOND = 100  # times the run: how far ahead a decay is looked for that does not come


def schedule(trial: Trial) -> Measured:
    """The rate of our own schedules at every step of the plan."""
    return planned(trial.plan)


def planned(plan: Plan) -> Measured:
    """The same, which needs nothing but the plan."""
    return judged([lr_at(step, plan) for step in range(plan.steps)], lambda step: plan.lr)


def judged(course: Sequence[float], ahead: Callable[[int], float]) -> Measured:
    """course: the rate, or its share of something, at each step. ahead: what it would be at a step after the end."""
    steps, peak, last = len(course), max(course), course[-1]
    if peak <= 0 or not all(map(math.isfinite, course)):
        return Measured("the rate is never above zero, or not a number", False)
    words = f"peak at step {course.index(peak) + 1} of {steps}, {last / peak:.3g} of it at the end"
    if (below := next((step for step, share in enumerate(course) if share < 0), None)) is not None:
        return Measured(f"{words}: from step {below + 1} on the rate is below zero, and steps go uphill", False)
    over = sum(share < OVER * peak for share in course) / steps
    if over > 0.7:
        return Measured(f"{words}: for {over:.0%} of the run the rate is under {OVER:.0%} of its peak", False)
    if min(course) == peak:
        if (at := _first_change(ahead, peak, steps)) is not None:
            return Measured(f"the rate is the same throughout, and first changes at step {at + 1} of {steps}", False)
        return Measured("the same rate throughout, and beyond the end too", True)
    if course.index(peak) == steps - 1:
        return Measured(f"{words}: the warm-up does not end within the run", False)
    if last > 0.9 * peak and len(set(course[course.index(peak) :])) > 1:
        return Measured(f"{words}: the decay has hardly begun when the run ends", False)
    if (turns := _rises_after_a_fall(course, peak)) > 4:
        return Measured(f"{words}; it falls and rises again {turns} times", False)
    return Measured(words, True)


def _first_change(ahead: Callable[[int], float], peak: float, steps: int) -> int | None:
    """The first step after the run, of some at growing distances, at which the rate would no longer be `peak`."""
    places = [int(steps * 1.1**power) for power in range(1, 60)]
    return next((step for step in places if step < BEYOND * steps and abs(ahead(step) - peak) > 1e-9), None)


def _rises_after_a_fall(course: Sequence[float], peak: float) -> int:
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
