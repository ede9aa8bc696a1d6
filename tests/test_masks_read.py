"""Masks and outlines, found and read in whatever folders and files they lie."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from house_kit import snowroll
from mask_kit import a_mask, photo, write
from PIL import Image

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Json
from snowroll.prepare.mask_targets import mask_of, numbered, shares
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.segment_images.instances import has_instances
from snowroll.tasks.segment_images.reading import read_masks

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
    "films": ("img/film{n}/0.jpg", "gt/film{n}/0.png"),
    "films of their own": ("film{n}/img/0.jpg", "film{n}/gt/0.png"),
    "films beside": ("film{n}/0.png", "film{n}/0_mask.png"),
    "films deep": ("train/film{n}/frames/0.png", "train/film{n}/frames/0_mask.png"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_are_found_in_any_common_layout(layout: str, tmp_path: Path) -> None:
    picture, mask = LAYOUTS[layout]
    for n in range(10):
        write(tmp_path, picture.format(n=n), photo(n))
        write(tmp_path, mask.format(n=n), a_mask((0, 1, 2)))
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {found.where for found in reading.found} == {picture.format(n=n) for n in range(10)}
    assert all(np.array_equal(mask_of(found.target), a_mask((0, 1, 2))) for found in reading.found)
    assert reading.found[0].target["classes"] == ["0", "1", "2"]


def test_splits_and_groups_of_manifests_and_lists_are_kept(tmp_path: Path) -> None:
    for n in range(6):
        write(tmp_path, f"JPEGImages/a{n}.jpg", photo(n))
        write(tmp_path, f"SegmentationClass/a{n}.png", a_mask((0, 1, 2)))
    for split, some in (("train", range(3)), ("val", range(3, 5))):
        (tmp_path / "ImageSets/Segmentation").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"ImageSets/Segmentation/{split}.txt").write_text("".join(f"a{n}\n" for n in some))
    (tmp_path / "people.csv").write_text(
        "image,mask,patient\n" + "".join(f"a{n}.jpg,a{n}.png,p{n % 2}\n" for n in range(6))
    )
    reading = read_masks(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    splits = [*["train"] * 3, *["val"] * 2, None]
    assert {found.where: (found.split, found.group) for found in reading.found} == {
        f"JPEGImages/a{n}.jpg": (splits[n], f"p{n % 2}") for n in range(6)
    }
    assert not reading.skipped


def read_pairs(folder: Path, settings: PrepareSettings = PrepareSettings()) -> dict[str, Json]:  # noqa: B008 (frozen)
    """Picture -> its target, with the numbers of its mask as they are told."""
    reading = read_masks(Folder(folder), settings)
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


@pytest.mark.parametrize("name", ["{n:02}L_{who}HO.png", "labels-{who}/{n:02}L.{who}.ppm"])
def test_two_people_who_outline_the_same_are_no_classes(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for n in range(6):
        write(tmp_path, f"eyes/{n:02}L.jpg" if "/" in name else f"{n:02}L.jpg", photo(n))
        for who in ("1st", "2nd"):
            drawn = np.roll(half(n % 4), int(rng.integers(1, 4)) * (1 if who == "1st" else -1), axis=1)
            write(tmp_path, name.format(n=n, who=who), drawn)
    reading = read_masks(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert {kind for one in reading.found for kind in one.target["classes"]} == {"background", "foreground"}
    assert any("several outlines of the same things" in sentence for sentence in reading.evidence)
    assert len(reading.skipped) == 6


def test_a_class_within_another_is_a_class(tmp_path: Path) -> None:
    for n in range(6):
        write(tmp_path, f"{n}.jpg", photo(n))
        for who, width in (("disc", 20), ("cup", 14)):
            mask = np.zeros((30, 40), np.uint8)
            mask[:, n : n + width] = 255
            write(tmp_path, f"{n}_{who}_mask.png", mask)
    assert shares(read_pairs(tmp_path)["0.jpg"]) == {"background": 0.5, "disc": 0.15, "cup": 0.35}


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


def test_what_is_passed_over_elsewhere_marks_no_picture(tmp_path: Path) -> None:
    """Of the test pictures the vessels are kept secret, and the field of view is there."""
    for n in range(12):
        split = "training" if n < 8 else "test"
        write(tmp_path, f"{split}/images/{n:02}_{split}.png", photo(n))
        if n < 8:
            write(tmp_path, f"training/1st_manual/{n:02}_manual1.png", half(n % 4))
        lens = np.zeros((30, 40), np.uint8)
        lens[4:26, 5:35] = 255
        lens[4, 5 + n] = 0
        write(tmp_path, f"{split}/mask/{n:02}_{split}_mask.png", lens)
    found = read_pairs(tmp_path)
    assert {where for where, target in found.items() if target} == {
        f"training/images/{n:02}_training.png" for n in range(8)
    }
    assert len(found) == 12


def test_all_classes_in_one_file_are_meant_and_not_those_of_one_each(tmp_path: Path) -> None:
    colours = np.zeros((30, 40, 3), np.uint8)
    colours[:, 10:20], colours[:, 20:30] = (0, 0, 255), (255, 0, 0)
    for n in range(8):
        split = "train_val" if n < 5 else "TEST"
        write(tmp_path, f"{split}/images/d_{n}_.jpg", photo(n))
        write(tmp_path, f"{split}/masks/d_{n}_.bmp", colours)
        if n >= 5:
            for place, name in enumerate(("HD", "RO")):
                write(tmp_path, f"TEST/masks/{name}/d_{n}_.bmp", half(place))
    found = read_pairs(tmp_path)
    assert {name for target in found.values() for name in target["classes"]} == {"#000000", "#0000ff", "#ff0000"}


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


@pytest.mark.parametrize("layout", ["JPEGImages/{film}/{n}.jpg", "{film}/images/{n}.jpg", "images/{film}/{n}.jpg"])
def test_frames_that_films_number_alike_keep_their_masks(layout: str, tmp_path: Path) -> None:
    """One of the films is not marked: it has no other's masks."""
    films = ("train", "bear", "val", "camel")
    for place, film in enumerate(films):
        for n in range(3):
            where = layout.format(film=film, n=n)
            write(tmp_path, where, photo(10 * place + n))
            home = where.replace("JPEGImages", "Annotations").replace("images", "masks")
            if film != "camel":
                write(tmp_path, home.replace(".jpg", ".png"), half(place))
    found = {where: target for where, target in read_pairs(tmp_path).items() if target is not None}
    assert found.keys() == {layout.format(film=film, n=n) for film in films[:3] for n in range(3)}
    for place, film in enumerate(films[:3]):
        assert np.array_equal(mask_of(found[layout.format(film=film, n=0)]) > 0, half(place) > 0)


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


