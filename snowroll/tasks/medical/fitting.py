"""From a scan to what a network takes: numbers of one meaning, voxels of one size, a frame of one shape. No torch.

    intensity   "window": from `low` to `high` (for CT, whose numbers mean the same everywhere); "zscore": each scan by
                the mean and deviation of what is not its darkest value (for MR and pictures); both to [0, 1]
    size        voxels of `spacing` mm, shrunk all alike where the frame is too small; a scan that does not tell its
                spacing fills the frame
    frame       in the middle, black around

deploy/ has no part in this: tasks/medical/deploying.py says it again as a graph, and tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json

UNKNOWN = (0.0, 0.0, 0.0)  # spacing of a scan that does not tell it
REACH = 4.0  # deviations from the mean that are shown by "zscore"

Intensity = Literal["window", "zscore"]
Triple = tuple[float, float, float]
Frame = tuple[int, int, int]


class Span(NamedTuple):
    """Where along one axis of the frame a scan lies."""

    start: int
    size: int


def fitted(
    voxels: np.ndarray, spacing: Triple, *, frame: Frame, target: Triple, intensity: Intensity, low: float, high: float
) -> np.ndarray:
    """uint8 [C, *frame] of float32 [C, D, H, W]."""
    values = normalised(voxels, intensity, low, high)
    spans = spans_of(voxels.shape[1:], spacing, frame, target)
    for axis, span in enumerate(spans):
        weights = tent(voxels.shape[1 + axis], span.size).astype(np.float32)
        values = np.moveaxis(np.tensordot(weights, values, axes=(1, 1 + axis)), 0, 1 + axis)
    framed = np.zeros((voxels.shape[0], *frame), np.uint8)
    inside = tuple(slice(span.start, span.start + span.size) for span in spans)
    framed[(slice(None), *inside)] = np.floor(values * 255 + 0.5).astype(np.uint8)
    return framed


def encoded(voxels: np.ndarray, spacing: np.ndarray, options: Any) -> np.ndarray:
    """uint8 [*frame, C], as the pack holds scans, by options that have what `fitted` asks for."""
    framed = fitted(
        voxels,
        (float(spacing[0]), float(spacing[1]), float(spacing[2])),
        frame=options.frame,
        target=options.spacing,
        intensity=options.intensity,
        low=options.low,
        high=options.high,
    )
    return np.ascontiguousarray(framed.transpose(1, 2, 3, 0))


def key_of(options: Any) -> Json:
    """The options that decide what `encoded` returns."""
    shown = [options.channels, options.intensity, options.low, options.high]
    return [list(options.frame), list(options.spacing), *shown]


def normalised(voxels: np.ndarray, intensity: Intensity, low: float, high: float) -> np.ndarray:
    """float32 in [0, 1]."""
    if intensity == "window":
        return np.clip((voxels - np.float32(low)) / np.float32(high - low), 0, 1)
    flat = voxels.reshape(len(voxels), -1)
    shown = flat > flat.min(axis=1, keepdims=True)
    n = np.maximum(shown.sum(axis=1), 1)
    mean = (flat.astype(np.float64) * shown).sum(axis=1) / n
    spread = np.sqrt((((flat - mean[:, None]) * shown) ** 2).sum(axis=1) / n)
    scale = 1 / (2 * REACH * np.maximum(spread, 1e-6))
    shape = (-1, 1, 1, 1)
    moved = (voxels - mean.reshape(shape).astype(np.float32)) * scale.reshape(shape).astype(np.float32)
    return np.clip(moved + np.float32(0.5), 0, 1)


def spans_of(shape: Sequence[int], spacing: Triple, frame: Frame, target: Triple) -> list[Span]:
    """Where a scan of this shape and spacing lies in the frame."""
    if min(spacing) > 0 and min(target) > 0:
        wanted = [side * mm / goal for side, mm, goal in zip(shape, spacing, target, strict=True)]
        shrunk = min(1.0, *(room / size for room, size in zip(frame, wanted, strict=True)))
    else:
        wanted = [float(side) for side in shape]
        across = [(room, size) for room, size, side in zip(frame, wanted, shape, strict=True) if side > 1]
        shrunk = min((room / size for room, size in across), default=1.0)
    spans = []
    for room, size in zip(frame, wanted, strict=True):
        count = int(min(room, max(1.0, np.floor(size * shrunk + 0.5))))
        spans.append(Span((room - count) // 2, count))
    return spans


def tent(length: int, out: int) -> np.ndarray:
    """One pass of a linear resize with antialiasing as a matrix, float64 [out, length], rows of sum 1.

    With scale = length / out: output i is the mean of the inputs around (i + 1/2) scale, weights falling to 0 at a
    distance of max(scale, 1). As prepare.pictures.resize_weights, without its fixed point.
    """
    scale = length / out
    centre = (np.arange(out) + 0.5) * scale
    distance = np.abs(np.arange(length) + 0.5 - centre[:, None]) / max(scale, 1.0)
    weights = np.maximum(1.0 - distance, 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


def unfitted(framed: np.ndarray, shape: Sequence[int], spacing: Triple, target: Triple) -> np.ndarray:
    """What lies in the frame [D, H, W] on the scan's own grid, nearest values."""
    frame = (framed.shape[0], framed.shape[1], framed.shape[2])
    places = [
        span.start + np.minimum(((np.arange(side) + 0.5) * span.size / side).astype(np.int64), span.size - 1)
        for side, span in zip(shape, spans_of(shape, spacing, frame, target), strict=True)
    ]
    return framed[np.ix_(*places)]


def fitted_labels(labels: np.ndarray, spacing: Triple, *, frame: Frame, target: Triple, outside: int) -> np.ndarray:
    """uint8 [*frame] of uint8 [D, H, W]: nearest values, `outside` around."""
    framed = np.full(frame, outside, np.uint8)
    spans = spans_of(labels.shape, spacing, frame, target)
    places = [
        np.minimum(((np.arange(span.size) + 0.5) * side / span.size).astype(np.int64), side - 1)
        for side, span in zip(labels.shape, spans, strict=True)
    ]
    framed[tuple(slice(span.start, span.start + span.size) for span in spans)] = labels[np.ix_(*places)]
    return framed


def of_channels(voxels: np.ndarray, channels: int) -> np.ndarray:
    """The scan with as many channels as a network takes: grey repeated, colours averaged. Raises DataError."""
    if len(voxels) == channels:
        return voxels
    if len(voxels) == 1:
        return np.repeat(voxels, channels, axis=0)
    if channels == 1 and len(voxels) == 3:
        return voxels.mean(axis=0, keepdims=True, dtype=np.float32)
    told = f"a scan of {len(voxels)} channels, where the others have {channels}"
    raise DataError(told, cure="leave it out, or give it the same channels")
