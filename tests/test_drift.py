"""Drift: few false alarms on clean replays, alarms on real shifts, from 50 samples to 50,000."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from snowroll.base.errors import DataError
from snowroll.evaluate.drift import ALPHA_OF_ALL, drift
from snowroll.evaluate.paired import alpha_of_look


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, LogisticRegression]:
    """Digits that the model has not seen, and the model."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.data))
    x, y = data.data[order] / 16, data.target[order]
    return x[500:], LogisticRegression(max_iter=500).fit(x[:500], y[:500])


def look(digits: tuple[np.ndarray, LogisticRegression], n: int, seed: int, shift: str = "", alpha: float = 0.05):
    x, model = digits
    rng = np.random.default_rng(10_000 + seed)
    rows = rng.permutation(len(x))
    before, now = x[rows[:400]], x[rows[400 : 400 + n]]
    if shift == "noise":
        now = (now + rng.normal(0, 0.3, now.shape)).clip(0, 1)
    if shift == "one pixel aside":
        now = np.roll(now.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64)
    if shift == "dimmer":
        now = now * 0.7
    doubt = (1 - model.predict_proba(before).max(axis=1), 1 - model.predict_proba(now).max(axis=1))
    measures = {"doubt": doubt, "brightness": (before.mean(axis=1), now.mean(axis=1))}
    return drift(before, now, measures=measures, alpha=alpha, seed=seed)


@pytest.mark.slow
def test_false_alarms_on_200_clean_replays_stay_within_alpha(digits) -> None:
    alarms = sum(look(digits, 100, seed).alarm for seed in range(200))
    # 0.05 of 200 is 10; 17 is what chance exceeds once in a hundred times
    assert alarms <= 17


@pytest.mark.parametrize("shift", ["noise", "one pixel aside", "dimmer"])
def test_shifts_of_fifty_samples_raise_the_alarm(digits, shift: str) -> None:
    found = [look(digits, 50, seed, shift, alpha=0.01) for seed in range(10)]
    assert all(one.alarm for one in found)
    assert "drift in 50 samples" in found[0].sentence


def test_the_effect_is_large_for_a_large_shift_and_small_for_none() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 2_000, 8))
    near, far = drift(a, b).tests[0], drift(a, b + np.eye(8)[0] * 2).tests[0]
    assert near.effect < 0.2 < 1 < far.effect
    assert "hardly" in near.words
    assert "far" in far.words


def test_the_strangest_are_those_that_came_from_elsewhere() -> None:
    rng = np.random.default_rng(0)
    now = rng.normal(size=(300, 8))
    now[:60] += 3
    found = drift(rng.normal(size=(500, 8)), now)
    assert found.alarm
    assert np.mean(np.array(found.strangest) < 60) > 0.8


def test_a_measure_that_is_one_number_is_no_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 100, 5))
    still = {"brightness": (np.full(100, 0.5), np.full(100, 0.5))}
    doubt = {"doubt": (a[:, 0], b[:, 0] + 0.5)}
    assert drift(a, b, measures=still | doubt).tests == drift(a, b, measures=doubt).tests
    moved = {"brightness": (np.full(100, 0.5), np.full(100, 0.4))}
    assert "brightness" in {test.name for test in drift(a, b, measures=moved).tests}


def test_plain_measures_are_told_with_both_medians() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 100, 3))
    found = drift(a, b, measures={"brightness": (np.full(100, 0.5) + a[:, 0] / 100, np.full(100, 0.2) + b[:, 0] / 100)})
    assert found.alarm
    assert "brightness fell from 0.498 to 0.2" in found.sentence


@pytest.mark.parametrize("n", [50, 50_000])
def test_any_size_the_same_answer_twice(n: int) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, n, 12))
    assert drift(a, b, seed=3) == drift(a, b, seed=3)
    assert not drift(a, b, seed=3).alarm


def test_identical_and_constant_samples_are_no_drift() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 5))
    assert not drift(rows, rows).alarm
    assert not drift(np.ones((50, 4)), np.ones((60, 4))).alarm


def test_more_features_than_samples() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60, 500))
    assert not drift(a, b).alarm
    assert drift(a, b + 1).alarm


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (np.zeros((5, 3)), np.zeros((50, 3))),
        (np.zeros((50, 3)), np.zeros((50, 4))),
        (np.full((50, 3), np.nan), np.zeros((50, 3))),
    ],
)
def test_what_cannot_be_compared_is_said(before: np.ndarray, now: np.ndarray) -> None:
    with pytest.raises(DataError):
        drift(before, now)


@pytest.mark.parametrize("look", [3, 6, 12])
def test_inputs_that_moved_are_noticed_at_later_looks_too(look: int) -> None:
    """However little a look may spend, a change that nothing but the inputs shows is not out of reach."""
    rng = np.random.default_rng(look)
    steady = {name: (rng.normal(size=60), rng.normal(size=60)) for name in ("doubt", "brightness", "sharpness")}
    before, now = rng.normal(size=(60, 5)), rng.normal(size=(60, 5))
    now[:, 0] += 2
    found = drift(before, now, measures=steady, alpha=alpha_of_look(look, ALPHA_OF_ALL))
    assert found.alarm
    assert found.sentence.count(", p ") == 1
    assert "inputs moved" in found.sentence
    assert not drift(before, rng.normal(size=(60, 5)), measures=steady, alpha=alpha_of_look(look, ALPHA_OF_ALL)).alarm


def test_looks_together_spend_no_more_than_alpha() -> None:
    assert sum(alpha_of_look(k, 0.05) for k in range(1, 100_000)) < 0.05
    assert alpha_of_look(1, 0.05) > alpha_of_look(2, 0.05) > 0
