"""Augmentation: every sample its own draw, the same wherever it stands, and each operation what it says."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from snowroll.base.task import Draw
from snowroll.prepare.augment import (
    CounterDraw,
    affine,
    cutmix,
    cutout,
    geometry,
    light,
    mixup,
    shift_and_flip,
)


def everything(images: Tensor, draw: Draw) -> Tensor:
    moved = geometry(images, draw, flip=True, rotate_deg=20, scale=0.2, shift=0.1)
    return cutout(light(moved, draw, brightness=0.3, contrast=0.3, saturation=0.3), draw, 0.4)


def cheap(images: Tensor, draw: Draw) -> Tensor:
    return geometry(images, draw, flip=True, shift=0.2)


def patched(images: Tensor, draw: Draw) -> Tensor:
    return cutout(images, draw, 0.3)


def lit(images: Tensor, draw: Draw) -> Tensor:
    return light(images, draw, brightness=0.2, contrast=0.2)


def coloured(images: Tensor, draw: Draw) -> Tensor:
    return light(images, draw, saturation=0.2)


WAYS = [everything, cheap, patched, lit, coloured]
Way = Callable[[Tensor, Draw], Tensor]


def pictures(count: int = 6, height: int = 12, width: int = 12) -> Tensor:
    """Random pictures, channels_last as the pack gives them."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(count, height, width, 3, generator=generator).permute(0, 3, 1, 2)


class Fixed:
    """A Draw that always says the same, to aim one operation."""

    def __init__(self, batch: int, **values: float) -> None:
        self.batch, self.values = batch, values

    def uniform(self, name: str, *shape: int) -> Tensor:
        return torch.full((self.batch, *shape), self.values.get(name.replace("/", "_"), 0.5))


@given(seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 10_000), ids=st.lists(st.integers(0, 2**40), min_size=1))
def test_draw_is_a_pure_function_of_the_sample(seed: int, epoch: int, ids: list[int]) -> None:
    whole = CounterDraw(seed, epoch, torch.tensor(ids)).uniform("flip", 3)
    assert ((whole >= 0) & (whole < 1)).all()
    for row, sample in enumerate(ids[:5]):
        alone = CounterDraw(seed, epoch, torch.tensor([sample])).uniform("flip", 3)
        assert torch.equal(alone[0], whole[row])


def test_draw_is_uniform_and_its_streams_independent() -> None:
    ids = torch.arange(20_000)
    streams = [
        CounterDraw(seed, epoch, ids).uniform(name)
        for seed, epoch, name in [(0, 0, "a"), (0, 0, "b"), (0, 2, "a"), (1, 0, "a")]
    ]
    for stream in streams:
        assert stats.kstest(stream.numpy(), "uniform").pvalue > 1e-3
    correlation = torch.corrcoef(torch.stack(streams)) - torch.eye(4)
    assert correlation.abs().max() < 0.03  # 0.007 is one standard error
    inside = CounterDraw(0, 0, ids).uniform("a", 2)
    assert abs(torch.corrcoef(inside.T)[0, 1]) < 0.03


def test_epochs_come_in_mirrored_pairs() -> None:
    ids = torch.arange(50)
    even, odd = (CounterDraw(3, epoch, ids).uniform("flip") for epoch in (4, 5))
    assert torch.equal((even < 0.5), (odd >= 0.5))
    straddling = CounterDraw(3, torch.tensor([4] * 25 + [5] * 25), ids).uniform("flip")
    assert torch.equal(straddling, torch.cat((even[:25], odd[25:])))


def test_known_numbers_so_that_no_release_changes_old_runs() -> None:
    drawn = CounterDraw(7, 3, torch.tensor([0, 1, 2**40])).uniform("flip") * 2**24
    assert drawn.long().tolist() == [4775834, 13480959, 6650529]


@pytest.mark.parametrize("way", WAYS)
def test_a_sample_is_changed_alike_in_any_batch(way: Way) -> None:
    images, ids = pictures(), torch.tensor([11, 5, 8, 2, 40, 3])
    whole = way(images, CounterDraw(1, 6, ids))
    order = torch.tensor([4, 0, 2])
    part = way(images[order], CounterDraw(1, 6, ids[order]))
    torch.testing.assert_close(part, whole[order], rtol=0, atol=1e-6)
    assert not torch.allclose(whole, images)
    other = way(images, CounterDraw(1, 8, ids))
    assert not torch.allclose(whole, other)


@pytest.mark.parametrize("way", WAYS)
def test_shape_range_and_input_survive(way: Way) -> None:
    images = pictures(5, 10, 14)
    before = images.clone()
    after = way(images, CounterDraw(0, 0, torch.arange(5)))
    assert after.shape == images.shape
    assert after.dtype == torch.float32
    assert after.min() >= 0
    assert after.max() <= 1 + 1e-6
    assert torch.equal(images, before)


def test_nothing_asked_is_nothing_done() -> None:
    images = pictures()
    draw = CounterDraw(0, 0, torch.arange(6))
    assert geometry(light(images, draw), draw) is images


def test_nchw_gives_the_same_as_channels_last() -> None:
    images, draw = pictures(), CounterDraw(0, 0, torch.arange(6))
    for way in WAYS:
        torch.testing.assert_close(way(images.contiguous(), draw), way(images, draw))


def test_shift_moves_whole_pixels_and_mirrors_the_border() -> None:
    images = pictures(1, 8, 8)
    # u = 0 is the largest shift one way: 2 of 8 pixels; 0.5 none
    moved = shift_and_flip(images, Fixed(1, shift_y=0.0), shift=0.25, flip=False)
    assert torch.equal(moved[:, :, 2:], images[:, :, :6])
    assert torch.equal(moved[:, :, 0], images[:, :, 2])
    assert torch.equal(moved[:, :, 1], images[:, :, 1])


