"""Backbones seen at three scales: maps at strides of 8, 16 and 32 pixels, for tasks that say where things are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from snowroll.base.errors import PlanError

if TYPE_CHECKING:
    from snowroll.design.weights import Loaded

STRIDES = (8, 16, 32)
_TRIED_PX = 64  # what a backbone is shown to learn where its maps shrink
OURS = {"plain": (32, 64, 128, 192, 256), "plain_small": (16, 32, 64, 96, 128)}  # channels at strides 2 to 32


class Pyramid(nn.Module):
    """Normalised images [B, 3, H, W], sides multiples of the largest stride, to the last map of each stride.

    layers: run one after the other; ends: for each stride the layer after which its map is kept, and its channels.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        strides: Sequence[int],
        ends: Sequence[tuple[int, int]],
        loaded: Loaded | None = None,
    ) -> None:
        super().__init__()
        self.taken, self.widths = tuple(layer for layer, _ in ends), tuple(width for _, width in ends)
        self.layers = nn.ModuleList(layers[: max(self.taken) + 1])
        self.strides, self.loaded = tuple(strides), loaded

    def forward(self, x: Tensor) -> list[Tensor]:
        kept = []
        for place, layer in enumerate(self.layers):
            x = layer(x)
            if place in self.taken:
                kept.append(x)
        return kept


def pyramid(
    name: str,
    pretrained: str = "",
    padding: Literal["torch", "same"] = "torch",
    strides: Sequence[int] = STRIDES,
) -> Pyramid:
    """The backbone `name`: those of OURS, for fresh weights on few pictures, or design/zoo.py's.

    pretrained, padding: as in zoo.build. Raises PlanError for a network that has no such maps, DataError for weights
    that cannot be had.
    """
    if name in OURS:
        if pretrained:
            told = f"there are no weights for '{name}'"
            raise PlanError(told, where="task.pretrained", cure="name the model they belong to with --task.model")
        return _measured(_plain(OURS[name]), name, strides, None)
    from snowroll.design.zoo import build

    network = build(name, 2, 224, pretrained=pretrained, padding=padding)
    return _measured(_in_order(network.backbone), name, strides, network.loaded)


def _plain(widths: Sequence[int]) -> list[nn.Module]:
    """A stem and four groups, each halved at its first convolution, with one residual block."""
    layers: list[nn.Module] = [_conv(3, widths[0], 2)]
    for before, after in pairwise(widths):
        layers.append(nn.Sequential(_conv(before, after, 2), Block(after)))
    return layers


class Block(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _conv(width, width, 1), _conv(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.first(x))


def _conv(before: int, after: int, stride: int) -> nn.Module:
    conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _in_order(network: nn.Module) -> list[nn.Module]:
    """The parts that a picture passes one after the other, up to the first that ends in no map."""
    inner = getattr(network, "features", None)
    return list(inner.children() if isinstance(inner, nn.Module) else network.children())


def _unrolled(layers: Sequence[nn.Module]) -> list[nn.Module]:
    """With what stands in a row as layers of its own."""
    return [part for layer in layers for part in (layer.children() if type(layer) is nn.Sequential else (layer,))]


def _measured(layers: list[nn.Module], name: str, strides: Sequence[int], loaded: Loaded | None) -> Pyramid:
    """Where the maps of each stride end, found by showing the layers a picture."""
    last: dict[int, tuple[int, int]] = {}  # stride -> (layer, channels)
    x = torch.zeros(1, 3, _TRIED_PX, _TRIED_PX)
    modes = [(module, module.training) for layer in layers for module in layer.modules()]
    for layer in layers:
        layer.eval()  # batch statistics must not see this picture
    with torch.no_grad():
        for place, layer in enumerate(layers):
            try:
                x = layer(x)
            except (RuntimeError, AssertionError):  # layers after the last map want a vector; some take one size
                break
            if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[2] < _TRIED_PX // strides[-1]:
                break
            last[_TRIED_PX // x.shape[2]] = (place, x.shape[1])
    for module, mode in modes:
        module.training = mode
    if not all(stride in last for stride in strides):
        if any(type(layer) is nn.Sequential for layer in layers):  # timm's: all stages in one
            return _measured(_unrolled(layers), name, strides, loaded)
        cure = "use plain, resnet18, resnet34, resnet50, mobilenet_v2 or efficientnet_b0"
        told = ", ".join(map(str, strides))
        raise PlanError(f"'{name}' has no maps at strides of {told} pixels", where="task.model", cure=cure)
    return Pyramid(layers, strides, [last[stride] for stride in strides], loaded)
