"""A tiny folder that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json

SIDE_PX = 20


def example(folder: Path) -> Mapping[str, Json]:
    """Write 48 pictures of bars, crosses and rings. Returns settings that suit them, augmentation among them."""
    from PIL import Image

    for kind in ("bar", "cross", "ring"):
        (folder / kind).mkdir(parents=True)
        for number in range(16):
            Image.fromarray(_drawn(kind, number)).save(folder / kind / f"{number:02}.png")
    return {
        "task.model": "convnet",
        "task.size_px": 16,
        "task.flip": True,
        "task.rotate_deg": 10.0,
        "task.scale": 0.1,
        "task.brightness": 0.1,
        "task.cutout": 0.2,
    }


def _drawn(kind: str, number: int) -> np.ndarray:
    """uint8 [S, S, 3]: a bright figure on a ground of soft colours, another one for each number."""
    from PIL import Image

    rng = np.random.default_rng([number, len(kind)])
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX] / SIDE_PX - rng.uniform(0.4, 0.6, (2, 1, 1))
    ground = Image.fromarray(rng.integers(0, 130, (4, 4, 3)).astype(np.uint8))
    drawn = np.array(ground.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))
    bar, beam, ring = abs(x) < 0.1, abs(y) < 0.1, abs(np.hypot(x, y) - 0.3) < 0.08
    drawn[{"bar": bar, "cross": bar | beam, "ring": ring}[kind]] = rng.integers(170, 255, 3)
    return drawn
