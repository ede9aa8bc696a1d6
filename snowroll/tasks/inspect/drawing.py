"""A part as a person wants to see it: where it is unlike good ones, and where a fault was marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.tasks.inspect.parts import at_size, map_of, mask_of

if TYPE_CHECKING:
    from PIL.Image import Image

HOT = np.array([230, 60, 20])
MARKED = np.array([0, 160, 230])
FROM, FULL = 0.5, 1.5  # heat that begins to show, and that shows fully; 1 is where good parts end


def drawn(rgb: np.ndarray, target: Json | None, prediction: Json | None) -> Image:
    """The picture, the marked fault outlined in blue; beside it, if something was said, the same under its heat."""
    from PIL import Image

    panels = [_outlined(rgb, target)]
    heat = None if prediction is None else map_of(prediction)
    if heat is not None:
        strength = np.clip((at_size(heat, rgb.shape[:2]) - FROM) / (FULL - FROM), 0, 1)[..., None] * 0.7
        grey = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2)
        panels.append(_outlined(((1 - strength) * grey + strength * HOT).astype(np.uint8), target))
    gap = np.full((rgb.shape[0], max(2, rgb.shape[1] // 80), 3), 255, np.uint8)
    side_by_side = [part for panel in panels for part in (panel, gap)][:-1]
    return Image.fromarray(np.concatenate(side_by_side, axis=1))


def _outlined(rgb: np.ndarray, target: Json | None) -> np.ndarray:
    try:
        mask = None if target is None else mask_of(target)
    except DataError:
        mask = None
    if mask is None:
        return rgb
    from scipy.ndimage import binary_dilation

    inside = at_size(mask, rgb.shape[:2]) > 0.5
    wider = np.asarray(binary_dilation(inside, iterations=max(1, max(rgb.shape) // 250)), bool)
    edge = wider & ~inside
    return np.where(edge[..., None], MARKED, rgb).astype(np.uint8)
