"""Every verb on one small project, as a user calls them; then once round the loop through real servers."""

import json
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from time import monotonic, sleep, time
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from snowroll.cli import run
from snowroll.deploy.process import running
from snowroll.deploy.settings import ServeSettings
from snowroll.project.opened import Opened, open_project
from snowroll.verbs.serve import make_service
from snowroll.web.app import make_label_app

QUICK = ["--train.steps", "60", "--train.threads", "1", "--task.model", "fastnet_small"]


def shape(kind: str, rng: np.random.Generator, dim: bool = False) -> bytes:
    """A bright disc, ring or bar on noise, 20 px; `dim`: as a second camera sees it."""
    y, x = np.mgrid[:20, :20] - 9.5 - rng.uniform(-2, 2, (2, 1, 1))
    r = np.hypot(x, y)
    mask = {"bar": abs(x) < 2, "disc": r < 6, "ring": abs(r - 6) < 1.5}[kind]
    grey = rng.normal(60, 15, (20, 20)) + 140 * mask
    grey = 200 - 0.6 * grey if dim else grey
    out = BytesIO()
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("loop") / "parts"
    rng = np.random.default_rng(0)
    for kind in ("bar", "disc", "ring"):
        (root / "data" / kind).mkdir(parents=True)
        for i in range(60):
            (root / "data" / kind / f"{i:02d}.png").write_bytes(shape(kind, rng))
    return root


def call(capsys: pytest.CaptureFixture[str], *tokens: object, code: int = 0) -> dict:
    """One command with --json: exactly one JSON object on stdout."""
    got = run([*map(str, tokens), "--json"])
    out = capsys.readouterr()
    assert got == code, out
    lines = out.out.strip().splitlines()
    assert len(lines) == 1, lines
    return json.loads(lines[0])


