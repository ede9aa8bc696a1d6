"""Published layouts that say in files of their own what is in the samples, or where they belong: read so, or refused in
one line, and never read as something else in silence."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from boxes_kit import drawing, put, put_bytes
from house_kit import snowroll
from mask_kit import a_mask, photo, write
from prepare_kit import jpeg

from snowroll.base.errors import DataError
from snowroll.base.task import Reading
from snowroll.prepare.layouts import read_images
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.detect_objects.formats import mot
from snowroll.tasks.detect_objects.reading import read_boxes
from snowroll.tasks.forecast.reading import read_series
from snowroll.tasks.medical.nifti import written
from snowroll.tasks.medical.reading import read_scans
from snowroll.tasks.medical.scans import open_scan
from snowroll.tasks.segment_images.reading import read_masks
from snowroll.tasks.tabular.reading import read_tables

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


def test_films_of_the_mot_challenge(tmp_path: Path) -> None:
    """Whoever is to be ignored is, a car is no pedestrian, and a film that lies there twice is one group."""
    rows = ["1,1,4.5,6,10,12,1,1,0.9", "1,2,20,6,5,5,0,7,1", "2,3,1,1,9,9,0,3,1", "9,1,4,6,10,12,1,1,1"]
    for film in ("train/MOT17-02-DPM", "train/MOT17-02-SDP", "train/MOT17-04-DPM", "test/MOT17-01-DPM"):
        put_bytes(tmp_path, {f"{film}/img1/{n:06}.png": drawing(n) for n in (1, 2, 3)})
        put(tmp_path, {f"{film}/seqinfo.ini": "[Sequence]\nimWidth=40\nimHeight=30\n"})
        put(tmp_path, {f"{film}/det/det.txt": "1,-1,4,6,10,12,0.9\n2,-1,4,6,10,12,0.9\n"})
        put(tmp_path, {f"{film}/gt/gt.txt": "\n".join(rows[: 3 if "02" in film else 4])} if "train" in film else {})
    said = snowroll("init", tmp_path / "project", "--data", tmp_path, "--task", "detect_objects", "--json")
    assert said.code == 0, said.err
    reading = read_boxes(Folder(tmp_path), ONE)
    assert reading is not None
    told = {one.where: one for one in reading.found}
    seen = {"class": "pedestrian", "box": [4.5, 6.0, 14.5, 18.0]}
    ignored = {"class": "pedestrian", "box": [20.0, 6.0, 25.0, 11.0], "ignore": True}
    film = "train/MOT17-02-SDP/img1"
    assert [told[f"{film}/{n:06}.png"].target for n in (1, 2, 3)] == [[seen, ignored], [], []]
    assert told["test/MOT17-01-DPM/img1/000001.png"].target is None
    assert {one.group for one in reading.found} == {"train/MOT17-02-DPM", "train/MOT17-04-DPM", None}
    assert {one.split for one in reading.found if one.group} == {"train"}


def test_a_film_alone_and_one_with_other_numbers(tmp_path: Path) -> None:
    put_bytes(tmp_path, {f"{film}img1/{n}.png": drawing(n) for n in (1, 2) for film in ("a/", "b/")})
    put(tmp_path, {"a/gt/gt.txt": "1,1,4,6,10,12,1,-1,-1,-1\n", "b/gt/gt.txt": "1 2 3\n"})
    (alone,) = mot.read(Folder(tmp_path / "a")).pictures[:1]
    assert alone.picture == "img1/1.png"
    assert len(alone.objects) == 1
    both = mot.read(Folder(tmp_path))
    assert {one.group for one in both.pictures} == {"a"}
    assert "b/gt/gt.txt" in both.skipped


def pictures_read(root: Path, **told: object) -> Reading | None:
    return read_images(Folder(root), PrepareSettings(workers=1, **told))  # type: ignore[arg-type]


BIRDS = {"1": "001.Albatross", "2": "002.Auk", "3": "003.Crow"}


def put_birds(root: Path, place: str, keys: list[str]) -> dict[str, tuple[str, str]]:
    """Pictures and lists as CUB-200-2011 and NABirds have them; file -> (class, split)."""
    lists: dict[str, list[str]] = {"images": [], "image_class_labels": [], "train_test_split": []}
    meant: dict[str, tuple[str, str]] = {}
    for number, key in enumerate(keys):
        kind = "123"[number % 3]
        file = place.format(name=BIRDS[kind], number=number)
        is_train = number // 3 % 2
        for told, cell in zip(lists.values(), (file, kind, is_train), strict=True):
            told.append(f"{key} {cell}")
        meant[f"images/{file}"] = BIRDS[kind], "train" if is_train else "test"
        put_bytes(root, {f"images/{file}": jpeg(number)})
    put(root, {f"{name}.txt": "\n".join(lines) + "\n" for name, lines in lists.items()})
    put(root, {"classes.txt": "".join(f"{kind} {name}\n" for kind, name in BIRDS.items())})
    put(root, {"bounding_boxes.txt": "".join(f"{key} 3.0 4.0 20.0 22.0\n" for key in keys)})
    put(root, {"parts/part_locs.txt": "".join(f"{key} {part} 1.0 2.0 1\n" for key in keys for part in (1, 2))})
    return meant


@pytest.mark.parametrize("place", ["{name}/{number}.jpg", "bird {number}.jpg"])
@pytest.mark.parametrize("is_numbered", [True, False])
def test_lists_that_are_joined_by_a_key(tmp_path: Path, place: str, is_numbered: bool) -> None:
    """The official split, and the classes where no folders tell them."""
    keys = [str(number) if is_numbered else f"0000139e-21dc-4d0c-{number:04x}" for number in range(1, 25)]
    meant = put_birds(tmp_path, place, keys)
    reading = pictures_read(tmp_path)
    assert reading is not None
    assert {one.where: (one.target, one.split) for one in reading.found} == meant
    assert any("0 is test, 1 is train" in sentence for sentence in reading.evidence)


def test_keys_without_a_list_of_files_join_nothing(tmp_path: Path) -> None:
    put_birds(tmp_path, "{name}/{number}.jpg", [str(number) for number in range(24)])
    (tmp_path / "images.txt").unlink()
    reading = pictures_read(tmp_path)
    assert reading is not None
    assert {one.split for one in reading.found} == {None}


def put_faces(root: Path, ending: str) -> dict[str, tuple[str, str]]:
    """As Adience has them: photos of users, of which several faces may be cut, and tables that name the photos."""
    mark = "," if ending == "csv" else "\t"
    head = mark.join(("user_id", "original_image", "face_id", "age", "gender", "x", "y", "dx", "dy", "tilt_ang"))
    tables, meant = defaultdict[int, list[str]](lambda: [head]), dict[str, tuple[str, str]]()
    for face in range(48):
        user, photo_of = f"{10069023 + face // 4 * 991}@N0{face % 3 // 4}", f"{10424815813 + face // 2}_e9_o.jpg"
        gender, age = "mf"[face % 2], ("25", "60")[face // 2 % 2]
        cells = (user, photo_of, str(face), age, gender, *(str(face * k) for k in (2, 3, 5, 7)), str(face % 3 * 5))
        tables[face // 4 % 3].append(mark.join(cells))
        place = f"faces/{user}/coarse_face.{face}.{photo_of}"
        put_bytes(root, {place: jpeg(face)})
        meant[place] = gender, user
    put(root, {f"fold_{number}_data.{ending}": "\n".join(lines) for number, lines in tables.items()})
    return meant


@pytest.mark.parametrize("ending", ["txt", "csv"])
def test_folders_that_a_table_calls_users_are_no_classes(tmp_path: Path, ending: str) -> None:
    """Which column has the classes is a person's to say; cells then find their faces, by the ends of their names."""
    meant = put_faces(tmp_path / "data", ending)
    said = snowroll("init", tmp_path / "project", "--data", tmp_path / "data")
    assert said.code != 0
    for word in ("fold_0_data", "groups", "--prepare.label_column", "gender", "age"):
        assert word in said.err
    reading = pictures_read(tmp_path / "data", label_column="gender")
    assert reading is not None
    assert {one.where: (one.target, one.group) for one in reading.found} == meant


