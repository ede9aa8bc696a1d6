"""A shallow tree that answers as another model does, and how often: what that model does, about, in a few questions
(Craven & Shavlik 1996; Molnar, Interpretable Machine Learning, "Global surrogate")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from snowroll.evaluate.background import Evidence, Passage
from snowroll.evaluate.interval import mean_with_interval
from snowroll.tasks.tabular.fitting import rows_of, tree_of
from snowroll.tasks.tabular.model import Cells, Trees
from snowroll.tasks.tabular.telling import as_rules

DEPTH = 4  # questions on the way to an answer: as many as people keep in mind. A guess
MOST_ROWS = 10_000  # that it is grown and judged on
FEWEST = 60  # judged rows, below which half of them tell too little of how faithful it is


def classes_imitated(evidence: Evidence, words: Callable[[torch.Tensor], str]) -> Passage | None:
    """Of a model of classes. words: what a leaf says, from logits [C]. None of few rows, or of one answer to all."""
    from sklearn.tree import DecisionTreeClassifier

    classes = list(evidence.schema["classes"])
    places = _places(evidence)
    said = np.array([classes.index(evidence.predictions[place].value) for place in places])
    grown, checked = said[: len(said) // 2], said[len(said) // 2 :]
    if len(said) < FEWEST or len(set(grown.tolist())) < 2:
        return None
    model, rows = _asked(evidence, places, len(classes))
    estimator: Any = DecisionTreeClassifier(max_depth=DEPTH, min_samples_leaf=_least(len(grown)), random_state=0)
    estimator.fit(rows[: len(grown)], grown)
    share = estimator.tree_.value[:, 0, :] / estimator.tree_.value[:, 0, :].sum(axis=1, keepdims=True)
    model.base.fill_(-30.0)
    model.base[torch.from_numpy(estimator.classes_)] = 0.0
    model.plant(0, tree_of(estimator.tree_, np.log(share + 1e-9)), estimator.classes_.tolist())
    alike = mean_with_interval((estimator.predict(rows[len(grown) :]) == checked).astype(float))
    usual = float((checked == np.bincount(grown).argmax()).mean())
    faithful = f"{alike.value:.1%} [{alike.low:.1%}, {alike.high:.1%}]"
    told = f"the same answer in {faithful}, where its commonest alone is in {usual:.1%}"
    return _passage(told, len(grown), len(checked), f"shares of its answers ({', '.join(classes)})", model, words)


def numbers_imitated(evidence: Evidence) -> Passage | None:
    """Of a model of numbers. None of few rows, or of one answer to all."""
    from sklearn.tree import DecisionTreeRegressor

    places = _places(evidence)
    said = np.array([evidence.predictions[place].value for place in places], float)
    grown, checked = said[: len(said) // 2], said[len(said) // 2 :]
    if len(said) < FEWEST or not grown.std() > 0 or not checked.std() > 0:
        return None
    model, rows = _asked(evidence, places, 1)
    estimator: Any = DecisionTreeRegressor(max_depth=DEPTH, min_samples_leaf=_least(len(grown)), random_state=0)
    estimator.fit(rows[: len(grown)], grown)
    model.plant(0, tree_of(estimator.tree_, estimator.tree_.value[:, 0, :]), [0])
    left = checked - estimator.predict(rows[len(grown) :])
    told = f"{1 - float((left**2).mean() / checked.var()):.1%} of the variance of its answers is the tree's"
    means = "the mean of its answers"
    return _passage(told, len(grown), len(checked), means, model, lambda mean: f"{float(mean[0]):.6g}")


def _places(evidence: Evidence) -> list[int]:
    """The judged rows in an order that nothing else hangs on."""
    return np.random.default_rng(0).permutation(len(evidence.targets))[:MOST_ROWS].tolist()


def _asked(evidence: Evidence, places: list[int], outputs: int) -> tuple[Trees, np.ndarray]:
    """(a tree still to be planted, the rows as it sees them)."""
    options = replace(evidence.options, depth=DEPTH, leaves=2**DEPTH)
    model = Trees(options, evidence.schema, 1, outputs)
    cells: Cells = evidence.gather(places).inputs
    return model, rows_of(model, cells)


def _least(n: int) -> int:
    return max(5, n // 100)


def _passage(
    told: str, grown: int, checked: int, leaves: str, model: Trees, words: Callable[[torch.Tensor], str]
) -> Passage:
    text = (
        f"A tree of {DEPTH} questions at most that imitates the model, grown on its answers to {grown:,} judged rows. "
        f"On {checked:,} others: {told}. It is not the model: trust it as far as that. At each end {leaves}."
    )
    return Passage("The model as a small tree", text, text=as_rules(model, words))
