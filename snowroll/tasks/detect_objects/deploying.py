"""How a detector is cut for export: raw RGB pixels in, objects in the file's own pixels out, suppression inside."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.resize import Framed
from snowroll.tasks.detect_objects.answers import best_objects
from snowroll.tasks.detect_objects.boxes import Seen
from snowroll.tasks.detect_objects.options import DetectOptions


class Body(nn.Module):
    """(float32 [B, 3, frame], int64 [B, 2]) -> objects [B, K, 6]. The model itself normalises."""

    def __init__(self, model: nn.Module, options: DetectOptions) -> None:
        super().__init__()
        self.model, self.options = model, options

    def forward(self, image: Tensor, size: Tensor) -> tuple[Tensor]:
        return (best_objects(self.model(Seen(image, size)), self.options),)


def deployable(model: nn.Module, options: DetectOptions, schema: Mapping[str, Json]) -> Deployable:
    """See base.task.Deployable."""
    wide, high = options.frame
    contract = {
        "input": "pixels: uint8 RGB [height, width, 3], any size",
        "resize": f"fitted into {wide} x {high} with a black border, triangle filter with antialias (as Pillow)",
        "output": "objects: float32 [batch, objects, 6]: left, top, right, bottom in pixels of the input, score, "
        "number of the class in `classes`; surest first, a score of 0 is no object",
        "classes": list(schema["classes"]),
    }
    return Deployable(
        prepare=Framed(options.frame),
        body=Body(model, options),
        raw_example=torch.zeros(high + 5, wide + 9, 3, dtype=torch.uint8),
        raw_name="pixels",
        raw_axes={0: "height", 1: "width"},
        output_names=("objects",),
        contract=contract,
    )
