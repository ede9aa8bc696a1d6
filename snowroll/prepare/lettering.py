"""Text as a picture that people read: lines in colours of their own."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

WIDE = 72  # characters in a line
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
