"""CVAT for images 1.1: one XML with an <image> for each picture; boxes, and the hulls of polygons, ellipses and masks.
A picture with a shape that has no box has no label. Films are read as `cvat_tracks` says."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, radians, sin
from xml.etree import ElementTree

from snowroll.base.errors import DataError
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import SPLITS
from snowroll.prepare.trees import LARGEST, size_told
from snowroll.tasks.detect_objects.formats.cvat_tracks import CURE, pictures_of
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object, hull, number_of
from snowroll.tasks.detect_objects.formats.xml import Element, parse

SIDES = ("xtl", "ytl", "xbr", "ybr")


def read(folder: Folder) -> Told:
    told = Told("CVAT")
    files = [entry.where for entry in folder.entries() if entry.where.lower().endswith(".xml") and entry.size < LARGEST]
    for where, raw in folder.stream(files):
        if b"<annotations" not in raw[:4096]:
            continue
        try:
            root = parse(raw, where)
        except DataError as fault:
            told.skipped[where] = fault.what
            continue
        found = []
        for image in root.iter("image"):
            try:
                found.append(_picture(image, where))
            except ValueError as fault:
                told.skipped[f"{where} ({image.get('name', '')})"] = f"a picture that cannot be used ({fault})"
        if found:
            told.used.add(where)
            told.pictures += found
            told.evidence.append(f"{where}: CVAT, {len(found):,} pictures")
        if root.find("track") is not None:
            _add_film(told, root, where, folder)
    return told


def _add_film(told: Told, root: Element, where: str, folder: Folder) -> None:
    told.used.add(where)
    try:
        found, how = pictures_of(root, where, folder, _box)
    except ValueError as fault:
        told.refused[where] = (f"CVAT for video that cannot be used ({fault})", CURE)
        return
    told.pictures += found
    told.evidence.append(f"{where}: CVAT for video, {how}")


def _picture(image: Element, where: str) -> Marked:
    objects = tuple(an_object(shape.get("label", ""), _box(shape)) for shape in image if shape.tag != "tag")
    size = size_told(image.get("width"), image.get("height"))
    split = SPLITS.get(image.get("subset", "").lower())
    return Marked(image.get("name", ""), objects, where, size, split)


def _box(shape: Element) -> Sequence[float]:
    """Around the shape as it lies: boxes and ellipses may be turned about their middle."""
    told = shape.attrib
    angle = radians(float(told.get("rotation", 0)))
    match shape.tag:
        case "box":
            left, top, right, bottom = (number_of(told, side) for side in SIDES)
            if not angle:
                return left, top, right, bottom
            x, y, wide, high = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
            across = abs(wide * cos(angle)) + abs(high * sin(angle))
            down = abs(wide * sin(angle)) + abs(high * cos(angle))
        case "ellipse":
            x, y, wide, high = (number_of(told, side) for side in ("cx", "cy", "rx", "ry"))
            across = hypot(wide * cos(angle), high * sin(angle))
            down = hypot(wide * sin(angle), high * cos(angle))
        case "polygon":
            points = (point.split(",") for point in told.get("points", "").split(";") if point)
            return hull((float(x), float(y)) for x, y in points)
        case "mask":
            left, top, wide, high = (number_of(told, side) for side in ("left", "top", "width", "height"))
            return left, top, left + wide, top + high
        case other:
            raise ValueError(f"a {other} has no box")
    return x - across, y - down, x + across, y + down


def write(pictures: Sequence[Marked]) -> dict[str, str]:
    """annotations.xml. CVAT has no regions to be ignored: they are left out."""
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    for number, one in enumerate(pictures):
        about = {"id": str(number), "name": one.picture}
        if one.split:
            about["subset"] = one.split
        if one.size is not None:
            about |= {"width": str(one.size[0]), "height": str(one.size[1])}
        image = ElementTree.SubElement(root, "image", about)
        for row in one.objects:
            if not row.get("ignore"):
                sides = {name: f"{side:.10g}" for name, side in zip(SIDES, row["box"], strict=True)}
                ElementTree.SubElement(image, "box", {"label": row["class"], "occluded": "0", **sides})
    ElementTree.indent(root)
    return {"annotations.xml": ElementTree.tostring(root, "unicode") + "\n"}
