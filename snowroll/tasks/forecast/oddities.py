"""What can be seen to be wrong with a series before anything is learnt: numbers that `check` tells. No torch."""

from __future__ import annotations

import numpy as np

from snowroll.base.nouns import Json
from snowroll.tasks.forecast.recordings import Recording
from snowroll.tasks.forecast.season import filled

FROZEN = 12  # equal values in a row, of a series that hardly ever repeats one
FAR = 12.0  # robust deviations (of the changes from step to step) that a spike lies off
FACTORS = (10.0, 60.0, 100.0, 1000.0, 3600.0, 1.8, 2.54, 1.609, 0.4536)  # between units
COPY = 0.97  # correlation of the changes of two columns, from which on one copies the other
_MOST = 50_000  # values of a column that are looked at: its last


def oddities(one: Recording) -> dict[str, Json]:
    """{"frozen": [[column, first row, rows]], "spikes": [[column, n, first row]], "shifts": [[column, row, factor]],
    "constant": [columns], "missing": {column: share}, "copies": [[column, other, steps later]]}"""
    values = one.values[-_MOST:]
    offset = len(one.values) - len(values)
    found: dict[str, list] = {"frozen": [], "spikes": [], "shifts": [], "constant": []}
    for place, name in enumerate(one.columns[:64]):
        column = values[:, place]
        known = np.isfinite(column)
        if known.sum() < 8:
            continue
        if np.nanmax(column) == np.nanmin(column):
            found["constant"].append(name)
            continue
        if stretch := _frozen(column):
            found["frozen"].append([name, stretch[0] + offset, stretch[1]])
        if spikes := _spikes(column):
            found["spikes"].append([name, len(spikes), spikes[0] + offset])
        if shift := _shift(column):
            found["shifts"].append([name, shift[0] + offset, shift[1]])
    missing = {
        name: round(float(share), 4)
        for name, share in zip(one.columns, np.isnan(values).mean(axis=0), strict=True)
        if share > 0
    }
    return {**found, "missing": missing, "copies": _copies(values, one.columns)}


def _frozen(column: np.ndarray) -> tuple[int, int] | None:
    """(first row, rows) of the longest run of one value, if it is long where runs are short; not at zero or the ends
    of the range, where many series rest."""
    same = np.diff(column) == 0
    if not same.any():
        return None
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    starts, stops = edges[::2], edges[1::2]
    runs = stops - starts + 1
    at_rest = np.isin(column[starts], (0.0, np.nanmax(column), np.nanmin(column)))
    usual = np.quantile(runs, 0.9) if len(runs) >= 20 else 2
    runs = np.where(at_rest, 0, runs)
    longest = int(runs.argmax())
    limit = max(FROZEN, 4 * usual, 0.002 * len(column))
    repeats = float(same.mean())
    return (int(starts[longest]), int(runs[longest])) if runs[longest] >= limit and repeats < 0.5 else None


def _spikes(column: np.ndarray) -> list[int]:
    """Rows that leave their neighbours on both sides, there and back, farther than anything usual does."""
    x = filled(column).astype(np.float64)
    middle = (x[:-2] + x[2:]) / 2
    off = x[1:-1] - middle
    apart = np.abs(x[2:] - x[:-2])
    spread = 1.4826 * np.median(np.abs(off - np.median(off)))
    spread = max(spread, 0.05 * float(np.std(x)), 1e-12)
    told = np.flatnonzero((np.abs(off) > FAR * spread) & (np.abs(off) > 3 * apart)) + 1
    return [int(row) for row in told if np.isfinite(column[row])] if len(told) <= 0.002 * len(x) + 3 else []


def _shift(column: np.ndarray) -> tuple[int, float] | None:
    """(row, factor) from which on all values are a known factor larger or smaller: another unit."""
    x = filled(column).astype(np.float64)
    n = len(x)
    if n < 60 or (x <= 0).mean() > 0.02:
        return None
    logs = np.log(np.maximum(x, np.median(x) * 1e-6))
    sums = np.cumsum(logs)
    places = np.arange(20, n - 20)
    before, after = sums[places - 1] / places, (sums[-1] - sums[places - 1]) / (n - places)
    gain = (after - before) ** 2 * places * (n - places) / n
    row = int(places[gain.argmax()])
    left, right = np.median(logs[:row]), np.median(logs[row:])
    near = max(np.median(np.abs(logs[:row] - left)), np.median(np.abs(logs[row:] - right)))
    jump = float(right - left)
    factor = min(FACTORS, key=lambda one: abs(abs(jump) - np.log(one)))
    is_sudden = abs(np.median(logs[max(0, row - 10) : row]) - np.median(logs[row : row + 10])) > 0.7 * abs(jump)
    if abs(abs(jump) - np.log(factor)) < 0.08 and abs(jump) > 6 * near and is_sudden:
        return row, factor if jump > 0 else 1 / factor
    return None


def _like(one: np.ndarray, other: np.ndarray) -> float:
    return abs(float(np.corrcoef(one, other)[0, 1])) if one.std() > 0 and other.std() > 0 else 0.0


def _copies(values: np.ndarray, columns: tuple[str, ...]) -> list[list[Json]]:
    """[column, other, steps]: the first says now what the other says so many steps later; 0: both say the same."""
    if not 2 <= values.shape[1] <= 24 or len(values) < 60:
        return []
    x = filled(values[-8_000:]).astype(np.float64)
    steps = np.diff(x, axis=0)  # changes: two slow series are alike anyway
    low, high = np.quantile(steps, [0.01, 0.99], axis=0)
    steps = np.clip(steps, low, high)
    size = steps.std(axis=0)
    found: list[list[Json]] = []
    for one in range(x.shape[1]):
        for other in range(x.shape[1]):
            if one == other or size[one] < 1e-12 or size[other] < 1e-12:
                continue
            like = [
                _like(steps[: len(steps) - lag, one], steps[lag:, other]) for lag in range(min(50, len(steps) - 30))
            ]
            best = int(np.argmax(like))
            beside = max([like[k] for k in (best - 1, best + 1) if 0 <= k < len(like)])
            # waves are like themselves a little later, too: a copy is so at one lag alone
            if like[best] > COPY and (best > 0 or one < other) and (best == 0 or beside < like[best] - 0.05):
                found.append([columns[one], columns[other], best])
    return found[:20]
