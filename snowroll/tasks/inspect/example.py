"""A tiny folder that this task learns in a minute on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json

KINDS = ("scratch", "stain")


def example(folder: Path) -> Mapping[str, Json]:
    """Write 40 good parts to learn from and 20 to be judged by, half of these with a scratch or a stain, and its mask.

    Returns settings that suit them, augmentation among them.
    """
    from PIL import Image

    for number in range(60):
        kind = "good" if number < 40 or number % 2 else KINDS[number // 2 % 2]
        pixels, mask = drawn(number, kind)
        for part, drawing in (("train" if number < 40 else "test", pixels), ("ground_truth", mask)):
            if drawing.any():
                (folder / part / kind).mkdir(parents=True, exist_ok=True)
                Image.fromarray(drawing).save(folder / part / kind / f"{number:02}.png")
    return {
        "task.model": "plain_small",
        "task.size_px": 64,
        "task.memory": 512,
        "task.known_faults": True,
        "task.flip": True,
        "task.rotate_deg": 5.0,
        "task.scale": 0.05,
        "task.shift": 0.05,
        "task.brightness": 0.1,
        "train.folds": 0,
    }


def drawn(number: int, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """uint8 [H, W, 3], a ring on a brushed ground, and [H, W] 255 where it is faulty."""
    rng = np.random.default_rng(number)
    side = int(rng.integers(60, 72))
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    ground = 110 + 25 * np.sin(40 * y + rng.uniform(0, 6)) + rng.normal(0, 6, (side, side))
    far = np.hypot(x - 0.5, y - 0.5)
    pixels = np.where((far > 0.22) & (far < 0.34), 190 + rng.normal(0, 6, (side, side)), ground)
    mask = np.zeros((side, side), np.uint8)
    if kind == "scratch":
        angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.1, 0.1)
        mask[abs((x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) - offset) < 0.025] = 255
        pixels[mask > 0] = 20
    elif kind == "stain":
        cx, cy = rng.uniform(0.25, 0.75, 2)
        mask[np.hypot(x - cx, y - cy) < 0.12] = 255
        pixels[mask > 0] = 245
    rgb = np.repeat(np.clip(pixels, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return rgb, mask
