"""What can be wrong with numbers to be predicted, beside what is wrong with their columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from snowroll.base.nouns import Fault, Json
from snowroll.prepare.view import View, count
from snowroll.tasks.tabular.columns import LEARNT
from snowroll.tasks.tabular.faults import LEAKS, alike, binned, column_faults, values_in
from snowroll.tasks.tabular.values.floors import r2_of
from snowroll.tasks.tabular.values.options import LONG_TAIL, skewness

TELLS_ALL = 0.98  # of the variance that one column alone explains, above which it may give the target away
FAR = 6.0  # times the middle half's width beyond it: one in a billion of normal numbers; measured on none
_FEWEST = 40  # rows; of fewer one column tells the target by chance
_FEW_OUT = 0.01  # share of the rows: what more of them do is no outlier
_HEAP = 0.02  # share of the rows that make a heap
FACTORS: Mapping[float, str] = {
    1000.0: "thousands", 1e6: "millions", 100.0: "hundredths, or per cent", 10.0: "tenths", 12.0: "months and years",
    60.0: "minutes", 3600.0: "seconds and hours", 24.0: "hours and days", 7.0: "days and weeks", 2.54: "inches",
    2.2046: "pounds", 1.6093: "miles", 3.2808: "feet", 3.7854: "gallons", 28.35: "ounces", 18.0156: "mg/dl and mmol/l",
}  # fmt: skip
_NEAR = 0.08  # a factor may be off by this share


def value_faults(view: View) -> Iterator[Fault]:
    columns: Sequence[Mapping[str, Json]] = view.schema.get("columns", ())
    if not columns:
        return
    yield from column_faults(view, columns)
    seen = set(view.readable())
    rows = [r for r, sample in enumerate(view.samples) if sample.target is not None and r in seen]
    if not rows:
        return
    truth = np.array([view.samples[row].target for row in rows], float)
    if len(set(truth.tolist())) == 1:
        told = f"every row has the same number, {truth[0]:g}: there is nothing to learn"
        yield Fault("constant_target", "block", (), told, "add rows with others, or predict another column")
        return
    yield from _outlying(view, rows, truth)
    yield from _equal_cells(view, columns)
    yield from _out_of_time(view, columns)
    if len(rows) >= _FEWEST:
        foreseen = yield from _giveaways(view, columns, rows, truth)
        yield from _two_units(view, rows, truth, foreseen)


def _outlying(view: View, rows: Sequence[int], truth: np.ndarray) -> Iterator[Fault]:
    """Numbers far beyond the middle half; where all are positive with a long tail, of their logarithms."""
    if len(rows) < _FEWEST:
        return
    is_log = truth.min() > 0 and skewness(truth) > LONG_TAIL
    values = np.log(truth) if is_log else truth
    low, high = np.quantile(values, [0.25, 0.75])
    room = FAR * (high - low)
    far = np.flatnonzero((values < low - room) | (values > high + room)) if room > 0 else np.array([], int)
    if not 0 < len(far) <= max(1, _FEW_OUT * len(rows)):
        return
    far = far[np.argsort(-np.abs(values[far] - np.median(values)), kind="stable")]
    named = ", ".join(f"{truth[one]:,.6g} in {view.where(rows[one])}" for one in far[:3])
    more = f" and {len(far) - 3:,} more" if len(far) > 3 else ""
    middle = f"half of all lie between {np.quantile(truth, 0.25):,.6g} and {np.quantile(truth, 0.75):,.6g}"
    told = f"{count(len(far), 'number')} far from all others: {named}{more}; {middle}"
    found = [rows[one] for one in far]
    cure = "look whether it is a slip; one wild number outweighs many rows"
    yield view.fault("outlying_targets", "warn", found, told, cure, 0.8, view.ask(found))


def _equal_cells(view: View, columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    """Rows that agree in all cells and not in the number: what no model can know."""
    against = [some for some in alike(view, columns) if len({str(view.samples[row].target) for row in some}) > 1]
    if not against:
        return
    every = np.array([s.target for s in view.samples if s.target is not None], float)
    within = 0.0
    for some in against:
        values = np.array([view.samples[row].target for row in some], float)
        within += float(values.var() * len(values))
    total = float(every.var() * len(every))
    best = 1 - within / total if total > 0 else 0.0
    rows = [row for some in against for row in some]
    told = (
        f"{count(len(rows), 'row')} that agree in every column that is learnt from have different numbers: no model "
        f"explains more than {best:.1%} of the variance of these data"
    )
    cure = "add a column that tells them apart, if there is one"
    yield view.fault("same_cells_other_target", "note", rows, told, cure)


def _out_of_time(view: View, columns: Sequence[Mapping[str, Json]]) -> Iterator[Fault]:
    """Dates beside a split at random: what came later teaches about what came earlier."""
    dates = [one["name"] for one in columns if one["kind"] == "date"]
    if dates and all(sample.split is None for sample in view.samples):
        named = ", ".join(f"'{name}'" for name in dates[:3])
        told = f"{named} tells when, and rows are split at random: later rows teach about earlier ones"
        cure = "if later rows are what is asked for, give a column 'split' with train, val and test in order of time"
        yield Fault("random_split_over_time", "note", (), told, cure, 0.6)


class Foreseen(NamedTuple):
    """What one column alone says of rows that it was not looked up from."""

    explains: float  # R2
    said: np.ndarray


def _giveaways(
    view: View, columns: Sequence[Mapping[str, Json]], rows: Sequence[int], truth: np.ndarray
) -> Iterator[Fault]:
    """Yields faults; returns what the most telling column says of each row."""
    best = Foreseen(0.0, np.full(len(rows), float(truth.mean())))
    for column in columns:
        if column["kind"] not in LEARNT:
            continue
        found = foreseen_alone(values_in(view, rows, column["name"]), truth, bool(column.get("levels")))
        best = max(best, found, key=lambda one: one.explains)
        if found.explains >= TELLS_ALL:
            told = f"column '{column['name']}' alone explains {found.explains:.1%} of the target's variance"
            yield Fault("gives_target_away", "warn", (), told, LEAKS, 0.9)
    return best.said


def foreseen_alone(values: np.ndarray, truth: np.ndarray, are_words: bool) -> Foreseen:
    """By the other half's rows: the mean of those of the same value or stretch, or a straight line through them.

    values: [n], NaN where missing.
    """
    place, known = binned(values, are_words), ~np.isnan(values)
    half = np.random.default_rng(len(values)).permutation(len(values)) % 2  # rows may be in some order
    steps, line = np.full(len(truth), truth.mean()), np.full(len(truth), truth.mean())
    for side in (0, 1):
        mine, others = half == side, half != side
        n = np.bincount(place[others], minlength=int(place.max()) + 1)
        sums = np.bincount(place[others], truth[others], int(place.max()) + 1)
        means = np.where(n > 0, sums / np.maximum(n, 1), truth[others].mean())
        steps[mine] = means[place[mine]]
        if not are_words and (known & others).sum() > 2 and np.ptp(values[known & others]) > 0:
            middle = values[known & others].mean()
            slope, start = np.polyfit(values[known & others] - middle, truth[known & others], 1)
            line[mine & known] = slope * (values[mine & known] - middle) + start
    ways: list[Foreseen] = [Foreseen(r2_of(said, truth), said) for said in (steps, line)]
    return max(ways, key=lambda one: one.explains)


def _two_units(view: View, rows: Sequence[int], truth: np.ndarray, foreseen: np.ndarray) -> Iterator[Fault]:
    """Two heaps a well-known factor apart, of the numbers or of what one column leaves of them."""
    if truth.min() <= 0:
        return
    ways = [np.log(truth)]
    if foreseen.min() > 0:
        ways.append(np.log(truth) - np.log(foreseen))
    for logs in ways:
        heaps = two_heaps(logs)
        if heaps is None:
            continue
        upper = logs > heaps.cut
        factor = float(np.exp(heaps.apart))
        near: float = min(FACTORS, key=lambda one: abs(np.log(one / factor)))
        if abs(near / factor - 1) > _NEAR:
            continue
        fewer = upper if upper.sum() <= len(rows) / 2 else ~upper
        found = [rows[place] for place in np.flatnonzero(fewer).tolist()]
        told = (
            f"two heaps of numbers about {factor:.3g} times apart, {int(upper.sum()):,} rows and "
            f"{int((~upper).sum()):,}: are some in another unit ({FACTORS[near]})?"
        )
        yield view.fault("mixed_units", "warn", found, told, "write all of them in one unit", 0.8, view.ask(found))
        return


class Heaps(NamedTuple):
    """Two heaps of numbers: where to cut, and how far their middles are apart."""

    cut: float
    apart: float


def two_heaps(values: np.ndarray) -> Heaps | None:
    """Of [n] numbers, where a gap parts two heaps that are each far narrower than it; None where there is none.

    >>> two_heaps(np.array([0.0, 0.1, 0.2, 5.0, 5.1, 5.2] * 10)).apart.__round__(2)
    5.0
    """
    order: np.ndarray = np.sort(values)
    least = max(3, int(_HEAP * len(order)))
    if len(order) < 2 * least:
        return None
    gaps: np.ndarray = np.diff(order)[least - 1 : len(order) - least]
    at = least - 1 + int(gaps.argmax())
    lower, upper = order[: at + 1], order[at + 1 :]
    gap = float(order[at + 1] - order[at])
    within = max(float(np.diff(lower).max(initial=0.0)), float(np.diff(upper).max(initial=0.0)))
    spread = max(float(lower.std()), float(upper.std()))
    apart = float(np.median(upper) - np.median(lower))
    return Heaps(float(order[at] + gap / 2), apart) if gap > 2 * within and apart > 4 * spread else None
