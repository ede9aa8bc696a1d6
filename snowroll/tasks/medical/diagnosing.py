"""What a diagnosis is worth: at a threshold that finds a stated share of the ill, and at any. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.evaluate.calibration import at_temperature, fit_temperature
from snowroll.evaluate.choices import details as details_of_classes
from snowroll.evaluate.choices import scores_of
from snowroll.evaluate.metrics import scorer as class_scorer
from snowroll.evaluate.ranking import auroc, average_precision, curves

_WELL = re.compile(r"^(no|not|normal|healthy|negative|benign|control|clear|none|without|0|ok|nothing)(?![a-z])", re.I)
_ILL = re.compile(
    r"^(yes|positive|malignant|abnormal|ill|sick|disease[d]?|1|tumou?r|cancer|lesion|case)(?![a-z])", re.I
)
HALF = 0.5  # the threshold until one is chosen
WORDS = {
    "balanced_accuracy": "the mean over classes of the share found, at the threshold",
    "sensitivity": "of the cases of the class that must not be missed, how many are found",
    "specificity": "of all others, how many are passed",
    "auroc": "how often a case has a higher score than another scan, whatever the threshold (0.5: a coin)",
    "average_precision": "area under precision over sensitivity: what a case is worth among many that are none",
}


def positive_of(classes: Sequence[str]) -> str | None:
    """The class that must not be missed: named like an illness, or beside one named like health.

    Of two that say nothing the second; None where there are more.

    >>> positive_of(["no", "yes"]), positive_of(["NORMAL", "PNEUMONIA"]), positive_of(["a", "b", "c"])
    ('yes', 'PNEUMONIA', None)
    """
    ill = [name for name in classes if _ILL.match(name)]
    well = [name for name in classes if _WELL.match(name)]
    if len(classes) == 2:
        if len(well) == 1:
            return next(name for name in classes if name not in well)
        if len(ill) == 1:
            return ill[0]
        return classes[1]
    return ill[0] if len(ill) == 1 else None


def threshold_for(probabilities: np.ndarray, truth: np.ndarray, sensitivity: float) -> float:
    """The highest threshold at which that share of the cases is found, in (0, 1). truth: [n] bool.

    Between the last case found and the next score below it, so that rounding does not lose it.

    >>> round(threshold_for(np.array([0.1, 0.4, 0.6, 0.9]), np.array([False, True, False, True]), 1.0), 2)
    0.25
    """
    cases = np.sort(probabilities[truth])[::-1]
    found = cases[min(len(cases), max(1, int(np.ceil(sensitivity * len(cases) - 1e-9)))) - 1]
    below = probabilities[probabilities < found]
    middle = (found + below.max()) / 2 if len(below) else found / 2
    return float(np.clip(middle, 1e-4, 1 - 1e-4))


def calibration_of(logits: np.ndarray, truth: np.ndarray, ill: np.ndarray, sensitivity: float) -> Json:
    """logits [n, C], truth [n] class numbers, ill [n] bool. A half is the threshold where it can't be chosen."""
    fitted = fit_temperature(logits, truth)
    found: dict[str, Json] = {"temperature": fitted.value, "n": fitted.n, "threshold": HALF, "sensitivity": sensitivity}
    found |= {"cases": int(ill.sum())}
    if ill.any() and not ill.all():
        one = int(truth[ill][0])
        probabilities = at_temperature(logits, fitted.value)[:, one]
        threshold = round(threshold_for(probabilities, ill, sensitivity), 6)
        found |= {"threshold": threshold, "found": int((probabilities[ill] >= threshold).sum())}
    return found


def in_words(calibration: Json, positive: str | None, sensitivity: float, least: int) -> str:
    """From which probability on `positive` is said, and why. least: scans without which there's no calibration."""
    if positive is None:
        return ""
    told, asked = calibration or {}, f"{100 * sensitivity:g} % of '{positive}'"
    begin = f"A scan counts as '{positive}' from a probability of {told.get('threshold', HALF):.3g} on"
    if not told:
        return f"{begin}: fewer than {least} validation scans are too few to choose one that finds {asked}"
    cases, n = told.get("cases"), told["n"]
    if cases in (0, n):
        some = "all" if cases else "none"
        return f"{begin}: of the {n:,} validation scans {some} are '{positive}', so none was chosen"
    if cases is None:  # a model of before these were kept
        return f"{begin}, chosen on {n:,} validation scans to find {asked}"
    reached = f"{told['found']:,} ({100 * told['found'] / cases:.3g} %)"
    return f"{begin}, chosen to find {asked}: of {cases:,} among {n:,} validation scans it found {reached}"


def scorer(
    predictions: Sequence[Prediction], truth: np.ndarray, schema: Mapping[str, Json], positive: str | None
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """Metrics as a function of how often each scan counts, headline first. truth: [n] class numbers."""
    classes = list(schema["classes"])
    probabilities = scores_of(predictions, schema)
    said = np.array([classes.index(p.value) for p in predictions])
    plain = class_scorer(probabilities, truth)
    one = None if positive is None else classes.index(positive)

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(len(truth)) if counts is None else counts.astype(float)
        occurs = [place for place in range(len(classes)) if weight[truth == place].sum() > 0]
        shares = [weight[(truth == place) & (said == place)].sum() / weight[truth == place].sum() for place in occurs]
        told = {"balanced_accuracy": float(np.mean(shares)) if shares else 1.0}
        if one is not None:
            ill = truth == one
            told |= {
                "sensitivity": _share(said == one, ill, weight),
                "specificity": _share(said != one, ~ill, weight),
                "auroc": auroc(probabilities[:, one], ill, weight),
                "average_precision": average_precision(probabilities[:, one], ill, weight),
            }
        rest = plain(counts)
        told["accuracy"] = float(weight[said == truth].sum() / weight.sum())
        return told | {name: rest[name] for name in ("ece", "nll", "brier")}

    return score


def _share(right: np.ndarray, of: np.ndarray, weight: np.ndarray) -> float:
    total = weight[of].sum()
    return float(weight[of & right].sum() / total) if total else 1.0


def details(
    predictions: Sequence[Prediction],
    truth: np.ndarray,
    schema: Mapping[str, Json],
    groups: Sequence[str],
    positive: str | None,
) -> dict[str, Any]:
    """Parts of evaluate.background.Background."""
    from snowroll.evaluate.background import Curve

    names = list(schema["classes"])
    found = {**details_of_classes(predictions, truth, schema, groups), "words": WORDS}
    if positive is not None:
        one = names.index(positive)
        roc, precision = curves(scores_of(predictions, schema)[:, one], truth == one)
        found["words"] = {**WORDS, "sensitivity": f"of the cases of '{positive}', how many are found"}
        found["at_thresholds"] = [
            Curve(f"ROC of '{positive}'", {"sensitivity": roc}, over="1 - specificity"),
            Curve(f"Precision and sensitivity of '{positive}'", {"precision": precision}, over="sensitivity"),
        ]
    return found
