"""Parts of samples to learn from, where the whole is more than a network should see at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from snowroll.base.task import Draw
from snowroll.prepare.mask_targets import IGNORED


def patches(image: Tensor, labels: Tensor, part: Sequence[int], draw: Draw, foreground: float) -> tuple[Tensor, Tensor]:
    """Of each sample a patch of that size, and its labels; that share of them lies around something to be found.

    image [B, C, *frame], labels [B, *frame]: any number of axes. To be found is what is of any class but the sample's
    commonest (Isensee et al. 2021, nnU-Net: a third of the patches).
    """
    frame = labels.shape[1:]
    free = torch.tensor([whole - side for whole, side in zip(frame, part, strict=True)], device=image.device)
    start = (draw.uniform("patch", len(part)) * (free + 1)).long().clamp(max=free)
    around, which = draw.uniform("patch/around"), draw.uniform("patch/which")
    middle = torch.tensor([side // 2 for side in part], device=image.device)
    images, kept = [], []
    for row in range(len(image)):
        at = start[row]
        if float(around[row]) < foreground:
            shown = _to_be_found(labels[row])
            if len(shown):
                place = shown[int(float(which[row]) * len(shown))]
                at = torch.minimum((torch.stack(torch.unravel_index(place, frame)) - middle).clamp(min=0), free)
        window = tuple(slice(int(first), int(first) + side) for first, side in zip(at, part, strict=True))
        images.append(image[(row, slice(None), *window)])
        kept.append(labels[(row, *window)])
    return torch.stack(images), torch.stack(kept)


def _to_be_found(labels: Tensor) -> Tensor:
    """Flat places of what is of no common class."""
    flat = labels.flatten()
    counts = torch.bincount(flat[flat != IGNORED].long(), minlength=1)
    return torch.nonzero((flat != IGNORED) & (flat != counts.argmax()))[:, 0]


def thinned(image: Tensor, labels: Tensor | None, part: Sequence[int]) -> tuple[Tensor, Tensor | None]:
    """The whole sample as small as a part, every so many places of it: what the gates look at, in a part's time.

    The frame's sides are multiples of the part's.
    """
    steps = [whole // side for whole, side in zip(image.shape[2:], part, strict=True)]
    every = tuple(slice(step // 2, None, step) for step in steps)
    return image[(slice(None), slice(None), *every)], None if labels is None else labels[(slice(None), *every)]
