"""Loss and whole-batch augmentation of inspection."""

from __future__ import annotations

from dataclasses import replace
from math import log
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.prepare import augment as ops
from snowroll.tasks.inspect.model import Inspector, Said
from snowroll.tasks.inspect.options import InspectOptions

HELD_OFF = 1.5  # score, with 1 the threshold, from which a known fault counts as told
SHARP = 4.0  # how steeply the loss of known faults turns at the threshold
UNEVEN = 0.05  # share of a picture's places, the worst ones, that count as much as all of them


class Wanted(NamedTuple):
    """What a batch is asked for: a good part as it is, a faulty one to be found unlike."""

    image: Tensor  # [B, 3, H, W], as the inputs
    faulty: Tensor  # [B] bool


def loss(model: nn.Module, batch: Batch, options: InspectOptions) -> Tensor:
    """[B]: of a good part, how far what was expected lies from it; where faults are known, how far each part's score
    lies on the wrong side of the threshold, too.
    """
    said: Said = model(batch.inputs)
    wanted: Wanted = batch.targets
    off = said.off
    if isinstance(model, Inspector) and wanted.image.data_ptr() != batch.inputs.data_ptr():
        off = model.error(said, wanted.image)  # a gate shows it other parts than it asks for
    off = off.flatten(1)
    uneven = off.topk(max(1, round(UNEVEN * off.shape[1])), dim=1).values.mean(dim=1)
    good = off.mean(dim=1) + uneven
    if not options.known_faults:
        return good
    score = said.score.clamp(min=1e-3).log()
    high = F.softplus(SHARP * (score + log(HELD_OFF))) / SHARP
    low = F.softplus(SHARP * (log(HELD_OFF) - score)) / SHARP
    return torch.where(wanted.faulty, low, good + high)


def augment(batch: Batch, draw: Draw, options: InspectOptions) -> Batch:
    """Parts moved and lit a little otherwise: what is wanted is what is shown."""
    image = ops.geometry(
        batch.inputs,
        draw,
        flip=options.flip,
        rotate_deg=options.rotate_deg,
        scale=options.scale,
        shift=options.shift,
    )
    image = ops.light(
        image, draw, brightness=options.brightness, contrast=options.contrast, saturation=options.saturation
    )
    return replace(batch, inputs=image, targets=None if batch.targets is None else batch.targets._replace(image=image))
