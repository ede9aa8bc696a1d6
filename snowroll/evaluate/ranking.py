"""How well scores set cases apart from others, whatever the threshold; each sample counts as often as is said."""

from __future__ import annotations

import numpy as np

Points = list[tuple[float, float]]


def auroc(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Weighted area under the ROC curve, ties counting half (Hanley & McNeil 1982). 0.5 where one side is empty.

    scores, weight: [n]; truth: [n] bool.

    >>> auroc(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, False, True, True]), np.ones(4))
    0.875
    """
    return area(*_levels(scores, truth, weight))


def area(cases: np.ndarray, others: np.ndarray) -> float:
    """Of two histograms over rising scores."""
    pairs = cases.sum() * others.sum()
    below = np.cumsum(others) - others
    return float((cases * (below + 0.5 * others)).sum() / pairs) if pairs else 0.5


def average_precision(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> float:
    """Sum over thresholds of the precision times the recall gained there. 1 where there is no case.

    >>> average_precision(np.array([0.1, 0.2, 0.3]), np.array([True, False, True]), np.ones(3)).__round__(3)
    0.833
    """
    cases, others = (part[::-1] for part in _levels(scores, truth, weight))
    if not cases.sum():
        return 1.0
    found, told = np.cumsum(cases), np.cumsum(cases + others)
    return float((cases / cases.sum() * found / np.maximum(told, 1e-12)).sum())


def curves(scores: np.ndarray, truth: np.ndarray) -> tuple[Points, Points]:
    """(ROC: recall over the share of others told; PR: precision over recall), from the highest threshold down."""
    cases, others = (part[::-1] for part in _levels(scores, truth, np.ones(len(truth))))
    found, alarms = (np.cumsum(part) / max(1.0, part.sum()) for part in (cases, others))
    precision = np.cumsum(cases) / np.maximum(np.cumsum(cases + others), 1e-12)
    roc = [(0.0, 0.0), *zip(alarms.tolist(), found.tolist(), strict=True)]
    return roc, list(zip(found.tolist(), precision.tolist(), strict=True))


def _levels(scores: np.ndarray, truth: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of cases and of others at each score, rising."""
    _, place = np.unique(scores, return_inverse=True)
    n = int(place.max(initial=-1)) + 1
    return np.bincount(place[truth], weight[truth], n), np.bincount(place[~truth], weight[~truth], n)