def test_folders_are_classes_where_the_user_says_so(tmp_path: Path) -> None:
    meant = put_faces(tmp_path, "txt")
    reading = pictures_read(tmp_path, label_column="user_id")
    assert reading is not None
    assert {one.where: one.target for one in reading.found} == {where: user for where, (_, user) in meant.items()}


def meta_image(name: str) -> dict[str, bytes]:
    head = "ObjectType = Image\nNDims = 3\nDimSize = 4 4 4\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
    return {f"{name}.mhd": head.encode(), f"{name}.raw": bytes(128)}


@pytest.mark.parametrize(
    ("files", "kind"),
    [(meta_image("1.3.6"), "MetaImage"), ({"a.nrrd": b"NRRD0004\n"}, "NRRD"), ({"a.mha": b"ObjectType"}, "MetaImage"),
     ({"a.hdr": bytes(348), "a.img": bytes(64)}, "Analyze"), ({"a.mgz": b"\x1f\x8b"}, "MGH")],
)  # fmt: skip
def test_scans_in_other_formats_are_named_with_the_cure(tmp_path: Path, files: dict[str, bytes], kind: str) -> None:
    """And the tables beside them, LUNA16's, are no rows of their own."""
    put_bytes(tmp_path / "data", {f"subset{n}/{name}": raw for n in (0, 1, 2) for name, raw in files.items()})
    rows = "".join(f"1.3.6,{n}.5,{n},{n},{n % 2}\n" for n in range(40))
    put(tmp_path / "data", {"candidates.csv": f"seriesuid,coordX,coordY,coordZ,class\n{rows}"})
    said = snowroll("init", tmp_path / "project", "--data", tmp_path / "data")
    assert said.code != 0
    assert f"was not read: a scan as {kind}: convert it to NIfTI" in said.err