@pytest.mark.slow
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
    [
        ("TCGA_{n}", "segment_images"),
        ("{kind}", "classify_images"),
        ("{n}/images|{n}/masks", "segment_images"),
        ("{split}crop", "segment_images"),
    ],
)
def test_folders_of_cases_are_no_classes_and_folders_of_classes_are(home: str, meant: str, tmp_path: Path) -> None:
    for n in range(12):
        there, _, beside = home.format(n=n // 4, kind="ab"[n % 2], split=("train", "val", "test")[n % 3]).partition("|")
        write(tmp_path, f"data/{there}/x{n}.png", photo(n))
        write(tmp_path, f"data/{beside or there}/x{n}_mask.png", half(n % 3))
    said = snowroll("init", tmp_path, "--json")
    assert said.json["task"] == meant
    assert said.json["other_tasks"] == (["segment_images"] if meant == "classify_images" else [])


@pytest.mark.parametrize(
    ("home", "groups"),
    [
        ("scans/TCGA_{site}_{n}/TCGA_{site}_{n}_{k}", 12),  # two sites, a folder a patient
        ("train/seq{n}/images/{k}", 12),
        ("case{n}/{k}", 12),
        ("{site}/{n}_{k}", 0),  # hospitals
        ("part{half}/{n}_{k}", 0),  # too few to draw splits of
        ("case{n}_{k}/a", 0),  # a folder a picture
    ],
)
def test_pictures_in_a_folder_of_their_patient_or_film_stay_within_one_split(
    home: str, groups: int, tmp_path: Path
) -> None:
    for n in range(12):
        for k in range(3):
            place = home.format(n=n + 10, k=k, site="ab"[n % 2], half=n % 2)
            write(tmp_path, f"{place}.png", photo(n))
            write(tmp_path, f"{place}_mask.png", a_mask((0, 1)))
    asked = r"(\d)(/a)?\.png$"
    for pattern, told in (("", groups), (asked, 3)):
        reading = read_masks(Folder(tmp_path), PrepareSettings(group=pattern))
        assert reading is not None
        assert len({found.group for found in reading.found} - {None}) == told
    if groups:
        begun = snowroll("init", tmp_path / "p", "--data", tmp_path, "--json").json
        assert begun["task"] == "segment_images"
        assert not begun["other_tasks"]


def test_folders_that_name_kinds_are_offered_beside_masks_in_folders_of_their_own(tmp_path: Path) -> None:
    """As chest X-rays come: COVID/images, COVID/masks, Normal/images, Normal/masks."""
    for n in range(12):
        write(tmp_path, f"data/{('COVID', 'Normal')[n % 2]}/images/x{n}.png", photo(n))
        write(tmp_path, f"data/{('COVID', 'Normal')[n % 2]}/masks/x{n}.png", half(n % 3))
    said = snowroll("init", tmp_path, "--json").json
    assert (said["task"], said["other_tasks"]) == ("segment_images", ["classify_images"])


def test_domains_are_no_classes_where_all_masks_but_those_of_the_test_are_there(tmp_path: Path) -> None:
    for n in range(24):
        home = f"data/{('Train', 'Val', 'Test')[n % 3]}/{('Rural', 'Urban')[n // 12]}"
        write(tmp_path, f"{home}/images_png/{n}.png", photo(n))
        if n % 3 < 2:
            write(tmp_path, f"{home}/masks_png/{n}.png", a_mask((1, 2, 3, 4)))
    said = snowroll("init", tmp_path, "--json").json
    assert (said["task"], said["samples"], said["labelled"]) == ("segment_images", 24, 16)


def test_masks_of_nothing_that_is_judged_are_no_labels(tmp_path: Path) -> None:
    for n in range(12):
        split = "test" if n % 3 == 2 else "train"
        write(tmp_path, f"images/{split}/t_{n}.png", photo(n))
        write(tmp_path, f"gt/{split}/t_{n}_gt.png", a_mask((255,) if split == "test" else (0, 1, 2, 255)))
    reading = read_masks(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert {one.where for one in reading.found if one.target is None} == {
        f"images/test/t_{n}.png" for n in range(2, 12, 3)
    }
    assert any("4 masks hold nothing that is judged" in sentence for sentence in reading.evidence)


def test_folders_of_parts_with_masks_among_them_are_groups(tmp_path: Path) -> None:
    for n in range(12):
        for k in range(3):
            write(tmp_path, f"data/kos{n:02}/Part{k}.jpg", photo(n))
            write(tmp_path, f"data/kos{n:02}/Part{k}_label.bmp", half(n % 4) * np.uint8(k == 1))
    reading = read_masks(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert (len(reading.found), len({one.group for one in reading.found})) == (36, 12)
    said = snowroll("init", tmp_path, "--json").json
    assert (said["task"], said["other_tasks"]) == ("segment_images", [])


def test_the_user_says_which_masks_are_meant(tmp_path: Path) -> None:
    """Two people outlined the same."""
    for n in range(12):
        write(tmp_path, f"img/{n}.jpg", photo(n))
        for place, who in enumerate(("ann", "bo")):
            write(tmp_path, f"{who}/{n}.png", half(place))
    for place, who in enumerate(("ann", "bo")):
        found = read_pairs(tmp_path, PrepareSettings(masks=f"^{who}/"))
        assert found.keys() == {f"img/{n}.jpg" for n in range(12)}
        assert all(np.array_equal(mask_of(target) > 0, half(place) > 0) for target in found.values())
    with pytest.raises(UsageError, match="matches no path"):
        read_pairs(tmp_path, PrepareSettings(masks="nobody"))


def test_the_user_says_what_looks_cannot(tmp_path: Path) -> None:
    """Some of the pictures are drawings of few colours, and no name says which are masks."""
    for n in range(12):
        write(tmp_path, f"a/{n}.png", half(n) if n % 2 else photo(n))
        write(tmp_path, f"b/{n}.png", half(0))
    assert read_masks(Folder(tmp_path), PrepareSettings()) is None
    assert read_pairs(tmp_path, PrepareSettings(masks="^b/")).keys() == {f"a/{n}.png" for n in range(12)}


def test_classes_of_four_words_are_classes(tmp_path: Path) -> None:
    kinds = ("globules", "milia_like_cyst", "negative_network")
    for n in range(6):
        write(tmp_path, f"input/ISIC_{n:07}.jpg", photo(n))
        for place, kind in enumerate(kinds):
            write(tmp_path, f"truth/ISIC_{n:07}_attribute_{kind}.png", half(place) * np.uint8(n != place))
    found = {name for target in read_pairs(tmp_path).values() for name in target["classes"]}
    assert found == {"background", *(f"attribute {kind.replace('_', ' ')}" for kind in kinds)}


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


def test_the_limit_of_a_mask_is_that_of_its_picture(tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path, f"images/a{n}.jpg", photo(n))
        write(tmp_path, f"masks/a{n}.png", np.repeat(half(0), 1 + (n == 3), axis=0))
    reading = read_masks(Folder(tmp_path), PrepareSettings(megapixels=0.002))
    assert reading is not None
    assert "2,400 pixels" not in str(reading.skipped)
    assert "a mask of 40 x 60 pixels" in reading.skipped["images/a3.jpg"]


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
