"""Augmentation that changes what a sample is, in `snowroll train`: told once the run is done, and not promoted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from house_kit import MACHINE, snowroll
from PIL import Image, ImageDraw
from torch import nn

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.tasks.segment_images.example import drawn
from snowroll.tasks.segment_images.options import SegmentOptions
from snowroll.tasks.segment_images.task import SegmentImages
from snowroll.train.fit import Batches
from snowroll.train.trial import Measured
from snowroll.train.varied import Unseen, augmentation_keeps_labels

pytestmark = pytest.mark.slow

SMALL = ("--task.model", "convnet", "--task.size_px", "20", "--train.batch", "32", "--train.steps", "200")


def draw_signs(root: Path, each: int = 100) -> None:
    """Arrows to the left, the same mirrored, rings and crosses, somewhere in the picture."""
    noise = np.random.default_rng(0)
    for kind in ("left", "right", "ring", "cross"):
        (root / kind).mkdir(parents=True)
        for number in range(each):
            image = Image.fromarray(noise.integers(0, 60, (20, 20, 3), dtype=np.uint8))
            pen, (x, y), colour = ImageDraw.Draw(image), noise.integers(2, 7, 2), tuple(noise.integers(150, 255, 3))
            if kind == "ring":
                pen.ellipse((x, y, x + 10, y + 10), outline=colour, width=2)
            elif kind == "cross":
                pen.line((x, y, x + 10, y + 10), fill=colour, width=2)
                pen.line((x, y + 10, x + 10, y), fill=colour, width=2)
            else:
                pen.line((x, y + 5, x + 10, y + 5), fill=colour, width=2)
                pen.line((x + 5, y, x, y + 5, x + 5, y + 10), fill=colour, width=2)
            pixels = np.asarray(image)
            Image.fromarray(pixels[:, ::-1] if kind == "right" else pixels).save(root / kind / f"{number}.png")


@pytest.mark.parametrize(("flip", "holds"), [("true", False), ("false", True)])
def test_arrows_that_are_mirrored(tmp_path: Path, flip: str, holds: bool) -> None:
    draw_signs(tmp_path / "data")
    assert snowroll("init", tmp_path, *MACHINE, *SMALL).code == 0
    said = snowroll("train", tmp_path, "--task.flip", flip, "--json")
    assert said.code == (0 if holds else 1), said.err
    gate = {one["name"]: one for one in said.json["gates"]}["augmentation_keeps_labels"]
    print(gate)
    assert gate["passed"] is holds, gate


def draw_masks(root: Path, pictures: int = 150) -> None:
    """Discs and squares, and their masks beside them."""
    for part in ("pictures", "masks"):
        (root / part).mkdir(parents=True)
    (root / "classes.txt").write_text("ground\ndisc\nsquare\n")
    for number in range(pictures):
        for part, pixels in zip(("pictures", "masks"), drawn(number), strict=True):
            Image.fromarray(pixels).save(root / part / f"{number:03}.png")


@pytest.mark.parametrize("holds", [False, True])
def test_masks_that_are_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holds: bool) -> None:
    """A task that mirrors its pictures and not their masks."""
    draw_masks(tmp_path / "data")
    moved = SegmentImages.augment

    def left_behind(self: SegmentImages, batch: Batch, draw: Draw, options: SegmentOptions) -> Batch:
        return replace(moved(self, batch, draw, options), targets=batch.targets)

    if not holds:
        monkeypatch.setattr(SegmentImages, "augment", left_behind)
    small = ("--task.size_px", 32, "--task.levels", 3, "--task.width", 12, "--train.batch", 16, "--train.steps", 180)
    still = ("--task.rotate_deg", 0, "--task.scale", 0, "--task.shift", 0, "--task.flip", "true")
    assert snowroll("init", tmp_path, *MACHINE, *small, *still).code == 0
    said = snowroll("train", tmp_path, "--json")
    gate = {one["name"]: one for one in said.json["gates"]}["augmentation_keeps_labels"]
    print(said.json["value"], gate)
    assert gate["passed"] is holds, gate


# in words alone -------------------------------------------------------------------------------------------------------

GROUPS = 40
KINDS = ("left", "right", "ring", "cross") * (GROUPS // 4)


Earned = dict[str, float]  # of each class; all of it where none is told


def judged(before: Earned, without: Earned, control: Earned, groups: int = GROUPS) -> Measured:
    """What is said where models earn so much of each class: before, after steps without and after steps with it."""
    models: list[nn.Module] = [nn.Identity() for _ in range(3)]
    earned = dict(zip(models, (before, without, control), strict=True))
    inputs = torch.rand(8, 3)
    plain = Batch(inputs, inputs, torch.arange(8))
    noise = np.random.default_rng(0).uniform(-0.05, 0.05, GROUPS)

    def credit(model: nn.Module) -> np.ndarray:
        return np.array([earned[model].get(kind, 1.0) for kind in KINDS]) + noise

    unseen = Unseen(credit, KINDS, [str(row % groups) for row in range(GROUPS)])
    more = {id(inputs): models[1]}
    return augmentation_keeps_labels(
        models[0],
        unseen,
        lambda step: replace(plain, inputs=-inputs),
        lambda step: plain,
        lambda batches, times: more.get(id(batches(0).inputs), models[2]),
    )


POOR = {"left": 0.5, "right": 0.5}


@pytest.mark.parametrize(
    ("before", "without", "control", "holds"),
    [
        (POOR, {}, POOR, False),
        ({"left": 0.0}, {}, {"right": 0.0}, False),  # one of the two is always said
        (POOR, {}, {}, True),  # it was not done learning
        (POOR, {}, {"left": 0.8, "right": 0.8}, True),  # nor is it now
        (POOR, POOR, POOR, True),  # they cannot be told apart
        (POOR, {"left": 0.6, "right": 0.6}, POOR, True),  # what the last steps bring to any run
        ({"left": 0.93, "right": 0.93}, {}, {"left": 0.93, "right": 0.93}, True),
    ],
)
def test_whose_fault_it_is(before: Earned, without: Earned, control: Earned, holds: bool) -> None:
    found = judged(before, without, control)
    assert found.holds is holds, found.words
    assert judged(before, without, control, groups=4).holds  # of four groups nothing is known


def test_where_nothing_is_augmented_nothing_is_asked() -> None:
    batch = Batch(torch.rand(8, 3), None, torch.arange(8))
    unseen = Unseen(lambda model: np.zeros(0), (), ())

    def never(batches: Batches, times: int) -> nn.Module:
        raise AssertionError

    assert augmentation_keeps_labels(nn.Identity(), unseen, lambda _: batch, lambda _: batch, never).holds
