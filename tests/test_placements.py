"""A split once given is kept for ever, also by samples that a version was without; and there is a locked set."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from shutil import copyfile, rmtree

import numpy as np
import pytest
from house_kit import CLASSES, MACHINE, draw_shapes, snowroll
from PIL import Image

from snowroll.base.errors import DataError
from snowroll.base.nouns import Sample, Split, Version
from snowroll.project.data import pack_version
from snowroll.project.freezing import freeze
from snowroll.project.judging import Judged
from snowroll.project.opened import Opened, open_project
from snowroll.project.placements import placements
from snowroll.project.promotion import _earlier_sets
from snowroll.project.reference import reference
from snowroll.project.stock import take_stock

pytestmark = pytest.mark.slow

NEAR = "near_copies_across_splits"


def ignore(text: str) -> None: ...


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    draw_shapes(tmp_path / "shapes" / "data", each=20)
    assert snowroll("init", tmp_path / "shapes").code == 0
    return open_project(tmp_path / "shapes", {})


def frozen(opened: Opened, left_out: Collection[str] = ()) -> Version:
    again = open_project(opened.root, {})  # as another command would: the folder is looked at anew
    return freeze(again, take_stock(again, ignore), dict.fromkeys(left_out, NEAR), {})[0]


def splits(version: Version) -> dict[str, Split]:
    return {item.sample: item.split for item in version.items}


def test_files_that_were_away_come_back_to_their_splits(opened: Opened, tmp_path: Path) -> None:
    before = splits(frozen(opened))
    away = sorted((opened.root / "data").rglob("*.png"))[::2]
    for number, path in enumerate(away):
        path.rename(tmp_path / f"{number}.png")
    assert len(frozen(opened).items) == 30
    draw_shapes(opened.root / "data" / "more", each=5, seed=1)  # a second version without them, on other data
    for version in (frozen(opened), frozen(opened)):
        assert {name: split for name, split in splits(version).items() if name in before}.items() <= before.items()
    for number, path in enumerate(away):
        (tmp_path / f"{number}.png").rename(path)
    assert before.items() <= splits(frozen(opened)).items()


def test_what_left_training_as_a_copy_comes_back_to_training(opened: Opened) -> None:
    first = splits(frozen(opened))
    copies = [name for name, split in first.items() if split == "train"][::2]
    assert not splits(frozen(opened, copies)).keys() & set(copies)
    twins = [name for name, split in first.items() if split == "test"][::2]
    for sample in opened.store.catalog.samples(twins).values():
        (opened.root / "data" / sample.where).unlink()
    after = splits(frozen(opened))
    assert {after[name] for name in copies} == {"train"}
    assert after.items() <= first.items()


def test_what_was_left_out_from_the_first_is_training_s(opened: Opened) -> None:
    copies = sorted(opened.store.catalog.samples())[::3]
    frozen(opened, copies)
    after = splits(frozen(opened))
    assert {after[name] for name in copies} == {"train"}


def contents(opened: Opened, version: Version) -> dict[str, Split]:
    known = opened.store.catalog.samples([item.sample for item in version.items])
    return {known[item.sample].content: item.split for item in version.items}


def test_renamed_classes_and_moved_and_relabelled_files_keep_their_splits(opened: Opened) -> None:
    before, data = contents(opened, frozen(opened)), opened.root / "data"
    (data / "bar").rename(data / "beam")  # a class has a better name
    for path in sorted((data / "ring").iterdir())[::2]:  # these were crosses
        path.rename(data / "cross" / f"was-{path.name}")
    assert contents(opened, frozen(opened)) == before
    for name in ("beam", "cross", "ring"):
        (data / "all").mkdir(exist_ok=True)
        (data / name).rename(data / "all" / name)
    assert contents(opened, frozen(opened)) == before


def test_an_earlier_locked_set_is_found_again_under_new_names(opened: Opened) -> None:
    first = frozen(opened)
    opened.store.catalog.set_pointer("locked", first.id, {})
    (opened.root / "data" / "bar").rename(opened.root / "data" / "beam")
    draw_shapes(opened.root / "data", each=40, classes=["bar"], seed=1)
    ids = [item.sample for item in frozen(opened).of("test")]
    credit = np.arange(len(ids)) / len(ids)
    judged = Judged([], [], list(ids), [], credit, ids)
    (pairs,) = _earlier_sets(opened, judged, judged).values()
    assert len(pairs.old) == len(first.of("test")) < len(ids)


def test_a_version_is_read_from_where_its_files_lie_now(opened: Opened) -> None:
    first, plan = frozen(opened), opened.task.Options(size_px=16)
    was = pack_version(opened, first, plan, ignore).pack.columns["image"].tolist()
    rmtree(opened.store.packs)
    data = opened.root / "data"
    copyfile(data / "bar" / "00.png", data / "ring" / "copy.png")  # one content in two places, of which one goes away
    (data / "bar").rename(data / "beam")
    frozen(opened)
    packed = pack_version(open_project(opened.root, {}), first, plan, ignore)
    assert not packed.pack.failed
    assert packed.pack.columns["image"].tolist() == was


def test_files_saved_anew_keep_their_splits(opened: Opened) -> None:
    before = {name: splits(frozen(opened))[s.id] for name, s in wheres(opened).items()}
    for path in (opened.root / "data").rglob("*.png"):
        Image.open(path).rotate(1).save(path)
    after = splits(frozen(opened))
    assert {name: after[s.id] for name, s in wheres(opened).items()} == before


def wheres(opened: Opened) -> dict[str, Sample]:
    return {sample.where: sample for sample in opened.store.catalog.samples().values()}


def test_a_file_moved_into_another_declared_split_is_told_and_stays(opened: Opened) -> None:
    data = opened.root / "data"
    for name in CLASSES:
        for k, path in enumerate(sorted((data / name).iterdir())):
            there = data / ("test" if k < 5 else "train") / name / path.name
            there.parent.mkdir(parents=True, exist_ok=True)
            path.rename(there)
        (data / name).rmdir()
    before = contents(opened, frozen(opened))
    for name in CLASSES:
        (data / "test" / name / "00.png").rename(data / "train" / name / "00.png")
    again = open_project(opened.root, {})
    version, words = freeze(again, take_stock(again, ignore), {}, {})
    assert contents(again, version) == before
    assert any(line.startswith("3 of them the folder declares for another one by now") for line in words)


def test_placements_are_read_from_the_chain_where_the_cache_is_gone(opened: Opened) -> None:
    first = splits(frozen(opened))
    frozen(opened, list(first)[:5])
    path = opened.store.packs / "placements" / f"{frozen(opened).id}.json"
    known = placements(opened)
    assert path.is_file()
    for cached in path.parent.iterdir():
        cached.unlink()
    assert placements(opened) == known
    assert known.keys() == first.keys()


@pytest.mark.parametrize("verb", ["train", "roll"])
def test_an_empty_locked_test_set_is_refused_before_anything_is_spent(opened: Opened, verb: str) -> None:
    said = snowroll(verb, opened.root, *MACHINE, "--prepare.test", "0", "--json")
    assert said.code == 1
    assert said.json == {
        "error": "the locked test set is empty, so no model could be judged",
        "where": "prepare.test 0",
        "cure": "say 0.2",
    }
    assert not list((opened.root / "runs").iterdir())


def test_drift_is_not_judged_without_a_collected_test_sample(project: Path) -> None:
    opened = open_project(project, {})
    catalog = opened.store.catalog
    version = catalog.version(catalog.pointer("version") or "", opened.store.blobs)
    assert version is not None
    locked = catalog.samples([item.sample for item in version.of("test")]).values()
    catalog.add_samples([replace(sample, origin="production") for sample in locked])
    with pytest.raises(DataError, match="no collected sample is in the locked test set"):
        reference(opened, ignore)
