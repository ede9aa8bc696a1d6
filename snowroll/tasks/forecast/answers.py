"""What a forecaster's outputs say to people: a band of what comes, and of what came whether it was to be expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.tasks.forecast.calibrating import score
from snowroll.tasks.forecast.clocks import UNTOLD_MS, spelled

_A_YEAR_MS = 365 * 86_400_000
NAMES = ("follows", "low", "high", "fence_low", "fence_high")


def decode(outputs: Mapping[str, np.ndarray], schema: Mapping[str, Json]) -> list[Prediction]:
    """{"follows", "low", "high", "fence_low", "fence_high"}: [[value of each target] of each step]. In four of five
    cases the truth lies between low and high; outside the fences it is an alarm; null where none were set. Doubt: the
    band's width beside the window's swings."""
    size = outputs["size"]
    wide = (outputs["high"] - outputs["low"]) / np.maximum(size, 1e-12)
    found = []
    for row in range(len(size)):
        value = {name: digits(outputs[name][row]) for name in NAMES}
        far = float(np.mean(np.maximum(wide[row], 0)))
        found.append(Prediction(value, None, far / (far + 2.0) if np.isfinite(far) else 1.0))
    return found


def digits(values: np.ndarray) -> list[list[float | None]]:
    """Seven digits: what float32 holds. None for what is no number."""
    return [[float(f"{v:.7g}") if isfinite(v) else None for v in row] for row in values.tolist()]


def judged(
    said: Sequence[Prediction], inputs: Mapping[str, np.ndarray], schema: Mapping[str, Json]
) -> list[Prediction]:
    """Of windows whose last row is there to be judged: what it is, what was forecast, how far off it is.

    {"time", "value", "forecast", "low", "high", "score", "alarm"}, for one target a number each, for several lists
    and the highest score. Others keep their forecast, with the time of its first step.
    """
    found = []
    for place, one in enumerate(said):
        step, at, row = (int(inputs[name][place]) for name in ("step", "at_ms", "row"))
        is_dated = schema.get("dated") and abs(at) > _A_YEAR_MS  # a live signal begins at nothing
        when: Json = row if at == UNTOLD_MS else spelled(at / 1000) if is_dated else at / 1000
        if not step:
            found.append(Prediction({"from": when, **one.value}, one.probability, one.doubt))
            continue
        came = inputs["came"][place].astype(np.float64)
        middle, low, high, *fence = (np.array(one.value[name][step - 1], np.float64) for name in NAMES)
        far = score(came, middle, *fence)
        known = far[np.isfinite(far)]
        worst = float(known.max()) if len(known) else None
        value = {
            "time": when,
            "value": _plain(came),
            "forecast": _plain(middle),
            "low": _plain(low),
            "high": _plain(high),
            "score": None if worst is None else float(f"{worst:.4g}"),
            "alarm": worst is not None and worst > 1,
        }
        if len(far) > 1 and worst is not None and worst > 1:
            names = list(schema["targets"])
            value["where"] = [names[place] for place in np.flatnonzero(np.nan_to_num(far) > 1)]
        doubt = one.doubt if worst is None else max(one.doubt, worst / (worst + 1))
        found.append(Prediction(value, one.probability, min(1.0, doubt)))
    return found


def _plain(values: np.ndarray) -> Json:
    told = [float(f"{v:.7g}") if np.isfinite(v) else None for v in values.tolist()]
    return told[0] if len(told) == 1 else told


def same(one: Prediction, other: Prediction) -> float:
    """How far two forecasts say the same: their largest difference beside the width of the band there."""
    a, b = (np.array([answer.value[name] for name in NAMES], np.float64) for answer in (one, other))
    if a.shape != b.shape:
        return 0.0
    wide = np.maximum(a[2] - a[1], 1e-4 * np.nanmax(np.abs(a)) + 1e-9)
    far = np.where(np.isnan(a) & np.isnan(b), 0, np.nan_to_num(np.abs(a - b), nan=np.inf))
    return float(np.clip(1 - far.max(axis=0) / wide, 0, 1).min())


def fault_of(target: Json, schema: Mapping[str, Json]) -> str | None:
    """What is wrong with a target, or with a prediction's value; None if nothing is."""
    if not isinstance(target, dict):
        return "a forecast is an object with 'follows': a list of the values of each step"
    if "score" in target and "forecast" in target:
        return None
    rows = target.get("follows")
    if not isinstance(rows, list) or not rows:
        return "a forecast is an object with 'follows': a list of the values of each step"
    wide = len(schema["targets"]) if "targets" in schema else None
    for row in rows:
        if not isinstance(row, list) or (wide is not None and len(row) != wide):
            return f"a step holds a value for each of {wide} targets" if wide else "a step holds a list of values"
        if any(v is not None and (isinstance(v, bool) or not isinstance(v, int | float)) for v in row):
            return "a value is a number, or null where it is not known"
    if "horizon" in schema and len(rows) > int(schema["horizon"]):
        return f"{len(rows)} steps, and {schema['horizon']} are told"
    return None


def words(value: Json) -> str:
    """In one line: the first values and the last.

    >>> words({"follows": [[1.0], [2.5], [3.0], [4.0], [5.25]]})
    '1, 2.5, 3 ... 5.25'
    """
    if "forecast" in value:
        return f"{_short(value['value'])} where {_short(value['forecast'])} was forecast"
    rows = value["follows"]
    told = [_short(row[0] if len(row) == 1 else row) for row in rows[:3]]
    last = f" ... {_short(rows[-1][0] if len(rows[-1]) == 1 else rows[-1])}" if len(rows) > 4 else ""
    return ", ".join(told) + last


def _short(value: Json) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(_short(v) for v in value[:3]) + (", ..." if len(value) > 3 else "") + ")"
    if value is None:
        return "?"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
