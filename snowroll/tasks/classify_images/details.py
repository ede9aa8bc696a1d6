"""What the report shows of a classifier beside its scores: confusion, classes one by one, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.evaluate.calibration import reliability
from snowroll.evaluate.metrics import class_recall, confusion, per_class


def details(
    predictions: Sequence[Prediction], truth: np.ndarray, schema: Mapping[str, Json], groups: Sequence[str]
) -> dict[str, Any]:
    """Parts of evaluate.report.Background. truth: [n] class numbers."""
    names = schema["classes"]
    probabilities = np.stack([p.scores for p in predictions])
    guess = probabilities.argmax(axis=1)
    table = confusion(truth, guess, len(names))
    return {
        "classes": names,
        "confusion": table.tolist(),
        "per_class": per_class(table, names),
        "recall": class_recall(truth, guess, names, groups),
        "bins": reliability(probabilities.max(axis=1), (guess == truth).astype(float)),
    }
