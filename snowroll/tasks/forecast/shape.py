"""How series are cut into windows: how far ahead, how far back, how often, and which stretch of time is which split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Json, Split
from snowroll.tasks.forecast.recordings import Recording
from snowroll.tasks.forecast.season import season_of

LONGEST_PLANNED = 96  # steps ahead, where nobody says
FARTHEST_PLANNED = 512  # steps back
MOST_WINDOWS = 6_000
MOST_NUMBERS = 2_000_000  # in all targets
MANY = 20  # series, from which on whole series may be splits
_LEAST_BACK = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """The cut, and why it is so."""

    horizon: int
    context: int
    stride: int  # steps from one window's beginning to the next
    season: int  # steps; 1 where none was found
    like: float  # autocorrelation at the season
    by_series: bool  # splits are whole series, and not stretches of time
    why_horizon: str
    why_context: str


def shape_of(
    recordings: Sequence[Recording], targets: Sequence[str], test: float, val: float, asked: Mapping[str, Json]
) -> Shape:
    """Raises DataError or UsageError where the series are too short for what is asked, or that contradicts itself."""
    lengths = np.array([len(one.values) for one in recordings])
    season, like = _season(recordings, targets)
    length = int(np.median(lengths[lengths >= np.median(lengths)]))
    horizon, why = _horizon(season, length, asked)
    context, why_context = _context(horizon, season, length, asked)
    by_series = len(recordings) >= MANY and not _fits(length, horizon, context, test, val)
    if by_series:
        while "horizon" not in asked and horizon > 1 and length < 2 * horizon + _LEAST_BACK:
            horizon //= 2
        context = context if "context" in asked else max(_LEAST_BACK, min(context, length - horizon - 1))
        if length < horizon + context:
            _refuse(length, horizon, context, asked)
    else:
        while not _fits(length, horizon, context, test, val):
            if "context" not in asked and context > max(_LEAST_BACK, 2 * horizon):
                context = max(_LEAST_BACK, 2 * horizon, context * 3 // 4)
            elif "horizon" not in asked and horizon > 1:
                horizon = max(1, horizon * 3 // 4)
                why = f"no longer: the series has {length:,} values"
            elif "context" not in asked and context > _LEAST_BACK:
                context = max(_LEAST_BACK, context * 3 // 4)
            else:
                _refuse(length, horizon, context, asked, "" if test >= 1 else ", in three stretches of time")
    every = int(asked.get("every", 1))
    if every > horizon:  # the last of them would be judged by no forecast
        told = f"{every:,} steps from one forecast to the next, and {horizon:,} are told"
        raise UsageError(told, where="task.every", cure=f"set it to {horizon:,} at most, or task.horizon to more")
    stride = _stride(recordings, horizon, context, len(targets), test)
    return Shape(horizon, context, stride, season, like, by_series, why, why_context)


def _season(recordings: Sequence[Recording], targets: Sequence[str]) -> tuple[int, float]:
    """Of some of the series' training parts, as of one."""
    some = recordings[:: max(1, len(recordings) // 16)][:16]
    columns = []
    for one in some:
        places = [place for place, name in enumerate(one.columns) if name in targets or len(one.columns) == 1][:8]
        columns += [one.values[: int(0.8 * len(one.values)), place] for place in places]
    known = [column for column in columns if np.isfinite(column).mean() > 0.5]
    return season_of(known, some[0].step_s, some[0].calendar)


def _horizon(season: int, length: int, asked: Mapping[str, Json]) -> tuple[int, str]:
    if "horizon" in asked:
        return int(asked["horizon"]), "as settled"
    if season >= 4:
        horizon = season
        while horizon > LONGEST_PLANNED:
            horizon = -(-horizon // 2)
        told = "one season" if horizon == season else f"part of a season of {season:,}"
        return horizon, told
    return max(1, min(12, length // 20)), "no season was found"


def _context(horizon: int, season: int, length: int, asked: Mapping[str, Json]) -> tuple[int, str]:
    if "context" in asked:
        return int(asked["context"]), "as settled"
    wanted = max(4 * horizon, 8 * season if 8 * season <= FARTHEST_PLANNED else 2 * season, 16)
    context = max(_LEAST_BACK, min(wanted, FARTHEST_PLANNED, length // 4))
    seasons = f"{context / season:.1f} seasons" if season > 1 else f"{context / horizon:.1f} horizons"
    return context, seasons


def _fits(length: int, horizon: int, context: int, test: float, val: float) -> bool:
    """Whether at least a horizon of windows can be learnt from, more than are validated; one, where all is judged."""
    if test >= 1:
        return length >= horizon + context
    to_val, _ = borders(length, horizon, test, val)
    origins = to_val - horizon - context + 1
    return origins >= max(8, horizon // 2) and to_val >= 0.35 * length


def _refuse(
    length: int, horizon: int, context: int, asked: Mapping[str, Json], how: str = ", in three stretches of time"
) -> None:
    told = f"{length:,} values are too few for windows of {context} and {horizon}{how}"
    if "horizon" in asked or "context" in asked:
        raise UsageError(told, where="task.horizon, task.context", cure="make them shorter, or bring longer series")
    raise DataError(told, cure="bring a longer series, or many of them")


def borders(length: int, horizon: int, test: float, val: float) -> tuple[int, int]:
    """(first row of validation's stretch, of the test's). Either holds a gap of a horizon, a window and half of one."""
    least = 2 * horizon + max(2, horizon // 2)
    to_test = length - max(round(length * test), least if test else 0)
    to_val = to_test - max(round(to_test * val), least if val else 0)
    return to_val, to_test


def origins(length: int, shape: Shape, test: float, val: float) -> Iterator[tuple[int, Split | None]]:
    """(first row that is told, split) of each window of one series; the splits are None where they are whole series.

    A window of training tells rows before validation's stretch; one of validation begins a horizon after its stretch
    does and ends before the test's; so no row is told in two splits, and a horizon lies between them. They lie on
    multiples of the stride, whatever follows: a series that grows keeps its windows. With test = 1 all are the test's.
    """
    to_val, to_test = borders(length, shape.horizon, test, val)
    first = min(shape.context + shape.stride - 1, max(shape.context, length // 2))
    for origin in range(-(-first // shape.stride) * shape.stride, length - shape.horizon + 1, shape.stride):
        if shape.by_series:
            yield origin, None
        elif test >= 1:
            yield origin, "test"
        elif origin + shape.horizon <= to_val:
            yield origin, "train"
        elif to_val + shape.horizon <= origin and origin + shape.horizon <= to_test:
            yield origin, "val"
        elif to_test + shape.horizon <= origin:
            yield origin, "test"


def _stride(recordings: Sequence[Recording], horizon: int, context: int, targets: int, test: float) -> int:
    """A power of two, so that a longer series keeps every other window; small enough for the test's stretch."""
    steps = sum(max(0, len(one.values) - context - horizon) for one in recordings)
    each = horizon * max(1, targets)
    stride = 1
    while steps / stride > MOST_WINDOWS or steps / stride * each > MOST_NUMBERS:
        stride *= 2
    longest = max(len(one.values) for one in recordings)
    while len(recordings) < MANY and stride > 1 and longest * test / stride < 60 and steps / stride * each < 5e6:
        stride //= 2
    return stride
