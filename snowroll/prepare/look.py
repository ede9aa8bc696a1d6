"""What one streaming decode pass tells of a picture: small facts of a few kilobytes, so that 100,000 fit in memory.

Runs in limited children, so neither this module nor what it calls loads torch.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare import pictures
from snowroll.prepare.features import TEXTURE, texture

if TYPE_CHECKING:
    from PIL.Image import Image

THUMBNAIL_PX = 32
_DECODED_PX = 256  # JPEGs are decoded no larger than twice this: every byte is still read

_LINE = 6.0  # grey levels by which a straight line of one colour may vary: JPEG blurs what is beside it
_PANEL_PX, _ALIKE = 8, 1.25  # the smallest picture within a picture, and by how much its like may differ in size
_SHEET = 6  # panels, two rows and two columns of them at least, that a thing seen will hardly make

_EXPOSURE = {"sensitivity (ISO)": 0x8827, "exposure time": 0x829A, "aperture": 0x829D, "focal length": 0x920A}
_GREY_BY = 3  # levels that saving again may move the middle grey

_ZEROS = 64  # at the end of a file that are no padding
_ENDS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}  # what the last bytes of a whole file hold


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One picture in brief. Where `reason` is not empty, nothing after it is known."""

    bytes: int
    format: str = ""  # by its first bytes, whatever it is called; "" for none that Snowroll reads
    reason: str = ""  # why it cannot be read; "" where it can
    cure: str = ""  # what to do about that, where whoever read it knows
    cut_off: bool = False  # the file ends before its format says it does
    width: int = 0  # pixels, as stored; see `upright`
    height: int = 0
    mode: str = ""  # PIL's name: L, RGB, CMYK, I;16, P ...
    frames: int = 1
    rotated: bool = False  # EXIF turns it: another reader may see it lying on its side
    turned: bool = False  # ... by a quarter, so that its sides are swapped
    see_through: bool = False  # it has transparency: what is behind it is not in the file
    too_large: bool = False  # refused by the size in its header
    coarseness: float = 0.0  # of a JPEG: mean of its luminance quantisation table, 1 fine to 255 coarse; 0 for others
    made_by: str = ""  # EXIF: maker, model and software
    taken_at: float = 0.0  # EXIF: seconds since 1970 by the camera's clock; 0 where it is not told
    exposure: dict[str, float] = field(default_factory=dict)  # EXIF: see _EXPOSURE, as far as it is told
    brightness: float = 0.0  # mean, 0 to 1
    contrast: float = 0.0  # standard deviation of the pixels, 0 to 0.5
    sharpness: float = 0.0  # Laplacian variance over pixel variance; a uniform blur lowers it
    panels: int = 1  # pictures of one size that lie in it, in rows and columns: a contact sheet, a figure
    padded: float = 0.0  # share of its height, from below, in the even grey that decoders put where nothing came
    drawn: bool = False  # the thumbnail is a drawing of what is no picture: two alike need not be copies
    own: dict[str, float] = field(default_factory=dict)  # numbers that only the task knows: a scan's depth, its spacing
    thumbnail: np.ndarray = field(default_factory=lambda: np.zeros((THUMBNAIL_PX, THUMBNAIL_PX, 3), np.uint8))
    texture: np.ndarray = field(default_factory=lambda: np.zeros(TEXTURE, np.uint8))  # see features.texture

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height as it is seen: what boxes and masks lie on."""
        return (self.height, self.width) if self.turned else (self.width, self.height)


def look_of_no_picture(raw: bytes, format: str, own: dict[str, float], thumbnail: np.ndarray) -> Look:
    """The Look of a text or a row: its figures of pictures are those of all others, so that no check of pictures finds
    anything odd in it.
    """
    return Look(
        len(raw), format, width=1, height=1, mode=format, brightness=0.5, contrast=0.25, sharpness=1.0, drawn=True,
        own=own, thumbnail=thumbnail,
    )  # fmt: skip


def look(raw: bytes, megapixels: float = 100) -> Look:
    """The Look of a file's bytes. Never raises for foreign bytes: what is wrong with them stands in `reason`."""
    if not raw:
        return Look(0, reason="the file is empty", cut_off=True)
    format = pictures.sniff(raw) or ""
    end = _ENDS.get(format)
    zeros = len(raw) - len(raw.rstrip(b"\0"))
    if end is not None and zeros >= _ZEROS and end not in raw[-zeros - 2048 :]:
        return Look(
            len(raw), format, f"its last {zeros:,} bytes are zeros: it was never written to its end", cut_off=True
        )
    # some cameras append a kilobyte or more after the end mark, so look for it in the tail, not at its very end
    cut_off = end is not None and end not in raw[-65536:]
    header: dict[str, Any] = {}
    try:
        rgb = pictures.open_rgb(raw, _DECODED_PX, megapixels, lambda image: header.update(_header(image)))
    except DataError as fault:
        return Look(len(raw), format, fault.what, cut_off=cut_off, too_large=fault.what.startswith("too large"))
    light = rgb @ np.full(3, 1 / 3, np.float32)  # a dot product adds along three numbers several times faster than mean
    step = max(1, min(rgb.shape[:2]) // _DECODED_PX)
    return Look(
        len(raw),
        format,
        cut_off=False,  # it was decoded to its last row: what is missing at the end was not the picture
        **(header or {"width": rgb.shape[1], "height": rgb.shape[0], "mode": "array"}),
        brightness=float(light.mean() / 255),
        contrast=_contrast(rgb),
        sharpness=_sharpness(light[::step, ::step]),
        panels=panels(light),
        padded=_padded(rgb),
        thumbnail=pictures.resize(rgb, THUMBNAIL_PX, "stretch"),
        texture=texture(light),
    )


def _header(image: Image) -> dict[str, Any]:
    """The fields of a Look that the file says of itself."""
    tables = getattr(image, "quantization", None) or {}
    return {
        "width": image.width,
        "height": image.height,
        "mode": image.mode,
        "frames": getattr(image, "n_frames", 1),
        "see_through": image.has_transparency_data,
        "coarseness": float(np.mean(tables[0])) if 0 in tables else 0.0,
        **_origin(image),
    }


def _origin(image: Image) -> dict[str, Any]:
    """How it was held, what made it and when, by its EXIF; nothing where that is damaged: the pixels may be whole."""
    try:
        exif = image.getexif()
        rotated, turned = exif.get(0x0112, 1) not in (0, 1), pictures.swaps_sides(image)
        made_by = " ".join(str(exif.get(tag, "")).strip("\0 ") for tag in (0x010F, 0x0110, 0x0131))
        about = {"made_by": made_by.strip()[:80], "taken_at": _taken_at(exif), "exposure": _exposure(image, exif)}
        return {"rotated": rotated, "turned": turned, **about}
    except Exception:  # PIL raises anything on a damaged directory: struct.error, SyntaxError, TypeError ...
        return {}


def _exposure(image: Image, exif: Any) -> dict[str, float]:
    """How a camera was set, whether it knew where it was, and how fine the file says it is to be printed."""
    settings = exif.get_ifd(0x8769)
    told: dict[str, Any] = {name: settings.get(tag) for name, tag in _EXPOSURE.items()}
    told["resolution in DPI"] = image.info.get("dpi")
    told["place on the earth"] = 1.0 if exif.get_ifd(0x8825) else None
    found: dict[str, float] = {}
    for name, value in told.items():
        with suppress(TypeError, ValueError, ZeroDivisionError, OverflowError):
            number = float(value[0] if isinstance(value, tuple) else value)  # type: ignore[index, arg-type]
            if isfinite(number):
                found[name] = round(number, 6)
    return found


def _taken_at(exif: Any) -> float:
    told = exif.get_ifd(0x8769).get(0x9003) or exif.get(0x0132)  # when it was taken, else when the file was written
    if not told:
        return 0.0
    try:
        return datetime.strptime(str(told).strip("\0 "), "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _padded(rgb: np.ndarray) -> float:
    """A JPEG that ends early is filled with the middle of the scale: 128 in all colours, or a level or two beside."""
    if not np.ptp(rgb[-1]) <= 2 * _GREY_BY or abs(int(rgb[-1, 0, 0]) - 128) > _GREY_BY:
        return 0.0
    rows = np.abs(rgb.astype(np.int16) - 128).max(axis=(1, 2)) <= _GREY_BY
    return float(np.argmin(rows[::-1]) / len(rows)) if not rows.all() else 1.0


def panels(light: np.ndarray) -> int:
    """How many pictures of one size lie in [H, W] grey levels between straight lines of one colour; 1: it is one."""
    edges = [_between_lines(light), _between_lines(light.T)]
    if min(len(cells) for cells, _ in edges) < 2 or abs(edges[0][1] - edges[1][1]) > _LINE:
        return 1
    count = len(edges[0][0]) * len(edges[1][0])
    return count if count >= _SHEET and all(_are_alike(cells) for cells, _ in edges) else 1


def _between_lines(light: np.ndarray) -> tuple[list[int], float]:
    """(heights of what lies between the rows of one colour, that colour); nothing where a gap is higher than they."""
    even, level = light.std(axis=1) < _LINE, light.mean(axis=1)
    if not even.any():
        return [], 0.0
    colour = float(np.median(level[even]))
    is_line = even & (np.abs(level - colour) < _LINE)
    starts = np.flatnonzero(np.diff(is_line, prepend=not is_line[0]))
    runs = np.diff(starts, append=len(is_line))
    cells = runs[~is_line[starts]].tolist()
    gaps = runs[is_line[starts]][1 if is_line[0] else 0 : -1 if is_line[-1] else None]
    return (cells, colour) if cells and len(gaps) and gaps.max() < min(cells) else ([], colour)


def _are_alike(cells: list[int]) -> bool:
    return min(cells) >= _PANEL_PX and max(cells) <= _ALIKE * min(cells)


def _contrast(rgb: np.ndarray) -> float:
    flat = rgb.reshape(-1, 3).astype(np.float32)
    apart = flat - np.full(len(flat), 1 / len(flat), np.float32) @ flat
    return float(np.sqrt(np.einsum("pc,pc->c", apart, apart).max() / len(flat)) / 255)


def _sharpness(grey: np.ndarray) -> float:
    if min(grey.shape) < 3:
        return 0.0
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    return float(laplacian.var() / (grey.var() + 1.0))  # one grey level of noise is no detail
