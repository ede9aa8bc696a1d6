"""Training on one page: a generator of steps.

`snowroll eject` copies this file into your folder, to be read and changed. The caller stays in charge:

    state = begin(model, plan)
    for step in fit(model, batches, objective, plan, state):
        ...  # log, evaluate, save, or `break`: ordinary code in an ordinary loop

Nothing here has a memory besides model and state. Order and augmentation live in `batches`, a pure function of the
step; the learning rate is arithmetic on the step; torch's random numbers are re-seeded from (seed, step). So a run that
is killed and resumed ends in the same bits as one that was left alone (same machine, same number of threads).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor, nn

from snowroll.base.device import seed_torch
from snowroll.base.errors import GateError
from snowroll.base.nouns import Batch, Plan
from snowroll.train.compiled import compiled
from snowroll.train.diagnose import rows_at_fault, why_not_finite
from snowroll.train.distributed import add_up, rank, share_buffers, words_of_the_one
from snowroll.train.nested import each
from snowroll.train.optim import Optimizer, optimizer_for
from snowroll.train.small_maps import quicken

Batches = Callable[[int], Batch]  # step, from 0 -> what that step sees
Objective = Callable[[nn.Module, Batch], Tensor]  # -> [B] losses, one a sample


@dataclass(frozen=True, slots=True)
class Step:
    """One update of the weights, as it looks from outside."""

    number: int  # updates done, this one included
    loss: float  # weighted mean over the batch (over all processes)
    lr: float
    grad_norm: float  # before clipping
    losses: Tensor  # [B] one a sample, detached (this process's rows)
    ids: Tensor  # [B] which samples they were


@dataclass(slots=True)
class State:
    """What a run remembers besides the weights. `fit` keeps it up to date; train/checkpoint.py saves it."""

    optimizer: Optimizer
    average: nn.Module | None  # moving average of weights and buffers: what gets evaluated when plan.ema > 0
    step: int = 0  # updates done


def begin(model: nn.Module, plan: Plan, optimizer: Optimizer | None = None) -> State:
    """The state before the first step. Moves the model to the plan's device and memory layout, in place."""
    model.to(plan.device)
    if plan.channels_last:
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = _channels_last(tensor.data)
        if torch.device(plan.device).type == "cpu" and not plan.compile:
            quicken(model)
    average = deepcopy(model).eval().requires_grad_(False) if plan.ema else None
    return State(optimizer or optimizer_for(model, plan), average)


def fit(
    model: nn.Module,
    batches: Batches,
    objective: Objective,
    plan: Plan,
    state: State | None = None,
    weights: Tensor | None = None,
) -> Iterator[Step]:
    """Train in place, yielding one Step for each update, from `state.step` to `plan.steps`.

    weights: [n] how much each sample counts, looked up by `batch.ids`; None: all the same.
    Raises GateError at the first NaN or infinity, naming step, layer and samples; PlanError if `plan.compile` changes
    what is computed. Seeds torch's global generator at each step.
    """
    state = state or begin(model, plan)
    network = model  # or its compiled twin, which shares the weights
    parameters = [p for p in model.parameters() if p.requires_grad]

    for step in range(state.step, plan.steps):
        model.train()  # the caller may have evaluated in between
        model.zero_grad(set_to_none=True)  # so early: gradients beside activations would be the peak of memory
        batch = _laid_out(batches(step), plan)
        if plan.compile and network is model:
            network = compiled(model, batch, objective, plan)

        # forward: a loss for each sample, and their weighted mean over all processes
        seed_step(plan.seed, step)
        with torch.autocast(torch.device(plan.device).type, torch.bfloat16, enabled=plan.precision == "bf16"):
            losses = objective(network, batch)
        weight = torch.ones_like(losses) if weights is None else weights.to(losses)[batch.ids]
        (total_weight,) = add_up([weight.sum()])
        loss = (losses * weight).sum() / total_weight  # this process's share of the mean
        if not loss.requires_grad:
            raise GateError("the loss depends on no trainable parameter", cure="look for detach() or frozen layers")

        # backward: the gradient of that mean
        loss.backward()
        grad_norm = _share_gradients(parameters)
        (mean_loss,) = add_up([loss.detach().clone()])
        if not (math.isfinite(mean_loss.item()) and math.isfinite(grad_norm.item())):
            raise _not_finite(step, model, batch, losses.detach())
        if plan.clip:
            nn.utils.clip_grads_with_norm_(parameters, plan.clip, grad_norm)

        # update
        lr = lr_at(step, plan)
        state.optimizer.step(lr)
        share_buffers(model)
        if state.average is not None:
            _blend(state.average, model, plan.ema, step)
        state.step = step + 1
        yield Step(state.step, mean_loss.item(), lr, grad_norm.item(), losses.detach(), batch.ids)


def lr_at(step: int, plan: Plan) -> float:
    """The learning rate of `step` (from 0): up in a straight line for the warm-up, then as the schedule says.

    'onecycle' rises and falls as cosines, from 1/25 of the peak (Smith & Topin 2019, torch's OneCycleLR).

    >>> plan = Plan(None, steps=10, lr=1.0, warmup=0.2, schedule="linear")
    >>> [round(lr_at(step, plan), 3) for step in range(10)]
    [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
    """
    warm = min(round(plan.warmup * plan.steps), plan.steps - 1)
    if step < warm:
        rise = (step + 1) / warm
        if plan.schedule == "onecycle":
            rise = 0.04 + 0.96 * (1 - math.cos(math.pi * rise)) / 2
        return plan.lr * rise
    left = 1 - (step - warm) / (plan.steps - warm)  # 1 ... just above 0
    if plan.schedule == "constant":
        return plan.lr
    return plan.lr * (left if plan.schedule == "linear" else (1 - math.cos(math.pi * left)) / 2)


def seed_step(seed: int, step: int) -> None:
    """Random numbers that depend on (seed, step, process) alone, so that dropout needs no saved generator."""
    seed_torch(((seed << 40) + (step << 10) + rank()) % 2**63)


def _laid_out(batch: Batch, plan: Plan) -> Batch:
    """The batch with its images in the memory order that convolutions like best."""
    return replace(batch, inputs=each(batch.inputs, _channels_last)) if plan.channels_last else batch


def _channels_last(tensor: Tensor) -> Tensor:
    # volumes stay as they are: convolutions over them are no faster so (measured)
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


def _share_gradients(parameters: list[nn.Parameter]) -> Tensor:
    """Add the gradients up over all processes, in place. Returns the norm of all of them."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return nn.utils.get_total_norm(add_up(gradients))


def _not_finite(step: int, model: nn.Module, batch: Batch, losses: Tensor) -> GateError:
    """What to raise: the step, and where the NaN or infinity came from, the same words on every process."""
    mine = why_not_finite(model, batch, losses)
    told = words_of_the_one(mine, not bool(torch.isfinite(losses).all()), losses.device)
    error = GateError(f"step {step + 1}: {told}", cure="look at those samples, or lower --train.lr")
    error.rows = rows_at_fault(batch, losses)
    return error


@torch.no_grad()
def _blend(average: nn.Module, model: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the model. Early on it follows faster: there is little worth remembering."""
    decay = min(decay, (1 + step) / (10 + step))
    pairs = zip(chain(average.parameters(), average.buffers()), chain(model.parameters(), model.buffers()), strict=True)
    for old, new in pairs:
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)  # counters
