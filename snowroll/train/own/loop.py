"""A training loop that somebody else wrote, taken apart so that its parts can be measured one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from snowroll.base.nouns import Batch, Plan
from snowroll.train.fit import Batches
from snowroll.train.nested import leaves
from snowroll.train.trial import Trial


@dataclass(frozen=True, slots=True)
class Samples:
    """What is stored, before any batch is made of it."""

    raw: Sequence[Any]  # one sample each, as it lies on the disk: an array, a text
    encode: Callable[[Any], Tensor]  # a stored sample to the model's input, the same at each call
    labels: Sequence[Any]  # class numbers: one a sample, or [T] for each place of it
    train: Sequence[int]  # rows that are learnt from
    held_out: Sequence[int]  # rows that are judged by
    classes: Sequence[str]  # their names


def one_step(model: nn.Module, optimizer: Optimizer, loss: Tensor) -> None:
    """What most loops do with a loss."""
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def one_rate(step: int, steps: int) -> float:
    """No schedule."""
    return 1.0


@dataclass(frozen=True, slots=True)
class Loop:
    """The parts of a loop. What is not given is not measured.

    Each part may be called out of turn, on a copy of the model and with fewer samples than a batch. A batch's `ids` are
    rows of `samples`.
    """

    make: Callable[[], nn.Module]  # a fresh model, equal at each call
    batch: Batches  # step, from 0 -> what that step sees, augmented
    loss: Callable[[nn.Module, Batch], Tensor]  # a scalar, or [B]: whatever `update` takes
    optimizer: Callable[[nn.Module], Optimizer]
    steps: int
    update: Callable[[nn.Module, Optimizer, Tensor], None] = one_step
    rate: Callable[[int, int], float] = one_rate  # (step, steps) -> share of the optimizer's learning rate
    plain: Batches | None = None  # the rows of `batch` before augmentation
    samples: Samples | None = None
    predict: Callable[[nn.Module, Any], Tensor] | None = None  # inputs -> probabilities [B, C] or [B, T, C], evaluating
    figure: Callable[[nn.Module], float] | None = None  # the accuracy on `samples.held_out` as its author reports it
    serve: Callable[[nn.Module, Any], str] | None = None  # a stored sample -> the name of a class (of the last place)
    causal: bool = False  # the output at a place may depend on the inputs up to that place only
    frozen: tuple[str, ...] = ()  # beginnings of the names of parameters that are meant to stand still
    seed: int = 0

    @property
    def unvaried(self) -> Batches:
        """Batches without augmentation, where they are known."""
        return self.plain or self.batch


def rehearse(
    loop: Loop, steps: int, factor: float = 1.0, batches: Batches | None = None
) -> tuple[nn.Module, list[float]]:
    """The loop in `steps` steps, its schedule drawn together: the model, and each step's loss until one is not finite.

    factor: on every learning rate. batches: what is seen instead of the loop's own.
    """
    torch.manual_seed(loop.seed)
    model = loop.make()
    optimizer = loop.optimizer(model)
    rates = [group["lr"] for group in optimizer.param_groups]
    losses: list[float] = []
    for step in range(steps):
        share = loop.rate(step * loop.steps // steps, loop.steps)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor * share
        model.train()
        loss = loop.loss(model, (batches or loop.batch)(step))
        losses.append(loss.mean().item())
        if not math.isfinite(losses[-1]):
            break
        loop.update(model, optimizer, loss)
    return model, losses


def trial_of(loop: Loop) -> Trial:
    """The loop as the gates know runs: they train copies of its model for a few steps in their own careful way."""
    size = len(leaves(loop.batch(0).inputs)[0])

    def objective(model: nn.Module, batch: Batch) -> Tensor:
        loss = loop.loss(model, batch)
        return loss if loss.ndim else loss.expand(len(batch.ids))

    def truth(ids: Tensor) -> list[Any]:
        return [] if loop.samples is None else [_plain(loop.samples.labels[row]) for row in ids.tolist()]

    def credit(model: nn.Module, batch: Batch) -> float:
        if loop.predict is None:
            return 1.0  # nothing is known of what would be right
        return right(loop, model, batch).float().mean().item()

    def show(batch: Batch, row: int) -> Any:
        raise NotImplementedError("a loop's inputs are no pictures that we know how to draw")

    plan = Plan(None, steps=loop.steps, batch=size, seed=loop.seed)
    return Trial(plan, loop.make, loop.batch, loop.unvaried, objective, truth, credit, show, frozen=loop.frozen)


def right(loop: Loop, model: nn.Module, batch: Batch) -> Tensor:
    """[B] or [B, T]: where the likeliest class is the target. Needs `predict`."""
    assert loop.predict is not None
    return loop.predict(model, batch.inputs).argmax(dim=-1) == batch.targets


def stored(samples: Samples, rows: Sequence[int]) -> Batch:
    """Those rows as they would be seen without augmentation."""
    inputs = torch.stack([samples.encode(samples.raw[row]) for row in rows])
    return Batch(inputs, torch.as_tensor([_plain(samples.labels[row]) for row in rows]), torch.as_tensor(rows))


def _plain(label: Any) -> Any:
    """A class number, or a list of them, as Python's own."""
    return label.tolist() if hasattr(label, "tolist") else label
