"""How far a classifier and the truth agree beyond chance, class by class. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from snowroll.evaluate.metrics import scorer as class_scorer

MOST_CLASSES = 8  # whose scores are told one by one


def kappa(table: np.ndarray) -> float:
    """Cohen's kappa (1960) of a confusion matrix [C, C], truth by rows: 1 is perfect, 0 is chance.

    >>> round(kappa(np.array([[20, 5], [10, 15]])), 2)
    0.4
    """
    n = table.sum()
    by_chance = float(table.sum(0) @ table.sum(1)) / n**2
    return 1.0 if by_chance >= 1 else float((np.trace(table) / n - by_chance) / (1 - by_chance))


def j_kappa(table: np.ndarray, names: Sequence[str]) -> float | None:
    """The index of Mar et al. (2011), "Optimization of ECG classification by means of feature selection", eq. 6-7:
    kappa / 2 + j / 8, where j sums sensitivity and positive predictivity of S and V. None where one of them is not
    known."""
    if not {"S", "V"} <= set(names):
        return None
    shares = []
    for name in ("S", "V"):
        place = list(names).index(name)
        asked, said = table[place].sum(), table[:, place].sum()
        if not asked:
            return None
        shares += [table[place, place] / asked, table[place, place] / said if said else 0.0]
    return kappa(table) / 2 + float(sum(shares)) / 8


def scorer(
    probabilities: np.ndarray, truth: np.ndarray, said: np.ndarray, names: Sequence[str]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """Metrics as a function of how often each sample counts, headline first: macro-F1 over the classes that occur.

    probabilities [n, C]; truth, said: [n] class numbers. Of few classes sensitivity, positive predictivity and F1 of
    each, left out where nothing of it was asked or said.
    """
    classes = len(names)
    plain = class_scorer(probabilities, truth)
    cell = truth * classes + said

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(len(truth)) if counts is None else counts.astype(float)
        table = np.bincount(cell, weight, classes * classes).reshape(classes, classes)
        right, asked, told = np.diag(table), table.sum(1), table.sum(0)
        f1 = 2 * right / np.maximum(asked + told, 1e-12)
        found = {"macro_f1": float(f1[asked > 0].mean()), "kappa": kappa(table)}
        if (index := j_kappa(table, names)) is not None:
            found["j_kappa"] = index
        for place, name in enumerate(names if classes <= MOST_CLASSES else ()):
            if asked[place]:
                found[f"f1 {name}"] = float(f1[place])
                found[f"sensitivity {name}"] = float(right[place] / asked[place])
            if told[place]:
                found[f"+P {name}"] = float(right[place] / told[place])
        found["accuracy"] = float(right.sum() / table.sum())
        rest = plain(counts)
        return found | {name: rest[name] for name in ("balanced_accuracy", "ece", "nll", "brier")}

    return score
