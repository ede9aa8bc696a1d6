"""Pictures that are not samples: masks that lie beside the picture they belong to, under the same name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.decode import limited
from snowroll.prepare.names import take_apart
from snowroll.prepare.pictures import open_rgb
from snowroll.prepare.read import Folder

_LOOKED_AT = 12  # pictures of each kind that are decoded to see whether the kind is masks
_COLOURS = 32  # a mask has one value a class; a photo of any size has hundreds
_IMAGES = {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "original", "originals", "raw"}
_MASKS = {"mask", "masks", "label", "labels", "annotation", "annotations", "gt", "groundtruth", "seg", "segmentation"}
_FOLDERS = frozenset({*_IMAGES, *_MASKS, "jpegimages", "rgb", "input", "inputs", "ground_truth", "segmentations"})
_ENDING = re.compile(
    r"[ _.-]+(mask|gt|label|labels|seg|segmentation|annotation|groundtruth)([ _-]?\d+)?$", re.IGNORECASE
)


def find_masks(folder: Folder, pictures: Sequence[str]) -> dict[str, str]:
    """where -> reason for every picture that is the mask of another: same name, and pixels of a few values.

    `a/1.jpg` and `a/1.png`, `a/1.png` and `a/1_mask.png`, `a/images/1.png` and `a/masks/1.png` are such pairs by
    name. A dozen of each kind are decoded (in limited children) before the kind is called masks; pairs whose both
    sides look like masks, or neither, stay samples.
    """
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)  # shared name -> [(where, kind)]
    for where in pictures:
        shared, kind = _shared_name(where)
        pairs[shared].append((where, kind))
    pairs = {shared: pair for shared, pair in pairs.items() if len({kind for _, kind in pair}) > 1}
    kinds = _mask_kinds(folder, pairs)
    found: dict[str, str] = {}
    for pair in pairs.values():
        others = [where for where, kind in pair if kind not in kinds]
        if others:
            told = "a mask of the picture of the same name: pixels of only a few values"
            found |= {where: told for where, kind in pair if kind in kinds}
    return found


def _shared_name(where: str) -> tuple[str, str]:
    """What a picture and its mask have in common, and what sets them apart."""
    place = take_apart(where)
    *folders, name = (place.member or place.file).split("/")
    stem, _, ending = name.rpartition(".")
    kept = [part for part in folders if part.lower() not in _FOLDERS]
    marks = [part.lower() for part in folders if part.lower() in _FOLDERS]
    plain = _ENDING.sub("", stem)
    shared = "/".join([place.file if place.member else "", *kept, plain])
    return shared, "/".join([*marks, "*" if plain == stem else "*_mask"]) + "." + ending.lower()


def _mask_kinds(folder: Folder, pairs: dict[str, list[tuple[str, str]]]) -> set[str]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for pair in pairs.values():
        for where, kind in pair:
            by_kind[kind].append(where)
    chosen = {where: kind for kind, wheres in by_kind.items() for where in _spread(wheres)}
    votes: dict[str, list[bool]] = defaultdict(list)
    if chosen:
        for where, answer in limited(has_few_values, folder.stream(list(chosen)), workers=1):
            if not isinstance(answer, DataError):
                votes[chosen[where]].append(answer)
    return {kind for kind, cast in votes.items() if sum(cast) >= 0.9 * len(cast)}


def _spread(wheres: Sequence[str]) -> list[str]:
    step = max(1, len(wheres) // _LOOKED_AT)
    return list(wheres[::step][:_LOOKED_AT])


def has_few_values(raw: bytes) -> bool:
    """Whether a picture is made of a few flat values, or (a mask saved as JPEG) of nearly black and nearly white."""
    pixels = open_rgb(raw).reshape(-1, 3)
    pixels = pixels[:: max(1, len(pixels) // 200_000)].astype(np.int64)
    if len(np.unique(pixels @ np.array([1 << 16, 1 << 8, 1]))) <= _COLOURS:
        return True
    grey = pixels.mean(axis=1)
    return bool(((grey < 16) | (grey > 239)).mean() > 0.98)
