"""A planted weak slice is found; with nothing planted, luck is not called a slice."""

import numpy as np
import pytest

from snowroll.evaluate.slices import find_slices

pytestmark = pytest.mark.slow


def _right(rng, share) -> np.ndarray:
    return (rng.random(len(share)) < share).astype(float)


def test_a_planted_dark_quarter_is_found_and_named():
    rng, found = np.random.default_rng(0), 0
    for _ in range(30):
        brightness = rng.random(600)
        credit = _right(rng, np.where(brightness < 0.25, 0.7, 0.9))
        columns = {"brightness": brightness, "source": rng.choice(["a", "b"], 600)}
        worst = find_slices(columns, credit)[0]
        found += worst.worse and worst.slice.startswith("brightness 0") and worst.value < worst.rest
    assert found > 27


@pytest.mark.parametrize("groups", [0, 12, 60])
def test_without_a_weak_slice_none_is_called_worse(groups):
    rng, wrongly, tries = np.random.default_rng(1), 0, 150
    for _ in range(tries):
        own = rng.integers(0, groups, 500) if groups else None
        share = np.full(500, 0.85) if own is None else np.clip(0.85 + 0.1 * rng.normal(size=groups), 0, 1)[own]
        source = rng.integers(0, 3, 500) if own is None else own % 3  # sources hold whole groups: the hard case
        columns = {"brightness": rng.random(500), "size": rng.integers(20, 400, 500), "source": source.astype(str)}
        wrongly += any(
            one.worse for one in find_slices(columns, _right(rng, share), None if own is None else own.tolist())
        )
    assert wrongly / tries <= 0.1  # 5 % by design, binomial 99.5 %


def test_one_bad_group_can_be_seen_among_good_ones():
    rng = np.random.default_rng(2)
    patient = np.repeat([f"p{k}" for k in range(10)], 60)
    credit = _right(rng, np.where(patient == "p3", 0.5, 0.9))
    worst = find_slices({"patient": patient}, credit, patient.tolist())[0]
    assert (worst.slice, worst.worse) == ("patient = p3", True)


def test_unknown_values_small_slices_and_numbers_with_few_values():
    credit = np.ones(100)
    size = [None] * 30 + [32] * 30 + [64] * 35 + [128] * 5
    found = {one.slice: one.n for one in find_slices({"size": size, "constant": [1.0] * 100}, credit)}
    assert found == {"size unknown": 30, "size = 32": 30, "size = 64": 35}  # 5 is too few, 100 leaves no rest
    assert find_slices({"size": size}, credit)[0].low < 1  # all right, and still no point


def test_numbers_are_cut_at_quantiles_and_every_sample_lies_in_one():
    values = np.random.default_rng(3).exponential(size=401)
    found = find_slices({"size": values}, np.ones(401))
    assert [one.n for one in found] == pytest.approx([100] * 4, abs=1)
    assert sum(one.n for one in found) == 401


def test_columns_that_part_the_samples_alike_are_one_trial():
    """A folder for each class says nothing that the class does not: Holm's correction counts it once."""
    kind = np.repeat(["cat", "dog"], 50)
    columns = {"class": kind, "folder": np.char.add(kind, "s"), "group": [f"g{row}" for row in range(100)]}
    assert {one.slice for one in find_slices(columns, np.ones(100))} == {"class = cat", "class = dog"}
