"""What a file that holds a mask says, whatever its depth, palette or colours. In limited children: no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.packed_png import MOST_PX, by_value, packed, places_of, unpacked
from snowroll.prepare.pictures import open_as, sniff

MOST_VALUES = 254  # of a mask; one that numbers more instances says only that they are there
_FAR_MORE = 8  # times the pixels of the usual value between black and white; a guess
_BLACK = (0, (0, 0, 0))
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
    joined: int = 0  # things that were numbered, where there were too many to be kept apart


def open_mask(raw: bytes, megapixels: float = 100.0) -> Mask:
    """In a limited child. Raises DataError where the bytes are no mask."""
    kind = sniff(raw)
    if kind is None or kind == "NumPy":
        raise DataError("a mask that is no picture", cure="export it again")
    try:
        image = open_as(raw, kind)
        if image.width * image.height > min(megapixels * 1e6, MOST_PX):
            cure = f"raise --prepare.megapixels, up to {MOST_PX / 1e6:g}"
            raise DataError(f"a mask of {image.width:,} x {image.height:,} pixels", cure=cure)
        image.load()
        is_jpeg, is_wide = image.format == "JPEG", image.mode.startswith("I")
        if is_jpeg and image.mode == "RGB" and _is_grey(np.asarray(image)):
            image = image.convert("L")
        if image.mode not in ("L", "P", "1", "I", "I;16", "I;16B", "RGB"):
            image = image.convert("RGB" if image.mode in ("RGBA", "CMYK", "PA") else "L")
        pixels = np.asarray(image)
    except (OSError, ValueError, SyntaxError) as fault:
        raise DataError(f"a mask that cannot be read ({fault})", cure="export it again") from None
    if pixels.ndim == 2:
        if is_jpeg:  # compression blurs its two values
            pixels = (pixels > 127).astype(np.uint8) * np.uint8(255)
        if pixels.dtype == np.bool_:
            pixels = pixels.astype(np.uint8) * np.uint8(255)
    found, joined = by_value(pixels, _coded), 0
    if pixels.ndim == 3:
        values: tuple[Value, ...] = tuple((int(v) >> 16, int(v) >> 8 & 255, int(v) & 255) for v in found)
        greys = all(len(set(colour)) == 1 for colour in values if isinstance(colour, tuple))
        values = tuple(colour[0] for colour in values if isinstance(colour, tuple)) if greys else values
    else:
        if len(found) > MOST_VALUES and _is_soft(pixels):
            pixels, found = (pixels > 127) * np.uint8(255), np.array([0, 255])
        elif len(found) > MOST_VALUES:  # instances are numbered: what is common to them is that they are there
            joined = int((found > 0).sum())
            pixels, found = (pixels > 0).astype(np.uint8), np.array([0, 1])
        values = tuple(int(v) for v in found)
    if len(values) > MOST_VALUES:
        raise DataError(f"a mask of {len(values):,} values", cure="save one value for each class")
    places, counts = places_of(pixels, _coded, found)
    return Mask(packed(places), values, tuple(counts.tolist()), (pixels.shape[1], pixels.shape[0]), is_wide, joined)


def _coded(band: np.ndarray) -> np.ndarray:
    """[H, W] numbers, or [H, W, 3] colours as one number each."""
    return band if band.ndim == 2 else band.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def _is_soft(pixels: np.ndarray) -> bool:
    """8 bits, and far more white than of the usual grey: white whose edge is smooth. Numbered things share evenly."""
    if pixels.dtype != np.uint8:
        return False
    counts = np.bincount(pixels.ravel(), minlength=256)
    return float(counts[255]) > _FAR_MORE * float(np.median(counts[1:255]))


def _is_grey(pixels: np.ndarray) -> bool:
    """uint8 [H, W, 3]: the same in all channels, but for what compression made of it."""
    return int((pixels.max(axis=2) - pixels.min(axis=2)).max(initial=0)) <= 16


def together(masks: Sequence[Mask], names: Sequence[str] = ()) -> Mask:
    """Several masks of one picture as one. Whatever is not black in each is one thing, numbered from 1, or of the class
    that `names` has for it; where things overlap, the later one lies above, and of classes the smaller: a cup lies in
    its disc. Raises DataError where their sizes differ.
    """
    whole = np.zeros(masks[0].size[::-1], np.int64)
    ordered = list(enumerate(masks, 1))
    for number, mask in sorted(ordered, key=lambda one: -_marked_px(one[1])) if names else ordered:
        if mask.size != masks[0].size:
            told = f"{mask.size[0]} x {mask.size[1]} pixels where another one of the picture has {masks[0].size}"
            raise DataError(told, cure="export the masks of a picture at one size")
        marking = [place for place, value in enumerate(mask.values) if value not in _BLACK]
        whole[np.isin(unpacked(mask.png), marking)] = number
    joined = len(masks) if not names and len(masks) > MOST_VALUES - 1 else 0
    if joined:
        whole = np.minimum(whole, 1)
    found, places, counts = np.unique(whole, return_inverse=True, return_counts=True)
    values: tuple[Value, ...] = tuple(str(names[n - 1]) if names and n else int(n) for n in found)
    return Mask(packed(places.reshape(whole.shape)), values, tuple(counts.tolist()), masks[0].size, not names, joined)


def _marked_px(mask: Mask) -> int:
    return sum(count for value, count in zip(mask.values, mask.counts, strict=True) if value not in _BLACK)
