"""Whole-batch augmentation: boxes move along with their pictures."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.prepare import augment as ops
from snowroll.tasks.detect_objects.boxes import IGNORED, NONE, Objects, Seen, area
from snowroll.tasks.detect_objects.options import DetectOptions

_SEEN = 0.25  # share of an object that must be in the picture for it to be asked for; a guess


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
