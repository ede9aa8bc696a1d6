"""The gate that changes a part of the inputs at a time: does the answer hang on all of them?"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, pairwise

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.train.nested import each, leaves
from snowroll.train.trial import Measured, Trial, few, outputs_of, wake

PARTS = 4  # that each axis is cut into
NOTHING = 1e-9  # of the largest output: below it an answer has not changed


def inputs_reach(trial: Trial) -> Measured:
    """Every quarter of the inputs, along every axis, given to another sample: some answer must change."""
    model = trial.make().eval()
    wake(model, trial.plan.seed)
    batch = few(trial.plain(0), 16)
    whole = outputs_of(model, batch)
    if not whole or len(batch.ids) < 2:
        return Measured("the outputs have no batch axis to compare along", True)
    deaf = [
        f"{start} to {stop - 1} of axis {axis}"
        for number, inputs in enumerate(leaves(batch.inputs))
        for axis, start, stop in _parts(inputs, len(batch.ids))
        if not _matters(model, batch, whole, number, axis, slice(start, stop))
    ]
    if deaf:
        more = f" and {len(deaf) - 4} more" if len(deaf) > 4 else ""
        return Measured(f"no answer depends on the inputs' places {', '.join(deaf[:4])}{more}", False)
    return Measured("answers depend on every part of the inputs", True)


def _parts(inputs: Tensor, size: int) -> Iterator[tuple[int, int, int]]:
    """(axis, start, stop) of each part; none of a tensor that has no row for each sample."""
    if inputs.ndim < 2 or len(inputs) != size:
        return
    for axis in range(1, inputs.ndim):
        edges = [round(part * inputs.shape[axis] / PARTS) for part in range(PARTS + 1)]
        yield from ((axis, start, stop) for start, stop in pairwise(edges) if start < stop)


def _matters(model: nn.Module, batch: Batch, whole: list[Tensor], number: int, axis: int, part: slice) -> bool:
    """Whether any answer changes when this part of the `number`th input is the next sample's.

    A recurrent network may forget what came first to the last bit and can still learn to keep it: so before a part is
    called unseen it is made NaN, which passes through whatever depends on it.
    """
    place = (*[slice(None)] * axis, part)
    inputs = leaves(batch.inputs)[number]
    other = inputs.clone()
    other[place] = inputs.roll(1, 0)[place]
    if torch.equal(other, inputs):
        return True  # alike in all samples: no test
    after = outputs_of(model, _with(batch, number, other))
    scale = max(float(t.abs().max()) for t in whole) or 1.0
    if any(float((a - b).abs().max()) > NOTHING * scale for a, b in zip(whole, after, strict=True)):
        return True
    if not inputs.is_floating_point():
        return False
    other[place] = torch.nan
    return any(bool(t.isnan().any()) for t in outputs_of(model, _with(batch, number, other)))


def _with(batch: Batch, number: int, inputs: Tensor) -> Batch:
    """The batch with its `number`th input tensor replaced."""
    places = count()
    return Batch(each(batch.inputs, lambda t: inputs if next(places) == number else t), batch.targets, batch.ids)
