"""What is no content must tell neither the label nor the split: size, compression, camera, time.

A network finds such a shortcut before it finds the content, scores well on data taken the same way, and fails on all
other. No picture is looked at here: only what the files say of themselves, and for shifts between splits how light
and sharp they are as well, and which way up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.features import grey, shrink
from snowroll.prepare.look import THUMBNAIL_PX, Look
from snowroll.prepare.reflections import uprightness
from snowroll.prepare.view import View

if TYPE_CHECKING:
    from sklearn.tree import DecisionTreeClassifier

_FEWEST = 60  # labelled pictures
_FOLDS = 5
_TOLD = 0.3  # of the way from chance to certainty that metadata go before it is told. A guess
_TOLD_OF_ONE = 0.7  # likewise, of one class against the others. A guess
_FEWEST_OF_ONE = 10  # pictures of a class
_CORNER_PX = 6  # of a thumbnail's 32
_LOOKED_AT = 5_000  # pictures that single classes are told apart on
_DAY_S = 86_400.0  # files that were written within one tell when they were copied
_APART = 0.5  # of the way from "alike" to "never overlapping" that a measure differs between splits. A guess
_FAR_Z = 5.0  # standard errors: many measures are tried
_KINDS = 8  # commonest values of a text column; the rest count as one

Columns = dict[str, np.ndarray]  # name -> [n] numbers, or [n, k]


def shortcut_faults(view: View) -> Iterator[Fault]:
    """One Fault where metadata alone predict the label, naming what tells the most."""
    rows = [row for row in view.readable() if view.labels[row] in view.classes]
    names, labels = np.unique([view.labels[row] or "" for row in rows], return_inverse=True)
    if len(rows) < _FEWEST or len(names) < 2:
        return
    columns = {name: values for name, values in _metadata(view, rows).items() if len(np.unique(values)) > 1}
    folds = _folds(view, rows)
    corners = {} if _are_drawn(view, rows) else _corners(view, rows)
    found = _of_all(columns, names, labels, folds) or _of_one({**columns, **corners}, names, labels, folds)
    if found is not None:
        message, told = found
        message = f"{message} of what the {view.kind}s show"
        cure = "find out why the classes differ in it, and make them alike: the same source, size and format for all"
        yield view.fault("shortcut", "warn", [], message, cure, min(1.0, told + 0.4))


def _of_all(columns: Columns, names: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> tuple[str, float] | None:
    """What tells all classes apart, in words, and how far."""
    told = {name: _gain(values, labels, folds) for name, values in columns.items()}
    best = max(told, key=lambda name: round(told[name], 1), default=None)  # of those that tell as much, the plainest
    if best is None or told[best] < _TOLD or _by_chance(columns[best], labels, folds) > told[best] / 3:
        return None
    right = 1 / len(names) + told[best] * (1 - 1 / len(names))
    message = (
        f"{best} alone tells the label: {right:.0%} of each class on average, where a guess gets {1 / len(names):.0%}; "
        "a network may learn that instead"
    )
    return message, told[best]


def _of_one(columns: Columns, names: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> tuple[str, float] | None:
    """What tells one class from all others, in words, and how far."""
    kept = np.random.default_rng(0).permutation(len(labels))[:_LOOKED_AT]
    labels, folds = labels[kept], folds[kept]
    asked = [(name, one) for name in columns for one in range(len(names)) if np.sum(labels == one) >= _FEWEST_OF_ONE]
    asked = [(name, one) for name, one in asked if _gain_at_best(columns[name][kept], labels == one) >= _TOLD_OF_ONE]
    told = {(name, one): _gain(columns[name][kept], labels == one, folds) for name, one in asked}
    best = max(told, key=lambda pair: round(told[pair], 1), default=None)
    if best is None or told[best] < _TOLD_OF_ONE:
        return None
    name, one = best
    if _by_chance(columns[name][kept], labels == one, folds) > told[best] / 3:
        return None
    message = (
        f"{name} alone tells class '{names[one]}' from the others: right for {(1 + told[best]) / 2:.0%} of both; "
        "a network may learn that instead"
    )
    return message, told[best]


def _by_chance(values: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    return _gain(values, np.random.default_rng(0).permutation(labels), folds)


def measures(view: View) -> Columns:
    """What is known of each readable picture besides its content, and how light, sharp and colourful it is."""
    rows = view.readable()
    return {**_metadata(view, rows), **({} if _are_drawn(view, rows) else _appearance(view, rows))}


def shift_faults(view: View, measured: Columns | None = None) -> Iterator[Fault]:
    """One Fault where what is judged on was taken in another way than what is learnt from, naming what differs most.

    measured: what `measures` gave, where it was asked for another split of the same samples.
    """
    rows = view.readable()
    sides = np.array([view.splits[row] or "" for row in rows])
    columns = {**(measured or measures(view))}
    if not _are_drawn(view, rows):
        columns["which way is up"] = uprightness(view.thumbnails(rows), sides == "train")
    labels = np.array([view.labels[row] or "" for row in rows])
    groups = np.array([view.samples[row].group or f"#{row}" for row in rows])
    for split in ("test", "val"):
        if min((sides == split).sum(), (sides == "train").sum()) < 10:
            continue
        found = {name: _apart(values, sides, split, labels, groups) for name, values in columns.items()}
        best = max(found, key=lambda name: found[name])
        if found[best] < _APART:
            continue
        here = [row for row, side in zip(rows, sides, strict=True) if side == split]
        medians = (np.median(columns[best][sides == split]), np.median(columns[best][sides == "train"]))
        message = (
            f"{best} differs between {split} and train ({medians[0]:.3g} against {medians[1]:.3g} in the median): "
            "they were taken in different ways, so the figure is not of what was learnt"
        )
        cure = "judge on data taken as the rest was, or declare the source as a group and split by it"
        yield view.fault("split_shift", "warn", here, message, cure, min(1.0, found[best] + 0.3))
        return


def _are_drawn(view: View, rows: Sequence[int]) -> bool:
    """Whether thumbnails are drawings of what is no picture, whose light and corners say nothing of their own."""
    return any(seen.drawn for row in rows if (seen := view.looks[row]) is not None)


def _metadata(view: View, rows: Sequence[int]) -> Columns:
    looks = [seen for row in rows if (seen := view.looks[row]) is not None]
    if _are_drawn(view, rows):
        return {
            "the number of values": np.array([float(seen.width) for seen in looks]),
            "the number of channels": np.array([float(seen.height) for seen in looks]),
            "the kind or the channels' names": _numbered([seen.mode for seen in looks]),
            "the format": _numbered([seen.format for seen in looks]),
            "the time": _times(view, rows),
        }
    return {
        "the width": np.array([float(seen.width) for seen in looks]),
        "the height": np.array([float(seen.height) for seen in looks]),
        "the aspect ratio": np.array([round(seen.width / max(1, seen.height), 2) for seen in looks]),
        "the JPEG quality": np.array([round(seen.coarseness, 1) for seen in looks]),
        "the mode": _numbered([seen.mode for seen in looks]),
        "the format": _numbered([seen.format for seen in looks]),
        "the camera or program": _numbered([seen.made_by for seen in looks]),
        "the time": _times(view, rows),
        **_exposures(looks),
    }


def _exposures(looks: Sequence[Look]) -> Columns:
    """What EXIF says of the camera's settings, a column each; -1 where it does not say."""
    names = dict.fromkeys(name for seen in looks for name in seen.exposure)
    return {f"the {name}": np.array([seen.exposure.get(name, -1.0) for seen in looks]) for name in names}


