"""torch.compile, believed only after it computed what eager computes.

Measured reason: torch 2.15 on a CPU compiled bf16 autocast + amax pooling + tanh-GELU into NaN gradients, silently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Batch, Plan

# Relative differences that rounding explains. bf16 keeps 8 bits, and a compiled graph rounds in other places.
TOLERANCE = {"fp32": (1e-3, 1e-2), "bf16": (3e-2, 1.5e-1)}  # (losses, gradients): a guess with room, to be revisited


def compiled(model: nn.Module, batch: Batch, objective: Callable[[nn.Module, Batch], Tensor], plan: Plan) -> nn.Module:
    """The compiled twin of `model` (same parameters), after comparing losses and gradients on `batch` with eager.

    Raises PlanError with both differences when they exceed what rounding explains. Weights, buffers and gradients are
    left as found. Dropout layers rest during the comparison: compiled code draws its random numbers in another order.
    """
    from torch._dynamo.exc import TorchDynamoException  # loads for seconds, so only for those who compile

    twin = cast(nn.Module, torch.compile(model))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    resting = [m for m in model.modules() if isinstance(m, nn.modules.dropout._DropoutNd) and m.training]
    measured = []
    try:
        for module in resting:
            module.eval()
        for network in (model, twin):
            measured.append(_losses_and_slopes(network, model, batch, objective, plan))
            for name, buffer in model.named_buffers():
                buffer.copy_(before[name])
    except TorchDynamoException as fault:
        raise PlanError(
            f"torch.compile failed on this model ({type(fault).__name__})", cure="use --train.compile false"
        ) from fault
    finally:
        model.zero_grad(set_to_none=True)
        for module in resting:
            module.train()
    apart = [_apart(eager, other) for eager, other in zip(*measured, strict=True)]
    allowed = TOLERANCE[plan.precision]
    if not all(a <= limit for a, limit in zip(apart, allowed, strict=True)):  # a NaN is not <= anything
        raise PlanError(
            f"torch.compile changes what is computed: losses differ by {apart[0]:.2g} (allowed {allowed[0]:.2g}), "
            f"gradients by {apart[1]:.2g} (allowed {allowed[1]:.2g})",
            cure="use --train.compile false",
        )
    return twin


def _losses_and_slopes(
    network: nn.Module, model: nn.Module, batch: Batch, objective: Callable[[nn.Module, Batch], Tensor], plan: Plan
) -> tuple[Tensor, Tensor]:
    """[B] losses and all gradients in one row, fp32."""
    torch.manual_seed(plan.seed)
    model.zero_grad(set_to_none=True)
    with torch.autocast(torch.device(plan.device).type, torch.bfloat16, enabled=plan.precision == "bf16"):
        losses = objective(network, batch)
    losses.mean().backward()
    slopes = [p.grad.flatten().float() for p in model.parameters() if p.grad is not None]
    return losses.detach().float(), torch.cat(slopes)


def _apart(a: Tensor, b: Tensor) -> float:
    """Length of the difference over the length of the first."""
    return float((a - b).norm() / a.norm().clamp_min(1e-12))
