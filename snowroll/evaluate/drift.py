"""Whether what comes in now still looks like what the model was judged on, and whether it is answered alike.

Two views, because either alone is blind to something: the inputs (features, by maximum mean discrepancy) and plain
measures of inputs and answers, such as brightness and doubt (by Kolmogorov-Smirnov each). Each gives a p-value, Holm's
correction joins them, and any that stands is an alarm, told with how large the change is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from snowroll.base.errors import DataError
from snowroll.evaluate.paired import corrected_by_holm

ALPHA = 0.01  # false alarms of a look that stands alone
ALPHA_OF_ALL = 0.05  # of all looks together, where there are many
_FEWEST = 20  # on either side; below it no test can say anything
_MOST = 2_000  # rows a side that the inputs' test sees; its power hardly grows beyond
_PERMUTATIONS = 1_000  # at once
_MOST_PERMUTATIONS = 100_000  # at about 0.1 ms each; enough for the 27th look at four tests
_WAVES = 256  # random Fourier features of the kernel (Rahimi and Recht 2007)
_WIDTH = 32  # components
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Comparison:
    """One two-sample test. `effect`: how large the change is, on the test's own scale; `words`: said plainly."""

    name: str
    p: float
    corrected: float  # Holm, over all tests of this look
    effect: float
    words: str


@dataclass(frozen=True, slots=True)
class Drift:
    """The verdict of one look. `strangest`: rows of the new side least like the old, to be shown and labelled."""

    alarm: bool
    alpha: float
    n_before: int
    n_now: int
    tests: tuple[Comparison, ...]
    strangest: tuple[int, ...]
    sentence: str


def drift(
    features_before: np.ndarray,
    features_now: np.ndarray,
    measures: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    alpha: float = ALPHA,
    seed: int = 0,
) -> Drift:
    """Compare a reference that the model did not train on (validation, test) with what came in since.

    features_* [n, D], [m, D]; measures: name -> ([n], [m]) plain numbers such as doubt, brightness and sharpness. Both
    sides are taken as independent samples: of a burst, pass one picture.
    """
    before, now = _rows(features_before), _rows(features_now)
    if min(len(before), len(now)) < _FEWEST:
        few = f"{len(before)} before and {len(now)} now"
        raise DataError(f"too few samples to judge drift: {few}", cure=f"wait for {_FEWEST} on each side")
    if before.shape[1] != now.shape[1]:
        raise DataError(f"features of {before.shape[1]} and of {now.shape[1]} numbers cannot be compared")
    numbers = {name: (_rows(a)[:, 0], _rows(b)[:, 0]) for name, (a, b) in (measures or {}).items()}
    # the brightness of a row is always one number: nothing to test, and a test more would make the others blunter
    tests = [_measure(name, a, b) for name, (a, b) in numbers.items() if np.ptp(np.concatenate([a, b])) > 0]
    found, strangest = _inputs(before, now, alpha, len(tests) + 1, seed)
    tests = [found, *tests]
    corrected = corrected_by_holm([test.p for test in tests])
    tests = [replace(test, corrected=p) for test, p in zip(tests, corrected, strict=True)]
    alarmed = sorted((test for test in tests if test.corrected <= alpha), key=lambda test: test.corrected)
    return Drift(
        bool(alarmed), alpha, len(before), len(now), tuple(tests), strangest, _sentence(alarmed, tests, len(now), alpha)
    )


def _rows(values: np.ndarray) -> np.ndarray:
    rows = np.asarray(values, np.float64)
    rows = rows.reshape(len(rows), -1)
    if not np.isfinite(rows).all():
        raise DataError("features or measures hold NaN or infinity", cure="check what the model says of these samples")
    return rows


def _inputs(
    before: np.ndarray, now: np.ndarray, alpha: float, tests: int, seed: int
) -> tuple[Comparison, tuple[int, ...]]:
    """Maximum mean discrepancy (Gretton et al. 2012) with permutations; and the strangest rows now.

    As many permutations as it takes to reach `alpha` as one of so many tests, and no more once it is out of reach.

    Components and kernel width come from both sides together, never from one: otherwise one side would be the one
    the components fit best, and the permutation would no longer be fair.
    """
    rng = np.random.default_rng(seed)
    picked = [np.sort(rng.permutation(len(side))[:_MOST]) for side in (before, now)]
    pooled = _whitened(np.concatenate([before[picked[0]], now[picked[1]]]))
    waves = _waves(pooled, rng)
    n = len(picked[0])
    p = _chance(waves, n, alpha, tests, rng)
    # what lies farthest along the direction in which the two sides differ
    witness = waves[n:] @ (waves[n:].mean(axis=0) - waves[:n].mean(axis=0))
    strangest = picked[1][np.argsort(-witness, kind="stable")[:_SHOWN]]
    gap = np.abs(pooled[n:].mean(axis=0) - pooled[:n].mean(axis=0))
    effect = float(gap.max())
    words = f"the inputs moved by {effect:.2f} standard deviations along the direction that changed most"
    return Comparison("inputs", p, p, effect, f"{words} ({_size(effect)})"), tuple(int(row) for row in strangest)


