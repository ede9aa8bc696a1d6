"""Samples that are heard or read: the label page's routes for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from label_kit import TOKEN, make_project
from starlette.testclient import TestClient

from snowroll.prepare.audio import open_sound
from snowroll.project.opened import Opened, open_project
from snowroll.project.stock import take_stock
from snowroll.tasks.transcribe.words.example import example
from snowroll.verbs.init import init
from snowroll.web.app import make_label_app

pytestmark = pytest.mark.slow
KNOWN = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    flags = example(tmp_path / "words" / "data")
    init(tmp_path / "words", None, (), "transcribe_words", {}, lambda _: None)
    found = open_project(tmp_path / "words", flags)
    take_stock(found, lambda _: None)
    yield found
    found.store.close()


def test_a_recording_is_heard_as_it_is(opened: Opened) -> None:
    sample = next(iter(opened.store.catalog.samples().values()))
    with TestClient(make_label_app(opened, TOKEN, "ada", lambda: 1.0), base_url="http://127.0.0.1:8001") as page:
        assert page.get(f"/api/sound/{sample.id}").status_code == 401
        told = page.get(f"/api/sound/{sample.id}", headers=KNOWN)
        assert told.headers["content-type"] == "audio/wav"
        assert "media-src blob:" in told.headers["content-security-policy"]
        heard, there = (open_sound(raw, 1e9).signal for raw in (told.content, opened.read(sample.where)))
        np.testing.assert_allclose(heard, there, atol=1e-4)
        assert page.get("/api/sound/0000000000000000", headers=KNOWN).status_code == 404
        assert b"/api/sound/" in page.get("/static/sound.js", headers=KNOWN).content


def test_a_picture_makes_no_sound(tmp_path: Path) -> None:
    pictures = make_project(tmp_path / "parts", 2)
    sample = next(iter(pictures.store.catalog.samples().values()))
    with TestClient(make_label_app(pictures, TOKEN, "ada", lambda: 1.0), base_url="http://127.0.0.1:8001") as page:
        assert page.get(f"/api/sound/{sample.id}", headers=KNOWN).status_code == 404
    pictures.store.close()


def test_a_text_is_read_as_it_is(tmp_path: Path) -> None:
    data = tmp_path / "texts" / "data"
    data.mkdir(parents=True)
    said = {"yes": "كرة الثلج تكبر", "no": "雪球越滚越大\n<b>两行</b>"}
    lines = [{"text": f"{text} {number}", "label": label} for number in range(9) for label, text in said.items()]
    (data / "a.json").write_text(json.dumps(lines))
    init(tmp_path / "texts", None, (), "classify_texts", {}, lambda _: None)
    texts = open_project(tmp_path / "texts", {})
    take_stock(texts, lambda _: None)
    with TestClient(make_label_app(texts, TOKEN, "ada", lambda: 1.0), base_url="http://127.0.0.1:8001") as page:
        for sample in list(texts.store.catalog.samples().values())[:2]:
            assert page.get(f"/api/text/{sample.id}").status_code == 401
            told = page.get(f"/api/text/{sample.id}", headers=KNOWN)
            assert told.headers["content-type"] == "text/plain; charset=utf-8"
            assert told.text == texts.read(sample.where).decode()
        assert page.get("/api/text/0000000000000000", headers=KNOWN).status_code == 404
        assert b"/api/text/" in page.get("/static/text.js", headers=KNOWN).content
    texts.store.close()
