"""Samples from files: equal contents stay two samples, known files are not read again."""

import hashlib
import os
from pathlib import Path

import pytest
from prepare_kit import jpeg, plant, zipped

from snowroll.base.nouns import Sample
from snowroll.prepare.index import index, stamp, stamps
from snowroll.prepare.layouts import read_images
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings


def look(root: Path, known: dict[tuple[str, int, int], str] | None = None) -> list[Sample]:
    folder = Folder(root)
    reading = read_images(folder, PrepareSettings())
    assert reading
    return index(folder, reading, "image", known)


def test_equal_contents_with_two_labels_are_two_samples(tmp_path: Path) -> None:
    plant(tmp_path, {"a/1.jpg": jpeg(), "b/1.jpg": jpeg(), "c.zip": zipped({"1.jpg": jpeg()})})
    samples = look(tmp_path)
    assert [sample.target for sample in samples] == ["a", "b", "c"]
    assert {sample.content for sample in samples} == {hashlib.sha256(jpeg()).hexdigest()}
    assert len({sample.id for sample in samples}) == 3
    assert look(tmp_path) == samples


def test_a_changed_file_is_a_new_sample(tmp_path: Path) -> None:
    plant(tmp_path, {"a/1.jpg": jpeg(), "b/1.jpg": jpeg()})
    before = look(tmp_path)
    plant(tmp_path, {"a/1.jpg": jpeg(1)})
    after = look(tmp_path)
    assert before[0].id != after[0].id
    assert before[1] == after[1]


def test_known_contents_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, {"a/1.jpg": jpeg(), "b/1.jpg": jpeg(1), "c.zip": zipped({"1.jpg": jpeg(2)})})
    samples = look(tmp_path)
    folder = Folder(tmp_path)
    reading = read_images(folder, PrepareSettings())
    assert reading
    at = stamps(folder, reading)
    known = {(sample.where, *at[sample.where]): sample.content for sample in samples}
    os.utime(tmp_path / "b/1.jpg", ns=(1, 1))
    asked: list[str] = []
    real = Folder.stream

    def stream(self: Folder, wheres: list[str]) -> object:
        asked.extend(wheres)
        return real(self, wheres)

    monkeypatch.setattr(Folder, "stream", stream)
    assert look(tmp_path, known) == samples
    assert [where for where in asked if where.endswith(".jpg")] == ["b/1.jpg"]


def test_the_stamp_follows_every_change(tmp_path: Path) -> None:
    plant(tmp_path, {"a/1.jpg": jpeg(), "b.zip": zipped({"1.jpg": jpeg()})})
    seen = {stamp(tmp_path, PrepareSettings())}
    assert stamp(tmp_path, PrepareSettings()) in seen
    for change in ({"a/1.jpg": jpeg(1)}, {"a/2.jpg": jpeg()}, {"b.zip": zipped({"1.jpg": jpeg(2)})}):
        plant(tmp_path, change)
        os.utime(tmp_path / next(iter(change)), ns=(len(seen), len(seen)))
        assert stamp(tmp_path, PrepareSettings()) not in seen
        seen.add(stamp(tmp_path, PrepareSettings()))
    assert stamp(tmp_path, PrepareSettings(seed=1)) not in seen
    (tmp_path / "runs").mkdir()
    plant(tmp_path, {"runs/1/report.html": b"", "snowroll.toml": b"", ".snowroll/x": b""})
    assert stamp(tmp_path, PrepareSettings()) in seen


def test_an_unreadable_file_is_left_out_with_its_reason(tmp_path: Path) -> None:
    root = plant(tmp_path, {"a/1.jpg": jpeg(), "b/1.jpg": jpeg()})
    folder = Folder(root)
    reading = read_images(folder, PrepareSettings())
    assert reading
    (root / "a/1.jpg").unlink()
    assert [sample.where for sample in index(folder, reading, "image")] == ["b/1.jpg"]
    assert folder.refused["a/1.jpg"] == "no such file or directory"
