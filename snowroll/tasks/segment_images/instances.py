"""Things of one class apart from each other: as the data numbers them, and as an answer's shapes suggest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.tasks.segment_images.masks import IGNORED, mask_of, numbered

ALIKE = 0.5  # intersection over union from which a thing is found
LEAST_PX = 4  # of a thing that was said: fewer are crumbs


def has_instances(target: Json) -> bool:
    """Whether several values of a mask are of one class: then each is a thing."""
    named = [name for name in target["classes"] if name]
    return len(set(named)) < len(named)


def counted(predictions: Sequence[Prediction], targets: Sequence[Json], classes: Sequence[str]) -> np.ndarray:
    """[n, 3] things found, missed and invented in each picture: of the classes whose things are numbered somewhere."""
    numbered_ones = {name for target in targets for name in _numbered_classes(target)}
    rows = np.zeros((len(targets), 3))
    for row, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
        said = numbered(prediction.value, classes)
        if said.shape != mask_of(target).shape:
            continue
        for name in numbered_ones:
            there = [thing for kind, thing in _things(target) if kind == name]
            if has_instances(prediction.value):  # a person's answer numbers them itself
                found = [thing for kind, thing in _things(prediction.value) if kind == name]
            else:
                found = parted(said == classes.index(name))
            rows[row] += _matched(there, found)
    return rows


def _numbered_classes(target: Json) -> set[str]:
    names = [name for name in target["classes"] if name]
    return {name for name in names if names.count(name) > 1}


def _things(target: Json) -> Iterator[tuple[str, np.ndarray]]:
    """(class, bool [H, W]) of each value that has pixels."""
    values = mask_of(target)
    for value, name in enumerate(target["classes"][:IGNORED]):
        if name and (inside := values == value).any():
            yield name, inside


def parted(mask: np.ndarray) -> list[np.ndarray]:
    """The things that a mask [H, W] of touching ones seems to hold: connected parts, cut between the middles of round
    shapes. A middle is a peak of the distance to the edge; a pixel is of the middle whose disc, as wide as the peak is
    deep, it lies in or nearest to.
    """
    from scipy.ndimage import find_objects, gaussian_filter, maximum_filter

    things = []
    parts = _labelled(mask)
    deep = gaussian_filter(_depth(mask), 1.0)
    usual = float(np.median(deep[mask & (deep == maximum_filter(deep, 5))])) if mask.any() else 0.0
    size = max(3, 2 * round(usual) + 1)
    peaks = mask & (deep >= maximum_filter(deep, size) - 1e-9) & (deep > 0.3 * usual)
    for number, place in enumerate(find_objects(parts), 1):
        inside = parts[place] == number
        middles = _middles(peaks[place] & inside, deep[place])
        which = _nearest_disc(inside, middles) if len(middles) > 1 else np.zeros(int(inside.sum()), int)
        for one in range(max(1, len(middles))):
            thing = np.zeros_like(mask)
            thing[place][inside] = which == one
            if thing.sum() >= LEAST_PX:
                things.append(thing)
    return things


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


def _matched(there: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> np.ndarray:
    """(found, missed, invented): above an overlap of a half no thing can have two partners."""
    hits = 0
    for thing in there:
        for other in found:
            both = (thing & other).sum()
            if both and both / (thing | other).sum() > ALIKE:
                hits += 1
                break
    return np.array([hits, len(there) - hits, len(found) - hits], float)
