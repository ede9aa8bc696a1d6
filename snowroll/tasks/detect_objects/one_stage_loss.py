"""What the one-stage detector learns from: which place answers for which object, and how far off it is."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch
from snowroll.tasks.detect_objects.boxes import IGNORED, Found, Objects, generous_overlap, overlap
from snowroll.tasks.detect_objects.one_stage import STRIDE, centres

PLACES = 10  # that answer for one object (Feng et al. 2021, "TOOD", section 3.2: 13; YOLOv8 has 10)
SHARPNESS = 6.0  # exponent of the overlap in what makes a place fit an object, against 1/2 of the score's (YOLOv8)
BOX = 2.5  # weight of the boxes' loss against the scores' (Xu et al. 2022, "PP-YOLOE")
_PAIRS = 4_000_000  # (object, place) pairs compared at once: 250 MB


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """[B]: cross-entropy of every place's scores and GIoU of the boxes, over the objects of the picture."""
    found: Found = model(batch.inputs)
    rows, columns = (side // STRIDE for side in batch.inputs.image.shape[2:])
    places = centres(rows, columns, found.box.device)
    objects = batch.targets
    at_once = max(1, _PAIRS // (len(places) * max(1, objects.kind.shape[1])))
    parts = [
        _losses(
            Found(*(part[start : start + at_once] for part in found)),
            Objects(*(part[start : start + at_once] for part in objects)),
            places,
        )
        for start in range(0, len(objects.kind), at_once)
    ]
    return torch.cat(parts)


def _losses(found: Found, objects: Objects, places: Tensor) -> Tensor:
    wanted, box, weight, counts = answers(found, objects, places)
    of_scores = F.binary_cross_entropy_with_logits(found.score, wanted, reduction="none").sum(dim=1)
    of_boxes = (1 - generous_overlap(found.box, box)) * weight
    return ((of_scores * counts).sum(dim=1) + BOX * of_boxes.sum(dim=1)) / weight.sum(dim=1).clamp(min=1)


@torch.no_grad()
def answers(found: Found, objects: Objects, places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What each place should say: (scores [B, C, A], box [B, A, 4], weight of the box [B, A], counts [B, A]).

    Task-aligned assignment (Feng et al. 2021, "TOOD", eqs. 6-8): for each object the PLACES within it whose score and
    box fit best; they are asked for a score as high as their box is good, relative to the best. counts: 0 where a place
    lies in a region to be ignored and answers for nothing.
    """
    asked = objects.kind >= 0  # [B, M]
    kind = objects.kind.clamp(min=0)
    fits = overlap(objects.box[:, :, None], found.box[:, None])  # [B, M, A]
    score = found.score.sigmoid().gather(1, kind[:, :, None].expand(-1, -1, len(places)))
    inside = _inside(objects.box, places) & asked[:, :, None]
    middle = (objects.box[..., :2] + objects.box[..., 2:]) / 2
    near = 1 / (1 + (middle[:, :, None] - places).square().sum(-1))
    # while nothing overlaps yet, the places in the middle come first
    aligned = (score.sqrt() * fits**SHARPNESS + 1e-9 * near) * inside
    best = aligned.topk(min(PLACES, len(places)), dim=2).indices
    chosen = torch.zeros_like(inside).scatter_(2, best, True) & inside
    # a place that several objects want goes to the one it overlaps most
    owner = torch.where(chosen, fits, -1.0).argmax(dim=1)  # [B, A]
    chosen &= torch.zeros_like(chosen).scatter_(1, owner[:, None], True)
    aligned = aligned * chosen
    most = aligned.amax(dim=2, keepdim=True).clamp(min=1e-12)
    quality = (aligned / most * (fits * chosen).amax(dim=2, keepdim=True)).amax(dim=1)  # [B, A]
    is_owned = chosen.any(dim=1)
    of_class = kind.gather(1, owner)
    wanted = torch.zeros_like(found.score).scatter_(1, of_class[:, None], (quality * is_owned)[:, None])
    box = objects.box.gather(1, owner[..., None].expand(-1, -1, 4))
    left_alone = (_inside(objects.box, places) & (objects.kind == IGNORED)[:, :, None]).any(dim=1)
    return wanted, box, quality * is_owned, (is_owned | ~left_alone).to(found.score.dtype)


def _inside(box: Tensor, places: Tensor) -> Tensor:
    """[B, M, A] whether a place lies in a box; boxes smaller than the places' distance are widened to hold one."""
    middle, half = (box[..., :2] + box[..., 2:]) / 2, (box[..., 2:] - box[..., :2]) / 2
    half = half.clamp(min=0.75 * STRIDE)
    return ((places - middle[:, :, None]).abs() < half[:, :, None]).all(dim=-1)