@pytest.mark.parametrize("raw", [b"NRRD0004\ntype: short\n", b"ObjectType = Image\n", b"NDims = 3\n"])
def test_a_scan_in_another_format_that_is_to_be_answered(raw: bytes) -> None:
    with pytest.raises(DataError, match="which is not read"):
        open_scan(raw)


@pytest.mark.parametrize(("one", "other", "is_told"), [("IXI-T1", "IXI-T2", True), ("healthy", "ill", False)])
def test_classes_that_are_ways_of_scanning_are_told_first(tmp_path: Path, one: str, other: str, is_told: bool) -> None:
    """As IXI's: of every patient both, and a table of them that names no scan."""
    for number in range(4):
        scan = written(np.full((3, 4, 5), number, np.uint8), (1.0, 1.0, 1.0))
        put_bytes(tmp_path, {f"{name}/IXI{number:03}-Guys-{name[-2:]}.nii": scan for name in (one, other)})
    put(tmp_path, {"IXI.csv": "IXI_ID,SEX_ID,AGE\n0,1,35.8\n1,2,38.7\n2,1,46.7\n3,1,51.2\n"})
    reading = read_scans(Folder(tmp_path), ONE)
    assert reading is not None
    assert {one.target for one in reading.found} == {one, other}
    assert ("ways of scanning" in reading.evidence[0]) == is_told
    assert any("IXI.csv" in sentence for sentence in reading.evidence) == is_told


def test_a_table_whose_rows_are_named_last_is_no_table_of_texts(tmp_path: Path) -> None:
    """As auto-mpg: what is to be predicted stands first, spaces part numbers, and a tab the quoted name of a car."""
    rng = np.random.default_rng(0)
    lines = [
        f"{rng.uniform(9, 46):.1f}   {rng.integers(2, 5) * 2}   {rng.uniform(70, 450):.1f}      "
        f"{'?' if row % 40 == 5 else f'{row % 90 + 50}.0':<10} {rng.integers(1600, 5000)}.      "
        f'{rng.uniform(8, 25):.1f}   {row % 13 + 70}  {row % 3 + 1}\t"ford pinto ({row}) wagon"'
        for row in range(200)
    ]
    put(tmp_path / "data", {"auto-mpg.data": "\n".join(lines) + "\n", "auto-mpg.names": "1. Title: Auto-Mpg Data\n"})
    said = snowroll("init", tmp_path / "project", "--data", tmp_path / "data", "--json")
    assert said.code == 0, said.err
    assert said.json["task"] == "tabular_values"
    assert said.json["labelled"] == 200
    assert any("'column 1', the first column" in sentence for sentence in said.json["evidence"])