def _times(view: View, rows: Sequence[int]) -> np.ndarray:
    """When pictures were taken; else when their files were written, if that was not at one go."""
    known = np.array([view.times[row] for row in rows])
    taken = np.array([seen.taken_at if (seen := view.looks[row]) else 0.0 for row in rows])
    low, high = np.quantile(known, [0.05, 0.95]) if len(known) else (0.0, 0.0)
    return known if known.all() and high - low > _DAY_S else taken


def _corners(view: View, rows: Sequence[int]) -> Columns:
    """Where stamps, marks and dates are: how bright each corner is, how much it varies, and its nine parts."""
    light = grey(view.thumbnails(rows)) / 255
    found: Columns = {}
    for down, part in (("upper", slice(0, _CORNER_PX)), ("lower", slice(-_CORNER_PX, None))):
        for across, place in (("left", slice(0, _CORNER_PX)), ("right", slice(-_CORNER_PX, None))):
            corner = light[:, part, place].reshape(len(rows), -1)
            found[f"the {down} {across} corner's brightness"] = corner.mean(axis=1).round(2)
            found[f"the {down} {across} corner's contrast"] = corner.std(axis=1).round(2)
            found[f"the {down} {across} corner"] = shrink(light[:, part, place], 3).reshape(len(rows), -1)
    return {name: values for name, values in found.items() if len(np.unique(values)) > 1}


