"""The network: leads levelled and scaled by the patient's own beats, a series network, the rhythm beside it, a head."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from snowroll.design.series import build as build_series
from snowroll.tasks.heartbeat.fitting import TIMINGS
from snowroll.tasks.heartbeat.options import HeartbeatOptions

_RHYTHM = 32  # width of what the timings become
_FAR = 12.0  # spreads from the middle, beyond which a value tells no more: an electrode that was touched


class Inputs(NamedTuple):
    """What a network takes."""

    trace: Tensor  # [B, 2 C + 1, L]: see fitting.encoded
    timing: Tensor  # [B, TIMINGS]


class Normalise(nn.Module):
    """Each lead without its mean, by the spread of the patient's usual beat; by its own where that is not known."""

    def forward(self, trace: Tensor) -> Tensor:
        channels = trace.shape[1] // 2
        values, usual, known = trace[:, :channels], trace[:, channels : 2 * channels], trace[:, 2 * channels :]
        n = known.sum(dim=2, keepdim=True).clamp(min=1.0)
        middle = (values * known).sum(dim=2, keepdim=True) / n
        level = (values - middle) * known
        own = (level.square().sum(dim=2, keepdim=True) / n).sqrt()
        theirs = usual.square().mean(dim=2, keepdim=True).sqrt()
        # a lead that was flat until now tells no scale
        spread = torch.where(theirs > 0.05 * own, theirs, own).clamp(min=1e-6)
        return torch.cat([(level / spread).clamp(-_FAR, _FAR), (usual / spread).clamp(-_FAR, _FAR), known], dim=1)


class Heartbeat(nn.Module):
    """Inputs to logits [B, classes]."""

    class_weight: Tensor

    def __init__(self, options: HeartbeatOptions, classes: int) -> None:
        super().__init__()
        self.normalise = Normalise()
        self.has_usual = options.about == "beat"
        self.channels = options.channels
        taken = 2 * options.channels + 1 if self.has_usual else options.channels + 1
        self.backbone, width = build_series(options.model, taken, options.width)
        self.rhythm: nn.Module | None = None
        if options.timing:
            first, second = nn.Linear(TIMINGS, _RHYTHM), nn.Linear(_RHYTHM, _RHYTHM)
            self.rhythm = nn.Sequential(first, nn.ReLU(), second, nn.ReLU())
            width += _RHYTHM
        self.dropout = nn.Dropout(options.dropout)
        self.head = nn.Linear(width, classes)
        # small, so that the loss starts at ln C; not zero, or the gates could see no gradient through the head
        nn.init.normal_(self.head.weight, std=0.02 / width**0.5)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("class_weight", torch.ones(classes))  # of the loss: see training.py

    def forward(self, inputs: Inputs) -> Tensor:
        trace = self.normalise(inputs.trace)
        if not self.has_usual:  # nothing but zeros
            trace = torch.cat([trace[:, : self.channels], trace[:, 2 * self.channels :]], dim=1)
        features = self.backbone(trace)
        if self.rhythm is not None:
            features = torch.cat([features, self.rhythm(inputs.timing)], dim=1)
        return self.head(self.dropout(features))
