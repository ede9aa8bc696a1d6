"""Masks that are written down: outlines of LabelMe, YOLO and COCO, run lengths in tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from house_kit import snowroll
from mask_kit import half, photo, read_pairs, write

from snowroll.base.nouns import Json
from snowroll.prepare.mask_targets import mask_of, numbered, shares
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.segment_images.reading import read_masks

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


def test_rectangles_among_outlines_are_painted_and_what_has_no_area_takes_its_picture_out(tmp_path: Path) -> None:
    leaf = {"label": "leaf", "points": SQUARE, "shape_type": "polygon"}
    others = {
        0: {"label": "box", "points": [[0, 0], [10, 30]], "shape_type": "rectangle"},
        1: {"label": "tip", "points": [[5, 5]], "shape_type": "point"},
        2: {"label": "leaf", "points": [[1, 1], [9, 9]], "shape_type": "mask", "mask": "iVBORw0KGgo="},
    }
    outline = " ".join(["0", *(f"{x / 40:.6f} {y / 30:.6f}" for x, y in SQUARE)])
    lines = {0: "1 0.125 0.5 0.25 1", 1: "1 0.5 0.5 0.5", 2: "1 0.5 0.5 0.1 0.1 0.2 0.2 0.9"}
    for n in range(6):
        shapes = [leaf, others[n]] if n in others else [leaf] * 3
        tree = {"shapes": shapes, "imagePath": f"a{n}.png", "imageWidth": 40, "imageHeight": 30}
        write(tmp_path, f"labelme/a{n}.png", photo(n))
        (tmp_path / f"labelme/a{n}.json").write_text(json.dumps(tree))
        write(tmp_path, f"yolo/a{n}.png", photo(n))
        (tmp_path / f"yolo/a{n}.txt").write_text("\n".join([outline, lines.get(n, outline)]))
    (tmp_path / "yolo/classes.txt").write_text("leaf\nbox\n")
    for home in ("labelme", "yolo"):
        reading = read_masks(Folder(tmp_path / home), PrepareSettings())
        assert reading is not None
        found = {one.where: one.target for one in reading.found}
        assert found.keys() == {f"a{n}.png" for n in (0, 3, 4, 5)}
        assert shares(found["a0.png"])["box"] == pytest.approx(0.25, abs=0.03)
        assert all("cannot be used" in reading.skipped[f"a{n}.png"] for n in (1, 2))


def as_coco(rows: dict[str, list[Json]]) -> str:
    """rows: picture -> its annotations."""
    names = {"cat": 1, "person": 2}
    images = [{"id": n, "file_name": name, "width": 40, "height": 30} for n, name in enumerate(rows, 1)]
    drawn = [
        {"image_id": n, "iscrowd": 0, **one, "category_id": names[one["of"]]}
        for n, some in enumerate(rows.values(), 1)
        for one in some
    ]
    categories = [{"id": number, "name": name} for name, number in names.items()]
    return json.dumps({"images": images, "annotations": drawn, "categories": categories})


CAT = {"of": "cat", "segmentation": [[20, 0, 39, 0, 39, 29, 20, 29]]}


PERSON = {"of": "person", "segmentation": [[0, 0, 9, 0, 9, 29, 0, 29]]}


def test_of_files_that_outline_more_and_less_of_a_picture_the_fuller_counts(tmp_path: Path) -> None:
    """As COCO is downloaded: the file of keypoints lists the same pictures, and of their objects the persons."""
    for n in range(3):
        write(tmp_path, f"val/a{n}.png", photo(n))
    everything = {"a0.png": [CAT, PERSON], "a1.png": [CAT], "a2.png": [PERSON]}
    persons = {"a0.png": [PERSON], "a1.png": [], "a2.png": [PERSON]}
    for name, rows in {"instances": everything, "person_keypoints": persons}.items():
        (tmp_path / f"{name}.json").write_text(as_coco(rows))
    found = read_pairs(tmp_path)
    assert [target["classes"] for target in found.values()] == [
        ["background", "cat", "person"],
        ["background", "cat"],
        ["background", "person"],
    ]
    (tmp_path / "another.json").write_text(as_coco({"a2.png": [{**PERSON, "of": "cat"}]}))
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert [one.where for one in reading.found] == ["val/a0.png", "val/a1.png"]
    assert "disagree" in reading.skipped["val/a2.png"]


@pytest.mark.parametrize(
    "broken",
    [
        [{"of": "cat"}],
        [{"of": "cat", "segmentation": []}],
        [{"of": "cat", "segmentation": [[1, 2], [3, 4]]}],
        [{"of": "cat", "segmentation": [1, 2, 3, 4, 5, 6]}],
        [{"of": "cat", "segmentation": None}],
        [{"of": "cat", "segmentation": [[1, 2, 3, 4, 5, 6, 7]]}],
        [{"of": "cat", "segmentation": {"counts": [7], "size": [30, 40]}}],
        [{"of": "cat", "segmentation": {"counts": "1"}}],
        [{"of": "cat", "segmentation": {"counts": "o" * 1_000_000, "size": [30, 40]}}],
        [{"of": "cat", "segmentation": {"counts": [float("inf")], "size": [30, 40]}}],
        [{"of": "cat", "segmentation": [[1, 2, 3, 4, 5, 10**400]]}],
        [{"of": "cat", "segmentation": [[1, 2, 3, 4, 5, float("inf")]]}],
        [{"of": "cat", "segmentation": [[1, 2, 3, 4, 5, float("nan")]]}],
        [CAT] * 255,
    ],
)
def test_one_broken_picture_of_a_coco_file_takes_no_other_with_it(broken: list[Json], tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path, f"a{n}.png", photo(n))
    (tmp_path / "instances.json").write_text(as_coco({"a0.png": [CAT], "a1.png": [PERSON, *broken], "a2.png": [CAT]}))
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {one.where: one.target["classes"] for one in reading.found} == {
        f"a{n}.png": ["background", "cat"] for n in (0, 2)
    }
    assert "cannot be used" in reading.skipped["a1.png"]


@pytest.mark.parametrize("side", ["1" + "0" * 400, "1e999", "NaN", "-1"])
def test_a_size_that_is_none_takes_its_picture_alone(side: str, tmp_path: Path) -> None:
    for n in range(2):
        write(tmp_path, f"a{n}.png", photo(n))
    text = as_coco({"a0.png": [CAT], "a1.png": [CAT]}).replace('"width": 40', f'"width": {side}', 1)
    (tmp_path / "instances.json").write_text(text)
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert [one.where for one in reading.found] == ["a1.png"]
    assert len(reading.skipped["a0.png"]) < 1_000


def runs_of(mask: np.ndarray) -> str:
    """Column by column from 1, written the slow way."""
    flat, told = mask.T.ravel().tolist(), []
    for at, inside in enumerate(flat, 1):
        if inside and (at == 1 or not flat[at - 2]):
            told += [at, 0]
        if inside:
            told[-1] += 1
    return " ".join(map(str, told))


@pytest.mark.parametrize("header", ["ImageId,ClassId,EncodedPixels", "ImageId_ClassId,EncodedPixels"])
def test_run_lengths_of_classes_are_masks(header: str, tmp_path: Path) -> None:
    mark, rows = "_" if "_" in header else ",", [header]
    for n in range(6):
        write(tmp_path, f"train_images/a_{n}.jpg", photo(n))
        write(tmp_path, f"test_images/b_{n}.jpg", photo(10 + n))
        rows += [f"a_{n}.jpg{mark}{kind},{runs_of(half(kind - 1) > 0) if kind != n else ''}" for kind in (1, 2)]
    (tmp_path / "train.csv").write_text("\n".join(rows))
    (tmp_path / "sample_submission.csv").write_text("ImageId,ClassId,EncodedPixels\nb_0.jpg,1,1 40\n")
    found = read_pairs(tmp_path)
    assert {where for where, target in found.items() if target} == {f"train_images/a_{n}.jpg" for n in range(6)}
    for place, n in ((0, 0), (1, 1)):
        mask = numbered(found[f"train_images/a_{n}.jpg"], ["background", "1", "2"])
        assert np.array_equal(mask == 2, half(1) > 0)
        assert np.array_equal(mask == 1, (half(0) > 0) & (place == 0))


def test_run_lengths_without_a_class_are_things_and_an_empty_cell_says_that_nothing_is_there(tmp_path: Path) -> None:
    for n in range(6):
        write(tmp_path, f"train_v2/{n}.jpg", photo(n))
    rows = [f"{n}.jpg,{runs_of(half(side) > 0)}" for n in range(3) for side in (0, 2)]
    (tmp_path / "ships.csv").write_text("\n".join(["ImageId,EncodedPixels", *rows, "3.jpg,", "4.jpg,"]))
    snowroll("init", tmp_path / "p", "--data", tmp_path)
    found = read_pairs(tmp_path)
    assert found["train_v2/0.jpg"]["classes"] == ["background", "foreground", "foreground"]
    assert shares(found["train_v2/3.jpg"]) == {"background": 1.0}
    assert found["train_v2/5.jpg"] is None
    assert "segment_images" in (tmp_path / "p/snowroll.toml").read_text()


@pytest.mark.parametrize(
    "runs", ["1 999999999999999", "0 5", "5 5 2 1", "1199 3", "7", "1 -4", "a b", "9" * 5000 + " 1"]
)
def test_run_lengths_that_do_not_fit_cost_their_picture(runs: str, tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"{n}.png", photo(n))
    rows = [f"{n}.png,{runs_of(half(n) > 0)}" for n in range(3)]
    (tmp_path / "all.csv").write_text("\n".join(["id,rle", *rows, "3.png,1 3", f"3.png,{runs}"]))
    reading = read_masks(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert len(reading.found) == 3
    assert "run lengths that cannot be used" in reading.skipped["3.png"]


def test_masks_beside_a_table_of_run_lengths_are_meant(tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"images/{n}.png", photo(n))
        write(tmp_path, f"masks/{n}.png", half(n))
    (tmp_path / "all.csv").write_text("id,rle\n" + "".join(f"{n}.png,1 3\n" for n in range(4)))
    assert shares(read_pairs(tmp_path)["images/0.png"]) == {"background": 0.75, "foreground": 0.25}


def test_boxes_without_an_outline_take_no_mask_from_a_picture(tmp_path: Path) -> None:
    """COCO files of boxes have empty outlines; the masks lie beside the pictures."""
    for n in range(4):
        write(tmp_path, f"images/a{n}.png", photo(n))
        write(tmp_path, f"masks/a{n}.png", half(n % 4))
    rows = {f"a{n}.png": [{"of": "cat", "bbox": [1, 2, 3, 4], "segmentation": []}] for n in range(4)}
    (tmp_path / "instances.json").write_text(as_coco(rows))
    found = read_pairs(tmp_path)
    assert len(found) == 4
    assert all(shares(target)["foreground"] == 0.25 for target in found.values())


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
