"""Loss and whole-batch augmentation of heartbeats."""

from __future__ import annotations

from dataclasses import replace
from math import pi

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.tasks.heartbeat.model import Heartbeat, Inputs
from snowroll.tasks.heartbeat.options import HeartbeatOptions

_BREATH_HZ = (0.1, 0.5)
_JITTER = 0.03  # of the timings' logarithms: beats are marked to a few hundredths of an interval


def loss(model: nn.Module, batch: Batch, options: HeartbeatOptions) -> Tensor:
    """[B] cross-entropy; while it learns, each by the weight of its class."""
    logits = model(batch.inputs).float()
    # smoothing and weights are ways to train, not ways to judge: validation losses stay comparable between plans
    if not logits.requires_grad:
        return F.cross_entropy(logits, batch.targets, reduction="none")
    each = F.cross_entropy(logits, batch.targets, reduction="none", label_smoothing=options.label_smoothing)
    weight = getattr(model, "class_weight", None)
    return each if weight is None or not options.balance else each * weight[batch.targets]


def begin(model: Heartbeat, classes: np.ndarray, options: HeartbeatOptions) -> None:
    """Before the first step: class shares as the head's bias, as the loss will weigh them. classes: [n]."""
    shares = np.maximum(np.bincount(classes, minlength=len(model.class_weight)), 1)
    counts = torch.from_numpy(shares).float()
    weight = (counts.sum() / counts) ** options.balance
    weight = weight * counts.sum() / (weight * counts).sum()
    log_prior = (weight * counts / counts.sum()).log()
    with torch.no_grad():
        model.class_weight.copy_(weight)
        model.head.bias.copy_(log_prior - log_prior.mean())


def augment(batch: Batch, draw: Draw, options: HeartbeatOptions) -> Batch:
    """Time, then amplitude, then what disturbs a signal; each sample by its own draw."""
    trace = batch.inputs.trace
    if options.shift_s or options.stretch:
        trace = moved(trace, draw, options)
    channels = trace.shape[1] // 2
    values, usual, known = trace[:, :channels], trace[:, channels : 2 * channels], trace[:, 2 * channels :]
    if options.gain:  # of the patient: the usual beat grows alike
        grown = 1 + options.gain * (2 * draw.uniform("gain", channels, 1) - 1)
        values, usual = values * grown, usual * grown
    spread = _spread(values, known)
    if options.wander:
        values = values + spread * options.wander * _wander(draw, trace.shape[2], options)
    if options.noise:
        strength = options.noise * draw.uniform("noise strength", 1, 1)
        values = values + spread * strength * _normal(draw, channels, trace.shape[2])
    if options.drop_lead and channels > 1:
        lost = (draw.uniform("loses a lead") < options.drop_lead)[:, None, None]
        which = torch.arange(channels, device=trace.device)[:, None] == (draw.uniform("lead", 1, 1) * channels).long()
        kept = (~(lost & which)).float()
        values, usual = values * kept, usual * kept
    timing = batch.inputs.timing
    if options.timing and options.stretch:
        told = (timing != 0).float()
        timing = timing + told * _JITTER * (2 * draw.uniform("timing", timing.shape[1]) - 1)
    return replace(batch, inputs=Inputs(torch.cat([values * known, usual, known], dim=1), timing))


def moved(trace: Tensor, draw: Draw, options: HeartbeatOptions) -> Tensor:
    """Shifted and stretched around the moment in question, linear between values, unknown beyond the ends."""
    length = trace.shape[2]
    middle = options.points_before
    factor = 1 + options.stretch * (2 * draw.uniform("stretch", 1) - 1)
    shift = options.shift_s * options.rate_hz * (2 * draw.uniform("shift", 1) - 1)
    at = (torch.arange(length, device=trace.device) - middle) * factor + middle + shift  # [B, L]
    inside = ((at >= 0) & (at <= length - 1)).to(trace.dtype)[:, None]
    left = at.floor().clamp(0, length - 2)
    share = (at - left).clamp(0, 1)[:, None].to(trace.dtype)
    index = left.long()[:, None].expand(-1, trace.shape[1], -1)
    return (trace.gather(2, index) * (1 - share) + trace.gather(2, index + 1) * share) * inside


def _spread(values: Tensor, known: Tensor) -> Tensor:
    """[B, C, 1] deviation of the known values."""
    n = known.sum(dim=2, keepdim=True).clamp(min=1.0)
    middle = (values * known).sum(dim=2, keepdim=True) / n
    return (((values - middle) * known).square().sum(dim=2, keepdim=True) / n).sqrt()


def _wander(draw: Draw, length: int, options: HeartbeatOptions) -> Tensor:
    """[B, 1, L] in [-1, 1]: a slow wave of the breath, alike in all leads."""
    low, high = _BREATH_HZ
    hz = low + (high - low) * draw.uniform("breath", 1, 1)
    strength = draw.uniform("wander", 1, 1)
    seconds = torch.arange(length, device=hz.device) / options.rate_hz
    return strength * torch.sin(2 * pi * (hz * seconds + draw.uniform("phase", 1, 1)))


def _normal(draw: Draw, *shape: int) -> Tensor:
    """[B, *shape] of mean 0 and deviation 1: the sum of three uniform numbers is near enough."""
    drawn = draw.uniform("noise 1", *shape) + draw.uniform("noise 2", *shape) + draw.uniform("noise 3", *shape)
    return (drawn - 1.5) * 2
