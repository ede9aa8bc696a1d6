"""SIGKILL at random moments: what was acknowledged is there, once, and journal and tables agree.

The seed of every life is its number, so a failure names the life to repeat.
"""

import random
import time
from pathlib import Path

import pytest
from catalog_kit import label_history
from store_children import capture_and_forget, kill, make_project, received, record, start, write_labels

from snowroll.base.errors import StoreError
from snowroll.store.project import Project

pytestmark = pytest.mark.slow


def kill_while_labelling(root: Path, lives: range) -> int:
    """Returns how many acknowledged labels went through it all."""
    acknowledged: set[str] = set()
    for life in lives:
        child, pipe = start(write_labels, root, life)
        acknowledged.add(pipe.recv())  # at work: a kill before this would only hit its start
        time.sleep(random.Random(life).uniform(0, 0.06))
        kill(child)
        acknowledged.update(received(pipe))
        with Project.open(root) as project:
            history = [label.client_id for label in label_history(project.catalog)]
            journalled = [entry.body["client_id"] for entry in project.catalog.events("label.added")]
            assert project.check_invariants() == [], f"life {life}"
        assert len(history) == len(set(history)), f"life {life}: a label is there twice"
        assert acknowledged <= set(history), f"life {life}: an acknowledged label is lost"
        assert journalled == history, f"life {life}: journal and table tell different stories"
    return len(acknowledged)


def test_no_acknowledged_label_is_lost_in_30_kills(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    assert kill_while_labelling(tmp_path / "p", range(30)) >= 30


@pytest.mark.soak
def test_no_acknowledged_label_is_lost_in_400_kills(tmp_path: Path) -> None:
    for batch in range(10):
        make_project(tmp_path / str(batch))
        assert kill_while_labelling(tmp_path / str(batch), range(batch * 40, batch * 40 + 40)) >= 40


def kill_while_forgetting(root: Path, lives: range) -> None:
    for life in lives:
        child, pipe = start(capture_and_forget, root, life)
        told = [pipe.recv()]
        time.sleep(random.Random(life).uniform(0, 0.15))
        kill(child)
        told += received(pipe)
        with Project.open(root) as project:  # finishes what was begun
            assert project.check_invariants(deep=True) == [], f"life {life}"
            for n in {n for _, n in told}:
                kept, raw = record(life, n)
                there = project.catalog.record(kept.id) is not None
                if ("erased", n) in told:
                    assert not there, f"life {life}: {kept.id} was forgotten and is there"
                if ("kept", n) in told and ("erasing", n) not in told:
                    assert there, f"life {life}: {kept.id} was kept and is gone"
                if not there:
                    assert found_in(root, raw[: raw.index(b"face") + 4]) == [], (
                        f"life {life}: bytes of {kept.id} are left"
                    )


def found_in(root: Path, needle: bytes) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and needle in path.read_bytes()]


def test_an_erasure_that_is_killed_is_finished(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    kill_while_forgetting(tmp_path / "p", range(8))


@pytest.mark.soak
def test_an_erasure_that_is_killed_is_finished_100_times(tmp_path: Path) -> None:
    for batch in range(5):
        make_project(tmp_path / str(batch))
        kill_while_forgetting(tmp_path / str(batch), range(batch * 20, batch * 20 + 20))


def test_a_closed_project_says_so(tmp_path: Path) -> None:
    make_project(tmp_path / "p")
    project = Project.open(tmp_path / "p")
    project.close()
    with pytest.raises(StoreError, match="closed"):
        project.catalog.note("x", {})
