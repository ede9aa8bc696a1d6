"""Where the lines of two parallel files no longer stand side by side, as the lengths of their sentences tell it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_LINES = 3  # of a shift that is looked for
LEAST = 30  # lines of a stretch that is told
# standard errors by which a stretch must fit better than in place: Multi30k's pairs, all or 300 of them, stay below 1,
# sentences side by side by chance below 5
SURE = 6.0
_CAP = 1.0  # of one line's misfit, in units of the logarithm: no single line speaks for a stretch


@dataclass(frozen=True, slots=True)
class Stretch:
    """Lines from `first` to `last` whose translations stand `by` lines further down (below 0: up)."""

    first: int
    last: int
    by: int


def shifted(lines: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> Stretch | None:
    """The stretch that fits surest with a shift; None: everything fits best in place.

    lines: numbers of the lines, rising; sources, targets: characters of their sentences. A sentence's translation has
    about its length (Gale & Church 1993); what is told is how much nearer it is a few lines further on.
    """
    if len(lines) < LEAST:
        return None
    first, n = int(lines[0]), int(lines[-1] - lines[0]) + 1
    at = lines.astype(np.int64) - first
    source, target = np.full(n, np.nan), np.full(n, np.nan)
    source[at], target[at] = np.log(sources + 5.0), np.log(targets + 5.0)
    usual = np.nanmedian(target - source)
    in_place = np.minimum(np.abs(target - source - usual), _CAP)
    best, surest = None, SURE
    for by in (*range(-MOST_LINES, 0), *range(1, MOST_LINES + 1)):
        moved = np.full(n, np.nan)
        if by > 0:
            moved[:-by] = target[by:]
        else:
            moved[-by:] = target[:by]
        gain = np.nan_to_num(in_place - np.minimum(np.abs(moved - source - usual), _CAP))
        start, stop = _best_stretch(gain)
        some = gain[start:stop]
        if len(some) < LEAST or not some.any():
            continue
        sure = float(some.sum() / np.sqrt((some**2).sum()))
        if sure > surest:
            best, surest = Stretch(first + start, first + stop - 1, by), sure
    return best


def _best_stretch(gain: np.ndarray) -> tuple[int, int]:
    """[start, stop) of the largest sum.

    >>> _best_stretch(np.array([-1.0, 2.0, -1.0, 3.0, -5.0, 1.0]))
    (1, 4)
    """
    sums = np.concatenate([[0.0], gain.cumsum()])
    lowest = np.minimum.accumulate(sums)
    stop = int((sums - lowest).argmax())
    return int(sums[: stop + 1].argmin()), stop
