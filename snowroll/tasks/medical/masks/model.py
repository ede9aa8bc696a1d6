"""A U-Net over volumes that is seen part by part where the frame is large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log
from typing import NamedTuple

import torch
from torch import Tensor, nn

from snowroll.base.errors import PlanError
from snowroll.design.levels import widths_of
from snowroll.design.softmax import probabilities
from snowroll.design.volumes import Decoder, Encoder
from snowroll.design.windows import Windows
from snowroll.tasks.medical.masks.options import MaskOptions


class Seen(NamedTuple):
    """What the network is given."""

    image: Tensor  # [B, C, D, H, W] float32 in [0, 1]: the scan in its frame, or a patch of it
    shape: Tensor  # [B, 3] int64: depth, height, width of the scan as it lies in its file
    spacing: Tensor  # [B, 3] float32: mm


class Said(NamedTuple):
    """What the network says: logits [B, classes, d, h, w] from the finest map on; in evaluation there is one."""

    logits: tuple[Tensor, ...]
    shape: Tensor
    spacing: Tensor


class Segmenter(nn.Module):
    """Seen to Said."""

    def __init__(self, options: MaskOptions, classes: int) -> None:
        super().__init__()
        levels = options.levels
        widths = widths_of(options.width, len(levels))
        self.encoder = Encoder(options.channels, levels, widths)
        self.decoder = Decoder(levels, widths, classes, options.deep)
        self.windows = Windows(options.frame, options.seen)
        self.mirror = options.mirror

    def forward(self, seen: Seen) -> Said:
        image = seen.image
        if image.shape[2:] == self.windows.part:
            return Said(tuple(self._logits(image)), seen.shape, seen.spacing)
        return Said((self.windows.over(image, self._finest),), seen.shape, seen.spacing)

    def _finest(self, image: Tensor) -> Tensor:
        return self._logits(image)[0]

    def _logits(self, image: Tensor) -> list[Tensor]:
        logits = self.decoder(self.encoder(image))
        if self.mirror and not self.training:
            turned = self.decoder(self.encoder(image.flip(4)))[0].flip(4)
            return [((probabilities(logits[0]) + probabilities(turned)) / 2).clamp(min=1e-9).log()]
        return logits


class Together(nn.Module):
    """Several models as one: the mean of their probabilities."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, seen: Seen) -> Said:
        said = [member(seen).logits[0].log_softmax(dim=1) for member in self.members]
        whole = torch.stack(said).logsumexp(dim=0) - log(len(said))
        return Said((whole,), seen.shape, seen.spacing)


def build(options: MaskOptions, classes: Sequence[str]) -> Segmenter:
    """The network that a plan's options describe. The caller seeds torch's generator."""
    if len(classes) < 2:
        told = "there are no two classes to tell apart"
        raise PlanError(told, where="task", cure="label voxels of a second class, the background among them")
    return Segmenter(options, len(classes))
