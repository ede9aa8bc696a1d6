"""Whether pictures, and the names of their classes, know of up and down, left and right."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np

_ENOUGH = 40  # pictures, below which nothing can be said of their top and bottom
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
