"""What a column of times says, however it is spelled, and the even steps that the rows lie on. No torch, no pandas."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite

import numpy as np

from snowroll.prepare.tables import Cell

TIMELIKE = re.compile(
    r"^(time|date|datetime|timestamp|ts|ds|day|month|year|week|hour|period|utc|zeit|datum|fecha|date[ _-]?time|"
    r"(local|utc|start|end|event|measurement|reading|observation|obs|record(ed)?)[ _-]?(time|date|at|timestamp)|"
    r"unix([ _-]?time)?|epoch|seconds?|elapsed.*|t|s|ms)([ _(\[].*)?$",
    re.IGNORECASE,
)
_FORMATS = (
    "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y", "%d.%m.%y %H:%M", "%d.%m.%y",
    "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d/%m/%Y",
    "%m/%d/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y", "%m/%d/%y %H:%M", "%m/%d/%y", "%d/%m/%y %H:%M", "%d/%m/%y",
    "%m/%d/%Y %I:%M:%S %p", "%m/%d/%Y %I:%M %p", "%Y-%m", "%Y.%m", "%b %Y", "%B %Y", "%b-%y", "%d-%b-%Y", "%d-%b-%y",
    "%d %b %Y", "%b %d, %Y", "%d-%m-%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%d-%m-%Y", "%Y-%m-%d %H", "%YQ%q",
)  # fmt: skip
_EPOCHS = ((1e8, 5e9, 1.0), (1e11, 5e12, 1e-3), (1e14, 5e15, 1e-6), (1e17, 5e18, 1e-9))  # s, ms, us, ns
_DAY = 86_400.0
UNTOLD_MS = -(1 << 62)  # stands for a time that nobody told
_CALENDARS = (("months", 1, 28, 31.1), ("quarters", 3, 89, 92.1), ("years", 12, 365, 366.1))  # usual days of a step
_OFF = 0.15  # of a month, that a row may lie off: of working days the first is at most the third or fourth


@dataclass(frozen=True, slots=True)
class Times:
    """Of each row a time. `seconds` [n]: since 1970 in UTC, or as the clock on the wall said; NaN: cannot be read."""

    seconds: np.ndarray
    is_dated: bool  # or counted from any beginning
    zone: str  # "UTC" where the cells tell their zone, "local" where they tell none
    zones: int = 0  # how many offsets from UTC were told
    how: str = ""  # the spelling, in words


def read_times(cells: Sequence[Cell], name: str = "") -> Times | None:
    """The times in a column's cells; None where it holds none. At least nine of ten must be readable."""
    known = [cell for cell in cells if cell is not None]
    if len(known) < 2:
        return None
    if sum(isinstance(cell, int | float) for cell in known) >= 0.9 * len(known):
        return _from_numbers(cells, name)
    return _from_words([None if cell is None else str(cell).strip() for cell in cells])


def _from_numbers(cells: Sequence[Cell], name: str) -> Times | None:
    values = np.array([float(c) if isinstance(c, int | float) and isfinite(c) else np.nan for c in cells])
    known = values[np.isfinite(values)]
    whole = bool((known == np.round(known)).all())
    for low, high, unit in _EPOCHS:
        if low <= known.min() and known.max() <= high and len(np.unique(known)) > 1:
            if TIMELIKE.match(name) or bool((np.diff(known) >= 0).mean() > 0.9):
                told = {1.0: "s", 1e-3: "ms", 1e-6: "us", 1e-9: "ns"}[unit]
                return Times(values * unit, True, "UTC", 0, f"{told} since 1970")
            return None
    if whole and len(str(int(known.min()))) == len(str(int(known.max()))) in (6, 8):  # 20240131, 202401
        dates = _from_words([None if not np.isfinite(v) else str(int(v)) for v in values])
        if dates is not None:
            return dates
    if whole and known.min() >= 1600 and known.max() <= 2200 and re.match(r"^(year|date|time)", name, re.IGNORECASE):
        return _from_words([None if not np.isfinite(v) else f"{int(v)}-01-01" for v in values])
    if TIMELIKE.match(name) and bool((np.diff(known) >= 0).mean() > 0.9):
        unit = 1e-3 if re.search(r"(^|[ _(\[])(ms|milli)", name, re.IGNORECASE) else 1.0
        return Times(values * unit, False, "local", 0, "counted " + ("ms" if unit < 1 else "s"))
    return None


