"""Pictures of noise and masks of stripes, in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def write(folder: Path, place: str, pixels: np.ndarray) -> None:
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / place)


def photo(seed: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)


def a_mask(values: tuple[int, ...], dtype: type = np.uint8) -> np.ndarray:
    mask = np.zeros((30, 40), dtype)
    for place, value in enumerate(values):
        mask[:, place * 40 // len(values) : (place + 1) * 40 // len(values)] = value
    return mask
