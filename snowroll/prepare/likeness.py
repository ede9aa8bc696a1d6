"""Whether two pictures are the same picture: find likely partners fast, then lay one over the other and compare.

A copy that was re-encoded, resized, cropped a little or made brighter fits its original after a small shift and
stretch, fine detail included. Two photos of one scene agree in the broad shapes and differ in the detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snowroll.prepare.features import Components, components, grey, shape, shrink

if TYPE_CHECKING:
    from scipy.spatial import KDTree

# Chosen on trashnet, cifar10, gtsrb, brain_mri, magnetic_tile and the digits, by looking at pairs on both sides:
COPY = 0.93  # detail correlation; above it, 14 of 14 drawn cifar10 pairs showed one picture, at 0.90 about 12
ALIKE = 0.85  # same scene, burst or exposure series: worth keeping in one split
_COPY_SMALL = 0.98  # pictures of fewer than 16 pixels a side hold too little detail to be so sure (digits, 8 x 8)
_BROAD = 0.95  # correlation of the whole, below which detail is not worth comparing
_NEARER = 0.10  # a copy leaves at most this share of what the neighbourhood leaves (digits: all alike, no copies)
_ALIKE_NEARER = 0.18
_PARTNERS = 6  # nearest pictures that are tried
_MIRRORED = 3  # likewise, of a picture's mirror image
_CROWD = 20  # the neighbour that says how alike pictures are hereabouts
_REACH_PX = 2.5  # of 32: about an 8 % crop
_TINGE = 0.45  # of their colour that copies may differ by
_GREY = 0.02  # mean chroma below which a picture is grey
_NOISE = 0.05  # variance of detail (grey levels squared): a little above what rounding alone makes
_CHUNK = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Rows a < b that show the same: `copy` the same picture, otherwise the same scene. `detail`: how well they fit."""

    a: np.ndarray  # [p] int
    b: np.ndarray  # [p] int
    detail: np.ndarray  # [p] correlation of fine detail, -1 to 1
    copy: np.ndarray  # [p] bool


def find_pairs(thumbnails: np.ndarray, sides_px: np.ndarray | None = None) -> Pairs:
    """All near-identical pairs among [n, 32, 32, 3] uint8 pictures, mirrored ones too, up to `_PARTNERS` a picture and
    way round. No quadratic pass.

    sides_px [n]: the pictures' own shorter sides, where some may be smaller than their thumbnails.
    """
    n = len(thumbnails)
    if n < 2:
        nothing = np.zeros(0, np.int64)
        return Pairs(nothing, nothing, np.zeros(0), np.zeros(0, bool))
    seen = _Seen.of(thumbnails)
    near = _Neighbours.among(shape(seen.small))
    straight = _fitting(seen, seen, *_unique(near.of(slice(None), 1 + _PARTNERS)[:, 1:]))
    mirrored = seen.mirrored
    turned = _fitting(mirrored, seen, *_unique(near.to(shape(mirrored.small), _MIRRORED)))
    a, b, detail = _once(straight, turned, n)
    usual = _crowd(seen.grey, near, a, b)
    left = 1 - detail
    sides = np.full(n, 32) if sides_px is None else np.asarray(sides_px)
    needed = np.where(np.minimum(sides[a], sides[b]) < 16, _COPY_SMALL, COPY)
    copy = (detail > needed) & (left < _NEARER * usual)
    kept = copy | (left < _ALIKE_NEARER * usual)
    return Pairs(a[kept], b[kept], detail[kept], copy[kept])


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What n pictures are compared by."""

    grey: np.ndarray  # [n, 32, 32] float32
    small: np.ndarray  # [n, 8, 8] the same, broadly
    chroma: np.ndarray  # [n, 8, 8, 3] how far each place is from grey

    @classmethod
    def of(cls, thumbnails: np.ndarray) -> _Seen:
        """thumbnails: [n, 32, 32, 3] uint8."""
        light = grey(thumbnails)
        colours = shrink(thumbnails, 8)
        mean = colours.mean(axis=-1, keepdims=True)
        return cls(light, shrink(light, 8), (colours - mean) / (mean + 16))

    @property
    def mirrored(self) -> _Seen:
        """Views of the same arrays."""
        return _Seen(self.grey[:, :, ::-1], self.small[:, :, ::-1], self.chroma[:, :, ::-1])


def _fitting(firsts: _Seen, seconds: _Seen, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the pairs, row a of `firsts` and row b of `seconds`, those that fit: (a, b, detail)."""
    for is_likely in (_same_colours, _broadly):
        likely = is_likely(firsts, seconds, a, b)
        a, b = a[likely], b[likely]
    whole, detail = _compared(firsts.grey, seconds.grey, a, b)
    fits = (whole > _BROAD) & (detail > ALIKE)
    return a[fits], b[fits], detail[fits]


