"""Bytes of a picture to RGB pixels, and RGB pixels to the square a network takes. numpy and PIL, never torch.

What is done to a picture, so that training, serving and the exported graph agree:
the format is read from the first bytes, never from the name; the size is taken from the header and refused before
anything is decoded; the whole file is decoded, so that a truncated one is an error; EXIF rotation is applied;
transparency is laid on white; 16-bit grey is scaled by its full range (65535 becomes 255), whatever its brightest
pixel; of an animation the first frame is taken; colour profiles are ignored.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from snowroll.base.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

Fit = Literal["stretch", "crop", "pad"]
Frame = int | tuple[int, int]  # what a picture is fitted into: the side of a square, or (width, height); pixels
PAD = 0  # black around a padded picture, as in the exported graph


class Standard(NamedTuple):
    """Levels of a picture that is made as light and as rich in contrast as any other."""

    mean: float
    spread: float  # standard deviation
    least: float  # a picture of less spread is stretched as if it had this


STANDARD = Standard(127.5, 38.25, 4.0)  # 3.3 deviations either way: of normal noise one in a thousand lies out
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WebP": (".webp",),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "TIFF": (".tif", ".tiff"),
    "PPM": (".ppm", ".pgm", ".pbm", ".pnm"),
    "NumPy": (".npy",),
}
_MAGIC = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\x93NUMPY", "NumPy"),
    *((b"P%d%c" % (number, space), "PPM") for number in range(1, 7) for space in b" \t\r\n"),
)
_OTHERS = (  # what a file that is no picture most often is; for the message only
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive or office document"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "XML"),
    (b"<!DOC", "a web page"),
    (b"<html", "a web page"),
    (b"RIFF", "audio or video"),
    (b"8BPS", "a Photoshop document"),
    (b"version https://git-lfs", "a Git LFS pointer, not the picture itself"),
)
_UPRIGHT = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF orientation -> PIL.Image.Transpose


def sniff(raw: bytes) -> str | None:
    """The format of a picture by its first bytes: a key of SUFFIXES, or None.

    >>> sniff(b"\\x89PNG\\r\\n\\x1a\\n..."), sniff(b"hello")
    ('PNG', None)
    """
    for magic, name in _MAGIC:
        if raw.startswith(magic):
            return name
    return "WebP" if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP" else None


def format_of_name(name: str) -> str | None:
    """The format that the name's ending promises."""
    lower = name.lower()
    return next((kind for kind, endings in SUFFIXES.items() if lower.endswith(endings)), None)


def open_rgb(
    raw: bytes,
    at_least_px: int | None = None,
    megapixels: float = 100.0,
    read_header: Callable[[Image], None] | None = None,
) -> np.ndarray:
    """uint8 [H, W, 3] of one picture, upright.

    at_least_px: a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as both sides keep this many pixels
    (several times faster; differs from the full decode by less than the resize that follows smooths).
    read_header: shown the picture as PIL opens it, before its pixels are decoded; arrays have nothing to show.
    Raises DataError in plain words: not a picture, too large, truncated, damaged.
    """
    kind = sniff(raw)
    if kind is None:
        raise DataError(
            f"not a picture: {_looks_like(raw)}", cure="JPEG, PNG, WebP, GIF, BMP, TIFF, PPM and .npy are read"
        )
    if kind == "NumPy":
        return _rgb_of_array(_load_npy(raw, megapixels))
    from PIL import Image

    try:
        image = open_as(raw, kind)
        check_size(*image.size, megapixels)
        if read_header:
            read_header(image)
        if at_least_px and kind == "JPEG":
            scale = at_least_px / min(image.size)
            image.draft(None, (max(1, int(image.width * scale)), max(1, int(image.height * scale))))
        image.load()  # decodes to the last byte; PIL's verify() passes truncated files
        return _rgb_of_image(_upright(image))
    except DataError:
        raise
    except MemoryError:
        raise DataError(f"a {kind} that needs more memory than allowed to decode", cure="shrink the picture") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as fault:
        raise DataError(f"too large: {fault}", cure="shrink the picture") from None
    except Exception as fault:  # PIL raises anything on damaged input: OSError, SyntaxError, struct.error, KeyError ...
        raise DataError(f"a damaged {kind} ({_in_words(fault)})", cure="replace or remove the file") from None


def size_of(raw: bytes, megapixels: float = 100.0) -> tuple[int, int]:
    """(width, height) of a picture as it is seen, upright, from its header. Raises DataError as `open_rgb`."""
    kind = sniff(raw)
    if kind is None or kind == "NumPy":
        height, width = open_rgb(raw, megapixels=megapixels).shape[:2]
        return width, height
    try:
        image = open_as(raw, kind)
        width, height = image.size
        turned = swaps_sides(image)
    except Exception as fault:  # as in `open_rgb`
        raise DataError(f"a damaged {kind} ({_in_words(fault)})", cure="replace or remove the file") from None
    check_size(width, height, megapixels)
    return (height, width) if turned else (width, height)


