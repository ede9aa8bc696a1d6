"""How well good and faulty parts are told apart, and where the faults lie."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snowroll.base.nouns import Json, Metric, Prediction
from snowroll.evaluate.interval import mean_with_interval
from snowroll.evaluate.metrics import confusion
from snowroll.evaluate.ranking import area, auroc
from snowroll.tasks.inspect.parts import AT_ONE, FAULTY, GOOD, at_size, faulty, is_faulty, kind_of, map_of, mask_of

LEVELS = 256  # of heat, as a map of 8 bits has them
MEASURED_PX = 128  # longer side at which pixels are judged, of maps that are coarser than that
FALSE_SHARE = 0.3  # PRO is the area up to this share of good pixels told (Bergmann et al. 2021)
WORDS = {
    "balanced_accuracy": "the mean of the two next figures: faults found, and good parts passed",
    "found": "of the faulty parts, how many are told",
    "passed": "of the good parts, how many are not told: the rest are false alarms",
    "auroc": "how often a faulty part has a higher score than a good one, whatever the threshold (0.5: a coin)",
    "pixel_auroc": "the same of pixels, where faults are marked",
    "pro": "of each marked fault, how much is covered, over thresholds at which up to 30 % of good pixels are told",
}


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """Metrics as a function of how often each part counts, headline first. Of kinds that do not occur nothing is asked:
    a test set of good parts alone is judged by how many pass. Pixels are judged where the schema says that faults are
    marked.
    """
    truth, said = faulty(targets), faulty(p.value for p in predictions)
    scores = np.array([_score(p) for p in predictions])
    pixels = Pixels.of(predictions, targets) if schema.get("marked") else None

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(len(truth)) if counts is None else counts.astype(float)
        found, passed = _share(said, truth, weight), _share(~said, ~truth, weight)
        known = [share for share in (found, passed) if share is not None]
        told = {
            "balanced_accuracy": float(np.mean(known)) if known else 1.0,
            "found": 1.0 if found is None else found,
            "passed": 1.0 if passed is None else passed,
            "auroc": auroc(scores, truth, weight),
        }
        return told if pixels is None else {**told, **pixels.score(weight)}

    return score


def _score(prediction: Prediction) -> float:
    """Of a person's answer: sure either way."""
    value = prediction.value
    if isinstance(value, Mapping) and "score" in value:
        return float(value["score"])
    return 2.0 if is_faulty(value) else 0.0


def _share(right: np.ndarray, of: np.ndarray, weight: np.ndarray) -> float | None:
    total = weight[of].sum()
    return float(weight[of & right].sum() / total) if total else None


@dataclass(frozen=True, slots=True)
class Pixels:
    """Histograms of heat over 256 levels: what weighing parts anew needs of their pixels."""

    good: np.ndarray  # [n, 256] pixels of each part that no mark covers
    marked: np.ndarray  # [n, 256] pixels that one does
    regions: np.ndarray  # [r, 256] shares of each marked region
    part: np.ndarray  # [r] the part each region is of

    @staticmethod
    def of(predictions: Sequence[Prediction], targets: Sequence[Json]) -> Pixels:
        """Of good parts, and of those whose faults are marked."""
        good, marked = np.zeros((2, len(targets), LEVELS))
        regions, part = [np.zeros((0, LEVELS))], list[int]()
        for row, (prediction, target) in enumerate(zip(predictions, targets, strict=True)):
            heat, mask = map_of(prediction.value), mask_of(target)
            if heat is None or (mask is None and is_faulty(target)):
                continue
            numbers, level = _in_common(heat, mask)
            n = int(numbers.max(initial=0))
            table = np.bincount((numbers * LEVELS + level).ravel(), minlength=(n + 1) * LEVELS).reshape(n + 1, LEVELS)
            good[row], marked[row] = table[0], table[1:].sum(axis=0)
            regions.append(table[1:] / np.maximum(table[1:].sum(axis=1, keepdims=True), 1))
            part += [row] * n
        return Pixels(good, marked, np.concatenate(regions), np.array(part, np.int64))

    def score(self, weight: np.ndarray) -> dict[str, float]:
        """{"pixel_auroc", "pro"} with each part counting so often. 0.5 and 1 where nothing is marked."""
        good, marked = weight @ self.good, weight @ self.marked
        return {"pixel_auroc": area(marked, good), "pro": pro(weight[self.part] @ self.regions, good)}


