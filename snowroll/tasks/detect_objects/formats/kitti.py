"""KITTI: a text a picture, a line an object: its class, how it is seen (3 numbers), its box, and where it stands in
space (7 numbers). Regions called DontCare are to be ignored."""

from __future__ import annotations

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.tasks.detect_objects.formats.beside import texts_of_pictures
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, a_region, an_object

_COLUMNS = (15, 16)  # the last is a score


def read(folder: Folder) -> Told:
    told = Told("KITTI")
    for where, picture, lines in texts_of_pictures(folder, _is_row):
        told.used.add(where)
        try:
            told.pictures.append(Marked(picture or "", tuple(_object(*line) for line in lines), where))
        except ValueError as fault:
            told.skipped[where] = f"KITTI that cannot be used ({fault})"
    if told.pictures:
        told.evidence.append(f"{len(told.pictures):,} KITTI label files")
    return told


def _is_row(line: str) -> bool:
    try:
        _object(1, line)
    except ValueError:
        return False
    return True


def _object(number: int, line: str) -> Json:
    name, *cells = line.split()
    if 1 + len(cells) not in _COLUMNS or name[0].isdecimal():
        raise ValueError(f"line {number} is no class with {_COLUMNS[0] - 1} numbers")
    box = [float(cell) for cell in cells][3:7]
    return a_region(box) if name.lower() == "dontcare" else an_object(name, box)
