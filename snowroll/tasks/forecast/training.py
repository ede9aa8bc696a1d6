"""Loss, batches and whole-batch augmentation of windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch, Json
from snowroll.base.task import Columns, Draw
from snowroll.tasks.forecast.model import Forecaster, Inputs, Said, Targets
from snowroll.tasks.forecast.options import HIGH, LOW, ForecastOptions


def as_batch(columns: Columns, ids: Tensor) -> Batch:
    inputs = Inputs(
        columns["past"],
        columns["came"],
        columns["step"].flatten(),
        columns["row"].flatten(),
        columns["at_ms"].flatten(),
    )
    if "follows" not in columns:
        return Batch(inputs, None, ids)
    follows = columns["follows"].masked_fill(columns["odd"][..., None], torch.nan)
    return Batch(inputs, Targets(follows, columns["before"], columns["told"]), ids)


def encode_targets(targets: list[Json], schema: Mapping[str, Json]) -> Columns:
    """follows float32 [n, H, targets], NaN where nothing is known; odd bool [n, H], where somebody labelled an anomaly;
    usual float32 [n] and scale float32 [n, targets], see reading.target_of: NaN where nobody told."""
    n, horizon, wide = len(targets), int(schema["horizon"]), len(schema["targets"])
    follows, odd = np.full((n, horizon, wide), np.nan, np.float32), np.zeros((n, horizon), bool)
    usual, scale = np.full(n, np.nan, np.float32), np.full((n, wide), np.nan, np.float32)
    for row, target in enumerate(targets):
        told = array_of(target["follows"])[:horizon]
        follows[row, : len(told)] = told
        marks = np.array(target.get("odd") or [], np.int8)[:horizon]
        odd[row, : len(marks)] = marks == 1
        if "scale" in target:
            usual[row], scale[row] = target["usual"], target["scale"]
    return {"follows": follows, "odd": odd, "usual": usual, "scale": scale}


def array_of(told: Json) -> np.ndarray:
    """[[number or None, ...], ...] as float32 with NaN."""
    return np.array([[np.nan if v is None else v for v in row] for row in told], np.float32)


def loss(model: nn.Module, batch: Batch, options: ForecastOptions) -> Tensor:
    """[B] pinball losses of the three quantiles (Koenker & Bassett 1978), in units of the window's swings.

    Where the middle is to be the mean, its part is the squared error.
    """
    said: Said = model(batch.inputs)
    follows = batch.targets.follows
    known = ~follows.isnan()
    truth = torch.where(known, follows, said.middle.detach())
    far = (truth - said.middle) / said.size
    middle = far.abs() / 2 if options.aim == "median" else far.square() / 2
    # the band learns around the middle without moving it
    low = (said.low - said.middle + said.middle.detach() - truth) / said.size
    high = (truth - said.high + said.middle - said.middle.detach()) / said.size
    each = middle + pinball(low, 1 - LOW) + pinball(high, HIGH)
    weight = known.float()
    return (each * weight).sum(dim=(1, 2)) / weight.sum(dim=(1, 2)).clamp(min=1.0)


def pinball(beyond: Tensor, share: float) -> Tensor:
    """beyond: how far the truth lies outside the quantile; `share` of it lies inside."""
    return torch.maximum(share * beyond, (share - 1) * beyond)


def begin(model: nn.Module, batch: Batch) -> None:
    """Before the first step: the usual spread of a window, by column."""
    assert isinstance(model, Forecaster)
    spread = batch.inputs.past.std(dim=1)  # [B, C]
    usual = spread.median(dim=0).values
    usual = torch.where(usual > 0, usual, spread.mean(dim=0))
    with torch.no_grad():
        model.usual.copy_(torch.where(usual > 0, usual, torch.ones_like(usual)))


def augment(batch: Batch, draw: Draw, options: ForecastOptions) -> Batch:
    """Windows that begin up to `shift` steps earlier, with larger or smaller swings, and noise; by their own draws."""
    inputs: Inputs = batch.inputs
    past, targets = inputs.past, batch.targets
    if options.shift and targets is not None:
        past, targets = earlier(past, targets, draw, options)
    if options.gain or options.noise:
        middle = past.mean(dim=1, keepdim=True)
        swing = past - middle
        grown = 1 + options.gain * (2 * draw.uniform("gain", 1, 1) - 1)
        if options.noise:
            size = swing.std(dim=1, keepdim=True)
            shape = past.shape[1:]
            rough = draw.uniform("noise 1", *shape) + draw.uniform("noise 2", *shape) - 1
            swing = swing + options.noise * 2.45 * size * rough  # of deviation 1
        past = middle + grown * swing
        if targets is not None:
            told = middle[:, :, _places(options)]
            targets = targets._replace(follows=told + grown * (targets.follows - told))
    return Batch(inputs._replace(past=past), targets, batch.ids)


def _places(options: ForecastOptions) -> list[int]:
    columns = list(options.columns)
    return [columns.index(name) for name in options.targets] if columns else []


def earlier(past: Tensor, targets: Targets, draw: Draw, options: ForecastOptions) -> tuple[Tensor, Targets]:
    """The same stretch of time, cut a few steps before: the last of what followed is left out."""
    shift, length, horizon = options.shift, past.shape[1], targets.follows.shape[1]
    whole = torch.cat([targets.before, past], dim=1)  # [B, shift + L, C]
    back = (draw.uniform("shift") * (shift + 1)).long().clamp(max=shift)  # [B]
    first = (shift - back)[:, None] + torch.arange(length, device=past.device)  # [B, L]
    moved = whole.gather(1, first[..., None].expand(-1, -1, whole.shape[2]))
    line = torch.cat([targets.told, targets.follows], dim=1)  # [B, shift + H, targets]
    at = (shift - back)[:, None] + torch.arange(horizon, device=past.device)
    follows = line.gather(1, at[..., None].expand(-1, -1, line.shape[2]))
    return moved, targets._replace(follows=follows)


def taught(targets: Sequence[Json]) -> np.ndarray:
    """[n] whether at least half of what followed is known, and not labelled as odd."""
    found = np.zeros(len(targets), bool)
    for row, target in enumerate(targets):
        known = np.asarray(np.isfinite(array_of(target["follows"])).any(axis=1))
        odd = np.array(target.get("odd") or [], np.int8)[: len(known)]
        known[: len(odd)] &= odd != 1
        found[row] = 2 * known.sum() >= len(known)
    return found
