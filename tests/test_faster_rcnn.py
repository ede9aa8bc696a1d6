"""Faster R-CNN: the parts that are written anew do what torchvision's do, and its files of weights fit."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from snowroll.base.errors import DataError, PlanError
from snowroll.tasks.detect_objects.boxes import IGNORED, NONE, Objects, Seen, overlap
from snowroll.tasks.detect_objects.faster_rcnn import OF_ANCHOR, OF_PROPOSAL, FasterRCNN, bins, moved, moves, propose
from snowroll.tasks.detect_objects.faster_rcnn_loss import ALIKE, NOTHING, answers
from snowroll.tasks.detect_objects.model import build
from snowroll.tasks.detect_objects.options import DetectOptions

NAME = "fasterrcnn_mobilenet_v3_large_320_fpn"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, FasterRCNN]:
    """torchvision's network, and ours with its weights, from a file under the names that published files have."""
    from torchvision.models import get_model

    torch.manual_seed(0)
    theirs: Any = get_model(NAME, weights=None, weights_backbone=None).eval()
    path = tmp_path_factory.mktemp("weights") / "theirs.pth"
    old = {re.sub(r"(blocks\.\d+)\.0\.|(conv)\.0\.0\.", r"\1\2.", name): x for name, x in theirs.state_dict().items()}
    assert len(old) == len(theirs.state_dict())
    torch.save(old, path)
    ours = build(DetectOptions(model=NAME, size_px=128, shape=1.5, pretrained=str(path)), 5).eval()
    assert isinstance(ours, FasterRCNN)
    return theirs, ours


def test_a_file_fills_all_but_the_classes(pair: tuple[Any, FasterRCNN]) -> None:
    theirs, ours = pair
    assert ours.loaded is not None
    assert all(name.startswith("head.predictor.") for name in ours.loaded.kept)
    assert all(name.startswith("roi_heads.box_predictor.") for name in ours.loaded.skipped)
    torch.testing.assert_close(ours.head.roi_heads["box_head"].state_dict(), theirs.roi_heads.box_head.state_dict())


