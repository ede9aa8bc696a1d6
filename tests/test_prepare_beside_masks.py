"""Masks lie beside pictures, and are no samples; drawings that look like masks are."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from prepare_kit import encoded, jpeg, mask, pixels, plant, read, splits, table, targets

from snowroll.prepare.layouts import read_images
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings


@pytest.mark.parametrize("other", ["{c}/Imgs/{i}.png", "{c}/Imgs/{i}_mask.png", "{c}/masks/{i}.png"])
def test_masks_beside_pictures_are_no_samples(tmp_path: Path, other: str) -> None:
    pictures = {f"{c}/Imgs/{i}.jpg": jpeg(i) for c in ("MT_Crack", "MT_Free") for i in range(3)}
    masks = {other.format(c=c, i=i): mask(i) for c in ("MT_Crack", "MT_Free") for i in range(3)}
    reading = read(plant(tmp_path, {**pictures, **masks}))
    assert set(targets(reading)) == set(pictures)
    assert set(targets(reading).values()) == {"MT_Crack", "MT_Free"}
    assert all("a mask of" in reading.skipped[where] for where in masks)
    assert any(line.startswith("6 masks beside them are left out") for line in reading.evidence)


def test_masks_of_pictures_that_a_list_names_are_no_samples(tmp_path: Path) -> None:
    """As birds come: a list of all pictures, by a number each, and segmentations in class folders of the same names."""
    pictures = {f"images/{n}.{c}/{c}_{i}.jpg": jpeg(i) for n, c in enumerate(("crow", "wren")) for i in range(4)}
    masks = {where.replace("images", "segmentations").replace("jpg", "png"): mask() for where in pictures}
    lines = [f"{n} {where.partition('/')[2]}" for n, where in enumerate(pictures, 1)]
    reading = read(plant(tmp_path, {**pictures, **masks, "images.txt": "\n".join(lines).encode()}))
    assert targets(reading) == {where: where.split("/")[1] for where in pictures}
    assert all("a mask of" in reading.skipped[where] for where in masks)


def test_names_without_endings_mean_pictures_and_not_their_masks(tmp_path: Path) -> None:
    pictures = {f"images/a{i}.jpg": jpeg(i) for i in range(6)}
    masks = {f"masks/a{i}.png": mask(i) for i in range(6)}
    rows = [["image_id", "class"], *[[f"a{i}", "xy"[i % 2]] for i in range(6)]]
    reading = read(plant(tmp_path, {**pictures, **masks, "labels.csv": table(rows)}))
    assert targets(reading) == {f"images/a{i}.jpg": "xy"[i % 2] for i in range(6)}


def test_a_manifest_that_names_masks_means_them(tmp_path: Path) -> None:
    files = {f"images/a{i}.jpg": jpeg(i) for i in range(4)} | {f"masks/a{i}.png": mask(i) for i in range(4)}
    rows = [["file", "class"], *[[where, where.split("/")[0]] for where in files]]
    assert set(targets(read(plant(tmp_path, {**files, "labels.csv": table(rows)})))) == set(files)


def test_numbered_masks_in_folders_that_are_called_so_are_told(tmp_path: Path) -> None:
    pictures = {f"{split}/{i:03}.png": encoded(pixels(i), "PNG") for split in ("train", "test") for i in range(6)}
    masks = {f"{split}annot/{i:03}.png": mask(i) for split in ("train", "test") for i in range(6)}
    reading = read(plant(tmp_path, {**pictures, **masks}), labels=("a", "b"))
    assert set(targets(reading)) == set(pictures)


@pytest.mark.parametrize("home", ["annotations/trimaps/", "outlined/"])
def test_masks_in_a_folder_of_any_name_are_told_by_names_and_pixels(tmp_path: Path, home: str) -> None:
    """As pets come: classes in the names, trimaps under the same names."""
    pictures = {f"images/{c}_{i}.jpg": jpeg(i) for c in ("pug", "manx") for i in range(6)}
    masks = {f"{home}{c}_{i}.png": mask(i) for c in ("pug", "manx") for i in range(6)}
    lists = {"annotations/test.txt": b"pug_1 1 1 1\nmanx_1 2 2 1\nmanx_2 2 2 1"}
    reading = read(plant(tmp_path, {**pictures, **masks, **lists}))
    assert targets(reading) == {where: where.split("/")[1].split("_")[0] for where in pictures}
    tested = {where for where, split in splits(reading).items() if split == "test"}
    assert tested == {"images/pug_1.jpg", "images/manx_1.jpg", "images/manx_2.jpg"}


@pytest.mark.parametrize(
    "home", ["Celeb-mask-anno/{k}", "Task2_Training_GroundTruth_v3", "labels/{k}", "set/{k}/Ground"]
)
def test_masks_in_a_folder_that_is_called_so_need_no_picture_of_their_name(tmp_path: Path, home: str) -> None:
    photos = {f"img/{kind}/{n}.jpg": jpeg(n) for kind in ("old", "young") for n in range(4)}
    masks = {
        f"{home.format(k=k)}/{n:05}_{part}.png": mask(n) for k in "01" for n in range(3) for part in ("hair", "nose")
    }
    reading = read(plant(tmp_path, {**photos, **masks}))
    assert Counter(targets(reading).values()) == {"old": 4, "young": 4}
    assert {where for where, why in reading.skipped.items() if "mask" in why} == masks.keys()


def test_masks_alone_are_no_classes(tmp_path: Path) -> None:
    masks = {f"CT/{k}/Ground/liver_GT_{n:03}.png": mask(n) for k in range(1, 5) for n in range(6)}
    assert read_images(Folder(plant(tmp_path, masks)), PrepareSettings()) is None


@pytest.mark.parametrize("folders", [("label_0", "label_1"), ("hat", "mask"), ("labels/a", "labels/b")])
def test_drawings_in_folders_with_a_word_for_masks_are_classes(tmp_path: Path, folders: tuple[str, str]) -> None:
    drawings = {f"{home}/{kind}{n}.png": mask(n) for kind, home in zip("st", folders, strict=True) for n in range(4)}
    assert len(read(plant(tmp_path, drawings)).found) == 8


def test_a_class_of_drawings_is_no_class_of_masks(tmp_path: Path) -> None:
    """Numbers count in every folder: only names, or sizes, that go together tie a file to another."""
    files = {f"photo/{i:03}.jpg": jpeg(i) for i in range(6)} | {f"drawing/{i:03}.png": mask(i) for i in range(6)}
    assert set(targets(read(plant(tmp_path / "1", files)))) == set(files)
    sizes = {f"photo/{i:03}.jpg": encoded(pixels(i, 24 + i, 32)) for i in range(6)}
    drawn = {
        f"trimap/{i:03}.png": encoded((pixels(i, 24 + i, 32)[..., 0] > 120) * np.uint8(255), "PNG") for i in range(6)
    }
    assert set(targets(read(plant(tmp_path / "2", sizes | drawn), labels=("a", "b")))) == set(sizes)
