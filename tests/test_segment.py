"""Masks: read as they lie, kept without a loss, moved with their pixels, scored as they should be."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from house_kit import snowroll
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.models import get_model

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Json, Prediction, Sample
from snowroll.base.task import Fingerprint, find_task
from snowroll.prepare.augment import CounterDraw
from snowroll.prepare.look import Look
from snowroll.prepare.mask_targets import IGNORED, as_target, fitted, mask_of, numbered, shares, unfitted
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.view import View
from snowroll.tasks.segment_images.coco import read_coco, runs_of, write_coco
from snowroll.tasks.segment_images.faults import mask_faults
from snowroll.tasks.segment_images.instances import parted
from snowroll.tasks.segment_images.model import Seen, build
from snowroll.tasks.segment_images.options import SegmentOptions, multiply_adds, segment_plan
from snowroll.tasks.segment_images.reading import read_masks
from snowroll.tasks.segment_images.ready_made import NAMES
from snowroll.tasks.segment_images.scoring import boundary_px, edge_overlap, scorer
from snowroll.tasks.segment_images.training import augment, loss

CLASSES = ["ground", "disc", "square"]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_a_mask_is_kept_as_it_is(height: int, width: int, seed: int) -> None:
    mask = np.random.default_rng(seed).choice([0, 1, 2, IGNORED], (height, width)).astype(np.uint8)
    target = as_target(mask, CLASSES)
    assert np.array_equal(mask_of(target), mask)
    assert np.array_equal(numbered(target, CLASSES), mask)
    assert sum(shares(target).values()) == pytest.approx(1) or (mask == IGNORED).all()


@given(st.integers(1, 200), st.integers(1, 200))
@settings(max_examples=60, deadline=None)
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


def write(folder: Path, place: str, pixels: np.ndarray) -> None:
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / place)


def photo(seed: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)


def a_mask(values: tuple[int, ...], dtype: type = np.uint8) -> np.ndarray:
    mask = np.zeros((30, 40), dtype)
    for place, value in enumerate(values):
        mask[:, place * 40 // len(values) : (place + 1) * 40 // len(values)] = value
    return mask


LAYOUTS = {
    "beside": ("a{n}.jpg", "a{n}.png"),
    "ending": ("a{n}.png", "a{n}_mask.png"),
    "folders": ("images/a{n}.png", "masks/a{n}.png"),
    "splits": ("train/a{n}.jpg", "trainannot/a{n}.png"),
    "deep": ("train/images/a{n}.jpg", "train/labels/a{n}_L.png"),
    "two endings": ("left/town/town_{n}_left8bit.png", "fine/town/town_{n}_fine_labelIds.png"),
    "other words": ("images/2{n}_training.png", "1st_manual/2{n}_manual1.png"),
    "beginnings": ("img_{n}.jpg", "seg_{n}.png"),
    "more letters": ("a_{n}.jpg", "a_{n}_segmentation.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_are_found_in_any_common_layout(layout: str, tmp_path: Path) -> None:
    picture, mask = LAYOUTS[layout]
    for n in range(6):
        write(tmp_path, picture.format(n=n), photo(n))
        write(tmp_path, mask.format(n=n), a_mask((0, 1, 2)))
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {found.where for found in reading.found} == {picture.format(n=n) for n in range(6)}
    assert all(np.array_equal(mask_of(found.target), a_mask((0, 1, 2))) for found in reading.found)
    assert reading.found[0].target["classes"] == ["0", "1", "2"]


def read_pairs(folder: Path) -> dict[str, Json]:
    """Picture -> its target, with the numbers of its mask as they are told."""
    reading = read_masks(Folder(folder), PrepareSettings())
    assert reading is not None
    return {found.where: found.target for found in reading.found}


def half(side: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    """A black and white mask: one of four stripes is white."""
    mask = np.zeros(size[::-1], np.uint8)
    mask[:, side * 10 : side * 10 + 10] = 255
    return mask


def test_of_several_kinds_of_masks_one_is_learnt_from(tmp_path: Path) -> None:
    colours = np.zeros((30, 40, 3), np.uint8)
    colours[:, 20:] = (128, 64, 128)
    for n in range(6):
        write(tmp_path, f"left/town_{n}_left8bit.png", photo(n))
        write(tmp_path, f"fine/town_{n}_fine_color.png", colours)
        write(tmp_path, f"fine/town_{n}_fine_labelIds.png", a_mask((0, 1, 2)))
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert [found.target["classes"] for found in reading.found] == [["0", "1", "2"]] * 6
    assert sum("not the one that is learnt from" in why for why in reading.skipped.values()) == 6


def test_splits_that_number_their_pictures_alike_keep_their_masks(tmp_path: Path) -> None:
    for split, pictures in (("train", 8), ("val", 1)):
        for n in range(pictures):
            write(tmp_path, f"{split}/a{n}.jpg", photo(n))
            write(tmp_path, f"{split}annot/a{n}.png", half(n % 4 if split == "train" else 3))
    found = read_pairs(tmp_path)
    assert len(found) == 9
    assert np.array_equal(mask_of(found["val/a0.jpg"]) > 0, half(3) > 0)
    assert np.array_equal(mask_of(found["train/a0.jpg"]) > 0, half(0) > 0)


def test_masks_that_differ_are_meant_and_not_the_edge_of_the_lens(tmp_path: Path) -> None:
    """As fundus cameras have it: vessels drawn by hand, and a field of view that is all but the same for all."""
    for n in range(8):
        write(tmp_path, f"training/images/2{n}_training.png", photo(n))
        write(tmp_path, f"training/1st_manual/2{n}_manual1.png", half(n % 4))
        lens = np.zeros((30, 40), np.uint8)
        lens[4:26, 5:35] = 255
        lens[4, 5 + n] = 0
        write(tmp_path, f"training/mask/2{n}_training_mask.png", lens)
    found = read_pairs(tmp_path)
    assert found.keys() == {f"training/images/2{n}_training.png" for n in range(8)}
    assert all(shares(target)["foreground"] == 0.25 for target in found.values())


@pytest.mark.parametrize("mask", ["{n}/masks/x{thing}y.png", "a{n}_mask_{thing}.png"])
def test_a_file_for_each_thing(mask: str, tmp_path: Path) -> None:
    picture = "{n}/images/a{n}.png" if "/" in mask else "a{n}.png"
    for n in range(4):
        write(tmp_path, picture.format(n=n), photo(n))
        for thing in range(1 + n % 3):
            write(tmp_path, mask.format(n=n, thing=thing), half(thing))
    found = read_pairs(tmp_path)
    assert found.keys() == {picture.format(n=n) for n in range(4)}
    for n in range(4):
        target = found[picture.format(n=n)]
        assert target["classes"] == ["background"] + ["foreground"] * (1 + n % 3)
        assert shares(target)["foreground"] == pytest.approx((1 + n % 3) / 4)


@pytest.mark.parametrize(
    "mask", ["gt/1. Haemorrhages/{n}_HE.png|gt/2. Exudates/{n}_EX.png", "{n}_HE_mask.png|{n}_EX_mask.png"]
)
def test_a_file_for_each_class(mask: str, tmp_path: Path) -> None:
    for n in range(6):
        write(tmp_path, f"eye/{n}.jpg" if "/" in mask else f"{n}.jpg", photo(n))
        for place, name in enumerate(mask.split("|")[: 1 + n % 2]):
            write(tmp_path, name.format(n=n), half(place))
    found = read_pairs(tmp_path)
    assert len(found) == 6
    assert shares(next(target for where, target in found.items() if "1.jpg" in where)) == {
        "background": 0.5,
        "HE": 0.25,
        "EX": 0.25,
    }
    assert all(shares(target)["HE"] == 0.25 for target in found.values())


@pytest.mark.parametrize(
    ("home", "meant"),
    [("TCGA_{n}", "segment_images"), ("{kind}", "classify_images"), ("{n}/images|{n}/masks", "segment_images")],
)
def test_folders_of_cases_are_no_classes_and_folders_of_classes_are(home: str, meant: str, tmp_path: Path) -> None:
    for n in range(12):
        there, _, beside = home.format(n=n // 4, kind="ab"[n % 2]).partition("|")
        write(tmp_path, f"data/{there}/x{n}.png", photo(n))
        write(tmp_path, f"data/{beside or there}/x{n}_mask.png", half(n % 3))
    said = snowroll("init", tmp_path, "--json")
    assert said.json["task"] == meant
    assert said.json["other_tasks"] == (["segment_images"] if meant == "classify_images" else [])


def test_masks_of_one_picture_must_have_one_size(tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"a{n}.png", photo(n))
        write(tmp_path, f"a{n}_mask.png", half(0))
        write(tmp_path, f"a{n}_mask_1.png", half(1, (40, 30 + n // 3)))
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert [found.where for found in reading.found if found.target] == ["a0.png", "a1.png", "a2.png"]
    assert "40 x 31 pixels where another" in reading.skipped["a3.png"]


def test_masks_saved_as_coloured_jpegs_have_two_values(tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"images/{n}.jpg", photo(n))
        write(tmp_path, f"masks/{n}.jpg", np.repeat(half(n)[:, :, None], 3, axis=2))
    found = read_pairs(tmp_path)
    assert [target["classes"] for target in found.values()] == [["background", "foreground"]] * 4
    assert all(shares(target)["foreground"] == pytest.approx(0.25, abs=0.02) for target in found.values())


SQUARE = [[10, 5], [30, 5], [30, 20], [10, 20]]


def test_outlines_of_labelme_and_yolo_are_the_same_mask(tmp_path: Path) -> None:
    for n in range(3):
        shapes = [{"label": "leaf", "points": SQUARE, "shape_type": "polygon"}] * bool(n)
        tree = {"shapes": shapes, "imagePath": f"..\\a{n}.png", "imageWidth": 40, "imageHeight": 30}
        write(tmp_path, f"labelme/a{n}.png", photo(n))
        (tmp_path / f"labelme/a{n}.json").write_text(json.dumps(tree))
        write(tmp_path, f"yolo/images/train/a{n}.png", photo(n))
        line = " ".join(["0", *(f"{x / 40:.6f} {y / 30:.6f}" for x, y in SQUARE)])
        (tmp_path / "yolo/labels/train").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"yolo/labels/train/a{n}.txt").write_text(line if n else "")
    (tmp_path / "yolo/data.yaml").write_text("names: [leaf]\n")
    drawn, told = read_pairs(tmp_path / "labelme"), read_pairs(tmp_path / "yolo")
    assert [mask_of(target).tolist() for target in drawn.values()] == [mask_of(t).tolist() for t in told.values()]
    assert shares(drawn["a0.png"]) == {"background": 1.0}
    assert shares(drawn["a1.png"])["leaf"] == pytest.approx(20 * 15 / 1200, rel=0.15)
    assert told["images/train/a1.png"]["classes"] == ["background", "leaf"]


def test_a_circle_of_labelme_is_a_disc(tmp_path: Path) -> None:
    shape = {"label": "leaf", "points": [[20, 15], [28, 15]], "shape_type": "circle"}
    for n in range(3):
        tree = {"shapes": [shape], "imagePath": f"a{n}.png", "imageWidth": 40, "imageHeight": 30}
        write(tmp_path, f"a{n}.png", photo(n))
        (tmp_path / f"a{n}.json").write_text(json.dumps(tree))
    assert all(shares(t)["leaf"] == pytest.approx(np.pi * 64 / 1200, rel=0.15) for t in read_pairs(tmp_path).values())


def test_rectangles_of_labelme_and_boxes_of_yolo_are_no_outlines(tmp_path: Path) -> None:
    shape = {"label": "leaf", "points": [[10, 5], [30, 20]], "shape_type": "rectangle"}
    for n in range(3):
        tree = {"shapes": [shape], "imagePath": f"a{n}.png", "imageWidth": 40, "imageHeight": 30}
        write(tmp_path, f"a{n}.png", photo(n))
        (tmp_path / f"a{n}.json").write_text(json.dumps(tree))
        (tmp_path / f"a{n}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    assert read_masks(Folder(tmp_path), PrepareSettings()) is None


@pytest.mark.parametrize(
    ("pixels", "names", "classes"),
    [
        (a_mask((0, 255)), "", ["background", "foreground"]),
        (a_mask((0, 1, 2, 255)), "", ["0", "1", "2", ""]),
        (a_mask((*range(21), 255)), "", [*map(str, range(21)), ""]),
        (a_mask((0, 1, 2)), "sky\nroad\nvoid\n", ["sky", "road", ""]),
        (a_mask((0, 1, 2, 3), np.uint16), "", ["background", "foreground", "foreground", "foreground"]),
    ],
)
def test_values_become_classes(pixels: np.ndarray, names: str, classes: list[str], tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"images/a{n}.png", photo(n))
        write(tmp_path, f"masks/a{n}.png", pixels)
    if names:
        (tmp_path / "classes.txt").write_text(names)
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert reading.found[0].target["classes"] == classes


def test_smoothed_borders_are_no_classes(tmp_path: Path) -> None:
    """A tool that scales black and white masks leaves greys at their borders, in some of the files."""
    for n in range(4):
        write(tmp_path, f"images/a{n}.png", photo(n))
        mask = a_mask((0, 255))
        if n:
            mask[:, 20] = np.linspace(8, 248, 30)
        write(tmp_path, f"masks/a{n}.png", mask)
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert any("greys" in line for line in reading.evidence)
    assert all(set(found.target["classes"]) == {"background", "foreground"} for found in reading.found)
    assert shares(reading.found[1].target)["foreground"] == pytest.approx(0.5 - 0.5 / 40)


def test_colours_are_named_by_a_list(tmp_path: Path) -> None:
    colours = np.zeros((30, 40, 3), np.uint8)
    colours[:, 20:] = (128, 64, 128)
    for n in range(4):
        write(tmp_path, f"images/a{n}.png", photo(n))
        write(tmp_path, f"labels/a{n}.png", colours)
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nroad,128,64,128\nsky,0,0,0\n")
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert shares(reading.found[0].target) == {"road": 0.5, "sky": 0.5}
    ignoring = read_masks(Folder(tmp_path), PrepareSettings(ignore=("sky",)))
    assert ignoring is not None
    assert shares(ignoring.found[0].target) == {"road": 0.5, "": 0.5}


def test_pictures_of_few_values_have_masks_where_names_say_so(tmp_path: Path) -> None:
    for n in range(8):
        write(tmp_path, f"images/a{n}.png", photo(n) if n % 2 else photo(n) // 128 * 128)
        write(tmp_path, f"masks/a{n}.png", a_mask((0, 1)))
        write(tmp_path, f"drawn/{'ab'[n % 2]}/{n // 2}.png", photo(n) if n % 3 else photo(n) // 128 * 128)
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {found.where for found in reading.found if found.target} == {f"images/a{n}.png" for n in range(8)}


def test_photos_in_class_folders_are_no_segmentation(tmp_path: Path) -> None:
    for n in range(6):
        write(tmp_path, f"{'ab'[n % 2]}/{n}.png", photo(n))
    assert read_masks(Folder(tmp_path), PrepareSettings()) is None


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
@settings(max_examples=50, deadline=None)
def test_run_lengths_are_read_as_coco_writes_them(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((30, 40)) < rng.random()
    counts = as_runs(mask)
    assert runs_of(as_letters(counts)) == counts


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
@settings(max_examples=30, deadline=None)
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
    assert "cannot be used" in skipped["instances.json"]


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
@settings(max_examples=60, deadline=None)
def test_more_time_never_makes_a_smaller_network(side: int, n: int, time_s: float, bf16: bool) -> None:
    facts = {"median_width": side, "median_height": side, "grey": False, "sided": "", "upright": None}

    def work(seconds: float) -> float:
        told = segment_plan(Fingerprint({"train": n}, {}, facts, "cpu", 2, bf16, seconds))
        chosen = {choice.key.removeprefix("task."): choice.value for choice in told}
        names = ("size_px", "shape", "stem", "width", "levels")
        return multiply_adds(SegmentOptions(**{name: chosen[name] for name in names}))

    assert work(time_s) <= work(4 * time_s)


@pytest.mark.parametrize("stem", [1, 2, 4])
def test_a_coarser_stem_answers_for_every_pixel(stem: int) -> None:
    model = build(SegmentOptions(size_px=64, stem=stem, levels=3, width=8), 3)  # type: ignore[arg-type]
    seen = Seen(torch.rand(2, 3, 64, 64), torch.full((2, 2), 64))
    assert model.eval()(seen).logits[0].shape == (2, 3, 64, 64)
    assert model.train()(seen).logits[0].shape == (2, 3, 64 // stem, 64 // stem)


@pytest.mark.parametrize("name", NAMES[:3])
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
