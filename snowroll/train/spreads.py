"""The gate that looks at every layer's output: do values grow beyond bounds on their way through a network?"""

from __future__ import annotations

from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.train.diagnose import listen
from snowroll.train.nested import leaves
from snowroll.train.trial import Measured, Trial

LOUD = 100.0  # times the spread of the inputs; healthy models measured under 10


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


def _spreads(model: nn.Module, batch: Batch) -> dict[str, float]:
    """For each layer that ran, the spread of what it put out."""
    found: dict[str, float] = {}

    def heard(name: str, outputs: list[Tensor]) -> None:
        found[name] = max((_spread(t) for t in outputs if t.is_floating_point()), default=0.0)

    listen(model, batch, heard)
    return found


def _spread(tensor: Tensor) -> float:
    return tensor.float().std().item() if tensor.numel() > 1 else 0.0
