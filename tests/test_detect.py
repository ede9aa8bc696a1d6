"""Boxes: scores as COCO counts them, boxes moved along with pictures, faults named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from snowroll.base.errors import PlanError, UsageError
from snowroll.base.nouns import Batch, Json, Prediction, Sample
from snowroll.base.task import Fingerprint
from snowroll.design import pyramid
from snowroll.evaluate.interval import bootstrap
from snowroll.prepare.augment import CounterDraw, draw_move, mosaic, moved, moved_boxes
from snowroll.prepare.check import check
from snowroll.prepare.look import Look
from snowroll.prepare.pictures import geometry
from snowroll.prepare.view import View
from snowroll.tasks.detect_objects.answers import read, same
from snowroll.tasks.detect_objects.augmenting import augment
from snowroll.tasks.detect_objects.boxes import NONE, Objects, Seen, into_frame, out_of_frame, placed, survivors
from snowroll.tasks.detect_objects.faults import box_faults, clash, doubted_boxes, lying_alike
from snowroll.tasks.detect_objects.model import build
from snowroll.tasks.detect_objects.options import OURS, DetectOptions, detect_plan
from snowroll.tasks.detect_objects.reading import all_classes
from snowroll.tasks.detect_objects.scoring import details, overlaps, scorer
from snowroll.tasks.detect_objects.task import DetectObjects

SCHEMA = {"type": "boxes", "classes": ["a", "b", "c"]}


def some_pictures(seed: int, n: int = 12) -> tuple[list[list[Json]], list[Prediction]]:
    """Objects, some to be ignored, and what somebody says of them: most near, some false, some missed."""
    rng = np.random.default_rng(seed)
    targets, said = [], []
    for _ in range(n):
        there, told = [], []
        for _ in range(int(rng.integers(0, 7))):
            left, top = rng.uniform(0, 80, 2)
            box = np.array([left, top, left + rng.uniform(8, 30), top + rng.uniform(8, 30)])
            kind = int(rng.integers(3))
            one = {"class": SCHEMA["classes"][kind], "box": box.tolist()}
            there.append({**one, "ignore": True} if rng.random() < 0.15 else one)
            for _ in range(int(rng.integers(0, 3))):
                shaken = box + rng.normal(0, 2.5, 4)
                shaken[2:] = np.maximum(shaken[2:], shaken[:2] + 2)
                told.append([*shaken, rng.random(), kind if rng.random() < 0.8 else int(rng.integers(3))])
        for _ in range(int(rng.integers(0, 3))):
            left, top = rng.uniform(0, 80, 2)
            told.append([left, top, left + 15, top + 15, rng.random(), int(rng.integers(3))])
        rows = np.array(sorted(told, key=lambda row: -row[4]), float).reshape(-1, 6)
        padded = np.zeros((1, 40, 6))
        padded[0, : len(rows)] = rows
        targets.append(there)
        said += read(padded, SCHEMA)
    return targets, said


@pytest.mark.parametrize("seed", range(6))
def test_scores_are_cocos(seed: int) -> None:
    coco_eval = pytest.importorskip("faster_coco_eval", reason="compared with faster-coco-eval, which is not installed")
    targets, said = some_pictures(seed)
    mine = scorer(said, targets, SCHEMA)(None)
    truth, answers = as_coco(targets), as_answers(said)
    known = coco_eval.COCO(truth)
    judge = coco_eval.COCOeval_faster(known, known.loadRes(answers), "bbox", print_function=lambda *_: None)
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    assert [mine["mAP"], mine["mAP50"], mine["mAP75"]] == pytest.approx(judge.stats[:3].tolist(), abs=1e-9)


def as_coco(targets: Sequence[Sequence[Json]]) -> Json:
    annotations = []
    for picture, target in enumerate(targets, 1):
        for row in target:
            left, top, right, bottom = row["box"]
            sides = [left, top, right - left, bottom - top]
            about = {"id": len(annotations) + 1, "image_id": picture, "iscrowd": int(bool(row.get("ignore")))}
            kind = SCHEMA["classes"].index(row["class"]) + 1
            annotations.append({**about, "category_id": kind, "bbox": sides, "area": sides[2] * sides[3]})
    images = [{"id": picture, "width": 200, "height": 200} for picture in range(1, len(targets) + 1)]
    categories = [{"id": number, "name": name} for number, name in enumerate(SCHEMA["classes"], 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def as_answers(said: Sequence[Prediction]) -> list[Json]:
    return [
        {
            "image_id": picture,
            "category_id": int(row[5]) + 1,
            "bbox": [row[0], row[1], row[2] - row[0], row[3] - row[1]],
            "score": row[4],
        }
        for picture, one in enumerate(said, 1)
        for row in one.scores.tolist()
    ]


def test_a_region_of_any_class_excuses_what_is_told_there_and_is_no_class() -> None:
    there = {"class": "a", "box": [10.0, 10.0, 30.0, 30.0]}
    region = {"class": "any class", "box": [50.0, 50.0, 90.0, 90.0], "ignore": True}
    said = Prediction(
        [{**there, "score": 0.9}, {"class": "b", "box": [55.0, 55.0, 80.0, 80.0], "score": 0.95}], None, 0.0
    )
    assert scorer([said], [[there, region]], SCHEMA)(None)["precision"] == 1.0
    assert scorer([said], [[there]], SCHEMA)(None)["precision"] == 0.5
    assert all_classes([[there, region]]) == ["a"]
    assert DetectObjects().problem([there, region], SCHEMA) is None
    truth = Prediction([there, region], None, 0.0)
    assert scorer([truth], [[there, region]], SCHEMA)(None)["mAP50"] == 1.0
    assert details([truth], [[there, region]], SCHEMA, ["0"])["confusion"][0][0] == 1


def test_average_precision_of_a_class_has_the_interval_that_it_has_alone() -> None:
    targets, said = some_pictures(3, n=30)
    groups = [str(n // 2) for n in range(30)]
    told = details(said, targets, SCHEMA, groups)
    rows, intervals = told["per_class"], told["likewise"]
    mean = np.mean([row["AP50"] for row in rows])
    assert mean == pytest.approx(scorer(said, targets, SCHEMA)(None)["mAP50"])
    for row in rows:
        for column in ("AP50", "AP"):
            metric = intervals[column][row["class"]]
            assert metric.low < row[column] == metric.value < metric.high
    kind = SCHEMA["classes"][0]
    alone = {"type": "boxes", "classes": [kind]}
    own = [[row for row in target if row["class"] == kind] for target in targets]
    mine = [replace(p, scores=p.scores[p.scores[:, 5] == 0]) for p in said if p.scores is not None]
    metric = bootstrap(scorer(mine, own, alone), len(own), groups)["mAP50"]
    own_metric = intervals["AP50"][kind]
    assert [own_metric.low, own_metric.high] == pytest.approx([metric.low, metric.high])
    nothing = details(said[:1], [[]], SCHEMA, ["0"])
    assert nothing["likewise"] == {"AP50": {}, "AP": {}}
    assert {row["AP50"] for row in nothing["per_class"]} == {None}


def test_every_object_is_in_the_confusions_once() -> None:
    targets, said = some_pictures(3)
    found = details(said, targets, SCHEMA, [str(n) for n in range(len(targets))])
    table = np.array(found["confusion"])
    there = [row for target in targets for row in target if not row.get("ignore")]
    assert table[:-1].sum() == len(there)
    assert found["classes"][-1] == "nothing"
    assert table[-1, -1] == 0
    assert [row["n"] for row in found["per_class"]] == [sum(r["class"] == n for r in there) for n in SCHEMA["classes"]]


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_survivors_are_the_greedy_ones(seed: int) -> None:
    ops = pytest.importorskip("torchvision.ops")
    rng = torch.Generator().manual_seed(seed)
    corner, side = torch.rand(60, 2, generator=rng) * 60, torch.rand(60, 2, generator=rng) * 40 + 5
    box, kind = torch.cat((corner, corner + side), dim=1), torch.randint(0, 3, (60,), generator=rng)
    score = torch.rand(60, generator=rng).sort(descending=True).values
    kept = ops.batched_nms(box, score, kind, 0.5).sort().values
    mine = survivors(box[None], score[None], kind[None], 0.5)[0]
    assert mine.nonzero().flatten().tolist() == kept.tolist()


@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([(96, 96), (320, 224), (64, 416)]))
@settings(max_examples=200)
def test_boxes_lie_where_the_pack_puts_the_picture(width: int, height: int, frame: tuple[int, int]) -> None:
    left, top, right, bottom = geometry(width, height, frame, "pad").dest
    size = torch.tensor([[width, height]])
    whole = torch.tensor([[[0.0, 0.0, width, height]]])
    assert into_frame(whole, size, frame)[0, 0].tolist() == pytest.approx([left, top, right, bottom], abs=1e-3)
    assert out_of_frame(into_frame(whole, size, frame), size, frame)[0, 0].tolist() == pytest.approx(
        whole[0, 0].tolist(), rel=1e-4, abs=1e-2
    )
    factor, corner = placed(size, frame)
    assert factor.shape == corner.shape == (1, 2)


def painted(boxes: Tensor, frame: tuple[int, int]) -> Tensor:
    """[B, 1, H, W]: 1 inside the box of each picture."""
    x = torch.arange(frame[0]) + 0.5
    y = torch.arange(frame[1]) + 0.5
    left, top, right, bottom = (side[:, None] for side in boxes.unbind(1))
    columns, rows = (x > left) & (x < right), (y > top) & (y < bottom)
    return (rows[:, :, None] & columns[:, None, :])[:, None].float()


def extent(picture: Tensor) -> list[float]:
    rows, columns = (picture > 0.5).any(1).nonzero().flatten(), (picture > 0.5).any(0).nonzero().flatten()
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def test_boxes_move_with_the_pixels() -> None:
    frame, ids = (96, 64), torch.arange(32)
    boxes = torch.tensor([[30.0, 20.0, 60.0, 36.0]]).repeat(32, 1)
    draw = CounterDraw(0, 0, ids)
    move = draw_move(draw, frame, flip=True, flip_down=True, scale=0.3, shift=0.1)
    seen = moved(painted(boxes, frame), move, "zeros")
    told = moved_boxes(boxes[:, None], move, frame)[:, 0]
    assert (told[1:] - told[:-1]).abs().sum() > 0
    for picture, box in zip(seen[:, 0], told, strict=True):
        assert extent(picture) == pytest.approx(box.tolist(), abs=1.01)


def test_a_turn_and_its_boxes() -> None:
    frame, boxes = (64, 64), torch.tensor([[24.0, 28.0, 40.0, 36.0]]).repeat(16, 1)
    move = draw_move(CounterDraw(1, 0, torch.arange(16)), frame, rotate_deg=90)
    seen = moved(painted(boxes, frame), move, "zeros")
    for picture, box in zip(seen[:, 0], moved_boxes(boxes[:, None], move, frame)[:, 0], strict=True):
        assert extent(picture) == pytest.approx(box.tolist(), abs=2.5)


def test_corners_of_four_keep_their_objects() -> None:
    """Every object that is asked for after a mosaic is where its pixels went."""
    frame, n = (64, 48), 12
    rng = np.random.default_rng(0)
    boxes = torch.tensor([[x, y, x + 14, y + 12] for x, y in rng.integers(2, 34, (n, 2)).tolist()], dtype=torch.float32)
    # each picture's object has a brightness of its own
    shades = torch.linspace(0.3, 1.0, n)
    images = painted(boxes, frame) * shades[:, None, None, None]
    batch = Batch(
        Seen(images.repeat(1, 3, 1, 1), torch.tensor([frame]).repeat(n, 1)),
        Objects(torch.zeros(n, 1, dtype=torch.int64), boxes[:, None]),
        torch.arange(n),
    )
    made = augment(batch, CounterDraw(0, 0, batch.ids), DetectOptions(mosaic=1.0))
    kinds, places = made.targets
    asked = [(row, at) for row, at in (kinds >= 0).nonzero().tolist()]
    assert len(asked) > n / 2
    assert len({round(float(made.inputs.image[row].max()), 3) for row in range(n)}) > 1
    for row, at in asked:
        left, top, right, bottom = places[row, at].round().int().tolist()
        inside = made.inputs.image[row, 0, top:bottom, left:right]
        assert inside.min() > 0.25, (row, places[row, at])
        assert len(inside.unique()) == 1
    whole = mosaic(batch.inputs.image, CounterDraw(0, 0, batch.ids), 0.0)
    assert torch.equal(whole.images, batch.inputs.image)


def test_what_is_hardly_there_is_neither_asked_for_nor_held_against_anybody() -> None:
    frame = (64, 64)
    batch = Batch(
        Seen(torch.zeros(40, 3, 64, 64), torch.tensor([frame]).repeat(40, 1)),
        Objects(torch.zeros(40, 1, dtype=torch.int64), torch.tensor([[[0.0, 0.0, 16.0, 16.0]]]).repeat(40, 1, 1)),
        torch.arange(40),
    )
    kinds = augment(batch, CounterDraw(0, 0, batch.ids), DetectOptions(shift=0.3)).targets.kind
    assert {NONE, -2, 0} == set(kinds.flatten().tolist())


@pytest.mark.parametrize("side", [10**400, float("inf"), float("nan"), "a", None])
def test_an_answer_whose_box_is_no_four_numbers_is_refused_in_words(side: Json) -> None:
    told = DetectObjects().problem([{"class": "a", "box": [1, 2, 3, side]}], SCHEMA)
    assert told is not None
    assert "not an object with a class and a box" in told


def test_a_picture_with_a_box_without_an_area_teaches_nothing() -> None:
    good = {"class": "a", "box": [10.0, 10.0, 40.0, 40.0]}
    broken = [{**good, "box": box} for box in ([10.0, 10.0, 10.0, 40.0], [40.0, 10.0, 10.0, 40.0])]
    targets = [[good], [], *([one] for one in broken), [good, broken[0]]]
    assert DetectObjects().teaches(targets, DetectOptions()).tolist() == [True, True, False, False, False]


def view_of(targets: Sequence[Sequence[Json] | None], size: tuple[int, int] = (100, 80)) -> View:
    samples = [
        Sample(f"{n:016x}", f"{n}.png", f"{n:064x}", "image", None if target is None else list(target))
        for n, target in enumerate(targets)
    ]
    thumbnail = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    looks = {s.id: Look(10, width=size[0], height=size[1], thumbnail=thumbnail) for s in samples}
    return View.of(samples, looks, SCHEMA, gist=str)


def test_faults_of_boxes_are_named() -> None:
    good = {"class": "a", "box": [10.0, 10.0, 40.0, 40.0]}
    twin = {"class": "a", "box": [10.0, 10.0, 40.0, 40.5]}
    cases: dict[str, list[Json]] = {
        "empty_box": [good, {"class": "a", "box": [50.0, 10.0, 50.0, 40.0]}],
        "box_outside": [{"class": "a", "box": [80.0, 10.0, 130.0, 40.0]}],
        "box_off_by_one": [{"class": "a", "box": [80.0, 10.0, 101.0, 40.0]}],
        "tiny_box": [good, {"class": "b", "box": [70.0, 50.0, 71.0, 51.0]}],
        "box_twice": [good, twin],
        "box_of_two_classes": [good, {**twin, "class": "b"}],
    }
    for code, target in cases.items():
        found = [fault.code for fault in box_faults(view_of([[good], target, [good], None, []]))]
        assert found == [code], (code, found)
    assert not list(box_faults(view_of([[good], [], None, [good]])))


@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_boxes_drawn_twice_are_found_wherever_they_stand_in_the_list(seed: int, n: int) -> None:
    noise = np.random.default_rng(seed)
    corner, side = noise.integers(0, 30, (2, n, 2))
    boxes = np.concatenate([corner, corner + 1 + side], axis=1).astype(float)
    boxes = np.concatenate([boxes, boxes[: n // 2]])
    expected = np.argwhere(np.triu(overlaps(boxes, boxes), 1) > 0.9)
    assert lying_alike(boxes) == [tuple(pair) for pair in expected.tolist()]


def test_a_picture_may_hold_very_many_boxes() -> None:
    """A table of each with each would take 20 GB."""
    corner = np.random.default_rng(0).random((20_000, 2)) * 1e6
    boxes = np.concatenate([corner, corner + 10], axis=1)
    boxes[19_999] = boxes[7]
    assert lying_alike(boxes) == [(7, 19_999)]


def test_boxes_of_pictures_that_exif_turns_are_compared_with_what_is_seen() -> None:
    """Stored 100 x 80, seen 80 x 100."""
    boxes = [[10.0, 10.0, 40.0, 95.0], [10.0, 10.0, 95.0, 40.0], [10.0, 10.0, 130.0, 40.0], [10.0, 10.0, 40.0, 40.0]]
    view = view_of([[{"class": "a", "box": box}] for box in boxes])
    turned = tuple(replace(look, rotated=True, turned=True) for look in view.looks if look)
    found = {fault.code: fault.paths for fault in box_faults(replace(view, looks=turned))}
    assert found == {"unturned_boxes": ("1.png",), "box_outside": ("2.png",)}
    assert {fault.code: fault.paths for fault in box_faults(view)} == {"box_outside": ("0.png", "2.png")}


def test_what_networks_say_against_boxes() -> None:
    """Believed while most of it was marked: one object is missing, one has another class, one is beside the matter."""
    targets, said = [], []
    for number in range(12):
        there = [{"class": "a", "box": [10, 10, 30, 30]}, {"class": "b", "box": [50, 40, 70, 60]}]
        seen = [{**one, "score": 0.9 - number / 100} for one in there]
        if number == 3:
            there = there[1:]
        if number == 5:
            seen[0] = {**seen[0], "class": "c"}
        if number == 7:  # told twice over one object: the surer counts
            seen.append({"class": "c", "box": [51, 41, 70, 60], "score": 0.5})
        if number == 9:
            seen.append({"class": "c", "box": [80, 60, 95, 75], "score": 0.01})
        targets.append(there)
        said.append(seen if number != 11 else None)
    view = view_of([*targets, None])
    found = {fault.code: fault for fault in doubted_boxes(replace(view, said=(*said, said[0])))}
    assert set(found) == {"unlabelled_objects", "suspect_classes"}
    assert found["unlabelled_objects"].paths[0] == view.where(3)
    assert found["suspect_classes"].paths == (view.where(5),)
    assert "'c' at 10, 10, 30, 30" in found["suspect_classes"].message


def test_of_objects_that_touch_each_other_the_forgotten_one_is_told() -> None:
    """Its box overlaps that of its neighbour, which is another's; where nobody else claims the neighbour, nothing is
    clear: one of the two boxes may only be drawn badly."""
    pair = [{"class": "a", "box": [10, 10, 40, 40]}, {"class": "a", "box": [30, 10, 60, 40]}]
    alone = {"class": "a", "box": [25, 10, 55, 40]}
    seen = [{**one, "score": 0.9} for one in pair]
    (found,) = doubted_boxes(replace(view_of([*[pair] * 9, pair[:1]]), said=(seen,) * 10))
    assert (found.code, found.paths) == ("unlabelled_objects", ("9.png",))
    assert not list(doubted_boxes(replace(view_of([*[pair] * 9, [alone]]), said=(*[seen] * 9, seen[:1]))))


def test_the_surest_objects_are_told_with_their_places() -> None:
    there = [{"class": "a", "box": [10, 10, 30, 30]}, {"class": "b", "box": [50, 40, 70, 60]}]
    said = [[{**one, "score": 0.9 - row / 100} for one in there] for row in range(47)]
    view = view_of([*[there] * 40, *[there[:1]] * 7])
    (found,) = doubted_boxes(replace(view, said=tuple(said)))
    assert found.message.count("'b' at 50, 40, 70, 60 of ") == 5
    assert found.message.endswith("and 2 more")


def test_a_picture_that_was_forgotten() -> None:
    good = [{"class": "a", "box": [10.0, 10.0, 40.0, 40.0]}]
    (fault,) = box_faults(view_of([good] * 99 + [[]]))
    assert (fault.code, fault.paths) == ("unmarked_picture", ("99.png",))
    assert not list(box_faults(view_of([good] * 60 + [[]] * 40)))


def test_classes_are_no_choice() -> None:
    """What is said of classes of pictures is not said of objects."""
    view = view_of([[{"class": "a", "box": [1.0, 1.0, 9.0, 9.0]}]] * 3)
    assert view.classes == ()
    assert not [fault for fault in check(view) if fault.code in ("one_class", "unknown_label", "few_samples")]


def test_the_same_answer_twice_and_half_of_it() -> None:
    targets, said = some_pictures(1)
    for one, following in pairwise(said):
        assert same(one, one) == 1
        assert 0 <= same(one, following) <= 1
    whole = max(said, key=lambda one: len(one.value))
    half = Prediction(whole.value[: len(whole.value) // 2], None, 0.0)
    assert same(whole, half) < 1
    assert json.loads(json.dumps(whole.value)) == whole.value
    assert targets


@pytest.mark.parametrize("shape", [0.0, 1e-9, 1000.0, float("nan")])
def test_a_frame_has_an_extent(shape: float) -> None:
    with pytest.raises(UsageError, match="out of bounds"):
        DetectOptions(shape=shape)


@pytest.mark.parametrize(
    ("asked", "optimizer"),
    [
        ({}, "muon"),
        ({"model": "plain_small"}, "muon"),
        ({"detector": "faster_rcnn"}, "adamw"),
        ({"model": "resnet18"}, "adamw"),
        ({"model": "mobilenet_v2", "pretrained": "weights.pth"}, "muon"),
        ({"model": "mobilenet_v2", "pretrained": "weights.pth", "detector": "faster_rcnn"}, "adamw"),
        ({"model": "fasterrcnn_mobilenet_v3_large_320_fpn", "pretrained": "hub"}, "adamw"),
    ],
)
def test_fresh_weights_of_ours_learn_by_muon(asked: Json, optimizer: str) -> None:
    facts = {"median_width": 640, "median_height": 480, "small_object_px": 40, "grey": False, "sided": [], "upright": 0}
    plan = detect_plan(Fingerprint({"train": 200}, SCHEMA, {**facts, "asked": asked}, "cpu", 2, True, None))
    assert next(choice.value for choice in plan if choice.key == "train.optimizer") == optimizer


def test_the_rules_know_the_backbones_of_ours() -> None:
    assert set(pyramid.OURS) == set(OURS)


@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext", "test_byobnet", "test_nfnet"])
def test_networks_of_timm_go_under_both_detectors(name: str) -> None:
    timm = pytest.importorskip("timm")
    pictures = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = timm.create_model(name, num_classes=0).eval()
        ours = pyramid.pyramid(f"timm:{name}").eval()
        ours.load_state_dict(dict(zip(ours.state_dict(), theirs.state_dict().values(), strict=False)))
        with torch.no_grad():
            torch.testing.assert_close(ours(pictures)[-1], theirs.forward_features(pictures))
        for detector in ("one_stage", "faster_rcnn"):
            options = DetectOptions(model=f"timm:{name}", detector=detector, size_px=64, width=32, proposals=20)
            model = build(options, 3).eval()
            with torch.no_grad():
                found = model(Seen(pictures, torch.tensor([[64, 64]] * 2)))
            assert found.score.shape[:2] == (2, 3)
            assert found.box.isfinite().all()


@pytest.mark.parametrize("name", ["timm:vit_tiny_patch16_224", "vit_tiny"])
def test_a_network_without_maps_is_refused_in_words(name: str) -> None:
    with pytest.raises(PlanError, match="has no maps at strides of 8, 16, 32 pixels"):
        pyramid.pyramid(name)


def test_copies_with_one_object_more_do_not_clash_unless_they_are_the_same_bytes() -> None:
    cat, dog = ({"class": name, "box": [1.0, 2.0, 9.0, 9.0]} for name in ("cat", "dog"))
    one, other, none = [cat, dog], [cat, dog, dog], [dog] * 6
    assert clash(one, other, is_one_file=False) is None
    assert clash(one, other, is_one_file=True) == "1 cat, 1 dog in one, 1 cat, 2 dog in the other"
    assert clash(one, none, is_one_file=False) == "1 cat, 1 dog in one, 6 dog in the other"
    assert clash(one, one[::-1], is_one_file=True) is None
