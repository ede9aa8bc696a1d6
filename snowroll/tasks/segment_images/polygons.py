"""Outlines drawn in LabelMe (a JSON a picture) or written by YOLO (a text a picture), painted into a mask a picture.

Rectangles among them are painted as such. A picture with anything that has no area is left out: its pixels would be
learnt as background.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from math import cos, dist, pi, sin

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.decode import limited
from snowroll.prepare.labelme import Shape, read_shapes
from snowroll.prepare.pictures import size_of
from snowroll.prepare.read import Folder
from snowroll.prepare.yolo import class_names, has_keypoints, label_files
from snowroll.tasks.segment_images.coco import painted

Outline = tuple[str, list[float]]  # class; x, y, x, y ... in pixels
_CORNERS = 3  # the fewest of an outline


def read_labelme(
    folder: Folder, pictures: Sequence[str], background: str, skipped: dict[str, str], megapixels: float = 100.0
) -> dict[str, Json]:
    """Picture -> target; none where hardly a shape is more than a rectangle: then boxes are meant."""
    known, found = set(pictures), dict[str, Json]()
    outlined = shapes = 0
    for drawn in read_shapes(folder, skipped):
        if drawn.picture not in known or drawn.size is None:
            lacks = "a picture beside it" if drawn.size else "the picture's size"
            skipped[drawn.where] = f"LabelMe without {lacks}"
            continue
        shapes += len(drawn.shapes)
        outlined += sum(shape.kind in ("polygon", "circle") for shape in drawn.shapes)
        try:
            outlines = [(shape.label, _corners(shape)) for shape in drawn.shapes]
            found[drawn.picture] = _painted(outlines, drawn.size, background, megapixels)
        except ValueError as fault:
            skipped[drawn.picture] = f"outlines that cannot be used ({fault}), in {drawn.where}"
    return found if outlined and 2 * outlined > shapes else {}


def _corners(shape: Shape) -> list[float]:
    """x, y, x, y ... of what has an area; of a circle 64 of them. Raises ValueError for other shapes."""
    points = shape.points
    if shape.kind == "circle":
        (x, y), edge = points
        radius, turns = dist((x, y), edge), [2 * pi * step / 64 for step in range(64)]
        points = tuple((x + radius * cos(turn), y + radius * sin(turn)) for turn in turns)
    elif shape.kind == "rectangle" and len(points) > 1:
        xs, ys = sorted(x for x, _ in points), sorted(y for _, y in points)
        return _rectangle(xs[0], ys[0], xs[-1], ys[-1])
    elif shape.kind != "polygon" or len(points) < _CORNERS:
        raise ValueError(f"a {shape.kind} of {len(points)} points is not painted")
    return [side for point in points for side in point]


def _rectangle(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def read_yolo(
    folder: Folder, background: str, skipped: dict[str, str], workers: int, megapixels: float = 100.0
) -> dict[str, Json]:
    """Picture -> target, where most lines of YOLO's label files are outlines; none where they are boxes."""
    labels = label_files(folder)
    if labels and has_keypoints(folder):
        return {}
    names, _ = class_names(folder)
    told: dict[str, list[Outline]] = {}
    outlined = boxes = 0
    for where, raw in folder.stream(list(labels)):
        try:
            rows = [(int(cells[0]), [float(cell) for cell in cells[1:]]) for cells in _cells(raw)]
        except ValueError:
            continue  # no labels: some other text that is called like a picture
        told[labels[where]] = [(names.get(kind, str(kind)), shares) for kind, shares in rows]
        here = sum(_is_outline(shares) for _, shares in rows)
        outlined, boxes = outlined + here, boxes + len(rows) - here
    if boxes >= outlined:
        return {}
    found: dict[str, Json] = {}
    for picture, size in limited(partial(size_of, megapixels=megapixels), folder.stream(told), workers):
        if isinstance(size, DataError):
            skipped[picture] = size.what
            continue
        try:
            outlines = [(name, _in_pixels(shares, size)) for name, shares in told[picture]]
            found[picture] = _painted(outlines, size, background, megapixels)
        except ValueError as fault:
            skipped[picture] = f"outlines that cannot be used ({fault})"
    return found


def _cells(raw: bytes) -> Iterator[list[str]]:
    return (cells for line in raw.decode("ascii", "strict").splitlines() if (cells := line.split()))


def _is_outline(shares: Sequence[float]) -> bool:
    return len(shares) >= 2 * _CORNERS and len(shares) % 2 == 0


def _in_pixels(shares: Sequence[float], size: tuple[int, int]) -> list[float]:
    """x, y, x, y ... of an outline, or of a box (centre and sides) as a rectangle. Raises ValueError for others."""
    if len(shares) == 4:
        x, y, wide, high = shares
        shares = _rectangle(x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
    elif not _is_outline(shares):
        raise ValueError(f"a line of {len(shares)} sides")
    return [share * size[at % 2] for at, share in enumerate(shares)]


def _painted(outlines: Sequence[Outline], size: tuple[int, int], background: str, megapixels: float) -> Json:
    rows = [{"segmentation": [points], "category_id": name} for name, points in outlines]
    return painted(rows, {name: name for name, _ in outlines}, size, background, megapixels)
