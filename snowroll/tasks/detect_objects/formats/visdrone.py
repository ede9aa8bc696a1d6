"""VisDrone: a text a picture, a line an object: left, top, width, height, whether it counts, class, truncation,
occlusion. What does not count is to be ignored."""

from __future__ import annotations

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.tasks.detect_objects.formats.beside import texts_of_pictures
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, a_region, an_object, split_of_place

_CLASSES = (
    *("", "pedestrian", "people", "bicycle", "car", "van", "truck"),
    *("tricycle", "awning-tricycle", "bus", "motor", "others"),
)
_COLUMNS = 8


def read(folder: Folder) -> Told:
    told = Told("VisDrone")
    for where, picture, lines in texts_of_pictures(folder, _is_row):
        told.used.add(where)
        try:
            objects = tuple(_object(*line) for line in lines)
            told.pictures.append(Marked(picture or "", objects, where, split=split_of_place(where)))
        except ValueError as fault:
            told.skipped[where] = f"VisDrone that cannot be used ({fault})"
    if told.pictures:
        told.evidence.append(f"{len(told.pictures):,} VisDrone label files")
    return told


def _is_row(line: str) -> bool:
    try:
        _object(1, line)
    except ValueError:
        return False
    return True


def _object(number: int, line: str) -> Json:
    cells = [float(cell) for cell in line.rstrip(",").split(",")]
    if len(cells) != _COLUMNS or cells[4] not in (0, 1) or cells[5] not in range(len(_CLASSES)):
        raise ValueError(f"line {number} is no box with whether it counts, class, truncation and occlusion")
    left, top, wide, high, counts, kind = cells[:6]
    box = left, top, left + wide, top + high
    return an_object(_CLASSES[int(kind)], box) if counts and kind else a_region(box)
