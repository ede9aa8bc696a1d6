"""Where a NaN or an infinity came from: the layer that made it and the samples it was made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.train.nested import leaves


def why_not_finite(model: nn.Module, batch: Batch, losses: Tensor) -> str:
    """One sentence naming the origin. Looks, in order of cause: weights, inputs, layers, loss, gradients.

    Called before the optimiser's step, with the gradients still in place.
    """
    samples = _samples(batch, losses)
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"the weights of '{name}' are no longer finite (the last update was too large)"
    if bad := _bad_rows(batch):
        return f"the inputs of samples {_some(bad)} hold NaN or infinity"
    if layer := _first_bad_layer(model, batch):
        return f"layer '{layer}' put out NaN or infinity{samples}"
    if not torch.isfinite(losses).all():
        return f"every layer's output is finite but the loss is not{samples}"
    # a bad gradient flows towards the input, so the last layer that has one stands nearest to its origin
    wrong = [n for n, p in model.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
    if wrong:
        return f"the loss is finite but the gradient of '{wrong[-1]}' is not (batch: {_some(batch.ids.tolist())})"
    return f"the gradients are too large to add up (batch: {_some(batch.ids.tolist())})"


def _first_bad_layer(model: nn.Module, batch: Batch) -> str | None:
    """The first module, in order of execution, whose output is not finite."""
    found: list[str] = []
    listen(model, batch, lambda name, outputs: None if all(map(_finite, outputs)) else found.append(name or "model"))
    return found[0] if found else None


def listen(model: nn.Module, batch: Batch, heard: Callable[[str, list[Tensor]], None]) -> None:
    """Call `heard(name, tensors)` with what each module puts out on this batch, in order of execution."""

    def watch(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            heard(name, leaves(output))

        return hook

    hooks = [module.register_forward_hook(watch(name)) for name, module in model.named_modules()]
    try:
        with torch.no_grad():
            model(batch.inputs)
    finally:
        for handle in hooks:
            handle.remove()


def rows_at_fault(batch: Batch, losses: Tensor) -> list[int]:
    """Of the pack: whose inputs are not finite, or else whose losses; none where that tells no sample from another."""
    bad = _bad_rows(batch) or batch.ids[~torch.isfinite(losses)].tolist()
    return bad if len(bad) < len(batch.ids) else []


def _bad_rows(batch: Batch) -> list[int]:
    bad = torch.zeros(len(batch.ids), dtype=torch.bool)
    for tensor in leaves(batch.inputs):
        if tensor.is_floating_point() and len(tensor) == len(bad):
            bad |= ~torch.isfinite(tensor).flatten(1).all(1).cpu() if tensor.ndim > 1 else ~torch.isfinite(tensor).cpu()
    return batch.ids.cpu()[bad].tolist()


def _samples(batch: Batch, losses: Tensor) -> str:
    bad = batch.ids[~torch.isfinite(losses)].tolist()
    if len(bad) == len(batch.ids):
        return f" for the whole batch (samples {_some(bad)})"
    return f" for samples {_some(bad)}" if bad else ""


def _some(ids: list[int]) -> str:
    return ", ".join(map(str, ids[:8])) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
