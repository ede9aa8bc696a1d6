"""Overlaps of masks of scans. Dice is of each scan over the classes to be found (the ground is none of them); a class
that neither is in a scan nor was said there is left out of that scan's mean, and one of the two alone counts 0. A scan
without anything to be found, where nothing was said, counts 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any

import numpy as np

from snowroll.base.nouns import Json, Metric, Prediction
from snowroll.evaluate import overlap
from snowroll.evaluate.interval import share_with_interval
from snowroll.evaluate.metrics import per_class
from snowroll.prepare.mask_targets import IGNORED, numbered_pairs
from snowroll.tasks.medical.masks.volumes import numbered_volume, shape_of, spacing_of, things

EDGES_OF = 60  # scans, about, whose surfaces are measured
WORDS = {
    "dice": "2 x both / (said + there) of each scan, over the classes that are to be found in it",
    "dice_worst": "the twentieth of the scans with the lowest Dice do no better than this",
    "mDice": "the same of all voxels together, a mean over classes",
    "sensitivity": "of the voxels of things, how many are said to be what they are",
    "precision": "of the voxels said to be a thing, how many are",
    "scans_found": "of the scans with something to be found, in how many any of it was touched (among several classes "
    "those that every scan has, as organs, are no finding)",
    "scans_passed": "of the scans without, in how many nothing of it was said",
}
CLASS_WORDS = (
    "HD95, how far surfaces lie apart, is a mean over those scans in which a class is and was also said: where it was "
    "missed, or said and is not there, no distance is defined. So it stands beside in how many of the scans that hold "
    "the class it was measured. Dice counts a missed or invented class as 0, and leaves out scans in which it neither "
    "is nor was said; a whole scan with nothing to be found, of which nothing was said, counts 1."
)


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """Metrics as a function of how often each scan counts, headline first."""
    classes, sought = list(schema["classes"]), things(schema["classes"])
    by_scan = _tables(predictions, targets, classes)
    dice = overlap.mean_known(overlap.shares(by_scan)[1][:, sought])
    order = np.argsort(dice, kind="stable")
    there, said = (by_scan.sum(axis=axis)[:, sought] for axis in (2, 1))
    both = np.diagonal(by_scan, axis1=1, axis2=2)[:, sought]
    finding = (there == 0).any(axis=0) | (len(sought) == 1)  # what is in every scan is found and passed by anyone
    ill = there[:, finding].any(axis=1)
    touched, quiet = both[:, finding].any(axis=1), ~said[:, finding].any(axis=1)

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(len(by_scan)) if counts is None else counts.astype(float)
        pooled = overlap.shares(np.tensordot(weight, by_scan, axes=1))[1][sought]
        return {
            "dice": float(dice @ weight / weight.sum()),
            "dice_worst": float(dice[order][np.searchsorted(weight[order].cumsum(), 0.05 * weight.sum())]),
            "mDice": float(overlap.mean_known(pooled)),
            "sensitivity": _share(weight @ both.sum(axis=1), weight @ there.sum(axis=1)),
            "precision": _share(weight @ both.sum(axis=1), weight @ said.sum(axis=1)),
            "scans_found": _known(weight @ (touched & ill), weight @ ill),
            "scans_passed": _known(weight @ (quiet & ~ill), weight @ ~ill) if finding.any() else nan,
        }

    return score


def _tables(predictions: Sequence[Prediction], targets: Sequence[Json], classes: Sequence[str]) -> np.ndarray:
    return overlap.tables(numbered_pairs(predictions, targets, classes), len(classes), IGNORED)


def _share(part: float, of: float) -> float:
    return float(part / of) if of else 1.0


def _known(part: float, of: float) -> float:
    """Of no scans no share is known."""
    return float(part / of) if of else nan


def credit(predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]) -> np.ndarray:
    """[n] Dice of each scan."""
    table = _tables(predictions, targets, list(schema["classes"]))
    return overlap.mean_known(overlap.shares(table)[1][:, things(schema["classes"])])


def surface_mm(truth: np.ndarray, said: np.ndarray, spacing: Sequence[float]) -> float | None:
    """The 95th percentile of how far the surfaces of two masks [D, H, W] lie from each other, both ways, in mm (HD95;
    Isensee et al. 2021). In voxels where the spacing is not known; None where one of them is empty.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    if not truth.any() or not said.any():
        return None
    inside = np.argwhere(truth | said)
    low, high = np.maximum(inside.min(axis=0) - 1, 0), inside.max(axis=0) + 2
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    flat = truth.shape[0] == 1
    around = np.ones((1, 3, 3) if flat else (3, 3, 3), bool)
    masks = [mask[box] for mask in (truth, said)]
    edges = [mask & ~np.asarray(binary_erosion(mask, around), bool) for mask in masks]
    sampling = [mm if mm > 0 else 1.0 for mm in spacing]
    far = [
        np.asarray(distance_transform_edt(~edge, sampling=sampling))[other]
        for edge, other in zip(edges, reversed(edges), strict=True)
    ]
    return float(np.percentile(np.concatenate(far), 95))


def details(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json], groups: Sequence[str]
) -> dict[str, Any]:
    """Parts of evaluate.background.Background. Voxels are no samples of their own: intervals are over scans."""
    names = list(schema["classes"])
    by_scan = _tables(predictions, targets, names)
    whole = by_scan.sum(axis=0)
    dice = overlap.shares(by_scan)[1]
    rows = per_class(whole.astype(np.int64), names)
    far = _surfaces(predictions, targets, names)
    recall: dict[str, Metric] = {}
    there = by_scan.sum(axis=2)
    for place, (name, row) in enumerate(zip(names, rows, strict=True)):
        known = dice[~np.isnan(dice[:, place]), place]
        row["Dice"] = float(known.mean()) if len(known) else None
        distances, held = far[place]
        row["HD95 mm"] = float(np.mean(distances)) if distances else None
        row["measured in"] = f"{len(distances):,} of {held:,}" if place in things(names) else None
        seen = np.flatnonzero(there[:, place])
        if len(seen):
            own = [groups[scan] for scan in seen.tolist()]
            recall[name] = share_with_interval(by_scan[seen, place, place], there[seen, place], own)
    table = whole.astype(np.int64).tolist()
    told = {"words": WORDS, "class_words": CLASS_WORDS}
    return {**told, "classes": names, "confusion": table, "per_class": rows, "recall": recall}


def _surfaces(
    predictions: Sequence[Prediction], targets: Sequence[Json], classes: Sequence[str]
) -> list[tuple[list[float], int]]:
    """HD95 of each class to be found, in the scans that have it and were told to; and how many scans have it."""
    far: list[list[float]] = [[] for _ in classes]
    held = [0] * len(classes)
    step = max(1, len(targets) // EDGES_OF)
    for p, target in list(zip(predictions, targets, strict=True))[::step]:
        if shape_of(p.value) != shape_of(target):
            continue
        truth, said = numbered_volume(target, classes), numbered_volume(p.value, classes)
        said = np.where(truth == IGNORED, IGNORED, said)
        for place in things(classes):
            held[place] += bool((truth == place).any())
            distance = surface_mm(truth == place, said == place, spacing_of(target))
            if distance is not None:
                far[place].append(distance)
    return list(zip(far, held, strict=True))
