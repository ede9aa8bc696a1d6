"""Verdicts are kept for what they hang on, and asked again for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bench_kit import ignore, one_thread
from house_kit import draw_shapes

from snowroll.project.data import pack_version
from snowroll.project.facts import measure_facts
from snowroll.project.freezing import freeze
from snowroll.project.gating import pass_gates
from snowroll.project.opened import open_project
from snowroll.project.plans import make_plan
from snowroll.project.stock import take_stock
from snowroll.verbs.init import init

pytestmark = pytest.mark.slow

SETTINGS = {
    "task.model": "convnet",
    "task.size_px": 16,
    "train.batch": 16,
    "train.threads": 1,
    "train.device": "cpu",
    "train.precision": "fp32",
}


@pytest.mark.parametrize("rate", [{}, {"train.lr": 0.003, "train.optimizer": "adamw"}], ids=["planned", "told"])
def test_a_told_rate_alone_is_asked_again_for_other_steps(tmp_path: Path, rate: dict[str, object]) -> None:
    ask = asker(tmp_path, SETTINGS | rate)
    first = ask(80)
    assert ("learning_rate" in first) is bool(rate)
    assert ask(80) == []
    assert ask(90) == (first if rate else [])


def test_other_code_asks_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = asker(tmp_path, SETTINGS)
    first = ask(40)
    assert ask(40) == []
    monkeypatch.setattr("snowroll.project.gating.code_beside", lambda *_: "another version")
    assert ask(40) == first


def asker(root: Path, settings: dict[str, object]) -> Callable[[int], list[str]]:
    """Names of the gates that are measured for a plan of so many steps; none where all verdicts are known."""
    draw_shapes(root / "data")
    with one_thread():
        init(root, None, (), "classify_images", {}, ignore)
        opened = open_project(root, settings)  # type: ignore[arg-type]
        version, _ = freeze(opened, take_stock(opened, ignore), {}, {})
        plan, _ = make_plan(opened, version, measure_facts(opened, version, ignore), None)
        packed = pack_version(opened, version, plan.task, ignore)

    def ask(steps: int) -> list[str]:
        said: list[str] = []
        with one_thread():
            gates = pass_gates(opened, packed, replace(plan, steps=steps), root, said.append)
        assert not [gate for gate in gates if not gate.passed]
        return [line.split()[1].rstrip(":") for line in said if line.lstrip().startswith("gate ")]

    return ask
