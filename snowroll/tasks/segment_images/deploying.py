"""How a segmenting network is cut for export: raw RGB pixels in, a class for every pixel of the frame out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.resize import Framed
from snowroll.prepare.pictures import STANDARD
from snowroll.tasks.segment_images.answers import best_classes
from snowroll.tasks.segment_images.model import Seen
from snowroll.tasks.segment_images.options import SegmentOptions


class Body(nn.Module):
    """(float32 [B, 3, frame], int64 [B, 2]) -> label and sure [B, frame], size [B, 2]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        found = best_classes(self.model(Seen(image, size)))
        return found["label"], found["sure"], found["size"] + 0


def deployable(model: nn.Module, options: SegmentOptions, schema: Mapping[str, Json]) -> Deployable:
    """See base.task.Deployable."""
    wide, high = options.frame
    standard = (
        f"; inside the border, (level - mean) * {STANDARD.spread:g} / max(deviation, {STANDARD.least:g}) + "
        f"{STANDARD.mean:g}, rounded, mean and deviation being those of all its levels"
    )
    contract = {
        "input": "pixels: uint8 RGB [height, width, 3], any size",
        "resize": f"fitted into {wide} x {high} with a black border, triangle filter with antialias (as Pillow)"
        + standard * options.standard,
        "output": f"label: uint8 [batch, {high}, {wide}], number of the class in `classes`; sure: its probability "
        "times 255; size: int64 [batch, 2], width and height of the input, to cut the border off and to enlarge by",
        "classes": list(schema["classes"]),
    }
    return Deployable(
        prepare=Framed(options.frame, STANDARD if options.standard else None),
        body=Body(model),
        raw_example=torch.zeros(high + 5, wide + 9, 3, dtype=torch.uint8),
        raw_name="pixels",
        raw_axes={0: "height", 1: "width"},
        output_names=("label", "sure", "size"),
        contract=contract,
    )
