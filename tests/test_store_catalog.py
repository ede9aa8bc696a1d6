"""What the catalog promises the verbs: idempotent commands, one truth per question, nothing that is not a number."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from catalog_kit import add_label, label_history, version_ids
from sqlalchemy import text
from store_children import N, make_project, sample

from snowroll.base.errors import StoreError, UsageError
from snowroll.base.nouns import Artifact, Item, Metric, Record, Sample, Version
from snowroll.store import tables
from snowroll.store.project import Project
from snowroll.store.rows import Label, Queued


class Clock:
    """A clock that stands still until it is set, forwards or back."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def project(tmp_path: Path, clock: Clock) -> Iterator[Project]:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p", clock=clock) as project:
        yield project
        assert project.check_invariants(deep=True) == []


def click(n: int, target: object = "cat", **more: object) -> Label:
    return replace(Label(f"c{n}", sample(0).id, target, "ann", 5.0), **more)


def test_creating_twice_is_refused_and_a_bare_folder_is_named(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a project already"):
        Project.create(project.root, None, "")
    with pytest.raises(StoreError, match="no catalog"):
        Project.open(tmp_path)


def test_samples_are_known_once_and_come_back_from_retirement(project: Project) -> None:
    catalog, first = project.catalog, sample(0)
    assert catalog.add_samples([first, first, sample(1)]) == 0
    assert catalog.add_samples([replace(first, target={"class": "cat"}, group="cage 4")]) == 1
    assert catalog.samples([first.id, "unknown"]) == {first.id: replace(first, target={"class": "cat"}, group="cage 4")}
    catalog.retire_samples([first.id], "the file was removed")
    assert first.id not in catalog.samples()
    assert first.id in catalog.samples([first.id])
    catalog.add_samples([first])
    assert len(catalog.samples()) == N


def test_many_samples_in_one_call(project: Project) -> None:
    many = [Sample(f"{n:016x}", f"d/{n}", "0" * 64, "image", weight=1) for n in range(1_203)]
    assert project.catalog.add_samples(many) == 1_203
    assert [*project.catalog.samples([one.id for one in many]).values()] == many


def test_the_latest_label_counts_and_undo_brings_back_the_one_before(project: Project) -> None:
    catalog = project.catalog
    assert add_label(catalog, click(1, "cat", at=9.0))
    assert add_label(catalog, click(2, "dog", at=1.0, by="bob", blind=True, for_test=True))  # its clock goes slow
    assert catalog.labels()[sample(0).id] == click(2, "dog", at=1.0, by="bob", blind=True, for_test=True)
    assert [label.by for label in label_history(catalog, sample(0).id)] == ["ann", "bob"]
    assert catalog.undo_label("c2")
    assert not catalog.undo_label("c2")
    assert catalog.labels()[sample(0).id].target == "cat"
    assert not add_label(catalog, click(2, "dog", by="bob", blind=True, for_test=True)), "a late repeat stays undone"
    assert catalog.labels()[sample(0).id].target == "cat"


def test_a_label_that_cannot_be_is_refused_in_words(project: Project) -> None:
    catalog = project.catalog
    add_label(catalog, click(1))
    for wrong, words in [
        (click(1, "dog"), "was used for another answer"),
        (click(2, sample="nobody"), "no sample 'nobody'"),
        (click(3, math.nan), "cannot be stored"),
        (click(4, at=math.inf), "at is inf"),
        (click(5, by="\udcff"), "not valid Unicode"),
    ]:
        with pytest.raises(StoreError, match=words):
            add_label(catalog, wrong)
    with pytest.raises(StoreError, match="no label"):
        catalog.undo_label("c9")
    assert [label.client_id for label in label_history(catalog)] == ["c1"]


def test_no_nan_enters_by_any_door(project: Project) -> None:
    catalog, run = project.catalog, project.new_run("train")
    nan = math.nan
    for write in (
        lambda: catalog.add_samples([replace(sample(0), weight=nan)]),
        lambda: catalog.add_records([(Record("r", "a", 0.0, "0" * 64, "cat", nan, 0.5), 1)]),
        lambda: catalog.start_run(run, {"lr": nan}, None),
        lambda: catalog.finish_run(run, "done", Metric(nan, 0.0, 1.0, 9)),
        lambda: catalog.set_pointer("champion", "1", {"score": nan}),
        lambda: catalog.save_roll(1, "mine", {"drift": nan}),
        lambda: catalog.fill_queue([Queued(sample(0).id, "doubt", nan)]),
        lambda: catalog.note("promotion", {"p": nan}),
    ):
        with pytest.raises(StoreError):
            write()
    assert catalog.runs()[0].status == "new"
    assert catalog.pointer("champion") is None


INSERT_ROLL = "INSERT INTO rolls (number, stage, state, at) VALUES (:number, :stage, :state, :at)"


def test_strict_tables_refuse_the_wrong_type(project: Project) -> None:
    row = {"number": 1, "stage": "mine", "state": "{}", "at": "noon"}
    with pytest.raises(StoreError, match="cannot store TEXT value in REAL column"):
        project.catalog.write(lambda conn: conn.execute(text(INSERT_ROLL), row))


def test_a_failed_write_takes_nobody_else_with_it(project: Project) -> None:
    def half(conn: object) -> None:
        conn.execute(tables.pointers.insert(), {"name": "half", "value": "1"})  # type: ignore[attr-defined]
        raise KeyError("our mistake")

    with pytest.raises(KeyError, match="our mistake"):
        project.catalog.write(half)
    assert project.catalog.pointer("half") is None
    project.catalog.set_pointer("version", "1", {})
    project.catalog.write(lambda conn: conn.execute(tables.pointers.delete()))
    assert project.check_invariants() == ["pointer version is in the journal, not in its table"]
    project.catalog.write(lambda conn: conn.execute(tables.pointers.insert(), {"name": "version", "value": "1"}))
    assert project.check_invariants() == ["pointer version: there is no 1"]
    version = Version.freeze([], {})
    project.catalog.add_version(version, project.blobs)
    project.catalog.set_pointer("version", version.id, {})


def test_the_queue_serves_the_worthiest_once(project: Project, clock: Clock) -> None:
    catalog, ids = project.catalog, [sample(n).id for n in range(4)]
    assert catalog.fill_queue(Queued(id, "doubt", 10.0 - n) for n, id in enumerate(ids)) == 4
    assert [item.sample for item in catalog.next_queued(2, "ann")] == [ids[3], ids[2]]
    assert [item.sample for item in catalog.next_queued(2, "bob")] == [ids[1], ids[0]]
    assert catalog.next_queued(2, "cid") == []
    assert [item.sample for item in catalog.next_queued(1, "ann")] == [ids[3]], "her own page may load again"
    add_label(catalog, Label("c1", ids[3], "cat", "ann", 0.0))
    assert catalog.left_in_queue() == 3
    clock.now += 301
    assert [item.sample for item in catalog.next_queued(9, "cid")] == [ids[2], ids[1], ids[0]]
    clock.now = -1e9  # the clock was set back
    assert len(catalog.next_queued(9, "dan")) == 3
    catalog.undo_label("c1")
    assert [item.sample for item in catalog.next_queued(1, "eve")] == [ids[3]]
    add_label(catalog, Label("c2", ids[3], "cat", "ann", 0.0))
    asked = [Queued(ids[3], "doubt", 0.0), Queued(ids[0], "new", 1.0)]
    assert catalog.fill_queue(asked) == 1, "answered: not asked again"
    assert catalog.next_queued(9, "fay") == [Queued(ids[0], "new", 1.0)]


def test_a_version_comes_back_whole_and_a_rotten_manifest_is_named(project: Project) -> None:
    items = [Item(sample(n).id, "cat", "train", group=f"g{n}", weight=0.5) for n in range(5)]
    version = Version.freeze(items, {"type": "choice", "classes": ["cat"]}, None, {sample(9).id: "unreadable"})
    project.catalog.add_version(version, project.blobs)
    project.catalog.add_version(version, project.blobs)
    assert project.catalog.version(version.id, project.blobs) == version
    assert project.catalog.version("nothing", project.blobs) is None
    assert version_ids(project.catalog) == [version.id]
    manifest = next(project.blobs.path(sha) for sha in project.blobs.all())
    whole = manifest.read_bytes()
    manifest.write_bytes(whole.replace(b"0.5", b"0.7"))
    assert str(manifest) in project.check_invariants()[0]
    with pytest.raises(StoreError, match="no longer holds"):
        project.catalog.version(version.id, project.blobs)
    manifest.write_bytes(whole)


def test_a_run_from_number_to_end(project: Project) -> None:
    catalog = project.catalog
    first = project.new_run("train")
    assert (first.number, first.path) == (1, project.runs / "0001-train")
    (project.runs / "0002-train").mkdir()  # of a killed `new_run`: empty, so it is taken over
    (project.runs / "0003-train").mkdir()
    (project.runs / "0003-train" / "notes.txt").write_text("the user's")
    assert [project.new_run("train").number for _ in range(2)] == [2, 4]
    catalog.start_run(first, {"lr": 0.1}, None)
    catalog.finish_run(first, "done", Metric(0.9, 0.8, 0.95, 100))
    run = catalog.run(1)
    assert run is not None
    assert (run.status, run.plan, run.metric) == (
        "done",
        {"lr": 0.1},
        {"value": 0.9, "low": 0.8, "high": 0.95, "n": 100},
    )
    blob = project.blobs.put(b"onnx")
    artifact = Artifact("a1", "0001-train", "onnx", blob, 4, {"input": "rgb"}, {"largest": 0.0})
    catalog.add_artifact(artifact)
    catalog.add_artifact(artifact)
    assert catalog.artifacts() == catalog.artifacts("0001-train") == [artifact]
    with pytest.raises(StoreError, match="no run 77"):
        project.run(77)
    first.path.rmdir()
    assert project.check_invariants() == ["run 1: its folder runs/0001-train is gone"]
    first.path.mkdir()


def test_pointers_and_rolls_remember(project: Project) -> None:
    catalog = project.catalog
    assert catalog.pointer("layout") is None
    assert catalog.story("layout") is None
    for value in "aba":
        catalog.set_pointer("layout", value, {"why": value * 2})
    assert catalog.pointer("layout") == "a"
    assert catalog.pointer_history("layout") == ["a", "b", "a"]
    assert catalog.story("layout") == {"why": "aa"}
    catalog.save_roll(1, "collect", {"records": 3})
    catalog.save_roll(1, "mine", {"asked": ["x"]})
    assert [(roll.stage, roll.state) for roll in catalog.rolls()] == [("mine", {"asked": ["x"]})]
    assert [entry.body["stage"] for entry in catalog.events("roll.stage")] == ["collect", "mine"]


def test_a_newer_project_is_refused(project: Project) -> None:
    project.catalog.write(lambda conn: conn.execute(tables.about.update().values(value="999")))
    with pytest.raises(StoreError, match="newer Snowroll"):
        Project.open(project.root)
    with pytest.raises(StoreError, match="newer Snowroll"):
        Project.open(project.root, read_only=True)
    project.catalog.write(lambda conn: conn.execute(tables.about.update().values(value=str(tables.SCHEMA))))


@pytest.mark.parametrize("damage", [b"not a database at all" * 500, b""], ids=["overwritten", "emptied"])
def test_a_damaged_catalog_is_one_sentence(tmp_path: Path, damage: bytes) -> None:
    make_project(tmp_path / "p")
    (tmp_path / "p" / ".snowroll" / "catalog.sqlite").write_bytes(damage)
    with pytest.raises(StoreError, match="catalog"):
        Project.open(tmp_path / "p")
