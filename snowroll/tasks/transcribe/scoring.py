"""How many letters and words of transcripts are wrong. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.evaluate.edits import edits, plain

METRICS = {
    "letters_right": "1 - CER: letters changed, left out and added, per letter that was said; below 0: more",
    "words_right": "1 - WER: the same of whole words",
    "exact": "recordings whose every letter is right",
    "letters_changed": "per letter that was said",
    "letters_left_out": "per letter that was said",
    "letters_added": "per letter that was said",
}
RANGES = {"letters_right": (-inf, 1.0), "words_right": (-inf, 1.0), "letters_added": (0.0, inf)}


def counted(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """float64 [n, 7]: letters meant, changed, left out, added; words meant, wrong; whether all is right."""
    rows = []
    for said, target in zip(predictions, targets, strict=True):
        meant, told = plain(str(target)), plain(str(said.value))
        of_letters = edits(meant, told)
        words = meant.split()
        of_words = edits(words, told.split())
        rows.append([len(meant), *of_letters, len(words), of_words.total, meant == told])
    return np.array(rows, np.float64).reshape(-1, 7)


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """METRICS, of all recordings together: a long one weighs more. (CER and WER as in Morris et al. 2004, eq. 1.)"""
    each = counted(predictions, targets)

    def score(counts: np.ndarray | None) -> dict[str, float]:
        weight = np.ones(len(each)) if counts is None else counts
        letters, changed, lost, added, words, wrong, exact = weight @ each
        letters, words = max(letters, 1.0), max(words, 1.0)
        return {
            "letters_right": float(1 - (changed + lost + added) / letters),
            "words_right": float(1 - wrong / words),
            "exact": float(exact / weight.sum()),
            "letters_changed": float(changed / letters),
            "letters_left_out": float(lost / letters),
            "letters_added": float(added / letters),
        }

    return score


def credit(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n] 1 - CER of each recording, not below 0."""
    each = counted(predictions, targets)
    return np.clip(1 - each[:, 1:4].sum(axis=1) / np.maximum(each[:, 0], 1), 0, 1)
