"""Which class, split and group a table, a list or flags give each picture."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_kit import names, plant, read, splits, table, targets

from snowroll.base.errors import UsageError
from snowroll.prepare.layouts import read_images
from snowroll.prepare.manifest import SEVERAL
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.several_labels import several_labels

ROWS = [["path", "label", "split", "patient"], ["i/1.jpg", "yes", "train", "p1"], ["i/2.jpg", "no", "test", "p2"]]


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
def test_a_table_of_pictures(tmp_path: Path, mark: str) -> None:
    files = {**names("i/1.jpg", "i/2.jpg", "i/3.jpg"), "meta.tsv" if mark == "\t" else "meta.csv": table(ROWS, mark)}
    reading = read(plant(tmp_path, files))
    assert [(f.where, f.target, f.split, f.group) for f in reading.found] == [
        ("i/1.jpg", "yes", "train", "p1"),
        ("i/2.jpg", "no", "test", "p2"),
    ]
    assert reading.skipped["i/3.jpg"] == "not named in the manifest"
    assert "path from 'path', label from 'label', split from 'split', group from 'patient'" in reading.evidence[1]


@pytest.mark.parametrize(
    "cell",
    [
        "i/1.jpg",
        "./i/1.jpg",
        "1.jpg",
        "1",
        "i\\1.jpg",
        "I/1.JPG",
        "/home/else/set/i/1.jpg",
        "wrapper/i/1.jpg",
        "../i/1.jpg",
    ],
)
def test_ways_of_naming_a_picture(tmp_path: Path, cell: str) -> None:
    rows = [["Image_ID", "ClassId"], *[[cell.replace("1", str(n)), str(n % 2)] for n in (1, 2, 3, 4)]]
    home = "labels/" if cell.startswith("..") else ""
    files = {**names(*[f"i/{n}.jpg" for n in (1, 2, 3, 4)]), f"{home}t.csv": table(rows)}
    assert targets(read(plant(tmp_path, files))) == {"i/1.jpg": "1", "i/2.jpg": "0", "i/3.jpg": "1", "i/4.jpg": "0"}


def test_absent_pictures_and_climbing_paths_are_named(tmp_path: Path) -> None:
    rows = [
        ["file", "class"],
        ["1.jpg", "a"],
        ["2.jpg", "b"],
        ["gone.jpg", "a"],
        ["../../etc/passwd", "b"],
        ["3.jpg", "b"],
    ]
    reading = read(plant(tmp_path, {**names("1.jpg", "2.jpg", "3.jpg"), "labels.csv": table(rows)}))
    assert len(reading.found) == 3
    assert reading.skipped["gone.jpg"] == "named in labels.csv line 4, but there is no such file"
    assert reading.skipped["../../etc/passwd"] == "named in labels.csv line 5, but the path leaves the folder"
    assert any(line == "2 rows name files that cannot be found" for line in reading.evidence)


def test_a_picture_with_two_labels_is_left_out_and_one_name_in_two_places_is_not_guessed(tmp_path: Path) -> None:
    rows = [
        ["file", "class"],
        ["1.jpg", "a"],
        ["1.jpg", "b"],
        ["2.jpg", "a"],
        ["2.jpg", "a"],
        ["3.jpg", "b"],
        ["4.jpg", "b"],
    ]
    files = names("x/1.jpg", "x/2.jpg", "x/3.jpg", "y/3.jpg", "x/4.jpg")
    reading = read(plant(tmp_path, {**files, "labels.csv": table(rows)}))
    assert targets(reading) == {"x/2.jpg": "a", "x/4.jpg": "b"}
    assert reading.skipped["x/1.jpg"] == (
        "two rows that disagree: labels 'a' (labels.csv line 2) and 'b' (labels.csv line 3)"
    )
    assert "2 files have that name" in reading.skipped["3.jpg"]


def test_a_picture_with_rows_in_two_splits_is_left_out(tmp_path: Path) -> None:
    rows = [["file", "class", "split"], ["1.jpg", "a", "train"], ["1.jpg", "a", "test"], ["2.jpg", "b", "train"]]
    reading = read(plant(tmp_path, {**names("1.jpg", "2.jpg"), "labels.csv": table(rows)}))
    assert targets(reading) == {"2.jpg": "b"}
    assert reading.skipped["1.jpg"].startswith("two rows in different splits: 'train'")


def test_a_manifest_without_header_or_in_another_encoding_or_as_json_lines(tmp_path: Path) -> None:
    files = names("1.jpg", "2.jpg")
    plain = read(plant(tmp_path / "1", {**files, "l.csv": b"1.jpg,cat\n2.jpg,dog\n"}))
    assert targets(plain) == {"1.jpg": "cat", "2.jpg": "dog"}
    wide = read(plant(tmp_path / "2", {**files, "l.csv": "path,label\n1.jpg,猫\n2.jpg,犬\n".encode("utf-16")}))
    assert targets(wide) == {"1.jpg": "猫", "2.jpg": "犬"}
    lines = [json.dumps({"path": f"{n}.jpg", "label": n, "box": [1]}) for n in (1, 2)]
    odd = "\n".join([*lines, "not json", "[1]", '{"path": NaN}', "[" * 100_000])
    jsonl = read(plant(tmp_path / "3", {**files, "l.jsonl": odd.encode()}))
    assert targets(jsonl) == {"1.jpg": "1", "2.jpg": "2"}
    assert [key for key in jsonl.skipped if key.startswith("l.jsonl:")] == [f"l.jsonl:{n}" for n in (3, 4, 5, 6)]


def test_a_manifest_beside_class_folders(tmp_path: Path) -> None:
    files = names(*[f"{c}/{n}.jpg" for c in ("cat", "dog") for n in range(8)])
    numbered = [["Path", "ClassId"], *[[path, str(int("dog" in path))] for path in files]]
    reading = read(plant(tmp_path / "1", {**files, "labels.csv": table(numbered)}))
    assert set(targets(reading).values()) == {"cat", "dog"}
    few = read(plant(tmp_path / "2", {**files, "labels.csv": table([["path", "label"], ["cat/1.jpg", "odd"]])}))
    assert set(targets(few).values()) == {"cat", "dog"}
    assert any("labels only 1 of 16" in line for line in few.evidence)
    people = [["path", "patient"], *[[path, f"p{i % 4}"] for i, path in enumerate(files)]]
    groups = read(plant(tmp_path / "3", {**files, "people.csv": table(people)}))
    assert set(targets(groups).values()) == {"cat", "dog"}
    assert {found.group for found in groups.found} == {"p0", "p1", "p2", "p3"}


def test_manifests_named_after_splits(tmp_path: Path) -> None:
    files = names("train/1.jpg", "train/2.jpg", "test/1.jpg", "meta/1.jpg")
    tables = {
        "Train.csv": table([["ClassId", "Path"], ["0", "train/1.jpg"], ["1", "train/2.jpg"]]),
        "Test.csv": table([["ClassId", "Path"], ["0", "test/1.jpg"]]),
        "Meta.csv": table([["ClassId", "Path"], ["0", "meta/1.jpg"]]),
    }
    reading = read(plant(tmp_path, files | tables))
    assert splits(reading) == {"train/1.jpg": "train", "train/2.jpg": "train", "test/1.jpg": "test"}
    assert "for no split" in reading.skipped["Meta.csv"]


def test_columns_the_user_names(tmp_path: Path) -> None:
    rows = [["a", "b", "c"], ["1.jpg", "x", "u"], ["2.jpg", "y", "v"]]
    plant(tmp_path, {**names("1.jpg", "2.jpg"), "l.csv": table(rows)})
    assert set(targets(read(tmp_path, label_column="c")).values()) == {"u", "v"}
    with pytest.raises(UsageError, match="no column 'd'"):
        read(tmp_path, label_column="d")


CELL = st.one_of(
    st.sampled_from(["1.jpg", "2.jpg", "a", "b", "../x", "", '"', "\x00", "é", "train"]), st.text(max_size=6)
)


@given(st.lists(st.lists(CELL, max_size=4), max_size=8), st.sampled_from([",", "\t", ";"]))
@settings(max_examples=80)
def test_any_table_gives_a_reading_or_none(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], mark: str
) -> None:
    text = "\n".join(mark.join(row) for row in rows).encode("utf-8", "replace")
    root = plant(tmp_path_factory.mktemp("m"), {**names("1.jpg", "2.jpg"), "l.csv": text, "l.jsonl": text})
    reading = read_images(Folder(root), PrepareSettings())
    if reading is not None:
        assert {found.where for found in reading.found} <= {"1.jpg", "2.jpg"}


def test_lists_of_names_tell_splits_and_labels(tmp_path: Path) -> None:
    files = names(*(f"{kind}/{n}.jpg" for kind in ("a", "b") for n in range(4)))
    lists = {"testing_list.txt": b"a/0.jpg\nb/0.jpg\n", "val.txt": b"a/1\nb/1\n", "notes.txt": b"two lines\nof words\n"}
    reading = read(plant(tmp_path, {**files, **lists}))
    splits = {found.where: found.split for found in reading.found}
    assert {where for where, split in splits.items() if split == "test"} == {"a/0.jpg", "b/0.jpg"}
    assert {where for where, split in splits.items() if split == "val"} == {"a/1.jpg", "b/1.jpg"}


def test_a_list_with_labels_is_a_manifest(tmp_path: Path) -> None:
    listed = {"train.txt": b"1.jpg 0\n2.jpg 1\n3.jpg 0\n", "test.txt": b"4.jpg 1\n"}
    reading = read(plant(tmp_path, {**names("1.jpg", "2.jpg", "3.jpg", "4.jpg"), **listed}))
    told = {found.where: (found.target, found.split) for found in reading.found}
    assert told == {
        "1.jpg": ("0", "train"),
        "2.jpg": ("1", "train"),
        "3.jpg": ("0", "train"),
        "4.jpg": ("1", "test"),
    }


def test_a_running_number_is_no_label(tmp_path: Path) -> None:
    """As ImageNet's lists count their lines."""
    pictures = [f"CLS-LOC/train/{c}/{c}_{i}.jpg" for c in ("n01", "n02") for i in range(6)]
    all_of_them = "\n".join(f"{where[14:-4]} {n}" for n, where in enumerate(pictures, 1))
    some = "\n".join(f"{where[14:-4]} {n}" for n, where in enumerate(pictures[3:9], 1))
    lists = {"ImageSets/train_cls.txt": all_of_them.encode(), "ImageSets/train_loc.txt": some.encode()}
    reading = read(plant(tmp_path, {**names(*pictures), **lists}))
    assert targets(reading) == {where: where.split("/")[2] for where in pictures}
    assert set(splits(reading).values()) == {"train"}


