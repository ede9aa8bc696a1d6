"""CVAT for images 1.1: one XML with an <image> for each picture."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from snowroll.base.errors import DataError
from snowroll.prepare.manifest import SPLITS
from snowroll.prepare.read import Folder
from snowroll.prepare.trees import LARGEST
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object, number_of
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
            found = [_picture(image, where) for image in root.iter("image")]
        except DataError as fault:
            told.skipped[where] = fault.what
            continue
        except ValueError as fault:
            told.skipped[where] = f"CVAT that cannot be used ({fault})"
            continue
        if found:
            told.used.add(where)
            told.pictures += found
            told.evidence.append(f"{where}: CVAT, {len(found):,} pictures")
    return told


def _picture(image: Element, where: str) -> Marked:
    objects = tuple(
        an_object(box.get("label", ""), [number_of(box.attrib, side) for side in SIDES]) for box in image.iter("box")
    )
    size = tuple(int(float(image.get(side, 0))) for side in ("width", "height"))
    split = SPLITS.get(image.get("subset", "").lower())
    return Marked(image.get("name", ""), objects, where, (size[0], size[1]) if min(size) > 0 else None, split)


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
