"""Labels that are probably wrong: a judge that never saw a sample's label disagrees with it, surely.

The judge is the quick probe, out of fold, or networks of the task's own where the user gave them time. How far it may
be believed is measured on the spot: some labels are changed on purpose, which tells how much wrong labels are doubted;
beside how much all labels are, that gives the share of wrong ones and each one's probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.annotators import annotator_faults
from snowroll.prepare.probe import Glances, kept_together, labelled, means, out_of_fold, units
from snowroll.prepare.view import View, count

_PLANTED = 0.03  # share of labels changed on purpose in each trial
_TRIALS = 8
_SURE = 0.5  # probability from which a label is reported: it is rather wrong than right
_SKILL = 0.7  # of the way from chance to certainty that a judge must agree with right labels to be believed. A guess
_USEFUL = 0.6  # likewise, for its doubts to be worth a look though they prove nothing
_FLAT, _MOST = 1.35, 0.3  # see `share_wrong`
_REACHED = np.arange(0.15, 0.51, 0.05)  # shares of the planted errors; beyond, right labels are doubted as much
_FEW, _RARE = 3, 0.003  # suspects, and share of the labels, below which they are worth no more than a note
_THRICE = 5_000  # samples, up to which the quick judge is asked three times
_FEWEST = 50  # labelled samples
_UNSURE = 1e-4  # probability below which a network's answers are all alike


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What was said of all that has one label each: a sample, or a group of them."""

    judge: str
    rows: list[list[int]]  # of the view, [u]
    labels: np.ndarray  # [u] class numbers
    scores: list[np.ndarray]  # [u, C], of each judge


def suspect_faults(view: View, alike: Sequence[Sequence[int]] = (), glances: Glances | None = None) -> Iterator[Fault]:
    """Annotators unlike the others; the suspected labels, surest first, and those that a good judge would least have
    given; nothing by a poor one.

    alike: rows that may show one thing; none of them is judged by what was learnt from another.
    """
    if (said := _judged(view, alike, glances or Glances(view))) is None:
        return
    labels, scores = said.labels, np.mean(said.scores, axis=0)
    yield from annotator_faults(view, said.rows, labels, scores.argmax(axis=1) != labels, said.judge)
    wrong = np.min([wrong_probability(one, labels) for one in said.scores], axis=0)
    doubt, planted = _doubts(scores, labels)
    order = np.lexsort((-doubt, -wrong))  # the doubt tells apart what is equally probable
    cure = "look at them and correct what is wrong; nothing is changed for you"
    sure = [k for k in order if wrong[k] >= _SURE]
    if sure:
        suspects = [row for k in sure for row in said.rows[k]]
        message = (
            f"{count(len(suspects), 'label')} probably wrong, say {said.judge} that did not learn from them, surest "
            f"first: {_named(view, suspects[0])} (wrong with probability {wrong[sure[0]]:.2f})"
        )
        severity = "warn" if len(suspects) >= max(_FEW, _RARE * len(view)) else "note"
        confidence = float(np.mean(wrong[sure]))
        yield view.fault("suspect_labels", severity, suspects, message, cure, confidence, view.ask(suspects))
    if _skill(scores, labels, share_wrong(doubt, planted)) < _USEFUL:
        return
    most = most_wrong(doubt, planted)
    other = [k for k in order[: round(most * len(doubt))] if doubt[k] > 0 and wrong[k] < _SURE]
    if other:
        doubted, called = [row for k in other for row in said.rows[k]], "more label" if sure else "label"
        message = (
            f"{count(len(doubted), called)} that {said.judge} would least have given, where {most:.1%} may be wrong: "
            f"{_named(view, doubted[0])}; hard samples are among them"
        )
        confidence = float(np.mean(wrong[other]))
        yield view.fault("doubted_labels", "note", doubted, message, cure, confidence, view.ask(doubted))


def _judged(view: View, alike: Sequence[Sequence[int]], glances: Glances) -> Judgement | None:
    """By networks where they were asked, else by the quick probe; None where there is too little to tell apart."""
    opinions = view.opinions
    seen = view.readable() if opinions is None else np.flatnonzero(~np.isnan(opinions).any(axis=1)).tolist()
    rows, labels = labelled(view, seen)
    if len(rows) < _FEWEST or len(set(labels.tolist())) < 2:
        return None
    together = kept_together(view, rows, alike)
    if opinions is not None:
        judge = "networks"
        scores = [np.log(opinions[rows].clip(_UNSURE))]  # two that are nearly sure differ by how nearly
    else:
        judge = "a probe on thumbnails"
        # where samples are few, what one way to deal out the folds suspects another may not
        seeds = range(3 if len(rows) <= _THRICE else 1)
        likes = (glances.likeness(rows, seed) for seed in seeds)
        classes = len(view.classes)
        scores = [out_of_fold(like, labels, together, classes, seed) for like, seed in zip(likes, seeds, strict=True)]
    unit_of = units(together, labels)
    order = np.argsort(unit_of, kind="stable")
    members = np.split(np.array(rows)[order], np.cumsum(np.bincount(unit_of))[:-1])
    first = np.unique(unit_of, return_index=True)[1]
    of_units = [means(one, unit_of) for one in scores]
    return Judgement(judge, [some.tolist() for some in members], labels[first], of_units)


