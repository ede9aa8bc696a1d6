"""Which class each picture is, for every way in which people lay out folders."""

import gzip
import io
import json
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_kit import encoded, jpeg, mask, pixels, plant, read, tarred, zipped

from snowroll.base.errors import UsageError
from snowroll.base.task import Reading
from snowroll.prepare.layouts import read_images
from snowroll.prepare.manifest import SEVERAL
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.several_labels import several_labels

P = jpeg()


def names(*paths: str) -> dict[str, bytes]:
    return dict.fromkeys(paths, P)


def targets(reading: Reading) -> dict[str, object]:
    return {found.where: found.target for found in reading.found}


def splits(reading: Reading) -> dict[str, str | None]:
    return {found.where: found.split for found in reading.found}


def test_classes_that_are_numbers_are_told_by_their_value(tmp_path: Path) -> None:
    reading = read(plant(tmp_path, names(*[f"{c}/{i}.jpg" for c in (*range(12), "other") for i in range(3)])))
    told = ", ".join(f"{c} 3" for c in range(12))
    assert reading.evidence[0] == f"39 JPEG over 13 class folders: {told}, ..."


@pytest.mark.parametrize("wrapper", ["", "data/", "a/b/", "My Photos (1)/images/"])
def test_class_folders_under_wrappers(tmp_path: Path, wrapper: str) -> None:
    reading = read(plant(tmp_path, names(*[f"{wrapper}{c}/{i}.jpg" for c in ("cat", "犬") for i in range(3)])))
    assert Counter(targets(reading).values()) == {"cat": 3, "犬": 3}
    assert reading.evidence[0] == "6 JPEG over 2 class folders: cat 3, 犬 3"
    assert reading.layout == "class folders"


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("train", "val", "test"), ("Training", "validation", "Testing"), ("TRAIN", "valid", "TEST"),
     ("train", "dev", "tst"),
     ("seg_train", "seg_val", "seg_test"), ("train_images", "val_images", "test_images"),
     ("trainset", "valset", "testset")],
)  # fmt: skip
@pytest.mark.parametrize("order", ["{split}/{name}", "{name}/{split}", "w/{split}/{name}", "{split}/{split}/{name}"])
def test_split_folders_above_and_below_classes(tmp_path: Path, train: str, val: str, test: str, order: str) -> None:
    meant = {train: "train", val: "val", test: "test"}
    paths = {
        order.format(split=split, name=name) + "/1.jpg": (split, name) for split in meant for name in ("cat", "dog")
    }
    reading = read(plant(tmp_path, names(*paths)))
    assert targets(reading) == {path: name for path, (_, name) in paths.items()}
    assert splits(reading) == {path: meant[split] for path, (split, _) in paths.items()}
    assert reading.layout == "train|val|test folders over class folders"


def test_a_lone_train_folder_is_declared_and_a_class_called_test_is_a_class(tmp_path: Path) -> None:
    one = read(plant(tmp_path / "1", names("train/a/1.jpg", "train/b/1.jpg")))
    assert set(splits(one).values()) == {"train"}
    two = read(plant(tmp_path / "2", names("test/1.jpg", "truck/1.jpg", "car/1.jpg")))
    assert set(targets(two).values()) == {"test", "truck", "car"}
    assert set(splits(two).values()) == {None}


def test_what_lies_beside_is_left_out_with_the_reason(tmp_path: Path) -> None:
    paths = ["train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg"]
    reading = read(plant(tmp_path, {**names(*paths, "extra/9.jpg", "top.jpg"), "README.md": b"hello"}))
    assert set(targets(reading)) == set(paths)
    assert "beside the split folders" in reading.skipped["extra/9.jpg"]
    assert "beside the split folders" in reading.skipped["top.jpg"]
    assert reading.skipped["README.md"] == "not a picture"
    docs = read(plant(tmp_path / "2", names(*[f"set/{c}/{i}.jpg" for c in "ab" for i in range(9)], "docs/figure.jpg")))
    assert set(targets(docs).values()) == {"a", "b"}
    assert "beside the folder 'set'" in docs.skipped["docs/figure.jpg"]


