"""From a window to what a network takes: the last rows of the known columns, without gaps. No torch."""

from __future__ import annotations

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.tasks.forecast.clocks import UNTOLD_MS
from snowroll.tasks.forecast.options import ForecastOptions
from snowroll.tasks.forecast.season import filled
from snowroll.tasks.forecast.windows import Window, open_window

_LEAST = 0.2  # share of the past that must be there, measured, to forecast from


def encoded(raw: bytes, options: ForecastOptions, most_values: float) -> dict[str, np.ndarray]:
    """The columns of the pack.

    past float32 [L, C], before float32 [shift, C]: the rows over it; told float32 [shift, targets]: the last rows of
    both, NaN where they teach nothing; came float32 [targets], step, row, at_ms int64 [1]: the row that is judged, see
    model.Inputs. Raises DataError.
    """
    window = open_window(raw, most_values)
    values = in_order(window, options)
    ahead = (window.after - 1) % options.every + 1 if window.judged else 0
    names = options.columns
    targets = [names.index(name) for name in options.targets] if names else list(range(values.shape[1]))
    came = values[-1, targets] if window.judged else np.zeros(len(targets), np.float32)
    past = fitted(values[: len(values) - ahead], options)
    seconds = window.at
    if seconds is not None and not window.judged:
        seconds += window.step_s
    return {
        "past": past[options.shift :],
        "before": past[: options.shift],
        "told": told_of(window, values[:, targets], options),
        "came": came.astype(np.float32),
        "step": np.array([ahead]),
        "row": np.array([window.after - 1 if window.judged else window.after]),
        "at_ms": np.array([UNTOLD_MS if seconds is None else round(1000 * seconds)]),
    }


def past_of(raw: bytes, options: ForecastOptions, most_values: float) -> np.ndarray:
    """float32 [L, C]: what the exported file takes."""
    return encoded(raw, options, most_values)["past"]


def in_order(window: Window, options: ForecastOptions) -> np.ndarray:
    """float32 [rows, C]: the columns of the model, in its order. Raises DataError where one is missing."""
    columns = options.columns or window.columns
    if len(columns) == 1 and len(window.columns) == 1:
        return window.values
    unnamed = all(name.partition(" ")[0] in ("value", "column", "") for name in window.columns)
    if unnamed and len(window.columns) == len(columns):
        return window.values
    places = []
    for name in columns:
        if name not in window.columns:
            told = f"no column '{name}' among {', '.join(window.columns[:6])}"
            raise DataError(told, cure=f"send all of {', '.join(columns[:8])}")
        places.append(window.columns.index(name))
    return window.values[:, places]


def fitted(values: np.ndarray, options: ForecastOptions) -> np.ndarray:
    """float32 [shift + L, C]: the last rows, gaps closed by the value before them. A shorter past begins with its
    first value. Raises DataError where too little is known."""
    rows = options.shift + options.context
    values = values[-rows:]
    last = values[-options.context :]
    if len(last) < max(2, options.context // 4):
        told = f"{len(last):,} rows to look back on, and the model looks back on {options.context:,}"
        raise DataError(told, cure=f"send {options.context:,} rows, a quarter of them at least")
    known = float(np.isfinite(last).mean())
    if known < _LEAST:
        raise DataError(f"{1 - known:.0%} of the past is missing", cure="send a past that was measured")
    closed = filled(values)
    if len(closed) < rows:
        closed = np.concatenate([np.repeat(closed[:1], rows - len(closed), axis=0), closed])
    return np.ascontiguousarray(closed, np.float32)


def told_of(window: Window, values: np.ndarray, options: ForecastOptions) -> np.ndarray:
    """float32 [shift, targets]: the last rows of a window to learn from; NaN where nothing was measured, or somebody
    labelled an anomaly."""
    told = np.where(np.isfinite(values), values, np.nan)
    told[list(window.odd)] = np.nan
    told = np.concatenate([np.full((options.shift, values.shape[1]), np.nan, np.float32), told])
    return told[len(told) - options.shift :].astype(np.float32)


def key_of(options: ForecastOptions) -> Json:
    """The options that decide what `encoded` returns."""
    return [options.context, options.shift, options.every, list(options.columns), list(options.targets)]
