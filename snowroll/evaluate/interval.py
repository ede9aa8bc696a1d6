"""How far off a score may be: the cluster bootstrap, and Wilson's interval where a bootstrap would be a point.

Samples of one patient, speaker or scene rise and fall together, so whole groups are drawn, not samples.
All intervals are two-sided 95 % intervals.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from snowroll.base.errors import DataError
from snowroll.base.nouns import Metric

LEVEL = 0.95
FEW = 8  # groups; percentiles of three cover 78 % where 95 are claimed, their deviation times t 94
_ROUNDING = 1e-9
_CELLS = 4_000_000  # largest block of draws held at once (32 MB)

Groups = Sequence[Hashable] | np.ndarray  # [n] group of each sample; None in it: a group of its own
_SHARE = (0.0, 1.0)
_OF_LOSSES: Mapping[str, tuple[float, float]] = {"nll": (0, math.inf)}
Score = Callable[[np.ndarray | None], dict[str, float]]


def bootstrap(
    score: Score,
    n: int,
    groups: Groups | None = None,
    draws: int = 1000,
    seed: int = 0,
    ranges: Mapping[str, tuple[float, float]] = _OF_LOSSES,
    trials: Mapping[str, float] | None = None,
) -> dict[str, Metric]:
    """Every metric of `score` with its interval.

    score(counts): counts [n] says how often each sample counts; None: once each. A metric that is undefined for
    some counts is left out of the answer or NaN there. `ranges` says what metrics can be that are no shares
    in [0, 1]; `trials` those that rest on fewer samples than n (a mean over classes: `metrics.trials_behind_means`).

    Percentile intervals over draws of whole groups, widened for few groups as in Hesterberg (2015, "What teachers
    should know about the bootstrap", section 5.3: Student's t and sqrt(n / (n - 1)) in place of the normal quantile).
    Of fewer than FEW groups no draw reaches as far as that: the draws' deviation is taken so many times, both ways.
    A share of exactly 0 or 1 that no draw moves gets Wilson's interval, each group counted as one trial; so does what
    is at most 1 as a share is. One group says nothing of the next one: a metric is its whole range then, and where
    that has no end as far as draws of its samples ever reach. No interval leaves its metric's range.
    """
    if n < 1:
        raise DataError("there is nothing to measure: the split holds no labelled sample")
    value = {name: number for name, number in score(None).items() if math.isfinite(number)}
    cluster, size = number_groups(groups, n)
    seen: dict[str, list[float]] = {name: [] for name in value}
    drawn = (cluster, len(size)) if len(size) > 1 else (np.arange(n), n)
    for counts in _draws(*drawn, draws, seed):
        for name, number in score(counts).items():
            if name in seen and math.isfinite(number):
                seen[name].append(number)
    return {
        name: _metric(
            number, np.array(seen[name]), n, len(size), ranges.get(name, _SHARE), (trials or {}).get(name, math.inf)
        )
        for name, number in value.items()
    }


def mean_with_interval(credit: np.ndarray, groups: Groups | None = None, draws: int = 1000, seed: int = 0) -> Metric:
    """The mean of credits in [0, 1] with its interval; the same answer as `bootstrap` would give, without a loop.

    Right-or-wrong credit without groups needs no draws: Wilson's interval covers better and costs nothing.
    """
    if not len(credit):
        raise DataError("there is nothing to measure: no labelled sample")
    _, size = number_groups(groups, len(credit))
    if len(size) == len(credit) and np.all((credit == 0) | (credit == 1)):
        value = float(np.mean(credit))
        return Metric(value, *wilson(value, len(credit)), len(credit))
    return share_with_interval(credit, np.ones(len(credit)), groups, draws, seed)


def share_with_interval(
    part: np.ndarray, whole: np.ndarray, groups: Groups | None = None, draws: int = 1000, seed: int = 0
) -> Metric:
    """sum(part) / sum(whole) with its interval over samples: of all pixels of a class, those that were found.

    part, whole: [n] of each sample, 0 <= part <= whole and whole > 0.
    """
    if not len(part):
        raise DataError("there is nothing to measure: no labelled sample")
    cluster, size = number_groups(groups, len(part))
    parts, wholes = (np.bincount(cluster, values, len(size)) for values in (part, whole))
    rng = np.random.default_rng(seed)
    shares = []
    block = max(1, _CELLS // len(size))
    for start in range(0, draws, block):
        drawn = rng.integers(0, len(size), (min(block, draws - start), len(size)))
        shares.append(parts[drawn].sum(1) / wholes[drawn].sum(1))
    return _metric(float(parts.sum() / wholes.sum()), np.concatenate(shares), len(part), len(size))


def wilson(share: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval (1927) of a share of n trials: never a point, never outside [0, 1].

    >>> [round(x, 3) for x in wilson(1.0, 20)]
    [0.839, 1.0]
    """
    z2 = float(ndtri(0.5 + level / 2)) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * share * (1 - share) / n + z2 * z2 / (4 * n * n)) / (1 + z2 / n)
    # at 0 and 1 the interval ends there exactly; rounding must not push it past its own value
    return min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))


