"""How good forecasts are: beside the seasonal naive one, in units of its error, and whether their bands hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.tasks.forecast.calibrating import score as how_far
from snowroll.tasks.forecast.training import array_of

WORDS = {
    "skill": "1 less the error over that of repeating the last season: 1 is perfect, 0 no better, below 0 worse",
    "mase": "mean absolute error, in units of the seasonal naive's error in training (Hyndman & Koehler 2006)",
    "rmsse": "root of the mean squared error, in the same units",
    "smape": "symmetric mean absolute percentage error, as a share: 0 is perfect, 2 the worst",
    "mae": "mean absolute error, in units of the data",
    "rmse": "root of the mean squared error, in units of the data",
    "coverage": "how often the truth lies within the band, which means to hold it in 0.8 of the cases",
    "width": "mean width of the band, in units of the seasonal naive's error",
    "false alarms": "of the values that nobody labelled as odd, how many lie outside the fences",
    "alarm recall": "of the labelled anomalies, how many lie outside the fences",
    "alarm precision": "of what lies outside the fences, how much is labelled",
    "alarm AUROC": "how well the distance from the forecast tells labelled anomalies from the rest; 0.5 is chance",
}


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Of each window [n]: sums over what is known."""

    far: np.ndarray  # [n, H, targets] forecast less truth, NaN where it is not known
    scale: np.ndarray  # [n, targets]
    usual: np.ndarray  # [n] scaled error of the seasonal naive; NaN: not told
    truth: np.ndarray  # [n, H, targets]
    inside: np.ndarray  # [n, H, targets] 1, 0 or NaN
    wide: np.ndarray  # [n, H, targets] scaled
    beyond: np.ndarray  # [n, H] the worst target's distance, in fences; NaN: no fences, or nothing known
    odd: np.ndarray  # [n, H] 1 where labelled as odd, 0 where not, -1 where nobody said


def errors(predictions: Sequence[Prediction], targets: Sequence[Json]) -> Errors:
    """Predictions beside the truth. A target in a prediction's place is a forecast without a band."""
    n = len(targets)
    horizon = max((len(target["follows"]) for target in targets), default=1)
    wide = max((len(target["follows"][0]) for target in targets), default=1)
    truth, said, low, high, fence_low, fence_high = np.full((6, n, horizon, wide), np.nan)
    scale, usual = np.ones((n, wide)), np.full(n, np.nan)
    odd = np.full((n, horizon), -1, np.int8)
    for row, (target, one) in enumerate(zip(targets, predictions, strict=True)):
        _put(truth[row], target["follows"])
        value = one.value
        _put(said[row], value["follows"])
        _put(low[row], value.get("low", value["follows"]))
        _put(high[row], value.get("high", value["follows"]))
        if "fence_low" in value:
            _put(fence_low[row], value["fence_low"])
            _put(fence_high[row], value["fence_high"])
        if "scale" in target:
            scale[row] = target["scale"]
            usual[row] = target["usual"]
        else:  # a person told what followed: its own spread is the unit
            scale[row] = np.maximum(np.nan_to_num(np.nanstd(truth[row], axis=0)), 1e-9)
        marks = (target.get("odd") or [])[:horizon]
        odd[row, : len(marks)] = marks
    known = np.isfinite(truth)
    far = said - truth
    with np.errstate(all="ignore"):
        inside = np.where(known, (truth >= low) & (truth <= high), np.nan)
        each = how_far(truth, said, fence_low, fence_high)
        beyond = np.max(np.where(np.isfinite(each), each, -np.inf), axis=2)
    beyond = np.where(np.isfinite(beyond), beyond, np.nan)
    return Errors(far, scale, usual, truth, inside, (high - low) / scale[:, None], beyond, odd)


def _put(place: np.ndarray, told: Json) -> None:
    values = array_of(told)[: len(place)]
    place[: len(values)] = values


def scaled(found: Errors) -> np.ndarray:
    """[n] mean absolute error in units of the seasonal naive's: MASE of each window."""
    return _mean(np.abs(found.far) / found.scale[:, None])


