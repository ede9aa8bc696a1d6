"""Pascal VOC: one XML a picture; ImageSets/Main/train.txt and the like name the splits.

Coordinates are taken as they are written. VOC counts pixels from 1 and includes the last; most tools that write its
XML count from 0: the difference is one pixel, and `check` says where boxes pass the border by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Split
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import SPLITS
from snowroll.prepare.trees import LARGEST, size_told
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, an_object, stems_of
from snowroll.tasks.detect_objects.formats.xml import Element, parse, text_of

SUBSETS = "/imagesets/main/"


def read(folder: Folder) -> Told:
    told = Told("Pascal VOC")
    files = [entry.where for entry in folder.entries() if entry.where.lower().endswith(".xml") and entry.size < LARGEST]
    splits = _splits(folder, told)
    for where, raw in folder.stream(files):
        try:
            root = parse(raw, where)
            if root.tag != "annotation":
                continue
            told.used.add(where)
            told.pictures.append(_picture(root, where, splits))
        except DataError as fault:
            told.skipped[where] = fault.what
        except ValueError as fault:
            told.skipped[where] = f"an annotation that cannot be used: {fault}"
    if told.pictures:
        named = f", {len(splits):,} names in ImageSets/Main" if splits else ""
        told.evidence.append(f"{len(told.pictures):,} Pascal VOC files{named}")
    return told


def _picture(root: Element, where: str, splits: dict[str, Split]) -> Marked:
    parts = where.replace("!", "/")[: -len(".xml")].split("/")
    stem = "/".join(parts[-below:]) if (below := _below_annotations(parts)) else parts[-1]
    objects = tuple(_objects(root))
    size = size_told(text_of(root, "size/width"), text_of(root, "size/height"))
    split = splits.get(stem) or splits.get(parts[-1])
    # its own name is the surer one: files are renamed, and what is written inside them is not; but only that tells
    # a.jpg from its mask a.png
    dot, ending = text_of(root, "filename").rpartition(".")[1:]
    also = stem + dot + ending if dot else ""
    return Marked(stem, objects, where, size, split, also=also)


def _below_annotations(parts: Sequence[str]) -> int:
    """How many of them lie below the folder of annotations: pictures may lie in folders of the same names."""
    return next((k for k, part in enumerate(reversed(parts)) if part.lower() == "annotations"), 0)


def _objects(root: Element) -> Iterator[Json]:
    for one in root.iter("object"):
        box = one.find("bndbox")
        if box is None:
            raise ValueError("an object without a bndbox")
        sides = [text_of(box, side) for side in ("xmin", "ymin", "xmax", "ymax")]
        yield an_object(text_of(one, "name"), sides, text_of(one, "difficult") == "1")


def _splits(folder: Folder, told: Told) -> dict[str, Split]:
    """Picture name -> split, from ImageSets/Main. A name in train.txt and trainval.txt is in train."""
    lists = [
        entry.where
        for entry in folder.entries()
        if SUBSETS in f"/{entry.where.replace('!', '/').lower()}" and entry.where.lower().endswith(".txt")
    ]
    found: dict[str, Split] = {}
    for where, raw in folder.stream(lists):
        told.used.add(where)
        split = SPLITS.get(where.replace("!", "/").rpartition("/")[2][: -len(".txt")].lower())
        if split is not None:
            names = (line.strip() for line in raw.decode("utf-8", "replace").splitlines() if line.strip())
            found.update(dict.fromkeys(names, split))
    return found


def write(pictures: Sequence[Marked]) -> dict[str, str]:
    """File name -> text: Annotations/NAME.xml for each picture, and ImageSets/Main where splits are known.

    Raises DataError as `paths_of`.
    """
    files, names = {}, dict[str, list[str]]()
    for one, stem in zip(pictures, stems_of(pictures), strict=True):
        root = ElementTree.Element("annotation")
        _add(root, "filename", one.picture.rpartition("/")[2])
        if one.size is not None:
            size = ElementTree.SubElement(root, "size")
            for name, side in zip(("width", "height"), one.size, strict=True):
                _add(size, name, str(side))
            _add(size, "depth", "3")
        for row in one.objects:
            item = ElementTree.SubElement(root, "object")
            _add(item, "name", row["class"])
            _add(item, "difficult", "1" if row.get("ignore") else "0")
            box = ElementTree.SubElement(item, "bndbox")
            for name, side in zip(("xmin", "ymin", "xmax", "ymax"), row["box"], strict=True):
                _add(box, name, f"{side:.10g}")
        ElementTree.indent(root)
        files[f"Annotations/{stem}.xml"] = ElementTree.tostring(root, "unicode") + "\n"
        if one.split is not None:
            names.setdefault(one.split, []).append(stem)
    return files | {f"ImageSets/Main/{split}.txt": "\n".join(stems) + "\n" for split, stems in names.items()}


def _add(parent: Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, name).text = text
