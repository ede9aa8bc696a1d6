"""All that a run was asked to be compared with: other splits, shares of its data, other values of a setting."""

from __future__ import annotations

from dataclasses import dataclass

from snowroll.base.nouns import Json
from snowroll.evaluate.learning import LearningCurve
from snowroll.evaluate.splits import BesideRandom, CrossValidated
from snowroll.evaluate.sweep import Sweep


@dataclass(frozen=True, slots=True)
class Compared:
    """The figures that a run was asked for beside its own."""

    crossed: CrossValidated | None = None
    beside: BesideRandom | None = None
    learning: LearningCurve | None = None
    sweep: Sweep | None = None

    def as_json(self) -> dict[str, Json]:
        """What `train --json` and report.json hold beyond the fixed keys, where there is any."""
        told = {
            "cross_validation": self.crossed,
            "beside_random": self.beside,
            "learning_curve": self.learning,
            "sweep": self.sweep,
        }
        return {key: found.as_json() for key, found in told.items() if found is not None}

    def lines(self) -> list[str]:
        return [
            line for found in (self.crossed, self.beside, self.learning, self.sweep) if found for line in found.lines()
        ]