def _once(
    straight: tuple[np.ndarray, np.ndarray, np.ndarray], turned: tuple[np.ndarray, np.ndarray, np.ndarray], n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each pair once, as it fits better: a symmetric picture fits both ways."""
    a, b, detail = (np.concatenate(both) for both in zip(straight, turned, strict=True))
    order = np.lexsort((-detail, a * n + b))
    _, first = np.unique((a * n + b)[order], return_index=True)
    kept = order[first]
    return a[kept], b[kept], detail[kept]


def compare(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations ([p] of the whole, [p] of the detail) of [p, 32, 32] grey pictures, one laid over the other.

    Both ways round, the worse of the two: a flat picture fits anything. Only one way where that sets them apart.
    """
    whole, detail = np.ones(len(first)), np.ones(len(first))
    for start in range(0, len(first), _CHUNK):
        part = slice(start, start + _CHUNK)
        whole[part], detail[part] = _one_way(first[part], second[part])
        back = start + np.flatnonzero((whole[part] > _BROAD) & (detail[part] > ALIKE))  # the rest are apart already
        if len(back):
            broad, fine = _one_way(second[back], first[back])
            whole[back], detail[back] = np.minimum(whole[back], broad), np.minimum(detail[back], fine)
    return whole, detail


def _compared(firsts: np.ndarray, seconds: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`compare` of rows a of `firsts` and b of `seconds`: of many pairs no more pictures are held than are compared."""
    whole, detail = np.ones(len(a)), np.ones(len(a))
    for start in range(0, len(a), _CHUNK):
        part = slice(start, start + _CHUNK)
        whole[part], detail[part] = compare(firsts[a[part]], seconds[b[part]])
    return whole, detail


def _same_colours(firsts: _Seen, seconds: _Seen, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[p] whether rows a and b are coloured alike, place by place; grey fits any.

    Brighter, paler, compressed again: copies differ by 0.38 of their colour at most (95 % of trashnet and cifar10).
    """
    one, other = firsts.chroma, seconds.chroma
    colour_a, colour_b = (np.abs(chroma).mean(axis=(1, 2, 3)) for chroma in (one, other))
    colour_a, colour_b = colour_a[a], colour_b[b]
    alike = np.minimum(colour_a, colour_b) < _GREY
    for start in range(0, len(a), 4 * _CHUNK):
        part = slice(start, start + 4 * _CHUNK)
        apart = np.abs(one[a[part]] - other[b[part]]).mean(axis=(1, 2, 3))
        alike[part] |= apart < _TINGE * ((colour_a[part] + colour_b[part]) / 2 + _GREY)
    return alike


def _one_way(fixed: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    laid = _register(fixed, moving)
    whole = _correlation(fixed[:, 1:-1, 1:-1], laid[:, 1:-1, 1:-1], 0.0)  # a crop has lost its border
    return whole, _correlation(_detail(fixed), _detail(laid), _NOISE)


def groups(n: int, a: np.ndarray, b: np.ndarray) -> list[list[int]]:
    """Connected rows (two or more) of the pairs, each sorted, in the order of their first row."""
    root = list(range(n))

    def top(row: int) -> int:
        while root[row] != row:
            root[row] = root[root[row]]
            row = root[row]
        return row

    for one, other in zip(a.tolist(), b.tolist(), strict=True):
        low, high = sorted((top(one), top(other)))
        root[high] = low
    found: dict[int, list[int]] = {}
    for row in sorted({*a.tolist(), *b.tolist()}):
        found.setdefault(top(row), []).append(row)
    return list(found.values())


@dataclass(frozen=True, slots=True, eq=False)
class _Neighbours:
    """Which of n shapes are near, by their twelve broadest components."""

    by: Components
    places: np.ndarray  # [n, D]
    tree: KDTree

    @classmethod
    def among(cls, shapes: np.ndarray) -> _Neighbours:
        """shapes: [n, 64]."""
        from scipy.spatial import KDTree

        by = components(shapes, 12)
        places = _places(by, shapes)
        return cls(by, places, KDTree(places, leafsize=64))  # in so many dimensions most small leaves are visited

    def of(self, rows: slice | np.ndarray, k: int) -> np.ndarray:
        """[r, k] the nearest to each of these rows, itself mostly first; fewer where there are fewer."""
        return self._nearest(self.places[rows], k)

    def to(self, shapes: np.ndarray, k: int) -> np.ndarray:
        """[m, k] the nearest to other shapes [m, 64]."""
        return self._nearest(_places(self.by, shapes), k)

    def _nearest(self, asked: np.ndarray, k: int) -> np.ndarray:
        firsts = range(1, min(k, len(self.places)) + 1)  # a list of them: a single one alone would lose its axis
        return np.asarray(self.tree.query(asked, firsts, workers=-1)[1])


def _places(by: Components, shapes: np.ndarray) -> np.ndarray:
    """[n, width + 1]: a constant beside the components, for where all pictures are alike there are none."""
    return np.pad(by.apply(shapes), ((0, 0), (0, 1)))


def _unique(partners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n = len(partners)
    row = np.repeat(np.arange(n), partners.shape[1])
    other = partners.ravel()
    key = np.unique(np.minimum(row, other) * n + np.maximum(row, other))
    a, b = key // n, key % n
    return a[a != b], b[a != b]


def _broadly(firsts: _Seen, seconds: _Seen, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Which pairs agree at 8 x 8 after the best small shift: cheap, and lets all real ones through."""
    kept = np.zeros(len(a), bool)
    for start in range(0, len(a), 4 * _CHUNK):
        part = slice(start, start + 4 * _CHUNK)
        one, other = firsts.small[a[part]], seconds.small[b[part]]
        fitted = np.einsum("npk,nk->np", *_fit(one, other), optimize=True).reshape(one.shape)
        kept[part] = _correlation(one, fitted, 0.0) > 0.9
    return kept


def _crowd(pictures: np.ndarray, near: _Neighbours, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[p] how much detail is left unexplained between a picture of the pair and those a little farther off.

    In a set of pictures that are all alike (digits, X-rays) this is small, and a copy must be nearer still.
    Never below a third of what is usual in the whole set: a burst of thirty copies is its own neighbourhood.
    """
    drawn = np.linspace(0, len(pictures) - 1, min(len(pictures), 300)).astype(int)
    usual = float(np.median(_left(pictures, near, drawn)))
    rows = np.unique(np.concatenate([a, b]))
    local = np.maximum(_left(pictures, near, rows), usual / 3)
    at = dict(zip(rows.tolist(), local.tolist(), strict=True))
    return np.array([min(at[i], at[j]) for i, j in zip(a.tolist(), b.tolist(), strict=True)])


def _left(pictures: np.ndarray, near: _Neighbours, rows: np.ndarray) -> np.ndarray:
    """[r] median over three of the farther neighbours of 1 - detail."""
    if not len(rows):
        return np.zeros(0)
    far = near.of(rows, _CROWD + 1)
    picks = far[:, np.linspace(far.shape[1] // 2, far.shape[1] - 1, 3).astype(int)]
    left = [1 - _compared(pictures, pictures, rows, picks[:, k])[1] for k in range(3)]
    return np.median(left, axis=0)


def _register(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """`moving` laid onto `fixed`, both [p, S, S]: shifted, stretched and turned a little.

    Three Gauss-Newton steps, the first at half size.

    Lucas and Kanade 1981, with gain and offset free as well.
    """
    side = fixed.shape[1]
    shift = np.zeros((len(fixed), 6), np.float32)
    laid = moving
    for step in range(3):
        half = step == 0
        one, other = (shrink(fixed, side // 2), shrink(laid, side // 2)) if half else (fixed, laid)
        _, best = _fit(one, other)
        gain = np.where(np.abs(best[:, :1]) < 0.2, 0.2, best[:, :1])
        shift = (shift + best[:, 2:] / gain * (2 if half else 1)).clip(-_REACH_PX, _REACH_PX)
        laid = _warp(moving, shift)
    worse = _correlation(fixed, laid, 0.0) < _correlation(fixed, moving, 0.0)
    laid[worse] = moving[worse]
    return laid


def _fit(fixed: np.ndarray, moving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of fixed on [moving, 1, dx, x dx, y dx, dy, x dy, y dy]: ([p, S*S, 8], [p, 8] coefficients)."""
    p, side = fixed.shape[:2]
    x = np.linspace(-1, 1, side, dtype=np.float32)
    dy, dx = np.gradient(moving, axis=(1, 2))
    across, down = x[None, None, :], x[None, :, None]
    parts = [moving, np.ones_like(moving), dx, across * dx, down * dx, dy, across * dy, down * dy]
    basis = np.stack(parts, axis=-1).reshape(p, -1, 8)
    gram = np.matmul(basis.transpose(0, 2, 1), basis).astype(np.float64)
    ridge = 1e-6 * np.einsum("nii->n", gram) / 8 + 1e-6
    right = np.matmul(basis.transpose(0, 2, 1), fixed.reshape(p, -1, 1))
    best = np.linalg.solve(gram + ridge[:, None, None] * np.eye(8), right.astype(np.float64))
    return basis, best[..., 0].astype(np.float32)


def _warp(pictures: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Pictures [p, S, S] sampled bilinearly. `shift` [p, 6], pixels: x offset, and its change to the right and lower
    edge; the same of y.
    """
    p, side, _ = pictures.shape
    x = np.linspace(-1, 1, side, dtype=np.float32)
    lie, stand = x[None, None, :], x[None, :, None]
    parts = shift[:, :, None, None]
    places = np.arange(side, dtype=np.float32)
    across = (places[None, None, :] + parts[:, 0] + parts[:, 1] * lie + parts[:, 2] * stand).clip(0, side - 1)
    down = (places[None, :, None] + parts[:, 3] + parts[:, 4] * lie + parts[:, 5] * stand).clip(0, side - 1)
    j, i = np.minimum(across.astype(int), side - 2), np.minimum(down.astype(int), side - 2)
    fx, fy = across - j, down - i
    rows = np.arange(p)[:, None, None]
    upper = pictures[rows, i, j] * (1 - fx) + pictures[rows, i, j + 1] * fx
    lower = pictures[rows, i + 1, j] * (1 - fx) + pictures[rows, i + 1, j + 1] * fx
    return (upper * (1 - fy) + lower * fy).astype(np.float32)


def _detail(pictures: np.ndarray) -> np.ndarray:
    """The middle band of spatial frequencies: noise and compression lie above it, light and shade below."""
    fine = _blur(pictures)
    return (fine - _blur(_blur(fine)))[:, 2:-2, 2:-2]


def _blur(pictures: np.ndarray) -> np.ndarray:
    """Binomial blur over five pixels, both ways."""
    side = pictures.shape[1]
    for axis in (1, 2):
        edges = [(0, 0), (2, 2), (0, 0)] if axis == 1 else [(0, 0), (0, 0), (2, 2)]
        padded = np.pad(pictures, edges, mode="edge")
        cuts = [padded[:, k : k + side] if axis == 1 else padded[:, :, k : k + side] for k in range(5)]
        pictures = (cuts[0] + cuts[4] + 4 * (cuts[1] + cuts[3]) + 6 * cuts[2]) / 16
    return pictures


def _correlation(one: np.ndarray, other: np.ndarray, noise: float) -> np.ndarray:
    """[p] normalised correlation. `noise` (variance) pulls the correlation of flat pictures towards 0."""
    one, other = one.reshape(len(one), -1), other.reshape(len(other), -1)
    one, other = one - one.mean(axis=1, keepdims=True), other - other.mean(axis=1, keepdims=True)
    floor = one.shape[1] * noise + 1e-3
    both = np.einsum("np,np->n", one, other)
    return both / np.sqrt((np.einsum("np,np->n", one, one) + floor) * (np.einsum("np,np->n", other, other) + floor))