def test_flip_is_the_mirror_image_for_about_half() -> None:
    images = pictures(400, 4, 5)
    flipped = shift_and_flip(images, CounterDraw(0, 0, torch.arange(400)), shift=0, flip=True)
    mirrored = (flipped == images.flip(3)).flatten(1).all(1)
    kept = (flipped == images).flatten(1).all(1)
    assert (mirrored ^ kept).all()
    assert 150 < mirrored.sum() < 250


def test_affine_by_a_quarter_turn_is_the_quarter_turn() -> None:
    images = pictures(2, 9, 9)
    draw = Fixed(2, rotate=1.0)  # + 90 degrees of +- 90
    turned = affine(images, draw, flip=False, rotate_deg=90, scale=0, shift=0)
    torch.testing.assert_close(turned, torch.rot90(images, 1, dims=(2, 3)), atol=1e-4, rtol=0)


def test_affine_agrees_with_the_cheap_road_on_flips_and_shifts() -> None:
    images = pictures(2, 8, 8)
    draw = Fixed(2, flip=0.0, shift_x=1.0, shift_y=0.5)
    moved = affine(images, draw, flip=True, rotate_deg=0, scale=0, shift=0.25)
    # 2 pixels to the left after mirroring; away from the border, where the two mirror differently
    torch.testing.assert_close(moved[..., 2:6], images.flip(3).roll(2, 3)[..., 2:6], atol=1e-5, rtol=0)


def test_rotation_of_a_wide_picture_keeps_a_circle_round() -> None:
    y, x = torch.meshgrid(torch.arange(32) - 15.5, torch.arange(64) - 31.5, indexing="ij")
    disc = ((x**2 + y**2) < 100).float().expand(1, 3, 32, 64).contiguous(memory_format=torch.channels_last)
    turned = affine(disc, Fixed(1, rotate=0.8), flip=False, rotate_deg=50, scale=0, shift=0)
    assert (turned - disc).abs().mean() < 0.015  # 0.067 with the aspect forgotten


def test_scale_enlarges() -> None:
    y, x = torch.meshgrid(torch.arange(32) - 15.5, torch.arange(32) - 15.5, indexing="ij")
    disc = ((x**2 + y**2) < 64).float().expand(1, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    larger = affine(disc, Fixed(1, scale=1.0), flip=False, rotate_deg=0, scale=0.25, shift=0)
    assert larger.sum().item() == pytest.approx(1.25**2 * disc.sum().item(), rel=0.03)


def test_light_by_hand() -> None:
    images = torch.tensor([0.2, 0.4]).expand(1, 3, 1, 2)
    after = light(images, Fixed(1, brightness=1.0, contrast=0.0), brightness=0.5, contrast=0.5)
    # times 1.5: 0.3 0.6, mean 0.45; contrast times 0.5: 0.375 0.525
    torch.testing.assert_close(after, torch.tensor([0.375, 0.525]).expand(1, 3, 1, 2))


def test_no_saturation_left_is_grey_and_grey_stays_grey() -> None:
    images = pictures(2)
    grey = light(images, Fixed(2, saturation=0.0), saturation=1.0)
    luma = 0.299 * images[:, 0] + 0.587 * images[:, 1] + 0.114 * images[:, 2]
    torch.testing.assert_close(grey, luma[:, None].expand(2, 3, 12, 12))
    torch.testing.assert_close(light(grey, Fixed(2, saturation=1.0), saturation=0.5), grey)
    assert light(images[:, :1], Fixed(2), saturation=1.0).shape[1] == 1


def test_all_of_light_at_once_is_one_after_another() -> None:
    images = pictures(4) * 0.2 + 0.4  # far from black and white, where each alone would be cut off
    draw = Fixed(4, brightness=0.7, contrast=0.9, saturation=0.2)
    lit = light(images, draw, brightness=0.2, contrast=0.3)
    then = light(lit, draw, saturation=0.5)
    torch.testing.assert_close(light(images, draw, brightness=0.2, contrast=0.3, saturation=0.5), then)


def test_cover_hides_a_square_of_the_size_asked() -> None:
    images = torch.ones(1, 3, 20, 20)
    hidden = (cutout(images, Fixed(1), 0.4) == 0.5).all(1)
    assert hidden.sum() == 8 * 8
    assert hidden[0, 6:14, 6:14].all()


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_mixing_says_what_it_mixed(mix: type) -> None:
    images = torch.eye(8).reshape(8, 1, 1, 8).expand(8, 8, 10, 8).permute(0, 3, 1, 2).contiguous()
    mixed = mix(images, CounterDraw(0, 0, torch.arange(8)), 1.0)  # channel k is 1 in picture k, 0 elsewhere
    rows = torch.arange(8)
    assert sorted(mixed.partner.tolist()) == list(range(8))
    assert (mixed.partner != rows).all()
    present = mixed.images.mean(dim=(2, 3))
    torch.testing.assert_close(present[rows, rows], mixed.share)
    torch.testing.assert_close(present[rows, mixed.partner], 1 - mixed.share)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_follow_the_beta_law(alpha: float) -> None:
    images = torch.zeros(4000, 1, 1, 1)
    share = mixup(images, CounterDraw(2, 0, torch.arange(4000)), alpha).share
    assert stats.kstest(share.numpy(), stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_a_batch_of_one_is_its_own_partner() -> None:
    images = pictures(1)
    mixed = mixup(images, CounterDraw(0, 0, torch.tensor([3])), 0.5)
    torch.testing.assert_close(mixed.images, images)
    assert math.isfinite(mixed.share.item())
