"""Other values of one setting, each trained and judged on validation samples; a wrong wish costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from house_kit import QUICK, draw_shapes, snowroll

from snowroll.base.nouns import Metric
from snowroll.evaluate.sweep import Sweep, Tried
from snowroll.project.opened import open_project


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("task.size_px", "is no sweep"),
        ("task.size_px=16", "is no sweep"),
        ("serve.port=1,2", "is no sweep"),
        ("task.size=16,32", "unknown setting 'task.size'"),
        ("train.lrr=0.1,0.2", "unknown setting 'train.lrr'"),
        ("task.size_px=16,big", "task.size_px"),
        ("task.name=classify_images,inspect", "is no sweep"),
        ("train.folds=0,3", "a sweep of folds"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_before_a_run(untrained: Path, asked: str, words: str) -> None:
    said = snowroll("train", untrained, *QUICK, "--sweep", asked, "--json")
    assert said.code == 2, said.out
    assert words in said.json["error"] + str(said.json["where"])
    assert not list((untrained / "runs").iterdir())


def test_what_a_sweep_means() -> None:
    def tried(value: str, low: float, high: float) -> Tried:
        return Tried(value, Metric((low + high) / 2, low, high, 50), 0.5, 10)

    near = Sweep("accuracy", "task.size_px", (tried("16", 0.6, 0.8), tried("32", 0.7, 0.9)))
    assert "task.size_px 32 makes the most" in near.meaning
    assert "not told apart from 16" in near.meaning
    far = Sweep("accuracy", "task.size_px", (tried("16", 0.2, 0.3), tried("32", 0.7, 0.9)))
    assert "clearly more than the others" in far.meaning


@pytest.mark.slow
def test_each_value_is_trained_and_told(tmp_path: Path) -> None:
    root = tmp_path / "shapes"
    draw_shapes(root / "data", each=30)
    assert snowroll("init", root).code == 0
    told = snowroll("train", root, *QUICK, "--sweep", "task.size_px=8, 16", "--json").json
    swept = told["sweep"]
    assert [one["value"] for one in swept["tried"]] == ["8", "16"]
    assert swept["measured_on"] == "validation"
    assert "Other values of task.size_px" in Path(told["report"]).read_text()
    catalog = open_project(root, {}).store.catalog
    assert len(catalog.runs()) == 1
    again = snowroll("train", root, *QUICK, "--sweep", "task.size_px=8,16", "--json")
    assert again.json == told  # a run that is done is not done again
    other = snowroll("train", root, *QUICK, "--sweep", "train.lr=0.01,0.1", "--json").json
    assert other["run"] == 1  # nor for another sweep
