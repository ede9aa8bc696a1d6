"""Features of pictures without a network: thumbnails and principal components. Enough to find what is alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_GRAIN_PX = 128  # pictures are made about so large before their texture is described
_SCALES = (1, 2, 4)
_BINS = 59  # the uniform patterns, and one for all others
TEXTURE = len(_SCALES) * _BINS
_AT_ONCE = 4_000  # pictures that are taken together
_FITTED = 20_000  # rows that the components are fitted on; more change them little


def grey(thumbnails: np.ndarray) -> np.ndarray:
    """[..., 3] uint8 to [...] float32 luma, 0 to 255 (ITU-R BT.601)."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    found = np.empty(thumbnails.shape[:-1], np.float32)
    for start in range(0, len(thumbnails), _AT_ONCE):  # all at once three colours in float32 would stand beside them
        part = slice(start, start + _AT_ONCE)
        found[part] = thumbnails[part].astype(np.float32) @ weights
    return found


def shrink(pictures: np.ndarray, size_px: int) -> np.ndarray:
    """[n, S, S, ...] averaged over blocks to [n, size_px, size_px, ...] float32; S must be a multiple."""
    block = pictures.shape[1] // size_px
    return _block_sums(pictures, block) / np.float32(block**2)


def _block_sums(pictures: np.ndarray, block: int) -> np.ndarray:
    """[n, S, S, ...] to [n, S / block, S / block, ...] float32. One pixel of every block at a time: numpy adds along
    two short axes several times slower.
    """
    total = pictures[:, ::block, ::block].astype(np.float32)
    for pixel in range(1, block**2):
        total += pictures[:, pixel // block :: block, pixel % block :: block]
    return total


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
    of_cell = _block_sums(by_way.reshape(n * ways, side, side), block).reshape(n, ways, cells, cells)
    energy = np.pad((of_cell**2).sum(axis=1), ((0, 0), (1, 1), (1, 1)), mode="edge")
    around = np.mean([energy[:, i : i + cells, j : j + cells] for i in range(3) for j in range(3)], axis=0)
    return (of_cell / np.sqrt(around[:, None] + 0.01)).reshape(n, -1)


def palette(thumbnails: np.ndarray) -> np.ndarray:
    """[n, 288] float32: which hues there are (16 x 16 cells of Cb and Cr) and how bright (32 of luma), wherever they
    are. Roots of shares: distances are then Hellinger's.
    """
    found = [_palette(thumbnails[start : start + _AT_ONCE]) for start in range(0, len(thumbnails), _AT_ONCE)]
    return np.concatenate(found) if found else np.zeros((0, 288), np.float32)


def _palette(thumbnails: np.ndarray) -> np.ndarray:
    pixels = thumbnails.reshape(len(thumbnails), -1, 3)
    luma = grey(pixels)
    blue, red = (pixels[..., 2] - luma) * 0.564, (pixels[..., 0] - luma) * 0.713  # Cb and Cr, around 0
    hues = (128 + blue).astype(np.int32) // 16 * 16 + (128 + red).astype(np.int32) // 16
    counts = [_counts(hues.clip(0, 255), 256), _counts((luma / 8).astype(np.int32).clip(0, 31), 32)]
    return np.sqrt(np.concatenate(counts, axis=1) / luma.shape[1], dtype=np.float32)


def _counts(values: np.ndarray, bins: int) -> np.ndarray:
    """[n, m] numbers below `bins` to [n, bins]: how often each is in its row."""
    rows = np.arange(len(values), dtype=np.int32)[:, None] * bins
    return np.bincount((values + rows).ravel(), minlength=len(values) * bins).reshape(len(values), bins)


def texture(light: np.ndarray) -> np.ndarray:
    """[H, W] grey levels to [177] uint8: how often each pattern of lighter and darker neighbours is, at three scales.

    Uniform local binary patterns (Ojala, Pietikainen and Maenpaa 2002), eight neighbours; roots of shares, times 255.
    What a thumbnail has lost: of what material a thing is.
    """
    light = _reduced(light, max(1, round(max(light.shape) / _GRAIN_PX)))
    return np.concatenate([_patterns(_reduced(light, scale)) for scale in _SCALES])


def _reduced(light: np.ndarray, block: int) -> np.ndarray:
    """Averaged over blocks; what is left over at the lower and right edge is cut off."""
    if block == 1:
        return light
    height, width = (side // block for side in light.shape)
    cut = light[: height * block, : width * block]
    return cut.reshape(height, block, width, block).mean(axis=(1, 3))


def _patterns(light: np.ndarray) -> np.ndarray:
    """[59] uint8; none are counted where there is no neighbour."""
    height, width = light.shape
    if min(height, width) < 3:
        return np.zeros(_BINS, np.uint8)
    centre = light[1:-1, 1:-1] + 1  # a level of noise is no texture
    is_lighter = np.empty((8, *centre.shape), bool)
    for bit, (down, right) in enumerate(((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))):
        np.greater_equal(light[down : height - 2 + down, right : width - 2 + right], centre, out=is_lighter[bit])
    code = np.packbits(is_lighter, axis=0, bitorder="little")
    shares = np.bincount(_UNIFORM, np.bincount(code.ravel(), minlength=256), _BINS) / centre.size
    return np.rint(255 * np.sqrt(shares)).astype(np.uint8)


def _uniform() -> np.ndarray:
    """[256] the bin of each pattern: its own where light and dark change at most twice around it, else the last."""
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    is_uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(is_uniform, np.cumsum(is_uniform) - 1, _BINS - 1)


_UNIFORM = _uniform()


def shape(small: np.ndarray) -> np.ndarray:
    """[n, 8, 8] grey to [n, 64] float32, without its mean and contrast: brightness and gain do not count."""
    flat = small.reshape(len(small), -1)
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
