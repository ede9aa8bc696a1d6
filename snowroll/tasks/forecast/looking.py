"""A window as checks and planning see it: a drawing in which alike windows look alike, and some numbers. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import SnowrollError
from snowroll.prepare.look import THUMBNAIL_PX, Look
from snowroll.tasks.forecast.season import filled
from snowroll.tasks.forecast.windows import open_window

if TYPE_CHECKING:
    from PIL.Image import Image


def look(raw: bytes, megapixels: float) -> Look:
    """See base.task.Task.look. own: level, swings, trend and what is missing, of the first columns."""
    if not raw:
        return Look(0, reason="the file is empty", cut_off=True)
    try:
        window = open_window(raw, megapixels * 1e6)
    except SnowrollError as fault:
        return Look(len(raw), reason=fault.what, too_large=fault.what.startswith("too large"))
    values = window.values
    shown = thumbnail(filled(values))
    own = {"missing": float(np.isnan(values).mean()), "after": float(window.after)}
    for place, name in enumerate(window.columns[:16]):
        column = values[:, place][np.isfinite(values[:, place])].astype(np.float64)
        if len(column) < 2:
            continue
        own[f"level {name}"] = float(np.median(column))
        own[f"swings {name}"] = float(column.std())
        own[f"change {name}"] = float(np.median(np.abs(np.diff(column))))
    hour = 0.0 if window.at is None else (window.at % 86_400) / 3600
    return Look(
        len(raw),
        "window",
        width=len(values),
        height=values.shape[1],
        mode="series",
        taken_at=0.0 if window.at is None or not window.dated else window.at,
        brightness=float(shown.mean() / 255),
        contrast=float(shown.std() / 255),
        drawn=True,
        own={**own, "hour": hour},
        thumbnail=shown,
    )


def thumbnail(values: np.ndarray) -> np.ndarray:
    """uint8 [32, 32, 3]: up to eight columns as lines in strips, each from its lowest value to its highest."""
    columns = values[:, :8]
    edges = np.round(np.linspace(0, THUMBNAIL_PX, columns.shape[1] + 1)).astype(int)
    drawn = np.full((THUMBNAIL_PX, THUMBNAIL_PX), 255, np.uint8)
    for place, (top, stop) in enumerate(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)):
        drawn[top:stop] = line(columns[:, place], THUMBNAIL_PX, stop - top)
    return np.repeat(drawn[..., None], 3, axis=2)


def line(values: np.ndarray, width: int, height: int) -> np.ndarray:
    """uint8 [height, width]: dark where the series passes, column by column; a column joins on to the one before."""
    drawn = np.full((height, width), 255, np.uint8)
    if len(values) < 2:
        return drawn
    low, high = float(values.min()), float(values.max())
    rows = (height - 1) - (values - low) / max(high - low, 1e-12) * (height - 1)
    edges = np.linspace(0, len(rows) - 1, width + 1)
    for column in range(width):
        part = rows[int(edges[column]) : int(np.ceil(edges[column + 1])) + 1]
        drawn[round(float(part.min())) : round(float(part.max())) + 1, column] = 0
    return drawn


def shown(past: Any, follows: Any | None) -> Image:
    """A row of a batch as the network sees it: each column in a strip, what followed behind a line, each on its own."""
    from PIL import Image

    seen = np.nan_to_num(past.detach().float().cpu().numpy())  # [L, C]
    strips = []
    for place in range(min(6, seen.shape[1])):
        strip = line(seen[:, place], 256, 48)
        if follows is not None and place < follows.shape[1]:
            told = np.nan_to_num(follows.detach().float().cpu().numpy()[:, place])
            wide = max(24, round(256 * len(told) / len(seen)))
            strip = np.concatenate([strip, np.full((48, 2), 90, np.uint8), line(told, min(256, wide), 48)], axis=1)
        strips.append(strip)
    widest = max(strip.shape[1] for strip in strips)
    padded = [np.pad(strip, ((0, 2), (0, widest - strip.shape[1])), constant_values=200) for strip in strips]
    return Image.fromarray(np.repeat(np.concatenate(padded)[..., None], 3, axis=2))
