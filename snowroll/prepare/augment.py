"""Whole batches changed at random on their device: no worker processes, no Python per sample, no hidden state.

Images are float [B, C, H, W] in [0, 1], in whichever order their numbers lie; what comes back lies as is quickest to
make. `geometry` takes the cheapest road to what was asked: flips and whole-pixel shifts are one gather of pixels, and
only rotation or scaling pays for interpolation.
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from snowroll.base.task import Draw

FILL = 0.5  # what cutout shows: mid grey, near zero behind the normalisation
_BITS = 24  # what a float32 in [0, 1) can hold exactly
_ONE = np.uint64(1)
_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL turns RGB into grey


class CounterDraw:
    """Random numbers as a pure function of (seed, epoch, sample, name): the protocol's Draw.

    Epochs 2k and 2k + 1 mirror each other (u and 1 - u): a sample flipped in one is not flipped in the other, so two
    epochs show both sides of every picture (alternating flip; Jordan 2024, "94% on CIFAR-10 in 3.29 seconds", 3.6).
    """

    def __init__(self, seed: int, epoch: int | Tensor, ids: Tensor) -> None:
        """ids: [B] int64. epoch: one number, or [B] int64 where a batch straddles two epochs."""
        self.seed, self.device = seed, ids.device
        self.ids = ids.cpu().numpy().view(np.uint64)
        self.epoch = torch.as_tensor(epoch, dtype=torch.int64).cpu().numpy().view(np.uint64)

    def uniform(self, name: str, *shape: int) -> Tensor:
        """[B, *shape] float32 in [0, 1), the same on every device and in whatever batch the sample stands.

        Worked out by numpy: of a few hundred numbers, torch's operations cost a tenth of a small network's step.
        """
        key = np.frombuffer(hashlib.sha256(f"{self.seed}/{name}".encode()).digest()[:8], ">u8").astype(np.uint64)
        state = _splitmix(_splitmix((self.epoch >> _ONE) ^ key) ^ self.ids)
        count = math.prod(shape)
        bits = _splitmix(state[:, None] + np.arange(count, dtype=np.uint64)) >> np.uint64(64 - _BITS)
        bits = np.where((self.epoch & _ONE).astype(bool).reshape(-1, 1), np.uint64(2**_BITS - 1) - bits, bits)
        drawn = (bits.astype(np.float32) * np.float32(2.0**-_BITS)).reshape(-1, *shape)
        return torch.from_numpy(drawn).to(self.device)


class Mixed(NamedTuple):
    """Pictures blended in pairs. The loss is share x loss(own target) + (1 - share) x loss(partner's target)."""

    images: Tensor  # [B, C, H, W]
    partner: Tensor  # [B] int64: row of the batch
    share: Tensor  # [B] float32: how much of the picture is its own


class Corners(NamedTuple):
    """Pictures put together by `mosaic`. Quarters: top left, top right, bottom left, bottom right."""

    images: Tensor  # [B, C, H, W]
    partner: Tensor  # [B, 4] int64: row of the batch that each quarter shows
    point: Tensor  # [B, 2] int64 (x, y): where the quarters meet, pixels


def geometry(
    images: Tensor,
    draw: Draw,
    *,
    flip: bool = False,
    rotate_deg: float = 0.0,
    scale: float = 0.0,
    shift: float = 0.0,
) -> Tensor:
    """Each picture moved by its own draw, what comes in over the border mirrored from inside.

    flip: mirror every second one left to right. rotate_deg, scale (share of the size), shift (share of the side): the
    largest change either way. Zeros change nothing and cost nothing.
    """
    if rotate_deg or scale:
        return affine(images, draw, flip=flip, rotate_deg=rotate_deg, scale=scale, shift=shift)
    if flip or shift:
        return shift_and_flip(images, draw, flip=flip, shift=shift)
    return images


def light(
    images: Tensor, draw: Draw, *, brightness: float = 0.0, contrast: float = 0.0, saturation: float = 0.0
) -> Tensor:
    """Each picture lit and coloured by its own draw, clamped to [0, 1]. Strengths: the largest relative change either
    way: of brightness, then of contrast about the picture's mean, then of colours away from grey, where there are three
    channels. Zeros change nothing and cost nothing.

    All of it is one matrix over the channels and one offset a picture, so one pass over the pixels.
    """
    coloured = saturation > 0 and images.shape[1] == 3
    if not (brightness or contrast or coloured):
        return images
    gain = 1 + _either_way(draw.uniform("brightness"), brightness)
    stretch = 1 + _either_way(draw.uniform("contrast"), contrast)
    offset = images.mean(dim=(1, 2, 3)) * gain * (1 - stretch)
    if not coloured:
        return torch.addcmul(_per_picture(offset), images, _per_picture(gain * stretch)).clamp_(0, 1)
    strength = 1 + _either_way(draw.uniform("saturation"), saturation)
    grey, own = images.new_tensor(_LUMA).expand(3, 3), torch.eye(3, dtype=images.dtype, device=images.device)
    matrix = torch.lerp(grey, own, strength[:, None, None]) * (gain * stretch)[:, None, None]
    # over channels that lie apart: eight times as fast as where they lie side by side
    return torch.baddbmm(offset[:, None, None], matrix, images.flatten(2)).clamp_(0, 1).view(images.shape)


def shift_and_flip(images: Tensor, draw: Draw, *, flip: bool, shift: float) -> Tensor:
    """Moved by whole pixels with the border mirrored inwards, and mirrored left to right by a coin.

    One gather of pixels: measured at 0.5 % of a training step, six times cheaper than interpolating.
    """
    height, width = images.shape[2:]
    rows = _moved(height, shift, draw.uniform("shift/y"))
    columns = _moved(width, shift, draw.uniform("shift/x"))
    if flip:
        columns = torch.where(_coin(draw)[:, None], width - 1 - columns, columns)
    sample = torch.arange(len(images), device=images.device)
    index = ((sample[:, None] * height + rows) * width)[:, :, None] + columns[:, None, :]
    return _as_images(_pixels(images).index_select(0, index.flatten()), images.shape)


def affine(images: Tensor, draw: Draw, *, flip: bool, rotate_deg: float, scale: float, shift: float) -> Tensor:
    """Rotated about the centre, scaled, shifted and mirrored in one bilinear pass, the border mirrored inwards."""
    height, width = images.shape[2:]
    move = draw_move(draw, (width, height), flip=flip, rotate_deg=rotate_deg, scale=scale, shift=shift)
    return moved(images, move, "reflection")


class Move(NamedTuple):
    """Where each pixel of a moved picture comes from: source = matrix @ place + offset, both axes from -1 to 1."""

    matrix: Tensor  # [B, 2, 2], rows and columns (x, y)
    offset: Tensor  # [B, 2]


def draw_move(
    draw: Draw,
    frame: tuple[int, int],
    *,
    flip: bool = False,
    flip_down: bool = False,
    rotate_deg: float = 0.0,
    scale: float = 0.0,
    shift: float = 0.0,
) -> Move:
    """Each picture's own move. frame: width and height; flip_down: mirror every second one top to bottom."""
    width, height = frame
    angle = _either_way(draw.uniform("rotate"), rotate_deg) * (torch.pi / 180)
    zoom = 1 / (1 + _either_way(draw.uniform("scale"), scale))
    mirror = torch.where(_coin(draw), -1.0, 1.0) if flip else torch.ones_like(zoom)
    turned = torch.where(draw.uniform("flip_down") < 0.5, -1.0, 1.0) if flip_down else torch.ones_like(zoom)
    cos, sin = angle.cos() * zoom, angle.sin() * zoom
    # the aspect keeps a rotated circle a circle
    across = torch.stack((mirror * cos, -sin * height / width), dim=1)
    down = torch.stack((mirror * sin * width / height, cos), dim=1)
    shifted = [2 * _either_way(draw.uniform(f"shift/{axis}"), shift) for axis in "xy"]
    return Move(torch.stack((across, down * turned[:, None]), dim=1), torch.stack(shifted, dim=1))


def moved(
    images: Tensor,
    move: Move,
    border: Literal["reflection", "zeros"],
    between: Literal["bilinear", "nearest"] = "bilinear",
) -> Tensor:
    """The pictures moved, in one pass; beyond the border lies their reflection, or black. Masks want `nearest`."""
    height, width = images.shape[2:]
    x = (torch.arange(width, device=images.device) * 2 + 1) / width - 1
    y = (torch.arange(height, device=images.device) * 2 + 1) / height - 1
    # a sum of one term a column and one a row: broadcasting is ten times cheaper than affine_grid's matrix product
    of_column = move.matrix[:, :, :1] * x
    of_row = move.matrix[:, :, 1:] * y + move.offset[:, :, None]
    grid = (of_column[:, :, None] + of_row[..., None]).permute(0, 2, 3, 1).to(images.dtype)
    # interpolation may pass 0 and 1 by rounding only, so no clamp
    return F.grid_sample(images, grid, mode=between, padding_mode=border, align_corners=False)


def moved_boxes(box: Tensor, move: Move, frame: tuple[int, int]) -> Tensor:
    """[B, N, 4] boxes (left, top, right, bottom; pixels) where the move takes them: the hull of their corners."""
    size = torch.tensor(frame, dtype=box.dtype, device=box.device)
    left, top, right, bottom = box.unbind(-1)
    corners = torch.stack([torch.stack(at, -1) for at in ((left, top), (right, top), (right, bottom), (left, bottom))])
    back = torch.linalg.inv(move.matrix.to(box.dtype))
    source = 2 * corners / size - 1 - move.offset.to(box.dtype)[:, None]  # [4, B, N, 2]
    place = (torch.einsum("bij,kbnj->kbni", back, source) + 1) / 2 * size
    return torch.cat((place.amin(0), place.amax(0)), dim=-1)


def mosaic(images: Tensor, draw: Draw, share: float) -> Corners:
    """A `share` of the pictures put together from the corners of four: their own and three others of the batch, which
    meet at a point drawn in the middle half (Bochkovskiy et al. 2020, "YOLOv4", figure 3; here without scaling).

    One gather of pixels: each quarter is the partner's picture rolled round to that point.
    """
    height, width = images.shape[2:]
    ring = draw.uniform("mosaic/partner").argsort()
    places = torch.empty_like(ring).scatter_(0, ring, torch.arange(len(ring), device=ring.device))
    partners = torch.stack([ring[(places + turn) % len(ring)] for turn in (1, 2, 3, 0)], dim=1)  # [B, 4], own last
    is_one = (draw.uniform("mosaic") < share)[:, None]
    point = (draw.uniform("mosaic/point", 2) * 0.5 + 0.25) * torch.tensor((width, height), device=images.device)
    point = torch.where(is_one, point.round(), 0.0).long()  # at the corner: the last quarter, its own, is all of it
    x, y = (torch.arange(side, device=images.device) for side in (width, height))
    quarter = 2 * (y >= point[:, 1:]).long()[:, :, None] + (x >= point[:, :1]).long()[:, None, :]  # [B, H, W]
    row = partners.gather(1, quarter.flatten(1)).view_as(quarter)
    source = ((y - point[:, 1:]) % height)[:, :, None] * width + ((x - point[:, :1]) % width)[:, None, :]
    index = row * (height * width) + source
    return Corners(_as_images(_pixels(images).index_select(0, index.flatten()), images.shape), partners, point)


def cutout(images: Tensor, draw: Draw, side: float) -> Tensor:
    """A grey square of `side` (share of the height and width) at a random place, cut where it passes the border.

    Cutout; DeVries and Taylor 2017.
    """
    centre = draw.uniform("cutout", 2)
    half = torch.full_like(centre[:, 0], side / 2)
    return torch.lerp(images, images.new_tensor(FILL), _box(images, centre, half))


def mixup(images: Tensor, draw: Draw, alpha: float) -> Mixed:
    """Each picture blended with another of its batch, share ~ Beta(alpha, alpha). Zhang et al. 2018, eq. 1.

    The partner comes from the batch at hand, so this is the one augmentation that depends on who else is in it.
    """
    partner, share = _pair(draw), _beta(draw.uniform("mix/share"), alpha)
    share = share.to(images.dtype)
    return Mixed(torch.lerp(_rows(images, partner), images, _per_picture(share)), partner, share)


def cutmix(images: Tensor, draw: Draw, alpha: float) -> Mixed:
    """A box of another picture pasted in, its area ~ 1 - Beta(alpha, alpha). Yun et al. 2019, eq. 2.

    `share` is what is left of the own picture after the border cut the box.
    """
    partner, share = _pair(draw), _beta(draw.uniform("mix/share"), alpha)
    inside = _box(images, draw.uniform("mix/place", 2), (1 - share).sqrt() / 2)
    return Mixed(torch.lerp(images, _rows(images, partner), inside), partner, 1 - inside.mean(dim=(1, 2, 3)))


def _moved(size: int, shift: float, u: Tensor) -> Tensor:
    """[B, size] indices of the source pixels of one axis, moved by a whole number of pixels either way."""
    most = min(round(shift * size), size - 1)
    by = (u * (2 * most + 1)).long() - most
    index = torch.arange(size, device=u.device) + by[:, None]
    last = size - 1
    return last - (last - index.abs()).abs()  # mirrored at both ends, the border pixel not repeated


def _coin(draw: Draw) -> Tensor:
    return draw.uniform("flip") < 0.5


def _either_way(u: Tensor, most: float) -> Tensor:
    return (2 * u - 1) * most


def _per_picture(values: Tensor) -> Tensor:
    return values[:, None, None, None]


def _pixels(images: Tensor) -> Tensor:
    """[B * H * W, C], a view where images are channels_last."""
    return images.permute(0, 2, 3, 1).reshape(-1, images.shape[1])


def _as_images(pixels: Tensor, shape: torch.Size) -> Tensor:
    batch, channels, height, width = shape
    return pixels.view(batch, height, width, channels).permute(0, 3, 1, 2)


def _rows(images: Tensor, rows: Tensor) -> Tensor:
    """These of the images, in the order in which their numbers lie."""
    if images.is_contiguous():
        return images.index_select(0, rows)
    return images.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)


