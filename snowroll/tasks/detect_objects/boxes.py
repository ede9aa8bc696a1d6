"""Boxes as tensors [..., 4]: left, top, right, bottom, in pixels."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Seen(NamedTuple):
    """What the network is given."""

    image: Tensor  # [B, 3, H, W] float32 in [0, 1]: the picture fitted into the frame
    size: Tensor  # [B, 2] int64: width and height of the picture as it lies in its file


class Objects(NamedTuple):
    """The truth of a batch, in the frame's pixels. Rows past the last object of a picture are of class NONE."""

    kind: Tensor  # [B, M] int64: class, NONE, or IGNORED: neither to be found nor to be held against anybody
    box: Tensor  # [B, M, 4] float32


class Found(NamedTuple):
    """What the network says, place by place; rows of the map one after the other, A places."""

    score: Tensor  # [B, C, A] logits
    box: Tensor  # [B, A, 4] in pixels of the frame
    size: Tensor  # [B, 2] int64: of the file, passed through, for answers are in its pixels


NONE, IGNORED = -1, -2


def placed(size: Tensor, frame: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """How pictures of `size` [B, 2] lie in the frame (prepare.pictures.geometry, "pad"): (factor [B, 2], corner [B, 2])
    for (x, y). In the frame x lies at corner + factor * x.
    """
    whole = size.double()
    wide, high = frame
    touches = whole[:, 0] * high >= whole[:, 1] * wide
    part = torch.where(touches, float(wide), float(high))
    of = torch.where(touches, whole[:, 0], whole[:, 1])
    drawn = torch.floor((2 * whole * part[:, None] + of[:, None]) / (2 * of[:, None])).clamp(min=1)
    corner = torch.stack((torch.floor((wide - drawn[:, 0]) / 2), torch.floor((high - drawn[:, 1]) / 2)), dim=1)
    return (drawn / whole).float(), corner.float()


def into_frame(box: Tensor, size: Tensor, frame: tuple[int, int]) -> Tensor:
    """box: [B, N, 4] in pixels of the files, to pixels of the frame."""
    factor, corner = (both.repeat(1, 2)[:, None] for both in placed(size, frame))
    return corner + factor * box


def out_of_frame(box: Tensor, size: Tensor, frame: tuple[int, int]) -> Tensor:
    """box: [B, N, 4] in pixels of the frame, to pixels of the files, cut at the picture's border."""
    factor, corner = (both.repeat(1, 2)[:, None] for both in placed(size, frame))
    most = size.repeat(1, 2)[:, None].to(box.dtype)
    return torch.minimum(((box - corner) / factor).clamp(min=0), most)


def area(box: Tensor) -> Tensor:
    return (box[..., 2] - box[..., 0]).clamp(min=0) * (box[..., 3] - box[..., 1]).clamp(min=0)


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union, broadcast over all but the last axis."""
    inner = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp(min=0)
    both = inner[..., 0] * inner[..., 1]
    return both / (area(one) + area(other) - both).clamp(min=1e-6)


def generous_overlap(one: Tensor, other: Tensor) -> Tensor:
    """GIoU in [-1, 1]: the overlap less the share of the hull that neither covers (Rezatofighi et al. 2019, eq. 3)."""
    inner = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp(min=0)
    both = inner[..., 0] * inner[..., 1]
    union = (area(one) + area(other) - both).clamp(min=1e-6)
    sides = torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])
    hull = (sides[..., 0] * sides[..., 1]).clamp(min=1e-6)
    return both / union - (hull - union) / hull


def survivors(box: Tensor, score: Tensor, kind: Tensor, limit: float, rounds: int = 12) -> Tensor:
    """Which of the boxes are kept where one suppresses the weaker ones of its class that it overlaps: bool [B, N].

    box [B, N, 4], score [B, N] sorted from high to low, kind [B, N]. Tensors only, so that it is exported as it is:
    each round lets those suppress that still stand; the rounds end at the greedy answer as soon as no chain of
    suppressors is longer than they are many (Zheng et al. 2021, "Enhancing geometric factors", algorithm 2).
    """
    rivals = (overlap(box[:, :, None], box[:, None]) > limit) & (kind[:, :, None] == kind[:, None])
    rivals = rivals.to(score.dtype).triu(1)  # [B, suppressor, suppressed]
    stands = torch.ones_like(score)
    for _ in range(rounds):
        stands = 1 - (rivals * stands[:, :, None]).amax(dim=1)
    return stands > 0.5
