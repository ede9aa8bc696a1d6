"""The gate for models that tell what comes next: who can see the answer need not learn."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from snowroll.train.nested import each, leaves
from snowroll.train.trial import Measured, Trial, few, outputs_of, wake

CUTS = (0.25, 0.5, 0.75)
SAME = 1e-4  # of the largest output: rounding of other kernels


def no_foresight(trial: Trial) -> Measured:
    """Give the inputs' end, from three places on, to another sample: outputs before those places must stay.

    Judged are the floating-point outputs of which there is one for each place of the inputs' second axis.
    """
    model = trial.make().eval()
    wake(model, trial.plan.seed)
    batch = few(trial.plain(0), 8)
    length = leaves(batch.inputs)[0].shape[1]
    whole = _along(outputs_of(model, batch), length)
    if not whole or len(batch.ids) < 2:
        return Measured("no output lies along the inputs", False)
    worst, where = 0.0, 0
    for cut in sorted({round(share * length) for share in CUTS} - {0}):
        other = replace(batch, inputs=each(batch.inputs, lambda t, cut=cut: _ending(t, cut, length)))
        for before, after in zip(whole, _along(outputs_of(model, other), length), strict=True):
            apart = float((before[:, :cut] - after[:, :cut]).abs().max() / (before.abs().max() + 1e-12))
            worst, where = max((worst, where), (apart, cut))
    words = f"relative change before the place of the change: {worst:.1g}"
    return Measured(words if worst <= SAME else f"{words}, at place {where} of {length}", worst <= SAME)


def _ending(inputs: Tensor, cut: int, length: int) -> Tensor:
    """The inputs with their end from `cut` on from the next sample."""
    if inputs.ndim < 2 or inputs.shape[1] != length:
        return inputs
    return torch.cat([inputs[:, :cut], inputs.roll(1, 0)[:, cut:]], dim=1)


def _along(outputs: list[Tensor], length: int) -> list[Tensor]:
    return [t for t in outputs if t.ndim > 2 and t.shape[1] == length]
