"""Losses that more than one task has."""

from __future__ import annotations

import torch
from torch import Tensor


def entropy_and_dice(logits: Tensor, mask: Tensor, dice: float, ignored: int) -> Tensor:
    """[B] cross-entropy, and `dice` times what Dice's measure is short of 1. logits: [B, C, ...], mask: [B, ...] int64,
    over pixels or voxels, as many axes as there are; what is `ignored` counts nowhere.
    """
    logits, mask = logits.flatten(2), mask.flatten(1)
    known = mask != ignored
    wanted = torch.where(known, mask, 0)
    logs = logits.log_softmax(dim=1)
    right = logs.gather(1, wanted[:, None])[:, 0] * known
    losses = -right.sum(dim=1) / known.sum(dim=1).clamp(min=1)
    if not dice:
        return losses
    counted = known.to(logs.dtype)
    none = logs.new_zeros(logs.shape[:2])
    both = none.scatter_add(1, wanted, right.exp() * counted)
    there = none.scatter_add(1, wanted, counted)
    said = (logs.exp() * known[:, None]).sum(dim=2)
    overlap = (2 * both + 1) / (said + there + 1)
    # over the classes that the picture shows: an absent class has no overlap to be had
    present = (there > 0).to(logs.dtype)
    return losses + dice * (1 - (overlap * present).sum(dim=1) / present.sum(dim=1).clamp(min=1))
