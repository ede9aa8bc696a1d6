"""What more labels are worth: one plan on shares of the training data, and where that curve leads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.nouns import Json, Metric
from snowroll.evaluate.interval import LEVEL, Groups, mean_with_interval, number_groups

AHEAD = (1.25, 2.0)  # times today's training samples: further than a doubling three points say nothing
DRAWS = 1_000


@dataclass(frozen=True, slots=True)
class Point:
    """A model of the plan that learned from `n` samples, judged on the locked test set."""

    n: int
    metric: Metric


@dataclass(frozen=True, slots=True)
class Gain:
    """What `more` further labels are expected to add to the mean credit, with a 95 % interval."""

    more: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:+.1f} points [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Points by rising n, all judged on the same samples, and the gains that a power law through them promises."""

    credited: str  # what the points are the mean of: the headline, or what a task credits a sample with
    points: tuple[Point, ...]
    exponent: float  # the error falls as n to the power of minus this
    gains: tuple[Gain, ...]

    @property
    def meaning(self) -> str:
        """One sentence: is labelling more worth it?"""
        near, far = self.gains[0], self.gains[-1]
        if far.low > 0:
            return f"{near.more:,} more labels promise {near}, {far.more:,} more {far}"
        if far.high < 0.01:
            return f"more labels of this kind promise little: {far.more:,} of them {far}"
        n = self.points[-1].metric.n
        return f"what more labels are worth cannot be told from {n:,} test samples: {far.more:,} promise {far}"

    def as_json(self) -> dict[str, Json]:
        return {
            "metric": self.credited,
            "points": [
                {"n_train": p.n, "value": p.metric.value, "interval": [p.metric.low, p.metric.high], "n": p.metric.n}
                for p in self.points
            ],
            "exponent": self.exponent,
            "gains": [{"labels": g.more, "value": g.value, "interval": [g.low, g.high]} for g in self.gains],
            "meaning": self.meaning,
        }

    def lines(self) -> list[str]:
        each = [
            f"labels    {self.credited}: {p.metric} of a model that learned from {p.n:,} samples" for p in self.points
        ]
        return [*each, f"          {self.meaning}"]


def learning_curve(
    credited: str, sizes: Sequence[int], credits: Sequence[np.ndarray], groups: Groups | None = None, seed: int = 0
) -> LearningCurve:
    """The curve through models that learned from `sizes` samples, rising, and earned `credits` [n] on the same n.

    The error is taken to fall as a power of n (Hestness et al. 2017, "Deep learning scaling is predictable,
    empirically", eq. 1 without its floor), fitted by least squares to logarithms and led on from the last point. The
    interval redraws the test samples, whole groups at a time and the same for all models; that another seed or other
    training samples would have moved the points is not in it.
    """
    cluster, size = number_groups(groups, len(credits[0]))
    sums = np.stack([np.bincount(cluster, credit, len(size)) for credit in credits])  # [K, G]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(size), (DRAWS, len(size)))
    counts = np.vstack([np.arange(len(size))[None], drawn])  # the first: every group once
    errors = np.stack([1 - sums[:, row].sum(1) / size[row].sum() for row in counts])  # [1 + draws, K]
    errors = errors + 0.5 / len(credits[0])  # so that none is zero; as one half of a sample more
    slopes = _slopes(np.log(np.asarray(sizes, dtype=float)), np.log(errors))
    gains = [_gain(round((factor - 1) * sizes[-1]), factor, errors[:, -1], slopes) for factor in AHEAD]
    points = [Point(n, mean_with_interval(credit, groups)) for n, credit in zip(sizes, credits, strict=True)]
    return LearningCurve(credited, tuple(points), float(-slopes[0]), tuple(gains))


def _slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Least squares slopes of the rows of y [R, K] over x [K]."""
    centred = x - x.mean()
    return (y - y.mean(1, keepdims=True)) @ centred / (centred @ centred)


def _gain(more: int, factor: float, errors: np.ndarray, slopes: np.ndarray) -> Gain:
    gains = errors * (1 - np.exp(slopes * math.log(factor)))
    low, high = np.quantile(gains[1:], [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Gain(more, float(gains[0]), float(min(low, gains[0])), float(max(high, gains[0])))
