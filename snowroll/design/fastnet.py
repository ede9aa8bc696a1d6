"""Our fast network for small pictures: whitened patches, a few groups of convolutions, a maximum over the map.

After airbench (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU"): the first layer is not learnt but
computed from the data (`whiten`), pooling comes early, and every later layer is a plain 3 x 3 convolution that runs
near the machine's peak. Larger pictures get a larger patch and stride, so that the groups always see about 32 x 32.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.errors import PlanError
from snowroll.design.classifier import Classifier

_PATCHES = 200_000  # more change the whitening little
_EPSILON = 5e-4  # added to each variance: directions that hold only noise are not blown up (airbench)


@dataclass(frozen=True, slots=True)
class Size:
    """Channels of the groups, and convolutions a group (the third and later ones are residual)."""

    widths: tuple[int, ...]
    depth: int = 2


SIZES = {
    "fastnet_small": Size((32, 64, 128)),
    "fastnet": Size((64, 128, 128)),
    "fastnet_wide": Size((64, 256, 256)),
    "fastnet_deep": Size((128, 256, 256), depth=3),
}


class Group(nn.Module):
    """Convolution, halved by the maximum, then convolutions at that size.

    Batch statistics forget quickly (0.4): runs are short, and old statistics are of a network that is no more.
    """

    def __init__(self, before: int, after: int, depth: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.rest = nn.ModuleList(nn.Conv2d(after, after, 3, padding=1, bias=False) for _ in range(depth - 1))
        self.norms = nn.ModuleList(nn.BatchNorm2d(after, momentum=0.4) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.norms[0](F.max_pool2d(self.first(x), 2)))
        for number, (conv, norm) in enumerate(zip(self.rest, self.norms[1:], strict=True)):
            step = norm(conv(x))
            x = F.gelu(step + x if number == len(self.rest) - 1 and number > 0 else step)
        return x


class FastNet(nn.Module):
    """Normalised [B, 3, S, S] to [B, widths[-1]]."""

    whitening: Tensor

    def __init__(self, size: Size, size_px: int) -> None:
        super().__init__()
        if size_px < 16:
            raise PlanError(f"fastnet cannot halve {size_px} px four times", cure="use --task.size_px 16 or more")
        stride = max(1, round(size_px / 32))
        self.patch = max(2, stride)
        directions = 3 * self.patch**2
        self.stride = stride
        # a buffer: computed by `whiten`, never learnt, so that no gradient is worked out at full resolution (a sixth of
        # the step). Both signs of each direction: nothing is lost to the activation. Until then, random directions.
        filters = torch.randn(directions, 3, self.patch, self.patch) / directions**0.5
        self.register_buffer("whitening", torch.cat((filters, -filters)))
        channels = [2 * directions, *size.widths]
        self.groups = nn.Sequential(*(Group(before, after, size.depth) for before, after in pairwise(channels)))
        for module in self.groups.modules():
            if isinstance(module, nn.Conv2d):  # the first channels pass through: early signal without warm-up
                nn.init.dirac_(module.weight[: module.in_channels])

    def forward(self, images: Tensor) -> Tensor:
        return self.groups(F.gelu(self.whitened(images))).amax(dim=(2, 3))

    def whitened(self, images: Tensor) -> Tensor:
        """[B, 3, S, S] to [B, 6 patch^2, S', S'], computed in fp32 whatever the rest is.

        A direction in which pictures hardly differ (of grey ones, every colour) is blown up so far that in bf16
        rounding alone would look like content, and is gone in evaluation.
        """
        device = images.device.type
        if not torch.is_autocast_enabled(device):
            return F.conv2d(images, self.whitening, stride=self.stride)
        with torch.autocast(device, enabled=False):
            whitened = F.conv2d(images.float(), self.whitening, stride=self.stride)
        return whitened.to(torch.get_autocast_dtype(device))


@torch.no_grad()
def whiten(model: nn.Module, images: Tensor) -> bool:
    """Set the first layer to the principal directions of the training pictures' patches, each at unit variance.

    images: float [N, 3, S, S] in [0, 1], a few thousand of the training split. Call once, before training; the same
    pictures give the same layer. Returns whether the model has such a layer.
    """
    if not isinstance(model, Classifier) or not isinstance(model.backbone, FastNet):
        return False
    patch = model.backbone.patch
    patches = _patches(model.normalise(images), patch)
    # float64: eigenvectors of near-equal variances are the numerically delicate part
    variances, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
    scaled = directions / (variances + _EPSILON).sqrt()
    # eigenvectors have no sign of their own: fix it, so that libraries and machines agree
    largest = scaled.gather(0, scaled.abs().argmax(dim=0, keepdim=True))
    filters = (scaled * largest.sign()).T.flip(0).reshape(-1, 3, patch, patch)
    model.backbone.whitening.copy_(torch.cat((filters, -filters)))
    return True


def _patches(images: Tensor, side: int) -> Tensor:
    """[n, 3 * side * side] float64 patches, without overlap, evenly taken from all pictures; means kept.

    An odd step meets every phase of an even raster: in pictures that were enlarged by copying pixels, patches that kept
    to it would hold no edge, and what augmentation moves off it would be whitened beyond bounds.
    """
    step = 2 * side + 1
    cut = images.unfold(2, side, step).unfold(3, side, step).permute(0, 2, 3, 1, 4, 5)
    flat = cut.reshape(-1, 3 * side * side)
    return flat[:: max(1, len(flat) // _PATCHES)].double().cpu()
