"""How a text is read: its tokens, learnt from what is learnt from alone; how often, and with what beside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Version
from snowroll.base.task import Fingerprint
from snowroll.project.data import pack_version
from snowroll.project.facts import measure_facts
from snowroll.project.freezing import freeze
from snowroll.project.opened import Opened, open_project
from snowroll.project.plans import make_plan
from snowroll.project.stock import take_stock
from snowroll.tasks.write_text import task
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.verbs.init import init


def planned(characters: int, time_s: float | None) -> dict[str, object]:
    facts = {"characters": characters, "longest": 512, "distinct": 65}
    n = {"train": characters // 500, "val": 100, "test": 100}
    told = task.plan(Fingerprint(n, {}, facts, "cpu", 2, True, time_s))
    return {choice.key: choice.value for choice in told}


def test_runs_are_for_texts_that_are_read_once() -> None:
    assert [planned(1_000_000, time_s)["task.runs"] for time_s in (None, 60.0, 600.0)] == [5, 5, 1]
    assert planned(100_000, None)["task.runs"] == 1
    once = planned(1_000_000, None)
    assert 0.9e6 < int(str(once["train.steps"])) * int(str(once["train.batch"])) * 64 < 1.1e6


def test_no_text_is_read_so_often_that_it_is_learnt_by_heart() -> None:
    for characters in (20_000, 100_000, 400_000, 2_000_000):
        plan = planned(characters, None)
        each_step = int(str(plan["train.batch"])) * int(str(plan["task.context"]))
        most = int(str(plan["train.most_steps"]))
        assert int(str(plan["train.steps"])) <= most
        assert most == 200 or 12 < most * each_step / characters < 20, characters
    assert planned(400_000, None)["task.dropout"] == 0.2
    assert planned(2_000_000, None)["task.dropout"] == 0


def read_project(root: Path, text: str, **settings: object) -> tuple[Opened, Version, dict]:
    root.mkdir()
    (root / "one.txt").write_text(text)
    init(root, None, (), "write_text", {}, lambda said: None)
    opened = open_project(root, {f"task.{name}": value for name, value in settings.items()})
    version, _ = freeze(opened, take_stock(opened, lambda said: None), {}, {})
    return opened, version, measure_facts(opened, version, lambda said: None)


def test_pairs_are_learnt_from_what_is_learnt_from_alone(tmp_path: Path) -> None:
    text = "the cat sat on the mat\n" * 100 + "zyzzyva zyzzyva zyzzyva\n" * 30  # the last stretch is the test
    _, version, facts = read_project(tmp_path / "p", text, tokens="pairs", vocabulary=280)
    assert any("z" in str(item.target) for item in version.of("test"))
    assert "t h" in facts["merges"]
    assert not any("z" in merge or "y" in merge for merge in facts["merges"])
    assert len(facts["merges"]) <= 24


@pytest.mark.slow
def test_the_floor_is_the_same_whatever_the_tokens_are(tmp_path: Path) -> None:
    text = "".join(f"{n} Äpfel fallen, {n * n} 雪 bleiben\n" for n in range(200))
    floors = []
    for tokens in ("characters", "pairs"):
        opened, version, facts = read_project(tmp_path / tokens, text, tokens=tokens)
        plan, _ = make_plan(opened, version, facts, None)
        packed = pack_version(opened, version, plan.task, lambda said: None)
        floors.append(task.floor(packed.pack.columns, packed.targets, packed.rows, packed.schema))
    assert floors[0] == floors[1]


@pytest.mark.slow
def test_many_characters_are_read_in_pairs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    letters = [chr(0x4E00 + n) for n in rng.integers(0, 2_000, 30_000)]
    opened, version, facts = read_project(tmp_path / "p", "".join(letters))
    plan, told = make_plan(opened, version, facts, None)
    assert plan.task.tokens == "pairs"
    assert "different characters" in told["task.tokens"][1]
    assert plan.task.length >= facts["longest_pairs"]


def test_a_vocabulary_of_bytes_alone_is_refused() -> None:
    with pytest.raises(UsageError, match=r"task\.vocabulary"):
        WriteOptions(tokens="pairs", vocabulary=200)
    with pytest.raises(UsageError, match="a ready-made model"):
        WriteOptions(lora=8)
