"""Average precision as COCO defines it, with a count for each picture, so that one matching serves a thousand draws.

Definitions are pycocotools': objects of one picture are matched from the surest on, each to the free object of its
class that it overlaps most; precision is made to fall with recall and read at 101 recalls; at most 100 objects of a
class and picture count. The tests compare with faster-coco-eval.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snowroll.base.nouns import Json, Metric, Prediction
from snowroll.evaluate.interval import bootstrap, mean_with_interval
from snowroll.tasks.detect_objects.formats.marks import is_of_any

OVERLAPS = np.linspace(0.5, 0.95, 10)
_ANY = -1  # stands for the class of a region that is to be ignored whatever it holds
RECALLS = np.linspace(0, 1, 101)
MOST = 100
_DRAWS = (100, 1000)  # of the intervals of classes: the fewest, the most
_CELLS = 3e9  # over all draws: some ten seconds
NOTHING = "nothing"  # what it was, where the model saw something; what the model said, where it saw nothing
WORDS = {
    "mAP50": "mean over classes of average precision: a box is right if it overlaps the true one by half",
    "mAP": "the same, averaged over overlaps from 0.50 to 0.95 (COCO's own)",
    "mAP75": "the same at an overlap of 0.75: boxes must fit well",
    "precision": "of the objects it told, how many are there",
    "recall": "of the objects that are there, how many it told",
    "f1": "harmonic mean of the two",
}


@dataclass(frozen=True, slots=True)
class OfClass:
    """What was said of one class, surest first, beside what was there."""

    picture: np.ndarray  # [D] which one
    right: np.ndarray  # [T, D] matched to an object, at each overlap
    counts: np.ndarray  # [T, D] False where it was matched to an object to be ignored
    there: np.ndarray  # [n] objects to be found, by picture


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """Metrics as a function of how often each picture counts, headline first."""
    said = [all_said(p, schema["classes"]) for p in predictions]
    truth = [as_arrays(target, schema["classes"]) for target in targets]
    classes = [_of_class(number, said, truth) for number in range(len(schema["classes"]))]
    told = np.array([_told(_objects(p), target) for p, target in zip(predictions, targets, strict=True)]).reshape(-1, 3)

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        weight = np.ones(len(targets)) if counts is None else counts.astype(float)
        by_class = np.array([ap for one in classes if (ap := average_precision(one, weight)) is not None])
        means = by_class.mean(axis=0) if len(by_class) else np.zeros(len(OVERLAPS))
        right, false, missed = weight @ told
        return {
            "mAP50": float(means[0]),
            "mAP": float(means.mean()),
            "mAP75": float(means[5]),
            "precision": _share(right, right + false),
            "recall": _share(right, right + missed),
            "f1": _share(2 * right, 2 * right + false + missed),
        }

    return score


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 1.0


def average_precision(one: OfClass, weight: np.ndarray) -> np.ndarray | None:
    """[T], or None where there is nothing of this class to find."""
    there = float(one.there @ weight)
    if not there:
        return None
    times = weight[one.picture]
    right = np.cumsum(times * (one.right & one.counts), axis=1)
    false = np.cumsum(times * (~one.right & one.counts), axis=1)
    precision = right / np.maximum(right + false, np.finfo(float).eps)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    found = np.empty(len(OVERLAPS))
    for row, recall in enumerate(right / there):
        at = np.searchsorted(recall, RECALLS, side="left")
        found[row] = np.append(precision[row], 0.0)[at].mean()
    return found


def credit(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n] the F1 of what was told of each picture; 1 where nothing is there and nothing was told."""
    found = []
    for p, target in zip(predictions, targets, strict=True):
        right, false, missed = _told(_objects(p), target)
        found.append(_share(2 * right, 2 * right + false + missed))
    return np.array(found)


def _told(value: Sequence[Json], target: Sequence[Json]) -> tuple[int, int, int]:
    """(right, false, missed) objects. What lies in a region to be ignored is neither right nor false."""
    wanted = [row for row in target if not row.get("ignore")]
    left_out = [row for row in target if row.get("ignore")]
    matched = pairs_of(value, wanted, OVERLAPS[0])
    rest = [row for place, row in enumerate(value) if place not in {a for a, _ in matched}]
    excused = sum(_is_covered(row, left_out) for row in rest)
    return len(matched), len(rest) - excused, len(wanted) - len(matched)


def _is_covered(row: Json, regions: Sequence[Json]) -> bool:
    same = [region["box"] for region in regions if region["class"] == row["class"] or is_of_any(region)]
    if not same:
        return False
    return bool(overlaps(np.array([row["box"]], float), np.array(same, float), np.ones(len(same), bool)).max() >= 0.5)


