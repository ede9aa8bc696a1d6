"""What serving keeps: a model's examples outlast every clean-up and are nobody else's; what was sent grows old."""

import json
import shutil
from base64 import b64decode
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from time import monotonic, sleep, time

import numpy as np
import pytest
from house_kit import png, shape, snowroll

from snowroll.base import atomic
from snowroll.base.errors import StoreError
from snowroll.base.nouns import Record
from snowroll.deploy.process import running
from snowroll.deploy.session import self_test
from snowroll.deploy.settings import ServeSettings
from snowroll.project.artifacts import load_artifact, make_artifact
from snowroll.project.data import Packed, pack_version
from snowroll.project.looks import look_at
from snowroll.project.mining import samples_of
from snowroll.project.models import Trained, load_model
from snowroll.project.opened import Opened, open_project
from snowroll.verbs.serve import current_artifact, make_service

DAY_S = 86_400.0


def sha(coded: str) -> str:
    return sha256(b64decode(coded)).hexdigest()


def examples_of(opened: Opened) -> str:
    """The blob that holds them."""
    return opened.store.catalog.artifacts()[-1].contract["examples"]


def learned(opened: Opened) -> tuple[Trained, Packed]:
    trained = load_model(opened)
    version = opened.store.catalog.version(trained.version, opened.store.blobs)
    assert version is not None
    return trained, pack_version(opened, version, trained.plan.task, print)


def test_examples_outlast_a_day_of_serving(project: Path) -> None:
    opened = open_project(project, {})
    opened.store.prune(opened.store.blobs.path(examples_of(opened)).stat().st_mtime + 2 * DAY_S)
    self_test(load_artifact(opened, current_artifact(opened)))


def test_lost_examples_are_told_and_made_again(project: Path) -> None:
    opened = open_project(project, {})
    assert snowroll("export", project, "--int8").code == 0  # a second artifact that shares them
    lost = examples_of(opened)
    opened.store.blobs.forget(lost)
    with pytest.raises(StoreError, match=r"stored examples .* are gone; run `snowroll export .* --run 1`"):
        load_artifact(opened, current_artifact(opened))
    said = snowroll("doctor", project)
    assert said.code == 1
    assert f"{lost[2:]}: this blob is missing" in said.out
    assert snowroll("export", project).code == 0
    self_test(load_artifact(opened, current_artifact(opened)))
    assert snowroll("doctor", project).code == 0


def test_other_examples_in_the_place_of_lost_ones_are_journalled(project: Path) -> None:
    """Another machine rounds otherwise: the blob gets another name."""
    opened = open_project(project, {})
    artifact = opened.store.catalog.artifacts()[-1]
    kept = opened.store.blobs.put(b"rounded otherwise")
    changed = replace(artifact, contract={**artifact.contract, "examples": kept})
    opened.store.catalog.add_artifact(changed)
    assert opened.store.catalog.artifacts() == [changed]
    assert opened.store.check_invariants() == []


def test_no_example_is_what_production_sent(project: Path) -> None:
    """Without a validation part they come from training, where production's inputs lie among the user's files."""
    opened = open_project(project, {})
    trained, packed = learned(opened)
    items = packed.version.items
    rows = packed.rows["train"]
    sent = [items[row].sample for row in rows[:-3]]
    opened.store.catalog.add_samples(replace(sample, origin="production") for sample in opened.samples(sent).values())
    opened.store.blobs.forget(examples_of(opened))
    make_artifact(opened, trained, replace(packed, rows={**packed.rows, "val": rows[:0]}), print)
    own = [sample.content for sample in opened.samples([items[row].sample for row in rows[-3:]]).values()]
    kept = json.loads(opened.store.blobs.get(examples_of(opened)))
    assert sorted(sha(row["raw"]) for row in kept) == sorted(own)


def test_a_server_erases_what_grew_too_old_while_none_ran(project: Path) -> None:
    opened = open_project(project, {})
    record = Record("r1", "a", time() - 31 * DAY_S, sha256(b"old").hexdigest(), "bar", 0.9, 0.1, "")
    opened.store.capture([(record, b"old")])
    settings = ServeSettings(port=0)
    with running(make_service(opened, settings), settings):
        deadline = monotonic() + 30
        while opened.store.catalog.records():
            assert monotonic() < deadline, "it is still there"
            sleep(0.02)
    assert not opened.store.blobs.has(record.content)


def test_an_evicted_picture_leaves_no_thumbnail(project: Path) -> None:
    opened = open_project(project, {})
    raws = [png(shape("bar", seed)) for seed in (9_001, 9_002)]
    contents = [sha256(raw).hexdigest() for raw in raws]
    for raw, content in zip(raws, contents, strict=True):
        opened.store.capture([(Record(content[:8], "a", time(), content, "bar", 0.9, 0.1, ""), raw)])
        look_at(opened, samples_of(opened, opened.store.catalog.records()), print)
        opened.store.prune(time(), max_bytes=0)
    looks = next((opened.store.packs / "looks").glob("*/looks.json")).read_text()
    assert [content in looks for content in contents] == [False, True]


def test_looks_that_were_half_saved_are_the_old_ones(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two of its files, however many rows each has: no picture is shown under another's name."""
    opened = open_project(project, {})
    samples = list(opened.store.catalog.samples().values())
    before = look_at(opened, samples, print)
    shutil.rmtree(opened.store.packs / "looks")
    look_at(opened, samples[:-1], print)
    monkeypatch.setattr(atomic, "write_json", killed)
    with pytest.raises(KeyboardInterrupt):  # as many rows, another one among them
        look_at(opened, samples[:-2] + samples[-1:], print)
    monkeypatch.undo()
    after = look_at(opened, samples, print)
    assert all(np.array_equal(after[id].thumbnail, seen.thumbnail) for id, seen in before.items())


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt
