"""What good parts look like, in two sizes: a memory of their patches, and a network that can draw them alone.

Memory: Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection" (PatchCore), sections 3.1 to 3.3, with
a random choice of patches for the greedy one (so that it is filled in seconds), and patches that training moves. Where
faults are known, it learns which of the backbone's numbers tell them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.design.classifier import Normalise
from snowroll.design.pyramid import pyramid
from snowroll.tasks.inspect.options import InspectOptions

LEAST = 1e-6
FAR = 1e3  # in deviations
AT_ONCE = 4_000_000  # distances held at a time, about: patches times remembered ones; 16 MB


class Said(NamedTuple):
    """What an inspector says of a batch."""

    unlike: Tensor  # [B, h, w] how unlike good parts each place is; 1: as the unlikest place of the parts it began with
    score: Tensor  # [B] of the whole part; above 1 it is faulty
    off: Tensor  # [B, h, w] how far each place lies from what was expected of it, squared; the loss of good parts
    made: Tensor  # what was expected: [B, h, w] numbers of patches, or pixels [B, 3, H, W]


class Inspector(nn.Module):
    """Images [B, 3, H, W] float32 in [0, 1] to Said. Until it is calibrated its units are those of the first parts."""

    farthest: Tensor
    threshold: Tensor

    def __init__(self, options: InspectOptions) -> None:
        super().__init__()
        self.normalise = Normalise(options.mean, options.std)
        self.worst = options.worst
        self.loaded = None
        self.register_buffer("farthest", torch.tensor(1.0))
        self.register_buffer("threshold", torch.tensor(1.0))

    def say(self, unlike: Tensor, off: Tensor, made: Tensor) -> Said:
        """unlike: before its unit."""
        peak, mean = peak_and_mean(unlike, self.worst)
        return Said(unlike / self.farthest, (peak + mean) / self.threshold, off, made)

    def error(self, said: Said, wanted: Tensor) -> Tensor:
        """[B, h, w] `off`, had it been shown one picture and asked for another, `wanted`."""
        raise NotImplementedError

    def learn_at_once(self, images: Tensor) -> None:
        """What needs no steps."""

    @torch.no_grad()
    def begin(self, images: Tensor) -> None:
        """Before the first step, from pictures of good parts: half of them say in which units the others are new."""
        self.eval()
        self.farthest.fill_(1.0)
        self.threshold.fill_(1.0)
        halves = (images[::2], images[1::2]) if len(images) > 1 else (images, images)
        self.learn_at_once(halves[0])
        said = [self(part) for part in halves[1].split(16)]
        self.farthest.copy_(torch.stack([one.unlike.max() for one in said]).max().clamp(min=LEAST))
        self.threshold.copy_(torch.stack([one.score.max() for one in said]).max().clamp(min=LEAST))
        self.learn_at_once(images)
        self.train()


class Patches(nn.Module):
    """Remembered places [n, D], and how much each of the D numbers weighs."""

    def __init__(self, n: int, width: int, weighs: bool) -> None:
        super().__init__()
        self.items = nn.Parameter(torch.randn(n, width))
        if weighs:
            self.weight = nn.Parameter(torch.zeros(width))
        else:
            self.register_buffer("weight", torch.zeros(width))

    def weights(self) -> Tensor:
        """[D], their squares of mean 1."""
        weights = self.weight.exp()
        return weights / weights.square().mean().sqrt()

    @torch.no_grad()
    def take(self, seen: Tensor) -> None:
        """As many of `seen` [N, D] as there is room for, drawn at random; where there are fewer, the rest of the room
        lies far from everything and is nobody's nearest."""
        kept = seen[torch.randperm(len(seen))[: len(self.items)]]
        self.items[: len(kept)] = kept
        self.items[len(kept) :] = FAR


