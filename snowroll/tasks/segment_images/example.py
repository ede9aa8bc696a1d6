"""A tiny folder that this task learns in a minute on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json

KINDS = ("disc", "square")


def example(folder: Path) -> Mapping[str, Json]:
    """Write 40 pictures of different sizes with discs and squares on a ground, and their masks beside them. Returns
    settings that suit them, augmentation among them."""
    from PIL import Image

    for part in ("pictures", "masks"):
        (folder / part).mkdir(parents=True)
    (folder / "classes.txt").write_text("ground\n" + "\n".join(KINDS) + "\n")
    for number in range(40):
        pixels, mask = drawn(number)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number:02}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number:02}.png")
    return {
        "task.size_px": 32,
        "task.standard": True,
        "task.levels": 3,
        "task.width": 12,
        "task.flip": True,
        "task.rotate_deg": 10.0,
        "task.scale": 0.1,
        "task.shift": 0.1,
        "task.brightness": 0.1,
    }


def drawn(number: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [H, W, 3] with one to three bright figures on a dark ground, and its mask."""
    rng = np.random.default_rng(number)
    height, width = rng.integers(56, 80, 2)
    pixels = rng.integers(0, 60, (height, width, 3)).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    y, x = np.mgrid[:height, :width] + 0.5
    for place in range(3):
        half = int(rng.integers(8, 14))
        cx, cy = (int(rng.integers(half, side - half)) for side in (width, height))
        square = (abs(x - cx) < half) & (abs(y - cy) < half)
        if mask[square].any():
            continue
        kind = (number + place) % 2
        inside = square if kind else np.hypot(x - cx, y - cy) < half
        pixels[inside] = rng.integers(150, 255, 3)
        mask[inside] = kind + 1
    return pixels, mask
