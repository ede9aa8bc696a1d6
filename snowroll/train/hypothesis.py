"""A gate before it is measured, and the measuring: of a run of our own, or of a loop that somebody else wrote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from snowroll.base.errors import GateError, PlanError
from snowroll.base.nouns import Gate
from snowroll.train.trial import Measured

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Hypothesis(Generic[T]):
    """What must be true of a T before time is spent on it. `measure` gives None where it cannot be asked."""

    name: str
    says: str
    expected: str
    measure: Callable[[T], Measured | None]


def verdict(hypothesis: Hypothesis[T], subject: T, now: Callable[[], float]) -> Gate | None:
    """The gate; None where it cannot be asked of this subject. A NaN met on the way is the gate's failure."""
    began = now()
    try:
        found = hypothesis.measure(subject)
    except (GateError, PlanError) as fault:
        found = Measured(str(fault), False)
    if found is None:
        return None
    return Gate(
        hypothesis.name,
        hypothesis.says,
        found.words,
        hypothesis.expected,
        found.holds,
        found.picture,
        round(now() - began, 3),
    )
