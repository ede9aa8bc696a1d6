"""Nothing that names a patient reaches the project, whichever door it comes in by."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from scans_kit import NAMELESS, SECRETS, dicom, series

from snowroll.cli import run
from snowroll.deploy.process import running
from snowroll.deploy.settings import ServeSettings
from snowroll.prepare.bundles import as_bundle
from snowroll.project.opened import open_project
from snowroll.verbs.serve import make_service

pytestmark = pytest.mark.slow


def picture(number: int) -> np.ndarray:
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 400, (24, 24)).astype(np.uint16)
    if number % 2:
        pixels[6:16, 6:16] += 2000
    return pixels


def test_no_tag_reaches_the_project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = tmp_path / "project"
    for number in range(40):
        kind = project / "data" / ("tumour" if number % 2 else "normal")
        kind.mkdir(parents=True, exist_ok=True)
        tags = {"Modality": "DX", "PatientID": f"{SECRETS['PatientID']}-{number // 2}"}
        (kind / f"{number:02}.dcm").write_bytes(dicom(picture(number), **tags))
    quick = ["--train.steps", "40", "--train.threads", "1", "--train.batch", "8", "--task.frame", "1,24,24"]
    assert run(["init", str(project), *quick, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "medical"
    for verb in ("check", "train", "eval", "export"):
        assert run([verb, str(project), "--json"]) == 0, capsys.readouterr()
    report = Path(json.loads(capsys.readouterr().out.splitlines()[1])["report"]).read_text()
    assert ".dcm" not in report
    assert "ROC of" in report
    card = next((project / "runs").glob("*/model/README.md")).read_text()
    assert "Must not be used for" in card
    assert "physician" in card
    for page in (report, card):
        assert "counts as &#39;tumour&#39; from a probability of".replace("&#39;", "'") in page.replace("&#39;", "'")
        assert "to find 95 % of" in page
        assert "validation scans it found" in page
    opened = open_project(project, {})
    samples = opened.store.catalog.samples().values()
    assert len({sample.group for sample in samples}) == 20
    settings = ServeSettings(port=0, sample=1.0)
    volume = np.stack([picture(n) for n in range(4)])
    with running(make_service(opened, settings), settings) as url:
        for raw in (dicom(picture(99), Modality="DX"), as_bundle(series(volume))):
            request = urllib.request.Request(f"{url}/v1/predict", raw, {"Content-Type": "application/octet-stream"})
            assert json.loads(urllib.request.urlopen(request, timeout=60).read())["predictions"]
        deadline = monotonic() + 60
        while len(opened.store.catalog.records()) < 2:
            assert monotonic() < deadline, "records were not kept"
            sleep(0.05)
    opened.store.close()
    kept = [path for path in project.rglob("*") if path.is_file() and project / "data" not in path.parents]
    assert len(kept) > 20
    for path in kept:
        raw = path.read_bytes()
        for name, value in SECRETS.items():
            assert value.encode() not in raw, f"{name} in {path.relative_to(project)}"
        assert NAMELESS not in raw, path
