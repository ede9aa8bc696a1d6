"""Models that know nothing of their inputs: asked through a loss, they tell what the loss wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from snowroll.base.device import seed_torch
from snowroll.base.nouns import Batch
from snowroll.train.fit import Objective
from snowroll.train.nested import leaves
from snowroll.train.optim import Group, Optimizer


class Answers(nn.Module):
    """Row i of a batch is answered with row i of a table; a table of one row answers all alike. Any inputs do.

    shape: of one answer, where the table holds ones that are to be repeated (over places).
    """

    def __init__(self, table: Tensor, shape: Sequence[int] | None = None) -> None:
        super().__init__()
        self.table = nn.Parameter(table)
        self.shape = tuple(table.shape[1:] if shape is None else shape)

    def forward(self, inputs: Any) -> Tensor:
        size = len(leaves(inputs)[0])
        rows = self.table if len(self.table) == 1 else self.table[:size]
        return rows.expand(size, *self.shape)


def constant(like: Tensor, answer: Tensor | None = None) -> Answers:
    """One answer to all samples, in the shape of a model's outputs `like`: a value a class, the same at all places.

    [B], [B, C], [B, T, C] or [B, C, H, W]. answer: what it says; zeros.
    """
    shape = [1] * like.ndim
    if like.ndim > 1:
        axis = 1 if like.ndim == 4 else like.ndim - 1
        shape[axis] = like.shape[axis]
    table = torch.zeros(shape, device=like.device) if answer is None else answer.detach().reshape(shape)
    return Answers(table, like.shape[1:])


def loss_of(loss: Objective, model: nn.Module, batches: Sequence[Batch], seed: int = 0) -> Tensor:
    """The mean loss over these batches, its own random numbers (dropout, mixing) the same at each call."""
    seed_torch(seed)
    return torch.stack([loss(model, batch).mean() for batch in batches]).mean()


def askable(loss: Objective, outputs: Any, batch: Batch) -> Tensor | None:
    """A model's outputs for the batch; None where they are no single tensor with a row for each sample, or where the
    loss wants more of a model than to be called."""
    if not (isinstance(outputs, Tensor) and outputs.ndim > 0 and len(outputs) == len(batch.ids)):
        return None
    outputs = outputs.detach().float()
    try:
        with torch.no_grad():
            loss_of(loss, constant(outputs), [batch])
    except (AttributeError, TypeError, ValueError):
        return None
    return outputs


def best_constant(loss: Objective, batches: Sequence[Batch], like: Tensor, steps: int = 120) -> tuple[Answers, float]:
    """The answer that, given to every sample, loses least on these batches; and that loss.

    like: outputs for a batch; the answer has their shape.
    """
    model = constant(like)
    optimizer = Optimizer([Group("adamw", 1.0, 0.0, {"table": model.table})], momentum=0.9)
    lowest, best = float("inf"), model.table.detach().clone()
    for step in range(steps):
        now = loss_of(loss, model, batches)
        if now.item() < lowest:
            lowest, best = now.item(), model.table.detach().clone()
        model.zero_grad()
        now.backward()
        optimizer.step(0.3 * (1 - step / steps))
    return constant(like, best), lowest
