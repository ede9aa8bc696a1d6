"""How a detector is cut for export: raw RGB pixels in, objects in the file's own pixels out, suppression inside."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.resize import PilResize
from snowroll.tasks.detect_objects.answers import best_objects
from snowroll.tasks.detect_objects.boxes import Seen
from snowroll.tasks.detect_objects.options import DetectOptions


class Prepare(nn.Module):
    """uint8 RGB [H, W, 3] of any size -> (float32 [1, 3, frame] in [0, 1], int64 [1, 2] width and height)."""

    def __init__(self, frame: tuple[int, int]) -> None:
        super().__init__()
        self.resize = PilResize(frame, "pad")

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        # counted from a range: traced, they stay functions of the input's shape
        height, width = (torch.arange(pixels.shape[axis])[-1] + 1 for axis in (0, 1))
        size = torch.stack((width, height)).unsqueeze(0)
        return self.resize(pixels).permute(2, 0, 1).unsqueeze(0) / 255, size


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
        prepare=Prepare(options.frame),
        body=Body(model, options),
        raw_example=torch.zeros(high + 5, wide + 9, 3, dtype=torch.uint8),
        raw_name="pixels",
        raw_axes={0: "height", 1: "width"},
        output_names=("objects",),
        contract=contract,
    )
