"""Intervals hold what they say (coverage by simulation), and are never a point."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowroll.base.errors import DataError
from snowroll.evaluate.interval import (
    bootstrap,
    interval_in_words,
    mean_with_interval,
    number_groups,
    share_with_interval,
    wilson,
)


def _mean_of(credit):
    def score(counts=None):
        return {"accuracy": float(np.average(credit, weights=counts))}

    return score


def _grouped_credit(rng, groups: int, size: int, share: float, likeness: float) -> np.ndarray:
    """Right-or-wrong answers whose groups differ: Beta(share) by group, `likeness` the correlation within."""
    spread = 1 / likeness - 1
    own = rng.beta(share * spread, (1 - share) * spread, groups)
    return (rng.random((groups, size)) < own[:, None]).astype(float).ravel()


@pytest.mark.parametrize(("groups", "size", "share"), [(20, 10, 0.8), (50, 10, 0.9), (200, 5, 0.97)])
def test_the_interval_covers_the_truth_with_grouped_data(groups, size, share):
    rng = np.random.default_rng(0)
    names = np.repeat(np.arange(groups), size).tolist()
    tries, by_group, by_sample = 400, 0, 0
    for seed in range(tries):
        credit = _grouped_credit(rng, groups, size, share, likeness=0.3)
        one = mean_with_interval(credit, names, draws=200, seed=seed)
        by_group += one.low <= share <= one.high
        two = mean_with_interval(credit, None, draws=200, seed=seed)
        by_sample += two.low <= share <= two.high
    assert by_group / tries > 0.91
    assert by_sample < by_group - 0.05 * tries  # ignoring the groups is what the interval must not do


@pytest.mark.parametrize("groups", [2, 3, 5, 7, 8])
def test_few_groups_promise_no_more_than_they_can(groups):
    """Percentiles of so few would cover 0.55 of the time (2), 0.78 (3), 0.90 (5)."""
    rng = np.random.default_rng(2)
    names = np.repeat(np.arange(groups), 30).tolist()
    tries = 300
    found = [
        mean_with_interval(_grouped_credit(rng, groups, 30, 0.7, 0.1), names, draws=300, seed=seed)
        for seed in range(tries)
    ]
    assert sum(one.low <= 0.7 <= one.high for one in found) / tries > 0.91
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in found)
    assert "wide" in interval_in_words(3, 90)


def test_the_two_ways_to_the_same_interval_agree():
    rng = np.random.default_rng(1)
    credit = _grouped_credit(rng, 30, 8, 0.7, 0.2)
    names = np.repeat(np.arange(30), 8).tolist()
    slow = bootstrap(_mean_of(credit), len(credit), names, draws=4000)["accuracy"]
    fast = mean_with_interval(credit, names, draws=4000)
    assert slow.value == pytest.approx(fast.value)
    assert (slow.low, slow.high) == pytest.approx((fast.low, fast.high), abs=0.01)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("groups", [None, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]])
def test_all_right_or_all_wrong_is_not_a_point(value, groups):
    for found in (
        bootstrap(_mean_of(np.full(10, value)), 10, groups)["accuracy"],
        mean_with_interval(np.full(10, value), groups),
    ):
        trials = 10 if groups is None else 5
        assert (found.low, found.high) == pytest.approx(wilson(value, trials))
        assert found.high - found.low > 0.2


def test_one_group_claims_nothing():
    found = mean_with_interval(np.array([1.0, 0.0, 1.0]), ["a", "a", "a"])
    assert (found.low, found.high) == (0.0, 1.0)
    assert "one group" in interval_in_words(1, 3)


def test_one_group_leaves_no_point_of_what_is_no_share():
    errors = np.random.default_rng(0).normal(2, 1, 30)

    def score(counts):
        return {"mae": float(np.average(errors, weights=counts))}

    one = bootstrap(score, 30, ["same speaker"] * 30, ranges={"mae": (0, math.inf)})["mae"]
    alone = bootstrap(score, 30, ranges={"mae": (0, math.inf)})["mae"]
    assert one.low < alone.low < one.value < alone.high < one.high
    assert errors.min() < one.low < one.high < errors.max()  # as far as draws reach, and no further


@pytest.mark.parametrize("groups", [1, 2, 5])
def test_an_interval_stays_within_what_its_metric_can_be(groups):
    kappas = np.linspace(-1, 1, 20)

    def score(counts):
        kappa = float(np.average(kappas, weights=counts))
        return {"kappa": kappa, "nll": 1 - abs(kappa), "letters_right": kappa}

    ranges = {"kappa": (-1, 1), "nll": (0, math.inf), "letters_right": (-math.inf, 1)}
    names = [row * groups // 20 for row in range(20)]
    found = bootstrap(score, 20, names, ranges=ranges)
    for name, (least, most) in ranges.items():
        assert least <= found[name].low <= found[name].value <= found[name].high <= most
    if groups < 3:
        assert (found["kappa"].low, found["kappa"].high) == (-1, 1)


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("groups", [1, 2, 9])
def test_an_error_rate_that_no_draw_moves_is_no_point(value, groups):
    names = [row % groups for row in range(18)]
    ranges = {"letters_right": (-math.inf, 1)}
    found = bootstrap(lambda counts: {"letters_right": value}, 18, names, ranges=ranges)["letters_right"]
    assert (found.low, found.high) == ((0, 1) if groups == 1 else wilson(value, groups))


def test_a_loss_may_exceed_one_and_an_absent_metric_stays_out():
    loss = np.array([0.5, 3.0, 1.0, 2.0])

    def score(counts=None):
        found = {"nll": float(np.average(loss, weights=counts)), "undefined": float("nan")}
        return found if counts is None or counts[0] else {**found, "nll": float("nan")}

    found = bootstrap(score, 4, draws=200)
    assert set(found) == {"nll"}
    assert found["nll"].high > 1


def test_no_samples_is_refused_in_words():
    with pytest.raises(DataError, match="nothing to measure"):
        bootstrap(_mean_of(np.array([])), 0)
    with pytest.raises(DataError, match="2 groups were given for 3"):
        number_groups(["a", "b"], 3)


def test_same_seed_same_interval():
    credit = np.random.default_rng(2).random(50)
    assert bootstrap(_mean_of(credit), 50, seed=3) == bootstrap(_mean_of(credit), 50, seed=3)
    assert bootstrap(_mean_of(credit), 50, seed=3) != bootstrap(_mean_of(credit), 50, seed=4)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(1, 6))
def test_an_interval_holds_its_value_and_stays_a_share(credit, groups):
    names = [row % groups for row in range(len(credit))]
    found = mean_with_interval(np.array(credit), names, draws=50)
    assert 0 <= found.low <= found.value <= found.high <= 1 + 1e-12


@given(st.integers(0, 40), st.integers(1, 40))
def test_wilson_is_the_score_interval(right, n):
    share = min(right, n) / n
    low, high = wilson(share, n)
    assert 0 <= low <= share <= high <= 1
    for edge in (low, high):  # definition: the edges are the p with |share - p| = z sqrt(p (1 - p) / n)
        if 0 < edge < 1:
            assert abs(share - edge) == pytest.approx(1.959964 * np.sqrt(edge * (1 - edge) / n), rel=1e-4)


def test_a_share_of_sums_lies_within_its_interval_which_is_not_that_of_the_mean_over_samples() -> None:
    part = np.array([1.0] * 9 + [100.0])
    whole = np.array([1.0] * 9 + [1000.0])
    found = share_with_interval(part, whole)
    assert found.value == pytest.approx(109 / 1009)
    assert found.low <= found.value <= found.high
    assert found.low == pytest.approx(0.1, abs=0.01)  # whoever draws the large one sees hardly anything else
    every = share_with_interval(part, part)
    assert (every.value, every.high) == (1.0, 1.0)
    assert every.low < 0.8
    alike = np.random.default_rng(0).random(50)
    assert share_with_interval(alike, np.ones(50)) == mean_with_interval(alike)
