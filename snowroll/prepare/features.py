"""Features of pictures without a network: thumbnails and principal components. Enough to find what is alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_AT_ONCE = 4_000  # pictures whose edges are found together
_FITTED = 20_000  # rows that the components are fitted on; more change them little


def grey(thumbnails: np.ndarray) -> np.ndarray:
    """[n, S, S, 3] uint8 to [n, S, S] float32 luma, 0 to 255 (ITU-R BT.601)."""
    return thumbnails.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def shrink(pictures: np.ndarray, size_px: int) -> np.ndarray:
    """[n, S, S, ...] averaged over blocks to [n, size_px, size_px, ...]; S must be a multiple."""
    n, side = pictures.shape[:2]
    block = side // size_px
    cut = pictures.reshape(n, size_px, block, size_px, block, *pictures.shape[3:])
    return cut.mean(axis=(2, 4), dtype=np.float32)


def colours(thumbnails: np.ndarray) -> np.ndarray:
    """[n, 32, 32, 3] uint8 to [n, 768] float32: 16 x 16 RGB, 0 to 1."""
    return shrink(thumbnails, 16).reshape(len(thumbnails), -1) / 255


def edges(thumbnails: np.ndarray) -> np.ndarray:
    """[n, 512] float32: how strong edges of 8 directions are in each of 8 x 8 cells, beside those round about.

    Histograms of oriented gradients (Dalal and Triggs 2005), without their overlapping blocks.
    """
    found = [_edges(thumbnails[start : start + _AT_ONCE]) for start in range(0, len(thumbnails), _AT_ONCE)]
    return np.concatenate(found) if found else np.zeros((0, 8 * 64), np.float32)


def _edges(thumbnails: np.ndarray) -> np.ndarray:
    light = np.sqrt(grey(thumbnails) / 255)
    n, side, cells, ways = len(light), light.shape[1], 8, 8
    down, across = np.gradient(light, axis=(1, 2))
    angle = np.arctan2(down, across) % np.pi * (ways / np.pi)
    lower = np.floor(angle).astype(int)
    share = angle - lower
    strength = np.hypot(down, across)
    by_way = np.zeros((n, ways, side, side), np.float32)
    rows, y, x = np.ogrid[:n, :side, :side]
    by_way[rows, lower % ways, y, x] += strength * (1 - share)
    by_way[rows, (lower + 1) % ways, y, x] += strength * share
    block = side // cells
    of_cell = by_way.reshape(n, ways, cells, block, cells, block).sum(axis=(3, 5))
    energy = np.pad((of_cell**2).sum(axis=1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = np.mean([energy[:, i : i + cells, j : j + cells] for i in range(3) for j in range(3)], axis=0)
    return (of_cell / np.sqrt(around[:, None] + 0.01)).reshape(n, -1)


def colours_and_edges(thumbnails: np.ndarray) -> np.ndarray:
    """[n, 1280] float32, both with as much say. What a probe of the labels looks at."""
    parts = [part - part.mean(axis=0) for part in (colours(thumbnails), edges(thumbnails))]
    return np.concatenate([part / (np.sqrt((part**2).sum(axis=1).mean()) + 1e-12) for part in parts], axis=1)


def shape(thumbnails: np.ndarray) -> np.ndarray:
    """[n, 64] float32: 8 x 8 grey without its mean and contrast, so that brightness and gain do not count."""
    flat = shrink(grey(thumbnails), 8).reshape(len(thumbnails), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    # 8 grey levels over 64 cells: below that a picture has no shape, only noise to be blown up
    return flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 8.0)


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Principal components: `apply` maps [n, D] to [n, width], most telling direction first."""

    mean: np.ndarray  # [D]
    axes: np.ndarray  # [D, width]
    scale: np.ndarray  # [width] standard deviation along each

    def apply(self, rows: np.ndarray, whiten: bool = False) -> np.ndarray:
        along = (rows - self.mean) @ self.axes
        return along / self.scale if whiten else along


def components(rows: np.ndarray, width: int, seed: int = 0) -> Components:
    """The first `width` components of [n, D] (fewer where the data has fewer)."""
    rows = np.asarray(rows, np.float32)
    if len(rows) > _FITTED:
        rows = rows[np.random.default_rng(seed).choice(len(rows), _FITTED, replace=False)]
    mean = rows.mean(axis=0)
    centred = (rows - mean).astype(np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / max(1, len(rows) - 1))
    order = np.argsort(-values)[:width]
    order = order[values[order] > 1e-10 * max(values.max(), 1e-30)]
    axes = vectors[:, order]
    # a component's sign is arbitrary: fix it, so that two machines agree
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(order))])
    return Components(mean, axes.astype(np.float32), np.sqrt(values[order]).astype(np.float32))
