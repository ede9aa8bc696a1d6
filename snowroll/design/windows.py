"""A network that sees parts, led over a frame: its answers averaged, those from the middle of a part counting most.

Memory is that of one part and of the frame's answers, however many parts there are (Isensee et al. 2021: half of each
part overlaps the next, weights fall off as a Gaussian of an eighth of its side).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from math import ceil

import torch
from torch import Tensor, nn

LEAST = 1e-3  # weight of a corner, so that no place is without an answer


class Windows(nn.Module):
    """Where parts of one size lie in a frame, along any number of axes, and how much each of their places counts."""

    weight: Tensor

    def __init__(self, frame: Sequence[int], part: Sequence[int], overlap: float = 0.5) -> None:
        super().__init__()
        self.frame, self.part = torch.Size(frame), torch.Size(part)
        axes = [starts_of(whole, side, overlap) for whole, side in zip(frame, part, strict=True)]
        self.starts: list[tuple[int, ...]] = list(product(*axes))
        self.register_buffer("weight", bump(part), persistent=False)

    def over(self, image: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
        """[B, C, *frame] to the network's answers [B, K, *frame]."""
        total: Tensor | None = None
        counted = torch.zeros(tuple(self.frame), device=image.device)
        for start in self.starts:
            place = tuple(slice(at, at + side) for at, side in zip(start, self.part, strict=True))
            said = network(image[(slice(None), slice(None), *place)]) * self.weight
            if total is None:
                total = said.new_zeros((image.shape[0], said.shape[1], *self.frame))
            total = total + self._placed(said, start)
            counted = counted + self._placed(self.weight, start)
        assert total is not None
        return total / counted

    def _placed(self, part: Tensor, start: Sequence[int]) -> Tensor:
        """The part in a frame of zeros: no writing in place, so that it exports."""
        room = []
        for at, whole, side in reversed(list(zip(start, self.frame, self.part, strict=True))):
            room += [at, whole - at - side]
        return nn.functional.pad(part, room)


def starts_of(whole: int, part: int, overlap: float = 0.5) -> list[int]:
    """Where parts begin along one axis: evenly, each sharing at least that much of itself with the one before.

    >>> starts_of(96, 48), starts_of(48, 48), starts_of(50, 48), starts_of(96, 48, 0.25)
    ([0, 24, 48], [0], [0, 2], [0, 24, 48])
    """
    if whole <= part:
        return [0]
    steps = ceil((whole - part) / (part * (1 - overlap)))
    return sorted({round((whole - part) * step / steps) for step in range(steps + 1)})


def bump(part: Sequence[int]) -> Tensor:
    """[*part], 1 in the middle and falling off to the corners."""
    whole = torch.ones(())
    for axis, side in enumerate(part):
        at = (torch.arange(side) + 0.5 - side / 2) / max(side / 8, 0.5)
        shape = [1] * len(part)
        shape[axis] = side
        whole = whole * torch.exp(-0.5 * at.square()).view(shape)
    return whole.clamp(min=LEAST)
