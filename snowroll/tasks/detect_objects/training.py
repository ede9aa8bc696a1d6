"""Loss and whole-batch augmentation of detection."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.prepare import augment as ops
from snowroll.tasks.detect_objects.boxes import IGNORED, NONE, Objects, Seen, area, generous_overlap, overlap
from snowroll.tasks.detect_objects.model import STRIDE, Found, centres
from snowroll.tasks.detect_objects.options import DetectOptions

PLACES = 10  # that answer for one object (Feng et al. 2021, "TOOD", section 3.2: 13; YOLOv8 has 10)
SHARPNESS = 6.0  # exponent of the overlap in what makes a place fit an object, against 1/2 of the score's (YOLOv8)
BOX = 2.5  # weight of the boxes' loss against the scores' (Xu et al. 2022, "PP-YOLOE")
_PAIRS = 4_000_000  # (object, place) pairs compared at once: 250 MB
_SEEN = 0.25  # share of an object that must be in the picture for it to be asked for; a guess


def loss(model: nn.Module, batch: Batch, options: DetectOptions) -> Tensor:
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


def augment(batch: Batch, draw: Draw, options: DetectOptions) -> Batch:
    """Corners of four pictures, then geometry with the boxes moved along, then light."""
    image, objects = batch.inputs.image, batch.targets
    height, width = image.shape[2:]
    frame = (width, height)
    if options.mosaic and len(image) > 1:
        corners = ops.mosaic(image, draw, options.mosaic)
        image, objects = corners.images, _in_corners(objects, corners, frame)
    if options.flip or options.flip_down or options.scale or options.shift:
        move = ops.draw_move(
            draw, frame, flip=options.flip, flip_down=options.flip_down, scale=options.scale, shift=options.shift
        )
        image = ops.moved(image, move, "zeros")
        whole = torch.tensor((0, 0, width, height), dtype=objects.box.dtype, device=image.device)
        objects = _cut(objects, ops.moved_boxes(objects.box, move, frame), whole)
    image = ops.light(
        image, draw, brightness=options.brightness, contrast=options.contrast, saturation=options.saturation
    )
    return replace(batch, inputs=Seen(image, batch.inputs.size), targets=objects)


def _in_corners(objects: Objects, corners: ops.Corners, frame: tuple[int, int]) -> Objects:
    """The objects of the four pictures, moved into their quarters, cut at the quarters' edges."""
    width, height = frame
    x, y = corners.point.to(objects.box.dtype).unbind(1)
    zero, wide, high = torch.zeros_like(x), torch.full_like(x, width), torch.full_like(y, height)
    quarters = ((zero, zero, x, y), (x, zero, wide, y), (zero, y, x, high), (x, y, wide, high))
    parts = []
    for number, quarter in enumerate(quarters):
        partner = corners.partner[:, number]
        by_x, by_y = (x if number % 2 else x - wide), (y if number >= 2 else y - high)
        shift = torch.stack((by_x, by_y, by_x, by_y), dim=1)[:, None]
        theirs = Objects(objects.kind[partner], objects.box[partner])
        parts.append(_cut(theirs, theirs.box + shift, torch.stack(quarter, dim=1)[:, None]))
    together = Objects(*(torch.cat(tensors, dim=1) for tensors in zip(*parts, strict=True)))
    first = (together.kind == NONE).to(torch.int8).argsort(dim=1, stable=True)
    room = max(1, int((together.kind != NONE).sum(dim=1).max()))
    first = first[:, :room]
    return Objects(together.kind.gather(1, first), together.box.gather(1, first[..., None].expand(-1, -1, 4)))


def _cut(objects: Objects, box: Tensor, edges: Tensor) -> Objects:
    """The objects at their new places, cut at the edges (left, top, right, bottom). What is hardly there any more is to
    be ignored, and what is gone is gone."""
    left_top, right_bottom = edges[..., :2], edges[..., 2:]
    cut = torch.cat(
        (
            torch.minimum(torch.maximum(box[..., :2], left_top), right_bottom),
            torch.minimum(torch.maximum(box[..., 2:], left_top), right_bottom),
        ),
        dim=-1,
    )
    share = area(cut) / area(box).clamp(min=1e-6)
    kind = torch.where((share < _SEEN) & (objects.kind != NONE), IGNORED, objects.kind)
    return Objects(torch.where(area(cut) < 1, NONE, kind), cut)
