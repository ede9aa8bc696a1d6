"""Gates after the last step: what only a trained model shows. They cost a few passes over a few batches."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from snowroll.train.fit import Batches, Objective
from snowroll.train.stand_in import askable, best_constant
from snowroll.train.trial import Measured

BATCHES = 4
CLEARLY = 0.97  # of the best constant answer's loss: a guess, to be revisited


def learnt(objective: Objective, model: nn.Module, batches: Batches, late_loss: float) -> Measured | None:
    """The training loss at the end of the run against that of the best answer that never looks at an input.

    late_loss: a mean over the last steps. None where the loss cannot be asked about such an answer.
    """
    with torch.no_grad():
        outputs = askable(objective, model(batches(0).inputs), batches(0))
    if outputs is None:
        return None
    _, prior = best_constant(objective, [batches(step) for step in range(BATCHES)], outputs)
    words = f"training loss {late_loss:.3f} at the end, {prior:.3f} for one answer to all"
    return Measured(words, late_loss < CLEARLY * prior)


def modes_agree(objective: Objective, model: nn.Module, batches: Batches, seed: int = 0) -> Measured:
    """The loss of a trained model on the same batches in training and in evaluation mode.

    They part where batch statistics lag behind the weights or are not kept, and where something acts in one mode only.
    """
    training, evaluating = (_loss_in(mode, objective, model, batches, seed) for mode in (True, False))
    words = f"loss {training:.3g} in training mode, {evaluating:.3g} in evaluation mode"
    return Measured(words, evaluating <= 1.5 * abs(training) + 0.1)


def _loss_in(is_training: bool, objective: Objective, model: nn.Module, batches: Batches, seed: int) -> float:
    copy = deepcopy(model).train(is_training)  # a pass in training mode moves running statistics
    torch.manual_seed(seed)
    with torch.no_grad():
        losses = [_mean(objective(copy, batches(step))) for step in range(BATCHES)]
    return sum(losses) / len(losses)


def _mean(loss: Tensor) -> float:
    return loss.float().mean().item()
