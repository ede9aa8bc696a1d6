"""One temperature makes stated confidence true, and says so when it cannot know."""

import numpy as np
import pytest

from snowroll.base.errors import DataError
from snowroll.evaluate.calibration import at_temperature, fit_temperature, reliability
from snowroll.evaluate.metrics import ece


def _answers(seed: int, temperature: float, n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are too sure by this factor, and truths drawn from what they should have said."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 6)) * 2
    honest = at_temperature(logits, temperature)
    return logits, (honest.cumsum(1) > rng.random((n, 1))).argmax(1)


@pytest.mark.parametrize("planted", [0.6, 1.0, 1.8])
def test_the_planted_temperature_is_found(planted):
    logits, truth = _answers(0, planted)
    found = fit_temperature(logits, truth)
    assert found.decided
    assert found.value == pytest.approx(planted, rel=0.06)
    assert found.nll_after <= found.nll_before
    fresh, fresh_truth = _answers(1, planted)
    assert ece(at_temperature(fresh, found.value), fresh_truth) < 0.025


def test_no_neighbouring_temperature_is_better():
    logits, truth = _answers(2, 1.5, n=300)
    found = fit_temperature(logits, truth)
    for other in (found.value * 0.99, found.value * 1.01):
        probabilities = at_temperature(logits, other)
        assert -np.log(probabilities[np.arange(300), truth]).mean() >= found.nll_after


def test_probabilities_serve_as_well_as_logits():
    logits, truth = _answers(3, 1.5, n=500)
    assert fit_temperature(np.log(at_temperature(logits, 1)), truth).value == pytest.approx(
        fit_temperature(logits, truth).value
    )


def test_a_perfect_or_a_blind_model_keeps_its_temperature():
    perfect = fit_temperature(np.eye(3) * 5, np.arange(3))
    blind = fit_temperature(np.zeros((4, 2)), np.array([0, 1, 0, 1]))
    assert (perfect.value, perfect.decided) == (1.0, False)
    assert (blind.value, blind.decided) == (1.0, False)
    with pytest.raises(DataError, match="validation set"):
        fit_temperature(np.zeros((0, 2)), np.zeros(0, dtype=int))


def test_bins_hold_every_answer_once_with_its_interval():
    rng = np.random.default_rng(4)
    confidence = np.concatenate([rng.random(500), [0.0, 1.0]])
    right = (rng.random(502) < confidence).astype(float)
    bins = reliability(confidence, right, bins=10)
    assert sum(one.n for one in bins) == 502
    assert sum(one.n * one.right for one in bins) == pytest.approx(right.sum())
    for one in bins:
        assert one.low - 1e-12 <= one.confidence <= one.high
        assert one.right_low <= one.right <= one.right_high
    assert sum(one.right_low <= one.confidence <= one.right_high for one in bins) >= 8  # it is calibrated


def test_a_bin_of_few_groups_is_less_sure():
    right = np.repeat([1.0, 0.0, 1.0, 1.0], 250)  # each of four patients all right or all wrong
    alone, grouped = (
        reliability(np.full(1000, 0.75), right, groups)[0] for groups in (None, np.repeat([*"abcd"], 250))
    )
    assert alone.right == grouped.right == 0.75
    assert grouped.right_high - grouped.right_low > 5 * (alone.right_high - alone.right_low)
    assert reliability(np.full(1000, 0.75), right, [str(k) for k in range(1000)]) == [alone]
