"""How alike translations are to those of people."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.evaluate.bleu import bleu, bleu_counts, chrf, chrf_counts


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """bleu and chrf, each of all sentences together, in [0, 1]; same: the share that is word for word the same."""
    pairs = [(str(said.value), str(target)) for said, target in zip(predictions, targets, strict=True)]
    words = np.array([bleu_counts(*pair) for pair in pairs]).reshape(len(pairs), -1)
    letters = np.array([chrf_counts(*pair) for pair in pairs]).reshape(len(pairs), -1)
    equal = np.array([one.split() == other.split() for one, other in pairs], np.float64)

    def score(counts: np.ndarray | None) -> dict[str, float]:
        weight = np.ones(len(pairs)) if counts is None else np.asarray(counts)
        return {
            "bleu": bleu(weight @ words),
            "chrf": float(chrf(weight @ letters)),
            "same": float(weight @ equal / max(1e-9, weight.sum())),
        }

    return score


def credit(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n] chrF of each sentence by itself."""
    return np.array([alike(str(said.value), str(truth)) for said, truth in zip(predictions, targets, strict=True)])


def alike(one: str, other: str) -> float:
    """chrF of a sentence; 1 where both are the same."""
    return 1.0 if one == other else float(chrf(chrf_counts(one, other)))
