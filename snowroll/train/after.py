"""Gates after the last step: what only a trained model shows. They cost a few passes over a few batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.train.fit import Batches, Objective
from snowroll.train.learns import others_inputs
from snowroll.train.nested import leaves
from snowroll.train.stand_in import askable, best_constant
from snowroll.train.trial import Measured, few

BATCHES = 4
AT_MOST = 64  # samples whose way through the layers is followed
PASSES = 8  # in training mode, whose noise is averaged out
LEAST = 0.6  # of a layer's mean input, in one mode against the other; healthy models measured 0.7 and more
CLEARLY = 0.97  # of the best constant answer's loss: a guess, to be revisited


def learnt(objective: Objective, model: nn.Module, batches: Batches, late_loss: float) -> Measured:
    """The training loss at the end of the run against that of the best answer that never looks at an input.

    late_loss: a mean over the last steps. Where the loss cannot be asked about such an answer (boxes, masks), the loss
    of every sample with another's input stands for it.
    """
    with torch.no_grad():
        outputs = askable(objective, model(batches(0).inputs), batches(0))
    if outputs is None:
        return _beats_others(objective, model, batches)
    _, prior = best_constant(objective, [batches(step) for step in range(BATCHES)], outputs)
    words = f"training loss {late_loss:.3f} at the end, {prior:.3f} for one answer to all"
    return Measured(words, late_loss < CLEARLY * prior)


def _beats_others(objective: Objective, model: nn.Module, batches: Batches) -> Measured:
    """The loss in evaluation mode, and again with the inputs moved on by one sample."""
    copy = deepcopy(model).eval()
    own, others = [], []
    with torch.no_grad():
        for step in range(BATCHES):
            batch = batches(step)
            own.append(_mean(objective(copy, batch)))
            others.append(_mean(objective(copy, others_inputs(batch, 1))))
    mine, blind = sum(own) / BATCHES, sum(others) / BATCHES
    return Measured(f"loss {mine:.3f}, {blind:.3f} with another sample's input", mine < CLEARLY * blind)


def modes_agree(objective: Objective, model: nn.Module, batches: Batches, seed: int = 0) -> Measured:
    """The loss of a trained model, and what its layers are given, on the same batches in training and evaluation mode.

    They part where batch statistics lag behind the weights or are not kept, and where something acts in one mode only.
    """
    training, evaluating = (_loss_in(mode, objective, model, batches, seed) for mode in (True, False))
    words = f"loss {training:.3g} in training mode, {evaluating:.3g} in evaluation mode"
    if (apart := _first_apart(model, batches(0), seed)) is not None:
        layer, ratio = apart
        return Measured(f"{words}; layer '{layer}' is given {ratio:.2g} times as much in training mode", False)
    return Measured(words, evaluating <= 1.5 * abs(training) + 0.1)


def known_as_they_are(objective: Objective, model: nn.Module, batches: Batches, plain: Iterable[Batch]) -> Measured:
    """In evaluation mode, the loss on samples of the training split as they are, and on augmented ones.

    Whatever is done to a sample while it is learnt makes it harder. If it is easier, what was learnt is in the
    augmentation: borders that it draws, edges that it blurs, a scale that nothing has when it is asked about.
    """
    augmented = _loss_in(False, objective, model, batches, 0)
    copy = deepcopy(model).eval()
    with torch.no_grad():
        losses = torch.cat([objective(copy, batch).float().flatten() for batch in plain])
    stored = losses.mean().item()
    words = f"loss {stored:.3g} of training samples as they are, {augmented:.3g} of augmented ones"
    return Measured(words, stored <= 1.5 * abs(augmented) + 0.1)


def _first_apart(model: nn.Module, batch: Batch, seed: int) -> tuple[str, float] | None:
    """The first layer with weights whose mean inputs in training mode are far from its inputs in evaluation mode.

    Batch statistics are those of evaluation in both. Dropout that scales what it keeps leaves the mean as it is
    (Srivastava et al. 2014, section 10); before a normalisation over features it lowers it to sqrt(1 - p).
    """
    batch = few(batch, AT_MOST)
    evaluating = _given(deepcopy(model).eval(), batch)
    copy, means = deepcopy(model).train(), {}
    for module in copy.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.eval()
    torch.manual_seed(seed)
    for _ in range(PASSES):
        for name, given in _given(copy, batch).items():
            means[name] = means.get(name, 0.0) + given / PASSES
    for name, given in evaluating.items():
        if name in means and means[name].shape == given.shape and (square := (given**2).sum().item()) > 0:
            ratio = (means[name] * given).sum().item() / square
            if not LEAST <= ratio <= 1 / LEAST:
                return name, ratio
    return None


@torch.no_grad()
def _given(model: nn.Module, batch: Batch) -> dict[str, Tensor]:
    """What each convolution and linear layer is given the first time it is called, in order of execution."""
    found: dict[str, Tensor] = {}

    def watch(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(_: nn.Module, inputs: Any) -> None:
            tensors = [t for t in leaves(inputs) if t.is_floating_point()]
            if tensors and name not in found:
                found[name] = tensors[0].float()

        return hook

    layers = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
    hooks = [layer.register_forward_pre_hook(watch(name)) for name, layer in layers]
    try:
        model(batch.inputs)
    finally:
        for handle in hooks:
            handle.remove()
    return found


def _loss_in(is_training: bool, objective: Objective, model: nn.Module, batches: Batches, seed: int) -> float:
    copy = deepcopy(model).train(is_training)  # a pass in training mode moves running statistics
    torch.manual_seed(seed)
    with torch.no_grad():
        losses = [_mean(objective(copy, batches(step))) for step in range(BATCHES)]
    return sum(losses) / len(losses)


def _mean(loss: Tensor) -> float:
    return loss.float().mean().item()
