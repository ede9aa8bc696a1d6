"""From logits to masks: torch for what is exported, numpy for what is served."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Prediction
from snowroll.prepare.mask_targets import as_target, unfitted

if TYPE_CHECKING:
    from torch import Tensor

    from snowroll.tasks.segment_images.model import Said


def best_classes(said: Said) -> Mapping[str, Tensor]:
    """label and sure: uint8 [B, H, W] in the frame: the best class of each pixel, its probability times 255; size."""
    import torch

    from snowroll.design.softmax import surest

    label, sure = surest(said.logits[0])
    return {"label": label.to(torch.uint8), "sure": (sure * 255).round().to(torch.uint8), "size": said.size}


def read(outputs: Mapping[str, np.ndarray], schema: Mapping[str, Json]) -> list[Prediction]:
    """Masks of the files' own sizes. Doubt: the share of the picture that one must expect to be wrong, doubled: half of
    the pixels wrong is as unsure as can be."""
    classes = schema["classes"]
    found = []
    for label, sure, size in zip(outputs["label"], outputs["sure"], outputs["size"], strict=True):
        if int(label.max(initial=0)) >= len(classes):
            told = f"the model knows class {int(label.max())}, and the schema has {len(classes)} classes"
            raise DataError(told, cure="use the schema the model was trained on")
        wide, high = int(size[0]), int(size[1])
        mask = unfitted(label.astype(np.uint8), (wide, high))
        certain = unfitted(sure.astype(np.uint8), (wide, high)).astype(np.float64).mean() / 255
        found.append(Prediction(as_target(mask, classes), float(certain), float(np.clip(2 * (1 - certain), 0, 1))))
    return found