def test_two_levels_that_vary(tmp_path: Path) -> None:
    by_class = read(plant(tmp_path / "1", names(*[f"{c}/p{p}{c}/1.jpg" for c in ("ok", "bad") for p in range(4)])))
    assert set(targets(by_class).values()) == {"ok", "bad"}
    assert any("set prepare.group" in line for line in by_class.evidence)
    by_patient = read(plant(tmp_path / "2", names(*[f"{p}/{c}/1.jpg" for c in ("0", "1") for p in range(30)])))
    assert set(targets(by_patient).values()) == {"0", "1"}
    by_site = read(plant(tmp_path / "3", names(*[f"{s}/{c}/1.jpg" for s in ("N", "S") for c in "abcd"])))
    assert set(targets(by_site).values()) == set("abcd")


@pytest.mark.parametrize("few_lists", [True, False])
def test_a_folder_of_pictures_beside_classes_is_no_class_and_a_list_tells_theirs(
    tmp_path: Path, few_lists: bool
) -> None:
    """As Tiny ImageNet lies, with a list of boxes for each class."""
    classes = ("cat", "dog", "fox")
    train = [f"train/{c}/images/{c}_{i}.JPEG" for c in classes for i in range(4)]
    val, test = [f"val/images/val_{i}.JPEG" for i in range(4)], [f"test/images/test_{i}.JPEG" for i in range(3)]
    rows = [f"val_{i}.JPEG\t{classes[i % 3]}\t{i}\t1\t22\t{23 + i}" for i in range(4)]
    boxes = {f"train/{c}/{c}_boxes.txt": f"{c}_0.JPEG\t1\t2\t3\t4\n{c}_1.JPEG\t1\t2\t4\t5" for c in classes}
    boxes |= {} if few_lists else {f"notes/{n}.txt": f"cat_{n % 4}.JPEG {n}" for n in range(60)}
    lists = {"val/val_annotations.txt": "\n".join(rows), "wnids.txt": "cat\ndog\nfox", **boxes}
    files = {**names(*train, *val, *test), **{where: text.encode() for where, text in lists.items()}}
    reading = read(plant(tmp_path, files))
    told = {where: (where.split("/")[1], "train") for where in train}
    told |= {where: (classes[i % 3], "val") for i, where in enumerate(val)}
    assert {found.where: (found.target, found.split) for found in reading.found} == told
    assert all("has no class" in reading.skipped[where] for where in test)


@pytest.mark.parametrize("name", ["ALL", "raw"])
def test_words_that_may_be_classes_are(tmp_path: Path, name: str) -> None:
    reading = read(plant(tmp_path, names(*[f"{c}/{i}.jpg" for c in (name, "other") for i in range(3)])))
    assert set(targets(reading).values()) == {name, "other"}


def test_several_archives_and_one_inside_a_folder(tmp_path: Path) -> None:
    halves = {
        "train.zip": zipped(names("a/1.jpg", "b/1.jpg")),
        "test.tar.xz": tarred(names("a/2.jpg", "b/2.jpg"), "w:xz"),
    }
    reading = read(plant(tmp_path / "1", {**halves, "notes.txt": b""}))
    assert splits(reading)["train.zip!a/1.jpg"] == "train"
    assert splits(reading)["test.tar.xz!b/2.jpg"] == "test"
    classes = {"cat.zip": zipped(names("1.jpg", "2.jpg")), "dog.tgz": tarred(names("1.jpg")), "fox/1.jpg": P}
    reading = read(plant(tmp_path / "2", classes))
    assert Counter(targets(reading).values()) == {"cat": 2, "dog": 1, "fox": 1}


# masks --------------------------------------------------------------------------------------------------------------


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


def test_pictures_of_one_name_in_two_formats_stay_samples(tmp_path: Path) -> None:
    both = {f"{c}/{i}.{end}": jpeg(i) for c in "ab" for i in range(2) for end in ("jpg", "png")}
    drawings = {f"{c}/d{i}.{end}": mask(i) for c in "ab" for i in range(2) for end in ("gif", "bmp")}
    assert set(targets(read(plant(tmp_path, both | drawings)))) == set(both | drawings)


# manifests ----------------------------------------------------------------------------------------------------------


