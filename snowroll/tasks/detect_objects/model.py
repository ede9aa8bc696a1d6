"""The detector: a backbone, its maps joined at a stride of 8 pixels, and at each place of that map a score for every
class and the way to the four sides of a box (anchor-free; Tian et al. 2019, "FCOS").
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.errors import PlanError
from snowroll.design.classifier import Normalise
from snowroll.design.pyramid import Pyramid, pyramid
from snowroll.tasks.detect_objects.boxes import Seen
from snowroll.tasks.detect_objects.options import DetectOptions

STRIDE = 8
FEW = 0.01  # share of the places that answer for an object, before anything is known (Lin et al. 2017, section 4.1)
_FARTHEST = 4.0  # a side is at most e^4 = 55 times as far as the mean object's: no overflow before anything is learnt


class Found(NamedTuple):
    """What the network says, place by place; rows of the map one after the other, A places."""

    score: Tensor  # [B, C, A] logits
    box: Tensor  # [B, A, 4] in pixels of the frame
    size: Tensor  # [B, 2] int64: of the file, passed through, for answers are in its pixels


class Detector(nn.Module):
    """Seen to Found."""

    reach: Tensor  # [2] half of the mean object's width and height, in pixels: where boxes start from

    def __init__(self, backbone: Pyramid, classes: int, width: int, normalise: nn.Module) -> None:
        super().__init__()
        self.frozen, self.keeps_statistics = False, False
        self.loaded = backbone.loaded
        self.normalise, self.backbone = normalise, backbone
        self.head = Head(backbone.widths, width, classes)
        self.register_buffer("reach", torch.full((2,), 4.0 * STRIDE))

    def train(self, mode: bool = True) -> Detector:
        super().train(mode)
        if self.frozen or self.keeps_statistics:
            for module in self.backbone.modules():
                if self.frozen or isinstance(module, nn.modules.batchnorm._NormBase):
                    module.training = False
        return self

    @torch.no_grad()
    def expect(self, reach: Tensor | None, shares: Sequence[float]) -> None:
        """Begin with boxes of this half width and height [2], and classes as common as these shares of the places."""
        if reach is not None:
            self.reach.copy_(reach)
        _set_bias(self.head.score, torch.tensor([log(share / (1 - share)) for share in shares]))

    def forward(self, seen: Seen) -> Found:
        score, sides = self.head(self.backbone(self.normalise(seen.image)))
        places = centres(score.shape[2], score.shape[3], score.device)
        reach = self.reach.repeat(2) * sides.flatten(2).transpose(1, 2).float().clamp(max=_FARTHEST).exp()
        box = torch.cat((places - reach[..., :2], places + reach[..., 2:]), dim=-1)
        return Found(score.flatten(2).float(), box, seen.size)


class Head(nn.Module):
    """Maps of three scales to one, and from it the scores and sides of every place."""

    def __init__(self, widths: Sequence[int], width: int, classes: int) -> None:
        super().__init__()
        self.level = nn.ModuleList(nn.Conv2d(before, width, 1, bias=False) for before in widths)
        self.norm = nn.ModuleList(nn.BatchNorm2d(width) for _ in widths)
        self.joined = nn.ModuleList(_layer(width, width) for _ in widths[1:])
        self.of_class, self.of_box = _layer(width, width), _layer(width, width)
        self.score, self.sides = nn.Conv2d(width, classes, 1), nn.Conv2d(width, 4, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.normal_(self.sides.weight, std=0.01)
        _set_bias(self.score, torch.full((classes,), log(FEW / (1 - FEW))))
        _set_bias(self.sides, torch.zeros(4))

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        fine, *coarser = [norm(level(x)) for level, norm, x in zip(self.level, self.norm, maps, strict=True)]
        # from coarse to fine: what is known of the whole is added to what is known of the place (Lin et al. 2017, FPN)
        x = coarser.pop()
        for join in self.joined:
            finer = coarser.pop() if coarser else fine
            x = join(finer + F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.score(self.of_class(x)), self.sides(self.of_box(x))


@torch.no_grad()
def _set_bias(layer: nn.Conv2d, bias: Tensor) -> None:
    assert layer.bias is not None
    layer.bias.copy_(bias)


def _layer(before: int, after: int) -> nn.Module:
    conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def centres(rows: int, columns: int, device: torch.device) -> Tensor:
    """[A, 2] (x, y) of every place, in pixels."""
    y = (torch.arange(rows, device=device) + 0.5) * STRIDE
    x = (torch.arange(columns, device=device) + 0.5) * STRIDE
    return torch.stack((x.repeat(rows), y.repeat_interleave(columns)), dim=1)


def build(options: DetectOptions, classes: int) -> Detector:
    """The detector that a plan's options describe. The caller seeds torch's generator."""
    if classes < 1:
        raise PlanError("there is no class to find", where="task", cure="label some objects first")
    backbone = pyramid(options.model, options.pretrained, options.padding)
    model = Detector(backbone, classes, options.width, Normalise(options.mean, options.std))
    if options.keep_statistics and options.pretrained:
        model.keeps_statistics = True
    return model


def freeze(model: Detector, frozen: bool) -> None:
    """Learn the head alone, or (False) everything."""
    model.backbone.requires_grad_(not frozen)
    model.frozen = frozen
    model.train(model.training)


class Shifted(nn.Module):
    """A detector whose scores are moved class by class, so that a half is where precision and recall balance best."""

    by: Tensor  # [C, 1] logits

    def __init__(self, model: nn.Module, by: Sequence[float]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("by", torch.tensor(by).view(-1, 1))

    def forward(self, seen: Seen) -> Found:
        found: Found = self.model(seen)
        return found._replace(score=found.score + self.by)
