"""What must be beaten: the best of a few forecasts that learn nothing (Hyndman & Athanasopoulos, FPP3, 5.2)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns

_MOST = 5_000  # windows that the floors are asked about


def by_repeating(
    columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray], schema: Mapping[str, Json]
) -> tuple[float, str]:
    """(skill of the best of them on the test's windows, which it is). Those that a person told have no skill."""
    base = "repeating the last season" if int(schema["season"]) > 1 else "repeating the last value"
    told = rows["test"][np.isfinite(targets["usual"][rows["test"]])]
    if not len(told):
        return 0.0, base
    every = naive_errors(columns, targets, told, schema)
    best = min(every, key=lambda name: every[name])
    words = best if best == base else f"{best} ({base} is 0)"
    return (1 - every[best] / every[base] if every[base] > 0 else 0.0), words


def naive_errors(columns: Columns, targets: Columns, rows: np.ndarray, schema: Mapping[str, Json]) -> dict[str, float]:
    """Name -> mean absolute error in the units of `scale`, as the headline counts it."""
    rows = rows[:: max(1, len(rows) // _MOST)]
    places = [list(schema["columns"]).index(name) for name in schema["targets"]]
    past = np.asarray(columns["past"][rows])[:, :, places].astype(np.float64)
    follows, scale = (targets[name][rows].astype(np.float64) for name in ("follows", "scale"))
    length, horizon, season = past.shape[1], follows.shape[1], int(schema["season"])
    steps = np.arange(horizon)
    last = past[:, -1:]
    slope = (past[:, -1:] - past[:, :1]) / max(1, length - 1)
    forecasts = {
        "repeating the last value": np.repeat(last, horizon, axis=1),
        "going on straight from the first value to the last": last + slope * (steps + 1)[None, :, None],
    }
    if season > 1 and length >= 7 * season:  # days have weeks over them
        week = 7 * season
        forecasts["repeating what stood seven seasons before"] = past[:, length - week + steps % week]
    # what is looked back on may be shorter than a season: what repeating that loses was found when it was read
    usual = {"repeating the last season": float(targets["usual"][rows].mean())} if season > 1 else {}
    far = {name: np.abs(said - follows) / scale[:, None] for name, said in forecasts.items()}
    return usual | {name: float(np.nanmean(each, axis=(1, 2)).mean()) for name, each in far.items()}
