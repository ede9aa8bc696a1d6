"""Labels that are probably wrong: a judge that never saw a sample's label disagrees with it, surely.

The judge is kernel ridge regression on thumbnails, out of fold, or networks of the task's own where the user gave them
time. How far it may be believed is measured on the spot: some labels are changed on purpose, which tells how much
wrong labels are doubted; beside how much all labels are, that gives the share of wrong ones and each one's probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.features import colours_and_edges, components
from snowroll.prepare.view import View, count

_FOLDS = 5
_LANDMARKS = 1_000  # centres of the kernel: cost grows with their square, skill little beyond
_PLANTED = 0.03  # share of labels changed on purpose in each trial
_TRIALS = 8
_SURE = 0.5  # probability from which a label is reported: it is rather wrong than right
_SKILL = 0.6  # of the way from chance to certainty that a judge must agree with the labels to be heard. A guess
_GOOD = 0.85  # likewise, for its doubts to be worth a look though they prove nothing
_LOOKED_THROUGH, _SHARE = 10, 0.02  # such doubts that are told: so many, or that share of the labels
_FLAT, _MOST = 1.35, 0.3  # see `share_wrong`
_FEW, _RARE = 3, 0.003  # suspects, and share of the labels, below which they are worth no more than a note
_THRICE = 5_000  # samples, up to which the quick judge is asked three times
_FEWEST = 50  # labelled samples
_SPREAD = 0.5  # kernel width: squared, as a share of the median squared distance; digits: 0.25 finds a tenth fewer
_RIDGE = 1e-2  # relative to the mean kernel energy; digits: anything from 3e-4 to 1e-2 is as good at this width
_WIDTH = 64  # components
_UNSURE = 1e-4  # probability below which a network's answers are all alike


def suspect_faults(view: View, kept_together: Sequence[Sequence[int]] = ()) -> Iterator[Fault]:
    """The suspected labels, surest first, and those that a good judge would not have given; nothing by a poor one."""
    rows, labels = _judged(view)
    if len(rows) < _FEWEST or len(set(labels.tolist())) < 2:
        return
    if view.opinions is not None:
        judges = [np.log(view.opinions[rows].clip(_UNSURE))]  # two that are nearly sure differ by how nearly
    else:
        features, together = colours_and_edges(view.thumbnails(rows)), _together(view, rows, kept_together)
        # where samples are few, what one way to deal out the folds suspects another may not
        judges = [probe(features, labels, together, seed) for seed in range(3 if len(rows) <= _THRICE else 1)]
    wrong = np.min([wrong_probability(scores, labels) for scores in judges], axis=0)
    scores = np.mean(judges, axis=0)
    doubt = _doubt(scores, labels)
    order = np.lexsort((-doubt, -wrong))  # the doubt tells apart what is equally probable
    judge = "a probe on thumbnails" if view.opinions is None else "networks"
    cure = "look at them and correct what is wrong; nothing is changed for you"
    sure = [k for k in order if wrong[k] >= _SURE]
    if sure:
        suspects, first = [rows[k] for k in sure], rows[sure[0]]
        message = (
            f"{count(len(suspects), 'label')} probably wrong, say {judge} that did not learn from them, surest first: "
            f"{view.where(first)} is labelled '{view.labels[first]}' (wrong with probability {wrong[sure[0]]:.2f})"
        )
        severity = "warn" if len(suspects) >= max(_FEW, _RARE * len(rows)) else "note"
        confidence = float(np.mean(wrong[sure]))
        yield view.fault("suspect_labels", severity, suspects, message, cure, confidence, view.ask(suspects))
    if _agreement(scores, labels) >= _GOOD:
        most = max(_LOOKED_THROUGH, round(_SHARE * len(rows)))
        other = [k for k in order[:most] if doubt[k] > 0 and wrong[k] < _SURE]
        if other:
            doubted, first = [rows[k] for k in other], rows[other[0]]
            message = (
                f"{count(len(doubted), 'more label')} that {judge} would not have given: {view.where(first)} is "
                f"labelled '{view.labels[first]}'; hard samples are among them"
            )
            confidence = float(np.mean(wrong[other]))
            yield view.fault("doubted_labels", "note", doubted, message, cure, confidence, view.ask(doubted))


def probe(features: np.ndarray, labels: np.ndarray, together: np.ndarray, seed: int = 0) -> np.ndarray:
    """[n, C] what kernel ridge regression says of each sample that was fitted on samples of other folds.

    features [n, D]; labels [n] class numbers; together [n]: samples with one number share a fold.
    """
    rng = np.random.default_rng(seed)
    return _out_of_fold(_kernel(features, rng), labels, _folds(together, rng))


def wrong_probability(scores: np.ndarray, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """[n] probability that each label is wrong: w f(d) / g(d) at its doubt d.

    f is the density of the doubts that planted errors meet, g that of all labels as they are, w the share of wrong
    ones. scores [n, C] by a judge that saw no sample's own label; labels [n] class numbers.
    """
    if _agreement(scores, labels) < _SKILL:
        return np.zeros(len(labels))  # whom the judge doubts then tells more of the judge
    rng = np.random.default_rng(seed)
    doubt = _doubt(scores, labels)
    versions = [_plant(labels, scores.shape[1], rng) for _ in range(_TRIALS)]
    planted = np.concatenate([_doubt(scores, version)[version != labels] for version in versions])
    return _density_ratio(planted, doubt, share_wrong(doubt, planted))(doubt)


def _agreement(scores: np.ndarray, labels: np.ndarray) -> float:
    """How far from chance (0) to certainty (1) the judge gives the labels that are there."""
    chance = np.sum((np.bincount(labels) / len(labels)) ** 2)
    return float((np.mean(scores.argmax(axis=1) == labels) - chance) / (1 - chance + 1e-12))


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
    reached = np.arange(0.15, 0.51, 0.05)  # beyond half of them, right labels are reached by good judges too
    # one more than were counted: where none were, a few may be
    above = np.array([1 + np.sum(doubt >= np.quantile(planted, 1 - r)) for r in reached]) / len(doubt)
    ratio = above / reached
    lowest = int(ratio.argmin())
    least = float(ratio[lowest])
    chance = 2 * math.sqrt(least / (len(doubt) * reached[lowest]))  # two standard errors of what was counted there
    is_flat = ratio[-1] <= _FLAT * (least + chance) and least <= _MOST
    return least if is_flat else min(least, _PLANTED) / 2


def _judged(view: View) -> tuple[list[int], np.ndarray]:
    """Rows with a known label that a judge has seen, and their class numbers."""
    number = {name: k for k, name in enumerate(view.classes)}
    opinions = view.opinions
    seen = view.readable() if opinions is None else np.flatnonzero(~np.isnan(opinions).any(axis=1)).tolist()
    rows = [row for row in seen if view.labels[row] in number]
    return rows, np.array([number[view.labels[row] or ""] for row in rows], np.int64)


def _together(view: View, rows: list[int], kept: Sequence[Sequence[int]]) -> np.ndarray:
    """[n] one number for each group and each set of copies: a copy in another fold would vouch for a wrong label."""
    names = {row: view.samples[row].group or f"#{row}" for row in rows}
    for group in kept:
        names.update({row: f"copies {group[0]}" for row in group if row in names})
    return np.unique([names[row] for row in rows], return_inverse=True)[1]


def _plant(labels: np.ndarray, classes: int, rng: np.random.Generator) -> np.ndarray:
    changed = labels.copy()
    rows = rng.choice(len(labels), max(3, round(_PLANTED * len(labels))), replace=False)
    changed[rows] = (changed[rows] + rng.integers(1, classes, len(rows))) % classes
    return changed


def _folds(together: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    fold_of = np.arange(together.max() + 1) % _FOLDS
    return rng.permutation(fold_of)[together]


def _kernel(features: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[n, m] similarity to m landmarks drawn from the data; Gaussian, as wide as neighbours are apart."""
    flat = np.asarray(features, np.float32).reshape(len(features), -1)
    low = components(flat, _WIDTH).apply(flat)
    marks = low[rng.choice(len(low), min(_LANDMARKS, len(low)), replace=False)]
    square = (low**2).sum(axis=1)[:, None] + (marks**2).sum(axis=1) - 2 * low @ marks.T
    width = np.median(square[: len(marks)]) * _SPREAD
    return np.exp(-square.clip(0) / (width + 1e-12)).astype(np.float32)


def _out_of_fold(kernel: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """[n, C] scores by models that saw none of the sample's fold."""
    m = kernel.shape[1]
    targets = np.eye(int(labels.max()) + 1, dtype=np.float32)[labels]
    scores = np.zeros_like(targets)
    for fold in range(_FOLDS):
        held = folds == fold
        if held.all() or not held.any():
            continue
        inside, aims = kernel[~held], targets[~held]
        gram = (inside.T @ inside).astype(np.float64)
        ridge = _RIDGE * np.trace(gram) / m
        mean = aims.mean(axis=0)
        weights = np.linalg.solve(gram + ridge * np.eye(m), (inside.T @ (aims - mean)).astype(np.float64))
        scores[held] = kernel[held] @ weights.astype(np.float32) + mean
    return scores


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
