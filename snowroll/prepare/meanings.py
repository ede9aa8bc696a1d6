"""Whether a class is called the same in each split that the folder declares: folders that were numbered by another
program, or a list of names in another order, leave the figure wrong and the model blamed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.probe import (
    Glances,
    kept_together,
    labelled,
    learnt_from,
    means,
    out_of_fold,
    units,
)
from snowroll.prepare.view import View

_FEWEST = 50  # labelled samples to learn from
_MOVED = 3  # samples of a class that look like another
_BY_CHANCE = 1e-3  # of all pairs of classes together


def meaning_faults(view: View, alike: Sequence[Sequence[int]] = (), glances: Glances | None = None) -> Iterator[Fault]:
    """A class of a held-out split that looks like another class of the training split, and not by a general shift:
    what bears that other name there looks different again. alike: rows that may show one thing, and count once.
    """
    rows, labels = labelled(view, [row for row in view.readable() if view.samples[row].split is not None])
    splits = np.array([view.samples[row].split for row in rows])
    learnt = splits == "train" if rows else np.zeros(0, bool)
    if learnt.sum() < _FEWEST or learnt.all():
        return
    classes = len(view.classes)
    like, together = (glances or Glances(view)).likeness(rows), kept_together(view, rows, alike)
    scores = learnt_from(like, labels, learnt, classes)
    apart = np.unique(together[learnt], return_inverse=True)[1]
    scores[learnt] = out_of_fold(like[learnt], labels[learnt], apart, classes)
    unit_of = units(np.unique(np.stack([together, learnt]), axis=1, return_inverse=True)[1].reshape(-1), labels)
    first = np.unique(unit_of, return_index=True)[1]
    said = means(scores, unit_of).argmax(axis=1)

    def confusion(where: np.ndarray) -> np.ndarray:
        """[C, C] counts: given by seen."""
        chosen = where[first]
        return _counts(labels[first][chosen], said[chosen], classes)

    train = confusion(learnt)
    for split in sorted(set(splits[~learnt])):
        held = confusion(splits == split)
        found = moved(train, held)
        told_alone = {given for given, _ in found}
        for given, seen in found:
            of = (given,) if seen in told_alone else (given, seen)
            chosen = [rows[k] for k in np.flatnonzero((splits == split) & np.isin(labels, of))]
            one, other = view.classes[given], view.classes[seen]
            message = (
                f"in {split}, {held[given, seen]:,} of {held[given].sum():,} labelled '{one}' look like '{other}', as "
                f"{train[given, seen]:,} of {train[given].sum():,} do in train, and {held[seen, seen]:,} of "
                f"{held[seen].sum():,} labelled '{other}' do: are both the same classes in both?"
            )
            cure = "compare how the classes are numbered or named in the splits, and rename them where they differ"
            yield view.fault("classes_renamed", "warn", chosen, message, cure, 0.9, view.ask(chosen))


def moved(train: np.ndarray, held: np.ndarray) -> list[tuple[int, int]]:
    """(given, seen) classes of which most that are called `given` in the held-out part look like `seen`, far beyond
    what is usual in training, while most that are called `seen` there do not. Counts [C, C]: given by seen.

    >>> usual = np.array([[18, 2, 0], [1, 19, 0], [0, 2, 18]])
    >>> moved(usual, np.array([[1, 9, 0], [10, 0, 0], [0, 0, 10]]))  # two are swapped
    [(0, 1), (1, 0)]
    >>> moved(usual, np.array([[1, 9, 0], [0, 10, 0], [0, 0, 10]]))  # another camera: more looks like the second
    []
    """
    from scipy.stats import binom

    classes = len(train)
    found = []
    for given, seen in np.argwhere(held >= _MOVED).tolist():
        n, k = int(held[given].sum()), int(held[given, seen])
        if given == seen or 2 * k <= n or 2 * held[seen, seen] > held[seen].sum():
            continue
        share = (train[given, seen] + 1) / (train[given].sum() + 2)
        if binom.sf(k - 1, n, share) * classes * (classes - 1) < _BY_CHANCE:
            found.append((given, seen))
    return found


def _counts(labels: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """[C, C]"""
    return np.bincount(labels * classes + said, minlength=classes**2).reshape(classes, classes)
