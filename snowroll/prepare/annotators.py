"""Whether somebody labels otherwise than the rest: a judge that saw no sample's label disagrees with them oftener."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.view import View, count

_FEWEST = 20  # labels of an annotator
_BY_CHANCE = 0.01  # probability, over all annotators together, below which a difference is told
_MORE = 0.05  # of the labels, by which more are disagreed with than of the others'. A guess


def annotator_faults(
    view: View, rows: Sequence[Sequence[int]], labels: np.ndarray, disagrees: np.ndarray, judge: str
) -> Iterator[Fault]:
    """One Fault for each annotator whose labels the judge disagrees with oftener than with the others'.

    rows [u]: the rows of the view that have one label together; labels [u] class numbers; disagrees [u] bool.
    """
    if not view.annotators:
        return
    who = [{view.annotators[row] for row in some} for some in rows]
    known = np.array([some != {None} for some in who])
    names = sorted({name for some in who for name in some if name is not None})
    theirs = {name: np.array([name in some for some in who]) for name in names}
    asked = [name for name in names if theirs[name].sum() >= _FEWEST and (known & ~theirs[name]).sum() >= _FEWEST]
    for name in asked:
        own, others = theirs[name], known & ~theirs[name]
        share, usual = disagrees[own].mean(), disagrees[others].mean()
        chance = min(1.0, len(asked) * so_many_by_chance(own[known], labels[known], disagrees[known]))
        if share - usual < _MORE or chance >= _BY_CHANCE:
            continue
        found = [row for k in np.flatnonzero(own & disagrees) for row in rows[int(k)] if view.annotators[row] == name]
        message = (
            f"{judge} disagrees with {share:.0%} of the {count(int(own.sum()), 'label')} by annotator '{name}' and "
            f"with {usual:.0%} of the others' (by chance: {chance:.1g}): they label otherwise, or had harder samples"
        )
        cure = "have another person label these again, and agree on what each class means"
        yield view.fault("annotator_differs", "warn", found, message, cure, 1 - chance, view.ask(found))


def so_many_by_chance(own: np.ndarray, labels: np.ndarray, disagrees: np.ndarray) -> float:
    """Probability that chance alone puts as many disagreements among one's own, class by class.

    Fisher's exact test, one-sided, over all classes at once: within each the count is hypergeometric, and so harder
    classes are no one's fault. own, disagrees [n] bool; labels [n].

    >>> own = np.arange(40) < 20
    >>> so_many_by_chance(own, np.zeros(40, int), np.arange(40) < 8) < 0.01
    True
    >>> so_many_by_chance(own, (~own).astype(int), np.arange(40) < 8)  # another class than the others'
    1.0
    """
    from scipy.stats import hypergeom

    spread = np.ones(1)
    for label in np.unique(labels):
        here = labels == label
        n, drawn, wrong = int(here.sum()), int((here & own).sum()), int((here & disagrees).sum())
        spread = np.convolve(spread, hypergeom.pmf(np.arange(min(drawn, wrong) + 1), n, wrong, drawn))
    return float(spread[int((own & disagrees).sum()) :].sum().clip(0, 1))
