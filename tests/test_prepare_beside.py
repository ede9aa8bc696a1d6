"""Labels in files beside the pictures, as WebDataset's tars hold them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from prepare_kit import jpeg, plant, read, tarred, told, zipped

from snowroll.project.inputs import inputs
from snowroll.project.opened import open_project
from snowroll.verbs.init import init

CLASSES = ("cat", "dog", "emu")


def shard(first: int, n: int, beside: Callable[[int], Mapping[str, bytes]]) -> bytes:
    files: dict[str, bytes] = {}
    for number in range(first, first + n):
        files[f"{number:06}.jpg"] = jpeg(number)
        files |= {f"{number:06}.{ending}": raw for ending, raw in beside(number).items()}
    return tarred(files, "w")


def shards(beside: Callable[[int], Mapping[str, bytes]]) -> dict[str, bytes]:
    sizes = {"train-000000": 6, "train-000001": 6, "val-000000": 3, "test-000000": 3}
    return {f"{name}.tar": shard(10 * at, n, beside) for at, (name, n) in enumerate(sizes.items())}


def of_class(number: int) -> str:
    return CLASSES[number % 3]


def as_json(number: int) -> bytes:
    return json.dumps({"key": f"{number:06}", "label": of_class(number), "width": 32, "patient": number // 2}).encode()


@pytest.mark.parametrize(
    "beside",
    [
        lambda number: {"cls": str(number % 3).encode()},
        lambda number: {"cls": f"{of_class(number)}\n".encode(), "txt": b"a picture", "json": b"{}"},
        lambda number: {"json": as_json(number)},
        lambda number: {"txt": of_class(number).encode(), "json": json.dumps({"key": number, "sha": "x"}).encode()},
    ],
    ids=["numbers", "names", "objects", "texts"],
)
def test_shards_of_pictures_and_their_labels(tmp_path: Path, beside: Any, request: pytest.FixtureRequest) -> None:
    reading = read(plant(tmp_path, shards(beside)))
    is_number = request.node.callspec.id == "numbers"
    expected = {
        (f"{name}.tar!{number:06}.jpg", str(number % 3) if is_number else of_class(number), name.partition("-")[0])
        for at, (name, n) in enumerate(
            {"train-000000": 6, "train-000001": 6, "val-000000": 3, "test-000000": 3}.items()
        )
        for number in range(10 * at, 10 * at + n)
    }
    assert {*told(reading)} == expected
    assert reading.layout == "a label beside each picture"
    assert not [where for where in reading.skipped if where.endswith((".cls", ".jpg"))]


def test_numbers_have_the_names_that_a_list_gives_them(tmp_path: Path) -> None:
    files = shards(lambda number: {"cls": str(number % 3).encode()})
    reading = read(plant(tmp_path, {**files, "classnames.txt": "\n".join(CLASSES).encode() + b"\n"}))
    assert {one.target for one in reading.found} == {*CLASSES}


def test_the_patients_of_objects_are_groups(tmp_path: Path) -> None:
    reading = read(plant(tmp_path, shards(lambda number: {"json": as_json(number)})))
    assert {one.where: one.group for one in reading.found}["train-000000.tar!000003.jpg"] == "1"


def test_splits_as_folders_and_pictures_that_share_a_label_stay_together(tmp_path: Path) -> None:
    def tar(first: int) -> bytes:
        files = {f"a/{n}.{side}.jpg": jpeg(n) for n in range(first, first + 3) for side in ("left", "right")}
        return tarred({**files, **{f"a/{n}.cls": str(n % 2).encode() for n in range(first, first + 3)}}, "w")

    reading = read(plant(tmp_path, {"train/0.tar": tar(0), "train/1.tar": tar(3), "test/0.tar": tar(6)}))
    assert len(reading.found) == 18
    assert {(one.where.partition("/")[0], one.split) for one in reading.found} == {("train", "train"), ("test", "test")}
    groups = {one.where: one.group for one in reading.found}
    assert groups["train/0.tar!a/1.left.jpg"] == groups["train/0.tar!a/1.right.jpg"] == "train/0.tar!a/1.cls"


def test_of_a_shard_only_the_pictures_are_answered(tmp_path: Path) -> None:
    root = plant(tmp_path / "p", shards(lambda number: {"cls": str(number % 3).encode()}))
    init(root, None, (), "", {}, print)
    unread: dict[str, str] = {}
    given = dict(inputs(open_project(root, {}), [root / "val-000000.tar"], unread))
    assert [*given] == [f"{root}/val-000000.tar!{number:06}.jpg" for number in (20, 21, 22)]
    assert not unread


@pytest.mark.parametrize("packed", [None, zipped])
def test_in_a_folder_and_what_has_none(tmp_path: Path, packed: Any) -> None:
    files = {f"{n}.jpg": jpeg(n) for n in range(8)} | {f"{n}.cls": of_class(n).encode() for n in range(7)}
    reading = read(plant(tmp_path, {"x.zip": packed(files)} if packed else files))
    home = "x.zip!" if packed else ""
    assert {(one.where, one.target) for one in reading.found} == {(f"{home}{n}.jpg", of_class(n)) for n in range(7)}
    assert reading.skipped[f"{home}7.jpg"] == "there is no label beside it"


@pytest.mark.parametrize(
    "beside",
    [
        lambda n: {"json": json.dumps({"version": "5.0", "imageHeight": 20 + n % 2, "shapes": []}).encode()},
        lambda n: {"json": b"{"},
        lambda n: {"json": json.dumps([n]).encode()},
        lambda n: {"json": json.dumps({"type": "photo", "x": n, "y": n % 2}).encode()},
        lambda n: {"txt": f"caption number {n}".encode()},
        lambda n: {"txt": f"{n % 2} 0.5 0.5 0.1 0.1".encode()},
        lambda n: {"cls": b"1" * 900},
    ],
)
def test_other_files_beside_pictures_tell_no_class(tmp_path: Path, beside: Any) -> None:
    root = plant(tmp_path, {"train-000000.tar": shard(0, 12, beside)})
    reading = read(root, labels=("a", "b"))
    assert reading.layout == "pictures without labels"


def test_texts_beside_pictures_in_class_folders_change_nothing(tmp_path: Path) -> None:
    files = {f"{of_class(n)}/{n}.jpg": jpeg(n) for n in range(12)}
    files |= {f"{of_class(n)}/{n}.txt": str(n % 2).encode() for n in range(12)}
    reading = read(plant(tmp_path, files))
    assert reading.layout == "class folders"


def test_a_list_of_labels_comes_before_files_beside(tmp_path: Path) -> None:
    files = {f"{n}.jpg": jpeg(n) for n in range(8)} | {f"{n}.cls": of_class(n).encode() for n in range(8)}
    lines = "".join(f"{n}.jpg,{'ab'[n % 2]}\n" for n in range(8))
    reading = read(plant(tmp_path, {**files, "labels.csv": f"path,label\n{lines}".encode()}))
    assert {one.target for one in reading.found} == {"a", "b"}
