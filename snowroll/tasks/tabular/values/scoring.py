"""What numbers said of rows are worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

from snowroll.base.nouns import Json, Prediction

PARTS = 4  # that numbers are cut into where classes are asked for
WORDS: Mapping[str, str] = {
    "r2": "share of the numbers' variance that is explained: 1 is perfect, 0 is the mean of the rows judged on",
    "mae": "mean absolute error, in the target's unit; lower is better",
    "rmse": "root of the mean squared error, in the target's unit: large errors count more; lower is better",
    "median_ae": "half of the errors are smaller, in the target's unit; lower is better",
    "coverage": "share of the rows whose number lies within its interval",
    "width": "median width of the intervals, in the target's unit; lower is better, at the same coverage",
}


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """Metrics as a function of how often each row counts, R2 first; NaN where the rows that count are all alike."""
    said, truth = np.array([p.value for p in predictions], float), np.array(targets, float)
    low, high = np.array([p.interval or (p.value, p.value) for p in predictions], float).reshape(-1, 2).T
    error, held = np.abs(said - truth), (low <= truth) & (truth <= high)
    by_size, by_width = np.argsort(error, kind="stable"), np.argsort(high - low, kind="stable")

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(len(truth)) if counts is None else counts.astype(float)
        total = weight.sum()
        squares = float(weight @ error**2)
        spread = float(weight @ (truth - weight @ truth / total) ** 2)
        return {
            "r2": 1 - squares / spread if spread > 0 else float("nan"),
            "mae": float(weight @ error / total),
            "rmse": float((squares / total) ** 0.5),
            "median_ae": _median(error, by_size, weight),
            "coverage": float(weight @ held / total),
            "width": _median(high - low, by_width, weight),
        }

    return score


def _median(values: np.ndarray, order: np.ndarray, weight: np.ndarray) -> float:
    """Of values that count `weight` times: the mean of the two in the middle."""
    reached = np.cumsum(weight[order])
    half = reached[-1] / 2
    lower, upper = np.searchsorted(reached, half, "left"), np.searchsorted(reached, half, "right")
    return float((values[order[lower]] + values[order[min(upper, len(order) - 1)]]) / 2)


def credit(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n] in [0, 1]: 1 - (error / standard deviation of the targets)^2, and nothing for a larger error.

    Its mean is R2, but that no row can lose more than all: that one wild error decided between two models.
    """
    said, truth = np.array([p.value for p in predictions], float), np.array(targets, float)
    spread = truth.std() if len(truth) else 0.0
    if not spread > 0:
        return (said == truth).astype(float)
    return 1 - np.minimum(1.0, ((said - truth) / spread) ** 2)


def strata(targets: Sequence[Json]) -> list[str]:
    """[n] which of four parts of the numbers, as many rows in each: '12 to 20'."""
    values = np.array(targets, float)
    if not len(values):
        return []
    edges = np.unique(np.quantile(values, np.linspace(0, 1, PARTS + 1)))
    if len(edges) < 2:
        return [f"{values[0]:.6g}"] * len(values)
    place = np.clip(np.searchsorted(edges, values, "right") - 1, 0, len(edges) - 2)
    names = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
    return [names[one] for one in place]
