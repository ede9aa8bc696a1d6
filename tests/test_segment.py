"""Masks: kept without a loss, moved with their pixels, scored as they should be."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mask_kit import a_mask, photo, write
from PIL import Image
from torchvision.models import get_model

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Json, Prediction, Sample
from snowroll.base.task import Fingerprint, find_task
from snowroll.prepare.augment import CounterDraw
from snowroll.prepare.look import Look
from snowroll.prepare.mask_pictures import drawn
from snowroll.prepare.mask_targets import IGNORED, as_target, fitted, mask_of, numbered, shares, unfitted
from snowroll.prepare.packed_png import by_value, places_of
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.view import View
from snowroll.tasks.segment_images.coco import read_coco, runs_of, write_coco
from snowroll.tasks.segment_images.faults import mask_faults
from snowroll.tasks.segment_images.instances import parted
from snowroll.tasks.segment_images.model import Seen, build
from snowroll.tasks.segment_images.options import READY_MADE, SegmentOptions, multiply_adds, segment_plan
from snowroll.tasks.segment_images.reading import read_masks
from snowroll.tasks.segment_images.scoring import boundary_px, details, edge_overlap, scorer
from snowroll.tasks.segment_images.training import augment, loss

CLASSES = ["ground", "disc", "square"]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
@settings(max_examples=60)
def test_a_mask_is_kept_as_it_is(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).choice([0, 1, 2, IGNORED], (height, width)).astype(np.uint8)
    target = as_target(mask, CLASSES)
    assert np.array_equal(mask_of(target), mask)
    assert np.array_equal(numbered(target, CLASSES), mask)
    assert sum(shares(target).values()) == pytest.approx(1) or (mask == IGNORED).all()


@given(st.integers(1, 200), st.integers(1, 200))
@settings(max_examples=60)
def test_a_mask_goes_into_the_frame_and_back(height: int, width: int) -> None:
    mask = np.zeros((height, width), np.uint8)
    mask[: (height + 1) // 2] = 1
    back = unfitted(fitted(mask, (96, 64)), (width, height))
    assert back.shape == mask.shape
    assert IGNORED not in back
    assert set(np.unique(back)) <= set(np.unique(mask))


@pytest.mark.parametrize(
    "target",
    [{"mask": "?", "classes": []}, {"classes": []}, {"mask": base64.b64encode(b"GIF89a").decode(), "classes": []}],
)
def test_what_is_no_mask_ends_in_words(target: Json) -> None:
    with pytest.raises(DataError, match="not a mask"):
        mask_of(target)
    assert find_task("segment_images").problem(target, {"classes": CLASSES})


def test_scores_by_hand() -> None:
    truth, said = a_mask((0, 0, 1, 1)), a_mask((0, 1, 1, 1))
    truth[:, 39] = IGNORED
    schema = {"type": "mask", "classes": ["a", "b"]}
    score = scorer([Prediction(as_target(said, ["a", "b"]), None, 0.0)], [as_target(truth, ["a", "b"])], schema)(None)
    # of 39 columns: a 10 right of 20, b 19 right of 19, 29 said
    assert score["mIoU"] == pytest.approx((10 / 20 + 19 / 29) / 2)
    assert score["mDice"] == pytest.approx((2 * 10 / 30 + 2 * 19 / 48) / 2)
    assert score["pixel_accuracy"] == pytest.approx(29 / 39)


def test_edges_by_hand() -> None:
    truth, said = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    truth[10:20, 10:20] = True
    said[10:20, 13:23] = True
    assert boundary_px(truth, truth) == 0
    assert boundary_px(truth, said) == pytest.approx(3)
    assert boundary_px(truth, ~truth & False) is None


def coco_file(folder: Path, segmentation: Json, crowd: int = 0) -> None:
    write(folder, "images/a.png", photo(0, (40, 30)))
    tree = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 7, "segmentation": segmentation, "iscrowd": crowd}],
        "categories": [{"id": 7, "name": "cat"}],
    }
    (folder / "instances.json").write_text(json.dumps(tree))


def as_runs(mask: np.ndarray) -> list[int]:
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff([0, *edges.tolist(), len(flat)]).tolist()
    return [0, *counts] if flat[0] else counts


def as_letters(counts: list[int]) -> str:
    """maskApi.c, rleToString."""
    out = ""
    for place, count in enumerate(counts):
        x = count - (counts[place - 2] if place > 2 else 0)
        more = True
        while more:
            bits = x & 31
            x >>= 5
            more = x != -1 if bits & 16 else x != 0
            out += chr((bits | 32 if more else bits) + 48)
    return out


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_run_lengths_are_read_as_coco_writes_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((30, 40)) < rng.random()
    counts = as_runs(mask)
    assert runs_of(as_letters(counts)) == counts


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=30)
def test_values_are_counted_a_band_at_a_time(seed: int, is_coloured: bool) -> None:
    rng = np.random.default_rng(seed)
    high, wide = rng.integers(1, 40, 2)
    pixels = rng.choice(rng.integers(0, 60_000, 5), (high, wide, 2) if is_coloured else (high, wide))
    coded = (lambda band: band[..., 0] * 60_000 + band[..., 1]) if is_coloured else (lambda band: band)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("snowroll.prepare.packed_png._BAND", int(rng.integers(1, 200)))
        values = by_value(pixels, coded)
        places, counts = places_of(pixels, coded, values)
    known, numbers = np.unique(coded(pixels), return_counts=True)
    assert values.tolist() == known.tolist()
    assert counts.tolist() == numbers.tolist()
    assert np.array_equal(values[places], coded(pixels))


@pytest.mark.parametrize("way", ["polygon", "runs", "letters"])
def test_coco_segmentations_become_masks(way: str, tmp_path: Path) -> None:
    mask = np.zeros((30, 40), bool)
    mask[5:15, 10:31] = True
    counts = as_runs(mask)
    ways = {
        "polygon": [[10, 5, 30, 5, 30, 14, 10, 14]],
        "runs": {"counts": counts, "size": [30, 40]},
        "letters": {"counts": as_letters(counts), "size": [30, 40]},
    }
    coco_file(tmp_path, ways[way])
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    (found,) = reading.found
    assert found.target["classes"] == ["background", "cat"]
    assert np.array_equal(mask_of(found.target) == 1, mask)


@given(st.integers(0, 10_000))
@settings(max_examples=30)
def test_masks_are_written_as_coco_and_read_again(seed: int) -> None:
    """Things apart, what is to be ignored, and pictures that show nothing."""
    rng = np.random.default_rng(seed)
    with TemporaryDirectory() as place:
        folder, rows = Path(place), []
        for number in range(4):
            mask = rng.choice([0, 1, 2, 3, IGNORED], (30, 40), p=(0.4, 0.2, 0.2, 0.1, 0.1)).astype(np.uint8)
            target = as_target(mask * (number > 0), ["background", "cat", "cat", "dog"])
            write(folder, f"images/{number}.png", photo(number, (40, 30)))
            rows.append((f"images/{number}.png", target, (40, 30), "train" if number else None))
        for name, text in write_coco(rows).items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        reading = read_masks(Folder(folder), PrepareSettings())
    assert reading is not None
    again = {found.where: found.target for found in reading.found}
    names = ["background", "cat", "dog"]
    for where, target, _, _ in rows:
        assert np.array_equal(numbered(again[where], names), numbered(target, names))
    things = [sum(name == "cat" for name in again[where]["classes"]) for where, *_ in rows]
    assert things == [0, 2, 2, 2]


@pytest.mark.parametrize(
    "bomb",
    [{"counts": [10**12], "size": [30, 40]}, {"counts": "o" * 50, "size": [30, 40]}, {"counts": [1], "size": [9, 9]}],
)
def test_run_lengths_that_explode_end_in_words(bomb: Json, tmp_path: Path) -> None:
    coco_file(tmp_path, bomb)
    skipped: dict[str, str] = {}
    assert read_coco(Folder(tmp_path), ["images/a.png"], "background", skipped) == {}
    assert "cannot be used" in skipped["images/a.png"]


def test_masks_move_with_their_pixels() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((16, 48, 64), np.uint8)
    for row in range(16):
        x, y = rng.integers(8, 40), rng.integers(8, 28)
        mask[row, y : y + 12, x : x + 14] = 1
    image = torch.from_numpy(mask)[:, None].float().repeat(1, 3, 1, 1)
    batch = Batch(Seen(image, torch.tensor([[64, 48]]).repeat(16, 1)), torch.from_numpy(mask), torch.arange(16))
    options = SegmentOptions(flip=True, flip_down=True, rotate_deg=30, scale=0.2, shift=0.1)
    moved = augment(batch, CounterDraw(0, 0, batch.ids), options)
    bright, marked = moved.inputs.image[:, 0] > 0.5, moved.targets == 1
    differ = (bright != marked).float().mean()
    assert differ < 0.01
    assert (moved.targets == IGNORED).any()
    assert (moved.inputs.image[:, 0][moved.targets == IGNORED] < 0.01).float().mean() > 0.95


def test_faults_of_masks_are_named() -> None:
    targets = [as_target(a_mask((0, 1)), CLASSES) for _ in range(12)]
    targets[1] = as_target(a_mask((0, 1))[:20], CLASSES)
    targets[2] = as_target(np.full((30, 40), IGNORED, np.uint8), CLASSES)
    targets[3] = as_target(a_mask((0, 1, 2)), CLASSES)
    samples = [Sample(f"{n:016x}", f"{n}.png", f"{n:064x}", "image", target) for n, target in enumerate(targets)]
    looks = {s.id: Look(10, width=40, height=30, thumbnail=np.zeros((32, 32, 3), np.uint8)) for s in samples}
    view = View.of(samples, looks, {"type": "mask", "classes": CLASSES}, gist=str)
    found = {fault.code: fault.paths for fault in mask_faults(view)}
    assert found == {"mask_size": ("1.png",), "empty_mask": ("2.png",), "rare_class": ("3.png",)}


def test_masks_of_pictures_that_exif_turns_are_compared_with_what_is_seen() -> None:
    """Stored 40 x 30, seen 30 x 40: a mask lies as the picture is seen, one as it is stored, one is of another size."""
    targets = [as_target(mask, CLASSES) for mask in (a_mask((0, 1)).T, a_mask((0, 1)), a_mask((0, 1))[:20])]
    samples = [Sample(f"{n:016x}", f"{n}.jpg", f"{n:064x}", "image", target) for n, target in enumerate(targets)]
    thumbnail = np.zeros((32, 32, 3), np.uint8)
    looks = {s.id: Look(10, width=40, height=30, rotated=True, turned=True, thumbnail=thumbnail) for s in samples}
    view = View.of(samples, looks, {"type": "mask", "classes": CLASSES}, gist=str)
    found = {fault.code: fault.paths for fault in mask_faults(view)}
    assert found == {"unturned_mask": ("1.jpg",), "mask_size": ("2.jpg",)}


def test_a_mask_drawn_in_a_browser_is_read() -> None:
    mask = a_mask((0, 1, 2))
    out = io.BytesIO()
    Image.fromarray(np.dstack([mask, mask, mask, np.full_like(mask, 255)])).save(out, "PNG")
    target = {"mask": base64.b64encode(out.getvalue()).decode(), "classes": CLASSES}
    assert np.array_equal(mask_of(target), mask)


# things and edges ---------------------------------------------------------------------------------------------------


def discs(*rows: tuple[int, int, int], size: int = 80) -> list[np.ndarray]:
    y, x = np.mgrid[:size, :size]
    return [np.hypot(y - cy, x - cx) < radius for cy, cx, radius in rows]


def test_touching_things_are_parted() -> None:
    things = discs((30, 22, 11), (30, 42, 11), (60, 60, 8), (8, 70, 5))
    numbers = parted(np.logical_or.reduce(things))
    found = [numbers == number for number in np.unique(numbers[numbers > 0])]
    assert len(found) == 4
    for thing in things:
        assert max((thing & other).sum() / (thing | other).sum() for other in found) > 0.8
    assert not parted(np.zeros((8, 8), bool)).any()


def test_things_are_found_missed_and_invented() -> None:
    """Of three numbered things one is said, another half of it aside; one is said where nothing is."""
    things, far = discs((20, 20, 8), (20, 60, 8), (60, 20, 8)), discs((60, 60, 8))[0]
    mask = sum(((number + 1) * thing for number, thing in enumerate(things)), np.zeros((80, 80), np.uint8))
    target = as_target(mask, ["ground", "thing", "thing", "thing"])
    task = find_task("segment_images")
    schema = task.schema([target])
    assert schema["instances"]
    shifted = np.roll(things[1], 8, axis=0)
    said = as_target((things[0] | shifted | far).astype(np.uint8), ["ground", "thing"])
    score = scorer([Prediction(said, 1.0, 0.0)], [target], schema)(None)
    assert score["instances_50"] == pytest.approx(1 / (1 + 2 + 2))
    assert scorer([Prediction(target, 1.0, 0.0)], [target], schema)(None)["instances_50"] == 1
    half = as_target((things[0] | things[1])[::2, ::2].astype(np.uint8), ["ground", "thing"])  # judged all the same
    assert scorer([Prediction(half, 1.0, 0.0)], [target], schema)(None)["instances_50"] == pytest.approx(2 / 3)
    assert "instances" not in task.schema([said])


def test_edges_overlap_as_far_as_they_reach() -> None:
    """Squares of 40 in 200 x 200, one a pixel larger all round: of bands of 5.66 px only the outermost differ."""
    inner, outer = np.zeros((2, 200, 200), bool)
    inner[80:120, 80:120] = True
    outer[79:121, 79:121] = True
    band = {side: side**2 - (side - 10) ** 2 for side in (40, 42)}
    both = 40**2 - 32**2
    assert edge_overlap(inner, outer) == pytest.approx(both / (band[40] + band[42] - both))
    assert edge_overlap(inner, inner) == 1
    assert edge_overlap(inner, np.zeros_like(inner)) == 0
    assert edge_overlap(np.zeros_like(inner), np.zeros_like(inner)) is None


# the plan -----------------------------------------------------------------------------------------------------------


@given(st.integers(30, 3000), st.integers(1, 20_000), st.floats(60, 36_000), st.booleans())
@settings(max_examples=60)
def test_more_time_never_makes_a_smaller_network(side: int, n: int, time_s: float, bf16: bool) -> None:
    facts = {"median_width": side, "median_height": side, "grey": False, "sided": "", "upright": None}

    def work(seconds: float) -> float:
        told = segment_plan(Fingerprint({"train": n}, {}, facts, "cpu", 2, bf16, seconds))
        chosen = {choice.key.removeprefix("task."): choice.value for choice in told}
        names = ("size_px", "shape", "stem", "width", "levels")
        return multiply_adds(SegmentOptions(**{name: chosen[name] for name in names}))

    assert work(time_s) <= work(4 * time_s)


@pytest.mark.parametrize(
    ("grey", "asked", "optimizer", "standard"),
    [
        (True, {}, "muon", True),
        (False, {}, "muon", None),
        (True, {"standard": False}, "muon", None),
        (True, {"pretrained": "weights.pth", "model": "mobilenet_v2"}, "muon", None),
        (True, {"pretrained": "weights.pth", "model": "deeplabv3_resnet50"}, "adamw", None),
        (True, {"model": "resnet18"}, "adamw", True),
        (True, {"model": "lraspp_mobilenet_v3_large"}, "adamw", True),
    ],
)
def test_grey_pictures_are_standard_and_ours_learns_by_muon(
    grey: bool, asked: Json, optimizer: str, standard: bool | None
) -> None:
    facts = {"median_width": 260, "median_height": 320, "grey": grey, "thin_px": None, "sided": [], "upright": 0.5}
    n, schema = {"train": 300, "val": 40, "test": 80}, {"classes": ["background", "foreground"]}
    plan = segment_plan(Fingerprint(n, schema, {**facts, "asked": asked}, "cpu", 2, True, None))
    chosen = {choice.key: choice.value for choice in plan}
    assert chosen["train.optimizer"] == optimizer
    assert chosen.get("task.standard") == standard
    assert ("task.mean" in chosen) == bool(standard)


@pytest.mark.parametrize("stem", [1, 2, 4])
def test_a_coarser_stem_answers_for_every_pixel(stem: int) -> None:
    model = build(SegmentOptions(size_px=64, stem=stem, levels=3, width=8), 3)  # type: ignore[arg-type]
    seen = Seen(torch.rand(2, 3, 64, 64), torch.full((2, 2), 64))
    assert model.eval()(seen).logits[0].shape == (2, 3, 64, 64)
    assert model.train()(seen).logits[0].shape == (2, 3, 64 // stem, 64 // stem)


@pytest.mark.slow
@pytest.mark.parametrize("name", READY_MADE[:3])
def test_torchvisions_networks_answer_like_ours(name: str, tmp_path: Path) -> None:
    """Their weights from a file: whatever fits is theirs, and the head that knows other classes is not."""
    theirs = get_model(name, weights=None, weights_backbone=None, num_classes=21)
    torch.save(theirs.state_dict(), tmp_path / "weights.pth")
    options = SegmentOptions(model=name, size_px=64, pretrained=str(tmp_path / "weights.pth"))
    model = build(options, 3)
    assert model.loaded is not None
    mine = model.backbone.state_dict()
    assert all(torch.equal(mine[key], value) for key, value in theirs.backbone.state_dict().items())
    seen = Seen(torch.rand(2, 3, 64, 64), torch.full((2, 2), 64))
    wanted = torch.randint(0, 3, (2, 64, 64), dtype=torch.uint8)
    model.head.expect(torch.tensor([2.0, 0.0, 0.0]))
    assert model.eval()(seen).logits[0].softmax(1)[:, 0].mean() > 0.7
    loss(model.train(), Batch(seen, wanted, torch.arange(2)), options).mean().backward()
    assert all(p.grad is not None for p in model.head.parameters())


def test_the_interval_of_a_recall_is_of_the_pixels_that_the_recall_is_of() -> None:
    """Small discs are found whole, a large one hardly: of all pixels few are found, of most pictures all."""
    truths, said = [], []
    for n in range(10):
        truth = np.zeros((40, 40), np.uint8)
        truth[: 40 if n == 0 else 2, : 40 if n == 0 else 2] = 1
        truths.append(as_target(truth, CLASSES))
        said.append(np.where((np.arange(40) < 8)[:, None], truth, 0).astype(np.uint8))
    answers = [Prediction(as_target(mask, CLASSES), None, 0.0) for mask in said]
    told = details(answers, truths, {"classes": CLASSES}, list("abcdefghij"))
    row, metric = next(row for row in told["per_class"] if row["class"] == "disc"), told["recall"]["disc"]
    assert metric.value == pytest.approx(row["recall"])
    assert metric.low <= 0.2 + 0.02 <= metric.high


def test_an_edge_says_in_how_many_of_the_pictures_it_was_measured() -> None:
    """Found exactly in one picture of ten, and missed in nine: a distance of 0 px is not all there is to say."""
    truth = np.zeros((20, 20), np.uint8)
    truth[5:12, 5:12] = 1
    answers = [Prediction(as_target(truth if n == 0 else truth * 0, CLASSES), None, 0.0) for n in range(10)]
    told = details(answers, [as_target(truth, CLASSES)] * 10, {"classes": CLASSES}, list("abcdefghij"))
    row = next(row for row in told["per_class"] if row["class"] == "disc")
    assert (row["HD95 px"], row["measured in"]) == (0.0, "1 of 10")
    assert "missed" in told["class_words"]


def test_the_background_is_left_as_the_picture_has_it() -> None:
    rgb = photo(0)
    seen = np.asarray(drawn(rgb, as_target(a_mask((0, 1)), CLASSES), None, {"classes": CLASSES}))
    assert np.array_equal(seen[:, :20], rgb[:, :20])
    assert not np.array_equal(seen[:, 20:], rgb[:, 20:])
    named = np.asarray(drawn(rgb, as_target(a_mask((0, 1)), ["road", "sky"]), None, {"classes": ["road", "sky"]}))
    assert not np.array_equal(named[:, :20], rgb[:, :20])


def test_things_of_an_answer_are_numbered_in_a_file_of_their_own_where_the_data_numbers_them() -> None:
    mask = np.zeros((40, 60), np.uint8)
    for row, column, value in ((10, 10, 1), (10, 30, 1), (30, 30, 2), (38, 58, 1)):
        mask[row - 4 : row + 4, column - 4 : column + 4] = value
    mask[0, 59] = 1  # a crumb
    task, answer = find_task("segment_images"), as_target(mask, CLASSES)
    assert task.things_file(answer, {"type": "mask", "classes": CLASSES}) is None
    told = task.things_file(answer, {"type": "mask", "classes": CLASSES, "instances": True})
    assert told is not None
    image = Image.open(io.BytesIO(told[1]))
    numbers = np.asarray(image).astype(int)
    assert (told[0], image.mode) == ("_things.png", "I;16")
    assert set(np.unique(numbers)) == {0, 1, 2, 3, 4}
    assert all(len(np.unique(mask[numbers == thing])) == 1 for thing in range(1, 5))
    assert numbers[0, 59] == numbers[20, 5] == 0
