"""Convolutions over maps of a few pixels, as products of matrices: the last stages of a deep network in half the time.

Libraries make their convolutions for large maps. Where a map is 2 x 2, most of what they do is padding, and where it is
1 x 1 only the middle of a filter is ever used. As a product of matrices (Chellapilla et al. 2006) the gradient of a
512 x 512 x 3 x 3 filter over such a map takes a fifth of the time, with batches of 64 on avx512_bf16.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Measured on avx512_bf16 (torch 2.15): channels a pixel of the map from which a product is the faster one in bf16
_CHANNELS_A_PIXEL = 28
_FEW = 4  # pixels of the map, up to which it always is


def quicken(model: nn.Module) -> None:
    """Have the model's plain convolutions choose their way by the map they meet, in training. Weights stay as they are.

    Only processors gain: call it for models there, channels last. Filters that see a part of the channels, or a grid
    with holes, go on as they were.
    """
    for module in model.modules():
        if type(module) is nn.Conv2d and _is_plain(module):
            module.__class__ = Conv2d


class Conv2d(nn.Conv2d):
    """nn.Conv2d with another way through small maps. Answers differ by rounding alone."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not self.training or not torch.is_grad_enabled() or input.ndim != 4:
            return super()._conv_forward(input, weight, bias)
        dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else input.dtype
        axes = zip(input.shape[2:], self.kernel_size, self.stride, self.padding, strict=True)
        down, across = (span(size, taps, stride, int(padding)) for size, taps, stride, padding in axes)
        if not _pays(down, across, self, dtype):
            return super()._conv_forward(input, weight, bias)
        found: Any = Product.apply(input.to(dtype), weight, down, across)
        return found if bias is None else found + bias.to(dtype)[:, None, None]


@dataclass(frozen=True, slots=True)
class Span:
    """One axis of a convolution: which taps of its filter ever meet the map, and what has to be padded for those."""

    size: int  # pixels of the input
    first: int  # tap
    taps: int
    stride: int
    before: int  # pixels of padding that are still met
    after: int
    out: int  # pixels of the output

    @property
    def is_whole(self) -> bool:
        """Whether the one output sees the map as it is."""
        return self.out == 1 and self.taps == self.size and not self.before and not self.after


@lru_cache(maxsize=1_024)
def span(size: int, taps: int, stride: int, padding: int) -> Span:
    """
    >>> met = span(1, 3, 1, 1)  # of three taps the middle one
    >>> met.first, met.taps, met.before, met.after, met.out
    (1, 1, 0, 0, 1)
    >>> met = span(2, 3, 2, 1)
    >>> met.first, met.taps, met.is_whole
    (1, 2, True)
    >>> met = span(2, 3, 1, 1)
    >>> met.first, met.taps, met.before, met.after, met.out
    (0, 3, 1, 1, 2)
    """
    out = (size + 2 * padding - taps) // stride + 1
    meets = [tap for tap in range(taps) if any(0 <= y * stride + tap - padding < size for y in range(out))]
    first, met = (meets[0], meets[-1] + 1 - meets[0]) if meets else (0, taps)
    before = padding - first
    seen = (out - 1) * stride + met  # pixels, padding included, from the first that is met
    return Span(size, first, met, stride, before, seen - before - size, out)


def _is_plain(conv: nn.Conv2d) -> bool:
    return (
        conv.groups == 1
        and conv.dilation == (1, 1)
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and conv.kernel_size != (1, 1)
    )


def _pays(down: Span, across: Span, conv: nn.Conv2d, dtype: torch.dtype) -> bool:
    if min(down.out, across.out) < 1:
        return False  # torch says what is wrong with it
    if dtype == torch.bfloat16:
        return down.out * across.out <= max(_FEW, min(conv.in_channels, conv.out_channels) // _CHANNELS_A_PIXEL)
    return down.is_whole and across.is_whole  # otherwise fp32 gains nothing


class Product(torch.autograd.Function):
    """[B, C, H, W] and filters [O, C, kh, kw] to [B, O, H', W'], channels last."""

    @staticmethod
    def forward(ctx: Any, input: Tensor, weight: Tensor, down: Span, across: Span) -> Tensor:
        filters = _met(weight.permute(0, 2, 3, 1), down, across).to(input.dtype).flatten(1)
        found = _patches(input, down, across) @ filters.T
        ctx.save_for_backward(input, filters)
        ctx.spans, ctx.shape, ctx.dtype = (down, across), weight.shape, weight.dtype
        return found.view(len(input), down.out, across.out, len(weight)).permute(0, 3, 1, 2)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, slope: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        input, filters = ctx.saved_tensors
        down, across = ctx.spans
        flat = slope.permute(0, 2, 3, 1).reshape(-1, len(filters)).to(filters.dtype)
        of_input = of_weight = None
        if ctx.needs_input_grad[0]:
            of_input = _laid_back(flat @ filters, input, down, across)
        if ctx.needs_input_grad[1]:  # patches are made again: kept, they would be nine times the map
            found = (flat.T @ _patches(input, down, across)).to(ctx.dtype)
            of_weight = _filled(found, ctx.shape, down, across)
        return of_input, of_weight, None, None


def _met(filters: Tensor, down: Span, across: Span) -> Tensor:
    """[O, kh, kw, C] without the taps that only ever meet padding."""
    return filters[:, down.first : down.first + down.taps, across.first : across.first + across.taps]


def _patches(input: Tensor, down: Span, across: Span) -> Tensor:
    """[B * H' * W', taps * taps * C]: what each output sees; a view where it sees all."""
    pixels = input.permute(0, 2, 3, 1)
    if down.is_whole and across.is_whole:
        return pixels.flatten(1)
    padded = F.pad(pixels, (0, 0, across.before, across.after, down.before, down.after))
    seen = padded.unfold(1, down.taps, down.stride).unfold(2, across.taps, across.stride)
    return seen.permute(0, 1, 2, 4, 5, 3).reshape(len(input) * down.out * across.out, -1)


def _laid_back(slopes: Tensor, input: Tensor, down: Span, across: Span) -> Tensor:
    """Of patches, as `_patches` gives them, back to the pixels they came from, added up where they overlap."""
    batch, channels, height, width = input.shape
    if down.is_whole and across.is_whole:
        return slopes.view(batch, height, width, channels).permute(0, 3, 1, 2)
    slopes = slopes.view(batch, down.out, across.out, down.taps, across.taps, channels)
    sides = (one.before + one.size + max(0, one.after) for one in (down, across))
    exact = torch.promote_types(slopes.dtype, torch.float32)
    total = slopes.new_zeros(batch, *sides, channels, dtype=exact)
    for i in range(down.taps):
        for j in range(across.taps):
            rows = slice(i, i + (down.out - 1) * down.stride + 1, down.stride)
            columns = slice(j, j + (across.out - 1) * across.stride + 1, across.stride)
            total[:, rows, columns] += slopes[:, :, :, i, j]
    inside = total[:, down.before : down.before + height, across.before : across.before + width]
    return inside.to(input.dtype).permute(0, 3, 1, 2)


def _filled(slopes: Tensor, shape: torch.Size, down: Span, across: Span) -> Tensor:
    """The gradient of whole filters [O, C, kh, kw]: nothing where they only ever met padding."""
    outs, channels, height, width = shape
    slopes = slopes.view(outs, down.taps, across.taps, channels)
    if slopes.shape[1:3] != (height, width):
        whole = slopes.new_zeros(outs, height, width, channels)
        _met(whole, down, across).copy_(slopes)
        slopes = whole
    return slopes.permute(0, 3, 1, 2)
