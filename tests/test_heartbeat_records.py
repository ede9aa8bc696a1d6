"""A folder of records through the verbs: its beats are samples, and a live signal is answered like its recording."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from wfdb_kit import write_record

from snowroll.cli import run
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.project.opened import open_project
from snowroll.tasks.heartbeat.example import recorded
from snowroll.tasks.heartbeat.reading import read_recordings

pytestmark = pytest.mark.slow
RHYTHM = "NNNVNNSNNNVNSNNVNNNSNN"
QUICK = ("--train.steps", "40", "--train.threads", "1", "--train.batch", "16", "--task.width", "8")


def lines(capsys: pytest.CaptureFixture[str], *tokens: object) -> list[dict]:
    assert run([*map(str, tokens), "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.strip().splitlines()]


def test_records_are_learnt_from_and_a_live_signal_is_answered_as_its_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    for patient in range(8):
        write_record(project / "data", f"p{patient}", recorded(patient, RHYTHM), format=212)
    (found,) = lines(capsys, "init", project, *QUICK)
    assert (found["task"], found["samples"]) == ("heartbeat", 8 * len(RHYTHM))
    assert any("each record is a group (8)" in line for line in found["evidence"])
    (checked,) = lines(capsys, "check", project)
    assert not [fault for fault in checked["faults"] if fault["severity"] == "block"]
    (trained,) = lines(capsys, "train", project)
    assert all(gate["passed"] for gate in trained["gates"]), trained["gates"]
    opened = open_project(project, {})
    where = min(sample.where for sample in opened.store.catalog.samples().values())
    assert opened.read(where) == dict(opened.stream([where]))[where]
    version = opened.store.catalog.version(opened.store.catalog.pointer("version") or "", opened.store.blobs)
    splits = {(item.group, item.split) for item in version.items}
    assert len(splits) == 8  # no patient in two of them

    series = recorded(99, RHYTHM)
    write_record(tmp_path / "new", "fresh", series, annotated=False)
    answered = lines(capsys, "predict", project, tmp_path / "new")
    assert len(answered) == len(RHYTHM)
    assert all(row["prediction"] in ("N", "S", "V") for row in answered)
    as_kept = np.rint(series.signal * 200) / 200
    text = "MLII,V1\n" + "".join(f"{one:.6f},{other:.6f}\n" for one, other in as_kept)
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    heard = lines(capsys, "predict", project, "--live", series.rate_hz)
    frames = [int(row["path"].rpartition("///")[2]) for row in answered]
    assert [row["at_s"] for row in heard] == sorted(frame / series.rate_hz for frame in frames)
    by_time = {row["at_s"]: row for row in heard}
    for row, frame in zip(answered, frames, strict=True):
        live = by_time[frame / series.rate_hz]
        assert live["prediction"] == row["prediction"]
        assert live["probability"] == pytest.approx(row["probability"], abs=1e-4)

    monkeypatch.setattr("sys.stdin", io.StringIO(text[:200] + "\nwords\n"))
    assert run(["predict", str(project), "--live", "100"]) == 1
    assert "is no line of 2 numbers" in capsys.readouterr().err


def test_a_table_of_records_without_a_class_is_told(tmp_path: Path) -> None:
    """As PTB-XL has it: codes in a dictionary, and numbers of all kinds."""
    for number in range(12):
        write_record(tmp_path / "records", f"r{number}", recorded(number, RHYTHM), annotated=False)
    rows = "".join(f"{n},records/r{n},{n % 2},{n % 3},{{'NORM': {n}.0}}\n" for n in range(12))
    (tmp_path / "database.csv").write_text("ecg_id,filename,sex,device,scp_codes\n" + rows)
    folder = Folder(tmp_path)
    assert read_recordings(folder, PrepareSettings()) is None
    assert "it names 12 recordings, and no column of it offers itself as their class" in folder.refused["database.csv"]
    told = read_recordings(Folder(tmp_path), PrepareSettings(label_column="sex"))
    assert told is not None
    assert {one.target for one in told.found} == {"0", "1"}
