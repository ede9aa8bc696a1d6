"""Masks are found beside their pictures, in whatever folders they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from house_kit import snowroll
from mask_kit import a_mask, half, photo, read_pairs, write

from snowroll.base.errors import UsageError
from snowroll.prepare.mask_targets import mask_of, shares
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
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
