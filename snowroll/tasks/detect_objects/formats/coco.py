"""COCO JSON: one file with images, annotations and categories. Crowds are to be ignored; a picture that is listed
without annotations holds nothing, and one of whose annotations any cannot be used has no label."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from snowroll.base.nouns import Json, Split
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import SPLITS, split_of_name
from snowroll.prepare.trees import UNUSABLE, json_trees, size_told
from snowroll.tasks.detect_objects.formats.marks import MOST, Marked, Told, an_object, classes_of, hull


def read(folder: Folder) -> Told:
    told = Told("COCO")
    for where, tree in json_trees(folder, told.skipped, b'"annotations"', b'"categories"', thin=_thin):
        if not (isinstance(tree, dict) and isinstance(tree.get("images"), list) and "annotations" in tree):
            continue
        told.used.add(where)
        if _length(tree["annotations"]) > MOST:
            why = f"COCO of {_length(tree['annotations']):,} annotations, and {MOST:,} are read"
            told.refused[where] = why, "divide it into several folders, each with its own file"
            continue
        try:
            found = _pictures(tree, where, told)
        except UNUSABLE as fault:
            told.skipped[where] = f"COCO that cannot be used ({fault})"
            continue
        told.pictures += found
        boxes = sum(len(one.objects) for one in found)
        told.evidence.append(f"{where}: COCO, {len(found):,} pictures, {boxes:,} boxes")
    return told


def _length(annotations: Json) -> int:
    return len(annotations) if isinstance(annotations, list) else 0


def _thin(one: Json) -> Json:
    """Outlines are most of a large file, and not needed where there are boxes."""
    if one.get("bbox"):
        one.pop("segmentation", None)
    return one


def _pictures(tree: Mapping[str, Any], where: str, told: Told) -> list[Marked]:
    names = {one["id"]: str(one["name"]) for one in tree.get("categories", ())}
    objects: dict[Any, list[Json]] = defaultdict(list)
    unknown = set[Any]()  # pictures that hold what cannot be used: what else they hold would be learnt as all
    broken: dict[str, str] = {}  # annotation -> why it cannot be used
    for number, one in enumerate(tree["annotations"]):
        try:
            found = an_object(names[one["category_id"]], _box(one), bool(one.get("iscrowd")))
            objects[one["image_id"]].append(found)
        except UNUSABLE as fault:
            broken[f"{where} annotation {number + 1}"] = f"a box that cannot be used ({fault!r})"
            unknown.add(one.get("image_id") if isinstance(one, dict) else None)
    if broken and not objects:
        why = "they are panoptic segments" if "segments_info" in tree["annotations"][0] else next(iter(broken.values()))
        raise ValueError(f"none of its {len(broken):,} annotations is a box: {why}")
    told.skipped |= broken
    split = _split(where)
    pictures = []
    for image in tree["images"]:
        size = size_told(image.get("width"), image.get("height"))
        one = Marked(str(image["file_name"]), tuple(objects.pop(image["id"], ())), where, size, split)
        pictures += [one] if image["id"] not in unknown else []
    for orphans in objects.values():
        told.skipped[f"{where} ({orphans[0]['class']})"] = "boxes of a picture that the file does not list"
    return pictures


def _box(one: Mapping[str, Any]) -> Sequence[float]:
    """As it is told, or around the outline."""
    if one.get("bbox") is None and isinstance(one.get("segmentation"), list):
        return hull((x, y) for line in one["segmentation"] for x, y in zip(line[::2], line[1::2], strict=True))
    x, y, wide, high = map(float, one["bbox"])
    return x, y, x + wide, y + high


def _split(where: str) -> Split | None:
    """By the file's name (instances_train2017.json) or the folder it lies in (train/_annotations.coco.json)."""
    parts = where.replace("!", "/").lower().split("/")
    by_name = split_of_name(where)
    return by_name or next((SPLITS[part] for part in reversed(parts[:-1]) if part in SPLITS), None)


def write(pictures: Sequence[Marked]) -> dict[str, str]:
    """annotations/instances_SPLIT.json for each split, or annotations/instances.json."""
    names = classes_of(pictures)
    by_split: dict[str | None, list[Marked]] = defaultdict(list)
    for one in pictures:
        by_split[one.split].append(one)
    files = {}
    for split, some in by_split.items():
        images, annotations = [], []
        for number, one in enumerate(some, 1):
            wide, high = one.size or (0, 0)
            images.append({"id": number, "file_name": one.picture, "width": wide, "height": high})
            for row in one.objects:
                left, top, right, bottom = row["box"]
                sides = [left, top, round(right - left, 6), round(bottom - top, 6)]
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": names.index(row["class"]) + 1,
                        "bbox": sides,
                        "area": round(sides[2] * sides[3], 6),
                        "iscrowd": int(bool(row.get("ignore"))),
                    }
                )
        categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
        tree = {"images": images, "annotations": annotations, "categories": categories}
        ending = f"_{split}" if split else ""
        files[f"annotations/instances{ending}.json"] = json.dumps(tree, ensure_ascii=False)
    return files
