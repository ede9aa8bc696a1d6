"""Windows of plain series, many in a file, with a class each: read by content, and cut again from their names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from house_kit import MACHINE, snowroll
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import DataError
from snowroll.prepare.pieces import stream_pieces
from snowroll.prepare.read import Folder
from snowroll.prepare.series import open_series
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.heartbeat import task
from snowroll.tasks.heartbeat.beats import pieces
from snowroll.tasks.heartbeat.reading import read_recordings, samples_in
from snowroll.tasks.heartbeat.window_files import header_of, names_in, rows_brief, text_brief

ONE = PrepareSettings(workers=1)
WAVES = ("sit", "walk", "run")


def waves(classes: np.ndarray, length: int = 64, channels: int = 2, seed: int = 0) -> np.ndarray:
    """float32 [n, C, T]: faster for each class."""
    rng = np.random.default_rng(seed)
    phase = rng.random((len(classes), channels, 1)) * 6
    at = 2 * np.pi * np.array([2, 4, 7])[classes][:, None, None] * np.arange(length) / length
    return (np.sin(at + phase) + rng.normal(0, 0.1, (len(classes), channels, length))).astype(np.float32)


def classes_of(n: int) -> np.ndarray:
    return np.arange(n) % 3


def as_arrays(folder: Path, form: str) -> None:
    for split, n in (("train", 60), ("test", 30)):
        x = waves(classes_of(n), channels=1 if form == "nt" else 2)
        np.save(folder / f"X_{split}.npy", {"nct": x, "nt": x[:, 0], "ntc": x.transpose(0, 2, 1)}[form])
        np.save(folder / f"y_{split}.npy", classes_of(n))
        np.save(folder / f"subjects_{split}.npy", np.arange(n) // 6)


def as_text(folder: Path, mark: str, ending: str) -> None:
    for split, n in (("TRAIN", 60), ("TEST", 30)):
        x = waves(classes_of(n))
        lines = [
            mark.join([str(c + 1), *(f"{v:.4f}" for v in one[0])]) for c, one in zip(classes_of(n), x, strict=True)
        ]
        if ending == "ts":
            of = [":".join(",".join(f"{v:.4f}" for v in row) for row in one) for one in x]
            lines = [f"{one}:{WAVES[c]}" for c, one in zip(classes_of(n), of, strict=True)]
            lines = ["# said", "@problemName Waves", "@classLabel true sit walk run", "@data", *lines]
        (folder / f"Waves_{split}.{ending}").write_text("\n".join(lines) + "\n")


def as_rows(folder: Path, files: int = 5, runs: int = 12, timed: bool = True) -> None:
    for number in range(files):
        rng = np.random.default_rng(number)
        lines, at = [("time_s," if timed else "") + "ax,ay,label"], 0
        for run in range(runs):
            signal = waves(np.array([run % 3]), int(rng.integers(40, 60)), seed=run)[0].T
            for row in signal:
                lines.append((f"{at / 50:.2f}," if timed else "") + f"{row[0]:.4f},{row[1]:.4f},{WAVES[run % 3]}")
                at += 1
        (folder / f"person{number}.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("form", ["nct", "nt", "ntc"])
def test_pairs_of_arrays_are_windows_with_their_classes_splits_and_groups(tmp_path: Path, form: str) -> None:
    as_arrays(tmp_path, form)
    folder = Folder(tmp_path)
    reading = read_recordings(folder, ONE)
    assert reading is not None
    assert reading.layout == "arrays of windows"
    told = {one.where: one for one in reading.found}
    assert len(told) == 90
    one = told["X_train.npy///r7"]
    assert (one.target, one.group, one.split) == ("1", "1", "train")
    assert told["X_test.npy///r7"].split == "test"
    ((_, raw),) = stream_pieces(folder, ["X_train.npy///r7"], task.pieces, 1)
    expected = waves(classes_of(60), channels=1 if form == "nt" else 2)[7].T
    np.testing.assert_array_equal(open_series(raw, 1e6).signal, expected)


@pytest.mark.parametrize(("mark", "ending"), [("\t", "tsv"), ("  ", "txt"), (",", "csv"), ("", "ts")])
def test_the_texts_of_ucr_and_uea_are_read_with_their_splits(tmp_path: Path, mark: str, ending: str) -> None:
    as_text(tmp_path, mark, ending)
    folder = Folder(tmp_path)
    reading = read_recordings(folder, ONE)
    assert reading is not None
    assert len(reading.found) == 90
    assert {one.target for one in reading.found} == ({"sit", "walk", "run"} if ending == "ts" else {"1", "2", "3"})
    assert {one.split for one in reading.found} == {"train", "test"}
    name = f"Waves_TEST.{ending}///l7"
    ((_, raw),) = stream_pieces(folder, [name], task.pieces, 1)
    expected = waves(classes_of(30))[7].T[:, : 2 if ending == "ts" else 1]
    np.testing.assert_allclose(open_series(raw, 1e6).signal, expected, atol=1e-4)


def test_of_several_forms_of_a_set_one_is_read_and_of_several_sets_none(tmp_path: Path) -> None:
    as_text(tmp_path, "\t", "tsv")
    as_text(tmp_path, "", "ts")
    reading = read_recordings(Folder(tmp_path), ONE)
    assert reading is not None
    assert len(reading.found) == 90
    assert reading.skipped["Waves_TRAIN.tsv"] == "another form of the same set"
    (tmp_path / "Other_TRAIN.tsv").write_bytes((tmp_path / "Waves_TRAIN.tsv").read_bytes())
    folder = Folder(tmp_path)
    assert read_recordings(folder, ONE) is None
    assert any("several sets lie side by side" in why for why in folder.refused.values())


@pytest.mark.parametrize("timed", [True, False])
def test_runs_of_equal_labels_are_windows_and_none_lies_across_two(tmp_path: Path, timed: bool) -> None:
    as_rows(tmp_path, files=10 if timed else 3, timed=timed)
    folder = Folder(tmp_path)
    reading = read_recordings(folder, ONE)
    assert reading is not None
    assert {one.target for one in reading.found} == set(WAVES)
    assert len({one.group for one in reading.found}) == (10 if timed else 36)  # files, or runs
    for where, raw in stream_pieces(folder, [one.where for one in reading.found], task.pieces, 1):
        series = open_series(raw, 1e6)
        assert series.leads == ("ax", "ay")
        assert series.rate_hz == (50 if timed else 0)
        start, stop = (int(n) for n in where.partition("///")[2].partition(".")[0].split("-"))
        file = (tmp_path / where.partition("///")[0]).read_text().splitlines()[1:]
        assert len({line.rpartition(",")[2] for line in file[start:stop]}) == 1
        assert len(series.signal) == stop - start


def test_a_letter_of_two_bytes_anywhere_hides_no_labels(tmp_path: Path) -> None:
    as_rows(tmp_path, files=2, runs=60, timed=False)
    for shift in range(2):
        for file in tmp_path.glob("*.csv"):
            rows = [line.split("é")[0] + "é" * 30 for line in file.read_text().splitlines()[1:]]
            (tmp_path / file.name).write_text("\n".join(["a" * shift + "ax,ay,label", *rows]))
            assert len(file.read_bytes()) > 1 << 16
        assert read_recordings(Folder(tmp_path), ONE) is not None


def test_what_is_no_series_is_left_to_others(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures, table, rows, digits = (tmp_path / name for name in ("pictures", "table", "rows", "digits"))
    for folder in (pictures, table, rows, digits):
        folder.mkdir()
    np.save(pictures / "X_train.npy", rng.integers(0, 255, (30, 28, 28), np.uint8))
    np.save(pictures / "y_train.npy", classes_of(30))
    np.save(table / "X_train.npy", rng.normal(size=(30, 12)))
    np.save(table / "y_train.npy", classes_of(30))
    lines = [",".join([f"{v:.2f}" for v in rng.normal(n // 20, 0.1, 4)] + [WAVES[n // 20]]) for n in range(60)]
    (rows / "flowers.csv").write_text("\n".join(["a,b,c,d,class", *lines]))  # sorted by their class
    square = np.clip(np.cumsum(rng.normal(0, 30, (40, 64)), axis=1), 0, 255).astype(int)
    text = [",".join(map(str, [n % 3, *row])) for n, row in enumerate(square)]
    (digits / "digits_train.csv").write_text("\n".join(text))
    for folder in (pictures, table, rows, digits):
        held = Folder(folder)
        reading = read_recordings(held, ONE)
        assert reading is None or not any("///" in one.where for one in reading.found), folder.name
    held = Folder(pictures)
    read_recordings(held, ONE)
    assert "looks like pictures" in held.refused["X_train.npy"]


def test_flags_of_rows_with_times_are_for_a_forecast_and_can_be_asked_for(tmp_path: Path) -> None:
    as_rows(tmp_path)
    for file in tmp_path.glob("*.csv"):
        text = file.read_text().replace("label", "anomaly").replace("sit", "0").replace("walk", "0")
        file.write_text(text.replace("run", "1"))
    reading = read_recordings(Folder(tmp_path), ONE)
    assert reading is not None
    assert {one.target for one in reading.found} == {"0", "1"}
    assert task.particularity(reading, ONE) < 0


def test_windows_are_answered_with_labels_beside_them_or_not(tmp_path: Path) -> None:
    root, new = tmp_path / "project", tmp_path / "new"
    (root / "data").mkdir(parents=True)
    new.mkdir()
    as_rows(root / "data", files=3)
    made = snowroll("init", root, *MACHINE, "--train.steps", "60", "--task.width", "8")
    assert made.code == 0, made.err
    assert "runs of rows with one 'label'" in made.out
    trained = snowroll("train", root)
    assert trained.code == 0, trained.err
    lines = (root / "data" / "person1.csv").read_text().splitlines()
    (new / "walk.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines))
    said = [json.loads(line) for line in snowroll("predict", root, new / "walk.csv").out.splitlines()]
    labelled = [json.loads(line) for line in snowroll("predict", root, root / "data" / "person1.csv").out.splitlines()]
    assert len(said) > 5
    assert [one["prediction"] for one in said] == [one["prediction"] for one in labelled]


def test_answers_take_each_window_once_and_no_labels(tmp_path: Path) -> None:
    as_arrays(tmp_path, "nct")
    reading = read_recordings(Folder(tmp_path), ONE)
    assert reading is not None
    asked = PrepareSettings(workers=1, asked=dict(reading.schema))
    assert sorted(samples_in(Folder(tmp_path), asked)) == sorted(one.where for one in reading.found)


@settings(max_examples=60, deadline=None)
@given(st.one_of(st.text(max_size=200).map(str.encode), st.binary(max_size=200)), st.booleans())
def test_whatever_lies_there_ends_in_windows_or_a_sentence(raw: bytes, is_array: bool) -> None:
    raw = b"\x93NUMPY" + raw if is_array else raw
    for read in (header_of, text_brief, lambda raw: rows_brief(raw, "label")):
        try:
            read(raw)
        except DataError:
            continue
    for kind in ("arrays", "texts", "rows"):
        try:
            names = names_in(raw, kind, 4, 2)
            assert all(open_series(one, 1e6).signal.size for one in pieces(raw, names).values()) or not names
        except DataError:
            continue
