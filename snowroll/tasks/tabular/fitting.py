"""scikit-learn's estimators, fitted to all rows at once and turned into the tensors of a module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Plan
from snowroll.tasks.tabular.model import Cells, Grown, Linear, Trees, inner
from snowroll.tasks.tabular.options import RowOptions, TabularOptions

ENOUGH = 100  # validation rows, to choose a number of trees by
_CHUNK = 8_192  # rows whose words are looked up together


def fit(model: nn.Module, train: Batch, val: Batch, plan: Plan) -> None:
    """In place. The number of boosted trees is the one that loses least on the validation rows. Raises DataError."""
    options: TabularOptions = plan.task
    model = inner(model)
    truth = train.targets.cpu().numpy()
    if len(np.unique(truth)) < 2:
        raise DataError("the rows to learn from are all of one class", cure="add rows of another class")
    if isinstance(model, Linear):
        _fit_logistic(model, train.inputs, truth, options)
    elif isinstance(model, Trees) and options.model == "tree":
        _fit_tree(model, train.inputs, truth, options, plan.seed)
    else:
        assert isinstance(model, Trees)
        _fit_boosted(model, train.inputs, truth, val, options, plan.seed)


def rows_of(model: Linear | Trees, cells: Cells) -> np.ndarray:
    """[n, F] float32, as the model sees them."""
    make = model.rows if isinstance(model, Linear) else model.features.with_gaps
    with torch.no_grad():
        parts = [make(Cells(*some)).cpu().numpy() for some in zip(*(part.split(_CHUNK) for part in cells), strict=True)]
    return np.concatenate(parts) if parts else np.zeros((0, len(model.names)), np.float32)


@torch.no_grad()
def _fit_logistic(model: Linear, cells: Cells, truth: np.ndarray, options: TabularOptions) -> None:
    """Softmax regression by L-BFGS, L2 penalty `shrink` on the coefficients of standardised numbers."""
    from sklearn.linear_model import LogisticRegression

    model.scaled.measure(cells)
    rows = rows_of(model, cells).astype(np.float64)
    estimator = LogisticRegression(C=1 / max(options.shrink, 1e-9), max_iter=2_000, tol=1e-6).fit(rows, truth)
    weight, bias = estimator.coef_, estimator.intercept_
    model.answer.weight.zero_()
    model.answer.bias.fill_(-30.0)  # of a class that no row is of
    for place, number in enumerate(estimator.classes_):
        if len(weight) == 1:  # two classes: one row, for the second
            model.answer.weight[number] = torch.from_numpy(weight[0] * place)
            model.answer.bias[number] = float(bias[0] * place)
        else:
            model.answer.weight[number] = torch.from_numpy(weight[place])
            model.answer.bias[number] = float(bias[place])


def _fit_tree(model: Trees, cells: Cells, truth: np.ndarray, options: TabularOptions, seed: int) -> None:
    """CART (Breiman et al. 1984); what a leaf says is the share of its rows in each class."""
    from sklearn.tree import DecisionTreeClassifier

    estimator: Any = DecisionTreeClassifier(
        max_depth=options.depth,
        max_leaf_nodes=options.leaves,
        min_samples_leaf=options.smallest_leaf,
        random_state=seed,
        monotonic_cst=directions(model, options),
    ).fit(rows_of(model, cells), truth)
    tree = estimator.tree_
    share = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True)
    # a leaf of one class only is not sure: as if half a row of each class stood beside its own (Krichevsky-Trofimov)
    n = tree.n_node_samples[:, None].astype(np.float64)
    value = np.log((share * n + 0.5) / (n + 0.5 * share.shape[1]))
    grown = tree_of(tree, value)
    model.base.fill_(-30.0)
    with torch.no_grad():
        model.base[torch.from_numpy(estimator.classes_)] = 0.0
    model.plant(0, grown, estimator.classes_.tolist())


def _fit_boosted(model: Trees, cells: Cells, truth: np.ndarray, val: Batch, options: TabularOptions, seed: int) -> None:
    """Gradient boosting over histograms (Friedman 2001; Ke et al. 2017)."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = rows_of(model, cells).astype(np.float64)
    estimator: Any = HistGradientBoostingClassifier(
        learning_rate=options.rate,
        max_iter=options.trees,
        max_leaf_nodes=options.leaves,
        max_depth=options.depth,
        min_samples_leaf=options.smallest_leaf,
        l2_regularization=options.shrink,
        early_stopping=False,  # type: ignore[arg-type]  # sklearn's own default is written as a string
        random_state=seed,
        monotonic_cst=directions(model, options),
    ).fit(rows, truth)
    kept = options.trees
    if len(val.ids) >= ENOUGH:
        kept = _best_count(estimator, rows_of(model, val.inputs).astype(np.float64), val.targets.cpu().numpy())
    classes = estimator.classes_.tolist()
    model.base.fill_(-30.0)
    base = np.asarray(estimator._baseline_prediction).reshape(-1)
    is_two = len(classes) == 2
    for place, number in enumerate(classes):
        model.base[number] = float(base[place] if not is_two else base[0] * place)
    for turn, trees in enumerate(estimator._predictors[:kept]):
        for place, tree in enumerate(trees):
            model.plant(turn * len(trees) + place, grown_of(tree.nodes), [classes[1 if is_two else place]])


def tree_of(tree: Any, value: np.ndarray) -> Grown:
    """One of scikit-learn's trees, saying `value` [nodes, outputs]."""
    return Grown(tree.feature, tree.threshold, tree.children_left, tree.children_right, tree.missing_go_to_left, value)


def grown_of(nodes: Any) -> Grown:
    """One of its boosted trees."""
    leaf = nodes["is_leaf"].astype(bool)
    left, right = (np.where(leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    value = nodes["value"][:, None].astype(np.float64)
    return Grown(nodes["feature_idx"], nodes["num_threshold"], left, right, nodes["missing_go_to_left"], value)


def _best_count(estimator: Any, rows: np.ndarray, truth: np.ndarray) -> int:
    """After how many rounds the validation rows lose least."""
    place = np.searchsorted(estimator.classes_, truth)
    known = (place < len(estimator.classes_)) & (
        estimator.classes_[np.minimum(place, len(estimator.classes_) - 1)] == truth
    )

    def losses() -> Iterator[float]:
        for shares in estimator.staged_predict_proba(rows[known]):
            own = shares[np.arange(len(shares)), place[known]]
            yield float(-np.log(np.maximum(own, 1e-12)).mean())

    return int(np.argmin(list(losses()))) + 1


def directions(model: Linear | Trees, options: RowOptions) -> list[int] | None:
    """For each feature -1, 0 or 1, as scikit-learn takes it; None where nothing is asked."""
    asked = options.directions
    return [asked.get(name, 0) for name in model.names] if asked else None
