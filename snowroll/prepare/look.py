"""What one streaming decode pass tells of a picture: small facts of a few kilobytes, so that 100,000 fit in memory.

Runs in limited children, so neither this module nor what it calls loads torch.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare import pictures

THUMBNAIL_PX = 32
_DECODED_PX = 256  # JPEGs are decoded no larger than twice this: every byte is still read

_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}  # what the last bytes of a whole file hold


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture in brief. Where `reason` is not empty, nothing after it is known."""

    bytes: int
    format: str = ""  # by its first bytes, whatever it is called; "" for none that Snowroll reads
    reason: str = ""  # why it cannot be read; "" where it can
    cut_off: bool = False  # the file ends before its format says it does
    width: int = 0  # pixels, as stored
    height: int = 0
    mode: str = ""  # PIL's name: L, RGB, CMYK, I;16, P ...
    frames: int = 1
    rotated: bool = False  # EXIF turns it: another reader may see it lying on its side
    brightness: float = 0.0  # mean, 0 to 1
    contrast: float = 0.0  # standard deviation of the pixels, 0 to 0.5
    sharpness: float = 0.0  # Laplacian variance over pixel variance; a uniform blur lowers it
    thumbnail: np.ndarray = field(default_factory=lambda: np.zeros((THUMBNAIL_PX, THUMBNAIL_PX, 3), np.uint8))


def look(raw: bytes, megapixels: float = 100) -> Look:
    """The Look of a file's bytes. Never raises for foreign bytes: what is wrong with them stands in `reason`."""
    if not raw:
        return Look(0, reason="the file is empty", cut_off=True)
    format = pictures.sniff(raw) or ""
    end = _ENDS.get(format)
    # some cameras append a kilobyte or more after the end mark, so look for it in the tail, not at its very end
    cut_off = end is not None and end not in raw[-65536:]
    try:
        rgb = pictures.open_rgb(raw, at_least_px=_DECODED_PX, megapixels=megapixels)
        header = _header(raw, format, rgb)
    except DataError as fault:
        return Look(len(raw), format, fault.what, cut_off)
    grey = rgb[:: _step(rgb), :: _step(rgb)].astype(np.float32).mean(axis=2)
    return Look(
        len(raw),
        format,
        "",
        False,  # it was decoded to its last row: what is missing at the end was not the picture
        *header,
        brightness=float(rgb.mean() / 255),
        contrast=float(rgb.std(axis=(0, 1)).max() / 255),
        sharpness=_sharpness(grey),
        thumbnail=pictures.resize(rgb, THUMBNAIL_PX, "stretch"),
    )


def _header(raw: bytes, format: str, rgb: np.ndarray) -> tuple[int, int, str, int, bool]:
    if format == "NumPy":
        return rgb.shape[1], rgb.shape[0], "array", 1, False
    from PIL import Image

    with Image.open(io.BytesIO(raw)) as image:
        turned = image.getexif().get(0x0112, 1) not in (0, 1)
        return image.width, image.height, image.mode, getattr(image, "n_frames", 1), turned


def _step(rgb: np.ndarray) -> int:
    return max(1, min(rgb.shape[:2]) // _DECODED_PX)


def _sharpness(grey: np.ndarray) -> float:
    if min(grey.shape) < 3:
        return 0.0
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    return float(laplacian.var() / (grey.var() + 1.0))  # one grey level of noise is no detail