def _whitened(pooled: np.ndarray) -> np.ndarray:
    """[n, width] principal components in units of their standard deviation."""
    centred = pooled - pooled.mean(axis=0)
    if centred.shape[1] <= len(centred):
        values, axes = np.linalg.eigh(centred.T @ centred / len(centred))
    else:  # more features than rows: the same components from the small side
        values, left = np.linalg.eigh(centred @ centred.T / len(centred))
        axes = centred.T @ left / np.sqrt(np.maximum(values, 1e-30) * len(centred))
    order = np.argsort(-values)[:_WIDTH]
    order = order[values[order] > 1e-9 * max(float(values.max()), 1e-30)]
    if not len(order):
        return np.zeros((len(pooled), 1))
    return centred @ axes[:, order] / np.sqrt(values[order])


def _waves(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[n, 2 * _WAVES] features whose inner product is a Gaussian kernel, as wide as rows are apart (the median)."""
    some = rows[rng.permutation(len(rows))[:500]]
    squares = (some**2).sum(axis=1)[:, None] + (some**2).sum(axis=1) - 2 * some @ some.T
    width = np.sqrt(max(float(np.median(squares[np.triu_indices(len(some), 1)])), 1e-12))
    angles = rows @ (rng.standard_normal((rows.shape[1], _WAVES)) / width)
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / np.sqrt(_WAVES)


def _chance(waves: np.ndarray, n: int, alpha: float, tests: int, rng: np.random.Generator) -> float:
    """How often the means of the two sides lie as far apart when the sides are drawn anew."""
    is_first = np.zeros((1, len(waves)))
    is_first[0, :n] = 1
    observed = _discrepancies(waves, n, is_first)[0]
    wanted = int(np.clip(np.ceil(tests / alpha), _PERMUTATIONS, _MOST_PERMUTATIONS))
    drawn = beyond = 0
    while drawn < wanted - 1 and 1 + beyond <= alpha * wanted:
        sides = np.zeros((min(_PERMUTATIONS, wanted - 1 - drawn), len(waves)))
        for side in sides:
            side[rng.permutation(len(waves))[:n]] = 1
        beyond += int((_discrepancies(waves, n, sides) >= observed).sum())
        drawn += len(sides)
    return (1 + beyond) / (1 + drawn)


def _discrepancies(waves: np.ndarray, n: int, sides: np.ndarray) -> np.ndarray:
    """[s] squared distance of the two means for each way [s, rows] to choose the n rows of the first side."""
    total = waves.sum(axis=0)
    firsts = sides @ waves
    gaps = firsts / n - (total - firsts) / (len(waves) - n)
    # rounded, so that permutations of identical rows tie instead of differing in the last bit
    return np.round((gaps**2).sum(axis=1), 12)


def _measure(name: str, before: np.ndarray, now: np.ndarray) -> Comparison:
    from scipy.stats import ks_2samp

    found = tuple(ks_2samp(before, now))
    step = float(np.median(now) - np.median(before))
    gap, p = float(found[0]), float(found[1])
    way = "rose" if step > 0 else "fell"
    words = f"{name} {way} from {np.median(before):.3g} to {np.median(now):.3g} in the median ({_share(gap)})"
    return Comparison(name, p, p, gap, words)


def _size(deviations: float) -> str:
    """Cohen's words for a shift in standard deviations."""
    return "hardly" if deviations < 0.2 else "a little" if deviations < 0.5 else "clearly" if deviations < 1 else "far"


def _share(share: float) -> str:
    return "hardly" if share < 0.1 else "a little" if share < 0.25 else "clearly" if share < 0.5 else "far"


def _sentence(alarmed: list[Comparison], tests: list[Comparison], n: int, alpha: float) -> str:
    if not alarmed:
        low = min(test.corrected for test in tests)
        return f"no drift seen in {n:,} samples (smallest corrected p {low:.2g}, alarm at {alpha:g})"
    told = "; ".join(f"{test.words}, p {test.corrected:.2g}" for test in alarmed)
    return f"drift in {n:,} samples: {told}. Label some of the strangest before trusting the model on them"
