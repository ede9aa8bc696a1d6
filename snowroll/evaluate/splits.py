"""What one plan makes on other splits of the same data: over its folds, and at random where groups are ignored."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import hypot

from snowroll.base.nouns import Json, Metric


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """Every sample that is not locked, answered by the one model of the folds that saw nothing of its group."""

    headline: str
    metric: Metric  # over all those answers
    by_fold: tuple[Metric | None, ...]  # None: it has no meaning there, R2 of numbers that are all alike

    def as_json(self) -> dict[str, Json]:
        by_fold = [{"fold": number, **_json(metric)} for number, metric in enumerate(self.by_fold)]
        return {"folds": len(self.by_fold), "metric": self.headline, **_json(self.metric), "by_fold": by_fold}

    @staticmethod
    def read(told: dict[str, Json]) -> CrossValidated:
        """The way back from `as_json`."""
        metric, by_fold = _read(told), tuple(_read(fold) for fold in told["by_fold"])
        assert metric is not None
        return CrossValidated(told["metric"], metric, by_fold)

    def lines(self) -> list[str]:
        each = ", ".join(f"{metric.value:.3f}" if metric else "-" for metric in self.by_fold)
        return [
            f"folds     {self.headline} {self.metric} out of fold, {len(self.by_fold)} folds by group: {each}",
            "          the run's model is the folds' models as one, none of which saw the locked test set",
        ]


@dataclass(frozen=True, slots=True)
class BesideRandom:
    """The same plan on the split by group, and on one of the same sizes drawn as if there were no groups."""

    headline: str
    grouped: Metric  # its interval resamples whole groups
    random: Metric  # its interval resamples samples, as somebody who knows of no groups would

    @property
    def difference(self) -> Metric:
        return difference(self.random, self.grouped)

    @property
    def meaning(self) -> str:
        """One sentence: what to believe."""
        gap = self.difference
        told = f"{gap.value:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
        if gap.low > 0:
            return f"a split that ignores groups would have claimed {told} more than a new group will give"
        if gap.high < 0:
            return f"the random split scores {told}: here it flatters nothing; the groups locked away may be easy ones"
        return f"the random split scores {told}: so few samples and groups cannot tell whether ignoring groups flatters"

    def as_json(self) -> dict[str, Json]:
        """The random run's figure as a run's is written, the grouped one beside it."""
        gap = self.difference
        return {
            "metric": self.headline,
            **_json(self.random),
            "grouped": _json(self.grouped),
            "difference": {"value": gap.value, "interval": [gap.low, gap.high]},
            "meaning": self.meaning,
        }

    def lines(self) -> list[str]:
        return [
            f"by group  {self.headline} {self.grouped}: nothing was learned from a group that is judged",
            f"random    {self.headline} {self.random}: judged on groups that were learned from",
            f"          {self.meaning}",
        ]


def difference(one: Metric, other: Metric) -> Metric:
    """`one` less `other`, measured apart, with its 95 % interval from theirs (MOVER; Newcombe 1998, method 10).

    >>> gap = difference(Metric(0.9, 0.8, 0.96, 100), Metric(0.7, 0.6, 0.79, 100))
    >>> round(gap.value, 3), round(gap.low, 3), round(gap.high, 3)
    (0.2, 0.065, 0.317)
    """
    value = one.value - other.value
    low = value - hypot(one.value - one.low, other.high - other.value)
    high = value + hypot(one.high - one.value, other.value - other.low)
    return Metric(value, low, high, min(one.n, other.n))


def _json(metric: Metric | None) -> dict[str, Json]:
    if metric is None:
        return {"value": None, "interval": None, "n": 0}
    told = asdict(metric)
    return {"value": told["value"], "interval": [told["low"], told["high"]], "n": told["n"]}


def _read(told: dict[str, Json]) -> Metric | None:
    if told["interval"] is None:
        return None
    low, high = told["interval"]
    return Metric(told["value"], low, high, told["n"])
