"""Labels that are probably wrong: a probe that never saw a sample's label disagrees with it, surely.

The probe is kernel ridge regression on thumbnails (or on better features, where a model made them), out of fold.
How far it may be believed is measured on the spot: some labels are changed on purpose, and what share of its
alarms were such labels is the probability it reports. Where it cannot find those, it says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.features import colours, components
from snowroll.prepare.view import View, count

_FOLDS = 5
_LANDMARKS = 1_000  # centres of the kernel: cost grows with their square, skill little beyond
_PLANTED = 0.03  # share of labels changed on purpose in each trial
_TRIALS = 8
_SURE = 0.8  # probability from which a label is reported
_SKILL = 0.5  # share of the planted ones that must be found at that probability
# Where more labels seem to be wrong than are planted. Chosen on digits, cifar10 and trashnet with 0 to 25 % wrong: of
# clean sets under 1 % is suspected, and nothing where the probe has no skill
_SKILL_MANY = 0.6
_FLAT, _MOST = 1.35, 0.3  # see `share_wrong`
_FEWEST = 50  # labelled samples
_SPREAD = 0.5  # kernel width: squared, as a share of the median squared distance; digits: 0.25 finds a tenth fewer
_RIDGE = 1e-2  # relative to the mean kernel energy; digits: anything from 3e-4 to 1e-2 is as good at this width
_WIDTH = 64  # components


def suspect_faults(view: View, kept_together: Sequence[Sequence[int]] = ()) -> Iterator[Fault]:
    """One Fault that ranks the suspected labels, surest first; nothing where the probe has no real skill."""
    rows, labels = _judged(view)
    if len(rows) < _FEWEST or len(set(labels.tolist())) < 2:
        return
    features = colours(view.thumbnails(rows)) if view.features is None else np.asarray(view.features)[rows]
    together = _together(view, rows, kept_together)
    wrong, _ = wrong_probability(features, labels, together)
    order = [k for k in np.argsort(-wrong) if wrong[k] >= _SURE]
    if not order:
        return
    suspects = [rows[k] for k in order]
    first = suspects[0]
    message = (
        f"{count(len(suspects), 'label')} probably wrong, surest first: {view.where(first)} is labelled "
        f"'{view.labels[first]}' (wrong with probability {wrong[order[0]]:.2f})"
    )
    cure = "look at them and correct what is wrong; nothing is changed for you"
    sure = float(np.mean(wrong[order]))
    yield view.fault("suspect_labels", "warn", suspects, message, cure, sure, view.ask(suspects))


def wrong_probability(
    features: np.ndarray, labels: np.ndarray, together: np.ndarray, seed: int = 0
) -> tuple[np.ndarray, float]:
    """([n] probability that each label is wrong, share of planted errors found among those above `_SURE`).

    features [n, D]; labels [n] class numbers; together [n]: samples with one number share a fold.
    All zero where the probe finds too few of the errors planted for it.
    """
    rng = np.random.default_rng(seed)
    classes = int(labels.max()) + 1
    versions = [labels, *(_plant(labels, classes, rng) for _ in range(_TRIALS))]
    scores = _out_of_fold(_kernel(features, rng), versions, classes, _folds(together, rng))
    doubts = [_doubt(score, version) for score, version in zip(scores, versions, strict=True)]
    planted = np.concatenate([version != labels for version in versions[1:]])
    trial = np.concatenate(doubts[1:])
    wrong = share_wrong(doubts[0], trial[planted])
    # what the probe suspects in the labels as they are is perhaps wrong already: no example of a right label
    settled = planted | (np.tile(doubts[0], _TRIALS) < np.quantile(doubts[0], 1 - max(wrong, _PLANTED)))
    believed = _calibrate(trial[settled], planted[settled])
    found = float(np.mean(believed(trial[planted]) >= _SURE))
    is_skilled = found >= (_SKILL_MANY if wrong > _PLANTED else _SKILL)
    return (believed(doubts[0]) if is_skilled else np.zeros(len(labels))), found


def share_wrong(doubt: np.ndarray, planted: np.ndarray) -> float:
    """How many labels are wrong, 0 where the doubts [n] do not tell.

    A share w of wrong labels puts at least w times the share r of planted errors (their doubts are `planted`) above any
    threshold. If right labels hardly ever reach that high, the ratio is flat and is w; if it climbs with r, right
    labels are among them and nothing can be said.

    >>> rng = np.random.default_rng(0)
    >>> right, wrong = rng.normal(-2, 0.5, 9000), rng.normal(2, 0.5, 1000)
    >>> bool(0.08 < share_wrong(np.concatenate([right, wrong]), rng.normal(2, 0.5, 3000)) < 0.12)
    True
    >>> share_wrong(rng.normal(0, 1, 1000), rng.normal(0.5, 1, 300))
    0.0
    """
    reached = np.arange(0.15, 0.75, 0.05)
    above = np.array([np.mean(doubt >= np.quantile(planted, 1 - r)) for r in reached])
    ratio = above / reached
    least = float(ratio.min())
    return least if ratio[-1] <= _FLAT * least and least <= _MOST else 0.0


def _judged(view: View) -> tuple[list[int], np.ndarray]:
    """Rows with a known label and something to look at, and their class numbers."""
    number = {name: k for k, name in enumerate(view.classes)}
    seen = range(len(view)) if view.features is not None else view.readable()
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


def _out_of_fold(
    kernel: np.ndarray, versions: Sequence[np.ndarray], classes: int, folds: np.ndarray
) -> list[np.ndarray]:
    """For each version of the labels, [n, C] scores by models that saw none of the sample's fold.

    One factorisation a fold serves all versions: ridge regression is linear in the targets.
    """
    m = kernel.shape[1]
    targets = np.concatenate([np.eye(classes, dtype=np.float32)[version] for version in versions], axis=1)
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
    return [scores[:, k * classes : (k + 1) * classes] for k in range(len(versions))]


def _doubt(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[n] best other class's score less the given one's: above 0 the probe disagrees."""
    rows = np.arange(len(labels))
    given = scores[rows, labels]
    others = scores.copy()
    others[rows, labels] = -np.inf
    return others.max(axis=1) - given


def _calibrate(doubt: np.ndarray, planted: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Doubt to probability, rising: the share of planted errors at that doubt."""
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(doubt, planted.astype(float))
    return fitted.predict
