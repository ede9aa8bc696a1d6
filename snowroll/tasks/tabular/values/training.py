"""What a row loses, and what validation rows are for: intervals that keep their word."""

from __future__ import annotations

from math import ceil, log

import numpy as np
import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch, Json
from snowroll.tasks.tabular.values.model import ERROR, LEAST_ERROR, SAID, WIDE, standard, usual
from snowroll.tasks.tabular.values.options import ValueOptions

OF_ERRORS = 0.02  # how much the second output counts: it must not slow down the first
_MOST_SHIFT = log(2.0)  # of logarithms: by which factor numbers may be made right on average


def loss(model: nn.Module, batch: Batch, options: ValueOptions) -> Tensor:
    """[B] squared errors in standard deviations, and how badly their size was foreseen; the latter moves the second
    output alone.
    """
    outputs = model(batch.inputs).float()
    apart = outputs[:, SAID] - standard(batch.targets, options)
    size = apart.detach().abs().clamp(min=LEAST_ERROR).log()
    return apart**2 + OF_ERRORS * (outputs[:, ERROR] - size) ** 2


def calibration_of(outputs: Tensor, targets: Tensor, options: ValueOptions) -> Json:
    """What `Widened` takes, from validation rows.

    The exponential of a mean logarithm lies below the mean of the numbers, so where logarithms are learnt all are
    multiplied by what makes them right on average (Duan 1983, "Smearing estimate", as a ratio).
    """
    said, off = outputs[:, SAID].double(), outputs[:, ERROR].double()
    shift = 0.0
    if options.log:
        ratio = float(targets.double().mean() / usual(said, options).mean())
        shift = max(-_MOST_SHIFT, min(_MOST_SHIFT, log(max(ratio, 1e-9)))) / options.scale
    apart = (said + shift - standard(targets, options).double()).abs() / (WIDE * off.exp())
    widen = max(1e-3, conformal(apart.cpu().numpy(), options.coverage))
    return {"shift": shift, "widen": widen, "n": len(targets), "coverage": options.coverage}


def conformal(scores: np.ndarray, coverage: float) -> float:
    """The score that a new row's does not exceed with the chance `coverage` (Vovk et al. 2005; Lei et al. 2018).

    scores: [n] of rows that the model did not learn from. The largest where there are too few to say.

    >>> conformal(np.arange(1.0, 20.0), 0.9)
    18.0
    """
    place = ceil((len(scores) + 1) * coverage)
    return float(np.sort(scores)[min(place, len(scores)) - 1])


def answers(outputs: Tensor, options: ValueOptions) -> dict[str, Tensor]:
    """{"value", "low", "high"}: [B] each, in the user's unit; between the bounds that rules set, if there are any."""
    said, half = outputs[:, SAID].float(), WIDE * outputs[:, ERROR].float().clamp(-12.0, 6.0).exp()
    told = {"value": said, "low": said - half, "high": said + half}
    values = {name: usual(part, options) for name, part in told.items()}
    if outputs.shape[1] == 2:
        return values
    least, most = outputs[:, 2].float(), outputs[:, 3].float()  # of rules
    return {name: torch.maximum(torch.minimum(part, most), least) for name, part in values.items()}


def first_bias() -> Tensor:
    """What is answered before anything is learnt: the mean, as far off as normal numbers are."""
    return torch.tensor([0.0, log(0.53)])