def swaps_sides(image: Image) -> bool:
    """Whether EXIF turns it by a quarter, from the size that it has now. Damaged EXIF raises anything."""
    stored = getattr(image, "tag_v2", {}).get(256, image.width)  # Pillow opens a TIFF with the size it will have
    return image.width == stored and _UPRIGHT.get(image.getexif().get(0x0112, 1), 0) in (2, 4, 5, 6)


def check_size(width: int, height: int, megapixels: float) -> None:
    """Refuse a picture by the size in its header, before memory is taken for its pixels."""
    if width < 1 or height < 1:
        raise DataError(f"a picture of {width} x {height} pixels", cure="replace or remove the file")
    if width * height > megapixels * 1e6:
        size = f"{width:,} x {height:,} pixels, {width * height / 1e6:,.0f} megapixels"
        raise DataError(
            f"too large: {size}, and the limit is {megapixels:g}", cure="shrink it or raise --prepare.megapixels"
        )


class Geometry(NamedTuple):
    """Which part of the source goes to which part of the frame. Pixels; right and bottom are exclusive."""

    box: tuple[int, int, int, int]  # left, top, right, bottom in the source
    dest: tuple[int, int, int, int]  # left, top, right, bottom in the frame; PAD around it


def geometry(width: int, height: int, frame: Frame, fit: Fit) -> Geometry:
    """The source and destination boxes of `resize`, in integer arithmetic that any graph can repeat.

    stretch: all of the source to all of the frame. crop: the largest centred part of the frame's shape, its sides and
    corner rounded down. pad: all of the source to a centred rectangle that touches two sides of the frame; each of its
    sides is max(1, floor(side * scale + 1/2)), its corner rounded down.

    >>> geometry(640, 480, 128, "crop").box, geometry(640, 480, 128, "pad").dest
    ((80, 0, 560, 480), (0, 16, 128, 112))
    >>> geometry(640, 480, (320, 192), "pad").dest
    (32, 0, 288, 192)
    """
    whole, (across, down) = (0, 0, width, height), sides(frame)
    if fit == "stretch":
        return Geometry(whole, (0, 0, across, down))
    if fit == "crop":
        wide, high = max(1, min(width, height * across // down)), max(1, min(height, width * down // across))
        left, top = (width - wide) // 2, (height - high) // 2
        return Geometry((left, top, left + wide, top + high), (0, 0, across, down))
    # by the ratio of the side that touches: across / width, or down / height
    part, of = (across, width) if width * down >= height * across else (down, height)
    wide, high = (max(1, (2 * side * part + of) // (2 * of)) for side in (width, height))
    left, top = (across - wide) // 2, (down - high) // 2
    return Geometry(whole, (left, top, left + wide, top + high))


def sides(frame: Frame) -> tuple[int, int]:
    """(width, height) of a frame."""
    return (frame, frame) if isinstance(frame, int) else frame


def resize(rgb: np.ndarray, frame: Frame, fit: Fit, standard: bool = False) -> np.ndarray:
    """uint8 [frame's height, width, 3] of uint8 [H, W, 3]: PIL's triangle filter (BILINEAR with antialiasing) over
    `geometry`.

    Exactly: the box is cut out, its width is resized and rounded to uint8, then its height; `resize_weights` gives
    each pass. Asked for in two steps, because since version 13 Pillow itself chooses which pass comes first.
    standard: then `standardised`, the border apart.
    """
    from PIL import Image

    height, width = rgb.shape[:2]
    (x0, y0, x1, y1), (left, top, right, bottom) = geometry(width, height, frame, fit)
    size = (right - left, bottom - top)
    cut = Image.fromarray(np.ascontiguousarray(rgb[y0:y1, x0:x1]))
    wide = cut.resize((size[0], y1 - y0), Image.Resampling.BILINEAR)
    small = np.array(wide.resize(size, Image.Resampling.BILINEAR))
    across, down = sides(frame)
    if standard:
        small = standardised(small)
    if size == (across, down):
        return small
    framed = np.full((down, across, 3), PAD, np.uint8)
    framed[top:bottom, left:right] = small
    return framed


def standardised(rgb: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3] as light and as rich in contrast as any other: around STANDARD's mean with its deviation, in
    levels, what lies further out than the scale reaches cut off. All channels alike, so that colours keep their hue.

    A picture of nearly one level is not stretched as far: what is in it is noise.
    """
    mean, spread = float(rgb.mean(dtype=np.float64)), float(rgb.std(dtype=np.float64))
    gain = STANDARD.spread / max(spread, STANDARD.least)
    return np.clip(np.floor((rgb - mean) * gain + STANDARD.mean + 0.5), 0, 255).astype(np.uint8)


def resize_weights(length: int, out: int) -> np.ndarray:
    """One pass of PIL's resize as a matrix: int64 [out, length] in units of 2**-22.

    Output i is clip((weights[i] @ pixels + 2**21) >> 22, 0, 255). With scale = length / out and
    reach = max(scale, 1): centre = (i + 1/2) * scale; source pixels from floor(centre - reach + 1/2) to
    floor(centre + reach + 1/2), kept inside the box, weigh max(0, 1 - |x + 1/2 - centre| / reach), divided by
    their sum, and each is rounded to a multiple of 2**-22 (Pillow, src/libImaging/Resample.c).
    """
    scale = length / out
    reach = max(scale, 1.0)
    weights = np.zeros((out, length), np.int64)
    for i in range(out):
        centre = (i + 0.5) * scale
        first, last = max(0, int(centre - reach + 0.5)), min(length, int(centre + reach + 0.5))
        tent = np.maximum(0.0, 1.0 - np.abs((np.arange(first, last) - centre + 0.5) / reach))
        weights[i, first:last] = np.floor(tent / tent.sum() * (1 << 22) + 0.5)
    return weights


def open_as(raw: bytes, kind: str) -> Image:
    """Not decoded yet, and of any size: the caller checks it. kind: as `sniff` tells. PIL raises anything."""
    # The format's own class instead of Image.open: that one tries other formats and warns (process-wide) at a limit
    # of its own; ours is checked by the caller right after the header is read.
    from PIL import (
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        PpmImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    reader = {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "WebP": WebPImagePlugin.WebPImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
        "PPM": PpmImagePlugin.PpmImageFile,
    }[kind]
    return reader(io.BytesIO(raw))


def _upright(image: Image) -> Image:
    from PIL import Image as pil

    try:
        turn = _UPRIGHT.get(image.getexif().get(0x0112, 1))
    except Exception:  # damaged EXIF says nothing about the pixels, which are whole
        turn = None
    return image if turn is None else image.transpose(pil.Transpose(turn))


def _rgb_of_image(image: Image) -> np.ndarray:
    from PIL import Image as pil

    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        grey = np.asarray(image).astype(np.uint32)
        return _stack((grey + 128) // 257)
    if image.mode in ("I", "F"):
        return _rgb_of_array(np.asarray(image))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        over = image if image.mode == "RGBA" else image.convert("RGBA")
        image = pil.new("RGB", over.size, (255, 255, 255))
        image.paste(over, mask=over.getchannel("A"))
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _load_npy(raw: bytes, megapixels: float) -> np.ndarray:
    from numpy.lib import format as npy

    file = io.BytesIO(raw)
    try:
        version = npy.read_magic(file)
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except Exception as fault:
        raise DataError(f"a damaged .npy ({_in_words(fault)})", cure="replace or remove the file") from None
    need = int(np.prod([int(side) for side in shape], dtype=object)) * dtype.itemsize
    if dtype.hasobject or need != len(raw) - file.tell() or need == 0:
        raise DataError(f"a .npy of {dtype} {shape} that its {len(raw):,} bytes do not hold", cure="save it again")
    if len(shape) in (2, 3):
        first, *rest = shape
        check_size(int(np.prod(rest)) if first in (1, 3) else rest[0], 1 if first in (1, 3) else first, megapixels)
    flat = np.frombuffer(raw, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if fortran else "C")


def _rgb_of_array(array: np.ndarray) -> np.ndarray:
    """Pixels as numbers: bool, uint8, uint16 by its full range, whole numbers within 0..255, floats within 0..1."""
    if array.ndim == 3 and array.shape[0] in (1, 3) and array.shape[2] not in (1, 3, 4):
        array = np.moveaxis(array, 0, 2)  # channels first
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise DataError(f"an array of shape {array.shape} is no picture", cure="store [H, W], [H, W, 3] or [3, H, W]")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = (array.astype(np.uint32) + 128) // 257
    elif array.dtype.kind in "iu":
        _within(array, 0, 255)
    elif array.dtype.kind == "f":
        _within(array, 0.0, 1.0)
        array = np.floor(array.astype(np.float64) * 255 + 0.5)
    else:
        raise DataError(f"an array of {array.dtype} is no picture", cure="store uint8")
    array = array.astype(np.uint8)
    if array.ndim == 2 or array.shape[2] == 1:
        return _stack(array.reshape(array.shape[:2]))
    if array.shape[2] == 4:
        alpha = array[..., 3:].astype(np.uint32)
        return ((array[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(array)


def _within(array: np.ndarray, low: float, high: float) -> None:
    least, most = array.min(), array.max()
    if not (least >= low and most <= high):  # NaN fails both
        raise DataError(
            f"pixels of {array.dtype} from {least:g} to {most:g}, which has no stated range",
            cure=f"scale them to {low:g}..{high:g}, or store 8 or 16 bits",
        )


def _stack(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


def _looks_like(raw: bytes) -> str:
    if not raw:
        return "the file is empty"
    if raw[4:8] == b"ftyp":
        return "HEIC, AVIF or video"
    for magic, name in _OTHERS:
        if raw.lstrip()[: len(magic)].lower() == magic.lower():
            return f"it looks like {name}"
    return "the first bytes are of no format that is read"


def _in_words(fault: Exception) -> str:
    text = " ".join(str(fault).split())[:120]
    return text or type(fault).__name__
