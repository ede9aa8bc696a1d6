"""VGG Image Annotator: one JSON (a project, or what it exports) or one CSV; rectangles, and the hulls of polygons,
circles and ellipses. A picture with a shape that has no box has no label; one without shapes holds nothing."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import cos, hypot, sin
from typing import Any

from snowroll.base.nouns import Json
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import LARGEST, UNUSABLE, json_trees
from snowroll.tasks.detect_objects.formats.marks import (
    UNNAMED,
    Marked,
    Told,
    an_object,
    hull,
    number_of,
    split_of_place,
)

_NAMES = ("class", "label", "category", "name", "type", "object")  # of the attribute that is the class, surest first
_SHAPES = "region_shape_attributes"
Regions = Sequence[Mapping[str, Any]]


def read(folder: Folder) -> Told:
    told = Told("VIA")
    for where, files in (*_of_json(folder, told), *_of_tables(folder, told)):
        told.used.add(where)
        key = _class_key(region for _, regions in files for region in regions)
        found = []
        for picture, regions in files:
            try:
                objects = tuple(_object(region, key) for region in regions)
                found.append(Marked(picture, objects, where, split=split_of_place(where)))
            except UNUSABLE as fault:
                told.skipped[f"{where} ({picture})"] = f"a picture that cannot be used ({fault})"
        told.pictures += found
        boxes = sum(len(one.objects) for one in found)
        told.evidence.append(f"{where}: VIA, {len(found):,} pictures, {boxes:,} shapes")
    return told


def _of_json(folder: Folder, told: Told) -> Iterator[tuple[str, list[tuple[str, Regions]]]]:
    for where, tree in json_trees(folder, told.skipped, b'"filename"', b'"regions"'):
        files = tree.get("_via_img_metadata", tree) if isinstance(tree, dict) else {}
        of = files.values() if isinstance(files, dict) else ()
        if of and all(isinstance(one, dict) and {"filename", "regions"} <= one.keys() for one in of):
            yield where, [(str(one["filename"]), _shapes(one["regions"])) for one in of]


def _shapes(regions: Json) -> Regions:
    """A list; of older versions a mapping that numbers them."""
    found = list(regions.values()) if isinstance(regions, dict) else regions or []
    return found if isinstance(found, list) else [{}]  # a shape that cannot be used


def _of_tables(folder: Folder, told: Told) -> Iterator[tuple[str, list[tuple[str, Regions]]]]:
    tables = [e.where for e in folder.entries() if e.where.lower().endswith(".csv") and e.size < LARGEST]
    for where, raw in folder.stream(tables):
        if _SHAPES.encode() not in raw[:4096]:
            continue
        files: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        try:
            for row in csv.DictReader(io.StringIO(raw.decode("utf-8-sig", "replace"))):
                shape, about = (_parsed(row.get(name)) for name in (_SHAPES, "region_attributes"))
                picture = str(row.get("filename") or row.get("#filename") or "")
                files[picture] += [{"shape_attributes": shape, "region_attributes": about}] if shape != {} else []
        except csv.Error as fault:
            told.skipped[where] = f"VIA that cannot be read ({fault})"
            continue
        yield where, [(picture, regions) for picture, regions in files.items() if picture]


def _parsed(cell: str | None) -> Json:
    """None where it is no JSON: the shape has no box then."""
    try:
        return json.loads(cell or "{}")
    except (ValueError, RecursionError):
        return None


def _class_key(regions: Iterable[Mapping[str, Any]]) -> str:
    """Which attribute is the class; "" where shapes have none."""
    counts = Counter[str]()
    for region in regions:
        about = region.get("region_attributes") if isinstance(region, dict) else None
        if isinstance(about, dict):
            counts.update(key for key, value in about.items() if _word(value))
    named = next((key for name in _NAMES for key in counts if key.strip().lower() == name), "")
    return named or next((key for key, _ in counts.most_common(1)), "")


def _word(value: Json) -> str:
    """A text, a chosen one, or the only one that is ticked."""
    if isinstance(value, dict):
        ticked = [str(name) for name, is_so in value.items() if is_so]
        return ticked[0].strip() if len(ticked) == 1 else ""
    return str(value).strip() if isinstance(value, str | int) else ""


def _object(region: Mapping[str, Any], key: str) -> Json:
    name = _word(region["region_attributes"].get(key, "")) if key else UNNAMED
    return an_object(name, _box(region["shape_attributes"]))


def _box(shape: Mapping[str, Any]) -> Sequence[float]:
    match shape["name"]:
        case "rect":
            left, top, wide, high = (number_of(shape, side) for side in ("x", "y", "width", "height"))
            return left, top, left + wide, top + high
        case "polygon":
            points = zip(shape["all_points_x"], shape["all_points_y"], strict=True)
            return hull((float(x), float(y)) for x, y in points)
        case "circle":
            x, y, radius = (number_of(shape, side) for side in ("cx", "cy", "r"))
            across = down = radius
        case "ellipse":
            x, y, wide, high = (number_of(shape, side) for side in ("cx", "cy", "rx", "ry"))
            angle = float(shape.get("theta") or 0)  # in radians
            across, down = hypot(wide * cos(angle), high * sin(angle)), hypot(wide * sin(angle), high * cos(angle))
        case other:
            raise ValueError(f"a {other} has no box")
    return x - across, y - down, x + across, y + down
