"""LabelMe: one JSON a picture, beside it; rectangles, and the hulls of polygons, circles and masks. A picture with a
shape that has no box has no label."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from math import dist

from snowroll.base.nouns import Json
from snowroll.prepare.labelme import Shape, read_shapes
from snowroll.prepare.read import Folder
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object, hull, paths_of


def read(folder: Folder) -> Told:
    told = Told("LabelMe")
    for drawn in read_shapes(folder, told.skipped):
        told.used.add(drawn.where)
        try:
            told.pictures.append(Marked(drawn.picture, tuple(_objects(drawn.shapes)), drawn.where, drawn.size))
        except ValueError as fault:
            told.skipped[drawn.where] = f"LabelMe that cannot be used ({fault})"
    if told.pictures:
        told.evidence.append(f"{len(told.pictures):,} LabelMe files")
    return told


def _objects(shapes: Sequence[Shape]) -> Iterator[Json]:
    for shape in shapes:
        points = shape.points
        if shape.kind == "circle":
            (x, y), edge = points
            radius = dist((x, y), edge)
            points = ((x - radius, y - radius), (x + radius, y + radius))
        elif shape.kind not in ("rectangle", "polygon", "mask"):
            raise ValueError(f"a {shape.kind} has no box")
        yield an_object(shape.label, hull(points))


def write(pictures: Sequence[Marked]) -> dict[str, str]:
    """NAME.json for each picture, beside where it lies. LabelMe knows no splits, and no regions to be ignored.

    Raises ValueError where a size is not known, and DataError as `paths_of`.
    """
    files = {}
    for one, path in zip(pictures, paths_of(pictures), strict=True):
        if one.size is None:
            raise ValueError(f"the size of {one.picture} is not known")
        shapes = []
        for row in one.objects:
            left, top, right, bottom = row["box"]
            shape = {"label": row["class"], "points": [[left, top], [right, bottom]], "shape_type": "rectangle"}
            shapes += [{**shape, "group_id": None, "flags": {}}] if not row.get("ignore") else []
        tree = {
            "version": "5.0.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": one.picture.replace("!", "/").rpartition("/")[2],
            "imageData": None,
            "imageHeight": one.size[1],
            "imageWidth": one.size[0],
        }
        files[f"{path}.json"] = json.dumps(tree, ensure_ascii=False)
    return files
