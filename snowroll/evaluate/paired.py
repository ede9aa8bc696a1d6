"""Two models on the same samples: how much better one is, how sure that is, and how many more samples would tell.

A paired comparison sees only the samples on which the two differ, so it needs several times fewer than two separate
intervals would. `credit` [n] in [0, 1] is each sample's share of the headline: right or wrong, Dice, 1 - word errors.
Samples of one group rise and fall together; a group's summed difference is the unit of all that follows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from snowroll.base.errors import DataError
from snowroll.evaluate.interval import LEVEL, Groups, number_groups

_GRID = 20_000  # steps, at least, that the summed differences are rounded to before they are counted exactly


@dataclass(frozen=True, slots=True)
class Difference:
    """New minus old in mean credit, with its 95 % interval. Positive: the new model is better."""

    value: float
    low: float
    high: float
    n: int
    groups: int
    old: float
    new: float
    won: int  # samples the new model does better on
    lost: int
    middle: float  # centre and standard error of the adjusted interval, for tests against a margin
    error: float

    @property
    def spread(self) -> float:
        """Standard deviation per sample, clustering included: error * sqrt(n)."""
        return self.error * math.sqrt(self.n)


def paired_difference(old: np.ndarray, new: np.ndarray, groups: Groups | None = None) -> Difference:
    """The mean difference with a t interval over groups, after adding one group won and one group lost.

    Without groups and with right-or-wrong credit that is the interval of Bonett & Price (2012, "Adjusted Wald
    confidence interval for a difference of binomial proportions based on paired data"): it is never a point, and
    holds its level at small n. Here the invented two are of mean size and as large as the largest difference seen,
    so that it also serves groups and continuous credit.
    """
    _refuse_nonsense(old, new)
    change = new - old
    cluster, size = number_groups(groups, len(change))
    sums = np.bincount(cluster, change, len(size))
    mean_size = len(change) / len(size)
    step = float(np.max(np.abs(sums / size))) or 1.0
    total = len(change) + 2 * mean_size
    middle = float(sums.sum() / total)
    invented = mean_size * (np.array([step, -step]) - middle)
    k = len(size) + 2
    squares = float(np.sum((sums - size * middle) ** 2) + np.sum(invented**2))
    error = math.sqrt(k / (k - 1) * squares) / total
    reach = error * float(stdtrit(max(len(size) - 1, 1), 0.5 + LEVEL / 2))
    value = float(change.mean())
    return Difference(
        value=value,
        low=max(-1.0, min(value, middle - reach)),
        high=min(1.0, max(value, middle + reach)),
        n=len(change),
        groups=len(size),
        old=float(old.mean()),
        new=float(new.mean()),
        won=int(np.sum(change > 0)),
        lost=int(np.sum(change < 0)),
        middle=middle,
        error=error,
    )


def sign_flip(old: np.ndarray, new: np.ndarray, groups: Groups | None = None) -> tuple[float, float]:
    """One-sided p-values (new better, new worse), by flipping the sign of each group's summed difference.

    If the models are equally good, a group is as likely to favour one as the other by the same amount, so all 2^G
    sign patterns are equally likely (Fisher 1935). They are counted exactly, not sampled: the distribution of
    sum(+-s_g) has the characteristic function prod(cos(t s_g)), turned back by one FFT. Small thresholds of late
    looks can therefore be reached, and no seed is involved. Right-or-wrong credit without groups: McNemar's exact test.

    >>> better, worse = sign_flip(np.zeros(6), np.array([1.0, 1, 1, 1, 1, 0]))
    >>> round(better, 5), round(worse, 5)  # five won, none lost: 1/32
    (0.03125, 1.0)
    """
    cluster, size = number_groups(groups, len(old))
    sums = np.bincount(cluster, new - old, len(size))
    sums = sums[np.abs(sums) > 1e-9]
    if not len(sums):
        return 1.0, 1.0
    # multiples of the smallest (right or wrong: of 1) are counted as they are, so that ties stay ties; anything else
    # is rounded to a grid first, and the test is exact for the rounded values
    unit = np.abs(sums).min()
    grid = max(_GRID, 4 * len(sums))  # of more sums than steps each would be rounded to nothing
    even = np.abs(sums / unit - np.round(sums / unit)).max() < 1e-6 and np.abs(sums).sum() <= grid * unit
    steps = np.round(sums / unit if even else sums * (grid / np.abs(sums).sum())).astype(np.int64)
    reach = int(np.abs(steps).sum())
    sizes, times = np.unique(np.abs(steps), return_counts=True)
    length = 2 * reach + 1
    wave = np.ones(length // 2 + 1)
    angle = 2 * np.pi / length * np.arange(length // 2 + 1)
    for one, repeats in zip(sizes, times, strict=True):
        wave *= np.cos(angle * one) ** int(repeats)
    chance = np.maximum(np.fft.irfft(wave, length), 0)  # chance[s mod length] of the sum being s
    chance = np.roll(chance, reach) / chance.sum()
    seen = int(steps.sum()) + reach
    return min(1.0, float(chance[seen:].sum())), min(1.0, float(chance[: seen + 1].sum()))


def p_values(old: np.ndarray, new: np.ndarray, groups: Groups | None, found: Difference) -> tuple[float, float]:
    """One-sided p-values (new better, new worse): each the larger of the sign-flip test's and the t test's.

    Each guards where the other is weak: the t test needs many groups, the sign flips need that groups favour either
    model by equal amounts. If a new model gains a little in most groups and loses much in a few, sign flips alone
    are wrong 9 to 11 times in 100 at 5 %, both together 5 (tests/test_evaluate_compare.py plants such models).
    """
    better, worse = sign_flip(old, new, groups)
    t, freedom = found.middle / found.error, max(found.groups - 1, 1)
    return max(better, float(stdtr(freedom, -t))), max(worse, float(stdtr(freedom, t)))


def p_beyond(found: Difference, margin: float) -> float:
    """One-sided p-value of "the new model is worse by no more than `margin`": small when it clearly is."""
    return float(stdtr(max(found.groups - 1, 1), (found.middle + margin) / found.error))


def samples_to_tell(spread: float, gap: float, p: float, power: float = 0.8) -> int:
    """How many samples a one-sided test at level `p` needs to see a difference of `gap` with this power.

    The usual normal approximation, n = ((z_p + z_power) spread / gap)^2, with the spread (hence the discordance and
    the clustering) that was seen.

    >>> samples_to_tell(spread=0.3, gap=0.03, p=0.05)
    619
    """
    return math.ceil(((float(ndtri(1 - p)) + float(ndtri(power))) * spread / gap) ** 2)


def alpha_of_look(look: int, alpha: float) -> float:
    """The share of alpha that look k = 1, 2, ... may spend, so that all looks together spend no more: see compare.py.

    >>> [round(alpha_of_look(k, 0.05), 4) for k in (1, 2, 10)]
    [0.0304, 0.0076, 0.0003]
    """
    if look < 1:
        raise DataError(f"looks are counted from 1, not {look}")
    return alpha * 6 / (math.pi**2 * look**2)


def holm(p: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses fall when the chance of any false fall is to stay within alpha (Holm 1979).

    >>> holm([0.01, 0.04, 0.03], 0.05)
    [True, False, False]
    """
    return [corrected <= alpha for corrected in corrected_by_holm(p)]


def corrected_by_holm(p: Sequence[float]) -> list[float]:
    """For each hypothesis the smallest such alpha at which it falls.

    >>> corrected_by_holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, worst = [1.0] * len(p), 0.0
    for rank, row in enumerate(sorted(range(len(p)), key=lambda row: p[row])):
        worst = max(worst, min(1.0, p[row] * (len(p) - rank)))
        corrected[row] = worst
    return corrected


def _refuse_nonsense(old: np.ndarray, new: np.ndarray) -> None:
    if len(old) != len(new):
        raise DataError(f"the old model has {len(old)} credits and the new one {len(new)}, so they are not paired")
    if not len(old):
        raise DataError("there is nothing to compare: the locked set holds no labelled sample")
    both = np.concatenate([old, new])
    if not np.all((both >= 0) & (both <= 1)):
        raise DataError(f"credits must lie in [0, 1], not {both.min():g} to {both.max():g}")
