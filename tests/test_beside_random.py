"""A random split beside the one by group: for comparison, and for nothing else."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from catalog_kit import version_ids
from house_kit import QUICK, snowroll
from test_folds import draw_machines
from test_kill_train import bits, finish
from test_kill_train import snowroll as started

from snowroll.base.nouns import Item, Version
from snowroll.project.beside import at_random
from snowroll.project.data import pack_version
from snowroll.project.freezing import freeze
from snowroll.project.opened import open_project
from snowroll.project.stock import take_stock


def ignore(_: str) -> None:
    """A `say` that nobody listens to."""


def dealt(version: Version) -> Counter[tuple[str, object]]:
    return Counter((item.split, item.target) for item in version.items)


@pytest.mark.slow
def test_the_random_split_differs_in_nothing_but_the_groups(tmp_path: Path) -> None:
    opened = open_project(draw_machines(tmp_path / "machines"), {})
    version, _ = freeze(opened, take_stock(opened, ignore), {}, {})
    packed = pack_version(opened, version, opened.task.Options(size_px=16), ignore)
    drawn = at_random(opened, packed, seed=0)
    assert dealt(drawn.version) == dealt(version)
    assert {name: len(rows) for name, rows in drawn.rows.items()} == {n: len(r) for n, r in packed.rows.items()}
    assert all(drawn.version.items[row].split == split for split, rows in drawn.rows.items() for row in rows)
    assert [item.sample for item in drawn.version.items] == [item.sample for item in version.items]
    assert all(item.group is None for item in drawn.version.items)
    assert straddlers(version.items, version.items) == 0
    assert straddlers(drawn.version.items, version.items) > 0
    assert at_random(opened, packed, seed=0).version == drawn.version
    assert at_random(opened, packed, seed=1).version != drawn.version


def straddlers(items: tuple[Item, ...], grouped: tuple[Item, ...]) -> int:
    """How many groups lie on both sides of the locked set."""
    sides = {(of.group, item.split == "test") for item, of in zip(items, grouped, strict=True)}
    return sum(n > 1 for n in Counter(group for group, _ in sides).values())


def test_without_groups_it_is_refused_before_a_run_is_made(untrained: Path) -> None:
    said = snowroll("train", untrained, *QUICK, "--beside-random", "--json")
    assert said.code == 2
    assert "no groups" in said.json["error"]
    assert "--prepare.group PATTERN" in said.json["cure"]
    assert not list((untrained / "runs").iterdir())


@pytest.mark.slow
def test_it_is_told_side_by_side_and_changes_nothing(tmp_path: Path) -> None:
    root = draw_machines(tmp_path / "machines")
    told = snowroll("train", root, *QUICK, "--beside-random", "--json").json
    beside = told["beside_random"]
    assert beside["grouped"] == {key: told[key] for key in ("value", "interval", "n")}
    assert beside["n"] == told["n"]
    assert beside["difference"]["value"] == pytest.approx(beside["value"] - told["value"])
    assert json.loads((root / "runs" / "0001-train" / "random" / "beside.json").read_text()) == beside
    page = Path(told["report"]).read_text()
    assert "Split by group, and split at random" in page
    catalog = open_project(root, {}).store.catalog
    (run,) = catalog.runs()
    assert catalog.pointer("champion") == "1"
    assert catalog.pointer("version") == catalog.pointer("locked") == run.version
    assert dealt_at_random(version_ids(catalog), root) == []
    assert not list((root / "runs" / "0001-train" / "random").rglob("config.json"))
    assert snowroll("doctor", root, "--deep").code == 0
    # a person reads both, one under the other
    lines = snowroll("train", root, *QUICK, "--fresh", "--beside-random").out.splitlines()
    places = [n for n, line in enumerate(lines) if line.startswith(("by group", "random"))]
    assert places[1] == places[0] + 1


def dealt_at_random(versions: Sequence[str], root: Path) -> list[str]:
    """Versions in the catalog that forget the groups."""
    store = open_project(root, {}).store
    found = {id: store.catalog.version(id, store.blobs) for id in versions}
    return [id for id, one in found.items() if one is None or straddlers(one.items, one.items) or None in groups(one)]


def groups(version: Version) -> set[str | None]:
    return {item.group for item in version.items}


@pytest.mark.slow
def test_killed_in_a_fold_or_in_the_random_run_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    flags = [*QUICK, "--train.folds", "2", "--train.checkpoint_every", "3", "--beside-random"]
    whole, killed = (draw_machines(tmp_path / name) for name in ("whole", "killed"))
    finish("train", str(whole), *flags)
    for begun in ("folds/1/checkpoints/*.json", "random/folds/1/checkpoints/*.json"):
        life = started("train", str(killed), *flags)
        while life.poll() is None and not list(killed.glob(f"runs/*/{begun}")):
            time.sleep(0.01)
        assert life.poll() is None, "it ended before it could be killed"
        os.killpg(life.pid, signal.SIGKILL)
        life.communicate()
    finish("train", str(killed), *flags)
    assert len(list((killed / "runs").iterdir())) == 1, "the same command must resume, not begin anew"
    assert not list(killed.glob("runs/*/folds/*/checkpoints")), "nothing goes on from a run that is done"
    assert bits(killed) == bits(whole)
    for name in ("folds/folds.json", "folds/out-of-fold.jsonl", "random/beside.json", "random/metrics.jsonl"):
        assert (killed / "runs/0001-train" / name).read_bytes() == (whole / "runs/0001-train" / name).read_bytes()
    finish("doctor", str(killed), "--deep")
