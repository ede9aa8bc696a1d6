"""A picture with its mask, as a person wants to see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.mask_targets import IGNORED, mask_of, numbered_at

if TYPE_CHECKING:
    from PIL.Image import Image

# told apart by most eyes (Okabe and Ito 2008), then by turning round the circle of hues
COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0), (240, 228, 66))
WRONG = (220, 30, 60)
GROUNDS = frozenset({"background", "ground", "nothing", "0"})  # what is left when everything has been found
SHOWN = 0.5  # how strongly a class colours its pixels


def drawn(rgb: np.ndarray, target: Json | None, prediction: Json | None, schema: Mapping[str, Json]) -> Image:
    """The picture under the colours of its classes, but for the background. Of two masks: what is there, what was said,
    and where they differ, side by side.
    """
    from PIL import Image

    if target is None and prediction is None:
        return Image.fromarray(rgb)
    classes = schema.get("classes") or (target or prediction or {})["classes"]
    masks = [_at_size(mask, rgb, classes) for mask in (target, prediction) if mask is not None]
    plain = [place for place, name in enumerate(classes) if name.lower() in GROUNDS]
    panels = [_coloured(rgb, mask, plain) for mask in masks]
    if len(masks) == 2:
        differs = (masks[0] != masks[1]) & (masks[0] != IGNORED)
        grey = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2)
        panels.append(np.where(differs[..., None], 0.35 * grey + 0.65 * np.array(WRONG), 0.5 * grey).astype(np.uint8))
    gap = np.full((rgb.shape[0], max(2, rgb.shape[1] // 80), 3), 255, np.uint8)
    side_by_side = [part for panel in panels for part in (panel, gap)][:-1]
    return Image.fromarray(np.concatenate(side_by_side, axis=1))


def as_png(value: Json) -> bytes:
    """A mask as a picture with a palette."""
    import io

    from PIL import Image

    image = Image.fromarray(mask_of(value), "P")
    image.putpalette([part for number in range(256) for part in (colour(number) if number != IGNORED else (0, 0, 0))])
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _at_size(target: Json, rgb: np.ndarray, classes: list[str]) -> np.ndarray:
    try:
        return numbered_at(target, classes, rgb.shape[:2])
    except DataError:
        return np.full(rgb.shape[:2], IGNORED, np.uint8)


def _coloured(rgb: np.ndarray, mask: np.ndarray, plain: list[int]) -> np.ndarray:
    """plain: the classes that are left as the picture has them, so that what lies in them is seen."""
    table = np.zeros((256, 3))
    for number in range(255):
        table[number] = colour(number)
    mixed = np.where(np.isin(mask, plain)[..., None], rgb, (1 - SHOWN) * rgb + SHOWN * table[mask])
    return np.where((mask == IGNORED)[..., None], rgb // 2, mixed).astype(np.uint8)


def colour(number: int) -> tuple[int, int, int]:
    """Of a class, by its place among them."""
    import colorsys

    if number < len(COLOURS):
        return COLOURS[number]
    red, green, blue = colorsys.hsv_to_rgb(number * 0.618 % 1, 0.65, 0.9)
    return round(255 * red), round(255 * green), round(255 * blue)
