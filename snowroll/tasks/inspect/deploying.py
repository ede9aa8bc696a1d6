"""How an inspector is cut for export: raw RGB pixels in, a score and a heat map out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.resize import Resized
from snowroll.tasks.inspect.model import Said
from snowroll.tasks.inspect.options import InspectOptions


class Body(nn.Module):
    """float32 [B, 3, frame] -> score [B], map [B, h, w]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        said: Said = self.model(image)
        return said.score, said.unlike


def deployable(model: nn.Module, options: InspectOptions, schema: Mapping[str, Json]) -> Deployable:
    """See base.task.Deployable."""
    wide, high = options.frame
    contract = {
        "input": "pixels: uint8 RGB [height, width, 3], any size",
        "resize": f"stretch to {wide} x {high}, triangle filter with antialias (as Pillow)",
        "output": "score: float32 [batch], above 1 the part is faulty; map: float32 [batch, rows, columns] over the "
        "picture, how unlike good parts each place is",
        "classes": list(schema["classes"]),
    }
    return Deployable(
        prepare=Resized(options.frame, "stretch"),
        body=Body(model),
        raw_example=torch.zeros(high + 5, wide + 9, 3, dtype=torch.uint8),
        raw_name="pixels",
        raw_axes={0: "height", 1: "width"},
        output_names=("score", "map"),
        contract=contract,
    )
