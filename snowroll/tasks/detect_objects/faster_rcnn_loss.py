"""What both stages of Faster R-CNN learn from (Ren et al. 2015, section 3.1.2; Girshick 2015, "Fast R-CNN", 2.3).

Where those draw anchors and proposals at random, a quarter of them of objects, each counts here by its chance to be
drawn: the same gradient on average, without noise and without a generator of random numbers. The second stage learns
from the very proposals that it will judge, and from the objects themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch
from snowroll.tasks.detect_objects.boxes import IGNORED, Objects, area, overlap
from snowroll.tasks.detect_objects.faster_rcnn import ALIKE, OF_ANCHOR, OF_PROPOSAL, Stages, moves

OF_NOTHING = 3  # drawn for each that is of an object
FEWEST = 4  # objects' worth of nothing that is drawn where there are fewer
NOTHING = 0.3  # overlap with every object below which an anchor is of nothing
RIGHT = 0.5  # overlap from which a proposal is of the object
_STRAIGHT = 1 / 9  # distance from which the boxes' loss grows straight
_PAIRS = 4_000_000  # (object, anchor) pairs compared at once: 100 MB


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """[B]: cross-entropy and smooth L1 of the anchors, and of the proposals."""
    objects: Objects = batch.targets
    stages: Stages = model(batch.inputs, objects)
    at_once = max(1, _PAIRS // (len(stages.anchors) * max(1, objects.kind.shape[1])))
    parts = []
    for start in range(0, len(objects.kind), at_once):
        rows = slice(start, start + at_once)
        part = stages._replace(**{name: getattr(stages, name)[rows] for name in Stages._fields if name != "anchors"})
        there = Objects(objects.kind[rows], objects.box[rows])
        parts.append(_of_anchors(part, there) + _of_proposals(part, there))
    return torch.cat(parts)


def _of_anchors(stages: Stages, objects: Objects) -> Tensor:
    is_object, is_nothing, box = answers(stages.anchors, objects)
    unsure = F.binary_cross_entropy_with_logits(stages.objectness, is_object.float(), reduction="none")
    wanted = moves(stages.anchors[None], box, OF_ANCHOR)
    off = F.smooth_l1_loss(stages.shifts, wanted, beta=_STRAIGHT, reduction="none").sum(dim=2)
    return _drawn(unsure + off * is_object, is_object, is_nothing)


def _drawn(losses: Tensor, is_object: Tensor, is_nothing: Tensor) -> Tensor:
    """[B]: the mean of losses [B, N] that a draw of OF_NOTHING to one would have."""
    found = is_object.sum(dim=1, keepdim=True)
    chance = OF_NOTHING * found.clamp(min=FEWEST) / is_nothing.sum(dim=1, keepdim=True).clamp(min=1)
    counts = is_object + is_nothing * chance.clamp(max=1)
    return (losses * counts).sum(dim=1) / counts.sum(dim=1).clamp(min=1)


@torch.no_grad()
def answers(anchors: Tensor, objects: Objects) -> tuple[Tensor, Tensor, Tensor]:
    """What each anchor should say: (is of an object [B, A], is of nothing [B, A], box [B, A, 4]).

    It is of an object where it overlaps one by ALIKE or more, or no other anchor overlaps that object better; of
    nothing below NOTHING; between them it answers for nothing, nor does it where most of it is to be ignored.
    """
    asked = (objects.kind >= 0)[:, :, None]  # [B, M, 1]
    fits = torch.where(asked, overlap(objects.box[:, :, None], anchors[None, None]), 0.0)  # [B, M, A]
    best, owner = fits.max(dim=1)
    nearest = ((fits == fits.amax(dim=2, keepdim=True)) & (fits > 0)).any(dim=1)
    is_object = (best >= ALIKE) | nearest
    is_nothing = (best < NOTHING) & ~is_object & ~_left_alone(anchors[None], objects)
    return is_object, is_nothing, objects.box.gather(1, owner[..., None].expand(-1, -1, 4))


def _left_alone(box: Tensor, objects: Objects) -> Tensor:
    """box [B or 1, N, 4] -> bool [B, N]: at least half of it lies in one region to be ignored."""
    ignored = (objects.kind == IGNORED)[:, :, None]
    left_top = torch.maximum(objects.box[:, :, None, :2], box[:, None, :, :2])
    right_bottom = torch.minimum(objects.box[:, :, None, 2:], box[:, None, :, 2:])
    inside = area(torch.cat((left_top, right_bottom), dim=-1))
    return (ignored & (inside >= RIGHT * area(box)[:, None])).any(dim=1)


def _of_proposals(stages: Stages, objects: Objects) -> Tensor:
    with torch.no_grad():
        asked = objects.kind >= 0
        fits = torch.where(asked[:, :, None], overlap(objects.box[:, :, None], stages.proposals[:, None]), 0.0)
        best, owner = fits.max(dim=1)  # [B, R]
        is_object = best >= RIGHT
        kind = torch.where(is_object, objects.kind.gather(1, owner) + 1, 0)
        # the objects stand at the end of the proposals; rows without one, and regions to be ignored, are no proposals
        padding = stages.proposals.shape[1] - objects.kind.shape[1]
        is_proposal = F.pad(asked, (padding, 0), value=True)
        is_nothing = is_proposal & ~is_object & ~_left_alone(stages.proposals, objects)
        to = objects.box.gather(1, owner[..., None].expand(-1, -1, 4))
        wanted = moves(stages.proposals, to, OF_PROPOSAL)
    unsure = F.cross_entropy(stages.logits.transpose(1, 2), kind, reduction="none")
    off = F.smooth_l1_loss(stages.moves, wanted, beta=_STRAIGHT, reduction="none").sum(dim=2)
    return _drawn(unsure + off * is_object, is_object & is_proposal, is_nothing)
