"""KITTI: a text a picture, a line an object: its class, how it is seen (3 numbers), its box, and where it stands in
space (7 numbers). Regions called DontCare are to be ignored."""

from __future__ import annotations

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.tasks.detect_objects.formats.beside import read_texts
from snowroll.tasks.detect_objects.formats.marks import Told, a_region, an_object

_COLUMNS = (15, 16)  # the last is a score


def read(folder: Folder) -> Told:
    return read_texts(folder, "KITTI", _object)


def _object(number: int, line: str) -> Json:
    name, *cells = line.split()
    if 1 + len(cells) not in _COLUMNS or name[0].isdecimal():
        raise ValueError(f"line {number} is no class with {_COLUMNS[0] - 1} numbers")
    box = [float(cell) for cell in cells][3:7]
    return a_region(box) if name.lower() == "dontcare" else an_object(name, box)
