"""Trees or a line: what a small table's own rows say for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from snowroll.base.task import Fingerprint
from snowroll.tasks.tabular.choosing import FEWEST, MOST, classes_asked, numbers_asked
from snowroll.tasks.tabular.options import row_plan

Law = Callable[[dict[str, np.ndarray]], np.ndarray]
SCHEMA = {
    "columns": [{"name": "a", "kind": "number"}, {"name": "b", "kind": "number"}, {"name": "word", "kind": "category"}]
}


def columns(n: int = 240) -> dict[str, np.ndarray]:
    """Two numbers, one cell in ten empty, and a word as its hash."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, n))
    b[::10] = np.nan
    return {"a": a, "b": b, "word": rng.choice([3e9, 7e9], n)}


def straight(told: dict[str, np.ndarray]) -> np.ndarray:
    return 2 * told["a"] - np.nan_to_num(told["b"]) + 3 * (told["word"] == 3e9)


def crossed(told: dict[str, np.ndarray]) -> np.ndarray:
    """Of opposite signs or not: no line tells that."""
    return np.sign(told["a"]) * np.sign(np.nan_to_num(told["b"]) + 1e-9)


@pytest.mark.parametrize(("law", "meant"), [(straight, "linear"), (crossed, "boosted")])
def test_a_line_where_the_numbers_lie_on_one_and_trees_where_not(law: Law, meant: str) -> None:
    told = columns()
    asked = numbers_asked(told, SCHEMA, law(told).tolist())
    assert max(asked.values()) > 0.8
    plan = {one.key: one for one in row_plan(fingerprint(asked), "linear")}
    assert plan["task.model"].value == meant
    assert f"{asked['line']:.0%}" in plan["task.model"].why


@pytest.mark.parametrize(("law", "meant"), [(straight, "logistic"), (crossed, "boosted")])
def test_likewise_of_classes(law: Law, meant: str) -> None:
    told = columns()
    asked = classes_asked(told, SCHEMA, (law(told) > 0).tolist())
    assert {one.key: one.value for one in row_plan(fingerprint(asked))}["task.model"] == meant


@pytest.mark.parametrize("line", ["logistic", "linear"])
def test_a_direction_that_is_asked_for_is_held_by_what_is_chosen(line: str) -> None:
    facts = fingerprint({"line": 0.9, "trees": 0.5})
    held = replace(facts, facts={**facts.facts, "asked": {"monotone": ("a:1",)}})
    for asked, meant in ((facts, line), (held, "boosted")):
        assert {one.key: one.value for one in row_plan(asked, line)}["task.model"] == meant


def test_what_tells_nothing_saves_nothing() -> None:
    truth = np.random.default_rng(1).normal(size=240)
    assert numbers_asked(columns(), SCHEMA, truth.tolist())["line"] < 0.1
    assert classes_asked(columns(), SCHEMA, (truth > 0).tolist())["line"] < 0.1


def test_few_and_many_rows_are_not_asked() -> None:
    for n in (FEWEST - 1, MOST + 1):
        told = columns(n)
        assert numbers_asked(told, SCHEMA, straight(told).tolist()) == {}
        assert classes_asked(told, SCHEMA, ["a", "b"] * (n // 2) + ["a"] * (n % 2)) == {}
    assert "task.model" not in {one.key for one in row_plan(fingerprint({}))}


def test_a_class_of_one_row_is_no_obstacle() -> None:
    told = columns(60)
    assert classes_asked(told, SCHEMA, ["rare", *(straight(told)[1:] > 0).tolist()])["line"] > 0


def fingerprint(asked: dict[str, float]) -> Fingerprint:
    return Fingerprint({"train": 240, "val": 30, "test": 30}, SCHEMA, {"asked_apart": asked}, "cpu", 1, False, None)
