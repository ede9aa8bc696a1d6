"""What every format says of a picture, in one shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from snowroll.base.nouns import Json, Split

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


@dataclass(slots=True)
class Told:
    """What a format found in a folder."""

    format: str
    pictures: list[Marked] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)  # file or line -> why it says nothing
    used: set[str] = field(default_factory=set)  # files that were read
    evidence: list[str] = field(default_factory=list)


def an_object(name: object, box: Iterable[Any], ignore: bool = False) -> Json:
    """Raises ValueError where the box is no four finite numbers or the class has no name."""
    sides = [float(side) for side in box]
    label = str(name).strip()
    if len(sides) != 4 or not all(map(isfinite, sides)):
        raise ValueError("a box is four numbers")
    if not label:
        raise ValueError("an object without a class")
    found = {"class": label, "box": [_plain(side) for side in sides]}
    return {**found, "ignore": True} if ignore else found


def _plain(side: float) -> float:
    """To a thousandth of a pixel: what is lost is rounding in other people's arithmetic."""
    return round(side, 3) + 0.0


def in_pixels(one: Marked, size: tuple[int, int]) -> Marked:
    """The same with its boxes in pixels."""
    if not one.relative:
        return one
    wide, high = size
    objects = []
    for row in one.objects:
        left, top, right, bottom = row["box"]
        objects.append(
            {**row, "box": [_plain(left * wide), _plain(top * high), _plain(right * wide), _plain(bottom * high)]}
        )
    return Marked(one.picture, tuple(objects), one.line, size, one.split)


def classes_of(pictures: Sequence[Marked]) -> list[str]:
    return sorted({row["class"] for one in pictures for row in one.objects})


def number_of(row: Mapping[str, Any], *names: str) -> float:
    """The first of these keys that is there, as a number. Raises ValueError."""
    for name in names:
        if name in row:
            return float(row[name])
    raise ValueError(f"no '{names[0]}'")
