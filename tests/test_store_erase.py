"""Forgetting: after it, no byte of what was forgotten is left in any file of the project. Retention and quota."""

import hashlib
from pathlib import Path

import pytest
from catalog_kit import add_label
from store_children import make_project, sample

from snowroll.base.errors import StoreError
from snowroll.base.nouns import Item, Record, Sample, Version
from snowroll.store import erase
from snowroll.store.engine import scrub
from snowroll.store.project import Project
from snowroll.store.rows import Forgotten, Label, Queued


def capture(
    project: Project, id: str, raw: bytes, at: float = 0.0, prediction: str = "cat", truth: str | None = None
) -> Record:
    content = hashlib.sha256(raw).hexdigest()
    record = Record(id, "model 1", at, content, prediction, 0.9, 0.1, "ward canary-source", truth)
    project.capture([(record, raw)])
    return record


def ask(project: Project, record: Record) -> Sample:
    """Make a sample of a record and queue it, as mining does; it takes the place of the open questions."""
    where = f"blob:{record.content}"
    new = Sample(Sample.name(where, record.content), where, record.content, "image", origin="production")
    project.catalog.fill_queue([Queued(new.id, "doubt", 0.0)], about=[new])
    return new


def adopt(project: Project, record: Record, target: str) -> Sample:
    """Make a labelled sample of a record, as mining and labelling do."""
    new = ask(project, record)
    add_label(project.catalog, Label(f"click {record.id}", new.id, target, "ann", 0.0))
    return new


def left(root: Path, needles: list[bytes]) -> list[tuple[str, bytes]]:
    """Where any of these bytes stands, in any file or file name below."""
    found = []
    for path in root.rglob("*"):
        held = bytes(path.relative_to(root)) + (path.read_bytes() if path.is_file() else b"")
        found += [(path.name, needle) for needle in needles if needle in held]
    return found


def test_no_byte_of_a_forgotten_record_is_left(tmp_path: Path) -> None:
    root, raw = tmp_path / "p", b"canary-face" * 50
    make_project(root)
    with Project.open(root) as project, Project.open(root, read_only=True) as reader:
        # neighbours before and after, so that pages split and merge around the canary
        for n in range(60):
            capture(project, f"before {n}", b"%d other" % n, prediction="x" * n * 20)
        record = capture(project, "r1", raw, prediction="canary-prediction", truth="canary-truth")
        new = adopt(project, record, "canary-target")
        for n in range(60):
            capture(project, f"after {n}", b"%d another" % n, prediction="y" * n * 20)
        items = [Item(new.id, "canary-target", "train"), Item(sample(0).id, "cat", "train")]
        version = Version.freeze(items, {"type": "choice"}, left_out={sample(1).id: "copy"})
        project.catalog.add_version(version, project.blobs)
        run = project.new_run("train")
        project.catalog.start_run(run, {}, version)
        (project.packs / "abc").mkdir()
        (project.packs / "abc" / "pixels.npy").write_bytes(raw)
        assert len(reader.catalog.records()) == 121
        hexed = record.content.encode()
        needles = [
            b"canary-face",
            b"canary-pre",
            b"canary-tru",
            b"canary-target",
            hexed,
            hexed[2:],
            bytes.fromhex(record.content),
        ]
        assert {needle for _, needle in left(root, needles)} >= {*needles[:4], *needles[4:6]}, "the canary can be seen"

        gone = project.forget("r1")
        assert gone == Forgotten(("r1",), (run.number,), 0)

        assert left(root, needles) == [], "while the project is open"
        assert project.catalog.record("r1") is None
        assert reader.catalog.samples([new.id]) == {}
        again = project.catalog.version(version.id, project.blobs)
        assert again is not None
        assert again.id == version.id
        assert [item.sample for item in again.items] == [sample(0).id]
        assert project.check_invariants(deep=True) == []
        assert project.forget("r1") == gone, "said again"
        with pytest.raises(StoreError, match="no record 'r2'"):
            project.forget("r2")
    assert left(root, needles) == [], "when it is closed"
    assert left(root, [b"canary-source"]), "other records of that source stay"


