"""Which class each picture is, for every way in which people lay out folders."""

from collections import Counter
from pathlib import Path

import pytest
from prepare_kit import P, jpeg, mask, names, plant, read, splits, table, targets, tarred, zipped

from snowroll.base.errors import UsageError
from snowroll.prepare.layouts import read_images
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings


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


def test_pictures_of_one_name_in_two_formats_stay_samples(tmp_path: Path) -> None:
    both = {f"{c}/{i}.{end}": jpeg(i) for c in "ab" for i in range(2) for end in ("jpg", "png")}
    drawings = {f"{c}/d{i}.{end}": mask(i) for c in "ab" for i in range(2) for end in ("gif", "bmp")}
    assert set(targets(read(plant(tmp_path, both | drawings)))) == set(both | drawings)


def test_tracks_that_are_counted_anew_in_each_class_are_kept_apart_and_patients_are_not(tmp_path: Path) -> None:
    def groups(root: Path, counts: dict[str, range]) -> set[str | None]:
        rows = [(f"{c}{t}.jpg", c, str(t)) for c, tracks in counts.items() for t in tracks]
        files = {**names(*[row[0] for row in rows]), "t.csv": table([["file", "class", "track"], *map(list, rows)])}
        return {found.group for found in read(plant(root, files)).found}

    assert "a/0" in groups(tmp_path / "1", {"a": range(3), "b": range(4), "c": range(5)})
    assert groups(tmp_path / "2", {"a": range(3), "b": range(3), "c": range(3)}) == {"0", "1", "2"}
    assert "0" in groups(tmp_path / "3", {"a": range(3), "b": range(1, 5), "c": range(5)})


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


def test_splits_whose_names_say_more_are_splits(tmp_path: Path) -> None:
    reading = read(plant(tmp_path, names(*(f"{s}/{c}/1.jpg" for s in ("train_mini", "val") for c in ("cat", "dog")))))
    assert Counter(splits(reading).values()) == {"train": 2, "val": 2}


def test_of_two_folders_that_differ_in_case_the_one_that_is_spelled_is_meant(tmp_path: Path) -> None:
    pictures = {f"{home}/{n}.png": jpeg(n) for home in ("Test", "test") for n in range(4)}
    rows = [["Path", "ClassId"], *[[f"Test/{n}.png", str(n % 2)] for n in range(4)]]
    reading = read(plant(tmp_path, {**pictures, "labels.csv": table(rows)}))
    assert targets(reading) == {f"Test/{n}.png": str(n % 2) for n in range(4)}


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