def _in_common(heat: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """(numbers of the marked regions, 0 elsewhere; levels of heat), both [h, w] at one size."""
    from scipy.ndimage import label

    shape = heat.shape if mask is None else mask.shape
    scale = min(1.0, MEASURED_PX / max(shape))
    size = (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale)))
    level = np.clip(np.round(at_size(heat, size) * AT_ONE), 0, LEVELS - 1).astype(np.int64)
    inside = np.zeros(size, bool) if mask is None else at_size(mask, size) > 0.5
    return np.asarray(label(inside)[0], dtype=np.int64), level  # type: ignore[index]


def pro(regions: np.ndarray, good: np.ndarray) -> float:
    """Per-region overlap: for each threshold the mean over marked regions of the share that is covered, integrated
    over the share of good pixels told, from 0 to FALSE_SHARE, and divided by it (Bergmann et al. 2021, eq. 3).

    regions: [L] shares of the regions' pixels at each level of heat, summed over regions; good: [L] good pixels.

    >>> round(pro(np.array([0.0, 1.0]), np.array([9.0, 1.0])), 3)
    0.833
    """
    if not regions.sum() or not good.sum():
        return 1.0
    covered = np.append(0.0, regions[::-1].cumsum() / regions.sum())
    told = np.append(0.0, good[::-1].cumsum() / good.sum())
    points = np.unique(np.append(told[told < FALSE_SHARE], [0.0, FALSE_SHARE]))
    first, last = np.interp(points, told, covered), covered[np.searchsorted(told, points, side="right") - 1]
    at = np.where(np.isin(points, told), last, first)  # where several levels tell no more good pixels, the last counts
    return float(np.trapezoid(at, points) / FALSE_SHARE)


def credit(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n] 1 where a good part passed or a faulty one was told."""
    return (faulty(targets) == faulty(p.value for p in predictions)).astype(float)


def details(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json], groups: Sequence[str]
) -> dict[str, Any]:
    """Parts of evaluate.background.Background: what became of parts of each kind."""
    truth, said = faulty(targets), faulty(p.value for p in predictions)
    kinds = np.array([kind_of(target) for target in targets])
    right = (truth == said).astype(float)
    rows, recall = [], dict[str, Metric]()
    for name in schema["classes"]:
        seen = np.flatnonzero(kinds == name)
        if len(seen):
            recall[name] = mean_with_interval(right[seen], [groups[row] for row in seen.tolist()])
            share = float(right[seen].mean())
            rows.append({"class": name, "n": len(seen), "precision": None, "recall": share, "f1": None})
    return {
        "words": WORDS,
        "classes": [GOOD, FAULTY],
        "confusion": confusion(truth.astype(int), said.astype(int), 2).tolist(),
        "per_class": rows,
        "recall": recall,
    }


def in_a_sentence(truth: np.ndarray, said: np.ndarray) -> str:
    """As whoever stands at the line sees it.

    >>> in_a_sentence(np.array([True, True, False, False]), np.array([True, False, False, False]))
    'Finds 50 of 100 faults at 0 false alarms in 1,000 good parts'
    >>> in_a_sentence(np.array([False]), np.array([False]))
    '0 false alarms in 1,000 good parts; how many faults it finds cannot be said: the test set has none'
    """
    alarms = f"{1000 * said[~truth].mean():,.0f} false alarms in 1,000 good parts" if (~truth).any() else ""
    if not truth.any():
        return f"{alarms}; how many faults it finds cannot be said: the test set has none"
    finds = f"Finds {100 * said[truth].mean():.0f} of 100 faults"
    return f"{finds} at {alarms}" if alarms else f"{finds}; the test set has no good part"
