"""COCO's segmentations: polygons and run lengths of instances, painted into one mask a picture; and written again."""

from __future__ import annotations

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import isfinite
from typing import Any

import numpy as np

from snowroll.base.nouns import Json, Split
from snowroll.prepare.manifest import TWO_ROWS
from snowroll.prepare.mask_targets import BACKGROUND, IGNORED, as_target, mask_of
from snowroll.prepare.packed_png import MOST_PX
from snowroll.prepare.read import Folder
from snowroll.prepare.shelf import Shelf
from snowroll.prepare.trees import UNUSABLE, json_trees

_BITS = 60  # of a run length, at most: no picture has one so long
_MOST = IGNORED - 1  # instances of one picture; 0 is the background


def read_coco(
    folder: Folder, pictures: Sequence[str], background: str, skipped: dict[str, str], megapixels: float = 100.0
) -> dict[str, Json]:
    """Picture -> target, for each that a COCO file with segmentations lists. Instances lie over those before them.

    Of a picture that several files list, the one counts that holds all instances of the others; where none does, and
    where an instance cannot be painted, the picture goes to `skipped`: what is missing would be learnt as background.
    """
    found: dict[str, Json] = {}
    drawn: dict[str, tuple[str, tuple[int, ...]]] = {}  # picture -> file, and its instances as numbers to be compared
    for where, tree in json_trees(folder, skipped, b'"segmentation"', b'"categories"', thin=_thin):
        if not (isinstance(tree, dict) and isinstance(tree.get("images"), list)):
            continue
        try:
            names = {one["id"]: str(one["name"]) for one in tree["categories"]}
            by_picture: dict[Any, list[Mapping[str, Any]]] = defaultdict(list)
            for one in tree["annotations"]:
                by_picture[one["image_id"]].append(one)
            images = [(str(image["file_name"]), by_picture.get(image["id"], []), image) for image in tree["images"]]
            find = Shelf(pictures).finder(where, [named for named, _, _ in images])
        except UNUSABLE as fault:
            skipped[where] = f"COCO that cannot be used ({fault!r})"
            continue
        for named, rows, image in images:
            picture, why = find(named)
            if picture is None:
                skipped[named] = f"named in {where}, but {why}"
                continue
            try:
                here = tuple(_number(one, names) for one in rows)
                other, before = drawn.get(picture, ("", ()))
                if other and Counter(here) <= Counter(before):
                    continue
                if not Counter(before) <= Counter(here):
                    skipped[picture] = f"{TWO_ROWS}: {other} and {where} outline other things"
                    continue
                size = int(image["width"]), int(image["height"])
                found[picture], drawn[picture] = painted(rows, names, size, background, megapixels), (where, here)
            except UNUSABLE as fault:
                skipped[picture] = f"outlines that cannot be used ({_in_words(fault)}), in {where}"
    return {picture: target for picture, target in found.items() if picture not in skipped}


def _thin(one: Json) -> Json:
    """Numbers of outlines as they lie in memory: Python's own take four times as much."""
    if isinstance(told := one.get("segmentation"), list):
        with suppress(TypeError, OverflowError):  # whatever else it is ends in words where it is painted
            one["segmentation"] = [array("d", polygon) for polygon in told]
    return one


def _number(one: Mapping[str, Any], names: Mapping[Any, str]) -> int:
    """The same for the same instance in another file."""
    told = one["segmentation"]
    outline = tuple(map(bytes, told)) if all(isinstance(part, array) for part in told) else repr(told)
    return hash((names.get(one["category_id"]), bool(one.get("iscrowd")), outline))


def _in_words(fault: Exception) -> str:
    return f"no {fault}" if isinstance(fault, KeyError) else str(fault)


Row = tuple[str, Json, tuple[int, int], Split | None]  # where, target, width and height, split


