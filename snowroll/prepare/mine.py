"""Which unlabelled samples are worth a person's time: typical ones while labels are few, doubtful ones later.

A stated share is drawn at random, so that what comes back can also estimate accuracy and drift without bias.
Nothing is chosen that is nearly the same as a labelled sample or another choice.
Typical first (TypiClust, Hacohen et al. 2022, section 4), then margin ("Is margin all you need?", Bahri et al. 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

RANDOM_SHARE = 0.15
ENOUGH = 4  # labels a class from which doubt beats typicality; digits: the curves cross between 3 and 5
_NEIGHBOURS = 20  # that typicality looks at, as in the paper
_CLUSTERS = 500  # as many as the paper allows; beyond, clusters are single samples
_POOL = 20_000  # larger pools are thinned to this at random first: minutes, not hours, and no loss that can be seen
_BROADER = 6  # the doubtful are chosen among this many times as many, for their variety


@dataclass(frozen=True, slots=True)
class Pick:
    """One sample to label and the reason, as the label page shows it."""

    index: int  # row of the pool
    kind: Literal["typical", "doubt", "random"]
    why: str


def choose(
    k: int,
    doubt: np.ndarray | None,
    features: np.ndarray,
    labelled_features: np.ndarray,
    labelled_per_class: Sequence[int],
    near: float | None = None,
    seed: int = 0,
    random_share: float = RANDOM_SHARE,
) -> list[Pick]:
    """Up to k picks from the pool, fewer only where nothing else is left that differs.

    doubt [n] in [0, 1], or None before there is a model; features [n, D] and labelled_features [m, D]: alike
    samples lie close (Euclidean); labelled_per_class: how many labels each class has;
    near: distance below which two samples count as the same, None to take it from the data.
    """
    if not len(features):
        return []
    rng = np.random.default_rng(seed)
    pool = np.asarray(features, np.float64).reshape(len(features), -1)
    known = np.asarray(labelled_features, np.float64).reshape(len(labelled_features), pool.shape[1])
    near = _nearness(pool, rng) if near is None else near
    open_rows = np.arange(len(pool))
    if len(open_rows) > _POOL:
        open_rows = np.sort(rng.choice(open_rows, _POOL, replace=False))
    taken = _Taken(pool, known, near)
    blind = _randoms(round(k * random_share), open_rows, taken, rng)
    wanted = min(k, len(open_rows)) - len(blind)
    # the mean, not the smallest class: one that hardly occurs must not hold up all the others for ever
    if doubt is None or sum(labelled_per_class) <= (ENOUGH - 1) * len(labelled_per_class):
        picks = _typical(wanted, open_rows, pool, known, taken, rng)
    else:
        picks = _doubtful(wanted, open_rows, np.asarray(doubt), pool, taken, rng)
    return [*picks, *blind]


class _Taken:
    """What is labelled or chosen, to ask whether a row is nearly the same as any of it."""

    def __init__(self, pool: np.ndarray, known: np.ndarray, near: float) -> None:
        self.pool, self.near = pool, near
        self.points = list(known)
        self.rows: set[int] = set()

    def is_free(self, row: int) -> bool:
        if row in self.rows:
            return False
        return not self.points or float(_distances(self.pool[[row]], np.array(self.points)).min()) > self.near

    def take(self, row: int) -> bool:
        """Take the row if it is free; whether it was."""
        if not self.is_free(row):
            return False
        self.rows.add(row)
        self.points.append(self.pool[row])
        return True


def _randoms(k: int, rows: np.ndarray, taken: _Taken, rng: np.random.Generator) -> list[Pick]:
    why = "drawn at random, so that accuracy and drift can be judged without bias"
    found: list[Pick] = []
    for row in rng.permutation(rows).tolist():
        if len(found) == k:
            break
        if taken.take(row):
            found.append(Pick(row, "random", why))
    return found


def _typical(
    k: int, rows: np.ndarray, pool: np.ndarray, known: np.ndarray, taken: _Taken, rng: np.random.Generator
) -> list[Pick]:
    """One typical sample from each of the largest clusters that hold no label yet (TypiClust)."""
    everything = np.concatenate([known, pool[rows]])
    cluster = _clusters(everything, min(len(known) + k, _CLUSTERS, len(everything)), rng)
    typicality = _typicality(pool[rows])
    of_known, of_rows = cluster[: len(known)], cluster[len(known) :]
    sizes = np.bincount(of_rows, minlength=int(cluster.max()) + 1)
    labels = np.bincount(of_known, minlength=len(sizes))
    picks: list[Pick] = []
    while len(picks) < k and (sizes > 0).any():
        # fewest labels first, then the largest
        best = min(np.flatnonzero(sizes > 0).tolist(), key=lambda c: (labels[c], -sizes[c]))
        inside = np.flatnonzero(of_rows == best)
        row = next((int(rows[i]) for i in inside[np.argsort(-typicality[inside])] if taken.take(int(rows[i]))), None)
        if row is None:
            sizes[best] = 0
            continue
        labels[best] += 1
        beside = f"{len(inside):,} others" if len(inside) > 2 else "few others"
        why = f"typical of {beside} like it, while labels are few ({len(known):,} so far)"
        picks.append(Pick(row, "typical", why))
    return picks


def _doubtful(
    k: int, rows: np.ndarray, doubt: np.ndarray, pool: np.ndarray, taken: _Taken, rng: np.random.Generator
) -> list[Pick]:
    """The most doubtful, one from each cluster of the most doubtful, so that they are not all of one kind."""
    ranked = rows[np.argsort(-doubt[rows], kind="stable")]
    broad = ranked[: k * _BROADER]
    cluster = _clusters(pool[broad], min(k, len(broad)), rng)
    firsts = [int(broad[np.flatnonzero(cluster == c)[0]]) for c in range(int(cluster.max()) + 1)] if len(broad) else []
    picks: list[Pick] = []
    for row in [*sorted(firsts, key=lambda row: -doubt[row]), *ranked.tolist()]:
        if len(picks) == k:
            break
        if taken.take(row):
            surer = float(np.mean(doubt[rows] < doubt[row]))
            why = f"the model doubts it ({doubt[row]:.2f}) more than {surer:.0%} of the rest, unlike the other picks"
            picks.append(Pick(row, "doubt", why))
    return picks


def _clusters(points: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """[n] cluster numbers of k-means."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if k >= len(points) or k < 2:
        return np.arange(len(points)) if k >= len(points) else np.zeros(len(points), np.int64)
    kind = KMeans if len(points) * k < 5_000_000 else MiniBatchKMeans
    seed = int(rng.integers(2**31))
    return kind(k, n_init=1, random_state=seed).fit_predict(points)  # type: ignore[arg-type]


def _typicality(points: np.ndarray) -> np.ndarray:
    """[n] inverse mean distance to the nearest neighbours (Hacohen et al. 2022, eq. 1)."""
    from sklearn.neighbors import NearestNeighbors

    k = min(_NEIGHBOURS + 1, len(points))
    distances, _ = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(points)
    return 1 / (distances[:, 1:].mean(axis=1) + 1e-12) if k > 1 else np.ones(len(points))


def _nearness(pool: np.ndarray, rng: np.random.Generator) -> float:
    """A quarter of the usual distance to the nearest neighbour: closer is nearly the same sample."""
    if len(pool) < 2:
        return 0.0
    drawn = pool[rng.choice(len(pool), min(len(pool), 1_000), replace=False)]
    squares = _distances(drawn, drawn)
    np.fill_diagonal(squares, np.inf)
    return 0.25 * float(np.median(squares.min(axis=1)))


def _distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """[n, m] Euclidean."""
    square = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T
    return np.sqrt(square.clip(0))
