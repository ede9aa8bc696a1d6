"""Forecasters: what came, made of one size, through a linear map or a small mixer, to quantiles of what comes."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.tasks.forecast.options import ForecastOptions

SOFT = 0.02  # of a column's usual spread, below which a window counts as still: its spread is no smaller


class Inputs(NamedTuple):
    """What a batch holds. The model looks at `past` alone; the rest is for answers about what came since."""

    past: Tensor  # float32 [B, L, C]
    came: Tensor | None = None  # float32 [B, targets], the row that is judged; zeros where none is
    step: Tensor | None = None  # int64 [B], how many steps after the past that row is; 0: none
    row: Tensor | None = None  # int64 [B], number of the row that is judged, or of the first that is forecast
    at_ms: Tensor | None = None  # int64 [B], its time in milliseconds; clocks.UNTOLD_MS: not told


class Targets(NamedTuple):
    """What followed; and for windows that begin up to `shift` steps earlier, what came before the past, and the last
    steps up to its end as what followed there."""

    follows: Tensor  # float32 [B, H, targets], NaN where nothing is known, or somebody labelled an anomaly
    before: Tensor  # float32 [B, shift, C], without gaps
    told: Tensor  # float32 [B, shift, targets], NaN as in `follows`


class Said(NamedTuple):
    """Quantiles of what comes, in units of the data; [B, H, targets] each."""

    middle: Tensor
    low: Tensor
    high: Tensor
    fence_low: Tensor  # outside the fences a value is an alarm; infinite until validation has set them
    fence_high: Tensor
    size: Tensor  # [B, 1, targets] of the window's swings: the unit of the loss


class Forecaster(nn.Module):
    """Instance normalisation around a network (RevIN: Kim et al. 2022, without its affine part)."""

    usual: Tensor
    places: Tensor

    def __init__(self, options: ForecastOptions, schema: Mapping[str, Json]) -> None:
        super().__init__()
        columns = list(options.columns or schema["columns"])
        targets = list(options.targets or schema["targets"])
        channels = len(columns)
        self.horizon = options.horizon
        self.register_buffer("usual", torch.ones(channels))  # spread of a window of each column
        self.register_buffer("places", torch.tensor([columns.index(name) for name in targets]))
        self.straight = nn.Linear(options.context, options.horizon)
        self.spread = nn.Linear(options.context, 2 * options.horizon)
        self.mixer = Mixer(options, channels) if options.model == "mixer" else None
        with torch.no_grad():  # the mean of the window, and a band as wide as its spread: a forecast to begin with
            self.straight.weight.fill_(0.0)
            self.straight.bias.zero_()
            self.spread.weight.mul_(0.1)
            self.spread.bias.zero_()

    def forward(self, inputs: Inputs) -> Said:
        past = inputs.past
        mean = past.mean(dim=1, keepdim=True)
        size = ((past - mean).square().mean(dim=1, keepdim=True) + (SOFT * self.usual).square()).sqrt()
        x = ((past - mean) / size).transpose(1, 2)  # [B, C, L]
        told = x.index_select(1, self.places)
        middle = self.straight(told)  # [B, targets, H]
        widths = self.spread(told.abs())
        if self.mixer is not None:
            more, wider = self.mixer(x)
            middle = middle + more.index_select(1, self.places)
            widths = widths + wider.index_select(1, self.places)
        down, up = F.softplus(widths).chunk(2, dim=2)
        mean, size = mean.index_select(2, self.places), size.index_select(2, self.places)
        quantiles = [(value.transpose(1, 2) * size + mean) for value in (middle, middle - down, middle + up)]
        none = torch.full_like(quantiles[0], inf)
        return Said(quantiles[0], quantiles[1], quantiles[2], -none, none, size)


class Mixer(nn.Module):
    """Patches of time, mixed along time, across columns and within (after TSMixer: Chen et al. 2023).

    [B, C, L] -> (what is added to the middle [B, C, H], to the widths [B, C, 2 H]), both zero at first.
    """

    def __init__(self, options: ForecastOptions, channels: int) -> None:
        super().__init__()
        self.patch = max(1, min(16, options.context // 8))
        self.patches = options.context // self.patch
        width = options.width
        self.embed = nn.Linear(self.patch, width)
        self.place = nn.Parameter(torch.zeros(self.patches, width))
        self.blocks = nn.ModuleList(Block(self.patches, width, channels, options.dropout) for _ in range(options.depth))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(self.patches * width, 3 * options.horizon)
        self.horizon = options.horizon
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        seen = x[:, :, x.shape[2] - self.patches * self.patch :]
        h = self.embed(seen.unflatten(2, (self.patches, self.patch))) + self.place  # [B, C, P, D]
        for block in self.blocks:
            h = block(h)
        told = self.head(self.dropout(self.norm(h)).flatten(2))
        return told[:, :, : self.horizon], told[:, :, self.horizon :]


class Block(nn.Module):
    """[B, C, P, D] -> the same: along time, across columns, within each place; each added to what came in."""

    def __init__(self, patches: int, width: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.time = Mlp(patches, 2 * patches, dropout)
        self.columns = Mlp(channels, max(8, 2 * channels), dropout) if channels > 1 else None
        self.within = Mlp(width, 2 * width, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.time(self.norms[0](h).transpose(2, 3)).transpose(2, 3)
        if self.columns is not None:
            h = h + self.columns(self.norms[1](h).transpose(1, 3)).transpose(1, 3)
        return h + self.within(self.norms[2](h))


class Mlp(nn.Module):
    """One hidden layer over the last axis."""

    def __init__(self, size: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, size))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Calibrated(nn.Module):
    """A forecaster whose bands were made as wide as validation says: see calibrating.py."""

    down: Tensor
    up: Tensor

    def __init__(self, model: nn.Module, calibration: Mapping[str, Json]) -> None:
        super().__init__()
        self.model = model
        self.fence = float(calibration["fence"])
        self.register_buffer("down", torch.tensor(calibration["down"], dtype=torch.float32))  # [H, targets]
        self.register_buffer("up", torch.tensor(calibration["up"], dtype=torch.float32))

    def forward(self, inputs: Inputs) -> Said:
        said: Said = self.model(inputs)
        down, up = (said.middle - said.low) * self.down, (said.high - said.middle) * self.up
        return Said(
            said.middle, said.middle - down, said.middle + up,
            said.middle - down * self.fence, said.middle + up * self.fence, said.size,
        )  # fmt: skip


class Together(nn.Module):
    """Several forecasters as one: the mean of what they say."""

    def __init__(self, models: list[nn.Module]) -> None:
        super().__init__()
        self.models = nn.ModuleList(models)

    def forward(self, inputs: Inputs) -> Said:
        every = [model(inputs) for model in self.models]
        return Said(*(torch.stack(parts).mean(dim=0) for parts in zip(*every, strict=True)))
