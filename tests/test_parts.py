"""Large frames in parts: what is learnt from, what the gates look at, and answers put together again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snowroll.base.nouns import Batch, Json, Sample
from snowroll.base.task import Fingerprint
from snowroll.design.windows import Windows, starts_of
from snowroll.prepare.augment import CounterDraw
from snowroll.prepare.mask_targets import IGNORED, as_target, thinnest_px
from snowroll.prepare.patches import patches, thinned
from snowroll.prepare.view import View
from snowroll.tasks.segment_images.faults import doubted_masks
from snowroll.tasks.segment_images.model import Seen, build
from snowroll.tasks.segment_images.options import SegmentOptions, segment_plan
from snowroll.tasks.segment_images.training import augment

CLASSES = ["ground", "wire"]


@pytest.mark.parametrize(("frame", "part"), [((6, 20, 24), (6, 8, 16)), ((64, 96), (32, 32)), ((40, 40), (40, 40))])
@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_windows_answer_as_the_whole_where_the_network_sees_no_further(
    frame: tuple[int, ...], part: tuple[int, ...], overlap: float
) -> None:
    network = (nn.Conv2d if len(frame) == 2 else nn.Conv3d)(1, 2, 1)
    image = torch.rand(2, 1, *frame)
    with torch.no_grad():
        torch.testing.assert_close(Windows(frame, part, overlap).over(image, network), network(image))


@given(st.integers(1, 500), st.integers(2, 500), st.floats(0, 0.8))
@settings(max_examples=100)
def test_parts_cover_the_whole_and_overlap(whole: int, part: int, overlap: float) -> None:
    starts = starts_of(whole, part, overlap)
    assert starts[0] == 0
    if whole > part:
        assert starts[-1] == whole - part
        steps = np.diff(starts)
        assert steps.min() > 0
        assert steps.max() <= part * (1 - overlap) + 1


@given(st.integers(0, 1000), st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=40)
def test_patches_are_pieces_and_some_show_what_is_to_be_found(seed: int, foreground: float) -> None:
    rng = np.random.default_rng(seed)
    labels = torch.zeros(4, 48, 64, dtype=torch.uint8)
    for row in range(4):
        labels[row, int(rng.integers(48)), int(rng.integers(64))] = 1
    image = torch.arange(48 * 64).view(1, 1, 48, 64).expand(4, 3, -1, -1).float()
    draw = CounterDraw(seed, 0, torch.arange(4))
    seen, kept = patches(image, labels, (16, 32), draw, foreground)
    assert seen.shape == (4, 3, 16, 32)
    for row in range(4):
        top, left = divmod(int(seen[row, 0, 0, 0]), 64)
        assert torch.equal(seen[row], image[row, :, top : top + 16, left : left + 32])
        assert torch.equal(kept[row], labels[row, top : top + 16, left : left + 32])
        if foreground == 1:
            assert (kept[row] == 1).any()
    again = patches(image[2:], labels[2:], (16, 32), CounterDraw(seed, 0, torch.arange(2, 4)), foreground)
    assert torch.equal(again[0], seen[2:])  # whoever else is in the batch


def test_thinned_is_the_whole_at_a_part_of_the_size() -> None:
    image = torch.arange(12 * 8).view(1, 1, 12, 8).float()
    small, labels = thinned(image, image[:, 0], (4, 4))
    assert torch.equal(small, image[:, :, 1::3, 1::2])
    assert labels is not None
    assert torch.equal(labels, small[:, 0])


def test_a_network_in_parts_learns_from_parts_and_answers_for_all() -> None:
    options = SegmentOptions(size_px=192, shape=1.5, parts=3, levels=3, width=8, shift=0.1)
    assert options.frame == (3 * options.seen[0], 3 * options.seen[1])
    wide, high = options.frame
    model = build(options, 2)
    batch = Batch(
        Seen(torch.rand(2, 3, high, wide), torch.tensor([[wide, high]] * 2)),
        torch.randint(0, 2, (2, high, wide), dtype=torch.uint8),
        torch.arange(2),
    )
    part = augment(batch, CounterDraw(0, 0, batch.ids), options)
    assert part.inputs.image.shape == (2, 3, *options.seen[::-1])
    assert part.targets.shape == (2, *options.seen[::-1])
    assert model(part.inputs).logits[0].shape[2:] == options.seen[::-1]
    with torch.no_grad():
        assert model.eval()(batch.inputs).logits[0].shape == (2, 2, high, wide)
        mirrored = build(replace(options, mirror=True), 2).eval()
        one, other = mirrored(batch.inputs).logits[0], mirrored(_turned(batch.inputs)).logits[0].flip(3)
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def _turned(seen: Seen) -> Seen:
    return Seen(seen.image.flip(3), seen.size)


def lined(thick: int, size: int = 200) -> Json:
    mask = np.zeros((size, size), np.uint8)
    mask[size // 2 : size // 2 + thick] = 1
    return as_target(mask, CLASSES)


def test_thickness_of_a_line_and_of_a_square() -> None:
    assert thinnest_px([lined(3)]) == 6  # twice its width
    square = np.zeros((50, 50), np.uint8)
    square[10:30, 10:30] = 1
    assert thinnest_px([as_target(square, CLASSES)]) == 20
    assert thinnest_px([as_target(np.full((9, 9), IGNORED, np.uint8), CLASSES)]) is None
    assert thinnest_px([as_target(np.zeros((9, 9), np.uint8), CLASSES)]) is None


@pytest.mark.parametrize(
    ("n", "thin", "asked", "parts"),
    [(100, 3.0, {}, 4), (100, 400.0, {}, 1), (100, 3.0, {"size_px": 256}, 1), (20_000, 3.0, {}, 1)],
)
def test_thin_things_on_large_pictures_are_learnt_in_parts(
    n: int, thin: float, asked: dict[str, Json], parts: int
) -> None:
    """As far as all masks together can be held in memory."""
    facts = {
        "median_width": 4000,
        "median_height": 3000,
        "thin_px": thin,
        "grey": False,
        "sided": "",
        "upright": None,
        "asked": asked,
    }
    told = segment_plan(Fingerprint({"train": n, "val": 5}, {}, facts, "cpu", 2, True, 1800.0))
    chosen = {choice.key: choice for choice in told}
    assert chosen["task.parts"].value == parts
    if parts > 1:
        assert chosen["task.size_px"].value > 1000
        assert "4 x 4 parts" in chosen["task.parts"].why


def test_masks_that_networks_do_not_recognise_are_named() -> None:
    rng = np.random.default_rng(0)
    samples, said = [], []
    for number in range(60):
        truth = np.zeros((40, 40), np.uint8)
        top = int(rng.integers(5, 25))
        truth[top : top + 10, 10:30] = 1
        answer = np.roll(truth, int(rng.integers(2)), axis=0)
        forgotten = number in (7, 31)
        target = as_target(truth * (not forgotten), CLASSES)
        samples.append(Sample(f"s{number}", f"{number}.png", "", "image", target))
        said.append(as_target(answer, CLASSES) if number != 50 else None)
    found = list(doubted_masks(View.of(samples, {}, {"type": "mask", "classes": CLASSES}, said=said)))
    assert [fault.code for fault in found] == ["suspect_masks"]
    assert set(found[0].paths) == {"7.png", "31.png"}
