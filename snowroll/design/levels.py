"""How often a volume is halved along each axis, and how wide convolutions are there: nnU-Net's rules. No torch.

Isensee et al. 2021, supplement 2: an axis is halved while it keeps four voxels, unless its voxels are twice as long as
the finest already; and until then convolutions do not look along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SMALLEST = 4  # voxels along an axis below which it is not halved
COARSE = 2.0  # times the finest spacing
MOST_WIDER = 8  # times the finest level's channels

Triple = tuple[int, int, int]


class Level(NamedTuple):
    """One level of a network: its kernels, and by how much it is coarser than the one before."""

    kernel: Triple
    stride: Triple


def levels_of(shape: Sequence[int], spacing: Sequence[float], most: int = 6) -> list[Level]:
    """shape: of the input, voxels along depth, height, width; spacing: mm, zeros where it is not known.

    >>> [level.stride for level in levels_of((8, 32, 32), (4.0, 1.0, 1.0))]
    [(1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2)]
    >>> levels_of((1, 16, 16), (0, 0, 0))[-1]
    Level(kernel=(1, 3, 3), stride=(1, 2, 2))
    """
    at = [float(mm) if min(spacing) > 0 else 1.0 for mm in spacing]
    size = list(shape)
    found = [Level(_kernel(size, at), (1, 1, 1))]
    while len(found) < most:
        able = [axis for axis in range(3) if size[axis] >= 2 * SMALLEST and size[axis] % 2 == 0]
        finest = min((at[axis] for axis in able), default=0.0)
        chosen = [axis for axis in able if at[axis] < COARSE * finest]
        if not chosen:
            break
        for axis in chosen:
            size[axis] //= 2
            at[axis] *= 2
        stride = tuple(2 if axis in chosen else 1 for axis in range(3))
        found.append(Level(_kernel(size, at), (stride[0], stride[1], stride[2])))
    return found


def _kernel(size: Sequence[int], at: Sequence[float]) -> Triple:
    finest = min((mm for mm, side in zip(at, size, strict=True) if side > 1), default=1.0)
    sides = [3 if side > 1 and mm < COARSE * finest else 1 for mm, side in zip(at, size, strict=True)]
    return (sides[0], sides[1], sides[2])


def multiply_adds(
    shape: Sequence[int], levels: Sequence[Level], widths: Sequence[int], channels: int, up: bool
) -> float:
    """Of one volume through two convolutions a level, and (up) two more on the way back."""
    total, before, voxels = 0.0, channels, float(shape[0] * shape[1] * shape[2])
    for place, (level, width) in enumerate(zip(levels, widths, strict=True)):
        voxels /= level.stride[0] * level.stride[1] * level.stride[2]
        reach = level.kernel[0] * level.kernel[1] * level.kernel[2]
        total += voxels * reach * width * (before + width)
        total += voxels * reach * 3 * width * width if up and place + 1 < len(levels) else 0
        before = width
    return total


def widths_of(width: int, levels: int) -> list[int]:
    """Channels of the levels, from the finest on: doubled from one to the next up to MOST_WIDER times."""
    return [width * min(2**level, MOST_WIDER) for level in range(levels)]


def even(side: float, halvings: int = 3) -> int:
    """The next side that can be halved so often; small ones stay as they are.

    >>> even(61), even(5), even(1)
    (64, 5, 1)
    """
    step = 1 << halvings
    whole = max(1, round(side))
    return whole if whole < step else -(-whole // step) * step
