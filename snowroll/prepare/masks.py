"""Pictures that are not samples: masks that lie beside the picture they belong to, under the same name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import TypeVar

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.decode import limited
from snowroll.prepare.names import take_apart
from snowroll.prepare.pictures import open_rgb
from snowroll.prepare.read import Folder

_LOOKED_AT = 12  # pictures of each kind that are decoded to see whether the kind is masks
_FEWEST = 3  # pairs that lie in the same two places
_MOST_ALIKE = 8  # files of one name; more of them are counted in folders of their own
_TOLD = "a mask of the picture of the same name: pixels of only a few values"
_COLOURS = 32  # a mask has one value a class; a photo of any size has hundreds
_IMAGES = {"image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "original", "originals", "raw"}
_MASKS = {"mask", "masks", "label", "labels", "annotation", "annotations", "gt", "groundtruth", "seg", "segmentation"}
# in the name of a folder that holds masks: 'CelebA-mask-anno', 'Task2_GroundTruth'; 'label_0' is a class
_OF_MASKS = re.compile(
    r"(?<![a-z])(ground|(ground[ _-]?)?truth|gt|masks?|anno(tation)?s?|seg(mentation)?s?|"
    r"(?P<label>labels?)(?![ _.-]*\d))(?![a-z])",
    re.IGNORECASE,
)
_TOLD_BY_FOLDER = "a mask by the name of its folder: pixels of only a few values"
_SAY_MASK = ("mask", "label", "annot", "seg", "truth")  # within a folder's name: trainannot
_FOLDERS = frozenset({*_IMAGES, *_MASKS, "jpegimages", "rgb", "input", "inputs", "ground_truth", "segmentations"})
T = TypeVar("T")
_ENDING = re.compile(
    r"[ _.-]+(mask|gt|label|labels|seg|segmentation|annotation|groundtruth)([ _-]?\d+)?$", re.IGNORECASE
)


def find_masks(folder: Folder, pictures: Sequence[str]) -> dict[str, str]:
    """where -> reason for every picture that is the mask of another: same name, and pixels of a few values.

    `a/1.jpg` and `a/1.png`, `a/1.png` and `a/1_mask.png`, `a/images/1.png` and `a/masks/1.png` are such pairs by
    name. A dozen of each kind are decoded (in limited children) before the kind is called masks; pairs whose both
    sides look like masks, or neither, stay samples. So do pictures of few values in folders called after masks, unless
    all others are drawings, too: their names need not be those of any picture.
    """
    found = _by_words(folder, pictures)
    found |= _by_names(folder, [where for where in pictures if where not in found])
    return found | _by_folders(folder, [where for where in pictures if where not in found])


def _by_words(folder: Folder, pictures: Sequence[str]) -> dict[str, str]:
    """Masks whose name, or their folder's, says so."""
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
            found |= {where: _TOLD for where, kind in pair if kind in kinds}
    return found


def _by_names(folder: Folder, pictures: Sequence[str]) -> dict[str, str]:
    """Masks in a folder of any name: of the names and sizes of pictures elsewhere, `images/pug_1.jpg` and
    `trimaps/pug_1.png`.

    Names that only count and pictures of one size tie nothing together, unless the folder's name has a word for masks
    in it: those may be classes of photos and drawings.
    """
    by_stem: dict[str, list[str]] = defaultdict(list)
    for where in pictures:
        by_stem[_stem(where)].append(where)
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)  # places -> [(picture, mask)]
    for some in by_stem.values():
        for one, other in permutations(some, 2) if len(some) <= _MOST_ALIKE else ():
            pairs[_apart(one, other)].append((one, other))
    pairs = {places: some for places, some in pairs.items() if len(some) >= _FEWEST}
    pairs = _go_together(folder, pairs, 1)  # most are told by one look
    pairs = _go_together(folder, pairs, _LOOKED_AT)
    return {mask: _TOLD for some in pairs.values() for _, mask in some}


def _by_folders(folder: Folder, pictures: Sequence[str]) -> dict[str, str]:
    """Masks in folders that are called after masks, whatever they are masks of: there may be no picture beside them."""
    kinds: dict[str, list[str]] = defaultdict(list)
    for where in pictures:
        kinds[_folder_of_masks(where)].append(where)
    others = kinds.pop("", [])
    if not others:  # classes of drawings may all lie in 'labels'
        kinds = {kind: some for kind, some in kinds.items() if not _names_labels(kind)}
    if not kinds:
        return {}
    chosen = {kind: _spread(some) for kind, some in kinds.items()}
    drawn = _mask_like(folder, {**chosen, "": _spread(others)})
    return {where: _TOLD_BY_FOLDER for kind in drawn for where in kinds[kind]} if "" not in drawn else {}


