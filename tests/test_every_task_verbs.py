"""Every verb on every task's example, through the command line and real servers, as a user calls them."""

from __future__ import annotations

import json
import urllib.request
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep, time
from uuid import uuid4

import pytest
from PIL import Image

from snowroll.base.parts import own
from snowroll.base.task import find_task, task_names
from snowroll.cli import run
from snowroll.deploy.process import running
from snowroll.deploy.settings import ServeSettings
from snowroll.project.mining import samples_of
from snowroll.project.opened import Opened, open_project
from snowroll.store.rows import Queued
from snowroll.verbs.serve import make_service
from snowroll.web.app import make_label_app

pytestmark = pytest.mark.slow


def call(capsys: pytest.CaptureFixture[str], *tokens: object, code: int = 0) -> dict:
    """One command with --json: exactly one JSON object on stdout."""
    got = run([*map(str, tokens), "--json"])
    out = capsys.readouterr()
    assert got == code, out
    lines = out.out.strip().splitlines()
    assert len(lines) == 1, lines
    return json.loads(lines[0])


OTHERS = [name for name in task_names() if name != "classify_images"]  # tests/test_loop.py goes further with it


@pytest.mark.parametrize("name", OTHERS)
def test_every_verb(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task = find_task(name)
    project = tmp_path / "project"
    home = type(task).__module__.rpartition(".")[0]
    settings = import_module(f"{home}.example").example(project / "data")
    flags = [part for key, value in settings.items() for part in (f"--{key}", _spelled(value))]
    quick = ("--train.steps", 60, "--train.threads", 1, "--train.batch", 8)
    found = call(capsys, "init", project, *flags, *quick)
    assert found["task"] == name
    checked = call(capsys, "check", project)
    assert checked["samples"] == found["samples"]
    assert not [fault for fault in checked["faults"] if fault["severity"] == "block"]
    trained = call(capsys, "train", project)
    assert all(gate["passed"] for gate in trained["gates"]), trained["gates"]
    darkest, lightest = Image.open(Path(trained["report"]).parent / "batches" / "sees.png").convert("L").getextrema()
    assert darkest < lightest  # what the network sees shows something
    assert trained["metric"] == task.headline
    low, high = trained["interval"]
    assert low <= trained["value"] <= high
    report = Path(trained["report"]).read_text()
    assert report.startswith("<!")
    assert 'src="http' not in report
    judged = call(capsys, "eval", project)
    assert (judged["value"], judged["n"]) == (trained["value"], trained["n"])
    outside = call(capsys, "eval", project, "--data", project / "data")
    if name == "forecast":  # that its own last stretch is the test part was the task's word, not the folder's
        assert outside["n"] > found["samples"]
    else:
        assert outside["n"] == found["splits"].get("test", found["samples"])  # all of it, where it declares none
    assert call(capsys, "export", project)["parity"]["agreement"] > 0.9
    next(path for path in (project / "data").rglob("*") if path.is_file()).touch()  # the folder is read anew
    for labels in task.writers:
        written = call(capsys, "export", project, "--labels", labels, "--out", tmp_path / labels)
        assert written["samples"] == found["samples"]
    assert call(capsys, "explain", project, "train.steps")["train.steps"]["origin"] != "default"
    assert call(capsys, "status", project)["champion"] == trained["run"]
    _predict(project, capsys)
    _serve_and_label(project, name)
    assert call(capsys, "roll", project)["stage"] in ("label", "done")  # some wait for a person, or none is worth it
    assert call(capsys, "doctor", project, "--deep")["healthy"]


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _predict(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project.parent / "broken.png").write_bytes(b"no sample of any task\0")
    opened = open_project(project, {})
    samples = sorted(opened.store.catalog.samples().values(), key=lambda sample: sample.where)
    file = project / "data" / samples[0].where
    if not file.exists():  # a row of a file
        file = project.parent / "one_sample"
        file.write_bytes(opened.read(samples[0].where))
    assert run(["predict", str(project), str(file), str(project.parent / "broken.png"), "--json"]) in (0, 1)
    good, bad = (json.loads(line) for line in capsys.readouterr().out.strip().splitlines())
    assert {"id", "path", "prediction", "probability", "doubt"} == good.keys() - {"interval"}
    assert opened.task.problem(good["prediction"], opened.task.schema([s.target for s in samples])) is None
    assert {"error", "where", "cure"} < bad.keys()
    if own(opened.task.as_file):
        out = project.parent / "answers"
        out.mkdir()
        mine = [out / f"{Path(good['path']).name.partition('.')[0]}{ending}" for ending in (".png", ".nii.gz")]
        for path in mine:
            path.write_bytes(b"a picture of somebody")
        assert run(["predict", str(project), str(file), "--out", str(out), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert Path(told["file"]).parent == out
        assert Path(told["file"]).stat().st_size > 50
        assert all(path.read_bytes() == b"a picture of somebody" for path in mine)
        assert run(["predict", str(project), str(file), "--out", str(out), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == told  # the same answer takes the same place


def _serve_and_label(project: Path, name: str) -> None:
    """Production sends something; it is asked about on the page's own routes, and answered."""
    opened = open_project(project, {})
    samples = sorted(opened.store.catalog.samples().values(), key=lambda sample: sample.where)
    settings = ServeSettings(port=0, sample=1.0)
    token = "t" * 32
    with running(make_service(opened, settings), settings) as url:
        for sample in samples[:6]:
            raw = opened.read(sample.where)
            sent = raw + b"\0" if raw[:4] == b"\x89PNG" else raw + b"\n"  # new bytes, the same picture
            request = urllib.request.Request(f"{url}/v1/predict", sent, {"Content-Type": "application/octet-stream"})
            told = json.loads(urllib.request.urlopen(request, timeout=60).read())["predictions"][0]
            assert {"prediction", "doubt"} <= told.keys()
        _wait_for_records(opened, 6)
    waiting = samples_of(opened, opened.store.catalog.records())
    opened.store.catalog.add_samples(waiting)
    opened.store.catalog.fill_queue([Queued(sample.id, "a test asks", place) for place, sample in enumerate(waiting)])
    with running(make_label_app(opened, token, "test", time), settings) as url:
        asked = json.loads(_page(f"{url}/api/next?n=4", token))
        assert asked["items"], name
        assert asked["schema"]["type"] == opened.task.schema([samples[0].target])["type"]
        for item in asked["items"]:
            assert len(_page(f"{url}/api/picture/{item['sample']}", token)) > 100
        body = [{"client_id": uuid4().hex, "sample": asked["items"][0]["sample"], "target": samples[0].target}]
        answered = json.loads(_page(f"{url}/api/answers", token, json.dumps(body).encode()))
        assert len(answered["saved"]) == 1
        if opened.task.widget:
            assert b"export function mount" in _page(f"{url}/widget.js", token)


def _wait_for_records(opened: Opened, count: int) -> None:
    deadline = monotonic() + 60
    while len(opened.store.catalog.records()) < count:
        assert monotonic() < deadline, "records were not kept"
        sleep(0.05)


def _page(url: str, token: str, body: bytes | None = None) -> bytes:
    host = url.partition("/api")[0].partition("/widget")[0]
    headers = {"Authorization": f"Bearer {token}", "Origin": host, "Content-Type": "application/json"}
    return urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60).read()
