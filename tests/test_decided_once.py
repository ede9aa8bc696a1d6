"""A trained model is considered once, whatever breaks on the way: nothing is trained twice, no look is spent twice."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from catalog_kit import add_label
from house_kit import MACHINE, QUICK, SMALL, png, shape, snowroll

from snowroll.base.errors import PlanError, StoreError
from snowroll.base.nouns import Record, Sample
from snowroll.base.task import find_task
from snowroll.project import promotion
from snowroll.project.mining import samples_of
from snowroll.project.opened import open_project
from snowroll.project.plans import read_plan
from snowroll.store.rows import FOR_CHECK, Label, Queued

pytestmark = pytest.mark.slow

DIES = """
import os, signal, sys
import snowroll.cli, snowroll.roll, snowroll.verbs.train

def die(*told):
    os.kill(os.getpid(), signal.SIGKILL)

def save(opened, number, stage, state, kept=snowroll.roll._save):
    return die() if stage == "done" else kept(opened, number, stage, state)

if sys.argv[1] == "saved":
    snowroll.roll._save = save
else:
    setattr(snowroll.verbs.train, sys.argv[1], die)
snowroll.cli.run(sys.argv[2:])
"""


def once(fault: Exception, then: Callable[..., Any]) -> Callable[..., Any]:
    """`then`, but the first call fails."""
    faults = [fault]

    def job(*given: Any, **named: Any) -> Any:
        if faults:
            raise faults.pop()
        return then(*given, **named)

    return job


def lines(root: Path) -> list[str]:
    """First cells of results.tsv: a run each."""
    return [line.partition("\t")[0] for line in (root / "results.tsv").read_text().splitlines()[1:]]


def statuses(root: Path) -> list[str]:
    return [run.status for run in open_project(root, {}).store.catalog.runs()]


@pytest.mark.parametrize("verb", ["train", "roll"])
def test_an_export_that_fails_is_tried_again_on_the_same_model(
    untrained: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = PlanError("the export differs", cure="repeat the command")
    monkeypatch.setattr(promotion, "make_artifact", once(fault, promotion.make_artifact))
    assert "the export differs" in snowroll(verb, untrained, *QUICK).err
    assert statuses(untrained) == ["running"]
    again = snowroll(verb, untrained, *QUICK)
    assert again.code == 0, again.err
    assert "going on from step 30 of 30" in again.err
    assert statuses(untrained) == ["done"]
    assert open_project(untrained, {}).store.catalog.pointer("champion") == "1"
    assert lines(untrained) == ["1"]


def test_a_look_is_counted_once_for_each_challenger(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion, "promotion_test", once(StoreError("the disk is full"), promotion.promotion_test))
    second = (*QUICK, "--train.seed", "1", "--json")
    assert snowroll("train", project, *second).json["error"] == "the disk is full"
    told = snowroll("train", project, *second).json
    assert (told["run"], told["promotion"]["test"]["look"]) == (2, 1)
    assert told["promotion"]["outcome"] != "PROMOTED"  # else the next look would be another champion's first
    told = snowroll("train", project, *QUICK, "--train.seed", "2", "--json").json
    assert (told["run"], told["promotion"]["test"]["look"]) == (3, 2)
    assert lines(project) == ["1", "2", "3"]


@pytest.mark.parametrize("where", ["consider", "conclude", "saved"])
def test_a_killed_roll_takes_the_model_it_has(untrained: Path, where: str) -> None:
    command = ["roll", str(untrained), *QUICK, "--json"]
    killed = subprocess.run([sys.executable, "-c", DIES, where, *command], capture_output=True, timeout=300)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert statuses(untrained) == ["done" if where == "saved" else "running"]
    told = snowroll(*command).json
    assert (told["verdict"], told["train"]["run"]) == ("FIRST", 1)
    assert statuses(untrained) == ["done"]
    assert lines(untrained) == ["1"]
    assert snowroll("doctor", untrained).code == 0


def test_what_is_done_is_told_again_and_trained_once(untrained: Path) -> None:
    first = snowroll("train", untrained, *QUICK, "--json").json
    again = snowroll("train", untrained, *QUICK, "--json")
    assert again.json == first
    assert "it is done, --fresh trains once more" in again.err
    assert snowroll("train", untrained, *QUICK, "--fresh", "--json").json["run"] == 2
    assert snowroll("train", untrained, *QUICK, "--train.steps", "29", "--json").json["run"] == 3


def test_gates_that_are_known_are_told_of_the_steps_of_this_run(project: Path) -> None:
    again = snowroll("train", project, *QUICK, "--train.steps", "29", "--json").json
    told = {gate["name"]: gate["measured"] for gate in again["gates"]}
    assert " of 29, " in told["schedule"]
    assert told["overfits_two"] == gates_of(project, "0001-train")["overfits_two"], "the others were measured again"


def gates_of(project: Path, run: str) -> dict[str, str]:
    gates = json.loads((project / "runs" / run / "gates.json").read_text())
    return {gate["name"]: gate["measured"] for gate in gates}


def test_what_was_done_is_told_of_the_folder_where_it_lies_now(project: Path) -> None:
    """`project` is a copy of one that was trained elsewhere."""
    told = snowroll("train", project, *QUICK)
    assert f"report    {project}/runs/0001-train/report.html" in told.out
    assert told.out.endswith(f"next: snowroll serve {project}\n")


def test_a_run_of_other_software_is_not_taken_for_done(project: Path) -> None:
    path = project / "runs" / "0001-train" / "env.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"torch": "0.1"}))
    assert snowroll("train", project, *QUICK, "--json").json["run"] == 2


def test_a_turn_with_nothing_new_trains_nothing(project: Path) -> None:
    told = snowroll("roll", project, *QUICK, "--json")
    assert (told.code, told.json["verdict"]) == (0, "NOTHING NEW")
    assert "no label and no setting is new since run 1" in told.json["reason"]
    assert statuses(project) == ["done"]


def test_a_run_that_was_begun_before_the_turn_is_its_own(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`train` was cut off after its model was made; the turn goes on with that run and must tell what became of it."""
    monkeypatch.setattr(promotion, "make_artifact", once(StoreError("the disk is full"), promotion.make_artifact))
    assert snowroll("train", untrained, *QUICK).code == 1
    told = snowroll("roll", untrained, *QUICK, "--json").json
    assert (told["verdict"], told["train"]["run"]) == ("FIRST", 1)
    assert snowroll("roll", untrained, *QUICK, "--json").json["verdict"] == "NOTHING NEW"


