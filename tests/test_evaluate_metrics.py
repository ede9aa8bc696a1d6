"""Our metrics are scikit-learn's, with counts as repeated samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from snowroll.evaluate.interval import bootstrap, wilson
from snowroll.evaluate.metrics import (
    class_intervals,
    class_recall,
    confusion,
    ece,
    from_confusion,
    in_top,
    per_class,
    sample_brier,
    sample_nll,
    scorer,
    trials_behind_means,
)


def _answers(seed: int, n: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """None less than 1e-9: what less costs is a convention, and scikit-learn's is another."""
    rng = np.random.default_rng(seed)
    shares = np.maximum(rng.dirichlet(np.full(classes, 0.5), n), 1e-9)
    return shares / shares.sum(axis=1, keepdims=True), rng.integers(0, classes, n)


@given(st.integers(0, 10**6), st.integers(2, 60), st.integers(2, 8))
@settings(max_examples=60)
def test_they_agree_with_scikit_learn(seed, n, classes):
    probabilities, truth = _answers(seed, n, classes)
    guess = probabilities.argmax(1)
    found = scorer(probabilities, truth)()
    occurs = np.unique(truth)
    recall = oracle.recall_score(truth, guess, labels=occurs, average="macro", zero_division=0)
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(truth, guess))
    assert found["balanced_accuracy"] == pytest.approx(recall)
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(truth, guess, average="macro", zero_division=0))
    assert found["nll"] == pytest.approx(oracle.log_loss(truth, probabilities, labels=range(classes)), rel=1e-6)
    own = np.eye(classes)[truth]
    assert found["brier"] == pytest.approx(((probabilities - own) ** 2).sum(1).mean() / 2)
    if classes > 5:
        expected = oracle.top_k_accuracy_score(truth, probabilities, k=5, labels=range(classes))
        assert found["top5"] == pytest.approx(expected)


@given(st.integers(0, 10**6))
@settings(max_examples=30)
def test_counting_a_sample_twice_is_having_it_twice(seed):
    probabilities, truth = _answers(seed, 25, 7)
    counts = np.random.default_rng(seed).multinomial(25, np.full(25, 1 / 25))
    rows = np.repeat(np.arange(25), counts)
    weighted, repeated = scorer(probabilities, truth)(counts), scorer(probabilities[rows], truth[rows])()
    assert weighted == pytest.approx(repeated)


def test_the_rows_of_each_class_agree_with_scikit_learn():
    probabilities, truth = _answers(3, 200, 4)
    guess = probabilities.argmax(1)
    rows = per_class(confusion(truth, guess, 4), ["a", "b", "c", "d"])
    precision, recall, f1, n = oracle.precision_recall_fscore_support(truth, guess)
    for name, expected in (("precision", precision), ("recall", recall), ("f1", f1), ("n", n)):
        assert [row[name] for row in rows] == pytest.approx(expected)
    found = class_recall(truth, guess, ["a", "b", "c", "d"])
    assert [found[name].value for name in "abcd"] == pytest.approx(recall)
    assert [found[name].n for name in "abcd"] == n.tolist()
    likewise = class_intervals(truth, guess, ["a", "b", "c", "d"], np.arange(200) // 4)
    for key, expected in (("precision", precision), ("f1", f1)):
        for name, value in zip("abcd", expected, strict=True):
            assert likewise[key][name].value == pytest.approx(value)
            assert likewise[key][name].low < value < likewise[key][name].high


def test_a_class_that_is_all_right_is_as_sure_as_its_own_n_and_no_surer():
    truth = np.array([0] * 95 + [1] * 5)
    rare = class_recall(truth, truth, ["common", "rare"])["rare"]
    assert (rare.n, rare.low) == (5, pytest.approx(wilson(1.0, 5)[0]))
    probabilities = np.eye(2)[truth]
    found = bootstrap(scorer(probabilities, truth), 100, trials=trials_behind_means(truth), draws=50)
    assert found["accuracy"].low == pytest.approx(wilson(1.0, 100)[0])
    assert found["balanced_accuracy"].low == pytest.approx(wilson(1.0, 19)[0])  # 4 / (1/95 + 1/5)


def test_a_class_that_nobody_asked_or_said_has_no_score_rather_than_zero():
    table = confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 3)
    absent = per_class(table, ["a", "b", "c"])[2]
    assert (absent["precision"], absent["recall"], absent["f1"], absent["n"]) == (None, None, None, 0)
    assert from_confusion(table)["balanced_accuracy"] == pytest.approx(0.75)


def test_ece_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    truth = np.array([0, 1, 1, 1])  # at .9 half are right (gap .4), at .6 all (gap .4)
    assert ece(probabilities, truth) == pytest.approx(0.4)


def test_ties_do_not_flatter_top_k():
    assert in_top(np.full((1, 10), 0.1), np.array([0]), 5).tolist() == [0.0]


def test_certain_and_wrong_is_finite_and_perfect_is_perfect():
    sure = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert np.isfinite(sample_nll(sure, np.array([1, 0]))).all()
    assert sample_brier(sure, np.array([1, 0])).tolist() == [1, 1]
    best = scorer(sure, np.array([0, 1]))()
    assert (best["accuracy"], best["nll"], best["brier"], best["ece"]) == (1, 0, 0, 0)
