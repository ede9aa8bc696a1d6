"""A small project with a filled queue, made in code, and the label page over it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import uvicorn
from PIL import Image

from snowroll.base.nouns import Record, Sample
from snowroll.base.settings import as_toml
from snowroll.deploy.process import Server
from snowroll.project.opened import Opened, open_project
from snowroll.store.project import Project
from snowroll.store.rows import Queued
from snowroll.web.app import make_label_app
from snowroll.web.asking import FOR_TEST
from snowroll.web.label import bind

TOKEN = "a-token-for-tests-only"
CLASSES = ("burr", "dent", "scratch", "stain")


def picture(seed: int, size: tuple[int, int] = (96, 64)) -> bytes:
    """A drawn metal part as PNG, each seed another one."""
    rng = np.random.default_rng(seed)
    grain = rng.normal(150, 12, (size[1], 1, 1)) + rng.normal(0, 5, (size[1], size[0], 3))
    y, x = np.mgrid[: size[1], : size[0]]
    at = rng.uniform(0.3, 0.7, 2) * size
    spot = np.hypot(x - at[0], y - at[1]) < rng.uniform(0.08, 0.2) * size[1]
    grain[spot] *= rng.uniform(0.3, 0.8, 3)
    out = io.BytesIO()
    Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def make_project(
    root: Path,
    n: int = 30,
    *,
    classes: Sequence[str] = CLASSES,
    test: int = 0,
    raws: Sequence[bytes] = (),
    size: tuple[int, int] = (96, 64),
    why: str = "two classes are close",
) -> Opened:
    """n production inputs that wait, the first `test` of them for the locked test set, each predicted by a model."""
    (root / "data").mkdir(parents=True)
    sections = {"prepare": {"data": "data", "labels": list(classes)}, "task": {"name": "classify_images"}}
    store = Project.create(root, root / "data", as_toml(sections))
    asked = []
    for number, raw in enumerate([*raws, *(picture(i, size) for i in range(len(raws), n))]):
        sha = hashlib.sha256(raw).hexdigest()
        value, share = classes[number % len(classes)], 0.5 + 0.4 * (number % 7) / 7
        store.capture([(Record(f"r{number}", "m1", float(number), sha, value, share, 1 - share), raw)])
        sample = Sample(Sample.name(f"r{number}", sha), f"blob:{sha}", sha, "image", origin="production")
        store.catalog.add_samples([sample])
        told = f"{FOR_TEST}: drawn at random" if number < test else why
        asked.append(Queued(sample.id, told, float(number)))
    store.catalog.fill_queue(asked)
    store.close()
    return open_project(root, {})


@contextlib.contextmanager
def running(opened: Opened) -> Iterator[str]:
    """The page, served on a thread. Yields its address without the token."""
    sock = bind("127.0.0.1", 0)
    up = threading.Event()
    app = make_label_app(opened, TOKEN, "ada", time.time)
    server = Server(uvicorn.Config(app, ws="none", log_level="warning", access_log=False), up.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        assert up.wait(20)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        opened.store.close()


def make_drawing_project(
    root: Path, task: str, classes: Sequence[str], suggestion: object, n: int = 6, raws: Sequence[bytes] = ()
) -> Opened:
    """n inputs of production that wait in a project of `task`, each with a suggestion: `raws`, else 300 x 200 px."""
    (root / "data").mkdir(parents=True)
    sections = {"prepare": {"data": "data", "labels": list(classes)}, "task": {"name": task}}
    store = Project.create(root, root / "data", as_toml(sections))
    asked = []
    for number, raw in enumerate(raws or [picture(number, (300, 200)) for number in range(n)]):
        sha = hashlib.sha256(raw).hexdigest()
        store.capture([(Record(f"r{number}", "m1", float(number), sha, suggestion, None, 0.5), raw)])
        id = Sample.name(f"r{number}", sha)
        store.catalog.add_samples([Sample(id, f"blob:{sha}", sha, "image", origin="production")])
        asked.append(Queued(id, "the model is not sure", float(number)))
    store.catalog.fill_queue(asked)
    store.close()
    return open_project(root, {})