def pairs_of(said: Sequence[Json], there: Sequence[Json], least: float) -> list[tuple[int, int]]:
    """(place in said, place in there) of objects of one class that overlap, each once; the surest choose first."""
    if not said or not there:
        return []
    fits = overlaps(np.array([row["box"] for row in said], float), np.array([row["box"] for row in there], float))
    alike = np.array([[a["class"] == b["class"] for b in there] for a in said])
    return _greedy(np.where(alike, fits, 0.0), [float(row.get("score", 1.0)) for row in said], least)


def _greedy(fits: np.ndarray, scores: Sequence[float], least: float) -> list[tuple[int, int]]:
    fits, pairs = fits.copy(), []
    for place in sorted(range(len(scores)), key=lambda place: -scores[place]):
        best = int(fits[place].argmax())
        if fits[place, best] >= least:
            pairs.append((place, best))
            fits[:, best] = -1.0
    return pairs


def overlaps(one: np.ndarray, other: np.ndarray, is_region: np.ndarray | None = None) -> np.ndarray:
    """[N, M] intersection over union of boxes [N, 4] and [M, 4]; of a region, the share of the box that lies in it."""
    inner = np.minimum(one[:, None, 2:], other[None, :, 2:]) - np.maximum(one[:, None, :2], other[None, :, :2])
    both = inner.clip(min=0).prod(axis=2)
    mine, theirs = ((box[:, 2:] - box[:, :2]).clip(min=0).prod(axis=1) for box in (one, other))
    union = mine[:, None] + theirs[None] - both
    if is_region is not None:
        union = np.where(is_region[None], mine[:, None], union)
    return both / np.maximum(union, 1e-9)


def as_arrays(target: Sequence[Json], classes: Sequence[str]) -> np.ndarray:
    """[N, 6]: left, top, right, bottom, whether to be ignored, class (_ANY: a region for all)."""
    number = {name: place for place, name in enumerate(classes)}
    rows = [
        [*row["box"], float(bool(row.get("ignore"))), _ANY if is_of_any(row) else number[row["class"]]]
        for row in target
    ]
    return np.array(rows, float).reshape(-1, 6)


def all_said(prediction: Prediction, classes: Sequence[str]) -> np.ndarray:
    """[N, 6]: left, top, right, bottom, score, class. The truth, or a person's answer, is sure of what it says."""
    if prediction.scores is not None:
        return np.asarray(prediction.scores, float)
    number = {name: place for place, name in enumerate(classes)}
    rows = [[*row["box"], float(row.get("score", 1.0)), number[row["class"]]] for row in _objects(prediction)]
    return np.array(rows, float).reshape(-1, 6)


def _objects(prediction: Prediction) -> list[Json]:
    """A person's answer keeps the regions that hold whatever: they are no objects."""
    return [row for row in prediction.value if not is_of_any(row)]


