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
    """(skill of the best of them on the test's windows, which it is)."""
    every = naive_errors(columns, targets, rows["test"], rows["train"], schema)
    best = min(every, key=lambda name: every[name])
    base = every["repeating the last season"]
    words = best if best == "repeating the last season" else f"{best} (the seasonal naive is 0)"
    return (1 - every[best] / base if base > 0 else 0.0), words


def naive_errors(
    columns: Columns, targets: Columns, rows: np.ndarray, learnt: np.ndarray, schema: Mapping[str, Json]
) -> dict[str, float]:
    """Name -> mean absolute error, each target in units of its spread."""
    rows = rows[:: max(1, len(rows) // _MOST)]
    places = [list(schema["columns"]).index(name) for name in schema["targets"]]
    past = np.asarray(columns["past"][rows])[:, :, places].astype(np.float64)
    follows = targets["follows"][rows].astype(np.float64)
    horizon, season = follows.shape[1], int(schema["season"])
    spread = np.nanstd(targets["follows"][learnt], axis=(0, 1)) + 1e-12
    lag = season if past.shape[1] >= season else 1
    steps = np.arange(horizon)
    last = past[:, -1:]
    slope = (past[:, -1:] - past[:, :1]) / max(1, past.shape[1] - 1)
    forecasts = {
        "repeating the last season": past[:, past.shape[1] - lag + steps % lag],
        "repeating the last value": np.repeat(last, horizon, axis=1),
        "going on straight from the first value to the last": last + slope * (steps + 1)[None, :, None],
    }
    if season > 1 and past.shape[1] >= 7 * season:  # days have weeks over them
        week = 7 * season
        forecasts["repeating what stood seven seasons before"] = past[:, past.shape[1] - week + steps % week]
    return {name: float(np.nanmean(np.abs(said - follows) / spread)) for name, said in forecasts.items()}
