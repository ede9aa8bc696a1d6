"""Text as a picture that people read: lines in colours of their own."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

WIDE = 72  # characters in a line
TILE, TILE_ROWS = 14, 6  # characters and lines of a tile
_SIZE, _LINE, _EDGE = 13, 18, 12  # px
INK, TRUTH, SAID, PAPER = (30, 30, 30), (0, 110, 60), (180, 50, 20), (255, 255, 255)


def lines_as_picture(lines: list[tuple[str, tuple[int, int, int]]], wide: int = WIDE) -> Image:
    """Each line in its colour, on white."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(_SIZE)
    picture = Image.new("RGB", (2 * _EDGE + wide * 8, 2 * _EDGE + _LINE * max(1, len(lines))), PAPER)
    pen = ImageDraw.Draw(picture)
    for row, (line, ink) in enumerate(lines):
        pen.text((_EDGE, _EDGE + row * _LINE), line, fill=ink, font=font)
    return picture


def in_lines(text: str, wide: int = WIDE) -> list[str]:
    """Wrapped; a line end within the text shows as one, and odd characters as spaces."""
    lines = []
    for line in text.split("\n"):
        plain = "".join(c if c.isprintable() else " " for c in line)
        lines += wrap(plain, wide, drop_whitespace=False, replace_whitespace=False) or [""]
    return lines


def told_of_a_text(text: str, target: object, answer: object) -> Image:
    """A text in black; below it what is true of it, in green, and what a model said, in red."""
    parts = [(text, INK)]
    if target is not None:
        parts.append((f"> {target}", TRUTH))
    if answer is not None:
        parts.append((f"? {answer}", SAID))
    return lines_as_picture([(line, ink) for part, ink in parts for line in in_lines(part)])


def as_tile(text: str) -> Image:
    """The beginning of a text, square and large enough to be read on a contact sheet."""
    lines = [(line, INK) for line in in_lines(text, TILE)][:TILE_ROWS]
    return lines_as_picture([*lines, *[("", INK)] * (TILE_ROWS - len(lines))], TILE)