def write_coco(rows: Sequence[Row]) -> dict[str, str]:
    """annotations/instances_SPLIT.json for each split, or annotations/instances.json: run lengths of every value of a
    mask but the background's; what is to be ignored is a crowd.
    """
    names = sorted({name for _, target, _, _ in rows for name in target["classes"] if name and name != BACKGROUND})
    by_split: dict[str | None, list[Row]] = defaultdict(list)
    for row in rows:
        by_split[row[3]].append(row)
    files = {}
    for split, some in by_split.items():
        images, annotations = [], []
        for number, (where, target, _, _) in enumerate(some, 1):
            mask = mask_of(target)
            images.append({"id": number, "file_name": where, "width": mask.shape[1], "height": mask.shape[0]})
            for value in np.unique(mask).tolist():
                name = target["classes"][value] if value < len(target["classes"]) else ""
                if name != BACKGROUND:
                    annotations.append({"id": len(annotations) + 1, "image_id": number, **_as_runs(mask == value)})
                    annotations[-1] |= {"category_id": names.index(name) + 1 if name else 1, "iscrowd": int(not name)}
        categories = [{"id": number, "name": name} for number, name in enumerate(names, 1)]
        info = {"contents": "segmentation"}  # known by this word, also where no picture shows anything
        tree = {"info": info, "images": images, "annotations": annotations, "categories": categories}
        files[f"annotations/instances{f'_{split}' if split else ''}.json"] = json.dumps(tree, ensure_ascii=False)
    return files


def _as_runs(inside: np.ndarray) -> Json:
    """The fields of an annotation that say where it lies."""
    flat = inside.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges.tolist(), len(flat)]).tolist()
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return {
        "segmentation": {"counts": [0, *counts] if flat[0] else counts, "size": list(inside.shape)},
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        "area": int(inside.sum()),
    }


def painted(
    rows: Sequence[Mapping[str, Any]],
    names: Mapping[Any, str],
    size: tuple[int, int],
    background: str,
    megapixels: float = 100.0,
) -> Json:
    """The target of a picture: segmentations painted one after another, each an instance of its category.

    Raises ValueError where a picture claims to be enormous, or a segmentation does not fit it.
    """
    wide, high = size
    if wide < 1 or high < 1 or wide * high > min(megapixels * 1e6, MOST_PX):
        raise ValueError(f"a picture of {wide:,} x {high:,} pixels")
    if len(rows) > _MOST:
        raise ValueError(f"{len(rows):,} instances in one picture, and {_MOST} are read")
    mask, classes = np.zeros((high, wide), np.uint8), [background]
    for one in rows:
        inside = _inside(one["segmentation"], wide, high)
        if one.get("iscrowd"):
            mask[inside] = IGNORED
        else:
            mask[inside] = len(classes)
            classes.append(names[one["category_id"]])
    return as_target(mask, classes)


def _inside(told: Any, wide: int, high: int) -> np.ndarray:
    """[H, W] True inside a segmentation: polygons [[x, y, x, y, ...], ...], or {"counts", "size"}."""
    if isinstance(told, dict):
        if list(told["size"]) != [high, wide]:
            raise ValueError(f"run lengths of {told['size']} in a picture of {[high, wide]}")
        counts = runs_of(told["counts"]) if isinstance(told["counts"], str) else [int(n) for n in told["counts"]]
        if min(counts, default=0) < 0 or sum(counts) != wide * high:
            raise ValueError("run lengths that do not fill the picture")
        values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return values.reshape(wide, high).T  # column by column
    from PIL import Image, ImageDraw

    canvas = Image.new("1", (wide, high))
    pen = ImageDraw.Draw(canvas)
    polygons = [polygon for polygon in told if len(polygon) >= 6]
    if not polygons:
        raise ValueError("an instance without an outline")
    for polygon in polygons:
        sides = [float(value) for value in polygon]
        if not all(map(isfinite, sides)):
            raise ValueError("an outline that leaves all bounds")
        pen.polygon(sides, fill=1)
    return np.asarray(canvas)


def runs_of(text: str) -> list[int]:
    """COCO's compressed run lengths: 5 bits a letter, a sixth says that more follow; from the third on, differences to
    the run before the last (cocodataset/cocoapi, maskApi.c, rleFrString).

    >>> runs_of("52203")
    [5, 2, 2, 2, 5]
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64 or shift > _BITS:
            raise ValueError("letters that are no run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    return counts
