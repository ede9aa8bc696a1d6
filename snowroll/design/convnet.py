"""The network tutorials start from: three blocks of convolution and pooling, one hidden layer."""

from __future__ import annotations

from torch import nn

from snowroll.base.errors import PlanError

WIDTH = 128  # features


def convnet(size_px: int) -> nn.Module:
    """Normalised [B, 3, S, S] to [B, 128]: 3x3 convolutions of 32, 64, 128 channels, each with ReLU and 2x2 pooling."""
    if size_px < 8:
        raise PlanError(f"convnet cannot pool {size_px} px three times", cure="use --task.size_px 8 or more")
    layers: list[nn.Module] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    side = size_px // 8
    # beyond 8 x 8 the dense layer would hold most of the parameters, so large maps are averaged down first
    if side > 8:
        layers.append(nn.AdaptiveAvgPool2d(8))
        side = 8
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * side * side, WIDTH), nn.ReLU())
