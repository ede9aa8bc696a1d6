"""What production is compared with: the locked test set as the champion sees it. Measured once a champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.features import colours
from snowroll.prepare.look import Look
from snowroll.project.judging import packed_of, predict_rows
from snowroll.project.looks import look_at
from snowroll.project.models import load_model
from snowroll.project.opened import Opened, Say


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Columns over the collected part of the locked test set: what production brought is not what it is judged by."""

    features: np.ndarray  # [n, D]
    doubt: np.ndarray  # [n]
    brightness: np.ndarray
    sharpness: np.ndarray


def reference(opened: Opened, say: Say) -> Reference:
    """Looks at the test items, and the champion's doubt of them. Raises DataError where no collected one is left."""
    trained = load_model(opened, None, say)
    packed = packed_of(opened, trained, say)
    items = packed.version.items
    samples = opened.samples([item.sample for item in items])
    rows = [row for row in packed.rows["test"] if samples[items[row].sample].origin == "collected"]
    if not rows:
        cure = "nothing: it is judged again once a champion's locked test set holds files of the folder"
        raise DataError("no collected sample is in the locked test set", where=opened.data, cure=cure)
    own = [samples[items[row].sample] for row in rows]
    looks = look_at(opened, own, say)
    said = predict_rows(opened, trained, packed, np.array(rows))
    seen = [looks[sample.id] for sample in own]
    return Reference(
        features_of(seen),
        np.array([prediction.doubt for prediction in said]),
        np.array([look.brightness for look in seen]),
        np.array([look.sharpness for look in seen]),
    )


def features_of(seen: Sequence[Look]) -> np.ndarray:
    """[n, D] numbers in which pictures that look alike lie close."""
    return colours(np.stack([look.thumbnail for look in seen])) if seen else np.zeros((0, 768), np.float32)
