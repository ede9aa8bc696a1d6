"""Loss and whole-batch augmentation of image classification."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.design.rules import ImageOptions
from snowroll.prepare import augment as ops


class Mixed(NamedTuple):
    """Targets of a mixed batch: `share` of the pixels [B] show `first` [B], the rest `second` [B]."""

    first: Tensor
    second: Tensor
    share: Tensor


def loss(model: nn.Module, batch: Batch, options: ImageOptions) -> Tensor:
    """[B] cross-entropy; of a mixed picture, the share-weighted sum over its two classes."""
    logits = model(batch.inputs).float()
    if isinstance(batch.targets, Mixed):
        first = _cross_entropy(logits, batch.targets.first, options)
        second = _cross_entropy(logits, batch.targets.second, options)
        return batch.targets.share * first + (1 - batch.targets.share) * second
    return _cross_entropy(logits, batch.targets, options)


def _cross_entropy(logits: Tensor, classes: Tensor, options: ImageOptions) -> Tensor:
    # smoothing is a way to train, not a way to judge: validation losses stay comparable between plans
    smoothing = options.label_smoothing if logits.requires_grad else 0.0
    return F.cross_entropy(logits, classes, reduction="none", label_smoothing=smoothing)


def augment(batch: Batch, draw: Draw, options: ImageOptions) -> Batch:
    """Geometry, then light, then what is cut out or mixed; each sample by its own draw."""
    images = ops.geometry(
        batch.inputs,
        draw,
        flip=options.flip,
        rotate_deg=options.rotate_deg,
        scale=options.scale,
        shift=options.shift,
    )
    images = ops.light(
        images, draw, brightness=options.brightness, contrast=options.contrast, saturation=options.saturation
    )
    if options.cutout > 0:
        images = ops.cutout(images, draw, options.cutout)
    if options.mix == "none":
        return replace(batch, inputs=images)
    mix = ops.mixup if options.mix == "mixup" else ops.cutmix
    images, partner, share = mix(images, draw, options.mix_alpha)
    return replace(batch, inputs=images, targets=Mixed(batch.targets, batch.targets[partner], share))
