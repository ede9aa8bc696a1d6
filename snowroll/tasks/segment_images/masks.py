"""Masks as they are kept: a target is {"mask": a grey PNG as base64, "classes": [...]}. numpy and PIL, never torch.

A pixel of value v is of classes[v], and where several values are of one class each is an instance of it; IGNORED is
neither asked for nor held against anybody. So a target is JSON, says by itself what its values mean, and costs a few
kilobytes.
"""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json

IGNORED = 255
MOST_CLASSES = 254


def as_target(mask: np.ndarray, classes: Sequence[str]) -> Json:
    """mask: [H, W] places in `classes`, or IGNORED."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(out, "PNG", optimize=True)
    return {"mask": base64.b64encode(out.getvalue()).decode(), "classes": list(classes)}


def mask_of(target: Json) -> np.ndarray:
    """uint8 [H, W]. Raises DataError in plain words where the target is no mask."""
    from PIL import Image, PngImagePlugin

    try:
        raw = base64.b64decode(target["mask"], validate=True)
        image = PngImagePlugin.PngImageFile(io.BytesIO(raw))
        if image.width * image.height > 100e6:
            raise DataError(f"a mask of {image.width:,} x {image.height:,} pixels is not opened", cure="shrink it")
        if image.mode in ("RGBA", "RGB"):  # drawn in a browser: the value stands in every channel
            image = image.getchannel(0)
        values = np.asarray(image)
    except (
        KeyError,
        TypeError,
        ValueError,
        OSError,
        SyntaxError,
        binascii.Error,
        Image.DecompressionBombError,
    ) as fault:
        raise DataError(f"not a mask ({type(fault).__name__})", cure="send a PNG as base64") from None
    if values.ndim != 2 or values.dtype != np.uint8:
        raise DataError(f"a mask of {values.dtype} {list(values.shape)}", cure="send a grey PNG of 8 bits")
    return values


def numbered(target: Json, classes: Sequence[str]) -> np.ndarray:
    """uint8 [H, W]: the mask with places in `classes` for values. What the schema does not know is IGNORED."""
    place = {name: number for number, name in enumerate(classes)}
    table = np.full(256, IGNORED, np.uint8)
    for value, name in enumerate(target["classes"][:IGNORED]):
        table[value] = place.get(name, IGNORED)
    return table[mask_of(target)]


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
