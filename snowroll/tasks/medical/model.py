"""Networks that tell one class a scan, and say from which probability on the class counts that must not be missed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log
from typing import NamedTuple

import torch
from torch import Tensor, nn

from snowroll.base.errors import PlanError
from snowroll.design.classifier import Classifier
from snowroll.design.levels import widths_of
from snowroll.design.rules import ImageOptions
from snowroll.design.volumes import Encoder, Pooled
from snowroll.design.zoo import build_from
from snowroll.tasks.medical.diagnosing import HALF
from snowroll.tasks.medical.options import MedicalOptions, levels_for


class Said(NamedTuple):
    """What a network says of scans."""

    logits: Tensor  # [B, classes]
    threshold: Tensor  # [B] probability of the class that must not be missed, from which on it is said


class Diagnosing(nn.Module):
    """float32 [B, C, D, H, W] in [0, 1] to Said."""

    def __init__(self, network: Classifier, is_flat: bool) -> None:
        super().__init__()
        self.network, self.is_flat = network, is_flat
        self.loaded = network.loaded

    def forward(self, scans: Tensor) -> Said:
        logits = self.network(scans[:, :, 0] if self.is_flat else scans)
        return Said(logits, torch.full_like(logits[:, 0], HALF))


class Graded(nn.Module):
    """A model with what `calibrate` found: a temperature (Guo et al. 2017) and a threshold."""

    def __init__(self, model: nn.Module, temperature: float, threshold: float) -> None:
        super().__init__()
        self.model, self.temperature, self.threshold = model, temperature, threshold

    def forward(self, scans: Tensor) -> Said:
        logits = self.model(scans).logits / self.temperature
        return Said(logits, torch.full_like(logits[:, 0], self.threshold))


class Together(nn.Module):
    """Several models as one: the mean of their probabilities and of their thresholds."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, scans: Tensor) -> Said:
        said = [member(scans) for member in self.members]
        logits = torch.stack([one.logits.float().log_softmax(dim=1) for one in said])
        thresholds = torch.stack([one.threshold for one in said])
        return Said(logits.logsumexp(dim=0) - log(len(said)), thresholds.mean(dim=0))


class Volumes(Classifier):
    """Our own over volumes: an encoder without ImageNet's colours."""

    def __init__(self, options: MedicalOptions, classes: int) -> None:
        levels = levels_for(options)
        widths = widths_of(options.width, len(levels))
        super().__init__(Pooled(Encoder(options.channels, levels, widths)), 2 * widths[-1], classes, options.dropout)
        self.normalise = nn.Identity()  # type: ignore[assignment]


def build(options: MedicalOptions, classes: Sequence[str]) -> Diagnosing:
    """The network that a plan's options describe. The caller seeds torch's generator."""
    if options.model == "volumes":
        if options.pretrained:
            told = "there are no weights for 'volumes'"
            raise PlanError(told, where="task.pretrained", cure="name the model they belong to with --task.model")
        return Diagnosing(Volumes(options, len(classes)), is_flat=False)
    _, height, width = options.frame
    if options.channels != 3 or height != width:
        told = f"'{options.model}' takes squares of three channels, not {options.channels} of {height} x {width}"
        raise PlanError(told, where="task.frame", cure="set task.frame 1,N,N and task.channels 3")
    flat = ImageOptions(
        model=options.model,
        size_px=height,
        dropout=options.dropout,
        mean=options.mean,
        std=options.std,
        pretrained=options.pretrained,
        padding=options.padding,
        keep=options.keep,
        keep_statistics=options.keep_statistics,
    )
    return Diagnosing(build_from(flat, len(classes)), is_flat=True)
