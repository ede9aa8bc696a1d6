"""A text as a picture, as a person wants to read it: the passage, what follows it, and what was said instead."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from snowroll.base.nouns import Json
from snowroll.tasks.write_text.texts import follows_of

if TYPE_CHECKING:
    from PIL.Image import Image

WIDE = 72  # characters in a line
SHOWN = 640  # of a passage: its last ones
_TILE, _ROWS = 14, 6  # characters and lines of a tile
_SIZE, _LINE, _EDGE = 13, 18, 12  # px
INK, TRUTH, SAID, PAPER = (30, 30, 30), (0, 110, 60), (180, 50, 20), (255, 255, 255)


def drawn(text: str, target: Json | None, prediction: Json | None) -> Image:
    """The end of the text in black; in lines of their own what follows it, in green, and what a model said, in red."""
    parts = [(("… " if len(text) > SHOWN else "") + text[-SHOWN:], INK)]
    if target is not None:
        parts.append((f"> {follows_of(target)}", TRUTH))
    if prediction is not None:
        parts.append((f"? {follows_of(prediction)}", SAID))
    return lines_as_picture([(line, ink) for part, ink in parts for line in _lines(part)])


def lines_as_picture(lines: list[tuple[str, tuple[int, int, int]]], wide: int = WIDE) -> Image:
    """Each line in its colour, on white."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_SIZE)
    picture = Image.new("RGB", (2 * _EDGE + wide * 8, 2 * _EDGE + _LINE * max(1, len(lines))), PAPER)
    pen = ImageDraw.Draw(picture)
    for row, (line, ink) in enumerate(lines):
        pen.text((_EDGE, _EDGE + row * _LINE), line, fill=ink, font=font)
    return picture


def shown(text: str) -> Image:
    """The beginning of what a network sees, square and large enough to be read on a contact sheet."""
    lines = [(line, INK) for line in _lines(text, _TILE)][:_ROWS]
    return lines_as_picture([*lines, *[("", INK)] * (_ROWS - len(lines))], _TILE)


def _lines(text: str, wide: int = WIDE) -> list[str]:
    """Wrapped; a line end within the text shows as one, and odd characters as spaces."""
    lines = []
    for line in text.split("\n"):
        plain = "".join(c if c.isprintable() else " " for c in line)
        lines += wrap(plain, wide, drop_whitespace=False, replace_whitespace=False) or [""]
    return lines
