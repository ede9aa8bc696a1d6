"""Networks over volumes [B, C, D, H, W]: an encoder of levels, and the U-Net's way back (Çiçek et al. 2016).

Each sample is normalised by itself (instance norm, as nnU-Net): batches of volumes are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from snowroll.design.levels import Level, Triple


class Encoder(nn.Module):
    """Volumes in [0, 1] to one map a level, from the finest on."""

    def __init__(self, channels: int, levels: Sequence[Level], widths: Sequence[int]) -> None:
        super().__init__()
        self.level = nn.ModuleList()
        before = channels
        for level, width in zip(levels, widths, strict=True):
            self.level.append(
                nn.Sequential(_layer(before, width, level.kernel, level.stride), _layer(width, width, level.kernel))
            )
            before = width

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        x = 4 * x - 2  # about zero
        for level in self.level:
            x = level(x)
            maps.append(x)
        return maps


class Decoder(nn.Module):
    """Maps from fine to coarse, to logits [B, classes, D, H, W] of the finest, and of coarser ones while it learns."""

    answering = ("score",)

    def __init__(self, levels: Sequence[Level], widths: Sequence[int], classes: int, deep: bool) -> None:
        super().__init__()
        self.up = nn.ModuleList(
            nn.ConvTranspose3d(after, before, level.stride, level.stride)
            for (before, after), level in zip(pairwise(widths), levels[1:], strict=True)
        )
        self.join = nn.ModuleList(
            nn.Sequential(_layer(2 * width, width, level.kernel), _layer(width, width, level.kernel))
            for width, level in zip(widths[:-1], levels[:-1], strict=True)
        )
        asked = min(3, max(1, len(widths) - 1)) if deep else 1
        self.classes = classes
        scores = [nn.Conv3d(width, classes, 1) for width in widths[:asked]]
        for layer in scores:
            nn.init.normal_(layer.weight, std=0.01)
        self.score = nn.ModuleList(scores)
        self.expect(torch.zeros(classes))

    @torch.no_grad()
    def expect(self, bias: Tensor) -> None:
        """Begin with classes as common as these logits [C] say."""
        for layer in self.score:
            assert isinstance(layer, nn.Conv3d)
            assert layer.bias is not None
            layer.bias.copy_(bias)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        x, found = maps[-1], []
        if not len(self.join):
            return [self.score[0](x).float()]
        for level in reversed(range(len(self.join))):
            x = self.join[level](torch.cat((maps[level], self.up[level](x)), dim=1))
            if level < len(self.score) and (level == 0 or self.training):
                found.append(self.score[level](x).float())
        return list(reversed(found))


class Pooled(nn.Module):
    """The coarsest map of an encoder as features [B, 2 W]: means and largest values."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        last = self.encoder(x)[-1].flatten(2)
        return torch.cat((last.mean(dim=2), last.amax(dim=2)), dim=1)


def _layer(before: int, after: int, kernel: Triple, stride: Triple = (1, 1, 1)) -> nn.Module:
    deep, high, wide = kernel
    conv = nn.Conv3d(before, after, kernel, stride, (deep // 2, high // 2, wide // 2), bias=False)
    # as many groups as channels: an instance norm that a map of one voxel passes, too
    return nn.Sequential(conv, nn.GroupNorm(after, after), nn.LeakyReLU(0.01, inplace=True))


def coarser(labels: Tensor, size: Sequence[int]) -> Tensor:
    """Every so many voxels of labels [B, D, H, W]: [B, d, h, w] int64."""
    for axis, side in enumerate(size, 1):
        step = labels.shape[axis] // side
        labels = labels.narrow(axis, 0, side * step).unflatten(axis, (side, step)).select(axis + 1, step // 2)
    return labels.long()
