"""From the network's places to objects that people read: torch for what is exported, numpy for what is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Prediction
from snowroll.tasks.detect_objects.options import DetectOptions

if TYPE_CHECKING:
    from torch import Tensor

    from snowroll.tasks.detect_objects.boxes import Found

CANDIDATES = 300  # of all places and classes, before boxes suppress each other
LEAST = 0.01  # score below which nothing is kept: average precision looks at all above it
SHOWN = 0.5  # score from which an object is told; `calibrate` moves scores so that this is the best place to cut


def best_objects(found: Found, options: DetectOptions) -> Tensor:
    """[B, K, 6]: left, top, right, bottom in the file's pixels, score, class; surest first. K: options.most, or fewer
    where the network has fewer places. What another box suppressed has a score of 0.
    """
    import torch

    from snowroll.tasks.detect_objects.boxes import out_of_frame, survivors

    places = found.score.shape[2]
    score, at = found.score.sigmoid().flatten(1).topk(min(CANDIDATES, found.score.shape[1] * places), dim=1)
    kind, place = at // places, at % places
    box = found.box.gather(1, place[..., None].expand(-1, -1, 4))
    score = score * survivors(box, score, kind, options.overlap)
    score, first = score.topk(min(options.most, score.shape[1]), dim=1)
    box = out_of_frame(box.gather(1, first[..., None].expand(-1, -1, 4)), found.size, options.frame)
    return torch.cat((box, score[..., None], kind.gather(1, first)[..., None].to(box.dtype)), dim=2)


def read(objects: np.ndarray, schema: Mapping[str, Json]) -> list[Prediction]:
    """objects: [B, K, 6] as `best_objects` gives them. `scores` of a prediction: all objects above LEAST, [N, 6]."""
    classes = schema["classes"]
    if objects.size and objects[..., 5].max() >= len(classes):
        told = f"the model knows class {int(objects[..., 5].max())}, and the schema has {len(classes)} classes"
        raise DataError(told, cure="use the schema the model was trained on")
    return [_prediction(one[one[:, 4] > LEAST], classes) for one in objects]


def _prediction(found: np.ndarray, classes: Sequence[str]) -> Prediction:
    value = [
        {
            "class": classes[int(row[5])],
            "box": [round(float(side), 1) for side in row[:4]],
            "score": round(float(row[4]), 4),
        }
        for row in found
        if row[4] >= SHOWN
    ]
    return Prediction(value, None, doubt(found[:, 4]), found)


def doubt(scores: np.ndarray) -> float:
    """The share of objects that one must expect to be false or missed, of all that are there or told.

    >>> doubt(np.array([])), doubt(np.array([1.0, 1.0])), round(doubt(np.array([0.9, 0.4])), 2)
    (0.0, 0.0, 0.36)
    """
    told = scores[scores >= SHOWN]
    wrong, right = float((1 - told).sum() + scores[scores < SHOWN].sum()), float(told.sum())
    return wrong / (wrong + right) if wrong else 0.0


def same(one: Prediction, other: Prediction) -> float:
    """How far two models say the same of a picture, in [0, 1]: the share of the told objects that the other tells too,
    at nearly the same place; one that is hardly told at all hardly counts.
    """
    from snowroll.tasks.detect_objects.scoring import pairs_of

    mine, theirs = one.value, other.value
    matched = pairs_of(mine, theirs, 0.9)
    of_mine, of_theirs = {a for a, _ in matched}, {b for _, b in matched}
    alone = [row for place, row in enumerate(mine) if place not in of_mine]
    alone += [row for place, row in enumerate(theirs) if place not in of_theirs]
    lost = sum(2 * (float(row.get("score", 1.0)) - SHOWN) for row in alone)
    return 1 - lost / (lost + len(matched)) if lost else 1.0
