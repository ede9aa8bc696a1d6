"""Classification metrics that know how often each sample counts, so that one function serves value and bootstrap.

`truth` and `guess` are class numbers [n]; `probabilities` is [n, C]; `counts` is [n] or None (once each).
Definitions are scikit-learn's (the tests compare): balanced accuracy is over classes that occur in the truth,
macro-F1 over classes that occur in truth or guess.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from snowroll.base.nouns import Metric
from snowroll.evaluate.interval import Groups, mean_with_interval, share_with_interval

_LEAST = 1e-12  # a probability of 0 given to the truth costs 27.6 nats, not infinity


def scorer(probabilities: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray | None], dict[str, float]]:
    """All metrics of one model on one split as a function of the counts, headline first; for `interval.bootstrap`.

    What does not depend on the counts is computed once: 1,000 draws over 50,000 samples take seconds.
    """
    n, classes = probabilities.shape
    guess = probabilities.argmax(1)
    loss = sample_nll(probabilities, truth)
    square = sample_brier(probabilities, truth)
    top5 = in_top(probabilities, truth, 5) if classes > 5 else None
    confidence = probabilities.max(1)
    cell, box = truth * classes + guess, bin_of(confidence)
    right = guess == truth

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(n) if counts is None else counts.astype(float)
        total = weight.sum()
        table = np.bincount(cell, weight, classes * classes).reshape(classes, classes)
        found = {**from_confusion(table), **({"top5": float(top5 @ weight / total)} if top5 is not None else {})}
        found["ece"] = ece_of_bins(box, confidence, right, weight)
        found["nll"], found["brier"] = float(loss @ weight / total), float(square @ weight / total)
        return found

    return score


def confusion(truth: np.ndarray, guess: np.ndarray, classes: int, counts: np.ndarray | None = None) -> np.ndarray:
    """[C, C] how often truth (row) was called guess (column).

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    table = np.bincount(truth * classes + guess, counts, classes * classes).reshape(classes, classes)
    return table.astype(np.int64) if counts is None else table


def from_confusion(table: np.ndarray) -> dict[str, float]:
    """Accuracy, balanced accuracy and macro-F1 of a confusion matrix [C, C]."""
    right, asked, said = np.diag(table), table.sum(1), table.sum(0)
    occurs, mentioned = asked > 0, asked + said > 0
    return {
        "accuracy": float(right.sum() / table.sum()),
        "balanced_accuracy": float(np.mean(right[occurs] / asked[occurs])),
        "macro_f1": float(np.mean(2 * right[mentioned] / (asked + said)[mentioned])),
    }


def per_class(table: np.ndarray, names: Sequence[str]) -> list[dict[str, float | int | str | None]]:
    """One row a class: precision, recall, F1 (None where 0/0: nothing was asked or said) and n, from [C, C]."""
    rows: list[dict[str, float | int | str | None]] = []
    for number, name in enumerate(names):
        right, asked, said = (float(x) for x in (table[number, number], table[number].sum(), table[:, number].sum()))
        rows.append(
            {
                "class": name,
                "n": int(asked),
                "precision": right / said if said else None,
                "recall": right / asked if asked else None,
                "f1": 2 * right / (asked + said) if asked + said else None,
            }
        )
    return rows


def class_recall(
    truth: np.ndarray, guess: np.ndarray, names: Sequence[str], groups: Groups | None = None, seed: int = 0
) -> dict[str, Metric]:
    """Share found of each class that occurs, with the interval of its own n."""
    found = {}
    for number, name in enumerate(names):
        rows = np.flatnonzero(truth == number)
        if len(rows):
            own = None if groups is None else [groups[int(row)] for row in rows]
            found[name] = mean_with_interval((guess[rows] == number).astype(float), own, seed=seed)
    return found


