"""Classes in the names of files: told where they come again and again, and never made of what names are full of."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import UsageError
from snowroll.prepare.class_names import classes_in_names, read_classes
from snowroll.prepare.layouts import read_images
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings


def names(*patterns: str, each: int = 8) -> list[str]:
    return [pattern.format(n=n) for pattern in patterns for n in range(each)]


@pytest.mark.parametrize(
    ("files", "classes"),
    [
        (names("train/cat.{n}.jpg", "train/dog.{n}.jpg"), {"cat", "dog"}),
        (names("red_setter_{n}.jpg", "red_fox_dog_{n}.jpg", "Pug_{n}.jpg"), {"red_setter", "red_fox_dog", "Pug"}),
        (names("glass{n}.jpg", "metal{n}.jpg", "set.zip!paper{n}.jpg"), {"glass", "metal", "paper"}),
        (names(*(f"{digit}_{who}_{{n}}.wav" for digit in "0123" for who in ("ann", "bo", "cy"))), set("0123")),
        (names(*(f"{digit}_{{n}}.png" for digit in range(10))), set("0123456789")),
        (names("cat_a{n}f.png", "dog_b{n}e.png"), {"cat", "dog"}),
        (names("benign ({n}).png", "malignant ({n}).png"), {"benign", "malignant"}),
    ],
)
def test_classes_that_names_tell(files: list[str], classes: set[str]) -> None:
    told, why = classes_in_names(files)
    assert set(told.values()) == classes
    assert len(told) == len(files)
    assert "prepare.label" in why


def test_names_that_cross_two_things_say_so() -> None:
    _, why = classes_in_names(names(*(f"{word}_{who}_{{n}}.wav" for word in ("yes", "no") for who in ("ann", "bo"))))
    assert "each goes with what follows (ann, bo ...)" in why


@pytest.mark.parametrize(
    "files",
    [
        names("IMG_{n}.jpg", each=40),
        names("IMG_2019_{n}.jpg", "IMG_2020_{n}.jpg", each=20),
        names("train_{n}.png", "test_{n}.png"),
        names(*(f"centre_2018_07_16_17_1{minute}_{{n}}.jpg" for minute in range(8))),
        names("img_{n}.png", "mask_{n}.png"),
        names("cat_{n}.png", "dog_{n}.png", each=2),
        [f"{n:04}.png" for n in range(50)],
        [f"holiday{chr(97 + n % 26)}{n}x.png" for n in range(50)],
        [],
    ],
)
def test_names_that_tell_no_class(files: list[str]) -> None:
    assert classes_in_names(files)[0] == {}


@given(st.lists(st.text(st.characters(exclude_characters="/!"), max_size=12), max_size=40, unique=True))
@settings(max_examples=200)
def test_any_names_are_read(files: list[str]) -> None:
    told, _ = classes_in_names([f"{name}.png" for name in files])
    assert all(told.values())


def plant(folder: Path, files: list[str]) -> Folder:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return Folder(folder)


def test_folders_are_trusted_more_than_names(tmp_path: Path) -> None:
    files = names("a/cat_{n}.jpg", "b/dog_{n}.jpg", "b/cat_{n}.png")
    reading = read_images(plant(tmp_path, files), PrepareSettings())
    assert reading is not None
    assert {one.target for one in reading.found} == {"a", "b"}


def test_one_folder_is_no_class_where_names_tell(tmp_path: Path) -> None:
    files = [*names("train/cat.{n}.jpg", "train/dog.{n}.jpg"), *names("test1/{n}.jpg", each=4)]
    reading = read_images(plant(tmp_path, files), PrepareSettings())
    assert reading is not None
    assert reading.layout == "classes in the names of files"
    assert {(one.target, one.split) for one in reading.found} == {("cat", "train"), ("dog", "train")}
    assert reading.skipped["test1/0.jpg"] == "its name tells no class"


def test_a_pattern_is_asked_before_all_else(tmp_path: Path) -> None:
    folder = plant(tmp_path, names("a/cat_red_{n}.jpg", "b/dog_blue_{n}.jpg", "c/x{n}.jpg"))
    reading = read_images(folder, PrepareSettings(label=r"_(red|blue)_"))
    assert reading is not None
    assert {one.target for one in reading.found} == {"red", "blue"}
    assert sum(why == "its name tells no class" for why in reading.skipped.values()) == 8
    with pytest.raises(UsageError, match="matches no path"):
        read_images(folder, PrepareSettings(label="nothing"))
    with pytest.raises(UsageError, match="is no pattern"):
        read_classes(["a.png"], PrepareSettings(label="("))


def test_classes_that_the_user_names_are_asked_for(tmp_path: Path) -> None:
    folder = plant(tmp_path, [*names("beach_{n}.jpg", "city_{n}.jpg"), *names("IMG{n}.jpg", each=3)])
    asked = read_images(folder, PrepareSettings(labels=("beach", "wood")))
    assert asked is not None
    assert [one.target for one in asked.found] == [None] * 19
    told = read_images(folder, PrepareSettings(labels=("beach", "wood"), label="^([a-z]+)_"))
    assert told is not None
    assert len(told.found) == 19
    assert {one.target for one in told.found} == {"beach", None}
