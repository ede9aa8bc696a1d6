"""What the planning rules want to know of a set of pictures with boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snowroll.base.nouns import Json
from snowroll.prepare.reflections import named_after_a_side, told_from_reflections


def facts(
    width: np.ndarray, height: np.ndarray, grey: np.ndarray, thumbnails: np.ndarray, targets: Sequence[Json]
) -> dict[str, Json]:
    """Medians of the pictures, how small objects are, and what mirroring would do. thumbnails: uint8 [n, S, S, 3]."""
    sides = [_side(row["box"]) for target in targets for row in target if not row.get("ignore")]
    return {
        "median_width": int(np.median(width)),
        "median_height": int(np.median(height)),
        "grey": bool(grey.mean() > 0.95),
        "objects": len(sides),
        "small_object_px": round(float(np.quantile(sides, 0.1)), 1) if sides else 32.0,
        "sided": named_after_a_side({row["class"] for target in targets for row in target}),
        "upright": told_from_reflections(thumbnails),
    }


def _side(box: Sequence[float]) -> float:
    """Of a square of the same area."""
    return max(0.0, (box[2] - box[0]) * (box[3] - box[1])) ** 0.5
