"""Convolutions over small maps as products: the same numbers as torch's, whatever the shape, and chosen where meant."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Plan
from snowroll.train.fit import begin
from snowroll.train.small_maps import Conv2d, Product, quicken, span

PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))


def drawn(*shape: int) -> Tensor:
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=torch.float64)
    return tensor.contiguous(memory_format=torch.channels_last).requires_grad_()


def slopes(found: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
    """Gradients of a sum in which every output counts differently."""
    weights = torch.linspace(-1, 1, found.numel(), dtype=torch.float64).view(found.shape).to(found.dtype)
    return torch.autograd.grad((found * weights).sum(), of)


@settings(max_examples=150)
@given(PAIRS, PAIRS, st.tuples(st.integers(1, 3), st.integers(1, 3)), st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_a_product_is_the_convolution(
    size: tuple[int, int], taps: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]
) -> None:
    assume(all(s + 2 * p >= t and p < t for s, t, p in zip(size, taps, padding, strict=True)))
    input, weight = drawn(2, 3, *size), drawn(4, 3, *taps)
    wanted = F.conv2d(input, weight, stride=stride, padding=padding)
    down, across = (span(*of_axis) for of_axis in zip(size, taps, stride, padding, strict=True))
    found = Product.apply(input, weight, down, across)
    assert isinstance(found, Tensor)
    assert torch.allclose(found, wanted, atol=1e-12)
    for ours, theirs in zip(slopes(found, input, weight), slopes(wanted, input, weight), strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.parametrize(
    ("side", "stride", "autocast", "is_product"),
    [
        (2, 1, True, True),
        (1, 1, True, True),
        (8, 1, True, False),
        (2, 1, False, False),
        (2, 2, False, True),
        (1, 1, False, True),
    ],
)
def test_which_way_is_taken(side: int, stride: int, autocast: bool, is_product: bool) -> None:
    conv = nn.Conv2d(16, 16, 3, stride, padding=1)
    images = torch.randn(4, 16, side, side)
    quick = deepcopy(conv)
    quicken(quick)
    found = {}
    for name, module in (("plain", conv), ("quick", quick)):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            found[name] = module(images)
        found[name].float().square().sum().backward()
    assert type(quick) is Conv2d
    assert ("Product" in str(found["quick"].grad_fn.next_functions)) == is_product  # the bias comes after it
    room = 3e-2 if autocast else 1e-5
    assert found["quick"].dtype == found["plain"].dtype
    assert torch.allclose(found["quick"].float(), found["plain"].float(), atol=room, rtol=room)
    for ours, theirs in zip(quick.parameters(), conv.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        assert float((ours.grad - theirs.grad).norm() / theirs.grad.norm()) < room
    assert torch.equal(quick.eval()(images), conv.eval()(images))  # what is judged and exported is torch's own


def test_filters_that_are_not_plain_stay() -> None:
    odd = [
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 4, 3, dilation=2),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 1),
        nn.Conv1d(4, 4, 3),
    ]
    quicken(nn.ModuleList(odd))
    assert [type(module) for module in odd] == [nn.Conv2d] * 5 + [nn.Conv1d]


def test_begin_quickens_where_it_lays_out_channels_last() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3))
    names = list(net.state_dict())
    begin(net, Plan(None, channels_last=False))
    assert type(net[0]) is nn.Conv2d
    begin(net, Plan(None, channels_last=True))
    assert type(net[0]) is Conv2d
    assert list(net.state_dict()) == names
