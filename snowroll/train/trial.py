"""What a gate works with: a run that has not begun, cut down to a few rows and a few safe steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch, Json, Plan
from snowroll.base.task import Task
from snowroll.train.fit import Batches, Objective
from snowroll.train.nested import each, joined, leaves

if TYPE_CHECKING:
    from PIL.Image import Image

ROWS = 32  # the most rows of a batch that a gate looks at


@dataclass(frozen=True, slots=True)
class Trial:
    """What the gates need to know of a run that has not begun, whoever wrote its loop."""

    plan: Plan
    make: Callable[[], nn.Module]  # a fresh model, equal at each call
    batches: Batches  # as the run will see them: augmented, mixed
    plain: Batches  # the same rows as they are
    objective: Objective
    truth: Callable[[Tensor], Sequence[Json]]  # ids [B] -> their targets
    credit: Callable[[nn.Module, Batch], float]  # a model in evaluation mode -> the share of its answers that are right
    show: Callable[[Batch, int], Image]  # one row of a batch, decoded back to a picture
    expected_loss: float | None = None  # of an untrained model, where something is known of it
    rate_is_told: bool = False  # a person set the learning rate
    in_order: bool = False  # answers lie along the inputs, and each may hang on what stands before it alone
    frozen: tuple[str, ...] = ()  # beginnings of the names of parameters that are meant to stand still


@dataclass(frozen=True, slots=True)
class Measured:
    """A gate's finding: in words, and whether the hypothesis holds."""

    words: str
    holds: bool
    picture: str | None = None


def task_credit(
    task: Task, schema: Mapping[str, Json], plan: Plan, truth: Callable[[Tensor], Sequence[Json]]
) -> Callable[[nn.Module, Batch], float]:
    """The task's own verdict on a model's answers: the mean over the batch of what each sample earned."""

    def credit(model: nn.Module, batch: Batch) -> float:
        outputs = task.postprocess(model(batch.inputs), plan.task)
        arrays = {name: value.float().cpu().numpy() for name, value in outputs.items()}
        answers = task.decode(arrays, schema, plan.task)
        return float(task.credit(answers, truth(batch.ids), schema).mean())

    return credit


def gate_plan(plan: Plan, steps: int, lr: float = 1e-3) -> Plan:
    """The run's plan, made short and safe: AdamW at a rate that suits most networks, without decay or averaging."""
    return replace(
        plan,
        steps=steps,
        optimizer="adamw",
        lr=lr,
        weight_decay=0.0,
        schedule="constant",
        warmup=0.0,
        ema=0.0,
        clip=1.0,  # also where the run has none: a gate's verdict must not hang on one large step
        compile=False,
    )


def take(batch: Batch, rows: Tensor) -> Batch:
    """Those rows of the batch, in that order."""
    size = len(batch.ids)

    def pick(tensor: Tensor) -> Tensor:
        return tensor[rows.to(tensor.device)] if tensor.ndim and len(tensor) == size else tensor

    return Batch(each(batch.inputs, pick), each(batch.targets, pick), pick(batch.ids))


def few(batch: Batch, rows: int = ROWS) -> Batch:
    """The first rows of the batch."""
    return take(batch, torch.arange(min(rows, len(batch.ids))))


def join(parts: list[Batch]) -> Batch:
    """Batches with the same kind of inputs, as one."""
    inputs, targets = joined([part.inputs for part in parts]), joined([part.targets for part in parts])
    return Batch(inputs, targets, torch.cat([part.ids for part in parts]))


def outputs_of(model: nn.Module, batch: Batch) -> list[Tensor]:
    """What the model says of the batch: every tensor that has a row for each sample."""
    with torch.no_grad():
        found = leaves(model(batch.inputs))
    return [t.float() for t in found if t.ndim and len(t) == len(batch.ids)]


@torch.no_grad()
def wake(model: nn.Module, seed: int) -> None:
    """Noise where a network starts at exactly zero (last layers, residual scales), or its outputs would all be zero."""
    noise = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        if not p.any():
            p.copy_(0.05 * torch.randn(p.shape, generator=noise))