def test_one_picture_of_each_class_is_a_list_of_labels_where_another_list_gives_many(tmp_path: Path) -> None:
    listed = {
        "train.txt": "\n".join(f"{n}.jpg {n % 3}" for n in range(9)).encode(),
        "test.txt": b"9.jpg 0\n10.jpg 1\n11.jpg 2",
    }
    reading = read(plant(tmp_path, {**names(*(f"{n}.jpg" for n in range(12))), **listed}))
    assert targets(reading) == {f"{n}.jpg": str(n % 3) for n in range(12)}


def test_of_lists_in_several_rounds_the_first_is_read(tmp_path: Path) -> None:
    """As textures come: train1, val1, test1 to train10, val10, test10, each of them a new split of all."""
    pictures = [f"images/{c}/{c}_{i}.jpg" for c in ("dotted", "lined") for i in range(6)]
    lists = {
        f"labels/{split}{k}.txt": "\n".join(
            where[7:] for n, where in enumerate(pictures) if (n + k) % 3 == part
        ).encode()
        for k in range(1, 4)
        for part, split in enumerate(("train", "val", "test"))
    }
    reading = read(plant(tmp_path, {**names(*pictures), **lists}))
    assert splits(reading) == {w: ("train", "val", "test")[(n + 1) % 3] for n, w in enumerate(pictures)}
    assert "another round" in reading.skipped["labels/test2.txt"]


