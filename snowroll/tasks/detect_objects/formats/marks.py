"""What every format says of a picture, in one shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from os.path import commonpath
from typing import Any

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Split
from snowroll.prepare.split_words import SPLITS, split_of_name, words_of

ANY = "any class"  # what a region to be ignored is called where it may hold objects of every class
UNNAMED = "object"  # what the only class is called where nothing names it
MOST = 5_000_000  # boxes of one folder; more would not fit in a small machine's memory


@dataclass(frozen=True, slots=True)
class Marked:
    """One picture as an annotation file knows it."""

    picture: str  # the name it is called by
    objects: tuple[Json, ...]  # {"class", "box": [left, top, right, bottom] in pixels, "ignore" where it is so}
    line: str  # where that is said: "labels.json", "a.xml"
    size: tuple[int, int] | None = None  # width and height, where they are told
    split: Split | None = None
    relative: bool = False  # the boxes are shares of the picture's sides: its size must be looked up
    also: str = ""  # a longer name, to tell files apart that are called `picture`
    group: str | None = None  # the film that it is a frame of


@dataclass(slots=True)
class Told:
    """What a format found in a folder."""

    format: str
    pictures: list[Marked] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # file or line -> why it says nothing
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)  # plainly its own file -> why not read, cure
    used: set[str] = field(default_factory=set)  # files that were read
    evidence: list[str] = field(default_factory=list)


def an_object(name: object, box: Iterable[Any], ignore: bool = False) -> Json:
    """Raises ValueError where the box is no four finite numbers or the class has no name."""
    label, sides = str(name).strip(), _sides(box)
    if not label:
        raise ValueError("an object without a class")
    found = {"class": label, "box": sides}
    return {**found, "ignore": True} if ignore else found


def a_region(box: Iterable[Any]) -> Json:
    """To be ignored, whatever it holds. Raises ValueError as `an_object`."""
    return an_object(ANY, box, ignore=True)


def is_of_any(row: Json) -> bool:
    """Whether it is a region to be ignored, whatever it holds: its class is none to be learnt."""
    return row["class"] == ANY and bool(row.get("ignore"))


def hull(points: Iterable[tuple[float, float]]) -> list[float]:
    """The box of an outline. Raises ValueError where it has no points."""
    corners = list(points)
    if not corners:
        raise ValueError("an outline without points")
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    return [min(xs), min(ys), max(xs), max(ys)]


def _sides(box: Iterable[Any]) -> list[float]:
    """To a thousandth of a pixel: what is lost is rounding in other people's arithmetic. Raises ValueError where these
    are no four finite numbers."""
    sides = [float(side) for side in box]
    if len(sides) != 4 or not all(map(isfinite, sides)):
        raise ValueError("a box is four finite numbers")
    return [round(side, 3) + 0.0 for side in sides]


def in_pixels(one: Marked, size: tuple[int, int]) -> Marked:
    """The same with its boxes in pixels. Raises ValueError where a share is too large for that."""
    if not one.relative:
        return one
    wide, high = size
    objects = []
    for row in one.objects:
        left, top, right, bottom = row["box"]
        objects.append({**row, "box": _sides((left * wide, top * high, right * wide, bottom * high))})
    return replace(one, objects=tuple(objects), size=size, relative=False)


def split_of_place(where: str) -> Split | None:
    """By the file's name (via_train.json) or a folder over it (val/via_region_data.json, VisDrone2019-DET-train)."""
    folders = where.replace("!", "/").split("/")[:-1]
    words = (word for folder in reversed(folders) for word in words_of(f"{folder}."))
    return split_of_name(where) or next((SPLITS[word] for word in words if word in SPLITS), None)


def classes_of(pictures: Sequence[Marked]) -> list[str]:
    return sorted({row["class"] for one in pictures for row in one.objects})


def stems_of(pictures: Sequence[Marked]) -> list[str]:
    """What each picture's own file of labels is called, without an ending: as the picture; where pictures of several
    folders are called the same, with those below the folder that all lie in. Raises DataError as `paths_of`.
    """
    paths = paths_of(pictures)
    last = [path.rpartition("/")[2] for path in paths]
    if len(set(last)) == len(last):
        return last
    shared = commonpath([f"/{path}".rpartition("/")[0] or "/" for path in paths]).rstrip("/")
    return [f"/{path}".removeprefix(f"{shared}/") for path in paths]


def paths_of(pictures: Sequence[Marked]) -> list[str]:
    """Where each picture lies, without its ending; what production sent has no name but its hash.

    Raises DataError where the endings alone tell two apart, for then one file of labels would stand for both.
    """
    paths = []
    for one in pictures:
        head, slash, name = one.picture.replace("!", "/").removeprefix("blob:").rpartition("/")
        paths.append(head + slash + (name.rpartition(".")[0] or name))
    path, times = Counter(paths).most_common(1)[0] if paths else ("", 0)
    if times > 1:
        told = "pictures whose names differ in their endings alone would share one file of labels"
        raise DataError(told, where=f"{path}.*", cure="rename one of them, or take a format that has one file for all")
    return paths


def number_of(row: Mapping[str, Any], *names: str) -> float:
    """The first of these keys that is there, as a number. Raises ValueError."""
    for name in names:
        if name in row:
            return float(row[name])
    raise ValueError(f"no '{names[0]}'")
