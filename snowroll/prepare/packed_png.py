"""Grey pictures as text: 8 bits a pixel as a PNG in base64, so that a mask or a map can stand in JSON."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Callable, Iterator

import numpy as np

from snowroll.base.errors import DataError

MOST_PX = 250e6  # bytes that one text from elsewhere may take; no larger mask is read either
_BAND = 1 << 20  # values that are sorted at once: that takes many times the memory of the picture


def packed(grey: np.ndarray) -> str:
    """uint8 [H, W] as text."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(grey.astype(np.uint8)).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def unpacked(text: object) -> np.ndarray:
    """uint8 [H, W]. Raises DataError in plain words where `text` is nothing of the kind."""
    from PIL import Image, PngImagePlugin

    try:
        raw = base64.b64decode(text, validate=True)  # type: ignore[arg-type]
        image = PngImagePlugin.PngImageFile(io.BytesIO(raw))
        if image.width * image.height > MOST_PX:
            raise DataError(f"a mask of {image.width:,} x {image.height:,} pixels is not opened", cure="shrink it")
        if image.mode in ("RGBA", "RGB"):  # drawn in a browser: the value stands in every channel
            image = image.getchannel(0)
        values = np.asarray(image)
    except (TypeError, ValueError, OSError, SyntaxError, binascii.Error, Image.DecompressionBombError) as fault:
        raise DataError(f"not a mask ({type(fault).__name__})", cure="send a PNG as base64") from None
    if values.ndim != 2 or values.dtype != np.uint8:
        raise DataError(f"a mask of {values.dtype} {list(values.shape)}", cure="send a grey PNG of 8 bits")
    return values


def by_value(pixels: np.ndarray, coded: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The values that occur, sorted. coded: what stands for the pixels of a band of rows, one value each."""
    return np.unique(np.concatenate([np.unique(coded(pixels[at])) for at in _bands(pixels)]))


def places_of(
    pixels: np.ndarray, coded: Callable[[np.ndarray], np.ndarray], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(uint8: each pixel's place in `values`; how many pixels have each of them)"""
    bands = [np.searchsorted(values, coded(pixels[at])).astype(np.uint8) for at in _bands(pixels)]
    return np.concatenate(bands), sum(np.bincount(band.ravel(), minlength=len(values)) for band in bands)  # type: ignore[return-value]


def _bands(pixels: np.ndarray) -> Iterator[slice]:
    rows = max(1, _BAND * len(pixels) // max(1, pixels.size))
    return (slice(at, at + rows) for at in range(0, len(pixels), rows))