def svmlight(rows: int) -> str:
    told = [f"{'+1' if row % 3 else '-1'} 1:{row / 8:g} {row % 3 + 3}:-2.5e-1 # row {row}" for row in range(rows)]
    return "# made by hand\n" + "\n".join(told) + "\n"


def test_svmlight_is_a_table(tmp_path: Path) -> None:
    """By its ending, each row by its line; the columns that a row does not name are zeros."""
    put(tmp_path, {"train.libsvm": svmlight(60), "test.libsvm": svmlight(30)})
    reading = read_tables(Folder(tmp_path), ONE)
    assert reading is not None
    told = {one.where: (one.target, one.split) for one in reading.found}
    assert len(told) == 90
    assert told["train.libsvm#target/3"] == ("1", "train")
    raw = Folder(tmp_path).read("train.libsvm#target/3")
    assert json.loads(raw) == {"feature 1": 0.125, "feature 2": 0, "feature 3": 0, "feature 4": -0.25, "feature 5": 0}


@pytest.mark.parametrize("name", ["a1a", "heart_scale.txt"])
def test_svmlight_by_another_name_is_no_text(tmp_path: Path, name: str) -> None:
    put(tmp_path / "data", {name: svmlight(200)})
    said = snowroll("init", tmp_path / "project", "--data", tmp_path / "data")
    assert said.code != 0
    assert f"{name} was not read: rows as svmlight" in said.err


def test_svmlight_of_too_many_columns_is_refused_with_their_number(tmp_path: Path) -> None:
    put(tmp_path / "data", {"rcv1.libsvm": svmlight(20) + "1 47236:0.1\n"})
    said = snowroll("init", tmp_path / "project", "--data", tmp_path / "data")
    assert said.code != 0
    assert "svmlight of 47,236 columns" in said.err


def forecast(root: Path) -> tuple[Reading, dict[str, set[int]]]:
    """And of each file its rows that are labelled anomalies, as windows have them."""
    reading = read_series(Folder(root), ONE)
    assert reading is not None
    odd: dict[str, set[int]] = defaultdict(set)
    for one in reading.found:
        if one.target is not None:
            file, _, name = one.where.partition("///")
            origin = int(re.findall(r"@(\d+)-", name)[-1])
            odd[file] |= {origin + step for step, mark in enumerate(one.target.get("odd", ())) if mark == 1}
    return reading, odd


def waves(rows: int, seed: int) -> np.ndarray:
    return np.sin(np.arange(rows) / 4 + seed) + np.random.default_rng(seed).normal(0, 0.05, rows)


def test_stretches_of_anomalies_in_a_file_of_their_own(tmp_path: Path) -> None:
    """As NAB has them, by the ends of paths; what is not named has no labels."""
    start = datetime(2014, 7, 1)
    for place in ("data/real/taxi", "data/real/calm", "data/other/unknown"):
        rows = [f"{start + timedelta(hours=n)},{value:.4f}" for n, value in enumerate(waves(300, len(place)))]
        put(tmp_path, {f"{place}.csv": "timestamp,value\n" + "\n".join(rows) + "\n"})
    spans = [[f"{start + timedelta(hours=first)}.000000", f"{start + timedelta(hours=last)}"] for first, last in
             ((100, 103), (295, 295))]  # fmt: skip
    put(tmp_path, {"labels/combined_windows.json": json.dumps({"real/taxi.csv": spans, "real/calm.csv": []})})
    put(tmp_path, {"labels/combined_labels.json": json.dumps({"real/taxi.csv": [spans[0][0]], "real/calm.csv": []})})
    reading, odd = forecast(tmp_path)
    told = {file: rows for file, rows in odd.items() if rows}
    assert told == {"data/real/taxi.csv": {100, 101, 102, 103, 295}}
    assert {one.where.partition("///")[0] for one in reading.found if one.target and "odd" in one.target} == {
        "data/real/taxi.csv", "data/real/calm.csv"
    }  # fmt: skip
    assert any("5 steps are labelled anomalies" in sentence for sentence in reading.evidence)


