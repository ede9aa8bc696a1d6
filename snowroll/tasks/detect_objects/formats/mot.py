"""MOT challenge: of each film, a folder, a gt/gt.txt with a line an object in a frame: frame, track, left, top, width,
height, whether it counts, class, how much of it is seen. Who sits, stands still behind glass or is a mirror's image is
to be ignored; what is no person is no object."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from snowroll.base.nouns import Json
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import stem_of
from snowroll.prepare.trees import LARGEST
from snowroll.tasks.detect_objects.formats.beside import lines_of
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object

_PERSON, _UNTOLD = 1, -1
_ALIKE = (2, 7, 8, 12)  # on a vehicle, static, a distractor, a reflection
_CLASSES = 13
_TOLD_IN = "/gt/gt.txt"
_SIZES = (re.compile(r"^imWidth\s*=\s*(\d+)", re.M | re.I), re.compile(r"^imHeight\s*=\s*(\d+)", re.M | re.I))


def read(folder: Folder) -> Told:
    told = Told("MOT")
    places = {entry.where: _film_of(entry.where) for entry in folder.entries() if entry.size < LARGEST}
    films = {film: where for where, film in places.items() if film is not None}
    frames = _frames(folder, set(films))
    groups: dict[bytes, str] = {}  # what is told -> the first film of which it is told: one film may lie there thrice
    sizes = _sizes(folder, films)
    for where, raw in folder.stream([where for film, where in films.items() if frames[film]]):
        film = places[where] or ""
        objects: dict[int, list[Json]] = defaultdict(list)
        try:
            for number, line in lines_of(raw):
                frame, one = _object(number, line)
                objects[frame] += [one] if one else []
        except ValueError as fault:
            told.skipped[where] = f"MOT that cannot be used ({fault})"
            continue
        told.used |= {where, _note_of(film)}
        group = groups.setdefault(raw, film) or None
        for frame, picture in frames[film].items():
            told.pictures.append(Marked(picture, tuple(objects[frame]), where, sizes.get(film), group=group))
    if told.pictures:
        n = len({one.line for one in told.pictures})
        told.evidence.append(f"{n:,} films as MOT has them, {len(told.pictures):,} frames; a film stays in one split")
    return told


def _film_of(where: str) -> str | None:
    """The folder of the film that such a file tells of.

    >>> _film_of("train/MOT17-02/gt/gt.txt"), _film_of("gt/gt.txt"), _film_of("a/gt.txt")
    ('train/MOT17-02', '', None)
    """
    path = f"/{where}"
    return path.removesuffix(_TOLD_IN)[1:] if path.endswith(_TOLD_IN) else None


def _frames(folder: Folder, films: set[str]) -> dict[str, dict[int, str]]:
    """film -> number -> picture, of pictures in a folder below the film's that are called by their numbers."""
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for entry in folder.entries():
        film, stem = entry.where.rpartition("/")[0].rpartition("/")[0], stem_of(entry.where)
        if film in films and format_of_name(entry.where) and stem.isascii() and stem.isdecimal():
            found[film][int(stem)] = entry.where
    return found


def _sizes(folder: Folder, films: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Width and height that a film's seqinfo.ini tells."""
    known = {entry.where for entry in folder.entries()}
    notes = {note: film for film in films if (note := _note_of(film)) in known}
    found: dict[str, tuple[int, int]] = {}
    for note, raw in folder.stream(notes):
        wide, high = (side.search(raw.decode("utf-8-sig", "replace")) for side in _SIZES)
        if wide and high:
            found[notes[note]] = int(wide[1]), int(high[1])
    return found


def _note_of(film: str) -> str:
    return f"{film}/seqinfo.ini".lstrip("/")


def _object(number: int, line: str) -> tuple[int, Json | None]:
    """The frame, and what is in it. Raises ValueError where the line is no such one."""
    cells: Sequence[float] = [float(cell) for cell in line.rstrip(",").split(",")]
    if not 8 <= len(cells) <= 10 or cells[0] != int(cells[0]) or cells[7] not in range(_UNTOLD, _CLASSES):
        raise ValueError(f"line {number} is no frame, track, box, whether it counts and class")
    left, top, wide, high, counts, kind = cells[2:8]
    if kind not in (_UNTOLD, _PERSON, *_ALIKE):
        return int(cells[0]), None
    is_meant = bool(counts) and kind in (_UNTOLD, _PERSON)
    return int(cells[0]), an_object("pedestrian", (left, top, left + wide, top + high), ignore=not is_meant)