def _from_words(words: Sequence[str | None]) -> Times | None:
    some = [word for word in words if word][:: max(1, sum(word is not None for word in words) // 60)][:80]
    best: tuple[tuple[float, float, float], Times] | None = None
    for read, how in _ways(some):
        values, offsets = np.full(len(words), np.nan), set()
        for place, word in enumerate(words):
            at = read(word) if word else None
            if at is not None:
                offset = at.utcoffset()
                offsets.add(None if offset is None else offset.total_seconds())
                values[place] = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        known = np.isfinite(values)
        told = known.sum() / max(1, sum(word is not None for word in words))
        if told < 0.9:
            continue
        steps = np.diff(values[known])
        order = float((steps >= 0).mean()) if len(steps) else 1.0
        told_zones = offsets - {None}
        found = Times(values, True, "UTC" if told_zones else "local", len(told_zones), how)
        # 01/02: the day or the month? the one that rises; firsts of months rise both ways, by even steps one way
        rank = (told, order, _evenness(values[known]))
        if best is None or rank > best[0]:
            best = (rank, found)
    return None if best is None else best[1]


def _ways(some: Sequence[str]) -> list[tuple[Callable[[str], datetime | None], str]]:
    """The ways to read all but a few of these words, ISO first."""
    if not some or not all(any(c.isdigit() for c in word) for word in some[:5]):
        return []
    ways: list[tuple[Callable[[str], datetime | None], str]] = [(_iso, "ISO")]
    ways += [(_quarter, "quarters")] + [(_by(form), form) for form in _FORMATS if "%q" not in form]
    good = [way for way in ways if sum(way[0](word) is not None for word in some) >= 0.9 * len(some)]
    return good[:1] if good and good[0][1] == "ISO" else good


def _iso(word: str) -> datetime | None:
    if len(word) < 8:
        return None
    try:
        return datetime.fromisoformat(word)
    except ValueError:
        pass
    try:  # 2011-01-01T00:00:00.000000+0000 and the like
        return datetime.fromisoformat(word.removesuffix(" UTC").removesuffix(" GMT").replace("/", "-"))
    except ValueError:
        return None


def _quarter(word: str) -> datetime | None:
    match = re.fullmatch(r"(\d{4})[ -]?Q([1-4])", word, re.IGNORECASE)
    return datetime(int(match[1]), 3 * int(match[2]) - 2, 1) if match else None


def _by(form: str) -> Callable[[str], datetime | None]:
    def read(word: str) -> datetime | None:
        try:
            return datetime.strptime(word, form)
        except ValueError:
            return None

    return read


# the grid ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each row of one series lies. A calendar's steps (months, working days) count as even."""

    place: np.ndarray  # [n] int64, the step each row belongs to; -1: its time cannot be read
    steps: int
    start: float  # seconds of step 0; 0 where nobody knows
    step_s: float  # median, 0 where nobody knows
    calendar: str = ""  # "months", "working days" ...: steps that are not of one length in seconds
    unordered: int = 0  # rows that come before the row over them
    doubled: int = 0  # rows whose step another row has, too
    gaps: tuple[tuple[int, int], ...] = ()  # (first missing step, how many)
    jitter: float = 0.0  # share of the rows that lie off the grid by more than a tenth of a step
    times: np.ndarray = field(default_factory=lambda: np.zeros(0))  # [steps] seconds, where a calendar counts them


MOST_STEPS = 4  # times as many as there are rows: a longer grid is mostly gaps, and rows are counted instead


def grid_of(seconds: np.ndarray) -> Grid:
    """The even steps under one series' times, in the order of time. [n] seconds, NaN: not known."""
    n = len(seconds)
    known = np.isfinite(seconds)
    if known.sum() < 2:
        return Grid(np.arange(n), n, 0.0, 0.0)
    unordered = int((np.diff(seconds[known]) < 0).sum())
    times, index = np.unique(seconds[known], return_inverse=True)
    doubled = int(known.sum() - len(times))
    place = np.full(n, -1, np.int64)
    if len(times) < 2:
        place[known] = 0
        return Grid(place, 1, float(times[0]), 0.0, "", unordered, doubled)
    calendar, at = _calendar(times)
    step, off = float(np.median(np.diff(times))), 0.0
    if not calendar:
        step = _step(np.diff(times))
        at = np.round((times - times[0]) / step).astype(np.int64)
        off = float((np.abs((times - times[0]) / step - at) > 0.1).mean())
    if at[-1] + 1 > MOST_STEPS * len(times) + 16:
        calendar, at = "rows", np.arange(len(times))
        step, off = float(np.median(np.diff(times))), 0.0
    doubled += int(len(at) - len(np.unique(at)))
    place[known] = at[index]
    holes = np.diff(at)
    gaps = tuple((int(at[k]) + 1, int(holes[k]) - 1) for k in np.flatnonzero(holes > 1))
    counted = _counted(times, at) if calendar else np.zeros(0)
    start = float(times[0])
    return Grid(place, int(at[-1]) + 1, start, step, calendar, unordered, doubled, gaps, off, counted)


def _step(diffs: np.ndarray) -> float:
    """The commonest difference where most rows have it, else the median."""
    values, counts = np.unique(np.round(diffs, 6), return_counts=True)
    common = float(values[counts.argmax()])
    return common if counts.max() * 2 > len(diffs) else float(np.median(diffs))


def _evenness(seconds: np.ndarray) -> float:
    """The share of the steps that are as long as most are, all of them where a calendar counts them."""
    times = np.unique(seconds)
    if len(times) < 2 or _calendar(times)[0]:
        return 1.0
    counts = np.unique(np.round(np.diff(times), 6), return_counts=True)[1]
    return float(counts.max() / counts.sum())


def _calendar(times: np.ndarray) -> tuple[str, np.ndarray]:
    """(what counts the steps of these rising times, [n] the step of each); "" where no calendar does."""
    days = np.diff(times) / _DAY
    usual = float(np.median(days))
    for name, months, low, high in _CALENDARS:
        if len(days) < 3 or not low <= usual <= high:
            continue
        many = days / days.min()
        is_even = months < 12 and bool((np.abs(many - np.round(many)) < 1e-6).all())  # every 30 days
        since = _months(times) - _months(times)[0]
        at = np.round(since / months).astype(np.int64)
        if not is_even and float(np.abs(since - months * at).max()) <= _OFF:
            return name, at
    weekday = (np.floor(times / _DAY) + 3) % 7  # 1970 began on a Thursday
    is_daily = usual == 1 and days.min() >= 1
    is_working = len(times) >= 15 and is_daily and bool((weekday < 5).all())
    return "working days" if is_working else "", np.arange(len(times))


def _months(seconds: np.ndarray) -> np.ndarray:
    """Months since 1970, with the share of the last one that is over: firsts of months and their ends, at whatever
    offset from UTC, lie one apart but for days."""
    month = np.floor(seconds).astype("datetime64[s]").astype("datetime64[M]")
    begin, end = _begin(month), _begin(month + 1)
    return month.astype(np.int64) + (seconds - begin) / (end - begin)


def _begin(month: np.ndarray) -> np.ndarray:
    return month.astype("datetime64[s]").astype(np.float64)


def _counted(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """[steps] seconds of each step that a calendar counts; of one without a row, what lies between its neighbours."""
    steps = np.arange(int(at[-1]) + 1)
    if np.array_equal(at, steps):
        return times
    since = np.interp(steps, at, _months(times))
    month = np.floor(since).astype("datetime64[M]")
    begin, end = _begin(month), _begin(month + 1)
    found = np.round(begin + (since - np.floor(since)) * (end - begin))
    found[at] = times
    return found


def spelled(seconds: float) -> str:
    """A time as people read it, to the second where that is enough.

    >>> spelled(1_700_000_000.0), spelled(0.25)
    ('2023-11-14T22:13:20', '1970-01-01T00:00:00.250')
    """
    at = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return at.isoformat(timespec="milliseconds" if at.microsecond >= 1_000 else "seconds")


def step_in_words(step_s: float, calendar: str = "") -> str:
    """
    >>> step_in_words(3600.0), step_in_words(0.004), step_in_words(86_400.0), step_in_words(0.0)
    ('1 hour', '4 ms', '1 day', 'rows, no time told')
    """
    if calendar:
        return "rows, however far apart" if calendar == "rows" else calendar
    if not step_s:
        return "rows, no time told"
    for size, word in ((7 * _DAY, "week"), (_DAY, "day"), (3600.0, "hour"), (60.0, "minute"), (1.0, "second")):
        if step_s >= size and abs(step_s / size - round(step_s / size)) < 1e-6:
            n = round(step_s / size)
            return f"{n} {word}" + ("s" if n > 1 else "")
    return f"{step_s * 1000:.3g} ms" if step_s < 1 else f"{step_s:,.6g} s"
