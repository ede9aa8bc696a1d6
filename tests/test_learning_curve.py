"""What more labels are worth: a power law is found again, noise is not promised anything, and the verb draws it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from house_kit import QUICK, draw_shapes, snowroll

from snowroll.base.nouns import Plan
from snowroll.evaluate.learning import LearningCurve, learning_curve
from snowroll.project.data import pack_version
from snowroll.project.freezing import freeze
from snowroll.project.learning import as_often, share_of
from snowroll.project.opened import open_project
from snowroll.project.stock import take_stock
from snowroll.train.order import steps_per_epoch

SIZES = (250, 500, 1_000)


def curve(errors: tuple[float, ...], n: int, seed: int = 0, sizes: tuple[int, ...] = SIZES) -> LearningCurve:
    """Right or wrong with these errors: half of the samples are as hard for one model as for the others."""
    rng = np.random.default_rng(seed)
    hardness, is_alike = rng.random(n), rng.random(n) < 0.5
    credits = [np.where(is_alike, hardness, rng.random(n)) > error for error in errors]
    return learning_curve("accuracy", sizes, [credit.astype(float) for credit in credits])


@pytest.mark.slow
def test_a_power_law_is_found_again() -> None:
    found = curve(tuple(0.4 * (n / 250) ** -0.5 for n in SIZES), 20_000)
    assert found.exponent == pytest.approx(0.5, abs=0.03)
    doubled = found.gains[-1]
    assert doubled.more == 1_000
    assert doubled.low < 0.2 - 0.2 * 2**-0.5 < doubled.high
    assert f"1,000 more {doubled}" in found.meaning


@pytest.mark.slow
def test_the_forecast_is_right_as_often_as_it_says() -> None:
    """True errors follow the law; the interval for the gain of a doubling holds the true one in about 95 of 100."""
    truth = 0.2 - 0.2 * 2**-0.5
    hits = [curve(tuple(0.4 * (n / 250) ** -0.5 for n in SIZES), 400, seed).gains[-1] for seed in range(100)]
    assert sum(gain.low <= truth <= gain.high for gain in hits) >= 88


def test_where_nothing_is_to_be_told_nothing_is_promised() -> None:
    assert "cannot be told" in curve((0.2, 0.21, 0.19), 60).meaning
    assert "promise little" in curve((0.1, 0.1, 0.1), 5_000).meaning


def test_a_model_that_is_always_right_makes_no_forecast_of_infinity() -> None:
    found = curve((0.0, 0.0, 0.0), 100)
    assert all(np.isfinite([gain.value, gain.low, gain.high]).all() for gain in found.gains)
    assert json.loads(json.dumps(found.as_json())) == found.as_json()


def test_whole_groups_are_redrawn() -> None:
    credit = [
        np.repeat(np.random.default_rng(k).random(20) > error, 30).astype(float)
        for k, error in enumerate((0.5, 0.4, 0.3))
    ]
    alone = learning_curve("accuracy", SIZES, credit)
    grouped = learning_curve("accuracy", SIZES, credit, groups=np.repeat(np.arange(20), 30).tolist())
    assert grouped.gains[0].high - grouped.gains[0].low > 2 * (alone.gains[0].high - alone.gains[0].low)


def test_shares_are_nested_and_keep_the_classes(untrained: Path) -> None:
    opened = open_project(untrained, {})
    version, _ = freeze(opened, take_stock(opened, str), {}, {})
    packed = pack_version(opened, version, opened.task.Options(size_px=16), str)
    quarter, half = (set(share_of(opened, packed, share, 0).rows["train"].tolist()) for share in (0.25, 0.5))
    assert quarter < half < set(packed.rows["train"].tolist())
    classes = {packed.version.items[row].target for row in packed.rows["train"]}
    assert {packed.version.items[row].target for row in quarter} == classes
    assert share_of(opened, packed, 0.5, 0).rows["test"] is packed.rows["test"]


@pytest.mark.parametrize(("n", "some", "batch"), [(1_000, 250, 50), (200, 50, 128), (90, 23, 400)])
def test_as_many_passes_over_a_share(n: int, some: int, batch: int) -> None:
    plan = Plan(None, steps=1_200, batch=batch, eval_every=120)
    fewer = as_often(plan, n, some)
    passes = [one.steps / steps_per_epoch(k, min(batch, k)) for one, k in ((plan, n), (fewer, some))]
    assert passes[1] == pytest.approx(passes[0], rel=0.01)
    assert fewer.steps / fewer.eval_every == pytest.approx(10, rel=0.01)


@pytest.mark.slow
def test_train_draws_it_when_asked(tmp_path: Path) -> None:
    untrained = tmp_path / "shapes"
    draw_shapes(untrained / "data", each=30)
    assert snowroll("init", untrained).code == 0
    told = snowroll("train", untrained, *QUICK, "--learning-curve", "--json").json
    drawn = told["learning_curve"]
    assert [point["n"] for point in drawn["points"]] == [told["n"]] * 3
    assert drawn["points"][-1]["value"] == pytest.approx(told["value"])
    sizes = [point["n_train"] for point in drawn["points"]]
    assert sizes == sorted(sizes)
    assert "What more labels are worth" in Path(told["report"]).read_text()
    assert open_project(untrained, {}).store.catalog.pointer("champion") == "1"
    assert len(open_project(untrained, {}).store.catalog.runs()) == 1


def test_of_folds_none_is_drawn(untrained: Path) -> None:
    said = snowroll("train", untrained, *QUICK, "--train.folds", "3", "--learning-curve", "--json")
    assert said.code == 2
    assert "learning curve" in said.json["error"]
    assert not list((untrained / "runs").iterdir())


@pytest.mark.slow
def test_asked_of_a_run_that_is_done_it_is_drawn_beside_it(tmp_path: Path) -> None:
    """Nothing is trained again but what is asked for, and no look is spent on a model that was decided on."""
    root = tmp_path / "shapes"
    draw_shapes(root / "data", each=30)
    assert snowroll("init", root).code == 0
    assert snowroll("train", root, *QUICK).code == 0
    plain = snowroll("train", root, *QUICK, "--train.seed", "1", "--json").json
    catalog = open_project(root, {}).store.catalog
    looks, model = catalog.pointer("looks"), (root / "runs/0002-train/model/model.safetensors").read_bytes()
    curve = snowroll("train", root, *QUICK, "--train.seed", "1", "--learning-curve", "--json").json
    assert "learning_curve" in curve
    assert {key: curve[key] for key in plain} == plain
    swept = ("--sweep", "train.lr=0.01,0.1")
    both = snowroll("train", root, *QUICK, "--train.seed", "1", *swept, "--json").json
    assert both["learning_curve"] == curve["learning_curve"], "what was measured before is told still"
    assert [tried["value"] for tried in both["sweep"]["tried"]] == ["0.01", "0.1"]
    again = snowroll("train", root, *QUICK, "--train.seed", "1", *swept, "--json")
    assert again.json == both
    assert "once more" not in again.err.replace("--fresh trains once more", "")
    assert snowroll("train", root, *QUICK, "--learning-curve", "--json").json["promotion"]["outcome"] == "FIRST"
    assert [run.status for run in catalog.runs()] == ["done", "done"]
    assert catalog.pointer("looks") == looks
    assert (root / "runs/0002-train/model/model.safetensors").read_bytes() == model
    page = (root / "runs/0002-train/report.html").read_text()
    assert "What more labels are worth" in page
    assert plain["promotion"]["outcome"] in page
    assert [line.split("\t")[0] for line in (root / "results.tsv").read_text().splitlines()[1:]] == ["1", "2"]
    assert snowroll("doctor", root).code == 0
