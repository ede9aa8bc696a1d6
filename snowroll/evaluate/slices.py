"""Where a model is worse than elsewhere: by size, brightness, source, group, class, or any column one has.

Look at enough slices and some look bad by luck. A slice is called worse only after Holm's correction for all that
were looked at, and every slice shows its n and interval.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real

import numpy as np
from scipy.special import stdtr

from snowroll.evaluate.interval import Groups, mean_with_interval, number_groups
from snowroll.evaluate.paired import holm

LEAST = 20  # samples below which a slice is not looked at: its interval would span some 40 points


@dataclass(frozen=True, slots=True)
class Slice:
    """The samples with one value (or range) in one column, and their mean credit with its 95 % interval."""

    slice: str  # "brightness 0.1 to 0.3", "source = camera 2"
    column: str
    n: int
    value: float
    low: float
    high: float
    rest: float  # mean credit of all other samples
    p: float  # one-sided: how often a slice no worse than the rest would look this bad
    worse: bool  # p holds after correction for all slices tried


def find_slices(
    columns: Mapping[str, Sequence[object] | np.ndarray],
    credit: np.ndarray,
    groups: Groups | None = None,
    *,
    least: int = LEAST,
    parts: int = 4,
    alpha: float = 0.05,
    seed: int = 0,
) -> list[Slice]:
    """Every slice of at least `least` samples (and as many outside it), worst first.

    columns: name -> [n] values; numbers are cut at quantiles into `parts`, other values stand for themselves, None is
    "unknown". Where two columns part the samples alike (a folder for each class), the first speaks for both. credit:
    [n] in [0, 1]. groups: [n] what rises and falls together. In a column that equals the groups a slice *is* one group,
    and its own samples are the units.
    """
    members: list[tuple[str, str, np.ndarray, Groups | None]] = []
    parted: set[bytes] = set()
    for name, values in columns.items():
        cuts = [cut for cut in _cut(name, values, parts, least) if least <= cut[1].sum() <= len(credit) - least]
        alike = b"".join(sorted(np.packbits(inside).tobytes() for _, inside in cuts))
        if not cuts or alike in parted:
            continue
        parted.add(alike)
        same = groups is not None and _same_partition(values, groups)
        members += [(name, label, inside, None if same else groups) for label, inside in cuts]
    p = [_p_worse(credit, inside, units) for _, _, inside, units in members]
    worse = holm(p, alpha)
    found = []
    for (name, label, inside, units), chance, bad in zip(members, p, worse, strict=True):
        own = None if units is None else [units[int(row)] for row in np.flatnonzero(inside)]
        mean = mean_with_interval(credit[inside], own, seed=seed)
        rest = float(np.mean(credit[~inside]))
        found.append(Slice(label, name, mean.n, mean.value, mean.low, mean.high, rest, chance, bad))
    return sorted(found, key=lambda one: (not one.worse, one.value - one.rest))


def _cut(name: str, values: Sequence[object] | np.ndarray, parts: int, least: int) -> list[tuple[str, np.ndarray]]:
    """(label, [n] inside) of each slice of one column; of values that stand for themselves those of `least` samples."""
    column = [value.item() if isinstance(value, np.generic) else value for value in values]
    known = np.array([not _is_unknown(value) for value in column])
    cuts: list[tuple[str, np.ndarray]] = []
    numeric = all(isinstance(v, Real) and not isinstance(v, bool) for v, k in zip(column, known, strict=True) if k)
    counts = Counter(value for value, k in zip(column, known, strict=True) if k)
    if numeric and len(counts) > parts:
        numbers = np.array([float(v) if k else math.nan for v, k in zip(column, known, strict=True)])  # type: ignore[arg-type]
        edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, parts + 1)))
        for place, (low, high) in enumerate(pairwise(edges)):
            last = place == len(edges) - 2
            inside = known & (numbers >= low) & ((numbers <= high) if last else (numbers < high))
            cuts.append((f"{name} {low:.4g} to {high:.4g}", inside))
    else:
        for value in sorted((value for value, n in counts.items() if n >= least), key=str):
            cuts.append((f"{name} = {value}", np.array([k and v == value for v, k in zip(column, known, strict=True)])))
    if not known.all():
        cuts.append((f"{name} unknown", ~known))
    return cuts


def _p_worse(credit: np.ndarray, inside: np.ndarray, groups: Groups | None) -> float:
    """One-sided p-value of "the slice is no worse than the rest": a score test whose units are the groups.

    Each group's pull on (slice mean - rest mean) is summed; their spread under "no difference" is the error
    (Liang & Zeger 1986 sandwich with the null imposed), against Student's t.
    """
    n, own = len(credit), int(inside.sum())
    weight = np.where(inside, 1 / own, -1 / (n - own))
    cluster, size = number_groups(groups, n)
    # the larger side would dominate a common mean, so each group is centred on the mean of all
    pulls = np.bincount(cluster, weight * (credit - credit.mean()), len(size))
    error = math.sqrt(len(size) / max(len(size) - 1, 1) * float(np.sum(pulls**2)))
    if error == 0:
        return 1.0
    # the fewer groups reach into the slice, the less is known of it
    reached = min(len(np.unique(cluster[inside])), len(np.unique(cluster[~inside])))
    return float(stdtr(max(reached - 1, 1), float(weight @ credit) / error))


def _is_unknown(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _same_partition(values: Sequence[object] | np.ndarray, groups: Groups) -> bool:
    pairs = {(str(value), group) for value, group in zip(values, groups, strict=True)}
    return len(pairs) == len({value for value, _ in pairs}) == len({group for _, group in pairs})