@pytest.mark.slow
def test_every_verb_then_once_round(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = call(capsys, "init", project)
    assert (found["samples"], found["task"]) == (180, "classify_images")
    assert call(capsys, "check", project)["samples"] == 180
    trained = call(capsys, "train", project, *QUICK)
    assert {"run", "metric", "value", "interval", "n", "gates", "seconds", "report"} <= trained.keys()
    assert all(gate["passed"] for gate in trained["gates"])
    assert trained["value"] > 0.8
    assert Path(trained["report"]).read_text().startswith("<!")
    judged = call(capsys, "eval", project)
    assert (judged["value"], judged["n"]) == (trained["value"], trained["n"])
    outside = call(capsys, "eval", project, "--data", project / "data")
    assert outside["n"] == 180
    assert call(capsys, "export", project, "--int8")["parity"]["agreement"] > 0.9
    assert call(capsys, "explain", project, "train.steps")["train.steps"]["origin"] != "default"
    assert call(capsys, "status", project)["champion"] == trained["run"]
    assert call(capsys, "doctor", project, "--deep")["healthy"]
    predictions(project, capsys)
    first_round(project, trained["run"], capsys)


def predictions(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = project / "broken.png"
    broken.write_bytes(shape("disc", np.random.default_rng(1))[:60])
    assert run(["predict", str(project), str(project / "data" / "ring"), str(broken)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 61
    assert {"error", "where", "cure", "path"} <= rows[-1].keys()
    assert all({"id", "path", "prediction", "probability", "doubt"} == row.keys() for row in rows[:-1])
    assert sum(row["prediction"] == "ring" for row in rows[:-1]) > 50


def first_round(project: Path, first: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Serve, collect a second camera's pictures, mine, label, retrain, decide; then back."""
    rng = np.random.default_rng(2)
    sent = {shape(kind, rng, dim=True): kind for kind in ("bar", "disc", "ring") for _ in range(40)}
    truth = {sha256(raw).hexdigest(): kind for raw, kind in sent.items()}
    opened = open_project(project, {})
    with running(make_service(opened, ServeSettings(port=0)), ServeSettings(port=0)) as url:
        for raw in sent:
            request = urllib.request.Request(f"{url}/v1/predict", raw, {"Content-Type": "image/png", "X-Source": "B"})
            urllib.request.urlopen(request, timeout=30).read()
        wait_for_records(opened, len(sent))
    waiting = call(capsys, "roll", project, "--k", "40", *QUICK)
    assert waiting["stage"] == "label"
    assert waiting["drift"]["alarm"]
    assert waiting["waiting"] >= 40
    assert label_all(opened, truth) == waiting["waiting"]
    done = call(capsys, "roll", project, *QUICK)
    assert done["stage"] == "done"
    assert done["verdict"] in ("PROMOTED", "CANNOT TELL YET", "REFUSED")
    locked = {item.sample: item for item in version(opened).of("test")}
    labels = opened.store.catalog.labels().values()
    assert {label.sample for label in labels if label.for_test} <= locked.keys()  # drawn at random: judged on
    mined = {label.sample for label in labels if not label.for_test} & locked.keys()
    drawn = {item.group for sample, item in locked.items() if sample not in mined} - {None}
    assert {locked[sample].group for sample in mined} <= drawn  # never judged on, unless beside its own near-copy
    if done["verdict"] == "PROMOTED":
        assert call(capsys, "rollback", project)["champion"] == first
        call(capsys, "rollback", project, code=1)  # and no further back than the first
    record = opened.store.catalog.records()[0]
    assert call(capsys, "forget", project, record.id)["erased"]
    assert call(capsys, "doctor", project)["healthy"]


def version(opened: Opened):
    found = opened.store.catalog.version(opened.store.catalog.pointer("version") or "", opened.store.blobs)
    assert found is not None
    return found


def wait_for_records(opened: Opened, count: int) -> None:
    deadline = monotonic() + 60
    while len(opened.store.catalog.records()) < count:
        assert monotonic() < deadline, "records were not kept"
        sleep(0.05)


def label_all(opened: Opened, truth: dict[str, str]) -> int:
    """Answer the queue as the page's script does."""
    token, settings = uuid4().hex, ServeSettings(port=0)
    with running(make_label_app(opened, token=token, person="robot", now=time), settings) as url:
        return sum(answer_some(opened, url, token, truth) for _ in pages(url, token))


def pages(url: str, token: str) -> Iterator[None]:
    while ask(url, token, "/api/next?n=1")["items"]:
        yield


def answer_some(opened: Opened, url: str, token: str, truth: dict[str, str]) -> int:
    items = ask(url, token, "/api/next?n=50")["items"]
    contents = opened.store.catalog.samples([item["sample"] for item in items])
    answers = [
        {
            "client_id": uuid4().hex,
            "sample": item["sample"],
            "target": truth[contents[item["sample"]].content],
            "ms": 1.0,
            "blind": item["suggestion"] is None,
        }
        for item in items
    ]
    ask(url, token, "/api/answers", answers)
    return len(answers)


def ask(url: str, token: str, path: str, body: object = None) -> dict:
    headers = {"Authorization": f"Bearer {token}", "Origin": url, "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers), timeout=30) as reply:
        return json.loads(reply.read())


@pytest.mark.parametrize(
    ("tokens", "code", "says"),
    [
        (["check", "nowhere"], 2, "no such folder"),
        (["trian"], 2, "there is no command 'trian'"),
        (["init", "nowhere"], 2, "no such folder"),
    ],
)
def test_a_wrong_command_is_one_line(
    tokens: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = call(capsys, *tokens, code=code)
    assert set(told) == {"error", "where", "cure"}
    assert says in told["error"]
    assert told["cure"]


def test_unknown_setting_names_the_nearest(project: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    root = tmp_path / "p"
    call(capsys, "init", root, "--data", project / "data")
    told = call(capsys, "check", root, "--prepare.grop", "x", code=2)
    assert "group" in told["cure"]