def test_a_picture_sent_twice_is_forgotten_whole(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        record = capture(project, "r1", b"canary-face")
        capture(project, "r2", b"canary-face")
        capture(project, "r3", b"another")
        new = adopt(project, record, "canary-target")
        assert project.forget("r2").records == ("r1", "r2")
        assert [one.id for one in project.catalog.records()] == ["r3"]
        assert project.catalog.samples([new.id]) == project.catalog.labels() == {}
        assert left(project.root, [b"canary-face", b"canary-target"]) == []
        assert project.check_invariants(deep=True) == []


def test_a_picture_sent_twice_is_evicted_with_its_last_record(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        record = capture(project, "r1", b"same", at=1.0)
        capture(project, "r2", b"same", at=2.0)
        assert project.prune(3.0, max_age_s=1.5) == ["r1"]
        assert project.blobs.get(record.content) == b"same"
        assert project.prune(4.0, max_age_s=1.5) == ["r2"]
        assert not project.blobs.has(record.content)
        assert project.check_invariants(deep=True) == []


def learned_from(project: Project, record: Record) -> list[Path]:
    """A run over a sample of this record. Returns its pages that show it; a foreign page stands in another run."""
    items = [Item(adopt(project, record, "cat").id, "cat", "train"), Item(sample(0).id, "cat", "train")]
    version = Version.freeze(items, {"type": "choice"})
    project.catalog.add_version(version, project.blobs)
    run, other = project.new_run("train"), project.new_run("train")
    project.catalog.start_run(run, {}, version)
    shown = [run.path / "report.html", run.path / "random" / "report.html", run.path / "batches" / "sees.png"]
    shown += [page.with_suffix(".json") for page in shown[:2]]
    for page in (*shown, other.path / "report.html"):
        page.parent.mkdir(exist_ok=True)
        page.write_bytes(b"canary-face")
    return shown


@pytest.mark.parametrize("stopped_at", ["delete_contents", "pictures", "done"])
def test_forgetting_that_was_stopped_is_finished(tmp_path: Path, monkeypatch, stopped_at: str) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        shown = learned_from(project, capture(project, "r1", b"canary-face"))
        monkeypatch.setattr(erase, stopped_at, killed)
        with pytest.raises(Killed):
            project.forget("r1")
        monkeypatch.undo()
        assert project.check_invariants() == [
            "an erasure is unfinished: stop `serve` and `label`, then open the project again"
        ]
    with Project.open(tmp_path / "p") as project:
        assert not any(page.exists() for page in shown)
        assert [path for path, _ in left(project.root, [b"canary-face"])] == ["report.html"], "of the other run"
        assert project.check_invariants(deep=True) == []
        assert project.forget("r1") == Forgotten(("r1",), (1,), 0)


def test_a_reader_in_the_way_keeps_no_page(tmp_path: Path, monkeypatch) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        shown = learned_from(project, capture(project, "r1", b"canary-face"))
        monkeypatch.setattr("snowroll.store.project.scrub", lambda path: False)
        with pytest.raises(StoreError, match="repeat the command"):
            project.forget("r1")
        monkeypatch.undo()
        assert not any(page.exists() for page in shown)
        assert project.forget("r1").runs == (1,)
        assert project.check_invariants(deep=True) == []


def test_what_another_process_forgets_meanwhile_stays_noted(tmp_path: Path, monkeypatch) -> None:
    make_project(tmp_path / "p")

    def scrub_late(path: Path) -> bool:
        """The other process is killed as soon as its rows are gone."""
        project.catalog.write(lambda conn: erase.forget_input(conn, "r2", project.blobs, 0.0))
        return scrub(path)

    with Project.open(tmp_path / "p") as project:
        capture(project, "r1", b"one")
        record = capture(project, "r2", b"two")
        monkeypatch.setattr("snowroll.store.project.scrub", scrub_late)
        project.forget("r1")
    monkeypatch.undo()
    with Project.open(tmp_path / "p") as project:
        assert not project.blobs.has(record.content)
        assert project.check_invariants(deep=True) == []


def test_eviction_that_was_stopped_leaves_the_caches(tmp_path: Path, monkeypatch) -> None:
    """A command that opens the project between its two transactions must not take the packs of a running `train`."""
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        record = capture(project, "r1", b"old")
        (project.packs / "abc").mkdir()
        monkeypatch.setattr(erase, "delete_contents", killed)
        with pytest.raises(Killed):
            project.prune(9.0, max_age_s=1.0)
        monkeypatch.undo()
        monkeypatch.setattr("snowroll.store.project.scrub", killed)
        with Project.open(tmp_path / "p") as other:
            assert (other.packs / "abc").is_dir()
            assert not other.blobs.has(record.content)
            assert other.check_invariants(deep=True) == []


class Killed(Exception):
    """Stands for the end of the process."""


def killed(*_: object) -> None:
    raise Killed


def test_capture_is_idempotent_and_honest(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        record = capture(project, "r1", b"raw", at=7)
        assert project.capture([(record, b"raw")]) == 0
        assert project.catalog.records() == [record]
        with pytest.raises(StoreError, match="does not hold the hash"):
            project.capture([(record, b"something else")])
        assert project.check_invariants(deep=True) == []


def test_records_are_found_by_time_artifact_and_source(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        for n in range(5):
            capture(project, f"r{n}", b"%d" % n, at=float(n))
        catalog = project.catalog
        assert [one.id for one in catalog.records(since=3.0)] == ["r3", "r4"]
        assert [one.id for one in catalog.records(last=2)] == ["r3", "r4"]
        assert catalog.records(artifact="model 2") == catalog.records(source="") == []
        assert len(catalog.records(source="ward canary-source")) == 5


def test_the_oldest_are_evicted_by_quota_and_age(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        for n in (3, 1, 4, 0, 2):
            capture(project, f"r{n}", b"%d" % n * 100, at=float(n))
        learnt_from = adopt(project, capture(project, "adopted", b"a" * 100, at=-9.0), "cat")
        assert project.prune(4.0) == []
        assert project.prune(4.0, max_bytes=600, max_age_s=1e6) == []
        assert project.prune(4.0, max_bytes=399) == ["r0", "r1"]
        assert project.prune(4.0, max_age_s=1.5) == ["r2"]
        assert [one.id for one in project.catalog.records()] == ["adopted", "r3", "r4"]
        assert project.blobs.size() == 300
        assert learnt_from.id in project.catalog.samples(), "training data is not evicted behind anyone's back"
        assert left(project.root, [b"0" * 100]) == []
        assert project.check_invariants(deep=True) == []


def test_a_dropped_question_keeps_nothing(tmp_path: Path) -> None:
    """Each roll asks about other inputs; those nobody answered count towards the quota and grow old like any."""
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        for n in range(4):
            ask(project, capture(project, f"r{n}", b"%d" % n * 100, at=float(n)))
        assert project.prune(4.0, max_bytes=300) == [], "the open question does not count"
        assert project.prune(4.0, max_bytes=200) == ["r0"]
        assert project.prune(99.0, max_age_s=1.0) == ["r1", "r2"]
        assert [one.id for one in project.catalog.records()] == ["r3"], "somebody may be looking at it"
        assert project.check_invariants(deep=True) == []


def test_an_answer_taken_back_keeps_only_what_a_version_names(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        named, other = (adopt(project, capture(project, id, id.encode()), "cat") for id in ("r1", "r2"))
        project.catalog.add_version(Version.freeze([Item(named.id, "cat", "train")], {}), project.blobs)
        for id in ("r1", "r2"):
            project.catalog.undo_label(f"click {id}")
        assert project.prune(9.0, max_age_s=1.0) == [], "asked again"
        project.catalog.fill_queue([])
        assert project.prune(9.0, max_age_s=1.0) == ["r2"]
        assert project.catalog.samples([named.id, other.id]).keys() == {named.id}
        assert project.check_invariants(deep=True) == []


def test_what_was_evicted_while_it_was_mined_is_not_asked_about(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        record = capture(project, "r1", b"old")
        project.prune(9.0, max_age_s=1.0)
        ask(project, record)
        assert project.catalog.left_in_queue() == 0
        assert project.check_invariants(deep=True) == []


@pytest.mark.slow
def test_an_input_whose_record_never_came_is_dropped(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:
        sha = project.blobs.put(b"captured, then killed")
        now = project.blobs.path(sha).stat().st_mtime
        project.prune(now + 3_000)
        assert project.blobs.has(sha), "its record may be on the way"
        project.prune(now + 100_000)
        assert not project.blobs.has(sha)
