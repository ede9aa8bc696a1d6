"""scikit-learn's regressors, fitted to all rows at once and turned into the tensors of a module.

Each is fitted twice: to the numbers, then to the logarithms of the errors it makes on rows that it did not see.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Plan
from snowroll.tasks.tabular.fitting import directions, grown_of, rows_of, tree_of
from snowroll.tasks.tabular.model import Linear, Trees, inner
from snowroll.tasks.tabular.values.model import ERROR, LEAST_ERROR, SAID, of_errors, standard
from snowroll.tasks.tabular.values.options import ValueOptions

PARTS = 3  # that rows are cut into, to know errors on rows that were not learnt from


def fit(model: nn.Module, train: Batch, val: Batch, plan: Plan) -> None:
    """In place; validation rows are left for the intervals. Raises DataError where there is nothing to learn."""
    options: ValueOptions = plan.task
    truth = standard(train.targets, options).double().cpu().numpy()
    if len(np.unique(truth)) < 2:
        raise DataError("the rows to learn from all have the same number", cure="add rows with others")
    model = inner(model)
    if isinstance(model, Linear):
        _fit_ridge(model, train, truth, options)
    elif isinstance(model, Trees) and options.model == "tree":
        _fit_tree(model, train, truth, options, plan.seed)
    else:
        assert isinstance(model, Trees)
        _fit_boosted(model, train, truth, options, plan.seed)


def sizes_of(errors: np.ndarray) -> np.ndarray:
    """[n] logarithms of how large errors are."""
    return np.log(np.maximum(np.abs(errors), LEAST_ERROR))


@torch.no_grad()
def _fit_ridge(model: Linear, train: Batch, truth: np.ndarray, options: ValueOptions) -> None:
    """Least squares with an L2 penalty `shrink` on the coefficients of standardised numbers (Hoerl & Kennard 1970)."""
    from sklearn.linear_model import Ridge

    model.scaled.measure(train.inputs)
    rows = rows_of(model, train.inputs).astype(np.float64)
    first = Ridge(alpha=options.shrink).fit(rows, truth)
    second = Ridge(alpha=options.shrink).fit(rows, sizes_of(truth - first.predict(rows)))
    for place, one in ((SAID, first), (ERROR, second)):
        model.answer.weight[place] = torch.from_numpy(one.coef_)
        model.answer.bias[place] = float(one.intercept_)


@torch.no_grad()
def _fit_tree(model: Trees, train: Batch, truth: np.ndarray, options: ValueOptions, seed: int) -> None:
    """CART (Breiman et al. 1984): a leaf says the mean of its rows, and how far they are from it."""
    from sklearn.tree import DecisionTreeRegressor

    rows = rows_of(model, train.inputs)
    estimator: Any = DecisionTreeRegressor(
        max_depth=options.depth,
        max_leaf_nodes=options.leaves,
        min_samples_leaf=options.smallest_leaf,
        random_state=seed,
        monotonic_cst=directions(model, options),
    ).fit(rows, truth)
    tree, leaf = estimator.tree_, estimator.apply(rows)
    value = np.zeros((tree.node_count, 2))
    value[:, SAID] = tree.value[:, 0, 0]
    n = np.maximum(1, np.bincount(leaf, minlength=tree.node_count))
    value[:, ERROR] = np.bincount(leaf, sizes_of(truth - value[leaf, SAID]), tree.node_count) / n
    model.base.zero_()
    model.plant(0, tree_of(tree, value), [SAID, ERROR])


def _fit_boosted(model: Trees, train: Batch, truth: np.ndarray, options: ValueOptions, seed: int) -> None:
    """Gradient boosting over histograms (Friedman 2001; Ke et al. 2017)."""
    rows = rows_of(model, train.inputs).astype(np.float64)
    estimator = _boosted(model, options, options.trees, seed).fit(rows, truth)
    kept, errors = _unseen_errors(model, rows, truth, options, seed)
    # of errors little can be known: few trees, large leaves, and no direction that the numbers were held to
    doubting = _boosted(model, options, of_errors(options), seed, is_of_errors=True).fit(rows, sizes_of(errors))
    for place, one, count, start in ((SAID, estimator, kept, 0), (ERROR, doubting, of_errors(options), options.trees)):
        model.base[place] = float(np.asarray(one._baseline_prediction).reshape(-1)[0])
        for turn, trees in enumerate(one._predictors[:count]):
            model.plant(start + turn, grown_of(trees[0].nodes), [place])


def _unseen_errors(
    model: Trees, rows: np.ndarray, truth: np.ndarray, options: ValueOptions, seed: int
) -> tuple[int, np.ndarray]:
    """(how many trees err least, [n] the errors of so many), by models of other rows than those they are asked about.

    Validation rows are left for the intervals: chosen by them, trees would look surer on them than they are.
    """
    part = np.random.default_rng(seed).permutation(len(truth)) % PARTS
    errors = np.zeros((options.trees, len(truth)), np.float32)
    for one in range(PARTS):
        asked = part == one
        fitted = _boosted(model, options, options.trees, seed).fit(rows[~asked], truth[~asked])
        for stage, said in enumerate(fitted.staged_predict(rows[asked])):
            errors[stage, asked] = truth[asked] - said
    best = int((errors.astype(np.float64) ** 2).mean(axis=1).argmin())
    return best + 1, errors[best].astype(np.float64)


def _boosted(model: Trees, options: ValueOptions, trees: int, seed: int, is_of_errors: bool = False) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        learning_rate=options.rate,
        max_iter=trees,
        max_leaf_nodes=min(8, options.leaves) if is_of_errors else options.leaves,
        max_depth=options.depth,
        min_samples_leaf=2 * options.smallest_leaf if is_of_errors else options.smallest_leaf,
        l2_regularization=options.shrink,
        early_stopping=False,  # type: ignore[arg-type]  # sklearn's own default is written as a string
        random_state=seed,
        monotonic_cst=None if is_of_errors else directions(model, options),
    )
