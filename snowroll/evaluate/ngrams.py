"""What counting alone can tell of a text: interpolated Kneser-Ney n-grams, the floor under a language model.

Chen & Goodman 1999, "An empirical study of smoothing techniques for language modeling", section 2.7 and equation 28,
with one discount an order, n1 / (n1 + 2 n2) (Ney et al. 1994). Plain numpy: an n-gram is one number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ORDER = 5


@dataclass(frozen=True, slots=True)
class Counts:
    """n-grams of one length: as numbers, in order, how often each counts; and the same of their beginnings."""

    grams: np.ndarray
    times: np.ndarray
    begins: np.ndarray  # what n - 1 tokens the grams begin with
    total: np.ndarray  # of the times of a beginning's grams
    kinds: np.ndarray  # how many different grams go on from it
    discount: float


@dataclass(frozen=True, slots=True)
class KneserNey:
    """`vocabulary` tokens, and one that stands before every text."""

    vocabulary: int
    orders: tuple[Counts, ...]  # of 1, 2 ... tokens

    @staticmethod
    def of(texts: np.ndarray, vocabulary: int, order: int = ORDER) -> KneserNey:
        """texts: int [n, T], -1 after the end of each. The order is lowered where n-grams do not fit into 62 bits."""
        while order > 1 and order * np.log2(vocabulary + 1) > 62:
            order -= 1
        base = vocabulary + 1
        grams, times = np.unique(_windows(texts, vocabulary, order), return_counts=True)
        orders = [_counts(grams, times, base)]
        for length in range(order - 1, 0, -1):
            # a shorter gram counts as often as there are different tokens before it
            grams, times = np.unique(orders[0].grams % base**length, return_counts=True)
            orders.insert(0, _counts(grams, times, base))
        return KneserNey(vocabulary, tuple(orders))

    def nats(self, texts: np.ndarray) -> np.ndarray:
        """[n] minus the logarithm of the probability of each text."""
        base, order = self.vocabulary + 1, len(self.orders)
        windows = _windows(texts, self.vocabulary, order)
        shares = np.full(len(windows), 1 / self.vocabulary)
        for length, counts in enumerate(self.orders, 1):
            grams = windows % base**length
            times = _looked_up(counts.grams, counts.times, grams)
            total = _looked_up(counts.begins, counts.total, grams // base)
            kinds = _looked_up(counts.begins, counts.kinds, grams // base)
            known = np.maximum(total, 1)
            seen = np.maximum(times - counts.discount, 0) / known + counts.discount * kinds / known * shares
            shares = np.where(total > 0, seen, shares)
        rows = np.nonzero(np.asarray(texts) >= 0)[0]
        return np.bincount(rows, -np.log(shares), minlength=len(texts))


def _windows(texts: np.ndarray, vocabulary: int, order: int) -> np.ndarray:
    """int64: each token with the order - 1 before it, as one number; row by row."""
    texts = np.asarray(texts, np.int64)
    base = vocabulary + 1
    told = np.pad(np.where(texts < 0, vocabulary, texts), ((0, 0), (order - 1, 0)), constant_values=vocabulary)
    whole = np.zeros(texts.shape, np.int64)
    for place in range(order):
        whole = whole * base + told[:, place : place + texts.shape[1]]
    return whole[texts >= 0]


def _counts(grams: np.ndarray, times: np.ndarray, base: int) -> Counts:
    begins, first = np.unique(grams // base, return_index=True)
    once, twice = int((times == 1).sum()), int((times == 2).sum())
    discount = once / (once + 2 * twice) if once and twice else 0.5
    total = np.add.reduceat(times, first) if len(first) else times
    kinds = np.diff(np.append(first, len(grams)))
    return Counts(grams, times, begins, total, kinds, discount)


def _looked_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The value of each wanted key; 0 where it is not there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64)
    places = np.searchsorted(keys, wanted).clip(0, len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)
