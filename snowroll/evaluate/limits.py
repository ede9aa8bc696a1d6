"""From which score on something is odd: so that of what is not, no more than a stated share is told."""

from __future__ import annotations

from math import ceil

import numpy as np


def upper_limit(scores: np.ndarray, share: float) -> tuple[float, str]:
    """(limit, how it was found): the next score of what is not odd lies above it with a chance of `share` at most.

    By rank where there are enough, which asks nothing of their distribution (Vovk et al. 2005, conformal prediction):
    the k-th smallest of n with k = ceil((n + 1)(1 - share)). Of fewer, the prediction limit of a normal distribution
    of the logarithms: mean + t(n - 1) * deviation * sqrt(1 + 1/n).

    >>> upper_limit(np.arange(1.0, 100.0), 0.01)
    (99.0, 'rank')
    """
    n = len(scores)
    place = ceil((n + 1) * (1 - share) - 1e-9)
    if place <= n:
        return float(np.sort(scores)[place - 1]), "rank"
    from scipy.stats import t

    logs = np.log(np.maximum(scores, 1e-9))
    reach = float(t.ppf(1 - share, n - 1)) * float(logs.std(ddof=1)) * (1 + 1 / n) ** 0.5
    return float(np.exp(logs.mean() + reach)), "log-normal"
