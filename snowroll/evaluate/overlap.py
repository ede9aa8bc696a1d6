"""How far maps of classes overlap, pixels or voxels: from tables of what is there and what was said."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def tables(pairs: Iterable[tuple[np.ndarray, np.ndarray]], classes: int, ignored: int) -> np.ndarray:
    """[n, C, C] pixels of each pair (truth, said) of class numbers: rows what they are, columns what was said.

    Where the truth is `ignored` nothing counts; where only the answer is, it is wrong.
    """
    found = [_table(truth, said, classes, ignored) for truth, said in pairs]
    return np.stack(found or [np.zeros((classes, classes))])


def _table(truth: np.ndarray, said: np.ndarray, classes: int, ignored: int) -> np.ndarray:
    known = truth != ignored
    truth, said = truth[known].astype(np.int64), said[known].astype(np.int64)
    said = np.where(said == ignored, (truth + 1) % classes, said)  # nothing said is wrong
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes).astype(float)


def shares(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(IoU, Dice) [..., C] of tables [..., C, C]; NaN where a class is neither there nor said."""
    both = np.diagonal(table, axis1=-2, axis2=-1)
    there, said = table.sum(axis=-1), table.sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return both / (there + said - both), 2 * both / (there + said)


def mean_known(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis without NaN; 1 where nothing is known."""
    known = ~np.isnan(values)
    return np.where(known.any(axis=-1), np.where(known, values, 0).sum(axis=-1) / known.sum(axis=-1).clip(min=1), 1.0)