def class_intervals(
    truth: np.ndarray, guess: np.ndarray, names: Sequence[str], groups: Groups | None = None, seed: int = 0
) -> dict[str, dict[str, Metric]]:
    """Precision and F1 of each class that is asked for or said, with the interval of the samples that it rests on."""
    found: dict[str, dict[str, Metric]] = {"precision": {}, "f1": {}}
    for number, name in enumerate(names):
        asked, said = truth == number, guess == number
        for key, rests_on in (("precision", said), ("f1", asked | said)):
            rows = np.flatnonzero(rests_on)
            if not len(rows):
                continue
            own = None if groups is None else [groups[int(row)] for row in rows]
            right = (asked & said)[rows].astype(float)
            if key == "precision":
                found[key][name] = mean_with_interval(right, own, seed=seed)
            else:  # F1 is 2 right / (asked + said): a share of two trials where both hold, of one where one does
                trials = asked[rows] + said[rows].astype(float)
                found[key][name] = share_with_interval(2 * right, trials, own, seed=seed)
    return found


def trials_behind_means(truth: np.ndarray) -> dict[str, float]:
    """How many samples a mean over classes is worth, for `interval.bootstrap`: C^2 / sum(1 / n_c).

    Its variance is sum(p (1 - p) / n_c) / C^2, so five samples of a rare class weigh as much as a thousand others.
    """
    sizes = np.bincount(truth)
    sizes = sizes[sizes > 0]
    worth = float(len(sizes) ** 2 / np.sum(1 / sizes))
    return {"balanced_accuracy": worth, "macro_f1": worth}


def in_top(probabilities: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """[n] 1.0 where the truth is among the k most probable; ties count against the model."""
    own = probabilities[np.arange(len(truth)), truth][:, None]
    return ((probabilities >= own).sum(1) <= k).astype(float)


def sample_nll(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """[n] negative log likelihood of the truth, in nats."""
    return -np.log(np.maximum(probabilities[np.arange(len(truth)), truth], _LEAST))


def sample_brier(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """[n] Brier score halved, in [0, 1]: sum over classes of (p - [truth])^2 / 2 (Brier 1950 without the half)."""
    own = probabilities[np.arange(len(truth)), truth]
    return ((probabilities**2).sum(1) - 2 * own + 1) / 2


def bin_of(confidence: np.ndarray, bins: int = 15) -> np.ndarray:
    """[n] which of `bins` equal steps over [0, 1] a confidence falls into; the upper edge belongs to the bin."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def ece_of_bins(box: np.ndarray, confidence: np.ndarray, right: np.ndarray, weight: np.ndarray) -> float:
    """Expected calibration error (Guo et al. 2017, eq. 3): mean over samples of |accuracy - confidence| by bin.

    The mean differences need no division by bin: |sum of right - sum of confidence| / n, summed over bins.
    """
    gaps = np.bincount(box, weight * (right - confidence))
    return float(np.abs(gaps).sum() / weight.sum())


def ece(probabilities: np.ndarray, truth: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error in [0, 1] of the most probable class; 15 bins as in Guo et al. (2017)."""
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == truth
    return ece_of_bins(bin_of(confidence, bins), confidence, right, np.ones(len(truth)))


LABELS: Mapping[str, str] = {
    "ece": "calibration error (ECE)",
    "nll": "log loss (NLL)",
    "brier": "Brier score",
    "top5": "top 5",
    "macro_f1": "macro F1",
    "r2": "R²",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "median_ae": "median absolute error",
    "coverage": "truths within their interval",
    "width": "median width of the intervals",
}

IN_WORDS: Mapping[str, str] = {
    "accuracy": "share of answers that are right",
    "balanced_accuracy": "mean over classes of the share found, so that rare classes count as much as common ones",
    "macro_f1": "mean over classes of F1 (precision and recall in one)",
    "top5": "share where the truth is among the five most probable",
    "ece": "how far stated confidence is from the share that is right; lower is better",
    "nll": "negative log likelihood of the truth, in nats; lower is better",
    "brier": "half the squared distance between stated probabilities and the truth; lower is better",
}