def table(rows: list[list[str]], mark: str = ",") -> bytes:
    return "\n".join(mark.join(row) for row in rows).encode()


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


def test_tracks_that_are_counted_anew_in_each_class_are_kept_apart_and_patients_are_not(tmp_path: Path) -> None:
    def groups(root: Path, counts: dict[str, range]) -> set[str | None]:
        rows = [(f"{c}{t}.jpg", c, str(t)) for c, tracks in counts.items() for t in tracks]
        files = {**names(*[row[0] for row in rows]), "t.csv": table([["file", "class", "track"], *map(list, rows)])}
        return {found.group for found in read(plant(root, files)).found}

    assert "a/0" in groups(tmp_path / "1", {"a": range(3), "b": range(4), "c": range(5)})
    assert groups(tmp_path / "2", {"a": range(3), "b": range(3), "c": range(3)}) == {"0", "1", "2"}
    assert "0" in groups(tmp_path / "3", {"a": range(3), "b": range(1, 5), "c": range(5)})


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
@settings(max_examples=80, deadline=None)
def test_any_table_gives_a_reading_or_none(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], mark: str
) -> None:
    text = "\n".join(mark.join(row) for row in rows).encode("utf-8", "replace")
    root = plant(tmp_path_factory.mktemp("m"), {**names("1.jpg", "2.jpg"), "l.csv": text, "l.jsonl": text})
    reading = read_images(Folder(root), PrepareSettings())
    if reading is not None:
        assert {found.where for found in reading.found} <= {"1.jpg", "2.jpg"}


# arrays, no labels, groups --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [np.array([0, 1, 1]), np.array([[0], [1], [1]]), np.eye(2)[[0, 1, 1]], np.array([0.0, 1, 1])]
)
@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 4, 5, 3)])
def test_arrays_of_images_and_labels(tmp_path: Path, labels: np.ndarray, shape: tuple[int, ...]) -> None:
    images = np.zeros(shape, np.uint8)
    np.savez(tmp_path / "s.npz", train_images=images, train_labels=labels, x_test=images, y_test=labels, junk=labels)
    reading = read(tmp_path)
    assert targets(reading)["s.npz#train_images/0"] == "0"
    assert targets(reading)["s.npz#x_test/2"] == "1"
    assert Counter(splits(reading).values()) == {"train": 3, "test": 3}
    assert np.load(io.BytesIO(Folder(tmp_path).read("s.npz#train_images/2"))).shape == shape[1:]


