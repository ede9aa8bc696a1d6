"""What answers to rows are worth: the metrics of any choice among classes, and how well they rank."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.evaluate.choices import numbers_of, scores_of
from snowroll.evaluate.metrics import IN_WORDS
from snowroll.evaluate.metrics import scorer as of_classes
from snowroll.evaluate.ranking import auroc

MOST_RANKED = 10  # classes, beyond which ranking each against the rest is not told
WORDS = {
    **IN_WORDS,
    "auroc": "how often a row of a class is given more of it than another row, whatever the threshold (0.5: a coin)",
}


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """Metrics as a function of how often each row counts, accuracy first. AUROC is the mean over classes, each against
    the rest; of two classes it is that of either."""
    probabilities, truth = scores_of(predictions, schema), numbers_of(targets, schema)
    plain, classes = of_classes(probabilities, truth), len(schema["classes"])
    if classes > MOST_RANKED:
        return plain
    # ranks by whole numbers: sorted once, not at each of a thousand draws
    ranks = [np.unique(probabilities[:, one].round(9), return_inverse=True)[1] for one in range(classes)]
    asked = range(1, 2) if classes == 2 else range(classes)

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(len(truth)) if counts is None else counts.astype(float)
        occurs = [one for one in asked if 0 < weight[truth == one].sum() < weight.sum()]
        areas = [auroc(ranks[one], truth == one, weight) for one in occurs]
        return {**plain(counts), "auroc": float(np.mean(areas)) if areas else 1.0}

    return score
