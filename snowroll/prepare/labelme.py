"""LabelMe's files, whatever the shapes in them are wanted for: one JSON a picture, beside it."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

from snowroll.prepare.names import home_of
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import UNUSABLE, json_trees, size_told


@dataclass(frozen=True, slots=True)
class Shape:
    """One thing that was drawn."""

    label: str
    kind: str  # "polygon", "rectangle", "circle" (its centre, and a point of its edge), "point", "line" ...
    points: tuple[tuple[float, float], ...]  # x, y in pixels


@dataclass(frozen=True, slots=True)
class Drawn:
    """One picture as a file knows it."""

    where: str  # the file
    picture: str
    size: tuple[int, int] | None  # width and height, where they are told
    shapes: tuple[Shape, ...]


def read_shapes(folder: Folder, skipped: MutableMapping[str, str]) -> Iterator[Drawn]:
    """What each file says; what cannot be used goes to `skipped` with the reason."""
    for where, tree in json_trees(folder, skipped, b'"shapes"', b'"imagePath"'):
        if not (isinstance(tree, dict) and isinstance(tree.get("shapes"), list)):
            continue
        try:
            named = str(tree["imagePath"]).replace("\\", "/").rpartition("/")[2]
            size = size_told(tree.get("imageWidth"), tree.get("imageHeight"))
            yield Drawn(where, home_of(where) + named, size, tuple(map(_shape, tree["shapes"])))
        except UNUSABLE as fault:
            skipped[where] = f"LabelMe that cannot be used ({fault!r})"


def _shape(told: Any) -> Shape:
    kind = told.get("shape_type") or "polygon"
    points = tuple((float(x), float(y)) for x, y in told["points"])
    if not points or (kind == "circle" and len(points) != 2):
        raise ValueError(f"a {kind} of {len(points)} points")
    return Shape(str(told["label"]), kind, points)