def test_arrays_of_several_labels_a_row_are_not_guessed(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", images=np.zeros((2, 3, 3), np.uint8), labels=np.array([[1, 1], [0, 1]]))
    assert read_images(Folder(tmp_path), PrepareSettings()) is None


def test_no_labels_at_all(tmp_path: Path) -> None:
    plant(tmp_path, names("1.jpg", "2.png", "sub/3.jpg"))
    reading = read(tmp_path, labels=("a", "b"))
    assert targets(reading) == {"1.jpg": None, "2.png": None, "sub/3.jpg": None}
    assert reading.layout == "pictures without labels"
    plant(tmp_path / "2", names("a/1.jpg", "unlabelled/2.jpg", "b/3.jpg"))
    some = read(tmp_path / "2", labels=("a", "b"))
    assert targets(some) == {"a/1.jpg": "a", "unlabelled/2.jpg": None, "b/3.jpg": "b"}


@pytest.mark.parametrize("files", [{}, {"notes.txt": b"x"}, names("1.jpg", "2.jpg"), names("images/1.jpg")])
def test_nothing_to_go_by_is_none(tmp_path: Path, files: dict[str, bytes]) -> None:
    assert read_images(Folder(plant(tmp_path, files)), PrepareSettings()) is None


def test_groups_by_pattern(tmp_path: Path) -> None:
    plant(tmp_path, names("a/exp1_num_7.jpg", "a/exp2_num_7.jpg", "b/exp1_num_8.jpg"))
    reading = read(tmp_path, group=r"_num_(\d+)")
    assert [found.group for found in reading.found] == ["7", "7", "8"]
    assert "2 groups by" in reading.evidence[-1]
    with pytest.raises(UsageError, match="matches no path"):
        read(tmp_path, group="(patient)")
    with pytest.raises(UsageError, match="no pattern"):
        read(tmp_path, group="(")


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


def idx(array: np.ndarray) -> bytes:
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


@pytest.mark.parametrize(("ending", "packed"), [("-ubyte.gz", gzip.compress), ("-ubyte", bytes)])
def test_idx_files_of_images_and_labels(ending: str, packed: Callable[[bytes], bytes], tmp_path: Path) -> None:
    images, labels = np.arange(6 * 20, dtype=np.uint8).reshape(6, 5, 4), np.array([3, 1, 3, 1, 3, 1])
    for name in ("train", "t10k"):
        (tmp_path / f"{name}-images-idx3{ending}").write_bytes(packed(idx(images)))
        (tmp_path / f"{name}-labels-idx1{ending}").write_bytes(packed(idx(labels)))
    reading = read(tmp_path)
    assert [(found.target, found.split) for found in reading.found] == [
        (str(label), split) for split in ("test", "train") for label in labels
    ]
    folder = Folder(tmp_path)
    told = dict(folder.stream([found.where for found in reading.found]))
    assert len(told) == 12
    assert np.array_equal(np.load(io.BytesIO(told[f"train-images-idx3{ending}#array/4"])), images[4])
    assert np.array_equal(np.load(io.BytesIO(Folder(tmp_path).read(f"t10k-images-idx3{ending}#array/2"))), images[2])


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "first bytes tell no type"),
        (b"\0\0\x08\x03\0\0", "ends within its header"),
        (idx(np.zeros((6, 5, 4)))[:-1], "its header claims 136 bytes and it has 135"),
        (struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**31, 2**31), "archive bomb"),
    ],
)
def test_idx_files_that_are_none_are_named(raw: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(raw)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(np.zeros(6)))
    for kind, array in (("images-idx3", np.zeros((6, 5, 4))), ("labels-idx1", np.arange(6))):
        (tmp_path / f"t10k-{kind}-ubyte").write_bytes(idx(array))
    reading = read(tmp_path)
    assert len(reading.found) == 6
    assert why in reading.skipped["train-images-idx3-ubyte"]


def test_an_idx_file_cut_off_within_gzip_ends_in_words(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(np.ones((6, 5, 4))))[:-12])
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.zeros(6))))
    reading = read(tmp_path)
    folder = Folder(tmp_path)
    assert len(dict(folder.stream([found.where for found in reading.found]))) < 6
    assert "damaged IDX file" in " ".join(folder.refused.values())


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


def test_a_folder_that_holds_again_what_lies_beside_it_is_no_class(tmp_path: Path) -> None:
    paths = [f"{home}/{c}/{i}.png" for home in ("cells", "cells/cells") for c in ("ill", "well") for i in range(4)]
    assert Counter(targets(read(plant(tmp_path, names(*paths)))).values()) == {"ill": 8, "well": 8}
    homes = [f"{home}/{split}" for home in ("xray", "xray/xray") for split in ("train", "test")]
    split = [f"{home}/{c}/{i}.png" for home in homes for c in "ab" for i in range(4)]
    reading = read(plant(tmp_path / "splits", names(*split)))
    assert Counter(targets(reading).values()) == {"a": 16, "b": 16}
    assert Counter(splits(reading).values()) == {"train": 16, "test": 16}


def test_folders_of_patients_and_folds_are_groups_and_no_classes(tmp_path: Path) -> None:
    folds = {f"fold_{f}/{c}/{f}{i}.png": (c, f"fold_{f}") for f in range(5) for c in ("cat", "dog") for i in range(3)}
    reading = read(plant(tmp_path / "1", names(*folds)))
    assert {found.where: (found.target, found.group) for found in reading.found} == folds
    assert any("5 groups by folders such as 'fold_0'" in line for line in reading.evidence)
    below = {f"{c}/patient{p}{c}/{i}.png": (c, f"patient{p}{c}") for p in range(4) for c in "ab" for i in range(2)}
    reading = read(plant(tmp_path / "2", names(*below)))
    assert {found.where: (found.target, found.group) for found in reading.found} == below
    alone = plant(tmp_path / "3", names(*(f"patches/patient_{p}_node_1/{i}.png" for p in range(9) for i in range(6))))
    assert read_images(Folder(alone), PrepareSettings()) is None


