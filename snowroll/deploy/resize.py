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
_PRECISION = 1 << 22  # Pillow keeps its 8-bit filter weights as integers over 2^22 (Resample.c, PRECISION_BITS)


class PilResize(nn.Module):
    """RGB uint8 [H, W, 3] of any size to whole levels 0..255, float32 [S, S, 3].

    fit: `stretch` both axes; `crop` the centre square; `pad` the short axis with black.
    """

    def __init__(self, size_px: int, fit: Fit = "stretch") -> None:
        super().__init__()
        self.size_px = size_px
        self.fit = fit

    def forward(self, rgb: Tensor) -> Tensor:
        # a float64 scalar each, made from a range: traced, they stay functions of the input's shape
        rows = torch.arange(rgb.shape[0], dtype=torch.float64)
        columns = torch.arange(rgb.shape[1], dtype=torch.float64)
        height, width = rows[-1] + 1, columns[-1] + 1
        across = self._weights(columns, width, height)
        down = self._weights(rows, height, width)
        planes = rgb.permute(2, 0, 1).to(torch.float32)
        wide = _round(planes @ across.T)  # [3, H, S]
        return _round(down @ wide).permute(1, 2, 0)

    def _weights(self, pixels: Tensor, length: Tensor, other: Tensor) -> Tensor:
        """[S, length] float32: how much each input pixel gives to each output pixel (Pillow's precompute_coeffs)."""
        size = torch.full_like(length, float(self.size_px))
        start, span, count = torch.zeros_like(length), length, size
        if self.fit == "crop":
            span = torch.minimum(length, other)
            start = torch.floor((length - span) / 2)
        elif self.fit == "pad":
            count = torch.clamp(torch.floor(length * size / torch.maximum(length, other) + 0.5), min=1.0)
        offset = torch.floor((size - count) / 2)
        out = torch.arange(self.size_px, dtype=torch.float64) - offset
        scale = span / count
        centre = start + (out + 0.5) * scale
        distance = (pixels + 0.5 - centre[:, None]) / torch.clamp(scale, min=1.0)
        inside = (pixels >= start) & (pixels < start + span)
        weights = torch.clamp(1.0 - distance.abs(), min=0.0) * inside.to(torch.float64)
        total = torch.clamp(weights.sum(dim=1, keepdim=True), min=1e-9)
        exact = torch.floor(weights / total * _PRECISION + 0.5) / _PRECISION
        drawn = ((out >= 0) & (out < count)).to(torch.float64)  # padding rows get no light at all
        return (exact * drawn[:, None]).to(torch.float32)


def _round(values: Tensor) -> Tensor:
    """To the nearest level, halves up, as Pillow does between its passes."""
    return torch.clamp(torch.floor(values + 0.5), 0.0, 255.0)
