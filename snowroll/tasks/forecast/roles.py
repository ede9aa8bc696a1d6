"""Which column of a table is what: the time, the names of series, the labels of anomalies, what only counts rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.prepare.tables import Cell
from snowroll.tasks.forecast.clocks import TIMELIKE, Times, read_times

MARKS = re.compile(
    r"^(is[ _-]?)?(anomal(y|ies|ous)|outliers?|faults?|attacks?|incidents?|alarms?|labels?)"
    r"([ _-]?(flag|label|class))?$",
    re.IGNORECASE,
)
_IDS = re.compile(
    r"(^|[ _-])(id|ids|unique[ _-]?id|item|store|shop|sku|product|sensor|station|site|meter|device|machine|series|unit|"
    r"region|country|city|state|location|client|customer|dept|family|asset|tag|symbol|ticker|name|variable|metric|"
    r"channel|group|entity|line|pump|turbine|node|host|section|street|junction|zone[ _-]?id)"
    r"([ _-]?(id|nr|no|number|name|code|key))?$",
    re.IGNORECASE,
)
_INDEX = re.compile(r"^(|unnamed.*|index|idx|row([ _-]?(id|nr|no|number))?|no\.?|nr\.?|#|column 1)$", re.IGNORECASE)


def word(cell: Cell) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell == int(cell) else str(cell)


def time_of(cells: Mapping[str, list[Cell]]) -> tuple[tuple[str, ...], Times | None]:
    """(the columns that tell the time, what they say): by its name, else the first that can be nothing else."""
    named = [name for name in cells if TIMELIKE.match(name.strip())]
    both = [name for name in named if all(isinstance(c, str | None) for c in cells[name][:50])]
    if len(both) >= 2:  # a date beside a time of the day
        joined: list[Cell] = [
            f"{a} {b}" if a is not None and b is not None else None
            for a, b in zip(cells[both[0]], cells[both[1]], strict=True)
        ]
        if (times := read_times(joined)) is not None and read_times(cells[both[1]]) is None:
            return (both[0], both[1]), times
    found = [(name, times) for name in named if (times := read_times(cells[name], name)) is not None]
    if not found:
        for name in list(cells)[:3]:
            if any(isinstance(cell, str) for cell in cells[name][:5]) or not named:
                times = read_times(cells[name], name)
                if times is not None and times.is_dated:
                    found.append((name, times))
    if not found:
        return (), None
    dated = [one for one in found if one[1].is_dated] or found
    name, times = max(dated, key=lambda one: len(np.unique(one[1].seconds)))
    # the parts of the date that stand beside it (hour, month, weekday) are no measurements
    return (name,), times


def is_index(name: str, cells: list[Cell]) -> bool:
    """Whether it counts the rows."""
    if not _INDEX.match(name.strip()):
        return False
    known = [cell for cell in cells if isinstance(cell, int | float)]
    return len(known) == len(cells) and bool((np.diff(np.array(known[:5000], float)) == 1).all())


def share_of_numbers(cells: Sequence[Cell]) -> float:
    known = [cell for cell in cells if cell is not None]
    return sum(isinstance(cell, int | float) for cell in known) / len(known) if known else 0.0


def is_flag(cells: Sequence[Cell]) -> bool:
    words = {flag_of(cell) for cell in cells if cell is not None}
    return words == {0, 1}


def flag_of(cell: Cell) -> int:
    """1 for what says yes, 0 for no, -1 for anything else."""
    if isinstance(cell, bool | int | float):
        return int(cell) if cell in (0, 1) else -1
    word = str(cell).strip().lower()
    if word in ("true", "yes", "anomaly", "anomalous", "abnormal", "attack", "fault", "outlier", "1"):
        return 1
    return 0 if word in ("false", "no", "normal", "ok", "none", "0") else -1


def ids_of(
    cells: Mapping[str, list[Cell]], words: Sequence[str], numbers: Sequence[str], times: Times | None
) -> tuple[str, ...]:
    """The columns that name a row's series: of those that could, the fewest under which no time comes twice."""
    if times is None or len(numbers) < 1:
        return ()
    seconds = times.seconds
    rows = len(seconds)
    doubled = _doubled([seconds])
    if doubled < 0.02:
        return ()
    named = [name for name in numbers if _IDS.search(name.strip()) and _repeats(cells[name], rows)]
    could = [name for name in words if _repeats(cells[name], rows)] + (named if len(numbers) > len(named) else [])
    best, least = (), doubled
    codes = {name: np.unique([str(cell) for cell in cells[name]], return_inverse=True)[1] for name in could}
    for name in could:
        if (left := _doubled([seconds, codes[name]])) < least - 0.01:
            best, least = (name,), left
    for name in could:
        if best and name != best[0] and least > 0.01:
            left = _doubled([seconds, *(codes[one] for one in (*best, name))])
            if left < least - 0.01:
                best, least = (*best, name), left
    return best if least < doubled / 2 else ()


def _repeats(cells: Sequence[Cell], rows: int) -> bool:
    kinds = len(set(cells))
    return 2 <= kinds <= rows / 2


def _doubled(columns: Sequence[np.ndarray]) -> float:
    """The share of rows that are in all of these as another row is."""
    rows = np.stack([np.nan_to_num(np.asarray(column, np.float64), nan=-1.0) for column in columns], axis=1)
    return 1 - len(np.unique(rows, axis=0)) / max(1, len(rows))
