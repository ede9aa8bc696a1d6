"""Fits without gradients: their gates catch what is broken, and every verb takes them like any run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from bench_kit import ignore
from torch import nn

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Batch, Plan
from snowroll.base.task import find_task
from snowroll.cli import run
from snowroll.project.data import Packed, pack_version
from snowroll.project.facts import measure_facts
from snowroll.project.freezing import freeze
from snowroll.project.gating import pass_gates
from snowroll.project.opened import Opened, open_project
from snowroll.project.plans import make_plan
from snowroll.project.stock import take_stock
from snowroll.tasks.tabular.example import example
from snowroll.tasks.tabular.model import Linear
from snowroll.tasks.tabular.task import Tabular
from snowroll.verbs.init import init

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Opened, Packed, Plan]:
    root = tmp_path_factory.mktemp("at_once")
    example(root / "data")
    flags = {"task.model": "logistic", "train.threads": 1, "train.device": "cpu"}
    init(root, None, (), "tabular", {}, ignore)
    opened = open_project(root, flags)
    version, _ = freeze(opened, take_stock(opened, ignore), {}, {})
    plan, _ = make_plan(opened, version, measure_facts(opened, version, ignore), None)
    return opened, pack_version(opened, version, plan.task, ignore), plan


def test_a_sound_fit_passes(planned: tuple[Opened, Packed, Plan], tmp_path: Path) -> None:
    gates = pass_gates(*planned, tmp_path, ignore)
    assert [gate.name for gate in gates] == ["sees", "samples_apart", "same_twice", "beats_blind"]
    assert not [gate for gate in gates if not gate.passed]


def blind(model: nn.Module, train: Batch, val: Batch, plan: Plan) -> None:
    """Knows how common the classes are, and nothing of the rows."""
    assert isinstance(model, Linear)
    with torch.no_grad():
        model.answer.bias.copy_(torch.bincount(train.targets, minlength=2).float().log())


def of_chance(model: nn.Module, train: Batch, val: Batch, plan: Plan) -> None:
    assert isinstance(model, Linear)
    with torch.no_grad():
        model.answer.weight.copy_(torch.from_numpy(np.random.default_rng().normal(size=model.answer.weight.shape)))


@pytest.mark.parametrize(("fit", "caught"), [(blind, "beats_blind"), (of_chance, "same_twice")])
def test_a_broken_fit_is_caught(
    planned: tuple[Opened, Packed, Plan],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fit: Callable[..., None],
    caught: str,
) -> None:
    opened, packed, plan = planned
    monkeypatch.setattr(Tabular, "fit", staticmethod(fit))
    other = Plan(plan.task, seed=plan.seed + len(caught), threads=1)  # verdicts are kept for a plan
    failed = [gate.name for gate in pass_gates(opened, packed, other, tmp_path, ignore) if not gate.passed]
    assert caught in failed


def test_a_task_without_a_fit_says_so() -> None:
    rows = Batch(torch.zeros(1), None, torch.zeros(1))
    with pytest.raises(PlanError, match="fits nothing at once"):
        find_task("classify_images").fit(nn.Identity(), rows, rows, None)


@pytest.mark.parametrize("model", ["boosted", "tree"])
def test_every_step_takes_such_a_model(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example(tmp_path / "data")
    flags = ["--task.model", model, "--task.trees", "20", "--task.protected", "metal", "--train.threads", "1"]

    def call(*tokens: str) -> dict:
        assert run([*tokens, "--json"]) == 0
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    assert call("init", str(tmp_path), *flags)["task"] == "tabular"
    trained = call("train", str(tmp_path), "--time", "1m")
    assert trained["value"] > 0.7
    assert all(gate["passed"] for gate in trained["gates"])
    told = json.loads((Path(trained["report"]).with_name("report.json")).read_text())
    titles = [passage["title"] for passage in told["extras"]["passages"]]
    assert "Errors by metal" in titles
    assert ("The tree" in titles) == (model == "tree")
    assert {"auroc", "accuracy"} < told["metrics"].keys()
    assert call("train", str(tmp_path), "--time", "1m") == trained  # the same request is answered, not run again
    assert call("eval", str(tmp_path))["value"] == trained["value"]
    table = tmp_path / "new.csv"
    table.write_text("hours,load,metal\n900,8,brass\n10,2,steel\n,,gold\n")
    assert run(["predict", str(tmp_path), str(table), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.strip().splitlines()]
    assert [row["path"] for row in rows] == [str(tmp_path / f"new.csv#/{line}") for line in (2, 3, 4)]
    assert [row["prediction"] for row in rows[:2]] == ["worn", "sound"]