class Memory(Inspector):
    """Patches of good parts; a place is as unlike as its nearest of them is far."""

    centre: Tensor
    spread: Tensor

    def __init__(self, options: InspectOptions) -> None:
        super().__init__(options)
        strides = (8, 16) if options.fine else (16,)
        backbone = pyramid(options.model, options.pretrained, options.padding, strides)
        self.loaded = backbone.loaded
        self.backbone = backbone.requires_grad_(False)
        width = sum(backbone.widths)
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("spread", torch.ones(width))
        self.known = Patches(options.memory, width, options.known_faults)

    def train(self, mode: bool = True) -> Memory:
        super().train(mode)
        self.backbone.eval()  # it was taught elsewhere: its statistics are those of what it knows
        return self

    def places(self, images: Tensor) -> Tensor:
        """[B, h, w, D] what the backbone sees around each place, every number of mean 0 and deviation 1."""
        with torch.no_grad():
            fine, *rest = (smooth(x.float()) for x in self.backbone(self.normalise(images)))
            for coarse in rest:
                finer = F.interpolate(coarse, fine.shape[2:], mode="bilinear", align_corners=False)
                fine = torch.cat((fine, finer), dim=1)
            return (fine.permute(0, 2, 3, 1) - self.centre) / self.spread

    def forward(self, images: Tensor) -> Said:
        seen, weights = self.places(images), self.known.weights()
        nearest = self._nearest(seen, weights)
        gap = seen - self.known.items[nearest]
        unlike = (gap * weights).square().mean(dim=3).clamp(min=LEAST).sqrt()
        return self.say(unlike, gap.square().mean(dim=3), nearest)

    @torch.no_grad()
    def _nearest(self, seen: Tensor, weights: Tensor) -> Tensor:
        """[B, h, w] numbers of the remembered patches."""
        items, flat = self.known.items * weights, (seen * weights).flatten(0, 2)
        length = items.square().sum(dim=1)
        if torch.compiler.is_exporting():  # what is served comes a few at a time
            return torch.addmm(length, flat, items.T, alpha=-2).argmin(dim=1).reshape(seen.shape[:3])
        with torch.autocast(seen.device.type, enabled=False):  # in bf16 the nearest would often be another
            parts = flat.split(max(1, AT_ONCE // len(items)))
            found = [torch.addmm(length, part, items.T, alpha=-2).argmin(dim=1) for part in parts]
        return torch.cat(found).reshape(seen.shape[:3])

    def error(self, said: Said, wanted: Tensor) -> Tensor:
        return (self.places(wanted) - self.known.items[said.made]).square().mean(dim=3)

    @torch.no_grad()
    def learn_at_once(self, images: Tensor) -> None:
        self.centre.zero_()
        self.spread.fill_(1.0)
        seen = torch.cat([self.places(part) for part in images.split(16)]).flatten(0, 2)
        self.centre.copy_(seen.mean(dim=0))
        self.spread.copy_(seen.std(dim=0).clamp(min=LEAST))
        self.known.take((seen - self.centre) / self.spread)


class Reconstruction(Inspector):
    """A narrow network that learns to draw good parts; what it cannot draw is unlike them."""

    def __init__(self, options: InspectOptions) -> None:
        super().__init__(options)
        w, narrow = options.width, max(4, options.width // 3)
        self.down = nn.Sequential(*(_layer(a, b, 2) for a, b in pairwise((3, w, 2 * w, 4 * w, 4 * w))))
        self.narrow = nn.Conv2d(4 * w, narrow, 1)
        self.up = nn.Sequential(*(_finer(a, b) for a, b in pairwise((narrow, 4 * w, 2 * w, w, w))))
        self.draw = nn.Conv2d(w, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Said:
        made = self.draw(self.up(self.narrow(self.down(self.normalise(images))))).float()
        off = self._off(made, images)
        return self.say(off.clamp(min=LEAST).sqrt(), off, made)

    def error(self, said: Said, wanted: Tensor) -> Tensor:
        return self._off(said.made, wanted)

    def _off(self, made: Tensor, wanted: Tensor) -> Tensor:
        gap = (made - self.normalise(wanted).float()).square().mean(dim=1, keepdim=True)
        return F.avg_pool2d(gap, 4)[:, 0]


def _layer(before: int, after: int, stride: int = 1) -> nn.Module:
    conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.LeakyReLU(0.01, inplace=True))


def _finer(before: int, after: int) -> nn.Module:
    return nn.Sequential(_layer(before, after), nn.Upsample(scale_factor=2))


def peak_and_mean(unlike: Tensor, worst: float) -> tuple[Tensor, Tensor]:
    """[B] the mean of the `worst` share of the places, smoothed over neighbours, and the mean of all."""
    places = smooth(unlike[:, None]).flatten(1)
    most = max(1, round(worst * places.shape[1]))
    return places.topk(most, dim=1).values.mean(dim=1), places.mean(dim=1)


def smooth(maps: Tensor) -> Tensor:
    """[B, D, h, w], each place the mean of itself and its neighbours."""
    return F.avg_pool2d(maps, 3, 1, 1, count_include_pad=False)


class Joined(nn.Module):
    """Inspectors of several folds as one: the mean of how unlike each finds a place."""

    def __init__(self, members: Iterable[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Said:
        unlike, score, off, made = zip(*(member(images) for member in self.members), strict=True)
        mean_unlike, mean_score, mean_off = (torch.stack(values).mean(dim=0) for values in (unlike, score, off))
        return Said(mean_unlike, mean_score, mean_off, made[0])


class Calibrated(nn.Module):
    """An inspector whose score is 1 at the threshold that good parts set, and its map where their places end."""

    def __init__(self, model: nn.Module, worst: float, share: float, threshold: float, farthest: float) -> None:
        super().__init__()
        self.model, self.worst = model, worst
        self.share, self.threshold, self.farthest = share, threshold, farthest

    def forward(self, images: Tensor) -> Said:
        said: Said = self.model(images)
        peak, mean = peak_and_mean(said.unlike, self.worst)
        score = (peak + self.share * mean) / self.threshold
        return said._replace(unlike=said.unlike / self.farthest, score=score)


def build(options: InspectOptions) -> Inspector:
    """The inspector that a plan's options describe. The caller seeds torch's generator."""
    return Reconstruction(options) if options.model == "reconstruction" else Memory(options)
