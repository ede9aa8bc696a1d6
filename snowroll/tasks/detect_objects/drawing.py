"""A picture with its boxes, as a person wants to see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.nouns import Json
from snowroll.tasks.detect_objects.scoring import pairs_of

if TYPE_CHECKING:
    from PIL.Image import Image

# told and right; told and not there; there and not told. Told apart without colour by their lines.
RIGHT, FALSE, MISSED = (46, 160, 67), (230, 120, 0), (215, 40, 60)
SMALL_PX = 240  # pictures are enlarged to this, so that names can be read
LINES = ((RIGHT, False), (FALSE, False), (MISSED, True))


def drawn(rgb: np.ndarray, target: Json | None, prediction: Json | None, schema: Mapping[str, Json]) -> Image:
    """The picture, and what is known of it: the target's boxes alone, the prediction's alone, or one against the other:
    green is right, an orange box is a false alarm, a red dashed one was missed.
    """
    from PIL import Image

    image = Image.fromarray(rgb)
    if target is None and prediction is None:
        return image
    scale = max(1.0, SMALL_PX / max(image.size))
    if scale > 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    width = max(1, round(max(image.size) / 250))
    for row, colour, is_dashed in _rows(target, prediction):
        _box(image, [side * scale for side in row["box"]], _name(row), colour, width, is_dashed)
    return image


def _rows(target: Json | None, prediction: Json | None) -> list[tuple[Json, tuple[int, int, int], bool]]:
    if target is None or prediction is None:
        return [(row, RIGHT, bool(row.get("ignore"))) for row in target or prediction or ()]
    wanted = [row for row in target if not row.get("ignore")]
    pairs = pairs_of(prediction, wanted, 0.5)
    right, found = {a for a, _ in pairs}, {b for _, b in pairs}
    rows = [(row, RIGHT if place in right else FALSE, False) for place, row in enumerate(prediction)]
    return rows + [(row, MISSED, True) for place, row in enumerate(wanted) if place not in found]


def _name(row: Json) -> str:
    return f"{row['class']} {row['score']:.0%}" if "score" in row else str(row["class"])


def _box(
    image: Image, box: Sequence[float], name: str, colour: tuple[int, int, int], width: int, is_dashed: bool
) -> None:
    from PIL import ImageDraw, ImageFont

    pen = ImageDraw.Draw(image)
    left, top, right, bottom = (round(side) for side in box)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    if is_dashed:
        _dashes(pen, (left, top, right, bottom), colour, width)
    else:
        pen.rectangle((left, top, right, bottom), outline=colour, width=width)
    font = ImageFont.load_default(size=max(9.0, max(image.size) / 45))
    x0, y0, x1, y1 = font.getbbox(name)
    above = top - (y1 - y0) - 4
    y = above if above >= 0 else top
    if right - left > (x1 - x0) / 2:  # names on tiny boxes would hide their neighbours
        pen.rectangle((left, y, left + x1 - x0 + 4, y + y1 - y0 + 4), fill=colour)
        pen.text((left + 2 - x0, y + 2 - y0), name, fill="white", font=font)


def _dashes(pen: object, box: tuple[int, int, int, int], colour: tuple[int, int, int], width: int) -> None:
    left, top, right, bottom = box
    step = 4 * width + 2
    for x in range(left, right, 2 * step):
        for y in (top, bottom):
            pen.line((x, y, min(x + step, right), y), fill=colour, width=width)  # type: ignore[attr-defined]
    for y in range(top, bottom, 2 * step):
        for x in (left, right):
            pen.line((x, y, x, min(y + step, bottom)), fill=colour, width=width)  # type: ignore[attr-defined]
