"""Overlaps of masks. A class that neither is in a picture nor was said there is left out of that picture's mean; one
that was said and is not there, or the reverse, has an overlap of 0. Pixels to be ignored count nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from snowroll.base.nouns import Json, Metric, Prediction
from snowroll.evaluate import overlap
from snowroll.evaluate.interval import share_with_interval
from snowroll.evaluate.metrics import per_class
from snowroll.prepare.mask_targets import IGNORED, numbered, numbered_pairs
from snowroll.tasks.segment_images.instances import counted

EDGE = 0.02  # of the diagonal: how far an edge reaches
EDGES_OF = 200  # pictures, about, whose edges are measured: a second's work for some ten
WORDS = {
    "mIoU": "intersection over union of what was said and what is there, a mean over classes of all pixels together",
    "mDice": "the same with Dice's measure, 2 x both / (said + there)",
    "dice_of_pictures": "Dice picture by picture, over the classes in each",
    "dice_worst": "the twentieth of the pictures with the lowest Dice do no better than this",
    "pixel_accuracy": "of all pixels, how many are said to be what they are",
    "instances_50": "things found over found, missed and invented ones; found: half of both together is common to them",
}
CLASS_WORDS = (
    "HD95, how far edges lie apart, is a mean over those pictures in which a class is and was also said: where it was "
    "missed, or said and is not there, no distance is defined. So it stands beside in how many of the pictures that "
    "hold the class it was measured. IoU, Dice and the edges' IoU count a missed or invented class as 0, and leave out "
    "pictures in which it neither is nor was said."
)


def tables(predictions: Sequence[Prediction], targets: Sequence[Json], classes: Sequence[str]) -> np.ndarray:
    """[n, C, C] pixels of each picture: rows what they are, columns what was said."""
    return overlap.tables(numbered_pairs(predictions, targets, classes), len(classes), IGNORED)


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """Metrics as a function of how often each picture counts, headline first."""
    by_picture = tables(predictions, targets, schema["classes"])
    things = counted(predictions, targets, schema["classes"]) if schema.get("instances") else None
    dice = overlap.mean_known(overlap.shares(by_picture)[1])
    order = np.argsort(dice, kind="stable")

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(len(by_picture)) if counts is None else counts.astype(float)
        table = np.tensordot(weight, by_picture, axes=1)
        iou, of_pixels = overlap.shares(table)
        return {
            "mIoU": float(overlap.mean_known(iou)),
            "mDice": float(overlap.mean_known(of_pixels)),
            "dice_of_pictures": float(dice @ weight / weight.sum()),
            "dice_worst": float(dice[order][np.searchsorted(weight[order].cumsum(), 0.05 * weight.sum())]),
            "pixel_accuracy": float(np.trace(table) / max(1.0, table.sum())),
            **({} if things is None else {"instances_50": _share_found(weight @ things)}),
        }

    return score


def _share_found(things: np.ndarray) -> float:
    """From (found, missed, invented); 1 where there is nothing to be found and nothing was."""
    return float(things[0] / things.sum()) if things.sum() else 1.0


def boundary_px(truth: np.ndarray, said: np.ndarray) -> float | None:
    """The 95th percentile of how far the edges of two masks [H, W] lie from each other, both ways, in pixels (HD95;
    Huttenlocher et al. 1993, with the percentile of Isensee et al. 2021). None where one of them is empty.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    if not truth.any() or not said.any():
        return None
    edges = [mask & ~np.asarray(binary_erosion(mask), bool) for mask in (truth, said)]
    far = [np.asarray(distance_transform_edt(~edge))[other] for edge, other in zip(edges, reversed(edges), strict=True)]
    return float(np.percentile(np.concatenate(far), 95))


def edge_overlap(truth: np.ndarray, said: np.ndarray) -> float | None:
    """Intersection over union of two masks [H, W] as far as they lie within 2 % of the diagonal from their own edges
    (boundary IoU; Cheng et al. 2021, eq. 2). None where both are empty.
    """
    from scipy.ndimage import distance_transform_edt

    if not truth.any() and not said.any():
        return None
    near = max(1.0, EDGE * float(np.hypot(*truth.shape)))
    # the picture's border is no edge: what lies beyond it goes on
    bands = [
        mask & (np.asarray(distance_transform_edt(np.pad(mask, 1, "edge")))[1:-1, 1:-1] <= near)
        for mask in (truth, said)
    ]
    return float((bands[0] & bands[1]).sum() / max(1, (bands[0] | bands[1]).sum()))


def _edges(
    predictions: Sequence[Prediction], targets: Sequence[Json], classes: Sequence[str]
) -> list[tuple[float | None, str, float | None]]:
    """(HD95, in how many of the pictures that hold it, boundary IoU) of each class, means over the pictures in which
    they are defined.
    """
    far: list[list[float]] = [[] for _ in classes]
    held = [0] * len(classes)
    overlap: list[list[float]] = [[] for _ in classes]
    step = max(1, len(targets) // EDGES_OF)
    for p, target in list(zip(predictions, targets, strict=True))[::step]:
        truth, said = numbered(target, classes), numbered(p.value, classes)
        if truth.shape == said.shape:
            said = np.where(truth == IGNORED, IGNORED, said)
            for place in np.union1d(truth[truth != IGNORED], said[said != IGNORED]).tolist():
                held[place] += bool((truth == place).any())
                if (distance := boundary_px(truth == place, said == place)) is not None:
                    far[place].append(distance)
                if (share := edge_overlap(truth == place, said == place)) is not None:
                    overlap[place].append(share)
    return [(_mean(a), f"{len(a):,} of {n:,}", _mean(b)) for a, n, b in zip(far, held, overlap, strict=True)]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def credit(predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]) -> np.ndarray:
    """[n] Dice of each picture, over the classes in it."""
    return overlap.mean_known(overlap.shares(tables(predictions, targets, schema["classes"]))[1])


def details(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json], groups: Sequence[str]
) -> dict[str, Any]:
    """Parts of evaluate.background.Background. Pixels are no samples of their own: intervals are over pictures."""
    names = list(schema["classes"])
    by_picture = tables(predictions, targets, names)
    whole = by_picture.sum(axis=0)
    iou, dice = overlap.shares(whole)
    edges = _edges(predictions, targets, names)
    rows = per_class(whole.astype(np.int64), names)
    for place, row in enumerate(rows):
        row["IoU"] = None if np.isnan(iou[place]) else float(iou[place])
        row["Dice"] = None if np.isnan(dice[place]) else float(dice[place])
        row["HD95 px"], row["measured in"], row["edge IoU"] = edges[place]
    there = by_picture.sum(axis=2)
    recall: dict[str, Metric] = {}
    for place, name in enumerate(names):
        seen = np.flatnonzero(there[:, place])
        if len(seen):
            own = [groups[row] for row in seen.tolist()]
            recall[name] = share_with_interval(by_picture[seen, place, place], there[seen, place], own)
    return {
        "words": WORDS,
        "classes": names,
        "confusion": whole.astype(np.int64).tolist(),
        "per_class": rows,
        "class_words": CLASS_WORDS,
        "recall": recall,
    }
