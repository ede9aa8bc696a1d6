"""What any model of numbers must beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.task import Columns

MOST_WORDS = 32  # of a column that the ridge regression tells apart
_AT_MOST = 6.0  # standard deviations


def floor(columns: Columns, values: np.ndarray, rows: Mapping[str, np.ndarray]) -> tuple[float, str]:
    """(R2 on the test rows, whose it is): the better of the training rows' median and a ridge regression."""
    train, test = rows["train"], rows["test"]
    median = r2_of(np.full(len(test), np.median(values[train])), values[test])
    linear = r2_of(ridge(columns, values, train, test), values[test])
    if linear > median:
        return linear, "a ridge regression on the same columns"
    return median, "the median of the rows to learn from"


def r2_of(said: np.ndarray, truth: np.ndarray) -> float:
    """Share of the variance that is explained; 0 where there is none."""
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((said - truth) ** 2).sum()) / spread if spread > 0 else 0.0


def ridge(columns: Columns, values: np.ndarray, train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """[n] what a ridge regression with scikit-learn's own penalty says of `rows`."""
    from sklearn.linear_model import Ridge

    number, word = np.asarray(columns["number"], np.float64), np.asarray(columns["word"])
    parts = []
    for one in number.T:
        known = one[train][~np.isnan(one[train])]
        mean, spread = (known.mean(), known.std()) if len(known) else (0.0, 0.0)
        scaled = np.clip((one - mean) / (spread if spread > 0 else 1.0), -_AT_MOST, _AT_MOST)
        parts += [np.nan_to_num(scaled, nan=0.0), np.isnan(one).astype(float)]
    for one in word.T:
        found, counts = np.unique(one[train], return_counts=True)
        parts += [(one == level).astype(float) for level in found[np.argsort(-counts, kind="stable")[:MOST_WORDS]]]
    table = np.stack(parts, axis=1)
    return Ridge().fit(table[train], values[train]).predict(table[rows])
