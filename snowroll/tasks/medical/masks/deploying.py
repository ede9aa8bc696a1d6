"""How a network over volumes is cut for export: voxels and spacing in, a class for every voxel of the frame out."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.tasks.medical.deploying import Fitted, inputs_of, raw_of
from snowroll.tasks.medical.masks.answers import best_classes
from snowroll.tasks.medical.masks.model import Seen
from snowroll.tasks.medical.masks.options import MaskOptions


class Body(nn.Module):
    """(float32 [B, C, *frame], int64 [B, 3], float32 [B, 3]) -> label and sure [B, *frame], shape and mm [B, 3]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, shape: Tensor, spacing: Tensor) -> tuple[Tensor, ...]:
        found = best_classes(self.model(Seen(image, shape, spacing)))
        return found["label"], found["sure"], found["shape"] + 0, found["mm"] + 0


def deployable(model: nn.Module, options: MaskOptions, schema: Mapping[str, Json]) -> Deployable:
    """See base.task.Deployable."""
    frame = " x ".join(map(str, options.frame))
    return Deployable(
        prepare=Fitted(options),
        body=Body(model),
        output_names=("label", "sure", "shape", "mm"),
        contract={
            **inputs_of(options),
            "output": f"label: uint8 [batch, {frame}], number of the class in `classes`; sure: its probability; shape "
            "and mm: shape and spacing of the input, to bring both back to its grid",
            "classes": list(schema["classes"]),
        },
        **raw_of(options),
    )
