"""From logits to masks of volumes: torch for what is exported, numpy for what is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Prediction
from snowroll.tasks.medical.fitting import Triple, unfitted
from snowroll.tasks.medical.masks.volumes import as_volume

if TYPE_CHECKING:
    from torch import Tensor

    from snowroll.tasks.medical.masks.model import Said


def best_classes(said: Said) -> Mapping[str, Tensor]:
    """label: uint8 [B, *frame], the best class of each voxel; sure: float32, its probability; shape; mm."""
    import torch

    from snowroll.design.softmax import surest

    label, sure = surest(said.logits[0])
    return {
        "label": label.to(torch.uint8),
        "sure": sure,
        "shape": said.shape,
        "mm": said.spacing,
    }


def read(outputs: Mapping[str, np.ndarray], schema: Mapping[str, Json], target: Triple) -> list[Prediction]:
    """Masks on the scans' own grids. Doubt: the share of the voxels that one must expect to be wrong, doubled."""
    classes = schema["classes"]
    found = []
    columns = (outputs[name] for name in ("label", "sure", "shape", "mm"))
    for label, sure, shape, spacing in zip(*columns, strict=True):
        if int(label.max(initial=0)) >= len(classes):
            told = f"the model knows class {int(label.max())}, and the schema has {len(classes)} classes"
            raise DataError(told, cure="use the schema the model was trained on")
        sides = [int(side) for side in shape]
        mm = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
        mask = unfitted(label.astype(np.uint8), sides, mm, target)
        certain = unfitted(sure, sides, mm, target).astype(np.float64).mean()
        doubt = float(np.clip(2 * (1 - certain), 0, 1))
        found.append(Prediction(as_volume(mask, classes, mm), float(certain), doubt))
    return found
