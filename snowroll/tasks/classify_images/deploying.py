"""How a classifier is cut for export: raw RGB pixels in, labelled probabilities out, everything inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.halves import Body
from snowroll.deploy.resize import Resized
from snowroll.design.rules import ImageOptions


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
        prepare=Resized(options.size_px, options.fit),
        body=Body(model, postprocess),
        raw_example=torch.zeros(options.size_px + 5, options.size_px + 9, 3, dtype=torch.uint8),
        raw_name="pixels",
        raw_axes={0: "height", 1: "width"},
        output_names=("probabilities",),
        contract=contract,
    )