def test_lists_in_several_parts_are_read_all(tmp_path: Path) -> None:
    pictures = [f"{c}/{i}.jpg" for c in "ab" for i in range(6)]
    parts = {"train1.txt": pictures[:4], "train2.txt": pictures[3:8], "test1.txt": pictures[7:]}
    lists = {where: "\n".join(some).encode() for where, some in parts.items()}
    reading = read(plant(tmp_path, {**names(*pictures), **lists}))
    assert Counter(splits(reading).values()) == {"train": 7, "test": 4}
    assert reading.skipped[pictures[7]].startswith("two rows in different splits")


def test_a_picture_that_lists_put_into_two_splits_is_left_out_of_class_folders_too(tmp_path: Path) -> None:
    pictures = [f"{c}/{i}.jpg" for c in "ab" for i in range(4)]
    lists = {"train.txt": "\n".join(pictures[:6]).encode(), "test.txt": "\n".join(pictures[5:]).encode()}
    reading = read(plant(tmp_path, {**names(*pictures), **lists}))
    assert set(targets(reading)) == set(pictures) - {pictures[5]}
    assert reading.skipped[pictures[5]].startswith("two rows in different splits")


def test_lists_of_splits_and_a_table_of_labels_go_together(tmp_path: Path) -> None:
    rows = [["file", "class"], *[[f"{n}.jpg", "xy"[n % 2]] for n in range(8)]]
    lists = {"train.txt": b"0.jpg\n1.jpg\n2.jpg\n3.jpg", "test.txt": b"4.jpg\n5.jpg", "labels.csv": table(rows)}
    reading = read(plant(tmp_path, {**names(*(f"{n}.jpg" for n in range(8))), **lists}))
    assert targets(reading) == {f"{n}.jpg": "xy"[n % 2] for n in range(8)}
    assert splits(reading) == {f"{n}.jpg": "train" if n < 4 else "test" if n < 6 else None for n in range(8)}


