"""What is said of two splits of the same data follows from their intervals."""

import numpy as np
import pytest

from snowroll.base.nouns import Metric
from snowroll.evaluate.compared import Compared
from snowroll.evaluate.interval import wilson
from snowroll.evaluate.splits import BesideRandom, CrossValidated, difference


def share(right: int, n: int) -> Metric:
    return Metric(right / n, *wilson(right / n, n), n)


@pytest.mark.parametrize(
    ("grouped", "random", "says"),
    [
        (share(60, 100), share(95, 100), "would have claimed +0.350"),
        (share(75, 100), share(80, 100), "cannot tell"),
        (share(95, 100), share(60, 100), "flatters nothing"),
    ],
)
def test_the_sentence_says_no_more_than_the_interval(grouped: Metric, random: Metric, says: str) -> None:
    beside = BesideRandom("accuracy", grouped, random)
    assert says in beside.meaning
    assert any(str(grouped) in line for line in beside.lines())
    assert any(str(random) in line for line in beside.lines())


def test_the_difference_of_two_shares_holds_the_true_one() -> None:
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(500):
        gap = difference(share(int(rng.binomial(80, 0.9)), 80), share(int(rng.binomial(60, 0.7)), 60))
        held += gap.low <= 0.2 <= gap.high
    assert held / 500 > 0.93


def test_only_what_there_is_is_told() -> None:
    crossed = CrossValidated("accuracy", share(8, 10), (share(4, 5), share(4, 5)))
    assert Compared().as_json() == {}
    assert Compared(crossed).as_json().keys() == {"cross_validation"}
    assert [row["fold"] for row in crossed.as_json()["by_fold"]] == [0, 1]
    assert "2 folds by group: 0.800, 0.800" in crossed.lines()[0]
    partly = CrossValidated("r2", share(8, 10), (share(4, 5), None))  # a fold of one number has no R2
    assert partly.as_json()["by_fold"][1] == {"fold": 1, "value": None, "interval": None, "n": 0}
    assert "2 folds by group: 0.800, -" in partly.lines()[0]
