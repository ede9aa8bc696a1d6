"""How a medical network is cut for export: voxels and their spacing in, everything from fitting.py on inside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.tasks.medical.fitting import REACH
from snowroll.tasks.medical.options import MedicalOptions


class Fitted(nn.Module):
    """(float32 [C, D, H, W], float32 [3] mm) -> (float32 [1, C, *frame] in [0, 1], int64 [1, 3] shape, float32 [1, 3]).

    fitting.fitted, said again as a graph of the scan's own shape.
    """

    def __init__(self, options: Any) -> None:
        super().__init__()
        self.frame, self.target = tuple(options.frame), tuple(options.spacing)
        self.intensity, self.low, self.high = options.intensity, options.low, options.high

    def forward(self, voxels: Tensor, spacing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # counted from a range: traced, they stay functions of the input's shape
        places = [torch.arange(voxels.shape[axis], dtype=torch.float64) for axis in (1, 2, 3)]
        lengths = [place[-1] + 1 for place in places]
        values = self._normalised(voxels)
        shrunk, wanted = self._sizes(lengths, spacing.double())
        for axis in range(3):
            weights = _tent(places[axis], lengths[axis], wanted[axis] * shrunk, self.frame[axis])
            values = (values.transpose(1 + axis, 3) @ weights.T).transpose(1 + axis, 3)
        levels = torch.floor(values * 255 + 0.5) / 255
        return levels[None], torch.stack(lengths).long()[None], spacing[None] + 0

    def _normalised(self, voxels: Tensor) -> Tensor:
        if self.intensity == "window":
            return ((voxels - self.low) / (self.high - self.low)).clamp(0, 1)
        flat = voxels.flatten(1)
        shown = (flat > flat.amin(dim=1, keepdim=True)).double()
        n = shown.sum(dim=1).clamp(min=1)
        mean = (flat.double() * shown).sum(dim=1) / n
        spread = (((flat.double() - mean[:, None]) * shown).square().sum(dim=1) / n).sqrt()
        scale = 1 / (2 * REACH * spread.clamp(min=1e-6))
        moved = (voxels - mean.float()[:, None, None, None]) * scale.float()[:, None, None, None]
        return (moved + 0.5).clamp(0, 1)

    def _sizes(self, lengths: list[Tensor], spacing: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(how much all axes shrink, sizes before that)."""
        one, many = torch.ones_like(lengths[0]), torch.full_like(lengths[0], 1e9)
        rooms = [torch.full_like(one, float(room)) for room in self.frame]
        # pictures that fill the frame: by the axes that are no single slice
        fills = [torch.where(side > 1, room / side, many) for room, side in zip(rooms, lengths, strict=True)]
        filled = torch.stack(fills).amin(dim=0)
        filled = torch.where(filled < many, filled, one)
        if min(self.target) <= 0:
            return filled, lengths
        known = spacing.amin(dim=0) > 0
        sizes = [side * spacing[axis] / self.target[axis] for axis, side in enumerate(lengths)]
        ratios = [room / size.clamp(min=1e-9) for room, size in zip(rooms, sizes, strict=True)]
        shrunk = torch.stack([one, *ratios]).amin(dim=0)
        wanted = [torch.where(known, size, side) for size, side in zip(sizes, lengths, strict=True)]
        return torch.where(known, shrunk, filled), wanted


def _tent(places: Tensor, length: Tensor, size: Tensor, room: int) -> Tensor:
    """[room, length]: fitting.tent, placed in the middle of the frame, rows of zeros beside it."""
    count = torch.floor(size + 0.5).clamp(min=1.0, max=float(room))
    start = torch.floor((room - count) / 2)
    out = torch.arange(room, dtype=torch.float64) - start
    scale = length / count
    distance = (places + 0.5 - ((out + 0.5) * scale)[:, None]).abs() / scale.clamp(min=1.0)
    weights = (1.0 - distance).clamp(min=0.0)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1e-9)
    drawn = ((out >= 0) & (out < count)).to(torch.float64)
    return (weights * drawn[:, None]).float()


class Alone(nn.Module):
    """`Fitted` without what a diagnosis has no use for."""

    def __init__(self, options: MedicalOptions) -> None:
        super().__init__()
        self.fitted = Fitted(options)

    def forward(self, voxels: Tensor, spacing: Tensor) -> Tensor:
        return self.fitted(voxels, spacing)[0]


class Body(nn.Module):
    """float32 [B, C, *frame] -> probabilities [B, classes], threshold [B]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, scans: Tensor) -> tuple[Tensor, Tensor]:
        said = self.model(scans)
        return said.logits.float().softmax(dim=1), said.threshold + 0


def deployable(model: nn.Module, options: MedicalOptions, schema: Mapping[str, Json]) -> Deployable:
    """See base.task.Deployable."""
    return Deployable(
        prepare=Alone(options),
        body=Body(model),
        output_names=("probabilities", "threshold"),
        contract={
            **inputs_of(options),
            "output": "probabilities: float32 [batch, classes], in the order of `classes`; threshold: float32 [batch], "
            "from which on the class counts that must not be missed",
            "classes": list(schema["classes"]),
        },
        **raw_of(options),
    )


def raw_of(options: Any) -> dict[str, Any]:
    """The fields of a Deployable that say what a raw scan is."""
    depth, height, width = options.frame
    return {
        "raw_example": (torch.rand(options.channels, depth + 3, height + 5, width + 7), torch.ones(3)),
        "raw_name": ("voxels", "spacing"),
        "raw_axes": ({1: "depth", 2: "height", 3: "width"}, {}),
    }


def inputs_of(options: Any) -> dict[str, Json]:
    """The contract's part about them."""
    numbers = f"from {options.low:g} to {options.high:g}" if options.intensity == "window" else "by mean and deviation"
    mm = (
        " x ".join(f"{side:g}" for side in options.spacing) + " mm" if min(options.spacing) > 0 else "as the frame asks"
    )
    return {
        "input": f"voxels: float32 [{options.channels}, depth, height, width], any size, axes to head, back and left; "
        "spacing: float32 [3], mm between voxels, zeros where nobody knows",
        "intensity": numbers,
        "resize": f"voxels of {mm} in a frame of {' x '.join(map(str, options.frame))}, linear with antialias",
    }
