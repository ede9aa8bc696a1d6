"""How a classifier is cut for export: raw RGB pixels in, labelled probabilities out, everything inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.resize import PilResize
from snowroll.design.rules import ImageOptions
from snowroll.prepare.pictures import Fit


class Prepare(nn.Module):
    """uint8 RGB [H, W, 3] of any size -> float32 [1, 3, S, S] in [0, 1], as the pack holds it."""

    def __init__(self, size_px: int, fit: Fit) -> None:
        super().__init__()
        self.resize = PilResize(size_px, fit)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.resize(pixels).permute(2, 0, 1).unsqueeze(0) / 255


class Body(nn.Module):
    """float32 [B, 3, S, S] -> the outputs after post-processing. The model itself normalises."""

    def __init__(self, model: nn.Module, postprocess: Callable[[Tensor], Mapping[str, Tensor]]) -> None:
        super().__init__()
        self.model, self.postprocess = model, postprocess

    def forward(self, prepared: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.postprocess(self.model(prepared)).values())


def deployable(
    model: nn.Module,
    postprocess: Callable[[Tensor], Mapping[str, Tensor]],
    options: ImageOptions,
    schema: Mapping[str, Json],
) -> Deployable:
    """See base.task.Deployable."""
    contract = {
        "input": "pixels: uint8 RGB [height, width, 3], any size",
        "resize": f"{options.fit} to {options.size_px} x {options.size_px}, triangle filter with antialias (as Pillow)",
        "output": "probabilities: float32 [batch, classes], in the order of `classes`",
        "classes": list(schema["classes"]),
    }
    return Deployable(
        prepare=Prepare(options.size_px, options.fit),
        body=Body(model, postprocess),
        raw_example=torch.zeros(options.size_px + 5, options.size_px + 9, 3, dtype=torch.uint8),
        raw_name="pixels",
        raw_axes={0: "height", 1: "width"},
        output_names=("probabilities",),
        contract=contract,
    )
