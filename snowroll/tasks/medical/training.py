"""Loss and whole-batch augmentation of diagnoses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.prepare import augment as ops
from snowroll.prepare.augment import Move
from snowroll.tasks.medical.options import MedicalOptions


class Wanted(NamedTuple):
    """Targets of a batch."""

    number: Tensor  # [B] int64: of the class
    ill: Tensor  # [B] bool: whether it is the one that must not be missed


def loss(model: nn.Module, batch: Batch, options: MedicalOptions) -> Tensor:
    """[B] cross-entropy."""
    logits = model(batch.inputs).logits.float()
    # smoothing is a way to train, not a way to judge: validation losses stay comparable between plans
    smoothing = options.label_smoothing if logits.requires_grad else 0.0
    return F.cross_entropy(logits, batch.targets.number, reduction="none", label_smoothing=smoothing)


def augment(batch: Batch, draw: Draw, options: MedicalOptions) -> Batch:
    """Every slice of a scan moved alike, in its plane; then light."""
    scans = batch.inputs
    if (move := move_of(scans, draw, options)) is not None:
        scans = moved(scans, move)
    return replace(batch, inputs=relit(scans, draw, options))


def move_of(scans: Tensor, draw: Draw, options: Any) -> Move | None:
    """Each scan's own move in the plane of its slices; None where none is asked for."""
    if not (options.flip or options.rotate_deg or options.scale or options.shift):
        return None
    frame = (scans.shape[-1], scans.shape[-2])
    return ops.draw_move(
        draw, frame, flip=options.flip, rotate_deg=options.rotate_deg, scale=options.scale, shift=options.shift
    )


def moved(scans: Tensor, move: Move) -> Tensor:
    """[B, C, D, H, W], black where nothing is known."""
    slices = scans.flatten(1, 2)
    return ops.moved(slices, move, "zeros").reshape(scans.shape)


def relit(scans: Tensor, draw: Draw, options: Any) -> Tensor:
    """Brightness and contrast of the whole scan."""
    lit = ops.light(scans.flatten(1, 2), draw, brightness=options.brightness, contrast=options.contrast)
    return lit.reshape(scans.shape)
