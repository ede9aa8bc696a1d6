"""The quick judge of labels: kernel ridge regression on what a thumbnail and a texture show. Seconds, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.prepare.features import colours, components, edges, palette
from snowroll.prepare.likeness import groups
from snowroll.prepare.view import View

_FOLDS = 5
_LANDMARKS = 1_000  # centres of the kernel: cost grows with their square, skill little beyond
_SPREAD = 0.5  # kernel width: squared, as a share of the median squared distance; digits: 0.25 finds a tenth fewer
_RIDGE = 1e-2  # relative to the mean kernel energy; digits: anything from 3e-4 to 1e-2 is as good at this width
_WIDTH = 64  # components
_AT_ONCE = 4_096  # samples, of which the distances are found together
_OF_ONE = 0.9  # of the samples in groups, from which a label is a group's rather than a sample's


def labelled(view: View, among: Sequence[int]) -> tuple[list[int], np.ndarray]:
    """Those of the rows whose label is a class, and their class numbers."""
    number = {name: k for k, name in enumerate(view.classes)}
    rows = [row for row in among if view.labels[row] in number]
    return rows, np.array([number[view.labels[row] or ""] for row in rows], np.int64)


def what_is_seen(view: View, rows: Sequence[int]) -> Iterator[np.ndarray]:
    """Features [n, D] of four kinds: where which colours and edges are, and which colours and textures at all. One at
    a time, for of many samples each is large.
    """
    thumbnails = view.thumbnails(rows)
    yield colours(thumbnails)
    yield edges(thumbnails)
    yield palette(thumbnails)
    yield view.textures(rows) / np.float32(255)


def kept_together(view: View, rows: Sequence[int], alike: Sequence[Sequence[int]]) -> np.ndarray:
    """[n] one number for all of a declared group, and for all that are alike: rows that may show one thing. In another
    fold they would vouch for a wrong label.
    """
    place_of = {row: place for place, row in enumerate(rows)}
    declared: dict[str, list[int]] = {}
    for row in rows:
        if (name := view.samples[row].group) is not None:
            declared.setdefault(name, []).append(row)
    told = ([place_of[row] for row in group if row in place_of] for group in (*declared.values(), *alike))
    pairs = np.array([(group[0], other) for group in told for other in group[1:]], np.int64).reshape(-1, 2)
    number = np.arange(len(rows))
    for group in groups(len(rows), pairs[:, 0], pairs[:, 1]):
        number[group] = group[0]
    return np.unique(number, return_inverse=True)[1]


def units(together: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[n] one number for all that has its label in common: a sample; or, where groups are nearly always of one label,
    all samples of a group that share it. What supports each other wrongly is then judged as one.

    >>> units(np.array([0, 0, 1, 1, 2]), np.array([4, 4, 5, 5, 5])).tolist()
    [0, 0, 1, 1, 2]
    >>> units(np.array([0, 0, 1, 1, 2]), np.array([4, 5, 5, 4, 5])).tolist()  # a speaker says several words
    [0, 1, 2, 3, 4]
    """
    alone = np.arange(len(labels))
    of_group = np.unique(together, return_inverse=True)[1]
    cell = np.unique(np.stack([of_group, labels]), axis=1, return_inverse=True)[1].reshape(-1)
    n_group, n_cell = np.bincount(of_group)[of_group], np.bincount(cell)[cell]
    in_groups = n_group > 1
    if not in_groups.any() or np.mean(n_cell[in_groups] == n_group[in_groups]) < _OF_ONE:
        return alone
    return cell


def means(scores: np.ndarray, unit_of: np.ndarray) -> np.ndarray:
    """[n, C] to [units, C]"""
    total = np.zeros((unit_of.max() + 1, scores.shape[1]))
    np.add.at(total, unit_of, scores)
    return total / np.bincount(unit_of)[:, None]


def likeness(n: int, parts: Iterable[np.ndarray], seed: int = 0) -> np.ndarray:
    """[n, m] float32: how like samples are to m landmarks drawn from them, 0 to 1: the mean over the parts in which
    samples differ of a Gaussian as wide as neighbours are apart. parts: features [n, D] of several kinds, with as much
    say each.
    """
    marks = np.random.default_rng(seed).choice(n, min(_LANDMARKS, n), replace=False)
    total, heard = np.zeros((n, len(marks)), np.float32), 0
    for part in parts:
        if np.ptp(part, axis=0).any():
            _add_gaussian(total, np.asarray(part, np.float32), marks)
            heard += 1
    total /= max(1, heard)
    return total if heard else total + 1


@dataclass(slots=True)
class Glances:
    """How like the samples of a view are by what is seen of them. The last answer is kept: two checks ask the same."""

    view: View
    _asked: tuple[list[int], int] | None = None
    _kept: np.ndarray | None = None

    def likeness(self, rows: list[int], seed: int = 0) -> np.ndarray:
        """[n, m] of these rows."""
        if self._kept is None or self._asked != (rows, seed):
            self._kept = None  # before the next is made: of many samples each is large
            self._asked, self._kept = (rows, seed), likeness(len(rows), what_is_seen(self.view, rows), seed)
        return self._kept


def out_of_fold(like: np.ndarray, labels: np.ndarray, together: np.ndarray, classes: int, seed: int = 0) -> np.ndarray:
    """[n, classes] scores of each sample by a model that was fitted on samples of other folds.

    like [n, m]; labels [n] class numbers; together [n]: samples with one number share a fold.
    """
    fold_of = np.arange(together.max() + 1) % _FOLDS
    folds = np.random.default_rng((seed, 1)).permutation(fold_of)[together]  # not by the draw that chose the landmarks
    scores = np.zeros((len(labels), classes), np.float32)
    for fold in range(_FOLDS):
        held = folds == fold
        if held.any() and not held.all():
            scores[held] = learnt_from(like, labels, ~held, classes)[held]
    return scores


def learnt_from(like: np.ndarray, labels: np.ndarray, inside: np.ndarray, classes: int) -> np.ndarray:
    """[n, classes] scores of all samples by ridge regression on those `inside` [n]."""
    targets = np.eye(classes, dtype=np.float32)[labels[inside]]
    seen, mean = like[inside], targets.mean(axis=0)
    gram = (seen.T @ seen).astype(np.float64)
    ridge = _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram + ridge, (seen.T @ (targets - mean)).astype(np.float64))
    return like @ weights.astype(np.float32) + mean


def _add_gaussian(total: np.ndarray, part: np.ndarray, marks: np.ndarray) -> None:
    low = components(part, _WIDTH).apply(part)
    at = low[marks]

    def squares(some: np.ndarray) -> np.ndarray:
        return ((some**2).sum(axis=1)[:, None] + (at**2).sum(axis=1) - 2 * some @ at.T).clip(0)

    width = np.median(squares(low[: len(marks)])) * _SPREAD + 1e-12
    for start in range(0, len(low), _AT_ONCE):
        total[start : start + _AT_ONCE] += np.exp(-squares(low[start : start + _AT_ONCE]) / width)