def test_of_kinds_within_kinds_the_finest_are_the_classes(tmp_path: Path) -> None:
    """As tissue comes: an organ, its kinds; or a diagnosis, its kinds, patients, and each at four magnifications."""
    paths = [f"{o}_sets/{o}_{k}/{i}.jpg" for o, k in (("colon", "n"), ("lung", "n"), ("lung", "scc")) for i in range(6)]
    reading = read(plant(tmp_path / "1", names(*paths)))
    assert set(targets(reading).values()) == {"colon_n", "lung_n", "lung_scc"}
    assert any("2 folders above are coarser classes" in line for line in reading.evidence)
    kinds = (("benign", "adenosis"), ("benign", "tubular"), ("malignant", "ductal"), ("malignant", "lobular"))
    deep = [
        f"{b}/SOB/{k}/SOB_{k}_14-{p}/{m}X/{k}-{p}-{m}-{i}.png"
        for b, k in kinds
        for p in range(3)
        for m in (40, 100, 200, 400)
        for i in range(2)
    ]
    assert set(targets(read(plant(tmp_path / "2", names(*deep)))).values()) == {k for _, k in kinds}
    some = [f"{k}/{i}.jpg" for k in ("ok", "ng/dent", "ng/scratch") for i in range(6)]
    assert set(targets(read(plant(tmp_path / "3", names(*some)))).values()) == {"ok", "ng"}


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


def test_splits_whose_names_say_more_are_splits(tmp_path: Path) -> None:
    reading = read(plant(tmp_path, names(*(f"{s}/{c}/1.jpg" for s in ("train_mini", "val") for c in ("cat", "dog")))))
    assert Counter(splits(reading).values()) == {"train": 2, "val": 2}


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


def test_sets_of_arrays_side_by_side_are_not_mixed(tmp_path: Path) -> None:
    """As small medical sets lie in one folder: a 1 of breasts is no 1 of tissues."""
    for name, shape in (("breast", (6, 5, 4)), ("path", (6, 5, 4, 3))):
        images, labels = np.zeros(shape, np.uint8), np.arange(6) % 2
        arrays = {f"{s}_{kind}": a for s in ("train", "test") for kind, a in (("images", images), ("labels", labels))}
        np.savez(tmp_path / f"{name}.npz", **arrays)
    folder = Folder(tmp_path)
    assert read_images(folder, PrepareSettings()) is None
    assert "several sets lie side by side (breast, path)" in folder.refused["breast.npz"]
    assert len(read(tmp_path / "breast.npz").found) == 12


def test_volumes_in_arrays_are_no_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "organ.npz", train_images=np.zeros((6, 8, 8, 8), np.uint8), train_labels=np.arange(6) % 2)
    folder = Folder(tmp_path)
    assert read_images(folder, PrepareSettings()) is None
    assert "no pictures" in folder.refused["organ.npz#train_images"]


def test_all_that_is_not_for_training_among_idx_files_is_the_test(tmp_path: Path) -> None:
    """As digits are handed out on the web: each file twice."""
    for home in ("", "again/"):
        for name in ("train", "t10k"):
            files = {f"{home}{name}-images-idx3-ubyte": idx(np.zeros((6, 5, 4)))}
            plant(tmp_path, {**files, f"{home}{name}-labels-idx1-ubyte": idx(np.arange(6) % 2)})
    assert Counter(splits(read(tmp_path)).values()) == {"train": 12, "test": 12}


def test_of_two_folders_that_differ_in_case_the_one_that_is_spelled_is_meant(tmp_path: Path) -> None:
    pictures = {f"{home}/{n}.png": jpeg(n) for home in ("Test", "test") for n in range(4)}
    rows = [["Path", "ClassId"], *[[f"Test/{n}.png", str(n % 2)] for n in range(4)]]
    reading = read(plant(tmp_path, {**pictures, "labels.csv": table(rows)}))
    assert targets(reading) == {f"Test/{n}.png": str(n % 2) for n in range(4)}


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


