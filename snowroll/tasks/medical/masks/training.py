"""Loss and whole-batch augmentation of masks of scans."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.design.volumes import coarser
from snowroll.prepare import augment as ops
from snowroll.prepare.mask_targets import IGNORED
from snowroll.prepare.patches import patches
from snowroll.tasks.medical.masks.model import Said, Seen
from snowroll.tasks.medical.masks.options import MaskOptions
from snowroll.tasks.medical.training import move_of, moved, relit
from snowroll.train.losses import entropy_and_dice


def loss(model: nn.Module, batch: Batch, options: MaskOptions) -> Tensor:
    """[B] cross-entropy and Dice; of coarser maps, each counts half as much as the finer (nnU-Net)."""
    said: Said = model(batch.inputs)
    total, weights = torch.zeros(len(batch.ids), device=said.logits[0].device), 0.0
    for level, logits in enumerate(said.logits):
        labels = coarser(batch.targets, logits.shape[2:])
        weight = 0.5**level
        total = total + weight * entropy_and_dice(logits, labels, options.dice, IGNORED)
        weights += weight
    return total / weights


def augment(batch: Batch, draw: Draw, options: MaskOptions) -> Batch:
    """A patch of each scan, moved in the plane of its slices with its labels, then light."""
    image, labels = batch.inputs.image, batch.targets
    if options.seen != options.frame:
        image, labels = patches(image, labels, options.seen, draw, options.foreground)
    if (move := move_of(image, draw, options)) is not None:
        image = moved(image, move)
        # values one higher, so that what comes in over the border, 0, is known to be nothing
        raised = torch.where(labels == IGNORED, 0, labels.to(image.dtype) + 1)
        shifted = ops.moved(raised, move, "zeros", "nearest")
        labels = torch.where(shifted < 0.5, IGNORED, shifted.round() - 1).to(labels.dtype)
    image = relit(image, draw, options)
    return replace(batch, inputs=Seen(image, batch.inputs.shape, batch.inputs.spacing), targets=labels)