def _of_class(number: int, said: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> OfClass:
    picture, score, right, counts = [np.zeros(0, int)], [np.zeros(0)], [], []
    there = np.zeros(len(truth))
    for place, (mine, wanted) in enumerate(zip(said, truth, strict=True)):
        mine, wanted = mine[mine[:, 5] == number], wanted[np.isin(wanted[:, 5], (number, _ANY))]
        there[place] = (wanted[:, 4] == 0).sum()
        mine = mine[np.argsort(-mine[:, 4], kind="stable")][:MOST]
        if len(mine):
            hit, counted = _matched(mine, wanted)
            picture.append(np.full(len(mine), place))
            score.append(mine[:, 4])
            right.append(hit)
            counts.append(counted)
    order = np.argsort(-np.concatenate(score), kind="stable")
    empty = np.zeros((len(OVERLAPS), 0), bool)
    return OfClass(
        np.concatenate(picture)[order],
        np.concatenate([empty, *right], axis=1)[:, order],
        np.concatenate([empty, *counts], axis=1)[:, order],
        there,
    )


def _matched(mine: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(right, counts), each [T, D], of one class in one picture; mine: surest first."""
    right = np.zeros((len(OVERLAPS), len(mine)), bool)
    counts = np.ones_like(right)
    if not len(wanted):
        return right, counts
    wanted = wanted[np.argsort(wanted[:, 4], kind="stable")]  # those to be ignored last
    ignored = wanted[:, 4] > 0
    fits = overlaps(mine[:, :4], wanted[:, :4], ignored)
    for row, least in enumerate(OVERLAPS):
        free = np.ones(len(wanted), bool)
        for place in range(len(mine)):
            open_to = free | ignored  # a region may excuse any number
            for group in (~ignored, ignored):
                fit = np.where(open_to & group, fits[place], -1.0)
                best = len(fit) - 1 - int(fit[::-1].argmax())  # of equals the last, as pycocotools
                if fit[best] >= min(least, 1 - 1e-10):
                    right[row, place], counts[row, place] = True, not ignored[best]
                    free[best] = False
                    break
    return right, counts


def details(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json], groups: Sequence[str]
) -> dict[str, Any]:
    """Parts of evaluate.background.Background: what was taken for what, with a row and a column for nothing."""
    names = list(schema["classes"])
    number = {name: place for place, name in enumerate([*names, NOTHING])}
    table = np.zeros((len(names) + 1, len(names) + 1), int)
    found: dict[str, list[tuple[float, str]]] = {name: [] for name in names}
    for p, target, group in zip(predictions, targets, groups, strict=True):
        wanted = [row for row in target if not row.get("ignore")]
        excused = [row for row in target if row.get("ignore")]
        for was, said in _confusions(_objects(p), wanted):
            if was is None and said is not None and _is_covered(said, excused):
                continue
            names_of = [NOTHING if one is None else one["class"] for one in (was, said)]
            table[number[names_of[0]], number[names_of[1]]] += 1
            if was is not None:
                found[was["class"]].append((float(names_of[0] == names_of[1]), group))
    ap = _of_classes(predictions, targets, names, groups)
    recall: dict[str, Metric] = {}
    for name, rows in found.items():
        if rows:
            recall[name] = mean_with_interval(np.array([hit for hit, _ in rows]), [group for _, group in rows])
    return {
        "words": WORDS,
        "classes": [*names, NOTHING],
        "confusion": table.tolist(),
        "per_class": [_row(table, place, name, ap) for place, name in enumerate(names)],
        "recall": recall,
        "likewise": ap,
    }


def _of_classes(
    predictions: Sequence[Prediction], targets: Sequence[Json], classes: Sequence[str], groups: Sequence[str]
) -> dict[str, dict[str, Metric]]:
    """AP50 and AP of each class that is there, by the draws that give mAP its interval."""
    said, truth = [all_said(p, classes) for p in predictions], [as_arrays(target, classes) for target in targets]
    known = {name: _of_class(place, said, truth) for place, name in enumerate(classes)}

    def score(counts: np.ndarray | None) -> dict[str, float]:
        weight = np.ones(len(targets)) if counts is None else counts.astype(float)
        found: dict[str, float] = {}
        for name, one in known.items():
            if (ap := average_precision(one, weight)) is not None:
                found |= {f"AP50 {name}": float(ap[0]), f"AP {name}": float(ap.mean())}
        return found

    cells = sum(one.right.size for one in known.values()) + len(OVERLAPS) * len(RECALLS) * len(known)
    draws = int(np.clip(_CELLS / max(1, cells), *_DRAWS))
    holding = {name: float((one.there > 0).sum()) for name, one in known.items()}
    trials = {f"{kind} {name}": n for name, n in holding.items() for kind in ("AP50", "AP")}
    told = bootstrap(score, len(targets), groups, draws, trials=trials)
    return {
        kind: {name: told[f"{kind} {name}"] for name in classes if f"{kind} {name}" in told} for kind in ("AP50", "AP")
    }


def _row(table: np.ndarray, place: int, name: str, ap: Mapping[str, Mapping[str, Metric]]) -> dict[str, Json]:
    right, asked, said = (float(x) for x in (table[place, place], table[place].sum(), table[:, place].sum()))
    return {
        "class": name,
        "n": int(asked),
        "precision": right / said if said else None,
        "recall": right / asked if asked else None,
        "f1": 2 * right / (asked + said) if asked + said else None,
        **{kind: metric.value if (metric := ap[kind].get(name)) else None for kind in ("AP50", "AP")},
    }


def _confusions(value: Sequence[Json], wanted: Sequence[Json]) -> list[tuple[Json | None, Json | None]]:
    """(what was there, what was told) of every object: first those of one class, then any that lie at one place."""
    pairs = pairs_of(value, wanted, OVERLAPS[0])
    said = [row for place, row in enumerate(value) if place not in {a for a, _ in pairs}]
    there = [row for place, row in enumerate(wanted) if place not in {b for _, b in pairs}]
    found: list[tuple[Json | None, Json | None]] = [(wanted[b], value[a]) for a, b in pairs]
    whatever = pairs_of([{**row, "class": ""} for row in said], [{**row, "class": ""} for row in there], OVERLAPS[0])
    found += [(there[b], said[a]) for a, b in whatever]
    found += [(None, row) for place, row in enumerate(said) if place not in {a for a, _ in whatever}]
    found += [(row, None) for place, row in enumerate(there) if place not in {b for _, b in whatever}]
    return found