def test_files_that_are_called_like_the_pictures_and_are_not_read_are_told_first(tmp_path: Path) -> None:
    pictures = names(*(f"{side}/{n:06}.jpg" for side in ("image_2", "image_3") for n in range(6)))
    files = {**pictures, **{f"label_2/{n:06}.txt": b"Car 0.00 0 1.5" for n in range(60)}}
    first = read(plant(tmp_path, files)).evidence[0]
    assert first.startswith("6 .txt files such as label_2/000000.txt are called like the pictures and are not read")
    assert first.endswith("the folders are no classes")


@pytest.mark.parametrize("name", ["boxes.mat", "annotations/all.json", "HAM10000_metadata"])
def test_a_large_file_that_is_not_read_is_told_first(tmp_path: Path, name: str) -> None:
    pictures = names(*(f"part{n % 2}/a{n}.jpg" for n in range(8)))
    assert name in read(plant(tmp_path, {**pictures, name: b"{}" + b" " * 9000})).evidence[0]


def test_what_says_nothing_of_the_pictures_is_not_told_as_unread(tmp_path: Path) -> None:
    pictures = names(*(f"{kind}/{kind}{n}.jpg" for kind in ("cat", "dog") for n in range(6)))
    rows = [["file", "patient"], *[[where, f"p{n % 4}"] for n, where in enumerate(pictures)]]
    files = {"README.txt": b"a" * 9000, "notes.json": b"{}", "cat/cat0.txt": b"sits", "people.csv": table(rows)}
    assert "class folders" in read(plant(tmp_path, {**pictures, **files})).evidence[0]
    (tmp_path / "all.json").write_bytes(b" " * 9000)
    assert all("not read" not in sentence for sentence in read(tmp_path, labels=("cat", "dog")).evidence)


def test_a_table_that_lost_its_ending_is_a_manifest(tmp_path: Path) -> None:
    pictures = names(*(f"images_part_{1 + n % 2}/ISIC_{n:07}.jpg" for n in range(12)))
    rows = [["lesion_id", "image_id", "dx"], *[[f"H{n // 2}", f"ISIC_{n:07}", "ab"[n % 3 // 2]] for n in range(12)]]
    files = {**pictures, "meta_data": table(rows), "LICENSE": b"Free, as in beer\nand open.\n", "raw": bytes(999)}
    reading = read(plant(tmp_path, files))
    assert Counter(targets(reading).values()) == {"a": 8, "b": 4}
    assert len({found.group for found in reading.found}) == 6


def test_studies_that_say_how_they_came_out_are_classes(tmp_path: Path) -> None:
    """As X-rays of several bones come, a folder a patient."""
    paths = [
        f"set/{split}/{bone}/patient{n + 50 * (split == 'valid'):05}/study{1 + n % 2}_{kind}/image{k}.png"
        for split in ("train", "valid")
        for bone in ("WRIST", "HAND", "ELBOW")
        for n, kind in enumerate(("positive", "negative", "negative", "positive"))
        for k in (1, 2)
    ]
    reading = read(plant(tmp_path, names(*paths)))
    assert Counter(targets(reading).values()) == {"positive": 24, "negative": 24}
    assert {found.group for found in reading.found} == {f"patient{n + 50 * v:05}" for n in range(4) for v in (0, 1)}
    assert set(splits(reading).values()) == {"train", "val"}


def test_cases_that_say_how_they_came_out_are_groups_too(tmp_path: Path) -> None:
    paths = [f"case{n}_{('benign', 'malignant')[n % 2]}/{k}.png" for n in range(6) for k in range(3)]
    reading = read(plant(tmp_path, names(*paths)))
    assert Counter(targets(reading).values()) == {"benign": 9, "malignant": 9}
    assert {found.where: found.group for found in reading.found} == {where: where.split("/")[0] for where in paths}


def test_what_holds_all_split_folders_is_no_class(tmp_path: Path) -> None:
    paths = [
        f"SET-5K/SET-5K/{'Training' if n < 6 else 'Testing'} Images/{n}_{side}.jpg"
        for n in range(9)
        for side in ("left", "right")
    ]
    pictures = names(*paths, *(f"cropped/{n}_left.jpg" for n in range(6)))
    assert read_images(Folder(plant(tmp_path, pictures)), PrepareSettings()) is None
