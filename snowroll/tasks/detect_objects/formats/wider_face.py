"""WIDER FACE: one text; after the name of each picture how many faces it holds, then a line a face: left, top, width,
height, blur, expression, illumination, whether it is invalid, occlusion, pose. Invalid faces are to be ignored."""

from __future__ import annotations

from collections.abc import Sequence

from snowroll.base.nouns import Json
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import split_of_name
from snowroll.tasks.detect_objects.formats.beside import lines_of, lone_texts
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object

_COLUMNS = 10
Line = tuple[int, str]


def read(folder: Folder) -> Told:
    told = Told("WIDER FACE")
    for where, raw in folder.stream(lone_texts(folder)):
        lines = lines_of(raw)
        if not _is_one([line for _, line in lines[:3]]):
            continue
        told.used.add(where)
        before = len(told.pictures)
        for picture, rest in _by_picture(lines):
            try:
                told.pictures.append(Marked(picture, _faces(rest), where, split=split_of_name(where)))
            except ValueError as fault:
                told.skipped[f"{where} ({picture})"] = f"a picture that cannot be used ({fault})"
        found = told.pictures[before:]
        faces = sum(len(one.objects) for one in found)
        told.evidence.append(f"{where}: WIDER FACE, {len(found):,} pictures, {faces:,} faces")
    return told


def _is_one(lines: Sequence[str]) -> bool:
    return (
        len(lines) > 2
        and bool(format_of_name(lines[0]))
        and lines[1].isdecimal()
        and len(lines[2].split()) == _COLUMNS
        and all(cell.lstrip("-").isdecimal() for cell in lines[2].split())
    )


def _by_picture(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    found: list[tuple[str, list[Line]]] = []
    for number, line in lines:
        if format_of_name(line):
            found.append((line, []))
        else:
            found[-1][1].append((number, line))
    return found


def _faces(lines: Sequence[Line]) -> tuple[Json, ...]:
    """Where there is none, a line of noughts stands in its place."""
    count, *rows = lines or [(0, "")]
    if count[1] == "0" and len(rows) <= 1:
        return ()
    if count[1] != str(len(rows)):
        raise ValueError(f"line {count[0]} is not the number of the {len(rows)} lines that follow")
    return tuple(_face(*row) for row in rows)


def _face(number: int, line: str) -> Json:
    cells = [float(cell) for cell in line.split()]
    if len(cells) != _COLUMNS:
        raise ValueError(f"line {number} has {len(cells)} numbers")
    left, top, wide, high = cells[:4]
    return an_object("face", (left, top, left + wide, top + high), ignore=bool(cells[7]))
