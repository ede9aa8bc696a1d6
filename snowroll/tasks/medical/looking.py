"""Scans as people and checks look at them: slices side by side. No torch."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import SnowrollError
from snowroll.prepare.look import THUMBNAIL_PX, Look
from snowroll.prepare.pictures import resize, sniff
from snowroll.tasks.medical.scans import Scan, open_scan

if TYPE_CHECKING:
    from PIL.Image import Image

ENDS = (0.5, 99.5)  # percentiles that are shown as black and white
_LOOKED_AT = 2_000_000  # voxels that percentiles are read from


def look(raw: bytes, megapixels: float) -> Look:
    """See base.task.Task.look. own: depth, channels, spacing, the percentiles, missing slices, burned-in text."""
    if not raw:
        return Look(0, reason="the file is empty", cut_off=True)
    try:
        scan = open_scan(raw, megapixels)
    except SnowrollError as fault:
        return Look(len(raw), reason=fault.what, cure=fault.cure, too_large=fault.what.startswith("too large"))
    low, high = ends(scan.voxels)
    rgb = as_rgb(scan, middle=True)
    channels, depth, height, width = scan.voxels.shape
    grey = rgb.astype(np.float32).mean(axis=2)
    whole = {"depth": depth, "channels": channels, "low": low, "high": high, "is_ct": scan.modality == "CT"}
    notes = {"missing": 0.0, "lying_otherwise": 0.0, "burned_in": 0.0, **scan.notes}
    spacing = dict(zip(("mm_deep", "mm_high", "mm_wide"), scan.spacing, strict=True))
    return Look(
        len(raw),
        sniff(raw) or ("DICOM" if scan.modality else "NIfTI"),
        width=width,
        height=height,
        mode=scan.modality or "array",
        brightness=float(grey.mean() / 255),
        contrast=float(grey.std() / 255),
        sharpness=_sharpness(grey),
        drawn=depth > 1,  # heads are all alike at this size
        own={name: float(value) for name, value in {**whole, **spacing, **notes}.items()},
        thumbnail=_thumbnail(scan),
    )


def ends(voxels: np.ndarray) -> tuple[float, float]:
    """What is shown as black and as white."""
    flat = voxels.ravel()
    flat = flat[:: max(1, flat.size // _LOOKED_AT)]
    low, high = (float(value) for value in np.percentile(flat, ENDS))
    return (low, high) if high > low else (float(flat.min()), float(flat.max()))


def as_rgb(scan: Scan, middle: bool = False) -> np.ndarray:
    """uint8 [h, w, 3]: all slices side by side (`mosaic`), or the one in the middle. Three channels are colours."""
    voxels = scan.voxels[:, scan.voxels.shape[1] // 2][:, None] if middle else scan.voxels
    if len(voxels) == 3 and scan.is_flat and scan.spacing == (0.0, 0.0, 0.0):  # colours of a picture
        return np.clip(voxels[:, 0].transpose(1, 2, 0), 0, 255).astype(np.uint8)
    return _grey(voxels[0], *ends(voxels[:1]))


def as_seen(scan: Scan) -> np.ndarray:
    """As `as_rgb`, for people: by the scan's own window where it has one that shows anything."""
    values = scan.voxels[0]
    if scan.window is None or len(scan.voxels) > 1 or values.max() <= scan.window[0] or values.min() >= scan.window[1]:
        return as_rgb(scan)
    return _grey(values, *scan.window)


def _grey(values: np.ndarray, low: float, high: float) -> np.ndarray:
    grey = np.clip((values - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return np.repeat(mosaic(grey)[..., None], 3, axis=2)


def mosaic(volume: np.ndarray, empty: int = 0) -> np.ndarray:
    """[D, H, W] as slices side by side, row by row, in a square as near as can be: [rows * H, columns * W].

    >>> mosaic(np.arange(6).reshape(3, 1, 2)).tolist()
    [[0, 1, 2, 3], [4, 5, 0, 0]]
    """
    depth, height, width = volume.shape
    columns = columns_of(depth)
    rows = ceil(depth / columns)
    filled = np.full((rows * columns, height, width), empty, volume.dtype)
    filled[:depth] = volume
    return filled.reshape(rows, columns, height, width).transpose(0, 2, 1, 3).reshape(rows * height, columns * width)


def unmosaic(sheet: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """[D, H, W] of its mosaic."""
    depth, height, width = shape
    columns = columns_of(depth)
    rows = ceil(depth / columns)
    return sheet.reshape(rows, height, columns, width).transpose(0, 2, 1, 3).reshape(-1, height, width)[:depth]


def columns_of(depth: int) -> int:
    """Slices in a row of a mosaic."""
    return ceil(sqrt(depth))


def drawn(raw: bytes) -> Image:
    """All slices of a scan, for people."""
    from math import inf

    from PIL import Image

    return Image.fromarray(as_seen(open_scan(raw, inf)))


def shown(image: Any) -> Image:
    """A tensor [C, D, H, W] in [0, 1] as slices side by side; three channels of a flat one are colours."""
    from PIL import Image

    levels = image.detach().float().clamp(0, 1).mul(255).round().byte().cpu().numpy()
    if len(levels) == 3 and levels.shape[1] == 1:
        return Image.fromarray(np.ascontiguousarray(levels[:, 0].transpose(1, 2, 0)))
    return Image.fromarray(np.repeat(mosaic(levels[0])[..., None], 3, axis=2))


def _thumbnail(scan: Scan) -> np.ndarray:
    """A picture itself; of a volume four slices, so that alike scans look alike."""
    if scan.is_flat:
        return resize(as_rgb(scan), THUMBNAIL_PX, "stretch")
    depth = scan.voxels.shape[1]
    four = Scan(scan.voxels[:, [round((depth - 1) * share) for share in (0.2, 0.4, 0.6, 0.8)]], scan.spacing)
    return resize(as_rgb(four), THUMBNAIL_PX, "stretch")


def _sharpness(grey: np.ndarray) -> float:
    """As of a picture: Laplacian variance over pixel variance."""
    if min(grey.shape) < 3:
        return 0.0
    centre = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * centre
    return float(laplacian.var() / (grey.var() + 1.0))
