"""Loss and whole-batch augmentation of segmentation."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.prepare import augment as ops
from snowroll.prepare.mask_targets import IGNORED
from snowroll.prepare.patches import patches
from snowroll.tasks.segment_images.model import Said, Seen
from snowroll.tasks.segment_images.options import SegmentOptions
from snowroll.train.losses import entropy_and_dice


def loss(model: nn.Module, batch: Batch, options: SegmentOptions) -> Tensor:
    """[B]: cross-entropy of the pixels and Dice of the classes; of coarser maps, each counts half as much as the finer.

    Isensee et al. 2021 (nnU-Net), supplement 2: the sum of both, deep supervision by halves.
    """
    said: Said = model(batch.inputs)
    total, weights = torch.zeros(len(batch.ids), device=said.logits[0].device), 0.0
    for level, logits in enumerate(said.logits):
        mask = _as_coarse(batch.targets, logits.shape[2:])
        weight = 0.5**level
        total = total + weight * entropy_and_dice(logits, mask, options.dice, IGNORED)
        weights += weight
    return total / weights


def _as_coarse(mask: Tensor, size: torch.Size) -> Tensor:
    """Every so many pixels of the mask: [B, h, w] int64."""
    step = mask.shape[1] // size[0]
    return mask[:, step // 2 :: step, step // 2 :: step].long()


def augment(batch: Batch, draw: Draw, options: SegmentOptions) -> Batch:
    """A part of each picture, moved with its mask, then light."""
    image, mask = batch.inputs.image, batch.targets
    width, height = options.seen
    if options.parts > 1:
        image, mask = patches(image, mask, (height, width), draw, options.foreground)
    if options.flip or options.flip_down or options.rotate_deg or options.scale or options.shift:
        move = ops.draw_move(
            draw,
            (width, height),
            flip=options.flip,
            flip_down=options.flip_down,
            rotate_deg=options.rotate_deg,
            scale=options.scale,
            shift=options.shift,
        )
        image = ops.moved(image, move, "zeros")
        # values one higher, so that what comes in over the border, 0, is known to be nothing
        shifted = ops.moved(
            torch.where(mask == IGNORED, 0, mask + 1)[:, None].to(image.dtype), move, "zeros", "nearest"
        )
        mask = torch.where(shifted[:, 0] < 0.5, IGNORED, shifted[:, 0].round() - 1).to(mask.dtype)
    image = ops.light(
        image, draw, brightness=options.brightness, contrast=options.contrast, saturation=options.saturation
    )
    return replace(batch, inputs=Seen(image, batch.inputs.size), targets=mask)