def number_groups(groups: Groups | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Group of each sample as 0..G-1 [n], and the group sizes [G]. None (no group known) is a group of its own.

    >>> number_groups(["a", None, "a", None], 4)[1].tolist()
    [2, 1, 1]
    """
    if groups is None:
        return np.arange(n), np.ones(n, dtype=np.int64)
    if len(groups) != n:
        raise DataError(f"{len(groups)} groups were given for {n} samples")
    if isinstance(groups, np.ndarray) and groups.dtype.kind == "i":  # numbered before: no dictionary needed
        cluster = np.unique(groups, return_inverse=True)[1]
        return cluster, np.bincount(cluster)
    numbers: dict[Hashable, int] = {}
    cluster = np.array([numbers.setdefault((row,) if g is None else g, len(numbers)) for row, g in enumerate(groups)])
    return cluster, np.bincount(cluster)


def interval_in_words(groups: int, n: int, draws: int = 1000) -> str:
    """One sentence for the report: how its intervals were made."""
    if groups < 2:
        return (
            "All samples are of one group, so no honest interval is known: shares are given as 0 to 1, other figures "
            "as all that they can be, or as far as draws of this group's samples reach."
        )
    drawn = f"{groups:,} groups (never split)" if groups < n else f"{n:,} samples"
    unit = "group" if groups < n else "sample"
    if groups < FEW:
        return (
            f"Intervals hold 95 %, and are wide because of {drawn}: Student's t times the deviation of {draws:,} "
            "bootstrap draws over them, whose percentiles would promise too much; "
            f"where every answer was right, or every one wrong, Wilson's interval with each {unit} as one trial."
        )
    return (
        f"Intervals hold 95 %: {draws:,} bootstrap draws over {drawn}; "
        f"where every answer was right, or every one wrong, Wilson's interval with each {unit} as one trial."
    )


def few_in_words(groups: Collection[Hashable], n: int) -> list[str]:
    """A line for the terminal where intervals are so wide because there are few groups.

    >>> few_in_words(["a", "a", "b"], 3)
    ['          in 2 groups: so few tell little of the next one, and the interval is wide for it']
    """
    many = len(set(groups))
    if many >= min(FEW, n):
        return []
    if many == 1:
        return ["          all of one group: the interval tells nothing of the next one"]
    return [f"          in {many} groups: so few tell little of the next one, and the interval is wide for it"]


def _draws(cluster: np.ndarray, groups: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """How often each sample counts [n], once a draw."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(rng.integers(0, groups, groups), minlength=groups)[cluster]


def _metric(
    value: float,
    seen: np.ndarray,
    n: int,
    groups: int,
    range: tuple[float, float] = _SHARE,
    trials: float = math.inf,
) -> Metric:
    least, most = range
    all_seen = np.append(seen, value)
    if all_seen.min() < least - _ROUNDING or all_seen.max() > most + _ROUNDING:  # its task did not tell what it can be
        least, most = -math.inf, math.inf
    if groups < 2 or seen.size == 0:
        return Metric(value, *_of_one_group(value, all_seen, least, most), n)
    if most == 1 and value in (0.0, 1.0) and np.all(seen == value):
        return Metric(value, *wilson(value, min(groups, trials)), n)
    # Hesterberg's expanded percentile: the plain one is too narrow by about sqrt((n-1)/n) * z/t
    reach = stdtrit(groups - 1, 0.5 + LEVEL / 2) * math.sqrt(groups / (groups - 1))
    if groups < FEW:
        low, high = value - reach * seen.std(), value + reach * seen.std()
    else:
        low, high = np.quantile(seen, [ndtr(-reach), ndtr(reach)])
    return Metric(value, min(value, max(least, float(low))), max(value, min(most, float(high))), n)


def _of_one_group(value: float, seen: np.ndarray, least: float, most: float) -> tuple[float, float]:
    """What is known of a metric from one group: its range, and where that has no end what was seen.

    What no draw moved is no certainty: an end without a bound is then 0 or 1, as of a share.
    """
    if math.isfinite(least) and math.isfinite(most):
        return least, most
    low, high = float(seen.min()), float(seen.max())
    if low < high:
        return low, high
    return (least if math.isfinite(least) else min(value, 0.0)), (most if math.isfinite(most) else max(value, 1.0))
