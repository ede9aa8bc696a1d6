"""Whether "90 % sure" is right nine times in ten: one temperature fitted on validation, and the reliability bins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from snowroll.base.errors import DataError
from snowroll.evaluate.interval import Groups, mean_with_interval
from snowroll.evaluate.metrics import bin_of, ece

_COLDEST, _HOTTEST = 0.05, 20.0  # beyond these the fit says that the validation set cannot decide, not a temperature


@dataclass(frozen=True, slots=True)
class Temperature:
    """Divide the logits by `value`: above 1 the model was too sure, below 1 not sure enough."""

    value: float
    n: int
    nll_before: float  # on the samples it was fitted on, in nats
    nll_after: float
    ece_before: float
    ece_after: float
    decided: bool  # False: every answer right, or no signal at all; no temperature is best, so 1 was kept


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with a confidence in (low, high]: what they claimed and how many were right, with a 95 % interval."""

    low: float
    high: float
    n: int
    confidence: float
    right: float
    right_low: float
    right_high: float


def fit_temperature(logits: np.ndarray, truth: np.ndarray) -> Temperature:
    """The temperature with the least negative log likelihood on a validation set (Guo et al. 2017, section 4.2).

    logits: [n, C] unscaled (log probabilities serve as well); truth: [n] class numbers. The loss is convex in
    b = 1 / T, with slope mean(E_p[z] - z_truth), so halving the interval of b finds its only zero.
    """
    if not len(truth):
        raise DataError("no temperature can be fitted: the validation set holds no labelled sample")
    logits = np.asarray(logits, dtype=float)
    own = logits[np.arange(len(truth)), truth]

    def slope(b: float) -> float:
        return float(np.mean((np.exp(log_softmax(b * logits, axis=1)) * logits).sum(1) - own))

    low, high = 1 / _HOTTEST, 1 / _COLDEST
    decided = slope(low) < 0 < slope(high)
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if slope(middle) > 0 else (middle, high)
    value = 1 / math.sqrt(low * high) if decided else 1.0
    before, after = at_temperature(logits, 1.0), at_temperature(logits, value)
    return Temperature(
        value=value,
        n=len(truth),
        nll_before=_nll(logits, truth, 1.0),
        nll_after=_nll(logits, truth, value),
        ece_before=ece(before, truth),
        ece_after=ece(after, truth),
        decided=decided,
    )


def at_temperature(logits: np.ndarray, temperature: float) -> np.ndarray:
    """[n, C] probabilities of logits at a temperature."""
    return np.exp(log_softmax(np.asarray(logits, dtype=float) / temperature, axis=1))


def reliability(confidence: np.ndarray, right: np.ndarray, groups: Groups | None = None, bins: int = 15) -> list[Bin]:
    """The bins that hold any answer. confidence: [n] in [0, 1]; right: [n] credit in [0, 1]; groups: [n] names, where
    samples of one group are alike.
    """
    box = bin_of(confidence, bins)
    found = []
    for number in np.unique(box):
        own = box == number
        share = mean_with_interval(right[own], None if groups is None else np.asarray(groups)[own])
        edges = (float(number) / bins, float(number + 1) / bins)
        told = (share.n, float(np.mean(confidence[own])), share.value, share.low, share.high)
        found.append(Bin(*edges, *told))
    return found


def _nll(logits: np.ndarray, truth: np.ndarray, temperature: float) -> float:
    return -float(np.mean(log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth]))
