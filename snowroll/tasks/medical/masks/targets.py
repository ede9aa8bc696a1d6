"""Targets in the frames of a pack, and as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns
from snowroll.prepare.mask_targets import IGNORED, as_target
from snowroll.tasks.medical.fitting import Triple, fitted_labels
from snowroll.tasks.medical.looking import mosaic
from snowroll.tasks.medical.masks.volumes import numbered_volume

if TYPE_CHECKING:
    from PIL.Image import Image


def in_frames(targets: Sequence[Json], schema: Mapping[str, Json], columns: Columns) -> np.ndarray:
    """uint8 [n, *frame]. Where a mask has another grid than its scan, the scan's is what it is stretched over."""
    frame = columns["image"].shape[1:4]
    masks = np.empty((len(targets), *frame), np.uint8)
    for row, one in enumerate(targets):
        spacing, target = (_three(columns[name][row]) for name in ("spacing", "target"))
        labels = numbered_volume(one, schema["classes"])
        masks[row] = fitted_labels(labels, spacing, frame=frame, target=target, outside=IGNORED)
    return masks


def _three(values: np.ndarray) -> Triple:
    return (float(values[0]), float(values[1]), float(values[2]))


def drawn_row(image: Image, mask: np.ndarray, classes: Sequence[str]) -> Image:
    """Slices side by side, under the mask [D, H, W] of numbers."""
    from snowroll.prepare.mask_pictures import drawn

    target = as_target(mosaic(mask, IGNORED), classes)
    return drawn(np.asarray(image.convert("RGB")), target, None, {"classes": list(classes)})