def test_says_what_torchvisions_parts_say(pair: tuple[Any, FasterRCNN]) -> None:
    from torchvision.models.detection.image_list import ImageList
    from torchvision.models.detection.rpn import concat_box_prediction_layers

    theirs, ours = pair
    frame, images = (128, 96), torch.rand(2, 3, 96, 128, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        maps = theirs.backbone(images)
        listed = list(maps.values())
        anchors, level = ours.head.anchors(listed, frame)
        objectness, shifts = ours.head.search(listed)
        wanted = theirs.rpn.anchor_generator(ImageList(images, [(96, 128)] * 2), listed)[0]
        torch.testing.assert_close(anchors, wanted)
        surely, off = concat_box_prediction_layers(*theirs.rpn.head(listed))
        torch.testing.assert_close(objectness.flatten(), surely.flatten())
        torch.testing.assert_close(shifts.reshape(-1, 4), off)
        decoded = theirs.rpn.box_coder.decode(off, [wanted, wanted])[:, 0].view(2, -1, 4)
        torch.testing.assert_close(moved(anchors, shifts, OF_ANCHOR), decoded, rtol=1e-4, atol=1e-3)
        proposals = propose(objectness, shifts, anchors, level, frame, 20)
        cut = theirs.roi_heads.box_roi_pool(maps, list(proposals), [(96, 128)] * 2)
        torch.testing.assert_close(ours.head.crops(listed, proposals, frame).flatten(0, 1), cut, rtol=1e-4, atol=1e-5)


@given(st.integers(0, 10_000), st.sampled_from([0.125, 0.25]))
@settings(max_examples=40)
def test_crops_are_roi_align(seed: int, scale: float) -> None:
    from torchvision.ops import roi_align

    draw = torch.Generator().manual_seed(seed)
    map_ = torch.randn(1, 3, round(96 * scale), round(128 * scale), generator=draw)
    boxes = some_boxes(8, draw).clamp(max=96)
    mine = bins(boxes[None, :, 1::2], map_.shape[2], scale) @ map_[0, :, None, None]  # [3, 1, 8, CROP, W]
    mine = (mine @ bins(boxes[None, :, 0::2], map_.shape[3], scale).transpose(2, 3))[:, 0].transpose(0, 1)
    torch.testing.assert_close(mine, roi_align(map_, [boxes], 7, scale, sampling_ratio=2), rtol=1e-4, atol=1e-4)


def test_proposals_are_apart_and_within(pair: tuple[Any, FasterRCNN]) -> None:
    _, ours = pair
    with torch.no_grad():
        maps = list(ours.backbone(torch.rand(1, 3, 96, 128)).values())
        anchors, level = ours.head.anchors(maps, (128, 96))
        proposals = propose(*ours.head.search(maps), anchors, torch.zeros_like(level), (128, 96), 10)[0]
    assert proposals.shape == (10, 4)
    assert proposals.min() >= 0
    assert (proposals.amax(dim=0) <= torch.tensor([128, 96, 128, 96])).all()
    assert overlap(proposals[:, None], proposals[None]).triu(1).max() <= ALIKE


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_moves_lead_to_the_box(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    box, to = some_boxes(6, draw), some_boxes(6, draw)
    for scale in (OF_ANCHOR, OF_PROPOSAL):
        torch.testing.assert_close(moved(box, moves(box, to, scale), scale), to, rtol=1e-4, atol=1e-3)


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_anchors_are_matched_as_torchvision_matches(seed: int) -> None:
    from torchvision.models.detection._utils import Matcher
    from torchvision.ops import box_iou

    draw = torch.Generator().manual_seed(seed)
    anchors, boxes = some_boxes(60, draw), some_boxes(4, draw)
    objects = Objects(torch.tensor([[0, 2, 1, NONE]]), boxes[None])
    fits = box_iou(boxes[:3], anchors)
    assume(fits.amax(dim=1).min() > 0)  # torchvision gives an object that no anchor touches to every such anchor
    matched = Matcher(ALIKE, NOTHING, allow_low_quality_matches=True)(fits)
    is_object, is_nothing, box = answers(anchors, objects)
    assert torch.equal(is_object[0], matched >= 0)
    assert torch.equal(is_nothing[0], matched == Matcher.BELOW_LOW_THRESHOLD)
    assert torch.equal(box[0][is_object[0]], boxes[matched[matched >= 0]])


def test_what_is_to_be_ignored_answers_for_nothing() -> None:
    anchors = torch.tensor([[10.0, 10, 20, 20], [60, 60, 70, 70]])
    region = Objects(torch.tensor([[IGNORED]]), torch.tensor([[[0.0, 0, 40, 40]]]))
    is_object, is_nothing, _ = answers(anchors, region)
    assert not is_object.any()
    assert is_nothing.tolist() == [[False, True]]


def some_boxes(n: int, draw: torch.Generator) -> Tensor:
    corner, sides = 80 * torch.rand(n, 2, generator=draw), 4 + 40 * torch.rand(n, 2, generator=draw)
    return torch.cat((corner, corner + sides), dim=1)


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    torch.save({"backbone.body.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(DataError, match="another network"):
        build(DetectOptions(model=NAME, pretrained=str(tmp_path / "other.pth")), 2)
    with pytest.raises(PlanError, match="no detector 'fasterrcnn_resnet5_fpn'"):
        build(DetectOptions(model="fasterrcnn_resnet5_fpn"), 2)


def test_an_answer_has_a_score_for_every_class(pair: tuple[Any, FasterRCNN]) -> None:
    """And it is the same beside the objects that are there: they are judged, too, but nothing is told of it."""
    _, ours = pair
    seen = Seen(torch.rand(2, 3, 96, 128), torch.tensor([[128, 96]] * 2))
    with torch.no_grad():
        found = ours(seen)
        there = some_boxes(6, torch.Generator()).view(2, 3, 4)
        beside = ours(seen, Objects(torch.zeros(2, 3, dtype=torch.int64), there))
    assert beside.proposals.shape == (2, 103, 4)
    for one, other in zip(found, beside, strict=False):
        torch.testing.assert_close(one, other)
    assert found.score.shape == (2, 5, 100)
    assert found.box.shape == (2, 100, 4)
    assert torch.isfinite(found.score).all()
