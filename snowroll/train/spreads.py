"""The gates that look at what an untrained network puts out: is it in bounds, and can enough get through?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.train.diagnose import listen
from snowroll.train.nested import leaves
from snowroll.train.trial import Measured, Trial, few, wake

LOUD = 100.0  # times the spread of the inputs; healthy models measured under 10
ANSWERS = 256  # that are looked at together
PART, ENOUGH = 4, 32  # directions: a quarter of those that targets allow, and 8 are enough for any number
OUTPUTS = "outputs that vary in a quarter of the directions that they have, or in eight"


def activations(trial: Trial) -> Measured:
    """The spread of every layer's output, of an untrained model on its first batch, in training mode."""
    batch = trial.batches(0)
    spreads = _spreads(trial.make().train(), batch)
    if len(spreads) > 1:
        spreads.pop("", None)  # the whole may answer in pixels or volts; what its layers put out has been heard
    if not spreads:
        return Measured("no layer puts out numbers", True)
    reference = max([1.0, *(_spread(t) for t in leaves(batch.inputs) if t.is_floating_point())])
    layer, largest = max(spreads.items(), key=lambda pair: pair[1] if pair[1] == pair[1] else float("inf"))
    words = f"largest spread {largest:.3g}, of layer '{layer or 'the whole'}'; the inputs' is {reference:.3g} at most"
    return Measured(words, largest <= LOUD * reference)


def outputs_differ(trial: Trial) -> Measured | None:
    """In how many directions the answers to different samples, and at different places, differ: their rank.

    Of the first numbers that the model puts out: [B, C] or [B, C, ...], or [B, T, C] where nothing else is put out or
    the answers lie along the inputs. None where they are others: what a detector found is a list, surest first.
    """
    model, batch = trial.make(), few(trial.plain(0))
    wake(model, trial.plan.seed)
    with torch.no_grad():
        outputs = leaves(model.eval()(batch.inputs))
    first = next((t for t in outputs if t.is_floating_point()), None)
    if first is None or first.ndim < 2 or (first.ndim == 3 and len(outputs) > 1 and not trial.in_order):
        return None
    axis = 1 if first.ndim > 3 and first.shape[1] > 1 else -1
    answers = first.float().movedim(axis, -1).flatten(0, -2)
    answers = answers[:: -(-len(answers) // ANSWERS)]
    answers = answers[:, answers.isfinite().all(dim=0)]  # what a network rules out for ever is no direction
    if not answers.shape[1]:
        return Measured("the outputs hold NaN or infinity", False)
    values = torch.linalg.svdvals((answers - answers.mean(dim=0)).double())
    rank = int((values > 1e-4 * values[0]).sum()) if values[0] > 0 else 0
    most = min(answers.shape[1] - 1, len(answers) - 1)
    words = f"the outputs vary in {min(rank, most)} of {most} directions that they have"
    return Measured(words, PART * rank >= min(most, ENOUGH))


def _spreads(model: nn.Module, batch: Batch) -> dict[str, float]:
    """For each layer that ran, the spread of what it put out."""
    found: dict[str, float] = {}

    def heard(name: str, outputs: list[Tensor]) -> None:
        found[name] = max((_spread(t) for t in outputs if t.is_floating_point()), default=0.0)

    listen(model, batch, heard)
    return found


def _spread(tensor: Tensor) -> float:
    return tensor.float().std().item() if tensor.numel() > 1 else 0.0
