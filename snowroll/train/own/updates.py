"""What a step does to the weights: is it the gradient of its batch that moves them, and does it move all of them?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from snowroll.train.own.loop import Loop
from snowroll.train.trial import Measured

UPDATES = 12  # enough to see whether some are left out


class Watched:
    """Notes the gradients that an optimizer finds each time it steps."""

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Tensor]) -> None:
        self.found: list[list[Tensor]] = []
        inner = optimizer.step

        def step(*arguments: Any, **named: Any) -> Any:
            self.found.append([torch.zeros_like(p) if p.grad is None else p.grad.detach().clone() for p in parameters])
            return inner(*arguments, **named)

        optimizer.step = step  # type: ignore[method-assign]


def follows_gradient(loop: Loop) -> Measured:
    """The first updates, each beside the gradient of the batches since the one before."""
    torch.manual_seed(loop.seed)
    model = loop.make()
    optimizer = loop.optimizer(model)
    if trouble := _swapped(optimizer):
        return Measured(trouble, False)
    parameters = [p for p in model.parameters() if p.requires_grad]
    watched, rates = Watched(optimizer, parameters), [group["lr"] for group in optimizer.param_groups]
    waiting, total = _nothing(parameters), _nothing(parameters)
    stepped: list[int] = []
    for step in range(UPDATES):
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * loop.rate(step, loop.steps)
        model.train()
        loss = loop.loss(model, loop.batch(step))
        fresh = torch.autograd.grad(loss.mean(), parameters, retain_graph=True, allow_unused=True)
        waiting, total = _plus(waiting, fresh), _plus(total, fresh)
        before, done = [p.detach().clone() for p in parameters], len(watched.found)
        loop.update(model, optimizer, loss)
        if len(watched.found) == done:
            continue  # gradients of several batches may be gathered first
        stepped.append(step)
        moved = [p.detach() - old for p, old in zip(parameters, before, strict=True)]
        trouble = _trouble(watched.found[-1], waiting, total, moved, before, is_first=done == 0)
        if trouble:
            return Measured(f"update {step + 1}: {trouble}", False)
        waiting = _nothing(parameters)
    if not watched.found:
        return Measured(f"the optimizer was not stepped in {UPDATES} updates", False)
    if len({later - earlier for earlier, later in pairwise(stepped)}) > 1:  # the first few may be left out at any rate
        told = ", ".join(str(step + 1) for step in stepped)
        return Measured(f"of {UPDATES} updates only {told} stepped: batches are left out, as for an overflow", False)
    return Measured(f"{len(watched.found)} steps in {UPDATES} updates, each along the gradient of its batches", True)


def _swapped(optimizer: Optimizer) -> str | None:
    """Adam's means (Kingma & Ba 2015): the gradient's is the shorter one, as in every published pair."""
    for group in optimizer.param_groups:
        first, second = (*group.get("betas", (0.0, 1.0)), 1.0)[:2]
        if first > second:
            return f"Adam's betas are ({first:g}, {second:g}): the mean of gradients is the longer one; swapped?"
    return None


def _trouble(
    used: list[Tensor],
    meant: list[Tensor],
    total: list[Tensor],
    moved: list[Tensor],
    weights: list[Tensor],
    is_first: bool,
) -> str | None:
    """What is wrong with a step that found the gradients `used`, where those of its batches were `meant`."""
    used_, meant_, total_, moved_, weights_ = (_flat(tensors) for tensors in (used, meant, total, moved, weights))
    if not meant_.any():
        return None  # another gate's finding
    if not used_.any():
        return "there was no gradient left when the optimizer stepped"
    if _cosine(used_, meant_) < 0.95:
        old = " (those of earlier batches are still in it)" if _cosine(used_, total_) > 0.99 else ""
        return f"the gradient that was used is not that of the batch{old}"
    if (share := (used_.norm() / meant_.norm()).item()) < 1e-2 and used_.norm() < 1e-2:
        return f"the gradient that was used is {share:.2g} of that of the batch"
    if is_first and _cosine(moved_, -used_) < -0.01:
        return "the weights moved up the gradient"
    shrunk = _decay(moved_, used_, weights_)
    if shrunk > 0.05 and shrunk * weights_.norm() > 0.3 * moved_.norm():
        return f"the weights shrank by {shrunk:.0%} in one step, whatever the gradient says: weight decay is too strong"
    return None


def _decay(moved: Tensor, gradient: Tensor, weights: Tensor) -> float:
    """b of the least squares fit moved = -a gradient - b weights."""
    gradient = gradient / gradient.norm()
    along = torch.stack([gradient, weights], dim=1)
    return -torch.linalg.lstsq(along, moved[:, None]).solution[1].item()


def optimizer_has_all(loop: Loop) -> Measured:
    """The optimizer's parameters against the model's, and both against what the loss depends on.

    A first part of the model may be left out: features that are kept. What lies after something that learns may not.
    """
    model = loop.make()
    optimizer = loop.optimizer(model)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    named = {name: p for name, p in model.named_parameters(remove_duplicate=False) if p.requires_grad}
    own = {id(p) for p in named.values()}
    if foreign := len(held - {id(p) for p in model.parameters()}):
        return Measured(f"the optimizer holds {foreign} parameters that are not this model's", False)
    learns, left_out = False, []
    for name, p in named.items():
        learns |= id(p) in held
        if learns and id(p) not in held and not name.startswith(loop.frozen or ("\0",)):
            left_out.append(name)
    if left_out:
        return Measured(f"not in the optimizer: {_some(left_out)}", False)
    loss = loop.loss(model.train(), loop.batch(0)).mean()
    if unknown := [p for p in _leaves_of(loss) if id(p) not in own]:
        shapes = _some([str(list(p.shape)) for p in unknown])
        return Measured(f"the loss depends on tensors that `model.parameters()` does not list: {shapes}", False)
    return Measured(
        f"all {len(own & held)} of {len(own)} trainable parameters that should be are in the optimizer", True
    )


def _leaves_of(loss: Tensor) -> list[Tensor]:
    """The tensors that gradients would be gathered in: the leaves of autograd's graph."""
    found, seen, waiting = [], set(), [loss.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if (leaf := getattr(node, "variable", None)) is not None:
            found.append(leaf)
        waiting += [parent for parent, _ in node.next_functions]
    return found


def _nothing(parameters: Sequence[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(p) for p in parameters]


def _plus(held: list[Tensor], fresh: Sequence[Tensor | None]) -> list[Tensor]:
    return [a if b is None else a + b for a, b in zip(held, fresh, strict=True)]


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([t.detach().double().flatten() for t in tensors])


def _cosine(a: Tensor, b: Tensor) -> float:
    return nn.functional.cosine_similarity(a, b, dim=0).item()


def _some(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
