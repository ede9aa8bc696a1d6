"""Folders of pictures with boxes, and what is read of them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image
from prepare_kit import encoded

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.detect_objects.reading import read_boxes

CAT = {"class": "cat", "box": [20.0, 5.0, 38.0, 25.0]}


def three_photos(root: Path) -> Path:
    """images/0.png to 2.png, each 40 x 30."""
    (root / "images").mkdir()
    for number in range(3):
        (root / "images" / f"{number}.png").write_bytes(blank((40, 30)))
    return root


def blank(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("1", size).save(out, "PNG")
    return out.getvalue()


def drawing(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """Noise: a picture of many values."""
    rng = np.random.default_rng(seed)
    return encoded(rng.integers(0, 255, (size[1], size[0], 3)).astype(np.uint8), "PNG")


def put(folder: Path, files: dict[str, str]) -> None:
    for place, text in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")


def put_bytes(folder: Path, files: Mapping[str, bytes]) -> None:
    for place, raw in files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(raw)


def read_all(folder: Path) -> tuple[dict[str, Json], dict[str, str]]:
    """(picture -> its boxes, what is passed over -> why)"""
    reading = read_boxes(Folder(folder), PrepareSettings(workers=1))
    assert reading is not None
    return {found.where: found.target for found in reading.found}, dict(reading.skipped)
