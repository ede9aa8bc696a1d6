"""From probabilities to diagnoses. No torch: serving runs this too."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.evaluate.choices import expected
from snowroll.tasks.medical.diagnosing import positive_of


def read(outputs: Mapping[str, np.ndarray], schema: Mapping[str, Json]) -> list[Prediction]:
    """Doubt: how near the probability lies to the threshold, of the way to certainty (0 sure, 1 at the threshold)."""
    probabilities, thresholds = outputs["probabilities"], outputs["threshold"]
    classes = expected(probabilities, schema)
    positive = positive_of(classes)
    found = []
    for row, threshold in zip(probabilities.astype(float), thresholds.astype(float), strict=True):
        if positive is None:
            best = int(row.argmax())
            second = float(np.sort(row)[-2]) if len(row) > 1 else 0.0
            doubt = 1 - (float(row[best]) - second)
        else:
            one = classes.index(positive)
            ill = float(row[one])
            rest = np.where(np.arange(len(row)) == one, -1.0, row)
            best = one if ill >= threshold else int(rest.argmax())
            doubt = 1 - ((ill - threshold) / (1 - threshold) if ill >= threshold else (threshold - ill) / threshold)
        found.append(Prediction(classes[best], float(row[best]), float(np.clip(doubt, 0, 1)), row))
    return found
