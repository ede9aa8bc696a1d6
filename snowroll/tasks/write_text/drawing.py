"""A text as a picture, as a person wants to read it: the passage, what follows it, and what was said instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from snowroll.base.nouns import Json
from snowroll.prepare.lettering import INK, SAID, TRUTH, in_lines, lines_as_picture
from snowroll.tasks.write_text.texts import follows_of

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN = 640  # of a passage: its last ones
_TILE, _ROWS = 14, 6  # characters and lines of a tile


def drawn(text: str, target: Json | None, prediction: Json | None) -> Image:
    """The end of the text in black; in lines of their own what follows it, in green, and what a model said, in red."""
    parts = [(("… " if len(text) > SHOWN else "") + text[-SHOWN:], INK)]
    if target is not None:
        parts.append((f"> {follows_of(target)}", TRUTH))
    if prediction is not None:
        parts.append((f"? {follows_of(prediction)}", SAID))
    return lines_as_picture([(line, ink) for part, ink in parts for line in in_lines(part)])


def shown(text: str) -> Image:
    """The beginning of what a network sees, square and large enough to be read on a contact sheet."""
    lines = [(line, INK) for line in in_lines(text, _TILE)][:_ROWS]
    return lines_as_picture([*lines, *[("", INK)] * (_ROWS - len(lines))], _TILE)
