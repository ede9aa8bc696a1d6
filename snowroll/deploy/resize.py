"""Pillow's antialiased bilinear resize as a torch module, so that it can live inside the exported graph.

Pillow filters horizontally, rounds to uint8, then vertically. Each pass is linear, so each is one matmul with a dense
matrix whose weights are computed from the picture's own height and width: the graph takes pictures of any size.
Agrees with Pillow to one level where Pillow chooses the other order of passes; `prepare/pictures.py` asks Pillow for
this order, so what was trained on is what is served.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Fit = Literal["stretch", "crop", "pad"]
Standard = tuple[float, float, float]  # mean, spread, least: prepare.pictures.STANDARD
_PRECISION = 1 << 22  # Pillow keeps its 8-bit filter weights as integers over 2^22 (Resample.c, PRECISION_BITS)


class PilResize(nn.Module):
    """RGB uint8 [H, W, 3] of any size to whole levels 0..255, float32 [frame's height, width, 3].

    frame: the side of a square, or (width, height). fit: `stretch` both axes; `crop` the centre; `pad` with black.
    standard: made as light and as rich in contrast as this says, by prepare.pictures.standardised.
    """

    def __init__(self, frame: int | tuple[int, int], fit: Fit = "stretch", standard: Standard | None = None) -> None:
        super().__init__()
        self.across, self.down = (frame, frame) if isinstance(frame, int) else frame
        self.fit = fit
        self.standard = standard

    def forward(self, rgb: Tensor) -> Tensor:
        # a float64 scalar each, made from a range: traced, they stay functions of the input's shape
        rows = torch.arange(rgb.shape[0], dtype=torch.float64)
        columns = torch.arange(rgb.shape[1], dtype=torch.float64)
        height, width = rows[-1] + 1, columns[-1] + 1
        across = self._weights(columns, width, height, self.across, self.down)
        down = self._weights(rows, height, width, self.down, self.across)
        planes = rgb.permute(2, 0, 1).to(torch.float32)
        wide = _round(planes @ across.T)  # [3, H, S]
        small = _round(down @ wide)
        if self.standard:
            small = _standardised(small, (down.sum(1) > 0)[:, None] & (across.sum(1) > 0), *self.standard)
        return small.permute(1, 2, 0)

    def _weights(self, pixels: Tensor, length: Tensor, other: Tensor, side: int, other_side: int) -> Tensor:
        """[side, length] float32: how much each input pixel gives to each output pixel (Pillow's precompute_coeffs).

        other, other_side: the other axis of the picture and of the frame.
        """
        size = torch.full_like(length, float(side))
        start, span, count = torch.zeros_like(length), length, size
        if self.fit == "crop":
            span = torch.clamp(torch.minimum(length, torch.floor(other * side / other_side)), min=1.0)
            start = torch.floor((length - span) / 2)
        elif self.fit == "pad":
            # the ratio of the axis that touches the frame, as one division: any other order rounds otherwise
            touches = length * other_side >= other * side
            ratio = torch.where(touches, length * side / length, length * other_side / other)
            count = torch.clamp(torch.floor(ratio + 0.5), min=1.0)
        offset = torch.floor((size - count) / 2)
        out = torch.arange(side, dtype=torch.float64) - offset
        scale = span / count
        centre = start + (out + 0.5) * scale
        distance = (pixels + 0.5 - centre[:, None]) / torch.clamp(scale, min=1.0)
        inside = (pixels >= start) & (pixels < start + span)
        weights = torch.clamp(1.0 - distance.abs(), min=0.0) * inside.to(torch.float64)
        total = torch.clamp(weights.sum(dim=1, keepdim=True), min=1e-9)
        exact = torch.floor(weights / total * _PRECISION + 0.5) / _PRECISION
        drawn = ((out >= 0) & (out < count)).to(torch.float64)  # padding rows get no light at all
        return (exact * drawn[:, None]).to(torch.float32)


class Resized(nn.Module):
    """uint8 RGB [H, W, 3] of any size -> float32 [1, 3, frame] in [0, 1], as the pack holds it."""

    def __init__(self, frame: int | tuple[int, int], fit: Fit) -> None:
        super().__init__()
        self.resize = PilResize(frame, fit)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.resize(pixels).permute(2, 0, 1).unsqueeze(0) / 255


class Framed(nn.Module):
    """uint8 RGB [H, W, 3] of any size -> (float32 [1, 3, frame] in [0, 1], int64 [1, 2] width and height of the file).

    For answers that are places: they are told in the file's own pixels.
    """

    def __init__(self, frame: tuple[int, int], standard: Standard | None = None) -> None:
        super().__init__()
        self.resize = PilResize(frame, "pad", standard)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        # counted from a range: traced, they stay functions of the input's shape
        height, width = (torch.arange(pixels.shape[axis])[-1] + 1 for axis in (0, 1))
        size = torch.stack((width, height)).unsqueeze(0)
        return self.resize(pixels).permute(2, 0, 1).unsqueeze(0) / 255, size


def _standardised(levels: Tensor, inside: Tensor, mean: float, spread: float, least: float) -> Tensor:
    """[3, H, W] levels, of which those inside the border, bool [H, W], count and change."""
    counted = inside.to(torch.float64)
    n = counted.sum() * levels.shape[0]
    exact = levels.to(torch.float64)
    middle = (exact * counted).sum() / n
    deviation = (((exact - middle) ** 2 * counted).sum() / n).sqrt()
    gain = spread / torch.clamp(deviation, min=least)
    return (_round((exact - middle) * gain + mean) * counted).to(torch.float32)


def _round(values: Tensor) -> Tensor:
    """To the nearest level, halves up, as Pillow does between its passes."""
    return torch.clamp(torch.floor(values + 0.5), 0.0, 255.0)
