"""What the planning rules want to know of a set of pictures with boxes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from snowroll.base.nouns import Json

_ENOUGH = 40  # pictures, below which nothing can be said of their top and bottom
_MOST = 2_000
_SIDES = re.compile(r"(?<![a-z])(left|right|links|rechts|gauche|droite)(?![a-z])", re.IGNORECASE)


def facts(
    width: np.ndarray, height: np.ndarray, grey: np.ndarray, thumbnails: np.ndarray, targets: Sequence[Json]
) -> dict[str, Json]:
    """Medians of the pictures, how small objects are, and what mirroring would do. thumbnails: uint8 [n, S, S, 3]."""
    sides = [_side(row["box"]) for target in targets for row in target if not row.get("ignore")]
    names = sorted({row["class"] for target in targets for row in target})
    return {
        "median_width": int(np.median(width)),
        "median_height": int(np.median(height)),
        "grey": bool(grey.mean() > 0.95),
        "objects": len(sides),
        "small_object_px": round(float(np.quantile(sides, 0.1)), 1) if sides else 32.0,
        "sided": next((name for name in names if _SIDES.search(name)), ""),
        "upright": told_from_reflections(thumbnails),
    }


def _side(box: Sequence[float]) -> float:
    """Of a square of the same area."""
    return max(0.0, (box[2] - box[0]) * (box[3] - box[1])) ** 0.5


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