def _appearance(view: View, rows: Sequence[int]) -> Columns:
    looks = [seen for row in rows if (seen := view.looks[row]) is not None]
    pixels = view.thumbnails(rows).reshape(len(rows), THUMBNAIL_PX**2, 3)
    tints = pixels.mean(axis=1)
    return {
        "the brightness": np.array([seen.brightness for seen in looks]),
        "the contrast": np.array([seen.contrast for seen in looks]),
        "the sharpness": np.array([seen.sharpness for seen in looks]),
        "the tint (red less blue)": (tints[:, 0] - tints[:, 2]) / 255,
        "the colourfulness": _spread(pixels).mean(axis=1) / 255,
    }


def _spread(pixels: np.ndarray) -> np.ndarray:
    """[..., 3] to [...]: the standard deviation of the three channels."""
    red, green, blue = np.moveaxis(pixels.astype(np.float32), -1, 0)
    mean = (red + green + blue) / 3
    return np.sqrt(((red - mean) ** 2 + (green - mean) ** 2 + (blue - mean) ** 2) / 3)


def _numbered(words: Sequence[str]) -> np.ndarray:
    """The commonest words by rank, the rest as one."""
    names, counts = np.unique(words, return_counts=True)
    rank = {str(names[k]): place for place, k in enumerate(np.argsort(-counts, kind="stable"))}
    return np.array([float(min(rank[word], _KINDS)) for word in words])


def _folds(view: View, rows: Sequence[int]) -> np.ndarray:
    """[n] fold of each row; a group is in one."""
    names = [view.samples[row].group or f"#{row}" for row in rows]
    _, together = np.unique(names, return_inverse=True)
    return np.random.default_rng(0).permutation(np.arange(together.max() + 1) % _FOLDS)[together]


def _gain(values: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> float:
    """How far from chance (0) to certainty (1) a small tree on these values, [n] or [n, k], predicts, out of fold,
    class by class.
    """
    columns = values.reshape(len(values), -1)
    said = np.full(len(labels), -1)
    for fold in np.unique(folds):
        held = folds == fold
        if held.all():
            return 0.0
        said[held] = _tree(columns[~held], labels[~held], len(labels)).predict(columns[held])
    return _beyond_chance(said, labels)


def _gain_at_best(values: np.ndarray, labels: np.ndarray) -> float:
    """The same of a tree that is asked about what it learnt from: one tree instead of one a fold, and hardly less."""
    columns = values.reshape(len(values), -1)
    return _beyond_chance(_tree(columns, labels, len(labels)).predict(columns), labels)


def _tree(columns: np.ndarray, labels: np.ndarray, n: int) -> DecisionTreeClassifier:
    from sklearn.tree import DecisionTreeClassifier

    least = max(3, n // 200)
    tree = DecisionTreeClassifier(max_leaf_nodes=16, min_samples_leaf=least, class_weight="balanced", random_state=0)
    return tree.fit(columns, labels)


def _beyond_chance(said: np.ndarray, labels: np.ndarray) -> float:
    """Recall averaged over the classes, as the share of the way from chance to certainty."""
    present = np.unique(labels)
    right = np.mean([np.mean(said[labels == label] == label) for label in present])
    return float((right - 1 / len(present)) / (1 - 1 / len(present)))


def _apart(values: np.ndarray, sides: np.ndarray, split: str, labels: np.ndarray, groups: np.ndarray) -> float:
    """|2 AUC - 1| between the split and train, class by class, averaged; 0 where chance could do that much.

    Groups count once, by their mean: forty pictures of one machine say no more of a split than one does.
    """
    found, weight, variance = 0.0, 0, 0.0
    names, number = np.unique(labels, return_inverse=True)
    on_both = [np.bincount(number[sides == side], minlength=len(names)) >= 3 for side in (split, "train")]
    for label in names[on_both[0] & on_both[1]]:  # texts are labels too, and hardly any is there twice
        here = _means(values, groups, (labels == label) & (sides == split))
        there = _means(values, groups, (labels == label) & (sides == "train"))
        n, m = len(here), len(there)
        if n < 3 or m < 3:
            continue
        there.sort()
        beaten = (np.searchsorted(there, here, "left") + np.searchsorted(there, here, "right")).mean() / (2 * m)
        found += n * (2 * beaten - 1)
        variance += n**2 * (n + m + 1) / (3 * n * m)  # of 2 AUC - 1 under the hypothesis that the sides are alike
        weight += n
    if not weight:
        return 0.0
    gap, error = abs(found) / weight, variance**0.5 / weight
    return gap if gap > _FAR_Z * error else 0.0


def _means(values: np.ndarray, groups: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The mean of each group's chosen values."""
    if not chosen.any():
        return np.zeros(0)
    _, number = np.unique(groups[chosen], return_inverse=True)
    return np.bincount(number, values[chosen]) / np.bincount(number)
