"""Masks as they are kept: a target is {"mask": a grey PNG as base64, "classes": [...]}. numpy and PIL, never torch.

A pixel of value v is of classes[v], and where several values are of one class each is an instance of it; IGNORED is
neither asked for nor held against anybody. So a target is JSON, says by itself what its values mean, and costs a few
kilobytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.nouns import Json
from snowroll.prepare.packed_png import packed, unpacked

IGNORED = 255
MOST_CLASSES = 254


def as_target(mask: np.ndarray, classes: Sequence[str]) -> Json:
    """mask: [H, W] places in `classes`, or IGNORED."""
    return {"mask": packed(mask), "classes": list(classes)}


def mask_of(target: Json) -> np.ndarray:
    """uint8 [H, W]. Raises DataError in plain words where the target is no mask."""
    return unpacked(target.get("mask") if isinstance(target, Mapping) else None)


def numbered(target: Json, classes: Sequence[str]) -> np.ndarray:
    """uint8 [H, W]: the mask with places in `classes` for values. What the schema does not know is IGNORED."""
    place = {name: number for number, name in enumerate(classes)}
    table = np.full(256, IGNORED, np.uint8)
    for value, name in enumerate(target["classes"][:IGNORED]):
        table[value] = place.get(name, IGNORED)
    return table[mask_of(target)]


def numbered_at(target: Json, classes: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
    """`numbered` at a height and width, nearest values."""
    mask = numbered(target, classes)
    if mask.shape == shape:
        return mask
    from PIL import Image

    return np.asarray(Image.fromarray(mask).resize((shape[1], shape[0]), Image.Resampling.NEAREST))


def shares(target: Json) -> Mapping[str, float]:
    """Class -> share of the pixels that are not ignored; classes without a pixel are left out."""
    counts = np.bincount(mask_of(target).ravel(), minlength=256)[: len(target["classes"])]
    total, found = max(1, int(counts.sum())), dict[str, float]()
    for name, n in zip(target["classes"], counts.tolist(), strict=True):
        if n:
            found[name] = found.get(name, 0.0) + n / total
    return found


def fitted(mask: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """The mask as the picture lies in the frame (prepare.pictures.geometry, "pad"), nearest values, IGNORED around."""
    from PIL import Image

    from snowroll.prepare.pictures import geometry

    (_, dest) = geometry(mask.shape[1], mask.shape[0], frame, "pad")
    left, top, right, bottom = dest
    framed = np.full((frame[1], frame[0]), IGNORED, np.uint8)
    small = Image.fromarray(mask).resize((right - left, bottom - top), Image.Resampling.NEAREST)
    framed[top:bottom, left:right] = np.asarray(small)
    return framed


def unfitted(framed: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What lies in the frame at the picture's own size (width, height)."""
    from PIL import Image

    from snowroll.prepare.pictures import geometry

    left, top, right, bottom = geometry(*size, (framed.shape[1], framed.shape[0]), "pad").dest
    return np.asarray(Image.fromarray(framed[top:bottom, left:right]).resize(size, Image.Resampling.NEAREST))
