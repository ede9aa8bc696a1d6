"""What a file that holds a mask says, whatever its depth, palette or colours. In limited children: no torch."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.packed_png import packed, unpacked

_MOST_VALUES = 254  # of a mask; one that numbers more instances says only that they are there
Value = (
    int | tuple[int, int, int] | str
)  # as it stands in the file: a number, a colour; or what the file is called after


@dataclass(frozen=True, slots=True)
class Mask:
    """One mask as a child read it: the PNG's pixels are places in `values`."""

    png: str  # base64
    values: tuple[Value, ...]
    counts: tuple[int, ...]  # pixels of each value
    size: tuple[int, int]
    is_wide: bool = False  # 16 bits a pixel: more than classes need


def open_mask(raw: bytes, megapixels: float = 100.0) -> Mask:
    """In a limited child. Raises DataError where the bytes are no mask."""
    from PIL import Image

    try:
        image = Image.open(io.BytesIO(raw))
        if image.width * image.height > megapixels * 1e6:
            raise DataError(f"a mask of {image.width:,} x {image.height:,} pixels", cure="raise --prepare.megapixels")
        image.load()
        is_jpeg, is_wide = image.format == "JPEG", image.mode.startswith("I")
        if is_jpeg and image.mode == "RGB" and _is_grey(np.asarray(image)):
            image = image.convert("L")
        if image.mode not in ("L", "P", "1", "I", "I;16", "I;16B", "RGB"):
            image = image.convert("RGB" if image.mode in ("RGBA", "CMYK", "PA") else "L")
        pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as fault:
        raise DataError(f"a mask that cannot be read ({fault})", cure="export it again") from None
    if pixels.ndim == 3:
        flat = pixels.reshape(-1, 3).astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
        found, places, counts = np.unique(flat, return_inverse=True, return_counts=True)
        values: tuple[Value, ...] = tuple((int(v) >> 16, int(v) >> 8 & 255, int(v) & 255) for v in found)
        greys = all(len(set(colour)) == 1 for colour in values if isinstance(colour, tuple))
        values = tuple(colour[0] for colour in values if isinstance(colour, tuple)) if greys else values
    else:
        if is_jpeg:  # compression blurs its two values
            pixels = np.where(pixels > 127, 255, 0)
        if pixels.dtype == np.bool_:
            pixels = pixels.astype(np.uint8) * 255
        found, places, counts = np.unique(pixels, return_inverse=True, return_counts=True)
        values = tuple(int(v) for v in found)
        if len(values) > _MOST_VALUES:  # instances are numbered: what is common to them is that they are there
            places, values = (pixels > 0).astype(np.int64), (0, 1)
            counts = np.bincount(places.ravel(), minlength=2)
    if len(values) > 254:
        raise DataError(f"a mask of {len(values):,} values", cure="save one value for each class")
    numbers = tuple(counts.tolist())
    return Mask(packed(places.reshape(pixels.shape[:2])), values, numbers, (pixels.shape[1], pixels.shape[0]), is_wide)


def _is_grey(pixels: np.ndarray) -> bool:
    """uint8 [H, W, 3]: the same in all channels, but for what compression made of it."""
    return int(np.ptp(pixels.astype(np.int16), axis=2).max(initial=0)) <= 16


def together(masks: Sequence[Mask], names: Sequence[str] = ()) -> Mask:
    """Several masks of one picture as one. Whatever is not black in each is one thing, numbered from 1, or of the class
    that `names` has for it; where things overlap, the later one lies above. Raises DataError where their sizes differ.
    """
    whole = np.zeros(masks[0].size[::-1], np.int64)
    for number, mask in enumerate(masks, 1):
        if mask.size != masks[0].size:
            told = f"{mask.size[0]} x {mask.size[1]} pixels where another one of the picture has {masks[0].size}"
            raise DataError(told, cure="export the masks of a picture at one size")
        marking = [place for place, value in enumerate(mask.values) if value not in (0, (0, 0, 0))]
        whole[np.isin(unpacked(mask.png), marking)] = number
    if not names and len(masks) > _MOST_VALUES - 1:
        whole = np.minimum(whole, 1)
    found, places, counts = np.unique(whole, return_inverse=True, return_counts=True)
    values: tuple[Value, ...] = tuple(str(names[n - 1]) if names and n else int(n) for n in found)
    return Mask(packed(places.reshape(whole.shape)), values, tuple(counts.tolist()), masks[0].size, not names)