def _box(images: Tensor, centre: Tensor, half: Tensor) -> Tensor:
    """[B, 1, H, W] 1 inside boxes, 0 outside. centre: [B, 2] (y, x) and half side [B], as shares of height and width.

    A number, because torch is five times slower with what is true or false.
    """
    sides = []
    for axis, size in enumerate(images.shape[2:]):
        at = (torch.arange(size, device=images.device) + 0.5) / size
        sides.append(((at - centre[:, axis, None]).abs() < half[:, None]).to(images.dtype))
    return (sides[0][:, :, None] * sides[1][:, None, :])[:, None]


def _pair(draw: Draw) -> Tensor:
    """[B] partner rows: one random ring through the batch, so that nobody is paired with itself."""
    ring = draw.uniform("mix/partner").argsort()
    return torch.empty_like(ring).scatter_(0, ring, ring.roll(1))


def _beta(u: Tensor, alpha: float) -> Tensor:
    """Beta(alpha, alpha) at quantile u [B]."""
    table = _beta_quantiles(alpha).to(u.device)
    at = u * (len(table) - 1)
    low = at.long()
    return torch.lerp(table[low], table[low + 1], at - low)


@lru_cache(maxsize=8)
def _beta_quantiles(alpha: float, points: int = 1025) -> Tensor:
    """[points] quantiles of Beta(alpha, alpha) at equal steps, from its density summed over x = sin(t)^2."""
    edges = torch.linspace(0, torch.pi / 2, 2**16 + 1, dtype=torch.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    # in t the density is (sin t cos t)^(2 alpha - 1): the poles that small alphas have in x become mild
    cumulative = (middle.sin() * middle.cos()).pow(2 * alpha - 1).cumsum(0)
    cumulative = torch.cat((cumulative.new_zeros(1), cumulative)) / cumulative[-1]
    steps = torch.linspace(0, 1, points, dtype=torch.float64)
    right = torch.searchsorted(cumulative, steps).clamp(1, len(edges) - 1)
    left = right - 1
    between = (steps - cumulative[left]) / (cumulative[right] - cumulative[left])
    return torch.lerp(edges[left], edges[right], between).sin().square().float()


def _splitmix(z: np.ndarray) -> np.ndarray:
    """SplitMix64's mixing of uint64, wrapping (Steele et al. 2014, fig. 16)."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
