"""The U-Net: maps from fine to coarse, and back up with what each level saw on the way down (Ronneberger et al. 2015).

Ours has two convolutions a level, as nnU-Net's, and batch norm; under the same decoder stands any backbone of the zoo
that keeps maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.errors import PlanError
from snowroll.design.classifier import Normalise
from snowroll.design.fine_tuned import FineTuned, keep_weights
from snowroll.design.pyramid import Pyramid, pyramid
from snowroll.design.softmax import probabilities
from snowroll.design.windows import Windows
from snowroll.tasks.segment_images import ready_made
from snowroll.tasks.segment_images.options import READY_MADE, SegmentOptions, widths_of
from snowroll.tasks.segment_images.ready_made import Head

OVERLAP = 0.25  # share of a part that the next one sees, too


class Seen(NamedTuple):
    """What the network is given."""

    image: Tensor  # [B, 3, H, W] float32 in [0, 1]: the picture fitted into the frame, or a part of it
    size: Tensor  # [B, 2] int64: width and height of the picture as it lies in its file


class Said(NamedTuple):
    """What the network says: logits [B, C, h, w] from the finest map on, each coarser one half as fine; the size.

    In evaluation there is one, as fine as the input.
    """

    logits: tuple[Tensor, ...]
    size: Tensor


class Segmenter(FineTuned):
    """Seen to Said. In evaluation only the finest map answers."""

    def __init__(self, backbone: nn.Module, head: Decoder | Head, options: SegmentOptions) -> None:
        super().__init__()
        self.loaded = getattr(backbone, "loaded", None)
        self.normalise = Normalise(options.mean, options.std)
        self.backbone = backbone
        self.head = head
        self.mirror = options.mirror
        self.windows = Windows(options.frame[::-1], options.seen[::-1], OVERLAP)

    def forward(self, seen: Seen) -> Said:
        if seen.image.shape[2:] == self.windows.part or self.training:
            return Said(tuple(self._logits(seen.image)), seen.size)
        return Said((self.windows.over(seen.image, self._finest),), seen.size)

    def _finest(self, image: Tensor) -> Tensor:
        return self._logits(image)[0]

    def _logits(self, image: Tensor) -> list[Tensor]:
        logits = self.head(self.backbone(self.normalise(image)), image.shape[2:])
        if self.mirror and not self.training:
            turned = self.head(self.backbone(self.normalise(image.flip(3))), image.shape[2:])[0].flip(3)
            return [((probabilities(logits[0]) + probabilities(turned)) / 2).clamp(min=1e-9).log()]
        return logits


class Decoder(nn.Module):
    """Maps from fine to coarse, to logits."""

    answering = ("score",)

    def __init__(self, widths: Sequence[int], strides: Sequence[int], classes: int, deep: bool) -> None:
        super().__init__()
        self.up = nn.ModuleList(nn.Conv2d(after, before, 1) for before, after in pairwise(widths))
        self.join = nn.ModuleList(_level(2 * before, before) for before in widths[:-1])
        self.strides = tuple(strides)
        asked = range(min(3, len(widths) - 1)) if deep else range(1)
        self.classes = classes
        scores = [nn.Conv2d(widths[level], classes, 1) for level in asked]
        for layer in scores:
            nn.init.normal_(layer.weight, std=0.01)
        self.score = nn.ModuleList(scores)
        self.expect(torch.zeros(classes))

    @torch.no_grad()
    def expect(self, bias: Tensor) -> None:
        """Begin with classes as common as these logits [C] say."""
        for layer in self.score:
            assert isinstance(layer, nn.Conv2d)
            assert layer.bias is not None
            layer.bias.copy_(bias)

    def forward(self, maps: Sequence[Tensor], size: torch.Size) -> list[Tensor]:
        x, found = maps[-1], []
        for level in reversed(range(len(self.join))):
            x = F.interpolate(self.up[level](x), scale_factor=2.0, mode="bilinear", align_corners=False)
            x = self.join[level](torch.cat((maps[level], x), dim=1))
            if level < len(self.score) and (level == 0 or self.training):
                found.append(self.score[level](x).float())
        finest = found.pop()
        if self.strides[0] > 1 and not self.training:  # a loss of every second pixel saves a third of a step
            finest = F.interpolate(finest, scale_factor=float(self.strides[0]), mode="bilinear", align_corners=False)
        return [finest, *reversed(found)]


class Encoder(nn.Module):
    """Ours: normalised images to one map a level, the first as fine as the image, or 2 or 4 times coarser (stem)."""

    def __init__(self, widths: Sequence[int], stem: int) -> None:
        super().__init__()
        first = nn.Sequential(_layer(3, widths[0], min(stem, 2)), _layer(widths[0], widths[0], max(1, stem // 2)))
        self.level = nn.ModuleList([first])
        for before, after in pairwise(widths):
            self.level.append(_level(before, after, stride=2))

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for level in self.level:
            x = level(x)
            maps.append(x)
        return maps


def _level(before: int, after: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(_layer(before, after, stride), _layer(after, after, 1))


def _layer(before: int, after: int, stride: int) -> nn.Module:
    conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.LeakyReLU(0.01, inplace=True))


def build(options: SegmentOptions, classes: int) -> Segmenter:
    """The network that a plan's options describe. The caller seeds torch's generator."""
    if classes < 2:
        told = "there are no two classes to tell apart"
        raise PlanError(told, where="task", cure="label pixels of a second class, the background among them")
    if options.model == "unet":
        if options.pretrained:
            told = "there are no weights for 'unet'"
            raise PlanError(told, where="task.pretrained", cure="name the model they belong to with --task.model")
        widths = widths_of(options)
        strides = [options.stem << level for level in range(options.levels)]
        return Segmenter(Encoder(widths, options.stem), Decoder(widths, strides, classes, options.deep), options)
    if options.model in READY_MADE:
        model = Segmenter(*ready_made.ready_made(options, classes), options)
        ready_made.load(model, options)
    else:
        backbone: Pyramid = pyramid(options.model, options.pretrained, options.padding, (2, 4, 8, 16, 32))
        model = Segmenter(backbone, Decoder(backbone.widths, backbone.strides, classes, options.deep), options)
    if options.pretrained:
        keep_weights(model, options.keep, options.keep_statistics)
    return model
