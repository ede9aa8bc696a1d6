"""What the numbers, greys and colours of a mask mean: classes, things, or a border that was smoothed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from house_kit import snowroll
from mask_kit import a_mask, half, photo, read_pairs, write
from PIL import Image

from snowroll.prepare.mask_targets import shares
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.segment_images.instances import has_instances
from snowroll.tasks.segment_images.reading import read_masks


@pytest.mark.parametrize(("most", "are_things"), [(5, True), (2, False)])
def test_numbers_of_8_bits_that_count_things_are_no_classes(most: int, are_things: bool, tmp_path: Path) -> None:
    """People in the street, glands: from 1 on without a gap, to a different end in each picture."""
    for n in range(10):
        write(tmp_path, f"images/a{n}.png", photo(n))
        write(tmp_path, f"masks/a{n}_mask.png", a_mask(tuple(range(2 + n % most))))
    found = read_pairs(tmp_path)
    kinds = {name for target in found.values() for name in target["classes"]}
    assert kinds == ({"background", "foreground"} if are_things else {"0", "1", "2"})


@pytest.mark.parametrize("bits", [np.uint8, np.uint16])
@pytest.mark.parametrize(("gaps", "ends", "are_things"), [(2, 9, True), (8, 9, False), (2, 1, False)])
def test_things_that_were_taken_away_leave_gaps_in_their_numbers(
    gaps: int, ends: int, are_things: bool, bits: type, tmp_path: Path
) -> None:
    """Where many masks have gaps, or most end at one number, they are classes of which one is not always there."""
    for n in range(24):
        numbers = list(range(5 + n % ends))
        if n < gaps:
            del numbers[2]
        write(tmp_path, f"images/a{n}.png", photo(n))
        write(tmp_path, f"masks/a{n}_mask.png", a_mask(tuple(numbers)).astype(bits))
    kinds = {name for target in read_pairs(tmp_path).values() for name in target["classes"]}
    assert (kinds == {"background", "foreground"}) is are_things, kinds


def test_colours_of_classes_are_meant_and_not_of_things(tmp_path: Path) -> None:
    """As aerial pictures come with both, each in a folder and under a name of three words."""
    for n in range(6):
        colours = np.zeros((30, 40, 3), np.uint8)
        colours[:, 10:20], colours[:, 20:30] = (0, 0, 63), (0, 127, 255)
        write(tmp_path, f"train/images/images/P{n}.png", photo(n))
        write(tmp_path, f"train/Semantic_masks/images/images/P{n}_instance_color_RGB.png", colours)
        write(tmp_path, f"train/Instance_masks/images/images/P{n}_instance_id_RGB.png", colours // (n + 1))
    found = read_pairs(tmp_path)
    assert found.keys() == {f"train/images/images/P{n}.png" for n in range(6)}
    assert {name for target in found.values() for name in target["classes"]} == {"#000000", "#00003f", "#007fff"}


def test_masks_saved_as_coloured_jpegs_have_two_values(tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"images/{n}.jpg", photo(n))
        write(tmp_path, f"masks/{n}.jpg", np.repeat(half(n)[:, :, None], 3, axis=2))
    found = read_pairs(tmp_path)
    assert [target["classes"] for target in found.values()] == [["background", "foreground"]] * 4
    assert all(shares(target)["foreground"] == pytest.approx(0.25, abs=0.02) for target in found.values())


@pytest.mark.parametrize(
    ("classes", "things"),
    [
        ("SegmentationClass/{n}.png", "SegmentationObject/{n}.png"),
        ("gt/{n}_label.png", "gt/{n}_instance.png"),
        ("a_labels/{n}.png", "b_label_objects/{n}.png"),
    ],
)
def test_classes_are_learnt_from_and_not_the_numbers_of_things(classes: str, things: str, tmp_path: Path) -> None:
    """As Pascal VOC and the tools that write like it have both."""
    palette = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
    for n in range(6):
        write(tmp_path, f"JPEGImages/{n}.jpg", photo(n))
        for place, values in ((classes, (0, 3, 3)), (things, (0, 1, 2))):
            mask = Image.fromarray(np.roll(a_mask(values), n * 3, axis=1)).convert("P")
            mask.putpalette(palette + [0] * (768 - len(palette)))
            (tmp_path / place.format(n=n)).parent.mkdir(exist_ok=True)
            mask.save(tmp_path / place.format(n=n))
    found = read_pairs(tmp_path)
    assert len(found) == 6
    assert all(target["classes"] == ["0", "3"] for target in found.values())


@pytest.mark.parametrize(
    ("pixels", "names", "classes"),
    [
        (a_mask((0, 255)), "", ["background", "foreground"]),
        (a_mask((0, 65535), np.uint16), "", ["background", "foreground"]),
        (a_mask((0, 1, 2, 255)), "", ["0", "1", "2", ""]),
        (a_mask((*range(21), 255)), "", [*map(str, range(21)), ""]),
        (a_mask((0, 1, 2)), "sky\nroad\nvoid\n", ["sky", "road", ""]),
        (a_mask((0, 1, 2)), "sky\ntraffic light\nroad\n", ["sky", "traffic light", "road"]),
        (a_mask((0, 1, 2)), "traffic light\nroad\n\nsky\n", ["traffic light", "road", "sky"]),
        (a_mask((0, 1, 2)), "1 sky\n2 traffic light\n3 road\n", ["0", "1", "2"]),
        (a_mask((0, 1, 2)), "0: unlabelled\n1: sky\n2: road\n", ["0", "1", "2"]),
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


@pytest.mark.parametrize(
    ("colours", "classes"),
    [
        ([(60, 16, 152), (132, 41, 246)], {"#000000", "#3c1098", "#8429f6"}),
        ([(60, 16, 152), (255, 255, 255)], {"#000000", "#3c1098", "#ffffff"}),
        ([(255, 0, 0), (255, 0, 0)], {"background", "foreground"}),
    ],
)
def test_colours_without_a_list_are_classes_of_their_own(
    colours: list[tuple[int, int, int]], classes: set[str], tmp_path: Path
) -> None:
    """Of some pictures the mask is all black, and so saved as any grey one."""
    for n in range(6):
        pixels = np.zeros((30, 40, 3), np.uint8)
        if n:
            pixels[:, 10:20], pixels[:, 30:] = colours
        write(tmp_path, f"images/a{n}.jpg", photo(n))
        write(tmp_path, f"masks/a{n}.png", pixels)
    reading = read_masks(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert {name for one in reading.found for name in one.target["classes"]} == classes
    assert reading.found[0].target["classes"] == [next(iter(classes & {"#000000", "background"}))]


def test_black_and_white_are_named_by_a_list_of_colours(tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"{n}_sat.jpg", photo(n))
        write(tmp_path, f"{n}_mask.png", np.repeat(a_mask((0, 255))[..., None], 3, axis=2))
    (tmp_path / "class_dict.csv").write_text("name,r,g,b\nroad,255,255,255\nother,0,0,0\n")
    reading = read_masks(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert reading.found[0].target["classes"] == ["other", "road"]


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
    assert not any(has_instances(found.target) for found in reading.found)


@pytest.mark.parametrize("some", [1, 4])
def test_smooth_borders_of_every_grey_are_no_instances(some: int, tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"images/a{n}.png", np.tile(photo(n), (5, 8, 1)))
        mask = np.zeros((150, 320), np.uint8)
        mask[20:130, 161:] = 255
        mask[40, 33:289] = np.arange(256) if n < some else 255
        write(tmp_path, f"masks/a{n}.png", mask)
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert shares(reading.found[0].target)["foreground"] == pytest.approx(110 * 159 / (150 * 320))
    assert not any(has_instances(found.target) for found in reading.found)


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


def test_colours_are_named_by_lines_of_several_words(tmp_path: Path) -> None:
    colours = np.zeros((30, 40, 3), np.uint8)
    colours[:, 20:] = (128, 64, 128)
    for n in range(4):
        write(tmp_path, f"images/a{n}.png", photo(n))
        write(tmp_path, f"labels/a{n}.png", colours)
    (tmp_path / "label_colors.txt").write_text("128 64 128\ttraffic light\n0 0 0\tsky\n")
    assert {name for target in read_pairs(tmp_path).values() for name in target["classes"]} == {"traffic light", "sky"}


def test_more_things_than_a_mask_can_keep_apart_are_told(tmp_path: Path) -> None:
    for n, most in enumerate((300, 20)):
        write(tmp_path, f"images/a{n}.png", photo(n))
        write(tmp_path, f"masks/a{n}.png", (np.arange(1200) * (most + 1) // 1200).astype(np.uint16).reshape(30, 40))
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    (told,) = [line for line in reading.evidence if "kept as one thing" in line]
    assert told.startswith("1 picture has more than 254 numbered things, as images/a0.png has 300: ")


@pytest.mark.parametrize("is_coloured", [False, True])
def test_values_that_the_list_of_classes_lacks_are_one_finding_with_their_files(
    is_coloured: bool, tmp_path: Path
) -> None:
    colours = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0), (9, 9, 250)], np.uint8)
    for n in range(12):
        mask = a_mask((0, 1, 2, 3) if n in (3, 5) else (0, 1, 2))
        write(tmp_path / "data", f"images/a{n}.png", photo(n))
        write(tmp_path / "data", f"masks/a{n}.png", colours[mask] if is_coloured else mask)
    spelled = "ground,0,0,0\ncat,255,0,0\ndog,0,255,0\n" if is_coloured else "ground\ncat\ndog\n"
    (tmp_path / "data" / ("class_dict.csv" if is_coloured else "classes.txt")).write_text(spelled)
    assert snowroll("init", tmp_path, "--task", "segment_images").code == 0
    faults = snowroll("check", tmp_path, "--json").json["faults"]
    (found,) = (fault for fault in faults if fault["code"] in ("unnamed_value", "rare_class"))
    value = "#0909fa" if is_coloured else "3"
    assert found["code"] == "unnamed_value"
    assert found["paths"] == ["images/a3.png", "images/a5.png"]
    assert f"(value {value})" in found["message"]
    assert f"--prepare.ignore '{value}'" in found["cure"]
    told = snowroll("check", tmp_path, "--json", "--prepare.ignore", value).json["faults"]
    assert "unnamed_value" not in {fault["code"] for fault in told}
