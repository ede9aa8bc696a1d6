"""Things of one class apart from each other: as the data numbers them, and as an answer's shapes suggest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.prepare.mask_pictures import GROUNDS
from snowroll.prepare.mask_targets import IGNORED, mask_of, numbered_at

ALIKE = 0.5  # intersection over union from which a thing is found
LEAST_PX = 4  # of a thing that was said: fewer are crumbs


def has_instances(target: Json) -> bool:
    """Whether several values of a mask are of one class: then each is a thing."""
    named = [name for name in target["classes"] if name]
    return len(set(named)) < len(named)


def counted(predictions: Sequence[Prediction], targets: Sequence[Json], classes: Sequence[str]) -> np.ndarray:
    """[n, 3] things found, missed and invented in each picture: of the classes whose things are numbered somewhere."""
    kinds = {name for target in targets for name in _numbered_classes(target)}
    rows = np.zeros((len(targets), 3))
    for row, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
        values = mask_of(target)
        numbers = mask_of(prediction.value) if has_instances(prediction.value) else None  # a person's own
        for name in kinds:
            if numbers is not None and numbers.shape == values.shape:
                found = _things(prediction.value, numbers, name)
            else:
                found = parted(numbered_at(prediction.value, classes, values.shape) == classes.index(name))
            rows[row] += _matched(_things(target, values, name), found)
    return rows


def _numbered_classes(target: Json) -> set[str]:
    names = [name for name in target["classes"] if name]
    return {name for name in names if names.count(name) > 1}


def _things(target: Json, values: np.ndarray, name: str) -> np.ndarray:
    """[H, W] the values that are things of this class, counted from 1; 0 elsewhere."""
    mine = np.array([kind == name for kind in target["classes"][:IGNORED]] + [False] * 256)[:256]
    return np.where(mine, np.arange(256) + 1, 0)[values]


def parted(mask: np.ndarray) -> np.ndarray:
    """[H, W] the things that a mask of touching ones seems to hold, as 1, 2, ...: connected parts, cut between the
    middles of round shapes. A middle is a peak of the distance to the edge; a pixel is of the middle whose disc, as
    wide as the peak is deep, it lies in or nearest to.
    """
    from scipy.ndimage import find_objects, gaussian_filter, maximum_filter

    parts, things, n = _labelled(mask), np.zeros(mask.shape, np.int64), 0
    deep = gaussian_filter(_depth(mask), 1.0)
    usual = float(np.median(deep[mask & (deep == maximum_filter(deep, 5))])) if mask.any() else 0.0
    size = max(3, 2 * round(usual) + 1)
    peaks = mask & (deep >= maximum_filter(deep, size) - 1e-9) & (deep > 0.3 * usual)
    for number, place in enumerate(find_objects(parts), 1):
        inside = parts[place] == number
        middles = _middles(peaks[place] & inside, deep[place])
        things[place][inside] = n + 1 + (_nearest_disc(inside, middles) if len(middles) > 1 else 0)
        n += max(1, len(middles))
    return np.where(np.bincount(things.ravel(), minlength=n + 1) >= LEAST_PX, np.arange(n + 1), 0)[things]


def things_png(value: Json) -> bytes:
    """The things of an answer as a grey PNG of 16 bits: 0 where there is none, else the number of the thing, counted
    over all classes but the background. What class it is stands in the answer's mask.
    """
    import io

    from PIL import Image

    mask = mask_of(value)
    numbers = np.zeros(mask.shape, np.int64)
    for name in dict.fromkeys(name for name in value["classes"] if name and name.lower() not in GROUNDS):
        places = [place for place, kind in enumerate(value["classes"]) if kind == name]
        found = parted(np.isin(mask, places))
        kept = np.unique(found[found > 0])  # crumbs are dropped, and leave gaps
        numbers[found > 0] = int(numbers.max(initial=0)) + 1 + np.searchsorted(kept, found[found > 0])
    out = io.BytesIO()
    Image.fromarray(numbers.clip(max=65_535).astype(np.uint16)).save(out, "PNG")
    return out.getvalue()


def _middles(peaks: np.ndarray, deep: np.ndarray) -> np.ndarray:
    """[k, 3] row, column and depth of each peak; one that is a plateau counts once."""
    numbers = _labelled(peaks)
    found = [np.argwhere(numbers == number) for number in range(1, int(numbers.max(initial=0)) + 1)]
    return np.array([[*places.mean(axis=0), deep[tuple(places[0])]] for places in found]).reshape(-1, 3)


def _nearest_disc(inside: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """[n] for each pixel of a part the number of its middle."""
    pixels = np.argwhere(inside)
    best, which = np.full(len(pixels), np.inf), np.zeros(len(pixels), int)
    for number, (row, column, radius) in enumerate(middles):
        away = np.hypot(pixels[:, 0] - row, pixels[:, 1] - column) - radius
        nearer = away < best
        best[nearer], which[nearer] = away[nearer], number
    return which


def _depth(mask: np.ndarray) -> np.ndarray:
    """[H, W] how far each pixel of a thing lies from what is none, the picture's border among it."""
    from scipy.ndimage import distance_transform_edt

    return np.asarray(distance_transform_edt(np.pad(mask, 1)), float)[1:-1, 1:-1]


def _labelled(mask: np.ndarray) -> np.ndarray:
    """[H, W] connected parts as 1, 2, ...; 0 elsewhere."""
    from scipy.ndimage import label

    return np.asarray(label(mask)[0])  # type: ignore[index]


def _matched(there: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(found, missed, invented) of two maps [H, W]: above an overlap of a half no thing can have two partners."""
    width = int(found.max(initial=0)) + 1
    height = int(there.max(initial=0)) + 1
    both = np.bincount((there * width + found).ravel(), minlength=height * width).reshape(height, width)
    of_there, of_found = both.sum(axis=1), both.sum(axis=0)
    overlap = both / np.maximum(1, of_there[:, None] + of_found[None] - both)
    hits = int((overlap[1:, 1:] > ALIKE).sum())
    return np.array([hits, (of_there[1:] > 0).sum() - hits, (of_found[1:] > 0).sum() - hits], float)
