"""Mining: shares, reasons and variety hold; and on real digits it needs fewer labels than chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from snowroll.prepare.mine import RANDOM_SHARE, choose

NOTHING = np.zeros((0, 4))


def blobs(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(rng.normal(size=(4, 4)) * 10, n // 4, axis=0) + rng.normal(size=(n // 4 * 4, 4))


@settings(max_examples=15)
@given(k=st.integers(1, 30), early=st.booleans(), seed=st.integers(0, 3))
def test_k_different_picks_each_with_its_reason(k: int, early: bool, seed: int) -> None:
    pool = blobs(200, seed)
    doubt = np.random.default_rng(seed).random(len(pool))
    picks = choose(k, doubt, pool, pool[:2] + 0.5, [0, 1] if early else [50, 50], seed=seed)
    assert len({pick.index for pick in picks}) == len(picks) == k
    assert sum(pick.kind == "random" for pick in picks) == round(k * RANDOM_SHARE)
    assert {pick.kind for pick in picks} <= {"random", "typical" if early else "doubt"}
    assert all(pick.why for pick in picks)


def test_the_first_picks_touch_every_cluster() -> None:
    picks = choose(4, None, blobs(200), NOTHING, [0, 0, 0, 0], random_share=0)
    assert {pick.index // 50 for pick in picks} == {0, 1, 2, 3}


def test_clusters_that_have_a_label_come_last() -> None:
    pool = blobs(200)
    picks = choose(2, None, pool, pool[[10, 60]], [1, 1, 0, 0], random_share=0)
    assert {pick.index // 50 for pick in picks} == {2, 3}


def test_later_the_doubtful_are_picked() -> None:
    pool = blobs(200)
    doubt = np.linspace(0, 0.5, len(pool))
    doubt[[7, 77, 177]] = 0.99
    picks = choose(3, doubt, pool, pool[:1] + 5, [20, 20], random_share=0)
    assert sorted(pick.index for pick in picks) == [7, 77, 177]
    assert "0.99" in picks[0].why


def test_nothing_nearly_the_same_is_picked_twice_or_again() -> None:
    different = blobs(20)
    pool = np.concatenate([different, different + 1e-6, different + 2e-6])
    known = different[:5]
    picks = choose(60, np.ones(60), pool, known, [9, 9], near=0.01)
    chosen = {pick.index % 20 for pick in picks}
    assert len(picks) == len(chosen) == 15
    assert not chosen & set(range(5))


def test_the_same_seed_makes_the_same_choice() -> None:
    pool, doubt = blobs(200), np.random.default_rng(1).random(200)
    once, again, other = (choose(10, doubt, pool, NOTHING, [9, 9], seed=s) for s in (1, 1, 2))
    assert once == again
    assert once != other


@pytest.mark.parametrize("n", [0, 1, 2])
def test_tiny_pools(n: int) -> None:
    assert len(choose(5, None, blobs(8)[:n], NOTHING, [0, 0], near=0)) == n


def accuracy_curve(seed: int, mined: bool, rounds: int = 15) -> list[float]:
    """Accuracy after each ten labels, of logistic regression on digits."""
    digits = load_digits()
    x, y = digits.data / 16, digits.target
    order = np.random.default_rng(seed).permutation(len(x))
    test, pool = order[:500], order[500:]
    rng = np.random.default_rng(1_000 + seed)
    labelled, curve, model = np.zeros(0, int), [], None
    for number in range(rounds):
        rest = np.setdiff1d(pool, labelled)
        if mined:
            doubt = None
            if model is not None:
                best = np.sort(model.predict_proba(x[rest]), axis=1)
                doubt = 1 - (best[:, -1] - best[:, -2])
            per_class = np.bincount(y[labelled], minlength=10)
            picks = choose(10, doubt, x[rest], x[labelled], per_class, seed=seed * 100 + number)
            new = rest[[pick.index for pick in picks]]
        else:
            new = rng.choice(rest, 10, replace=False)
        labelled = np.concatenate([labelled, new])
        model = LogisticRegression(max_iter=300).fit(x[labelled], y[labelled])
        curve.append(float(model.score(x[test], y[test])))
    return curve


@pytest.mark.slow
def test_mining_beats_chance_on_digits_over_ten_seeds() -> None:
    chance = np.array([accuracy_curve(seed, mined=False) for seed in range(10)])
    mined = np.array([accuracy_curve(seed, mined=True) for seed in range(10)])
    gain = mined.mean(axis=1) - chance.mean(axis=1)
    assert (gain > 0).all()
    labels_to_90 = [10 * (1 + int(np.argmax(curves.mean(axis=0) >= 0.88))) for curves in (mined, chance)]
    assert labels_to_90[0] <= 0.7 * labels_to_90[1]