def test_a_file_of_flags_for_each_series(tmp_path: Path) -> None:
    """As SMD has them: those of test/, and of no series of the same name and length in train/."""
    for name in ("machine-1", "machine-2"):
        for split in ("train", "test"):
            values = np.stack([waves(300, 1), waves(300, 2)], axis=1)
            put(tmp_path, {f"{split}/{name}.txt": "\n".join(f"{a:.4f},{b:.4f}" for a, b in values)})
        put(tmp_path, {f"test_label/{name}.txt": "\n".join("1" if 280 <= n < 285 else "0" for n in range(300))})
    reading, odd = forecast(tmp_path)
    assert {file: rows for file, rows in odd.items() if rows} == {
        f"test/machine-{n}.txt": {280, 281, 282, 283, 284} for n in (1, 2)
    }
    assert {one.where.partition("/")[0] for one in reading.found} == {"train", "test"}


def edf_plus(signals: int, notes: list[str]) -> bytes:
    """Three records of a second: signals at 100 Hz, and where there are notes a channel of them."""
    lists = b"+0\x14\x14\0" + b"".join(f"+{n}\x1530\x14{note}\x14".encode() + b"\0" for n, note in enumerate(notes))
    sizes = [100] * signals + [len(lists) // 2 + 1] * bool(notes)
    names = [f"EEG {n}" for n in range(signals)] + ["EDF Annotations"] * bool(notes)
    count = len(sizes)

    def cells(width: int, *told: object) -> bytes:
        return b"".join(str(one).ljust(width).encode() for one in told)

    head = cells(8, 0) + cells(80, "X X X X", "Startdate X X X X") + cells(8, "01.01.85", "00.00.00", 256 * (1 + count))
    head += cells(44, "EDF+C") + cells(8, 3, 1) + cells(4, count) + cells(16, *names) + cells(80, *[""] * count)
    for value in ("uV", -100, 100, -2048, 2047):
        head += cells(8, *[value] * count)
    head += cells(80, *[""] * count) + cells(8, *sizes) + cells(32, *[""] * count)
    noise = np.random.default_rng(0).integers(-2000, 2000, 100 * signals).astype("<i2").tobytes()
    record = noise + lists.ljust(2 * sizes[-1], b"\0") if notes else noise
    return head + record * 3


@pytest.mark.parametrize("is_apart", [True, False])
@pytest.mark.parametrize("folders", [("sleep",), ("cassette", "telemetry")])
def test_annotations_of_edf_are_told_to_be_unread(tmp_path: Path, is_apart: bool, folders: tuple[str, ...]) -> None:
    """As Sleep-EDF's hypnograms beside their recordings, or within them as EEGMMIDB has them."""
    stages = ["Sleep stage W", "Sleep stage 1"]
    for folder in folders:
        for number in range(4):
            place = tmp_path / "data" / folder
            put_bytes(place, {f"SC400{number}E0-PSG.edf": edf_plus(2, [] if is_apart else stages)})
            put_bytes(place, {f"SC400{number}EC-Hypnogram.edf": edf_plus(0, stages)} if is_apart else {})
    said = snowroll("init", tmp_path / "project", "--data", tmp_path / "data")
    assert (said.code == 0) == (len(folders) > 1)
    files = 4 * len(folders)
    assert f"annotations of EDF+ are not read, and {files} files here hold some" in said.out + said.err


def test_rows_that_are_joined_by_line_are_no_series(tmp_path: Path) -> None:
    """As UCI HAR's: windows that follow each other are smooth, and have their activity and subject in other files."""
    for split in ("train", "test"):
        rows = np.cumsum(np.random.default_rng(0).normal(0, 1, (120, 6)), axis=0)
        told = "\n".join("  " + "  ".join(f"{value: .7e}" for value in row) for row in rows)
        place = f"data/UCI HAR Dataset/{split}"
        put(tmp_path, {f"{place}/X_{split}.txt": told, f"{place}/Inertial Signals/body_acc_x_{split}.txt": told})
        put(tmp_path, {f"{place}/y_{split}.txt": "\n".join(str(n // 20 + 1) for n in range(120))})
        put(tmp_path, {f"{place}/subject_{split}.txt": "\n".join(str(n // 60 + 1) for n in range(120))})
    put(tmp_path, {"data/UCI HAR Dataset/activity_labels.txt": "1 WALKING\n2 SITTING\n3 LAYING\n"})
    said = snowroll("init", tmp_path / "project", "--data", tmp_path / "data")
    assert said.code != 0
    assert re.search(r"have their classes line by line in .*/y_(train|test)\.txt: join them in one CSV", said.err)
