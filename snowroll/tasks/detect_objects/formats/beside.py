"""Texts that lie near the pictures they are called after, a line an object."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from snowroll.base.nouns import Json
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import stem_of
from snowroll.prepare.trees import LARGEST
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, split_of_place

MOST_LONE = 200  # more of them are texts to be read
TRIED = 50  # texts of a folder that show whether it holds the format


def read_texts(folder: Folder, format: str, object_of: Callable[[int, str], Json], says_split: bool = False) -> Told:
    """Every text of a format. object_of: a line's object by its number and words; ValueError where it is none.
    says_split: the folders over a text may be called after its split.
    """

    def is_row(line: str) -> bool:
        try:
            object_of(1, line)
        except ValueError:
            return False
        return True

    told = Told(format)
    for where, picture, lines in _texts_of_pictures(folder, is_row):
        told.used.add(where)
        split = split_of_place(where) if says_split else None
        try:
            told.pictures.append(Marked(picture or "", tuple(object_of(*line) for line in lines), where, split=split))
        except ValueError as fault:
            told.skipped[where] = f"{format} that cannot be used ({fault})"
    if told.pictures:
        told.evidence.append(f"{len(told.pictures):,} {format} label files")
    return told


def _texts_of_pictures(
    folder: Folder, is_row: Callable[[str], bool]
) -> Iterator[tuple[str, str | None, Sequence[tuple[int, str]]]]:
    """(text, the picture it is called after, its numbered lines), of the folders where texts begin with such a row.

    None where it is not clear which picture is meant. A text without lines says that there is nothing.
    """
    pictures: dict[str, list[str]] = defaultdict(list)
    for entry in folder.entries():
        if format_of_name(entry.where):
            pictures[stem_of(entry.where)].append(entry.where)
    homes: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for entry in folder.entries():
        if entry.where.lower().endswith(".txt") and entry.size < LARGEST and stem_of(entry.where) in pictures:
            homes[tuple(_folders(entry.where))].append(entry.where)
    for texts in homes.values():
        if any(is_row(line) for _, raw in folder.stream(texts[:TRIED]) for _, line in lines_of(raw)[:2]):
            for where, raw in folder.stream(texts):
                yield where, _nearest(where, pictures[stem_of(where)]), lines_of(raw)


def lone_texts(folder: Folder) -> list[str]:
    """Texts that are not called after a picture, where these are few."""
    called = {stem_of(entry.where) for entry in folder.entries() if format_of_name(entry.where)}
    texts = (entry for entry in folder.entries() if entry.where.lower().endswith(".txt") and entry.size < LARGEST)
    found = [entry.where for entry in texts if stem_of(entry.where) not in called]
    return found if len(found) <= MOST_LONE else []


def lines_of(raw: bytes) -> list[tuple[int, str]]:
    lines = raw.decode("utf-8-sig", "replace").splitlines()
    return [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]


def _nearest(text: str, pictures: Sequence[str]) -> str | None:
    """Of training/label_2/7.txt training/image_2/7.png; neither training/image_3/7.png nor testing/image_2/7.png."""
    shared = {picture: _shared(_folders(text), _folders(picture)) for picture in pictures}
    near = [picture for picture in pictures if shared[picture] == max(shared.values())]
    if len(near) > 1:
        near = [picture for picture in near if _numbers(picture) == _numbers(text)]
    return near[0] if len(near) == 1 else None


def _folders(where: str) -> list[str]:
    return where.replace("!", "/").split("/")[:-1]


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    return next((k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _numbers(where: str) -> list[str]:
    """Of the folders it lies in."""
    return re.findall(r"\d+", "/".join(_folders(where)))