def _mean(values: np.ndarray) -> np.ndarray:
    """[n] over the other axes, of what is known; 0 where nothing is."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat)
    return np.where(known, flat, 0.0).sum(axis=1) / known.sum(axis=1).clip(min=1)


def scorer(
    predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
) -> Callable[[np.ndarray | None], dict[str, float]]:
    """A function of counts [n] to metrics, the skill first; every window counts alike."""
    found = errors(predictions, targets)
    n = len(targets)
    mase, usual = scaled(found), found.usual
    judged = np.isfinite(usual)
    squares = _mean((found.far / found.scale[:, None]) ** 2)
    said = found.truth + found.far
    with np.errstate(all="ignore"):
        shares = 2 * np.abs(found.far) / np.maximum(np.abs(said) + np.abs(found.truth), 1e-12)
    smape, covered, width = _mean(shares), _mean(found.inside), _mean(found.wide)
    single = found.far.shape[2] == 1 and len({target.get("series") for target in targets}) <= 1
    mae, mse = _mean(np.abs(found.far)), _mean(found.far**2)
    alarms = alarm_scorer(found)

    def score(counts: np.ndarray | None = None) -> dict[str, float]:
        w = np.ones(n) if counts is None else counts
        total = max(float(w.sum()), 1e-12)
        naive = float((w * judged * np.nan_to_num(usual)).sum())
        own = float((w * judged * mase).sum())
        told = {
            "skill": 1 - own / naive if naive > 0 else (1.0 if own == 0 else float("nan")),
            "mase": float((w * mase).sum()) / total,
            "rmsse": float((w * squares).sum() / total) ** 0.5,
            "smape": float((w * smape).sum()) / total,
            "coverage": float((w * covered).sum()) / total,
            "width": float((w * width).sum()) / total,
        }
        if single:
            told |= {"mae": float((w * mae).sum()) / total, "rmse": float((w * mse).sum() / total) ** 0.5}
        return told | alarms(w)

    return score


def alarm_scorer(found: Errors) -> Callable[[np.ndarray], dict[str, float]]:
    """Metrics of alarms, of windows that tell fences; those beside labels only where some step is labelled."""
    told = np.isfinite(found.beyond)
    if not told.any():
        return lambda counts: {}
    out = told & (np.nan_to_num(found.beyond) > 1)
    odd, plain = told & (found.odd == 1), told & (found.odd != 1)
    false, free = (out & plain).sum(axis=1), plain.sum(axis=1)
    hit, there = (out & odd).sum(axis=1), odd.sum(axis=1)
    every = out.sum(axis=1)

    def score(w: np.ndarray) -> dict[str, float]:
        scores = {"false alarms": float((w * false).sum()) / max(float((w * free).sum()), 1e-12)}
        if there.sum():
            scores["alarm recall"] = _share((w * hit).sum(), (w * there).sum())
            scores["alarm precision"] = _share((w * hit).sum(), (w * every).sum())
            scores["alarm AUROC"] = auroc(found.beyond[odd], found.beyond[plain], *_weights(w, odd, plain))
        return scores

    return score


def _weights(w: np.ndarray, odd: np.ndarray, plain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    each = np.broadcast_to(np.asarray(w, np.float64)[:, None], odd.shape)
    return each[odd], each[plain]


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def auroc(odd: np.ndarray, plain: np.ndarray, w_odd: np.ndarray, w_plain: np.ndarray) -> float:
    """The chance that an odd value scores above a plain one, ties half; each counts so many times."""
    if not w_odd.sum() or not w_plain.sum():
        return float("nan")
    order = np.argsort(plain, kind="stable")
    scores, sums = plain[order], np.concatenate([[0.0], np.cumsum(w_plain[order])])
    below = sums[np.searchsorted(scores, odd, "left")]
    upto = sums[np.searchsorted(scores, odd, "right")]
    return float((w_odd * (below + upto) / 2).sum() / (w_odd.sum() * w_plain.sum()))


def credit(predictions: Sequence[Prediction], targets: Sequence[Json]) -> np.ndarray:
    """[n] 1 / (1 + MASE of the window): 1 is perfect, a half as far off as the seasonal naive is in training."""
    return 1 / (1 + scaled(errors(predictions, targets)))