def _names_labels(kind: str) -> bool:
    match = _OF_MASKS.search(kind.rpartition("/")[2])
    return bool(match and match["label"])


def _folder_of_masks(where: str) -> str:
    """The path down to the folder that is called after masks, "" where none is.

    >>> _folder_of_masks("set/Task2_GroundTruth_v3/a/1.png"), _folder_of_masks("label_0/1.png")
    ('set/Task2_GroundTruth_v3', '')
    """
    folders = where.replace("!", "/").split("/")[:-1]
    depth = next((depth for depth, name in enumerate(folders, 1) if _OF_MASKS.search(name)), 0)
    return "/".join(folders[:depth])


def _go_together(
    folder: Folder, pairs: dict[tuple[str, str], list[tuple[str, str]]], most: int
) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Those of which up to `most`, looked at, are pictures and masks of the same sizes."""
    chosen = {places: _spread(some, most) for places, some in pairs.items()}
    files = sorted({where for some in chosen.values() for pair in some for where in pair})
    seen = {w: look for w, look in limited(_look, folder.stream(files), workers=1) if not isinstance(look, DataError)}
    kept = {}
    for places, some in chosen.items():
        looks = [(seen[picture], seen[mask]) for picture, mask in some if picture in seen and mask in seen]
        fits = sum(not one[0] and other[0] and one[1:] == other[1:] for one, other in looks)
        sizes = {tuple(one[1:]) for one, _ in looks}
        kinds = {re.sub(r"\d+", "#", _stem(picture)) for picture, _ in pairs[places]}
        is_called_so = any(word in places[1].lower() for word in _SAY_MASK)
        if looks and fits >= 0.9 * len(looks) and (most == 1 or is_called_so or len(sizes) > 1 or len(kinds) > 1):
            kept[places] = pairs[places]
    return kept


def _look(raw: bytes) -> tuple[bool, int, int]:
    """(whether it has few values, its height and width)"""
    pixels = open_rgb(raw)
    return _are_few(pixels), pixels.shape[0], pixels.shape[1]


def _stem(where: str) -> str:
    return where.replace("!", "/").rpartition("/")[2].rpartition(".")[0]


def _apart(one: str, other: str) -> tuple[str, str]:
    """What is left of two paths without their name and the folders that they share above and below.

    >>> _apart("set/images/pug/1.jpg", "set/outlines/pug/1.png")
    ('images .jpg', 'outlines .png')
    """
    first, second = (where.replace("!", "/").split("/")[:-1] for where in (one, other))
    endings = one.rpartition(".")[2].lower(), other.rpartition(".")[2].lower()
    while first and second and first[0] == second[0]:
        first, second = first[1:], second[1:]
    while first and second and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    return f"{'/'.join(first)} .{endings[0]}", f"{'/'.join(second)} .{endings[1]}"


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
    return _mask_like(folder, {kind: _spread(wheres) for kind, wheres in by_kind.items()})


def _mask_like(folder: Folder, by_kind: Mapping[str, Sequence[str]]) -> set[str]:
    """The kinds whose pictures, looked at, are nearly all of few values."""
    chosen = {where: kind for kind, wheres in by_kind.items() for where in wheres}
    votes: dict[str, list[bool]] = defaultdict(list)
    if chosen:
        for where, answer in limited(has_few_values, folder.stream(list(chosen)), workers=1):
            if not isinstance(answer, DataError):
                votes[chosen[where]].append(answer)
    return {kind for kind, cast in votes.items() if sum(cast) >= 0.9 * len(cast)}


def _spread(wheres: Sequence[T], most: int = _LOOKED_AT) -> list[T]:
    step = max(1, len(wheres) // most)
    return list(wheres[::step][:most])


def has_few_values(raw: bytes, megapixels: float = 100.0) -> bool:
    """Whether a picture is made of a few flat values, or (a mask saved as JPEG) of nearly black and nearly white."""
    return _are_few(open_rgb(raw, megapixels=megapixels))


def _are_few(rgb: np.ndarray) -> bool:
    pixels = rgb.reshape(-1, 3)
    pixels = pixels[:: max(1, len(pixels) // 200_000)].astype(np.int64)
    if len(np.unique(pixels @ np.array([1 << 16, 1 << 8, 1]))) <= _COLOURS:
        return True
    grey = pixels.mean(axis=1)
    return bool(((grey < 16) | (grey > 239)).mean() > 0.98)
