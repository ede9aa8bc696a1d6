"""The gates that ask what an untrained model says: is it sure, and does it know how common its classes are?"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from snowroll.base.nouns import Batch
from snowroll.train.stand_in import askable, best_constant, constant, loss_of
from snowroll.train.trial import Measured, Trial

BATCHES = 4  # that a figure of the loss rests on
SLACK, SLACK_NATS = 0.25, 0.4  # measured: healthy networks of tests/test_train_gates.py lie within half of it
UNEVEN = 0.15  # of a uniform answer's loss: what knowing the shares must save before a bias is asked for them


def loss_at_init(trial: Trial) -> Measured:
    """The objective of a fresh model, in training mode: not above one uniform answer's, nor below the best constant's.

    Where a loss cannot be asked about answers that no model made, the task's own expectation is all there is.
    """
    batches = [trial.plain(step) for step in range(BATCHES)]
    with torch.no_grad():
        untrained = loss_of(trial.objective, trial.make().train(), batches, trial.plan.seed).item()
    even, prior = trial.expected_loss, trial.expected_loss
    outputs = answers(trial, batches[0])
    if outputs is not None:
        with torch.no_grad():
            even = loss_of(trial.objective, constant(outputs), batches).item() if even is None else even
        _, prior = best_constant(trial.objective, batches, outputs)
    if even is None or prior is None:
        return Measured(f"{untrained:.3f}; nothing is known of what to expect", abs(untrained) < float("inf"))
    most = max(even, prior)
    words = f"{untrained:.3f} where {even:.3f} is a uniform guess" + (
        f" and {prior:.3f} the best constant one" if prior < 0.98 * even else ""
    )
    slack = max(SLACK * abs(most), min(SLACK_NATS, abs(most)))
    return Measured(words, prior - slack <= untrained <= most + slack)


def bias_at_prior(trial: Trial) -> Measured:
    """Where the classes are uneven, the mean answer of an untrained model is near the best constant one.

    Asked only of models that have a bias for it: as many values, in the last parameter, as there are outputs.
    """
    batches = [trial.plain(step) for step in range(BATCHES)]
    outputs = answers(trial, batches[0])
    *_, last = trial.make().parameters()
    if outputs is None or outputs.ndim > 2 or last.ndim != 1 or len(last) != outputs[0].numel():
        return Measured("the model has no bias of the classes", True)
    with torch.no_grad():
        even = loss_of(trial.objective, constant(outputs), batches).item()
        mean = loss_of(trial.objective, constant(outputs, outputs.mean(dim=0)), batches).item()
    _, prior = best_constant(trial.objective, batches, outputs)
    prior += _flattery(outputs, batches)
    if even - prior < UNEVEN * abs(even):
        return Measured("the classes are nearly even", True)
    words = f"the mean answer loses {mean:.3f}, the best constant one {prior:.3f}, a uniform one {even:.3f}"
    return Measured(words, mean - prior <= (even - prior) / 2)


def answers(trial: Trial, batch: Batch) -> Tensor | None:
    """What a fresh model puts out for a batch, where its loss can be asked about answers that no model made."""
    with torch.no_grad():
        found = trial.make().train()(batch.inputs)
    return askable(trial.objective, found, batch)


def _flattery(outputs: Tensor, batches: Sequence[Batch]) -> float:
    """By how much a constant that was fitted to n samples loses too little: half of its free values over n (Wilks)."""
    return (outputs[0].numel() - 1) / (2 * sum(len(batch.ids) for batch in batches))
