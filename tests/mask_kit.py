"""Pictures of noise and masks of stripes, in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.segment_images.reading import read_masks


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


def read_pairs(folder: Path, settings: PrepareSettings = PrepareSettings()) -> dict[str, Json]:  # noqa: B008 (frozen)
    """Picture -> its target, with the numbers of its mask as they are told."""
    reading = read_masks(Folder(folder), settings)
    assert reading is not None
    return {found.where: found.target for found in reading.found}


def half(side: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    """A black and white mask: one of four stripes is white."""
    mask = np.zeros(size[::-1], np.uint8)
    mask[:, side * 10 : side * 10 + 10] = 255
    return mask
