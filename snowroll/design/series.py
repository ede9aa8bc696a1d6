"""Networks over series of numbers: float32 [B, C, L] to features [B, `width_out`]. No padding is told apart: whoever
pads says so in a channel."""

from __future__ import annotations

from math import log

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.design.attention import attended

NAMES = ("resnet", "gru", "lstm", "transformer")
_KERNEL = 7  # values in time; longer ones than in pictures, for one axis only


def build(name: str, channels: int, width: int) -> tuple[nn.Module, int]:
    """(the network, the width of its features)."""
    if name == "resnet":
        network = ResNet(channels, width)
        return network, network.width_out
    if name == "transformer":
        network = Transformer(channels, 4 * width)
        return network, network.width_out
    network = Recurrent(channels, 4 * width, name)
    return network, network.width_out


class Block(nn.Module):
    """Two convolutions and a way past them (He et al. 2016, figure 2), along one axis."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        half = _KERNEL // 2
        self.first = nn.Conv1d(inside, outside, _KERNEL, stride, half, bias=False)
        self.first_norm = nn.BatchNorm1d(outside)
        self.second = nn.Conv1d(outside, outside, _KERNEL, 1, half, bias=False)
        self.second_norm = nn.BatchNorm1d(outside)
        same = stride == 1 and inside == outside
        self.past = nn.Identity() if same else nn.Conv1d(inside, outside, 1, stride, bias=False)

    def forward(self, series: Tensor) -> Tensor:
        inner = F.relu(self.first_norm(self.first(series)))
        return F.relu(self.second_norm(self.second(inner)) + self.past(series))


class ResNet(nn.Module):
    """A residual network along time (Wang et al. 2017, "Time series classification from scratch"): mean and maximum."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv1d(channels, width, _KERNEL, 2, _KERNEL // 2, bias=False)
        self.stem_norm = nn.BatchNorm1d(width)
        self.blocks = nn.Sequential(Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2))
        self.width_out = 8 * width

    def forward(self, series: Tensor) -> Tensor:
        seen = self.blocks(F.relu(self.stem_norm(self.stem(series))))
        return torch.cat([seen.mean(dim=2), seen.amax(dim=2)], dim=1)


class Patches(nn.Module):
    """[B, C, L] to [B, L / 8, D]: eight values in a step."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.project = nn.Conv1d(channels, width, 16, 8, 8)
        self.norm = nn.LayerNorm(width)

    def forward(self, series: Tensor) -> Tensor:
        return self.norm(self.project(series).transpose(1, 2))


class Recurrent(nn.Module):
    """A GRU (Cho et al. 2014) or LSTM (Hochreiter and Schmidhuber 1997), both ways over patches, and their mean."""

    def __init__(self, channels: int, width: int, kind: str) -> None:
        super().__init__()
        self.patches = Patches(channels, width)
        make = nn.GRU if kind == "gru" else nn.LSTM
        self.network = make(width, width, batch_first=True, bidirectional=True)
        self.width_out = 4 * width

    def forward(self, series: Tensor) -> Tensor:
        states, _ = self.network(self.patches(series))
        return torch.cat([states.mean(dim=1), states.amax(dim=1)], dim=1)


class Transformer(nn.Module):
    """Two pre-norm encoder layers (Vaswani et al. 2017; Xiong et al. 2020) over patches, and their mean."""

    def __init__(self, channels: int, width: int, layers: int = 2, heads: int = 4) -> None:
        super().__init__()
        self.patches = Patches(channels, width)
        self.layers = nn.ModuleList(_Layer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.width_out = width

    def forward(self, series: Tensor) -> Tensor:
        steps = self.patches(series)
        steps = steps + _places(steps)
        for layer in self.layers:
            steps = layer(steps)
        return self.norm(steps).mean(dim=1)


class _Layer(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.first_norm, self.second_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.asked, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, steps: Tensor) -> Tensor:
        many, length, width = steps.shape
        asked = self.asked(self.first_norm(steps)).reshape(many, length, 3, self.heads, width // self.heads)
        queries, keys, values = asked.permute(2, 0, 3, 1, 4)
        seen = attended(queries, keys, values)
        steps = steps + self.joined(seen.transpose(1, 2).reshape(many, length, width))
        return steps + self.down(F.gelu(self.up(self.second_norm(steps))))


def _places(steps: Tensor) -> Tensor:
    """[L, D] sines and cosines of the place (Vaswani et al. 2017, section 3.5)."""
    length, width = steps.shape[1], steps.shape[2]
    at = torch.arange(length, device=steps.device, dtype=torch.float32)[:, None]
    slow = torch.exp(torch.arange(0, width, 2, device=steps.device, dtype=torch.float32) * (-log(10_000.0) / width))
    return torch.cat([torch.sin(at * slow), torch.cos(at * slow)], dim=1)