def test_a_turn_takes_the_champion_s_time(untrained: Path) -> None:
    timed = (*MACHINE, *SMALL, "--train.most_steps", "30")
    assert snowroll("train", untrained, *timed, "--time", "6s").code == 0
    told = snowroll("roll", untrained, *timed, "--train.seed", "1", "--json")
    assert told.json["train"]["run"] == 2, told.err
    plans = [read_plan(untrained / "runs" / f"000{number}-train", find_task("classify_images")) for number in (1, 2)]
    assert [plan.time_s for plan in plans] == [6.0, 6.0]
    assert [plan.steps for plan in plans] == [30, 30]  # and no more, though the time would allow them


def ask_about(root: Path, kind: str) -> Sample:
    """A question of the data check's, about one of the project's files."""
    catalog = open_project(root, {}).store.catalog
    asked = next(sample for sample in catalog.samples().values() if sample.target == kind)
    catalog.ask([Queued(asked.id, f"{FOR_CHECK}: a test asks", 0.0)])
    return asked


def test_a_turn_trains_when_every_question_is_answered_and_not_before(project: Path) -> None:
    asked = ask_about(project, "bar")
    for _ in range(2):  # to say it again is no answer
        told = snowroll("roll", project, *QUICK, "--json").json
        assert (told["stage"], told["waiting"]) == ("label", 1)
        assert statuses(project) == ["done"]
    add_label(open_project(project, {}).store.catalog, Label("an-answer", asked.id, "ring", "ada", 0.0))
    told = snowroll("roll", project, *QUICK, "--json").json
    assert (told["stage"], told["train"]["run"]) == ("done", 2)


def test_a_turn_waits_for_no_question_about_a_file_that_is_gone(project: Path) -> None:
    asked = ask_about(project, "bar")
    assert snowroll("roll", project, *QUICK, "--json").json["waiting"] == 1
    (project / "data" / asked.where).unlink()
    told = snowroll("roll", project, *QUICK, "--json").json
    assert (told["stage"], told["train"]["run"]) == ("done", 2)


def test_what_learnt_from_a_forgotten_input_is_not_told_again(project: Path) -> None:
    opened = open_project(project, {})
    catalog, raw = opened.store.catalog, png(shape("bar", 7_000))
    opened.store.capture([(Record("r1", "m", 0.0, sha256(raw).hexdigest(), "bar", 0.9, 0.1), raw)])
    (sent,) = samples_of(opened, catalog.records())
    catalog.add_samples([sent])
    add_label(catalog, Label("an-answer", sent.id, "bar", "ada", 0.0))
    assert snowroll("train", project, *QUICK, "--json").json["run"] == 2
    assert "learned from it or were judged by it: 2; retrain" in snowroll("forget", project, "r1").out
    told = snowroll("train", project, *QUICK, "--json")
    assert told.json["run"] == 3, "its trace would stay for ever"
    assert snowroll("train", project, *QUICK, "--json").json == told.json
    assert snowroll("doctor", project, "--deep").code == 0


def test_checkpoints_are_freed_when_nothing_goes_on_from_them(untrained: Path) -> None:
    """Killed before it is done, the run goes on from them; killed just after, the next command frees them."""
    command = ["train", str(untrained), *QUICK, "--json"]
    for where, status in (("conclude", "running"), ("free_checkpoints", "done")):
        subprocess.run([sys.executable, "-c", DIES, where, *command], capture_output=True, timeout=300)
        assert statuses(untrained) == [status]
        assert list(untrained.glob("runs/*/checkpoints/step-*.json"))
    told = snowroll(*command).json
    assert not list(untrained.glob("runs/*/checkpoints"))
    (freed,) = open_project(untrained, {}).store.catalog.events("checkpoints.freed")
    assert freed.body["run"] == 1
    assert freed.body["bytes"] > 0
    assert snowroll(*command).json == told
    assert snowroll("train", untrained, *QUICK, "--train.seed", "1").code == 0
    assert not list(untrained.glob("runs/*/checkpoints"))
    assert snowroll("eval", untrained).code == 0
    assert snowroll("doctor", untrained, "--deep").code == 0
