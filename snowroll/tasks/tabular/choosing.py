"""Which kind of model a small table asks for: trees and a linear one, asked about rows that they did not learn from.

Trees need rows to find by cuts what a line says at once; from some thousands on they are rarely the worse choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snowroll.base.nouns import Choice, Json

FEWEST, MOST = 30, 2_000  # rows to learn from between which it is worth asking; guesses
CLASSES = 10  # of more, trees take long
FOLDS, TREES = 5, 100
LEVELS = 20  # commonest words of a column that are told apart
LEAST = 1e-3  # probability of a class that a fold did not know

Asked = dict[str, float]  # "trees", "line" -> share of the loss of one answer to all that the model saves


def classes_asked(columns: Mapping[str, Any], schema: Mapping[str, Json], targets: Sequence[Json]) -> Asked:
    """{"trees", "line"}: by log-loss, of gradient boosting and of logistic regression; {} where nothing is asked."""
    names, codes = np.unique(np.array([str(target) for target in targets]), return_inverse=True)
    if not FEWEST <= len(codes) <= MOST or not 2 <= len(names) <= CLASSES:
        return {}
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression

    trees: Any = HistGradientBoostingClassifier(max_iter=TREES, early_stopping=False)  # type: ignore[arg-type]
    line = LogisticRegression(max_iter=1_000)
    share = np.bincount(codes) / len(codes)

    def lost(model: Any, rows: np.ndarray, learnt: np.ndarray, asked: np.ndarray) -> np.ndarray:
        told = np.full((asked.sum(), len(names)), LEAST)
        known = np.unique(codes[learnt])
        told[:, known] = model.fit(rows[learnt], codes[learnt]).predict_proba(rows[asked]) if len(known) > 1 else 1.0
        told = np.maximum(told, LEAST) / np.maximum(told, LEAST).sum(axis=1, keepdims=True)
        return -np.log(told[np.arange(len(told)), codes[asked]])

    return _compared(columns, schema, {"trees": trees, "line": line}, lost, float(-(share * np.log(share)).sum()))


def numbers_asked(columns: Mapping[str, Any], schema: Mapping[str, Json], targets: Sequence[Json]) -> Asked:
    """Likewise by squared error, of gradient boosting and of ridge regression."""
    truth = np.array(targets, np.float64)
    if not FEWEST <= len(truth) <= MOST or not truth.std() > 0:
        return {}
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge

    trees: Any = HistGradientBoostingRegressor(max_iter=TREES, early_stopping=False)  # type: ignore[arg-type]

    def lost(model: Any, rows: np.ndarray, learnt: np.ndarray, asked: np.ndarray) -> np.ndarray:
        return (truth[asked] - model.fit(rows[learnt], truth[learnt]).predict(rows[asked])) ** 2

    return _compared(columns, schema, {"trees": trees, "line": Ridge()}, lost, float(truth.var()))


def chosen(asked: Asked, line: str, n: int) -> Choice | None:
    """The model that the answers speak for; None: nothing was asked. line: what the linear one is called."""
    if not asked:
        return None
    told = (
        f"asked about rows that they did not learn from ({n:,} in {FOLDS} parts), {line} saves {asked['line']:.0%} of "
        f"the loss of one answer to all, boosted trees {asked['trees']:.0%}"
    )
    return Choice("task.model", line if asked["line"] > asked["trees"] else "boosted", told)


def _compared(
    columns: Mapping[str, Any], schema: Mapping[str, Json], models: Mapping[str, Any], lost: Any, blind: float
) -> Asked:
    rows = _rows(columns, schema)
    if not rows.shape[1]:
        return {}
    part = np.random.default_rng(0).permutation(len(rows)) % FOLDS
    found = {}
    for name, model in models.items():
        given = rows if name == "trees" else _even(rows)
        losses = [lost(model, given, part != one, part == one) for one in range(FOLDS)]
        found[name] = round(1 - float(np.concatenate(losses).mean()) / max(blind, 1e-12), 4)
    return found


def _rows(columns: Mapping[str, Any], schema: Mapping[str, Json]) -> np.ndarray:
    """float64 [n, F]: numbers, NaN where nothing is said, and a column for each of the commonest words."""
    made = []
    for column in schema.get("columns", ()):
        values = columns.get(column["name"])
        if values is None:
            continue
        values = np.asarray(values, np.float64)
        if column["kind"] in ("number", "date"):
            made.append(values)
        elif column["kind"] in ("category", "flag"):
            words, counts = np.unique(values[~np.isnan(values)], return_counts=True)
            made += [(values == word).astype(np.float64) for word in words[np.argsort(-counts)][:LEVELS]]
    return np.stack(made, axis=1) if made else np.zeros((0, 0))


def _even(rows: np.ndarray) -> np.ndarray:
    """Mean 0 and deviation 1, gaps at the mean: as the linear models have them."""
    known = ~np.isnan(rows)
    n = known.sum(axis=0).clip(min=1)
    mean = np.where(known, rows, 0).sum(axis=0) / n
    apart = np.where(known, rows - mean, 0.0)
    spread = np.sqrt((apart**2).sum(axis=0) / n)
    return apart / np.where(spread > 0, spread, 1.0)
