"""One plan with several values of one setting: what each made of the validation samples."""

from __future__ import annotations

from dataclasses import dataclass

from snowroll.base.nouns import Json, Metric


@dataclass(frozen=True, slots=True)
class Tried:
    """One value of the setting."""

    value: str
    metric: Metric  # on the validation samples: whoever chooses by it must not take it for a result
    training_loss: float | None  # at the end of the run
    parameters: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """The values in the order they were asked for."""

    headline: str
    setting: str
    tried: tuple[Tried, ...]

    @property
    def meaning(self) -> str:
        """One sentence: does the setting matter, as far as this can tell?"""
        best = max(self.tried, key=lambda one: one.metric.value)
        rivals = [one.value for one in self.tried if one is not best and one.metric.high >= best.metric.low]
        told = f"{self.setting} {best.value} makes the most, {best.metric}"
        return told + (f"; not told apart from {', '.join(rivals)}" if rivals else "; clearly more than the others")

    def as_json(self) -> dict[str, Json]:
        return {
            "metric": self.headline,
            "setting": self.setting,
            "measured_on": "validation",
            "tried": [
                {
                    "value": one.value,
                    self.headline: one.metric.value,
                    "interval": [one.metric.low, one.metric.high],
                    "n": one.metric.n,
                    "training_loss": one.training_loss,
                    "parameters": one.parameters,
                }
                for one in self.tried
            ],
            "meaning": self.meaning,
        }

    def lines(self) -> list[str]:
        each = [
            f"sweep     {self.setting} {one.value}: {self.headline} {one.metric} on validation, "
            f"{one.parameters:,} parameters"
            + (f", training loss {one.training_loss:.3f}" if one.training_loss is not None else "")
            for one in self.tried
        ]
        return [*each, f"          {self.meaning}"]
