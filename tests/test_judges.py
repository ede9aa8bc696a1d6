"""Networks that judge labels they never saw: they name the wrong ones, and go on when they are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from house_kit import MACHINE, SMALL, draw_shapes, intact, refused, snowroll

from snowroll.base.nouns import Sample
from snowroll.project.opened import open_project
from snowroll.project.opinions import known_opinions, opinions_on
from snowroll.tasks.detect_objects.example import example

EACH, WRONG = 100, 6  # pictures of a class, of which so many carry the other class's label
NETWORK = (*MACHINE, *SMALL, "--train.steps", "120")  # --time allows more


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A project, and the files that lie in the wrong folder."""
    root = tmp_path_factory.mktemp("flipped")
    data = draw_shapes(root / "data", each=EACH, classes=("bar", "ring"))
    wrong = set()
    for kind, other in (("bar", "ring"), ("ring", "bar")):
        for number in range(WRONG):
            home = data / other / f"{kind}{number}.png"
            (data / kind / f"{number:02}.png").rename(home)
            wrong.add(f"{other}/{home.name}")
    assert snowroll("init", root, *NETWORK).code == 0
    return root, wrong


def suspects(root: Path, *flags: str) -> list[str]:
    found = snowroll("check", root, *flags, "--json").json["faults"]
    return [path for fault in found if fault["code"] == "suspect_labels" for path in fault["paths"]]


@pytest.mark.slow
def test_networks_name_the_wrong_labels_and_their_word_is_kept(flipped: tuple[Path, set[str]]) -> None:
    root, wrong = flipped
    assert "networks that judge the labels" in snowroll("check", root).out
    named = suspects(root, "--time", "60s")
    assert len(set(named) & wrong) >= WRONG
    assert len(set(named) - wrong) <= 2
    assert suspects(root) == named  # kept, and told again without a training
    assert "networks that judge the labels" not in snowroll("check", root).out
    assert not list((root / ".snowroll").rglob("opinions/*/steps.json"))
    intact(root)


@pytest.mark.slow
def test_opinions_of_other_classes_or_of_few_samples_are_not_used(flipped: tuple[Path, set[str]]) -> None:
    root, _ = flipped
    snowroll("check", root, "--time", "60s")
    opened = open_project(root, {})
    kept, samples = known_opinions(opened), list(opened.store.catalog.samples().values())
    classes = {"classes": ["bar", "ring"]}
    told = opinions_on(kept, samples, classes)
    assert told is not None
    assert told.shape == (2 * EACH, 2)
    assert np.allclose(told.sum(axis=1), 1, atol=0.01)
    assert opinions_on(kept, samples, {"classes": ["bar", "ring", "third"]}) is None
    strangers = [Sample(f"x{k}", "", "", "image", "bar") for k in range(3 * EACH)]
    assert opinions_on(kept, [*samples, *strangers], classes) is None
    assert opinions_on(None, samples, classes) is None


@pytest.mark.slow
def test_killed_it_goes_on_where_it_stopped(flipped: tuple[Path, set[str]], tmp_path: Path) -> None:
    root = tmp_path / "again"
    assert snowroll("init", root, "--data", flipped[0] / "data", *NETWORK, "--train.checkpoint_every", "1").code == 0
    command = [sys.executable, "-m", "snowroll", "check", str(root), "--time", "60s"]
    life = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list((root / ".snowroll").rglob("opinions/*/*/checkpoints/step-*.json")):
        assert life.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(life.pid, signal.SIGKILL)
    life.wait()
    said = snowroll("check", root, "--time", "60s")
    assert "going on from step" in said.err
    assert known_opinions(open_project(root, {})) is not None
    intact(root)


@pytest.mark.slow
def test_networks_see_what_was_forgotten(tmp_path: Path) -> None:
    """Boxes are taken away: those pictures are named, and hardly any other."""
    data = tmp_path / "p" / "data"
    settings = {**example(data, pictures=120), "task.mosaic": 0.3, "train.steps": 350}
    tree = json.loads((data / "boxes.json").read_text())
    crowded = [number for number in range(120) if sum(one["image_id"] == number for one in tree["annotations"]) > 1]
    first = {one["image_id"]: one["id"] for one in reversed(tree["annotations"])}
    gone = {first[number] for number in crowded[:8]}
    tree["annotations"] = [one for one in tree["annotations"] if one["id"] not in gone]
    (data / "boxes.json").write_text(json.dumps(tree))
    flags = [word for key, value in settings.items() for word in (f"--{key}", str(value).lower())]
    assert snowroll("init", tmp_path / "p", *MACHINE, *flags).code == 0
    assert "what was missed in labelling" in snowroll("check", tmp_path / "p").out
    faults = snowroll("check", tmp_path / "p", "--time", "120s", "--json").json["faults"]
    (found,) = [fault for fault in faults if fault["code"] == "unlabelled_objects"]
    named = {int(Path(path).stem) for path in found["paths"]}
    assert len(named & set(crowded[:8])) >= 5
    assert len(named - set(crowded[:8])) <= 3


@pytest.mark.slow
def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    draw_shapes(tmp_path / "few", each=20, classes=("bar", "ring"))
    assert snowroll("init", tmp_path / "few").code == 0
    refused(snowroll("check", tmp_path / "few", "--time", "10s"), "40 labelled samples are too few", "--time", code=1)
    refused(snowroll("check", tmp_path / "few", "--time", "soon"), "'soon' is not a time", code=2)


def test_tasks_whose_targets_no_network_judges_say_so(tmp_path: Path) -> None:
    rows = "".join(f"{number},{number % 7},{2.5 * number + number % 7}\n" for number in range(120))
    (tmp_path / "table.csv").write_text("width,kind,price\n" + rows)
    project = tmp_path / "project"
    assert snowroll("init", project, "--data", tmp_path / "table.csv", "--task", "tabular_values").code == 0
    assert "left out  networks" not in snowroll("check", project).out
    refused(snowroll("check", project, "--time", "20s"), "does not say what a network's word means", code=2)
