"""Outlines drawn in LabelMe (a JSON a picture) or written by YOLO (a text a picture), painted into a mask a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import cos, dist, pi, sin

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.decode import limited
from snowroll.prepare.labelme import Shape, read_shapes
from snowroll.prepare.pictures import size_of
from snowroll.prepare.read import Folder
from snowroll.prepare.yolo import class_names, label_files
from snowroll.tasks.segment_images.coco import painted

Outline = tuple[str, list[float]]  # class; x, y, x, y ... in pixels
_CORNERS = 3  # the fewest of an outline


def read_labelme(folder: Folder, pictures: Sequence[str], background: str, skipped: dict[str, str]) -> dict[str, Json]:
    """Picture -> target; none where hardly a shape is more than a rectangle: then boxes are meant."""
    known, found = set(pictures), dict[str, Json]()
    outlined = shapes = 0
    for drawn in read_shapes(folder, skipped):
        if drawn.picture not in known or drawn.size is None:
            lacks = "a picture beside it" if drawn.size else "the picture's size"
            skipped[drawn.where] = f"LabelMe without {lacks}"
            continue
        outlines = [(shape.label, corners) for shape in drawn.shapes if (corners := _corners(shape))]
        shapes, outlined = shapes + len(drawn.shapes), outlined + len(outlines)
        try:
            found[drawn.picture] = _painted(outlines, drawn.size, background)
        except ValueError as fault:
            skipped[drawn.where] = f"outlines that cannot be used ({fault})"
    return found if outlined and 2 * outlined > shapes else {}


def _corners(shape: Shape) -> list[float]:
    """x, y, x, y ... of what has an area of its own; of a circle 64 of them. [] for other shapes."""
    points = shape.points
    if shape.kind == "circle":
        (x, y), edge = points
        radius, turns = dist((x, y), edge), [2 * pi * step / 64 for step in range(64)]
        points = tuple((x + radius * cos(turn), y + radius * sin(turn)) for turn in turns)
    elif shape.kind != "polygon" or len(points) < _CORNERS:
        return []
    return [side for point in points for side in point]


def read_yolo(folder: Folder, background: str, skipped: dict[str, str], workers: int) -> dict[str, Json]:
    """Picture -> target, where most lines of YOLO's label files are outlines; none where they are boxes."""
    labels = label_files(folder)
    names, _ = class_names(folder)
    told: dict[str, list[Outline]] = {}
    boxes = 0
    for where, raw in folder.stream(list(labels)):
        try:
            rows = [(int(cells[0]), [float(cell) for cell in cells[1:]]) for cells in _cells(raw)]
        except ValueError:
            continue  # no labels: some other text that is called like a picture
        outlines = [(names.get(kind, str(kind)), shares) for kind, shares in rows if _is_outline(shares)]
        told[labels[where]] = outlines
        boxes += len(rows) - len(outlines)
    if boxes >= sum(map(len, told.values())):
        return {}
    found: dict[str, Json] = {}
    for picture, size in limited(size_of, folder.stream(told), workers):
        if isinstance(size, DataError):
            skipped[picture] = size.what
            continue
        wide, high = size
        outlines = [
            (name, [s * (high if at % 2 else wide) for at, s in enumerate(shares)]) for name, shares in told[picture]
        ]
        try:
            found[picture] = _painted(outlines, (wide, high), background)
        except ValueError as fault:
            skipped[picture] = f"outlines that cannot be used ({fault})"
    return found


def _cells(raw: bytes) -> Iterator[list[str]]:
    return (cells for line in raw.decode("ascii", "strict").splitlines() if (cells := line.split()))


def _is_outline(shares: Sequence[float]) -> bool:
    return len(shares) >= 2 * _CORNERS and len(shares) % 2 == 0


def _painted(outlines: Sequence[Outline], size: tuple[int, int], background: str) -> Json:
    rows = [{"segmentation": [points], "category_id": name} for name, points in outlines]
    return painted(rows, {name: name for name, _ in outlines}, size, background)
