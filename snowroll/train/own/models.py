"""A model before it is trained: what an answer depends on."""

from __future__ import annotations

import torch
from torch import nn

from snowroll.train.nested import leaves
from snowroll.train.own.loop import Loop
from snowroll.train.trial import Measured, few, take, wake

_BY_MODE = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._NormBase)


def sees_no_future(loop: Loop) -> Measured | None:
    """Other inputs from some place on change no output before it. Inputs [B, T, ...], outputs [B, T, ...]."""
    if not loop.causal:
        return None
    model, batch = _awake(loop), few(loop.unvaried(0), 8)
    inputs = batch.inputs
    with torch.no_grad():
        whole = model(inputs)
        length = inputs.shape[1]
        for place in sorted({1, length // 2, length - 1}):
            other = inputs.clone()
            other[:, place:] = inputs.roll(1, 0)[:, place:].flip(1)
            change = (model(other)[:, :place] - whole[:, :place]).abs().amax(dim=(0, 2))
            if change.max() > 1e-4 * whole.abs().max():
                seen = int(change.argmax())
                return Measured(
                    f"the output at place {seen + 1} changes with the inputs from place {place + 1} on", False
                )
    return Measured("no output changes with the inputs after it", True)


def answers_stand(loop: Loop) -> Measured | None:
    """In evaluation, the same question has the same answer: asked twice, and asked alone."""
    batch, model = few(loop.unvaried(0), 16), _awake(loop)
    with torch.no_grad():
        once, again = (leaves(model(batch.inputs)) for _ in range(2))
    if not all(torch.equal(a, b) for a, b in zip(once, again, strict=True)):
        return Measured("in evaluation mode the model answers the same inputs differently from call to call", False)
    if loop.predict is None:
        return Measured("the same from call to call", True)
    model = loop.make()
    wake(model, loop.seed)
    model.train()  # whoever predicts sees to it that the model evaluates
    among = loop.predict(model, batch.inputs)
    alone = torch.cat([loop.predict(model, take(batch, torch.tensor([row])).inputs) for row in range(len(batch.ids))])
    apart = (among - alone).abs().max().item()
    return Measured(
        f"a sample's probabilities differ by {apart:.2g} between asked alone and among others", apart < 1e-3
    )


def trains_as_training(loop: Loop) -> Measured | None:
    """In which mode layers that differ by it compute the loss; some may be kept as in evaluation, not all of them."""
    model = loop.make().train()
    kept: list[str] = []
    modes: list[bool] = []

    def note(name: str, layer: nn.Module) -> None:
        modes.append(layer.training)
        if not layer.training:
            kept.append(name)

    for name, layer in model.named_modules():
        if isinstance(layer, _BY_MODE):
            layer.register_forward_pre_hook(lambda one, _given, name=name: note(name, one))  # type: ignore[misc]
    loop.loss(model, loop.batch(0))
    if not modes:
        return None
    words = f"{sum(modes)} of {len(modes)} passes through dropout and batch statistics are in training mode"
    return Measured(words + (f"; not {kept[0]}" if kept else ""), any(modes))


def _awake(loop: Loop) -> nn.Module:
    model = loop.make()
    wake(model, loop.seed)
    return model.eval()
