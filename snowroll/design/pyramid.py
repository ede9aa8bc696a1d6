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
PLAIN = (32, 64, 128, 192, 256)  # channels of our own at strides 2 to 32


class Pyramid(nn.Module):
    """Normalised images [B, 3, H, W], sides multiples of 32, to the last map of each of STRIDES.

    layers: run one after the other; `taken`: after which of them a map is kept.
    """

    def __init__(
        self, layers: Sequence[nn.Module], taken: Sequence[int], widths: Sequence[int], loaded: Loaded | None = None
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers[: max(taken) + 1])
        self.taken, self.widths, self.loaded = tuple(taken), tuple(widths), loaded

    def forward(self, x: Tensor) -> list[Tensor]:
        kept = []
        for place, layer in enumerate(self.layers):
            x = layer(x)
            if place in self.taken:
                kept.append(x)
        return kept


def pyramid(name: str, pretrained: str = "", padding: Literal["torch", "same"] = "torch") -> Pyramid:
    """The backbone `name`: "plain" is ours, for fresh weights on few pictures; others are design/zoo.py's.

    pretrained, padding: as in zoo.build. Raises PlanError for a network that has no such maps, DataError for weights
    that cannot be had.
    """
    if name == "plain":
        if pretrained:
            told = "there are no weights for 'plain'"
            raise PlanError(told, where="task.pretrained", cure="name the model they belong to with --task.model")
        return _measured(_plain(), name, None)
    from snowroll.design.zoo import build

    network = build(name, 2, 224, pretrained=pretrained, padding=padding)
    return _measured(_in_order(network.backbone), name, network.loaded)


def _plain() -> list[nn.Module]:
    """A stem and four groups, each halved at its first convolution, with one residual block."""
    layers: list[nn.Module] = [_conv(3, PLAIN[0], 2)]
    for before, after in pairwise(PLAIN):
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


def _measured(layers: list[nn.Module], name: str, loaded: Loaded | None) -> Pyramid:
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
            except RuntimeError:  # layers after the last map want a vector
                break
            if not isinstance(x, Tensor) or x.ndim != 4 or x.shape[2] < _TRIED_PX // STRIDES[-1]:
                break
            last[_TRIED_PX // x.shape[2]] = (place, x.shape[1])
    for module, mode in modes:
        module.training = mode
    if not all(stride in last for stride in STRIDES):
        cure = "use plain, resnet18, resnet34, resnet50, mobilenet_v2 or efficientnet_b0"
        raise PlanError(f"'{name}' has no maps at strides of 8, 16 and 32 pixels", where="task.model", cure=cure)
    return Pyramid(layers, [last[stride][0] for stride in STRIDES], [last[stride][1] for stride in STRIDES], loaded)
