"""Whether pictures, and the names of their classes, know of up and down, left and right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from snowroll.base.nouns import Json

_ENOUGH = 40  # pictures, below which nothing can be said of their top and bottom
_ENOUGH_OF_A_CLASS = 10  # pictures; below, mirroring cannot be judged
_MOST = 2_000
_SIDES = re.compile(r"(?<![a-z])(left|right|links|rechts|gauche|droite)(?![a-z])", re.IGNORECASE)


def named_after_a_side(names: Iterable[str]) -> str:
    """The first class that tells left from right by its name, or "".

    >>> named_after_a_side(["stop", "turn_left"]), named_after_a_side(["bright"])
    ('turn_left', '')
    """
    return next((name for name in sorted(names) if _SIDES.search(name)), "")


def told_from_reflections(thumbnails: np.ndarray, seed: int = 0) -> float | None:
    """How often a linear probe tells a picture from itself upside down: 0.5 where pictures have no top (cells, parts
    seen from above), near 1 where gravity shows. None where there are too few.

    thumbnails: uint8 [n, S, S, 3]. Learnt on one half of the pictures, asked of the other.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    if len(thumbnails) < _ENOUGH:
        return None
    rows = np.random.default_rng(seed).permutation(len(thumbnails))[:_MOST]
    grey = thumbnails[rows].mean(axis=3)[:, ::2, ::2] / 255
    both = np.stack((grey, grey[:, ::-1]), axis=1).reshape(len(rows), 2, -1)
    half = len(rows) // 2
    is_turned = np.tile([0, 1], half)
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    probe.fit(both[:half].reshape(2 * half, -1), is_turned)
    # the two of a picture are asked about together: which of them looks more like the right way up?
    rest = both[half:]
    surer = probe.decision_function(rest.reshape(2 * len(rest), -1)).reshape(-1, 2)
    return round(float((surer[:, 0] < surer[:, 1]).mean()), 3)


def uprightness(thumbnails: np.ndarray, learnt: np.ndarray, seed: int = 0) -> np.ndarray:
    """[n] how much more each picture looks the right way up than mirrored top to bottom, by those `learnt` [n] bool:
    above 0 upright, around 0 where pictures have no top. Zeros where too few are learnt from.

    thumbnails: uint8 [n, S, S, 3]. A linear probe for each half of the learnt ones; no picture is asked by its own.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rows = np.random.default_rng(seed).permutation(np.flatnonzero(learnt))[:_MOST]
    if len(rows) < _ENOUGH:
        return np.zeros(len(thumbnails))
    grey = thumbnails.mean(axis=3)[:, ::2, ::2] / 255
    up, down = (side.reshape(len(grey), -1) for side in (grey, grey[:, ::-1]))
    told, heard = np.zeros(len(grey)), np.zeros(len(grey))
    for half in (rows[::2], rows[1::2]):
        probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        probe.fit(np.concatenate([up[half], down[half]]), np.repeat([1, 0], len(half)))
        asked = np.setdiff1d(np.arange(len(grey)), half)
        told[asked] += probe.decision_function(up[asked]) - probe.decision_function(down[asked])
        heard[asked] += 1
    return told / heard


def mirror_keeps_class(
    thumbnails: np.ndarray, targets: Sequence[Json], most: int = 3_000, seed: int = 0
) -> dict[str, Json]:
    """Whether a mirrored picture still looks like its class: the evidence for or against horizontal flips.

    thumbnails: uint8 [n, S, S, 3]. A linear probe learns the classes on one half; `plain` and `mirrored` are its
    accuracies on the other half as it is and mirrored. Where mirroring costs the probe most of what it knows beyond
    chance, left and right carry meaning (digits, letters, arrows, one-sided anatomy) and flips would teach errors.
    """
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    rng = np.random.default_rng(seed)
    names, classes = np.unique(np.asarray(targets, dtype=object).astype(str), return_inverse=True)
    rows = rng.permutation(len(classes))[:most]
    if len(names) < 2 or np.bincount(classes, minlength=len(names)).min() < _ENOUGH_OF_A_CLASS:
        return {"mirror": "unknown", "plain": None, "mirrored": None}
    half = len(rows) // 2
    learn, judge = rows[:half], rows[half:]
    pixels = thumbnails[..., ::2, ::2, :].astype(np.float32) / 255
    flat = pixels.reshape(len(pixels), -1)
    pca = PCA(n_components=min(40, half - 1, flat.shape[1]), random_state=seed).fit(flat[learn])
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(pca.transform(flat[learn]), classes[learn])
    plain = float(probe.score(pca.transform(flat[judge]), classes[judge]))
    mirror = pixels[judge][:, :, ::-1].reshape(len(judge), -1)
    mirrored = float(probe.score(pca.transform(mirror), classes[judge]))
    chance = float(np.bincount(classes[judge]).max() / len(judge))
    skill, kept = plain - chance, mirrored - chance
    # a probe that knows too little has nothing to lose
    verdict = "unknown" if skill < 0.1 else "kept" if kept > 0.5 * skill else "lost"
    return {"mirror": verdict, "plain": round(plain, 3), "mirrored": round(mirrored, 3)}
