"""Published layouts that say in files of their own what is in the samples, or where they belong: read so, or refused in
one line, and never read as something else in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mask_kit import a_mask, photo, write

from snowroll.base.task import Reading
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.segment_images.reading import read_masks

ONE = PrepareSettings(workers=1)


def segmented(root: Path) -> Reading:
    reading = read_masks(Folder(root), ONE)
    assert reading is not None
    return reading


@pytest.mark.parametrize("stand_in", [(0,), (1, 3)])
def test_masks_that_stand_in_for_secret_ones_are_no_labels(tmp_path: Path, stand_in: tuple[int, ...]) -> None:
    """As Cityscapes' of its test: what is in all pictures, such as the bonnet, and else nothing."""
    for split, city in (("train", "aachen"), ("val", "frankfurt"), ("test", "berlin")):
        for number in range(6):
            name = f"{city}_{number:06}_000019"
            write(tmp_path, f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png", photo(number))
            values = stand_in if split == "test" else (1, 7, 23, *(24, 26)[: number % 3])
            write(tmp_path, f"gtFine/{split}/{city}/{name}_gtFine_labelIds.png", a_mask(values))
    reading = segmented(tmp_path)
    assert {one.split for one in reading.found if one.target is None} == {"test"}
    assert sum(one.target is None for one in reading.found) == 6
    assert "6 masks of the test set all hold the same" in reading.evidence[-1]


def test_a_split_with_some_of_the_usual_classes_is_judged_by(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for number in range(6):
            write(tmp_path, f"{split}/images/{split}{number}.png", photo(number))
            values = (0, 1, 2) if split == "train" or number == 5 else (0, 1)
            write(tmp_path, f"{split}/masks/{split}{number}.png", a_mask(values).astype(np.uint8))
    assert all(one.target for one in segmented(tmp_path).found)


PARTS = ("skin", "hair", "l_brow", "r_brow", "l_eye", "r_eye", "nose", "mouth", "u_lip", "l_lip", "hat")


def of_a_part(part: str) -> np.ndarray:
    """White on black in three channels, half as large as its picture; the skin lies under all but hair and hat."""
    mask = np.zeros((15, 20, 3), np.uint8)
    at = PARTS.index(part)
    mask[(slice(2, 15) if part == "skin" else slice(at, at + 1)), 2 : 18 if part == "skin" else 8] = 255
    return mask


def test_masks_of_many_parts_are_classes_by_their_endings(tmp_path: Path) -> None:
    """As CelebAMask-HQ's: more parts than other layouts have kinds, and numbers padded to another width."""
    for number in range(12):
        write(tmp_path, f"img/{number}.jpg", photo(number))
        for part in PARTS[: None if number % 4 else -1]:  # few wear a hat
            write(tmp_path, f"mask-anno/{number // 6}/{number:05}_{part}.png", of_a_part(part))
    (tmp_path / "attribute-anno.txt").write_text("12\nMale Smiling\n" + "0.jpg 1 -1\n" * 12)
    reading = segmented(tmp_path)
    told = {one.where: sorted(one.target["classes"]) for one in reading.found if one.target}
    assert told.keys() == {f"img/{number}.jpg" for number in range(12)}
    assert told["img/3.jpg"] == sorted(["background", *PARTS])
    assert told["img/4.jpg"] == sorted(["background", *PARTS[:-1]])
    assert any("the smaller lies above" in sentence for sentence in reading.evidence)


def test_pictures_that_are_called_alike_are_no_masks_of_parts(tmp_path: Path) -> None:
    for number in range(8):
        for name in ("", "_left", "_right"):
            write(tmp_path, f"{number}{name}.png", photo(number))
    assert read_masks(Folder(tmp_path), ONE) is None
