"""Several processes, one project: fair turns, locks that die with their holder, full and read-only disks."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from catalog_kit import add_label, label_history
from store_children import hold_lock, kill, make_project, received, sample, start, write_in_a_row, write_until_full

from snowroll.base.errors import StoreError
from snowroll.store.project import Project
from snowroll.store.rows import Label

pytestmark = pytest.mark.slow


def test_two_writers_take_turns(tmp_path: Path) -> None:
    root, each, count = tmp_path / "p", 60, 4 * 60
    make_project(root)
    children = [start(write_in_a_row, root, name, each) for name in ("ann", "bob")]
    assert [pipe.recv() for _, pipe in children] == ["ready", "ready"]
    (root / "go").touch()
    assert [pipe.recv() for _, pipe in children] == ["done", "done"]
    for child, _ in children:
        kill(child)
    with Project.open(root) as project:
        order = [entry.body["client_id"].split("-")[0] for entry in project.catalog.events("label.added")]
        assert project.check_invariants() == []
    assert len(order) == 2 * count
    first = next(n for n in range(len(order)) if order[: n + 1].count(order[n]) == count)  # who ends first ends here
    behind = first + 1 - count
    assert behind > count // 3, f"one wrote {count} while the other wrote {behind}"


def test_a_second_holder_is_refused_and_a_killed_one_frees(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    child, pipe = start(hold_lock, tmp_path / "p")
    holder = pipe.recv()
    with Project.open(tmp_path / "p") as project:
        with pytest.raises(StoreError, match=f"another 'train' runs in this project \\(process {holder}\\)"):
            project.lock("train").__enter__()
        with project.lock("roll"):
            pass
        kill(child)  # its own child, which inherited everything, lives on
        with project.lock("train"), pytest.raises(StoreError, match=str(os.getpid())):
            project.lock("train").__enter__()
        with project.lock("train"):
            pass


def test_full_by_limit_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    root = tmp_path / "p"
    make_project(root)
    child, pipe = start(write_until_full, root, 300_000)
    told = received(pipe)
    child.join()
    acknowledged = [n for n in told if isinstance(n, int)]
    assert "the disk is full" in told[-2]
    assert told[-1] == "after"
    assert not (root / ".snowroll" / "reserve").exists()
    with Project.open(root) as project:
        stored = {label.client_id for label in label_history(project.catalog)}
        assert {f"full-{n}" for n in acknowledged} | {"after"} <= stored
        assert project.check_invariants(deep=True) == []
        assert (root / ".snowroll" / "reserve").exists(), "opening puts a new reserve aside"


@pytest.fixture
def small_disk(mount_disk: Callable[[int], Path]) -> Path:
    return mount_disk(4)


def test_full_disk_frees_its_reserve(small_disk: Path) -> None:
    root = small_disk / "p"
    make_project(root)
    with Project.open(root) as project:
        reserve = root / ".snowroll" / "reserve"
        assert reserve.exists()
        (small_disk / "ballast").write_bytes(b"x" * (free(small_disk) - 100_000))
        kept: list[str] = []
        with pytest.raises(StoreError, match="the disk is full"):
            fill_with_labels(project, kept)
        assert kept
        assert not reserve.exists()
        assert project.catalog.undo_label(kept[-1]), "with the reserve freed, work goes on"
        with pytest.raises(StoreError, match="the disk is full"):
            project.blobs.put(b"y" * 4_000_000)
        (small_disk / "ballast").unlink()
        assert len(label_history(project.catalog)) == len(kept) - 1
        assert project.check_invariants(deep=True) == []


def fill_with_labels(project: Project, kept: list[str]) -> None:
    for n in range(10_000):
        add_label(project.catalog, Label(f"l{n}", sample(0).id, "x" * 2_000, "ann", 0.0))
        kept.append(f"l{n}")


def free(disk: Path) -> int:
    room = os.statvfs(disk)
    return room.f_bavail * room.f_frsize


@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_a_read_only_folder_is_read(small_disk: Path, killed: bool) -> None:
    root = small_disk / "p"
    make_project(root)
    if killed:
        child, pipe = start(write_in_a_row, root, "ann", 5)
        assert pipe.recv() == "ready"
        (root / "go").touch()
        assert pipe.recv() == "done"
        kill(child)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with Project.open(root) as project:
        assert project.read_only
        assert len(project.catalog.samples()) == 50
        assert len(label_history(project.catalog)) == (20 if killed else 0)
        assert project.check_invariants(deep=True) == []
        with pytest.raises(StoreError, match="for reading only"):
            project.catalog.set_pointer("champion", "1", {})
        with pytest.raises(StoreError, match="cannot be locked"):
            project.lock("train").__enter__()
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)


def test_reading_only_beside_a_writer(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as writer, Project.open(tmp_path / "p", read_only=True) as reader:
        writer.catalog.set_pointer("champion", "1", {"why": "first"})
        assert reader.catalog.pointer("champion") == "1"
        with pytest.raises(StoreError, match="for reading only"):
            reader.catalog.note("x", {})


@pytest.mark.parametrize("fails", ["open", "flock"])
def test_writers_that_cannot_take_turns_are_told_so_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    make_project(tmp_path / "p")
    with Project.open(tmp_path / "p") as project:

        def refuse(*_: object) -> None:
            raise OSError(95, "Operation not supported")

        monkeypatch.setattr(f"snowroll.store.engine.{'os.open' if fails == 'open' else 'fcntl.flock'}", refuse)
        with pytest.raises(StoreError, match="cannot take turns"):
            project.catalog.add_samples([sample(1)])
        monkeypatch.undo()
        project.catalog.add_samples([sample(1)])
