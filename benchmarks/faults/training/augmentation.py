"""Augmentation that changes what a sample is, or that leaves its target behind."""

from __future__ import annotations

from dataclasses import replace

import torch
from cases import Fed, Program, training_case
from healthy.plain import drawn, flip
from torch import Tensor
from torch.nn import functional as F


def chosen(fed: Fed, step: int, share: float = 0.5) -> Tensor:
    return torch.rand(len(fed.inputs), generator=drawn(step)) < share


@training_case("augmentation", on=("signs",))
def upside_down(program: Program) -> Program:
    """Half of the signs are turned by 180 degrees, as is fine for cells and stars. Left becomes right.

    The other signs are learnt in both positions, so the training loss is low but for two classes.
    """

    def augment(fed: Fed, step: int) -> Fed:
        turned = chosen(fed, step)[:, None, None, None]
        return replace(fed, inputs=torch.where(turned, fed.inputs.flip(2, 3), fed.inputs))

    return replace(program, augment=augment)


@training_case("augmentation", on=("signs",))
def arrows_mirrored(program: Program) -> Program:
    """All signs are mirrored at random, also those that say left and right.

    The flip is in everybody's recipe. Four of six classes gain by it, two can no longer be told apart.
    """
    return replace(program, augment=lambda fed, step: replace(fed, inputs=flip(fed.inputs, chosen(fed, step))))


@training_case("augmentation", on=("dial",))
def reading_not_mirrored(program: Program) -> Program:
    """Gauges are mirrored and their readings stay: 10% is shown as 80%.

    A transform of pictures is called with pictures only. The middle of the scale is learnt well enough.
    """
    return replace(program, augment=lambda fed, step: replace(fed, inputs=flip(fed.inputs, chosen(fed, step))))


@training_case("augmentation", on=("signs",))
def crop_beside_the_object(program: Program) -> Program:
    """A random sixteenth of the picture is cut out and enlarged; the sign is seldom in it.

    The default scale of a well-known crop begins at 8% and is meant for photos that an object fills.
    """

    def augment(fed: Fed, step: int) -> Fed:
        size = fed.inputs.shape[-1]
        corners = torch.randint(0, size - size // 4 + 1, (len(fed.inputs), 2), generator=drawn(step)).tolist()
        parts = [
            x[None, :, top : top + size // 4, left : left + size // 4]
            for x, (top, left) in zip(fed.inputs, corners, strict=True)
        ]
        return replace(fed, inputs=torch.cat([F.interpolate(part, (size, size)) for part in parts]))

    return replace(program, augment=augment)


@training_case("augmentation", on=("signs",))
def hue_beyond_the_label(program: Program) -> Program:
    """Red and blue are exchanged at random, as a hue jitter of 0.5 does; a stop sign is then one for bicycles.

    Colour jitter is in everybody's recipe. What shape tells apart is still learnt.
    """

    def augment(fed: Fed, step: int) -> Fed:
        turned = chosen(fed, step)[:, None, None, None]
        return replace(fed, inputs=torch.where(turned, fed.inputs.flip(1), fed.inputs))

    return replace(program, augment=augment)


@training_case("augmentation", on=("beats",))
def mask_over_the_beat(program: Program) -> Program:
    """Seven tenths of each series are masked, in one piece: what tells the classes apart is mostly under it.

    A share for long recordings, used on single beats. The loss falls, and hangs.
    """

    def augment(fed: Fed, step: int) -> Fed:
        length = fed.inputs.shape[-1]
        covered = 7 * length // 10
        starts = torch.randint(0, length - covered + 1, (len(fed.inputs), 1), generator=drawn(step))
        places = torch.arange(length)
        masked = (places >= starts) & (places < starts + covered)
        return replace(fed, inputs=fed.inputs.masked_fill(masked[:, None], 0.0))

    return replace(program, augment=augment)


@training_case("augmentation", on=("digits",))
def pasted_without_its_label(program: Program) -> Program:
    """Three quarters of each picture are pasted over with another sample's, and the label stays the first one's.

    Half of CutMix: the targets were to be mixed in a later commit. The loss falls to a plateau.
    """

    def augment(fed: Fed, step: int) -> Fed:
        mixed = fed.inputs.clone()
        rows = 3 * mixed.shape[2] // 4
        mixed[:, :, :rows] = fed.inputs.roll(1, 0)[:, :, :rows]
        return replace(fed, inputs=mixed)

    return replace(program, augment=augment)