def _named(view: View, row: int) -> str:
    return f"{view.where(row)} is labelled '{view.labels[row]}'"


def wrong_probability(scores: np.ndarray, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """[n] probability that each label is wrong: w f(d) / g(d) at its doubt d.

    f is the density of the doubts that planted errors meet, g that of all labels as they are, w the share of wrong
    ones. scores [n, C] by a judge that saw no sample's own label; labels [n] class numbers.
    """
    doubt, planted = _doubts(scores, labels, seed)
    share = share_wrong(doubt, planted)
    if _skill(scores, labels, share) < _SKILL:
        return np.zeros(len(labels))  # whom the judge doubts then tells more of the judge
    return _density_ratio(planted, doubt, share)(doubt)


def _doubts(scores: np.ndarray, labels: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """([n], [m]) the doubt that each label meets, and those that errors planted on purpose would."""
    rng = np.random.default_rng(seed)
    versions = [_plant(labels, scores.shape[1], rng) for _ in range(_TRIALS)]
    planted = [_doubt(scores, version)[version != labels] for version in versions]
    return _doubt(scores, labels), np.concatenate(planted)


def _skill(scores: np.ndarray, labels: np.ndarray, wrong: float) -> float:
    """How far from chance (0) to certainty (1) the judge gives those labels that are right: all but a share `wrong`."""
    chance = np.sum((np.bincount(labels) / len(labels)) ** 2)
    agreement = (np.mean(scores.argmax(axis=1) == labels) - chance) / (1 - chance + 1e-12)
    return float(agreement / (1 - wrong))


def share_wrong(doubt: np.ndarray, planted: np.ndarray) -> float:
    """How many labels are wrong, or less where the doubts [n] hardly tell.

    A share w of wrong labels puts at least w times the share r of planted errors (their doubts are `planted`) above any
    threshold. If right labels hardly ever reach that high, the ratio is flat and is w; if it climbs with r, right
    labels are among them and w is only known to be less.

    >>> rng = np.random.default_rng(0)
    >>> right, wrong = rng.normal(-2, 0.5, 9000), rng.normal(2, 0.5, 1000)
    >>> bool(0.08 < share_wrong(np.concatenate([right, wrong]), rng.normal(2, 0.5, 3000)) < 0.12)
    True
    >>> share_wrong(rng.normal(0, 1, 1000), rng.normal(0.5, 1, 300)) <= _PLANTED / 2
    True
    """
    # one more than were counted: where none were, a few may be
    ratio = (1 + _above(doubt, planted)) / (len(doubt) * _REACHED)
    lowest = int(ratio.argmin())
    least = float(ratio[lowest])
    chance = 2 * math.sqrt(least / (len(doubt) * _REACHED[lowest]))  # two standard errors of what was counted there
    is_flat = ratio[-1] <= _FLAT * (least + chance) and least <= _MOST
    return least if is_flat else min(least, _PLANTED) / 2


def most_wrong(doubt: np.ndarray, planted: np.ndarray) -> float:
    """The largest share of labels that can be wrong, with 95 % confidence, were they as much doubted as planted ones.

    The upper limit of what was counted above a threshold (Poisson; Garwood 1936), over the share of the planted errors
    that lie there: the least that any threshold allows.

    >>> rng = np.random.default_rng(0)
    >>> right, wrong = rng.normal(-2, 0.5, 9000), rng.normal(2, 0.5, 1000)
    >>> bool(0.09 < most_wrong(np.concatenate([right, wrong]), rng.normal(2, 0.5, 3000)) < 0.12)
    True
    """
    from scipy.stats import chi2

    limit = chi2.ppf(0.95, 2 * (_above(doubt, planted) + 1)) / 2
    return min(1.0, float((limit / (len(doubt) * _REACHED)).min()))


def _above(doubt: np.ndarray, planted: np.ndarray) -> np.ndarray:
    """How many doubts are as high as those of each share of the planted errors."""
    return np.array([np.sum(doubt >= np.quantile(planted, 1 - share)) for share in _REACHED])


def _plant(labels: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    changed = labels.copy()
    rows = rng.choice(len(labels), max(3, round(_PLANTED * len(labels))), replace=False)
    changed[rows] = (changed[rows] + rng.integers(1, classes, len(rows))) % classes
    return changed


def _doubt(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[n] best other class's score less the given one's: above 0 the judge disagrees."""
    rows = np.arange(len(labels))
    given = scores[rows, labels]
    others = scores.copy()
    others[rows, labels] = -np.inf
    return others.max(axis=1) - given


def _density_ratio(planted: np.ndarray, doubt: np.ndarray, share: float) -> Callable[[np.ndarray], np.ndarray]:
    """Doubt to `share` times the density of the planted errors' doubts over that of all; rising, 1 at most."""
    from sklearn.isotonic import IsotonicRegression

    ours = np.concatenate([np.ones(len(planted)), np.zeros(len(doubt))])
    weight = np.where(ours == 1, share * len(doubt) / len(planted), 1.0)
    fitted = IsotonicRegression(y_min=0, y_max=0.5, out_of_bounds="clip")
    fitted.fit(np.concatenate([planted, doubt]), ours, sample_weight=weight)

    def probability(asked: np.ndarray) -> np.ndarray:
        odds = fitted.predict(asked)
        return odds / (1 - odds)

    return probability
