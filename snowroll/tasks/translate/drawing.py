"""A sentence as a picture, as a person wants to read it: the source, its translation, and what was said instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.nouns import Json
from snowroll.prepare.lettering import INK, SAID, TRUTH, in_lines, lines_as_picture

if TYPE_CHECKING:
    from PIL.Image import Image

_TILE, _ROWS = 14, 6  # characters and lines of a tile


def drawn(text: str, target: Json | None, prediction: Json | None) -> Image:
    """The source in black; below it its translation, in green, and what a model said, in red."""
    parts = [(text, INK)]
    if target is not None:
        parts.append((f"> {target}", TRUTH))
    if prediction is not None:
        parts.append((f"? {prediction}", SAID))
    return lines_as_picture([(line, ink) for part, ink in parts for line in in_lines(part)])


def shown(tokens: np.ndarray) -> Image:
    """The numbers of a source's tokens, square and large enough to be read on a contact sheet."""
    text = " ".join(str(token) for token in tokens.tolist() if token)
    lines = [(line, INK) for line in in_lines(text, _TILE)][:_ROWS]
    return lines_as_picture([*lines, *[("", INK)] * (_ROWS - len(lines))], _TILE)
