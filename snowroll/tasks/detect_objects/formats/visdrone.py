"""VisDrone: a text a picture, a line an object: left, top, width, height, whether it counts, class, truncation,
occlusion. What does not count is to be ignored."""

from __future__ import annotations

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.tasks.detect_objects.formats.beside import read_texts
from snowroll.tasks.detect_objects.formats.marks import Told, a_region, an_object

_CLASSES = (
    *("", "pedestrian", "people", "bicycle", "car", "van", "truck"),
    *("tricycle", "awning-tricycle", "bus", "motor", "others"),
)
_COLUMNS = 8


def read(folder: Folder) -> Told:
    return read_texts(folder, "VisDrone", _object, says_split=True)


def _object(number: int, line: str) -> Json:
    cells = [float(cell) for cell in line.rstrip(",").split(",")]
    if len(cells) != _COLUMNS or cells[4] not in (0, 1) or cells[5] not in range(len(_CLASSES)):
        raise ValueError(f"line {number} is no box with whether it counts, class, truncation and occlusion")
    left, top, wide, high, counts, kind = cells[:6]
    box = left, top, left + wide, top + high
    return an_object(_CLASSES[int(kind)], box) if counts and kind else a_region(box)
