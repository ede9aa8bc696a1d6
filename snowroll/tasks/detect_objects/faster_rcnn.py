"""Faster R-CNN (Ren et al. 2015) on a feature pyramid (Lin et al. 2017): anchors are told from nothing, the best of
them are proposals, and these are cut out of the maps, named and moved.

The parts that learn are torchvision's, under its names, so that its weights fit. What lies between them is tensors of
fixed shapes: a picture has the same number of proposals always, and weaker ones are suppressed without a loop, so that
the whole network is exported as it is and answers in batches.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from snowroll.base.errors import PlanError, did_you_mean
from snowroll.design.fine_tuned import FineTuned, hasten_statistics
from snowroll.design.hub import torchvision_weights
from snowroll.design.weights import fill, read_tensors
from snowroll.tasks.detect_objects.boxes import Found, Objects, Seen, survivors
from snowroll.tasks.detect_objects.one_stage import set_bias

if TYPE_CHECKING:
    from snowroll.design.pyramid import Pyramid
    from snowroll.tasks.detect_objects.options import DetectOptions

READY_MADE = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
)
CANDIDATES = 400  # anchors from which the proposals are chosen
ALIKE = 0.7  # overlap from which two proposals are one
CROP = 7  # places a side that a proposal is judged by
OF_ANCHOR, OF_PROPOSAL = (1.0, 1.0, 1.0, 1.0), (10.0, 10.0, 5.0, 5.0)  # scale of the moves, so that all are near 1
_FARTHEST = log(1000 / 16)  # a side grows at most by this factor's logarithm
_RATIOS = (0.5, 1.0, 2.0)  # height over width of anchors


class Stages(NamedTuple):
    """All that both stages say of a batch, to learn from; beside it the answer, as Found has it."""

    score: Tensor
    box: Tensor
    size: Tensor
    anchors: Tensor  # [A, 4]
    objectness: Tensor  # [B, A] logits
    shifts: Tensor  # [B, A, 4] of the anchors, as `moves` gives them
    proposals: Tensor  # [B, R, 4]: those judged in use, and the objects that are there
    logits: Tensor  # [B, R, C + 1] nothing, then the classes
    moves: Tensor  # [B, R, 4] of the proposals


class FasterRCNN(FineTuned):
    """Seen to Found; with the objects, to Stages.

    backbone: normalised images to maps from fine to coarse; head: all that is new for these classes.
    """

    def __init__(self, backbone: nn.Module, head: Regions, normalise: nn.Module, proposals: int) -> None:
        super().__init__()
        self.normalise, self.backbone, self.head = normalise, backbone, head
        self.proposals, self.classes = proposals, head.classes

    @torch.no_grad()
    def expect(self, sides: Tensor, objects: Sequence[float], frame: tuple[int, int]) -> None:
        """Begin with as many objects of each class in a picture. Anchors have sizes of their own: sides is not used."""
        # some two proposals answer for an object
        shares = [min(max(2 * count / self.proposals, 0.001), 0.5 / len(objects)) for count in objects]
        set_bias(self.head.predictor.cls_score, [log(share) for share in (1 - sum(shares), *shares)])

    def forward(self, seen: Seen, objects: Objects | None = None) -> Found | Stages:
        high, wide = seen.image.shape[2:]
        maps = self.backbone(self.normalise(seen.image))
        maps = self.head.neck(list(maps.values()) if isinstance(maps, dict) else maps)
        anchors, level = self.head.anchors(maps, (wide, high))
        objectness, shifts = self.head.search(maps)
        proposals = propose(objectness, shifts, anchors, level, (wide, high), self.proposals)
        judged = slice(None, proposals.shape[1])
        if objects is not None:
            proposals = torch.cat((proposals, objects.box.to(proposals.dtype)), dim=1)
        logits, moves = self.head.judge(maps, proposals, (wide, high))
        chance = logits[:, judged].log_softmax(dim=2)[..., 1:]
        odds = chance - torch.log1p(-chance.exp().clamp(max=1 - 1e-6))
        box = within(moved(proposals[:, judged], moves[:, judged], OF_PROPOSAL), (wide, high))
        found = Found(odds.transpose(1, 2), box, seen.size)
        return found if objects is None else Stages(*found, anchors, objectness, shifts, proposals, logits, moves)


class Regions(nn.Module):
    """Both stages' heads over maps of one width. The parts have torchvision's names, but for the predictor."""

    def __init__(
        self,
        neck: nn.Module,
        finder: nn.Module,
        box_head: nn.Module,
        width: int,
        classes: int,
        cells: Sequence[Tensor],
        pooled: int,
    ) -> None:
        """finder: a map to objectness and shifts of the anchors of each place. box_head: crops to [N, width].
        cells: the anchors of a place around 0, for each map; pooled: how many of the maps, from the finest on,
        proposals are cut from.
        """
        super().__init__()
        self.neck, self.classes = neck, classes
        self.predictor = Predictor(width, classes)
        self.rpn = nn.ModuleDict({"head": finder})
        self.roi_heads = nn.ModuleDict({"box_head": box_head})
        self.cells, self.pooled = [cell.tolist() for cell in cells], pooled

    def anchors(self, maps: Sequence[Tensor], frame: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """([A, 4] in pixels, [A] number of the map): map by map, row by row."""
        boxes, levels = [], []
        for number, (map_, cell) in enumerate(zip(maps, self.cells, strict=True)):
            rows, columns = map_.shape[2:]
            y = torch.arange(rows, device=map_.device) * (frame[1] // rows)
            x = torch.arange(columns, device=map_.device) * (frame[0] // columns)
            corner = torch.stack((x.repeat(rows), y.repeat_interleave(columns)), dim=1).repeat(1, 2)
            boxes.append((corner[:, None] + torch.tensor(cell, device=map_.device)).reshape(-1, 4))
            levels.append(torch.full((len(boxes[-1]),), number, device=map_.device))
        return torch.cat(boxes), torch.cat(levels)

    def search(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """(objectness [B, A], shifts [B, A, 4]) in the anchors' order."""
        objectness, shifts = self.rpn["head"](maps)
        return (
            torch.cat([x.permute(0, 2, 3, 1).flatten(1) for x in objectness], dim=1).float(),
            torch.cat([x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, 4) for x in shifts], dim=1).float(),
        )

    def judge(self, maps: Sequence[Tensor], boxes: Tensor, frame: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """(logits [B, R, C + 1], moves [B, R, 4]) of boxes [B, R, 4]."""
        n, each = boxes.shape[:2]
        seen = self.roi_heads["box_head"](self.crops(maps, boxes, frame).flatten(0, 1))
        logits, moves = self.predictor(seen)
        return logits.view(n, each, -1), moves.view(n, each, 4)

    def crops(self, maps: Sequence[Tensor], boxes: Tensor, frame: tuple[int, int]) -> Tensor:
        """[B, R, width, CROP, CROP]: each box from the map on which it is neither a dot nor larger than the frame (Lin
        et al. 2017, FPN, eq. 1).

        RoIAlign (He et al. 2017, Mask R-CNN, section 3) as two products of matrices, for it is linear along either
        axis: the same numbers as torchvision's, whose gradient takes ten times as long on a processor, and on a GPU is
        another one each time.
        """
        side = (boxes[..., 2:] - boxes[..., :2]).clamp(min=1e-3).prod(dim=2).sqrt()
        scales = [map_.shape[3] / frame[0] for map_ in maps[: self.pooled]]
        first = -log(scales[0], 2)
        level = (4 + torch.log2(side / 224) + 1e-6).floor().clamp(first, first + self.pooled - 1) - first
        found: Tensor | None = None
        for number, (map_, scale) in enumerate(zip(maps, scales, strict=False)):
            n, width, rows, columns = map_.shape
            down = (bins(boxes[..., 1::2], rows, scale) * (level.round() == number)[..., None, None]).to(map_.dtype)
            across = bins(boxes[..., 0::2], columns, scale).to(map_.dtype)
            cut = map_ @ across.flatten(1, 2).transpose(1, 2)[:, None]  # [B, width, rows, R * CROP]
            cut = cut.view(n, width, rows, -1, CROP).permute(0, 3, 2, 1, 4).flatten(3)  # [B, R, rows, width * CROP]
            cut = (down @ cut).view(n, -1, CROP, width, CROP).transpose(2, 3)
            found = cut if found is None else found + cut
        assert found is not None
        return found


def bins(sides: Tensor, places: int, scale: float) -> Tensor:
    """[B, R, CROP, places]: how much each place of a map's axis counts for each bin of a box's. sides [B, R, 2]: where
    boxes begin and end, in pixels. A bin is the mean of the map at two points in it, interpolated between places.
    """
    start = sides[..., :1] * scale
    step = (sides[..., 1:] * scale - start).clamp(min=1) / CROP
    points = start + step * ((torch.arange(2 * CROP, device=sides.device) + 0.5) / 2)
    places_at = torch.arange(places, device=sides.device)
    near = (1 - (points.clamp(0, places - 1)[..., None] - places_at).abs()).clamp(min=0)
    return near.unflatten(2, (CROP, 2)).mean(dim=3)


class Predictor(nn.Module):
    """What a crop shows and how its box is to be moved, whatever it shows."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.cls_score, self.bbox_pred = nn.Linear(width, classes + 1), nn.Linear(width, 4)
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.normal_(self.bbox_pred.weight, std=0.001)
        nn.init.zeros_(self.cls_score.bias)
        nn.init.zeros_(self.bbox_pred.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls_score(x).float(), self.bbox_pred(x).float()


class Neck(nn.Module):
    """Maps of a backbone to maps of one width, and one coarser still."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.fpn = FeaturePyramidNetwork(list(widths), width, LastLevelMaxPool(), norm_layer=nn.BatchNorm2d)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        return list(self.fpn({str(number): map_ for number, map_ in enumerate(maps)}).values())


def propose(
    objectness: Tensor, shifts: Tensor, anchors: Tensor, level: Tensor, frame: tuple[int, int], most: int
) -> Tensor:
    """[B, R, 4]: the surest boxes of which no two of a map are ALIKE; where there are fewer, some that are."""
    score, at = objectness.detach().topk(min(CANDIDATES, objectness.shape[1]), dim=1)
    box = moved(anchors[at], shifts.detach().gather(1, at[..., None].expand(-1, -1, 4)), OF_ANCHOR)
    box = within(box, frame)
    score = torch.where(survivors(box, score, level[at], ALIKE), score.sigmoid(), score.sigmoid() - 1)
    first = score.topk(min(most, score.shape[1]), dim=1).indices
    return box.gather(1, first[..., None].expand(-1, -1, 4))


def moved(box: Tensor, move: Tensor, scale: Sequence[float]) -> Tensor:
    """box [..., 4] moved by shares of its sides, and their logarithms (Ren et al. 2015, eq. 2)."""
    x, y, wide, high = (move / torch.tensor(scale, device=move.device)).unbind(-1)
    middle, sides = (box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]
    middle = middle + torch.stack((x, y), dim=-1) * sides
    half = torch.stack((wide, high), dim=-1).clamp(max=_FARTHEST).exp() * sides / 2
    return torch.cat((middle - half, middle + half), dim=-1)


def moves(box: Tensor, to: Tensor, scale: Sequence[float]) -> Tensor:
    """The other way round: what moves `box` to `to`."""
    sides, wanted = (box[..., 2:] - box[..., :2]).clamp(min=1), (to[..., 2:] - to[..., :2]).clamp(min=1)
    middle = (to[..., :2] + to[..., 2:] - box[..., :2] - box[..., 2:]) / 2 / sides
    return torch.cat((middle, (wanted / sides).log()), dim=-1) * torch.tensor(scale, device=box.device)


def within(box: Tensor, frame: tuple[int, int]) -> Tensor:
    """Cut at the frame's border."""
    x, y = box[..., 0::2].clamp(0, frame[0]), box[..., 1::2].clamp(0, frame[1])
    return torch.stack((x[..., 0], y[..., 0], x[..., 1], y[..., 1]), dim=-1)


def on_pyramid(backbone: Pyramid, options: DetectOptions, classes: int, normalise: nn.Module) -> FasterRCNN:
    """Over one of our backbones: two sizes of anchors an octave, from twice the finest map's stride on."""
    from torchvision.models.detection.faster_rcnn import TwoMLPHead
    from torchvision.models.detection.rpn import AnchorGenerator, RPNHead

    strides = (*backbone.strides, 2 * backbone.strides[-1])
    generator = AnchorGenerator(tuple((2 * s, 2 * 2**0.5 * s) for s in strides), (_RATIOS,) * len(strides))
    hidden = 4 * options.width
    head = Regions(
        neck=Neck(backbone.widths, options.width),
        finder=RPNHead(options.width, generator.num_anchors_per_location()[0]),
        box_head=TwoMLPHead(options.width * CROP**2, hidden),
        width=hidden,
        classes=classes,
        cells=generator.cell_anchors,
        pooled=len(backbone.strides),
    )
    model = FasterRCNN(backbone, head, normalise, options.proposals)
    model.loaded = backbone.loaded
    return model


def ready_made(options: DetectOptions, classes: int, normalise: nn.Module) -> FasterRCNN:
    """torchvision's network `options.model`, with its weights by name or from a file. Raises PlanError, DataError."""
    from torchvision.models import get_model

    if options.model not in READY_MADE:
        what = f"torchvision has no detector '{options.model}'"
        raise PlanError(what, where="task.model", cure=did_you_mean(options.model, list(READY_MADE)))
    network: Any = get_model(options.model, weights=None, weights_backbone=None)
    heads = network.roi_heads
    head = Regions(
        neck=nn.Identity(),
        finder=network.rpn.head,
        box_head=heads.box_head,
        width=heads.box_predictor.cls_score.in_features,
        classes=classes,
        cells=network.rpn.anchor_generator.cell_anchors,
        pooled=len(network.backbone.fpn.inner_blocks),
    )
    model = FasterRCNN(network.backbone, head, normalise, options.proposals)
    if options.pretrained:
        tensors = torchvision_weights(options.model) if options.pretrained == "hub" else None
        tensors = tensors or read_tensors(Path(options.pretrained))
        model.loaded = fill(model, {_renamed(name): tensor for name, tensor in tensors.items()}, options.pretrained)
    else:
        hasten_statistics(model.backbone)
    return model


def _renamed(name: str) -> str:
    """torchvision's published files are older than the pairs of convolution and norm that its parts are made of now."""
    name = re.sub(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2", name)
    return re.sub(r"^(rpn\.head\.conv)\.(weight|bias)$", r"\1.0.0.\2", name)