def test_columns_of_flags_are_one_label(tmp_path: Path) -> None:
    """As dermatologists' challenges have it: a column a class, a one where it is."""
    rows = [f"m{n},{float(n % 3 == 0)},{float(n % 3 == 1)},{float(n % 3 == 2)}" for n in range(12)]
    listed = {"truth.csv": "\n".join(["image,MEL,NV,BCC", *rows]).encode()}
    reading = read(plant(tmp_path, {**names(*(f"images/m{n}.jpg" for n in range(12))), **listed}))
    assert targets(reading) == {f"images/m{n}.jpg": ("MEL", "NV", "BCC")[n % 3] for n in range(12)}


def test_several_flags_a_row_are_no_class(tmp_path: Path) -> None:
    rows = [f"m{n},1,{n % 2},{n % 3 == 2:d}" for n in range(12)]
    listed = {"truth.csv": "\n".join(["image,sun,rain,wind", *rows]).encode()}
    folder = plant(tmp_path, {**names(*(f"m{n}.jpg" for n in range(12))), **listed})
    assert read_images(Folder(folder), PrepareSettings()) is None


def test_measures_places_and_numbers_of_splits_are_no_classes(tmp_path: Path) -> None:
    """As chest X-rays come, with the spacing of their pixels in 'y]', and faces, with boxes in 'y_1'."""
    pictures = names(*(f"{n}.png" for n in range(12)))
    kinds = ("Mass", "Nodule")
    spaced = [["Image Index", "Finding Labels", "Patient ID", "Spacing[x", "y]"]]
    spaced += [[f"{n}.png", kinds[n % 2], str(n // 2), "0.143", "0.143"] for n in range(12)]
    first = read(plant(tmp_path / "1", {**pictures, "entries.csv": table(spaced)}))
    assert Counter(targets(first).values()) == {"Mass": 6, "Nodule": 6}
    assert len({found.group for found in first.found}) == 6
    boxes = [["image_id", "x_1", "y_1"], *[[f"{n}.png", "2", str(2 + n % 6)] for n in range(12)]]
    places = [["image_id", "x", "y"], *[[f"{n}.png", "2", str(2 + n % 6)] for n in range(12)]]
    parts = [["image_id", "partition"], *[[f"{n}.png", str(n % 3)] for n in range(12)]]
    for name, rows in (("boxes", boxes), ("places", places), ("parts", parts)):
        folder = plant(tmp_path / name, {**pictures, f"{name}.csv": table(rows)})
        assert read_images(Folder(folder), PrepareSettings(path_column="image_id")) is None
    classes = plant(tmp_path / "parts", names(*(f"{'ab'[n % 2]}/{n}.png" for n in range(12))))
    for n in range(12):
        (classes / f"{n}.png").unlink()
    told = {f"{'ab'[n % 2]}/{n}.png": ("train", "val", "test")[n % 3] for n in range(12)}
    assert splits(read(classes)) == told


def test_several_columns_that_could_each_be_the_class_are_not_guessed_from(tmp_path: Path) -> None:
    """As chest X-rays come: a column a finding, of 1.0, 0.0, -1.0 and nothing, beside the patient's sex."""
    signs = ("1.0", "0.0", "-1.0", "")
    rows = [["Path", "Sex", "Edema", "Fracture"]]
    rows += [[f"{n}.png", "FM"[n % 2], signs[n % 4], signs[n // 4 % 4]] for n in range(24)]
    folder = plant(tmp_path, {**names(*(f"{n}.png" for n in range(24))), "train.csv": table(rows)})
    assert read_images(Folder(folder), PrepareSettings()) is None
    assert set(targets(read(folder, label_column="Sex")).values()) == {"F", "M"}


def test_pictures_of_one_lesion_are_a_group(tmp_path: Path) -> None:
    rows = [["lesion_id", "image_id", "dx", "sex", "age"]]
    rows += [[f"L{n // 2}", f"I{n}", "ab"[n // 2 % 2], "fm"[n // 6], "80.0"] for n in range(12)]
    reading = read(plant(tmp_path, {**names(*(f"part_{n % 2}/I{n}.jpg" for n in range(12))), "m.csv": table(rows)}))
    assert {found.where[7:-4]: (found.target, found.group) for found in reading.found} == {
        f"I{n}": ("ab"[n // 2 % 2], f"L{n // 2}") for n in range(12)
    }


def test_a_list_of_boxes_tells_no_class_by_where_they_begin(tmp_path: Path) -> None:
    """As traffic signs in whole scenes come: 00000.ppm;774;411;815;446;11."""
    rows = "\n".join(f"{n}.png;{7 + n % 2};4;8;9;{n % 3}" for n in range(8))
    folder = plant(tmp_path, {**names(*(f"{n}.png" for n in range(8))), "gt.txt": rows.encode()})
    assert read_images(Folder(folder), PrepareSettings()) is None


@pytest.mark.parametrize("kinds", [("Boeing 737-200", "A310"), ("Boeing 737-200", "Airbus A310"), ("737", "A310")])
def test_a_list_has_labels_of_several_words(tmp_path: Path, kinds: tuple[str, str]) -> None:
    rows = "\n".join(f"{n:07d} {kinds[n % 2]}" for n in range(8))
    reading = read(plant(tmp_path, {**names(*(f"images/{n:07d}.jpg" for n in range(8))), "train.txt": rows.encode()}))
    assert targets(reading) == {f"images/{n:07d}.jpg": kinds[n % 2] for n in range(8)}


def test_sentences_of_pictures_are_no_classes(tmp_path: Path) -> None:
    rows = "\n".join(f"{n}.jpg a dog runs {'far ' * (n % 2)}to tree {n}" for n in range(8))
    folder = plant(tmp_path, {**names(*(f"{n}.jpg" for n in range(8))), "captions.txt": rows.encode()})
    assert read_images(Folder(folder), PrepareSettings()) is None


@pytest.mark.parametrize("joined", ["{}|{}", "{};{}", "{}, {}", "['{}', '{}']", '["{}", "{}"]'])
def test_pictures_of_several_labels_are_left_out_and_make_no_class(tmp_path: Path, joined: str) -> None:
    kinds = ("Mass", "Effusion", joined.format("Effusion", "Mass"), joined.format("Mass", "Effusion"))
    rows = "".join(["file\tFinding\n", *(f"{n}.png\t{kinds[n % 4]}\n" for n in range(16))])
    reading = read(plant(tmp_path, {**names(*(f"x/{n}.png" for n in range(16))), "e.tsv": rows.encode()}))
    assert targets(reading) == {f"x/{n}.png": kinds[n % 4] for n in range(16) if n % 4 < 2}
    assert {reading.skipped[f"x/{n}.png"] for n in range(16) if n % 4 > 1} == {SEVERAL}
    assert any("8 rows tell several labels" in line for line in reading.evidence)


@pytest.mark.parametrize(
    "kinds",
    [("tench, Tinca tinca", "goldfish", "shark, man-eater"), ("red car", "blue car", "red bus"),
     ("bulldog", "American bulldog"), ("pear", "pear rot", "apple", "apple rot")],
)  # fmt: skip
def test_names_of_several_words_are_classes(kinds: tuple[str, ...]) -> None:
    assert not several_labels(set(kinds))


@pytest.mark.parametrize(
    "kinds",
    [("147 616 813", "13 147", "13"), ("haze primary", "haze road", "road primary", "haze", "haze road primary")],
)
def test_labels_with_blanks_between_them(kinds: tuple[str, ...]) -> None:
    assert several_labels(set(kinds)) == {kind for kind in kinds if " " in kind}


def test_of_several_ways_to_label_the_same_pictures_one_is_read(tmp_path: Path) -> None:
    """As aircraft come: their makers and their variants, a list a split."""
    kinds = {"maker": ("Boeing", "Boeing", "Airbus"), "variant": ("737-200", "747-400", "A310")}
    lists = {
        f"images_{what}_{split}.txt": "\n".join(f"{n:03d} {named[n % 3]}" for n in range(k, 18, 2)).encode()
        for k, split in enumerate(("train", "test"))
        for what, named in kinds.items()
    }
    reading = read(plant(tmp_path, {**names(*(f"images/{n:03d}.jpg" for n in range(18))), **lists}))
    assert targets(reading) == {f"images/{n:03d}.jpg": kinds["variant"][n % 3] for n in range(18)}
    assert splits(reading) == {f"images/{n:03d}.jpg": ("train", "test")[n % 2] for n in range(18)}
    assert any("images_maker_test.txt has other labels" in line for line in reading.evidence)


def test_a_form_for_answers_labels_nothing(tmp_path: Path) -> None:
    pictures = names(*(f"train/{n}.jpg" for n in range(8)), *(f"test/{n + 8}.jpg" for n in range(8)))
    labels = table([["id", "label"], *[[str(n), "ab"[n % 2]] for n in range(8)]])
    form = table([["id", "label"], *[[str(n + 8), "a"] for n in range(8)]])
    reading = read(plant(tmp_path, {**pictures, "labels.csv": labels, "sample_submission.csv": form}))
    assert targets(reading) == {f"train/{n}.jpg": "ab"[n % 2] for n in range(8)}
    assert "a form for answers" in reading.skipped["sample_submission.csv"]


def test_of_tables_that_split_the_same_pictures_in_several_ways_the_first_is_read(tmp_path: Path) -> None:
    pictures = [f"{n}.jpg" for n in range(16)]
    tables = {
        name: table([["image", "label", "split"], *[[p, "ab"[n % 2], told(n)] for n, p in enumerate(pictures)]])
        for name, told in {
            "1cls.csv": lambda n: "train" if n < 8 else "test",
            "2cls.csv": lambda n: "train" if n % 4 else "test",
        }.items()
    }
    reading = read(plant(tmp_path, {**names(*pictures), **tables}))
    assert splits(reading) == {p: "train" if n < 8 else "test" for n, p in enumerate(pictures)}
    assert "splits anew" in reading.skipped["2cls.csv"]


@pytest.mark.parametrize("home", ["{s}/{n}.jpg", "data/{s}/images/{n}.jpg"])
def test_pictures_of_a_manifest_have_the_splits_of_their_folders(tmp_path: Path, home: str) -> None:
    """As the hubs' folders of images come: train/metadata.csv beside train/1.jpg."""
    files: dict[str, bytes] = {}
    for s, numbers in (("train", range(8)), ("test", range(8, 12))):
        rows = [["file_name", "label"], *[[f"{n}.jpg", "ab"[n % 2]] for n in numbers]]
        paths = [home.format(s=s, n=n) for n in numbers]
        files |= {**names(*paths), f"{paths[0].rpartition('/')[0]}/metadata.csv": table(rows)}
    reading = read(plant(tmp_path, files))
    assert Counter((found.target, found.split) for found in reading.found) == {
        ("a", "train"): 4, ("b", "train"): 4, ("a", "test"): 2, ("b", "test"): 2
    }  # fmt: skip


@pytest.mark.parametrize("home", ["", "train/", "7/"])
def test_a_table_that_tells_no_class_is_named_with_its_columns(tmp_path: Path, home: str) -> None:
    rows = [["file", "age", "race"], *[[f"{home}{n}.jpg", str(20 + n), "abcd"[n % 4]] for n in range(12)]]
    folder = Folder(plant(tmp_path, {**names(*(f"{home}{n}.jpg" for n in range(12))), "faces.csv": table(rows)}))
    assert read_images(folder, PrepareSettings()) is None
    assert folder.refused["faces.csv"].endswith("--prepare.label_column names that: age, race")
    assert len(read(tmp_path, label_column="race").found) == 12


def test_masks_as_run_lengths_are_no_classes(tmp_path: Path) -> None:
    rows = [["ImageId", "ClassId", "EncodedPixels"], *[[f"{n}.jpg", str(n % 3), "29 5 49 5"] for n in range(12)]]
    folder = Folder(plant(tmp_path, {**names(*(f"train/{n}.jpg" for n in range(12))), "train.csv": table(rows)}))
    assert read_images(folder, PrepareSettings()) is None
    assert "run lengths" in folder.refused["train.csv"]


def test_a_table_without_a_header_may_have_rows_with_more_labels(tmp_path: Path) -> None:
    """As clouds ask for them: TRAIN,gs://bucket/1.jpg,rose,red."""
    lines = [
        f"TRAIN,gs://b/{n}.jpg,{('rose', 'tulip')[n % 2]}{',red' * (n % 3 == 0)}{',dry' * (n % 3 == 1)}"
        for n in range(24)
    ]
    folder = Folder(plant(tmp_path, {**names(*(f"{n}.jpg" for n in range(24))), "all.csv": "\n".join(lines).encode()}))
    assert read_images(folder, PrepareSettings(split_column="column 1")) is None
    gone = [f"{n}.jpg,{n % 2}" for n in range(8)]
    absent = read(
        plant(tmp_path / "2", {**names(*(f"{n}.jpg" for n in range(1, 8))), "a.csv": "\n".join(gone).encode()})
    )
    assert "named in a.csv line 1" in absent.skipped["0.jpg"]


def test_few_rows_of_flags_are_one_label(tmp_path: Path) -> None:
    files: dict[str, bytes] = {}
    for split, n in (("train", 12), ("valid", 3)):
        rows = [
            ["filename", " cat", " dog", " fox"],
            *[[f"{i}.jpg", *(str(int(i % 3 == k)) for k in range(3))] for i in range(n)],
        ]
        files |= {**names(*(f"{split}/{i}.jpg" for i in range(n))), f"{split}/_classes.csv": table(rows)}
    reading = read(plant(tmp_path, files))
    assert Counter(targets(reading).values()) == {"cat": 5, "dog": 5, "fox": 5}
    assert Counter(splits(reading).values()) == {"train": 12, "val": 3}


@pytest.mark.parametrize(("learnt", "tested"), [("trainval", "test"), ("train_val_list", "test_list")])
def test_a_list_of_what_is_for_training_and_validation_is_no_test(tmp_path: Path, learnt: str, tested: str) -> None:
    """As Caltech's and the hospitals' pictures come: what the list names is never tested on."""
    pictures = [f"images/{c}/{i}{c}.jpg" for c in "ab" for i in range(6)]
    lists = {learnt: [where for where in pictures if where[9] < "4"], tested: [w for w in pictures if w[9] >= "4"]}
    files = {f"{name}.txt": "\n".join(where[7:] for where in some).encode() for name, some in lists.items()}
    told = splits(read(plant(tmp_path, {**names(*pictures), **files})))
    assert told == {where: "train" if where[9] < "4" else "test" for where in pictures}
    parts = {"train.txt": lists[learnt][:6], "val.txt": lists[learnt][6:], "trainval.txt": lists[learnt]}
    files = {name: "\n".join(where[7:] for where in some).encode() for name, some in parts.items()}
    told = splits(read(plant(tmp_path / "2", {**names(*pictures), **files})))
    assert {where for where, split in told.items() if split == "val"} == set(lists[learnt][6:])
    assert {where for where, split in told.items() if split == "train"} == set(lists[learnt][:6])


def test_numbers_of_a_list_mean_folders_of_padded_numbers(tmp_path: Path) -> None:
    """As traffic signs come: class folders to learn from, and a list of what is in the pictures to be tested by."""
    train = [f"train/{c:05}/{c:05}_{i}.jpg" for c in (0, 1, 10) for i in range(6)]
    test = [f"test/{i:05}.jpg" for i in range(3)]
    rows = ["Filename;Width;ClassId", *(f"{i:05}.jpg;32;{c}" for i, c in enumerate((10, 0, 1)))]
    reading = read(plant(tmp_path, {**names(*train, *test), "test/GT-final_test.csv": "\n".join(rows).encode()}))
    told = {found.where: (found.target, found.split) for found in reading.found if found.where in test}
    assert told == dict(zip(test, [("00010", "test"), ("00000", "test"), ("00001", "test")], strict=True))
    assert len(reading.found) == 21


def test_a_table_that_lost_its_ending_is_a_manifest(tmp_path: Path) -> None:
    pictures = names(*(f"images_part_{1 + n % 2}/ISIC_{n:07}.jpg" for n in range(12)))
    rows = [["lesion_id", "image_id", "dx"], *[[f"H{n // 2}", f"ISIC_{n:07}", "ab"[n % 3 // 2]] for n in range(12)]]
    files = {**pictures, "meta_data": table(rows), "LICENSE": b"Free, as in beer\nand open.\n", "raw": bytes(999)}
    reading = read(plant(tmp_path, files))
    assert Counter(targets(reading).values()) == {"a": 8, "b": 4}
    assert len({found.group for found in reading.found}) == 6
