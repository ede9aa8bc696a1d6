"""The one-stage detector: a backbone, its maps joined at a stride of 8 pixels, and at each place a score for every
class and the way to the four sides of a box (anchor-free; Tian et al. 2019, "FCOS").
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.design.fine_tuned import FineTuned
from snowroll.design.pyramid import Pyramid
from snowroll.tasks.detect_objects.boxes import Found, Seen

STRIDE = 8
FEW = 0.01  # share of the places that answer for an object, before anything is known (Lin et al. 2017, section 4.1)
_FARTHEST = 4.0  # a side is at most e^4 = 55 times as far as the mean object's: no overflow before anything is learnt


class Detector(FineTuned):
    """Seen to Found."""

    reach: Tensor  # [2] half of the mean object's width and height, in pixels: where boxes start from

    def __init__(self, backbone: Pyramid, classes: int, width: int, normalise: nn.Module) -> None:
        super().__init__()
        self.loaded, self.classes = backbone.loaded, classes
        self.normalise, self.backbone = normalise, backbone
        self.head = Head(backbone.widths, width, classes)
        self.register_buffer("reach", torch.full((2,), 4.0 * STRIDE))

    @torch.no_grad()
    def expect(self, sides: Tensor, objects: Sequence[float], frame: tuple[int, int]) -> None:
        """Begin with boxes of this width and height [2], and as many objects of each class in a picture."""
        self.reach.copy_(sides / 2)
        places = (frame[0] // STRIDE) * (frame[1] // STRIDE)
        # an object is answered for by some four places once places have been chosen
        shares = [min(max(4 * count / places, FEW / 10), 0.1) for count in objects]
        set_bias(self.head.score, [log(share / (1 - share)) for share in shares])

    def forward(self, seen: Seen) -> Found:
        score, sides = self.head(self.backbone(self.normalise(seen.image)))
        places = centres(score.shape[2], score.shape[3], score.device)
        reach = self.reach.repeat(2) * sides.flatten(2).transpose(1, 2).float().clamp(max=_FARTHEST).exp()
        box = torch.cat((places - reach[..., :2], places + reach[..., 2:]), dim=-1)
        return Found(score.flatten(2).float(), box, seen.size)


class Head(nn.Module):
    """Maps of three scales to one, and from it the scores and sides of every place."""

    answering = ("score", "sides")

    def __init__(self, widths: Sequence[int], width: int, classes: int) -> None:
        super().__init__()
        self.level = nn.ModuleList(nn.Conv2d(before, width, 1, bias=False) for before in widths)
        self.norm = nn.ModuleList(nn.BatchNorm2d(width) for _ in widths)
        self.joined = nn.ModuleList(_layer(width, width) for _ in widths[1:])
        self.of_class, self.of_box = _layer(width, width), _layer(width, width)
        self.score, self.sides = nn.Conv2d(width, classes, 1), nn.Conv2d(width, 4, 1)
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.normal_(self.sides.weight, std=0.01)
        set_bias(self.score, [log(FEW / (1 - FEW))] * classes)
        set_bias(self.sides, [0.0] * 4)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        fine, *coarser = [norm(level(x)) for level, norm, x in zip(self.level, self.norm, maps, strict=True)]
        # from coarse to fine: what is known of the whole is added to what is known of the place (Lin et al. 2017, FPN)
        x = coarser.pop()
        for join in self.joined:
            finer = coarser.pop() if coarser else fine
            x = join(finer + F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.score(self.of_class(x)), self.sides(self.of_box(x))


@torch.no_grad()
def set_bias(layer: nn.Conv2d | nn.Linear, bias: Sequence[float]) -> None:
    """Of the output channels."""
    assert layer.bias is not None
    layer.bias.copy_(torch.tensor(bias))


def _layer(before: int, after: int) -> nn.Module:
    conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def centres(rows: int, columns: int, device: torch.device) -> Tensor:
    """[A, 2] (x, y) of every place, in pixels."""
    y = (torch.arange(rows, device=device) + 0.5) * STRIDE
    x = (torch.arange(columns, device=device) + 0.5) * STRIDE
    return torch.stack((x.repeat(rows), y.repeat_interleave(columns)), dim=1)
