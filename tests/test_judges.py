"""Networks that judge labels they never saw: they name the wrong ones, and go on when they are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from house_kit import MACHINE, SMALL, intact, png, refused, snowroll

from snowroll.base.nouns import Sample
from snowroll.project.opened import open_project
from snowroll.project.opinions import known_opinions, opinions_on

EACH, WRONG = 120, 6  # pictures of a class, of which so many carry the other class's label
NETWORK = (*MACHINE, *SMALL, "--train.lr", "0.003")


def squares(seed: int, kind: str) -> np.ndarray:
    """A bright square and a dark one, which lies in it or beside it."""
    rng = np.random.default_rng([seed, len(kind)])
    picture = rng.integers(90, 110, (24, 24, 3)).astype(np.uint8)
    y, x = rng.integers(0, 8, 2)
    inside = kind == "hollow"
    picture[y : y + 8, x : x + 8] = 230
    y, x = (y + 2, x + 2) if inside else ((y + 12, x + 2) if rng.random() < 0.5 else (y + 2, x + 12))
    picture[y : y + 4, x : x + 4] = 20
    return picture


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A project, and the files that lie in the wrong folder."""
    root = tmp_path_factory.mktemp("flipped")
    wrong = set()
    for kind, other in (("hollow", "solid"), ("solid", "hollow")):
        for number in range(EACH):
            home = other if number < WRONG else kind
            (root / "data" / home).mkdir(parents=True, exist_ok=True)
            path = root / "data" / home / f"{kind[0]}{number}.png"
            path.write_bytes(png(squares(number, kind)))
            if number < WRONG:
                wrong.add(f"{home}/{path.name}")
    assert snowroll("init", root, *NETWORK).code == 0
    return root, wrong


def suspects(root: Path, *flags: str) -> list[str]:
    found = snowroll("check", root, *flags, "--json").json["faults"]
    return [path for fault in found if fault["code"] == "suspect_labels" for path in fault["paths"]]


def test_networks_name_the_wrong_labels_and_their_word_is_kept(flipped: tuple[Path, set[str]]) -> None:
    root, wrong = flipped
    assert "networks that judge the labels" in snowroll("check", root).out
    named = suspects(root, "--time", "12s")
    assert len(set(named) & wrong) >= WRONG  # half of them: how long the networks learn is up to the machine
    assert len(set(named) - wrong) <= len(set(named) & wrong) / 2
    assert suspects(root) == named  # kept, and told again without a training
    assert "networks that judge the labels" not in snowroll("check", root).out
    assert not list((root / ".snowroll").rglob("opinions/*/steps.json"))
    intact(root)


def test_opinions_of_other_classes_or_of_few_samples_are_not_used(flipped: tuple[Path, set[str]]) -> None:
    root, _ = flipped
    snowroll("check", root, "--time", "6s")
    opened = open_project(root, {})
    kept, samples = known_opinions(opened), list(opened.store.catalog.samples().values())
    classes = {"classes": ["hollow", "solid"]}
    told = opinions_on(kept, samples, classes)
    assert told is not None
    assert told.shape == (2 * EACH, 2)
    assert np.allclose(told.sum(axis=1), 1, atol=0.01)
    assert opinions_on(kept, samples, {"classes": ["hollow", "solid", "third"]}) is None
    strangers = [Sample(f"x{k}", "", "", "image", "solid") for k in range(3 * EACH)]
    assert opinions_on(kept, [*samples, *strangers], classes) is None
    assert opinions_on(None, samples, classes) is None


def test_killed_it_goes_on_where_it_stopped(flipped: tuple[Path, set[str]], tmp_path: Path) -> None:
    root = tmp_path / "again"
    assert snowroll("init", root, "--data", flipped[0] / "data", *NETWORK, "--train.checkpoint_every", "1").code == 0
    command = [sys.executable, "-m", "snowroll", "check", str(root), "--time", "14s"]
    life = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list((root / ".snowroll").rglob("opinions/*/*/checkpoints/*")):
        assert life.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    os.kill(life.pid, signal.SIGKILL)
    life.wait()
    said = snowroll("check", root, "--time", "14s")
    assert "going on from step" in said.err
    assert known_opinions(open_project(root, {})) is not None
    intact(root)


def test_what_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    for kind in ("hollow", "solid"):
        (tmp_path / "few" / kind).mkdir(parents=True)
        for number in range(20):
            (tmp_path / "few" / kind / f"{number}.png").write_bytes(png(squares(number, kind)))
    assert snowroll("init", tmp_path / "few").code == 0
    refused(snowroll("check", tmp_path / "few", "--time", "10s"), "40 labelled samples are too few", "--time", code=1)
    refused(snowroll("check", tmp_path / "few", "--time", "soon"), "'soon' is not a time", code=2)
