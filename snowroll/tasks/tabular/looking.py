"""A row as a picture: a thumbnail in which alike rows look alike, and a table that a person can read. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, copysign, log2, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.look import THUMBNAIL_PX, Look, look_of_no_picture
from snowroll.prepare.tables import Cell, row_from_bytes
from snowroll.tasks.tabular.cells import as_float, hash_of
from snowroll.tasks.tabular.columns import as_number, spelled

if TYPE_CHECKING:
    from PIL.Image import Image

ROW_PX, NAME_PX, CELL_PX = 18, 190, 250
MOST_ROWS = 40  # cells that are drawn; of a wider row the rest is counted


def look(raw: bytes) -> Look:
    """The Look of one row. `own` holds its cells as numbers, by column."""
    try:
        cells = row_from_bytes(raw)
    except DataError as fault:
        return Look(len(raw), reason=fault.what)
    if not cells:
        return Look(len(raw), reason="a row in which nothing is said")
    own = {name: number for name in sorted(cells) if (number := as_float(cells[name])) == number}
    return look_of_no_picture(raw, "row", own, thumbnail(cells))


def thumbnail(cells: Mapping[str, Cell]) -> np.ndarray:
    """uint8 [32, 32, 3]: a tile for each cell, by column; a number's colour is its size, a word's its own."""
    side = ceil(sqrt(max(1, len(cells))))
    edges = np.round(np.linspace(0, THUMBNAIL_PX, side + 1)).astype(int)
    drawn = np.full((THUMBNAIL_PX, THUMBNAIL_PX, 3), 128, np.uint8)
    for place, name in enumerate(sorted(cells)):
        row, column = divmod(place, side)
        drawn[edges[row] : edges[row + 1], edges[column] : edges[column + 1]] = _colour(cells[name])
    return drawn


def _colour(cell: Cell) -> tuple[int, int, int]:
    if cell is None:
        return 128, 128, 128
    number = as_number(cell)
    if number is None:
        hashed = hash_of(spelled(cell))
        return hashed & 255, hashed >> 8 & 255, hashed >> 16 & 255
    size = copysign(log2(1 + abs(number)), number)  # near numbers have near colours, whatever their size
    fine = abs(size) % 4 / 4
    return int(np.clip(128 + 5 * size, 0, 255)), int(255 * abs(2 * fine - 1)), int(255 * fine)


def drawn(raw: bytes, target: Json | None, prediction: Json | None, schema: Mapping[str, Json]) -> Image:
    """The row as two columns, names and what they say, under its target and what was predicted."""
    cells = row_from_bytes(raw)
    order = [column["name"] for column in schema.get("columns", ()) if column["name"] in cells]
    rows = [(name, cells[name]) for name in (*order, *(name for name in cells if name not in order))]
    right = None if target is None or prediction is None or schema.get("type") == "number" else target == prediction
    is_, said = (None if value is None else _short(value) for value in (target, prediction))
    return table(rows, is_, said, str(schema.get("target", "target")), right)


def table(
    rows: Sequence[tuple[str, Cell]], target: str | None, prediction: str | None, called: str, right: bool | None
) -> Image:
    """right: whether the prediction is; None: it is no matter of right or wrong."""
    from PIL import Image as PIL
    from PIL import ImageDraw, ImageFont

    heads = [("is", called, target)] if target is not None else []
    heads += [("said", called, prediction)] if prediction is not None else []
    shown = rows[:MOST_ROWS]
    lines = len(heads) + max(1, len(shown)) + (len(rows) > MOST_ROWS)
    picture = PIL.new("RGB", (NAME_PX + CELL_PX, lines * ROW_PX + 2), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    y = 1
    for kind, name, value in heads:
        ground = "#dfe8f5" if kind == "is" else {None: "#ece6f4", True: "#dff0df", False: "#f6dcdc"}[right]
        pen.rectangle((0, y, NAME_PX + CELL_PX, y + ROW_PX - 1), ground)
        words = f"{'predicted ' if kind == 'said' else ''}{name}"
        pen.text((6, y + 2), _fitting(words, 30), "#222222", font)
        pen.text((NAME_PX + 6, y + 2), _fitting(value, 40), "#111111", font)
        y += ROW_PX
    for number, (name, cell) in enumerate(shown):
        if number % 2:
            pen.rectangle((0, y, NAME_PX + CELL_PX, y + ROW_PX - 1), "#f4f4f4")
        pen.text((6, y + 2), _fitting(name, 30), "#555555", font)
        said, ink = ("not said", "#999999") if cell is None else (_short(cell), "#111111")
        pen.text((NAME_PX + 6, y + 2), _fitting(said, 40), ink, font)
        y += ROW_PX
    if len(rows) > MOST_ROWS:
        pen.text((6, y + 2), f"and {len(rows) - MOST_ROWS} more columns", "#999999", font)
    pen.line((NAME_PX, 0, NAME_PX, picture.height), "#cccccc")
    pen.rectangle((0, 0, picture.width - 1, picture.height - 1), outline="#cccccc")
    return picture


def shown(number: np.ndarray, known: np.ndarray, word: np.ndarray) -> Image:
    """What the model is given of one row, as tiles: [N], [N], [W]; it tells words apart and does not know them."""
    from PIL import Image as PIL

    cells: dict[str, Cell] = {
        f"1 {place:05}": float(value) if is_known else None
        for place, (value, is_known) in enumerate(zip(number, known, strict=True))
    }
    cells |= {f"2 {place:05}": f"{value}" if value else None for place, value in enumerate(word.tolist())}
    tiles = PIL.fromarray(thumbnail(cells))
    return tiles.resize((3 * THUMBNAIL_PX, 3 * THUMBNAIL_PX), PIL.Resampling.NEAREST)


def _short(cell: Cell) -> str:
    return f"{cell:,.6g}" if isinstance(cell, float) else spelled(cell)


def _fitting(text: str, most: int) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def values_of(looks: Sequence[Any], schema: Mapping[str, Json], name: str) -> list[object]:
    """[n] what the rows say in a column: a word of its category, else a number; None where nothing, or another word."""
    column = next((one for one in schema.get("columns", ()) if one["name"] == name), {})
    levels = column.get("levels", ())
    words = {float(hash_of(level) >> 11): level for level in levels}
    words |= {number: level for level in levels if (number := _as_number(level)) is not None}
    own: list[float | None] = [look.own.get(name) if look is not None else None for look in looks]
    return [None if value is None else words.get(value, "another") if levels else value for value in own]


def _as_number(level: str) -> float | None:
    try:
        return float(level)
    except ValueError:
        return None
