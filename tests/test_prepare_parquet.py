"""Tables of pictures, as Hugging Face's hub keeps them: pixels, labels and their names, splits, parts, and damage."""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_kit import encoded, jpeg, pixels, plant, read, tarred, told, zipped

from snowroll.base.errors import DataError, UsageError
from snowroll.base.task import find_task, task_names
from snowroll.prepare.archives import Limits
from snowroll.prepare.decode import Guarded
from snowroll.prepare.index import index
from snowroll.prepare.layouts import read_images
from snowroll.prepare.parquet_cells import answered
from snowroll.prepare.pictures import open_rgb
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.project.inputs import inputs
from snowroll.project.opened import open_project
from snowroll.verbs.init import init

arrow = pytest.importorskip("pyarrow")
NAMES = ("apple", "bear")


def png(seed: int) -> bytes:
    return encoded(pixels(seed), "PNG")


def parquet(columns: Mapping[str, Any], names: Mapping[str, Sequence[str]] = {}, **options: Any) -> bytes:
    """As `datasets` write it: names of classes in a note. Images become records of bytes and a path."""
    from pyarrow import parquet

    made = {name: records(cells) if name == "image" else arrow.array(cells) for name, cells in columns.items()}
    features = {name: {"names": list(some), "_type": "ClassLabel"} for name, some in names.items()}
    note = {"huggingface": json.dumps({"info": {"features": {**features, "image": {"_type": "Image"}}}})}
    table = arrow.table(made).replace_schema_metadata(note if names else {})
    file = io.BytesIO()
    parquet.write_table(table, file, **options)
    return file.getvalue()


def records(cells: Sequence[bytes | None]) -> Any:
    kind = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
    return arrow.array([{"bytes": cell, "path": f"{i}.png"} for i, cell in enumerate(cells)], kind)


def hub(rows: int = 2) -> dict[str, bytes]:
    """Two shards to learn from, and one of each other kind, in groups of so many rows."""

    def shard(first: int, labels: list[int]) -> bytes:
        images = [png(first + i) for i in range(len(labels))]
        return parquet({"image": images, "label": labels}, {"label": NAMES}, row_group_size=rows)

    return {
        "README.md": b"# apples and bears",
        "data/train-00000-of-00002.parquet": shard(0, [0, 1, 0, 1, 1]),
        "data/train-00001-of-00002.parquet": shard(5, [1, 0]),
        "data/validation-00000-of-00001.parquet": shard(7, [1]),
        "data/test-00000-of-00001.parquet": shard(8, [0, 0, 1]),
    }


def test_shards_of_the_hub(tmp_path: Path) -> None:
    reading = read(plant(tmp_path, hub()))
    rows = [("test-00000-of-00001", "test", [0, 0, 1]), ("train-00000-of-00002", "train", [0, 1, 0, 1, 1])]
    rows += [("train-00001-of-00002", "train", [1, 0]), ("validation-00000-of-00001", "val", [1])]
    assert told(reading) == [
        (f"data/{name}.parquet#@{i}", NAMES[label], split)
        for name, split, labels in rows
        for i, label in enumerate(labels)
    ]
    assert reading.layout == "tables of pictures"
    assert reading.skipped == {"README.md": "not a picture"}
    assert "label from 'label'" in reading.evidence[0]
    folder = Folder(tmp_path)
    raws = dict(folder.stream([found.where for found in reading.found]))
    assert len(raws) == 11
    assert not folder.refused
    assert raws["data/train-00000-of-00002.parquet#@4"] == png(4)
    assert np.array_equal(open_rgb(raws["data/train-00001-of-00002.parquet#@1"]), pixels(6))
    assert folder.read("data/train-00000-of-00002.parquet#@3") == png(3)
    with pytest.raises(DataError, match="no picture in that row"):
        folder.read("data/train-00000-of-00002.parquet#@5")
    assert len(index(folder, reading, "image")) == 11


def test_no_other_task_takes_them(tmp_path: Path) -> None:
    folder = Folder(plant(tmp_path, hub()))
    for name in task_names():
        reading = find_task(name).recognise(folder, PrepareSettings())
        assert (reading is not None) == (name in ("classify_images", "medical")), name


class Counting(io.FileIO):
    most = 0
    total = 0

    def read(self, size: int = -1, /) -> bytes:
        raw = super().read(size) or b""
        Counting.most, Counting.total = max(Counting.most, len(raw)), Counting.total + len(raw)
        return raw


def test_one_picture_costs_its_group_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 40, 40, 3), np.uint8)
    raw = parquet({"image": [encoded(one, "PNG") for one in noise], "label": [0, 1] * 32}, row_group_size=4)
    folder = Folder(plant(tmp_path, {"train.parquet": raw}))
    reading = read_images(folder, PrepareSettings())
    assert reading is not None
    monkeypatch.setattr(folder.disk, "open", lambda where: Counting(tmp_path / where))
    assert np.array_equal(open_rgb(folder.read("train.parquet#@37")), noise[37])
    assert Counting.total < len(raw) / 5
    assert len(dict(folder.stream([found.where for found in reading.found]))) == 64
    assert Counting.most < len(raw) / 5


def test_a_group_of_rows_that_is_too_large_is_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 700, 700, 3), np.uint8)
    raw = parquet({"image": [encoded(one, "PNG") for one in noise], "label": [0, 1, 1]})
    folder = Folder(plant(tmp_path, {"train.parquet": raw}), Limits(file_mb=1))
    assert read_images(folder, PrepareSettings()) is None
    assert "more than 1 MiB in a group of rows; save it with fewer rows in a group" in folder.refused["train.parquet"]


def test_bytes_alone_and_labels_as_words(tmp_path: Path) -> None:
    raw = parquet({"id": [7, 8, 9, 5], "img": [png(i) for i in range(4)], "label": ["ant", "bee", "ant", None]})
    reading = read(plant(tmp_path, {"x.parquet": raw}))
    assert [one.target for one in reading.found] == ["ant", "bee", "ant", None]
    assert Folder(tmp_path).read("x.parquet#@2") == png(2)


@pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view"])
def test_bytes_of_each_kind(tmp_path: Path, kind: str) -> None:
    cells = arrow.array([png(i) for i in range(300)], getattr(arrow, kind)())
    raw = parquet({"picture": cells, "label": [i % 3 for i in range(300)]}, row_group_size=270)
    assert len(read(plant(tmp_path, {"x.parquet": raw})).found) == 300
    folder = Folder(tmp_path)
    for row in (0, 259, 270, 299):
        assert folder.read(f"x.parquet#@{row}") == png(row)


def test_words_kept_once(tmp_path: Path) -> None:
    label = arrow.array(["ant", "bee", "ant"]).dictionary_encode()
    reading = read(plant(tmp_path, {"x.parquet": parquet({"image": [png(i) for i in range(3)], "label": label})}))
    assert [one.target for one in reading.found] == ["ant", "bee", "ant"]


@pytest.mark.parametrize("home", ["", "cifar100/"])
def test_of_coarse_and_fine_labels_the_fine_ones_and_the_choice_is_told(tmp_path: Path, home: str) -> None:
    columns = {"img": [png(i) for i in range(8)], "fine_label": [0, 1, 2, 3] * 2, "coarse_label": [0, 0, 1, 1] * 2}
    names = {"fine_label": ("a", "b", "c", "d"), "coarse_label": ("x", "y")}
    root = plant(tmp_path, {f"{home}train-00000-of-00001.parquet": parquet(columns, names)})
    reading = read(root)
    assert [one.target for one in reading.found] == list("abcdabcd")
    assert "coarse_label name classes too: --prepare.label_column says which are meant" in reading.evidence[-1]
    assert [one.target for one in read(root, label_column="coarse_label").found] == list("xxyyxxyy")
    with pytest.raises(UsageError, match="coarse_label"):
        read(root, label_column="coarse_labels")


def test_two_classes_that_are_called_alike_stay_two(tmp_path: Path) -> None:
    raw = parquet({"image": [png(i) for i in range(3)], "label": [0, 2, 1]}, {"label": ("crane", "emu", "crane")})
    assert [one.target for one in read(plant(tmp_path, {"x.parquet": raw})).found] == ["crane 0", "crane 2", "emu"]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(plant(tmp_path, hub()))

    def closed(where: str) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folder.disk, "open", closed)
    assert read_images(folder, PrepareSettings()) is None
    assert folder.refused["data/test-00000-of-00001.parquet"].startswith("permission denied")


@pytest.mark.parametrize("names", [{}, {"artist": "abcd", "style": "xyz"}])
def test_columns_that_disagree_are_asked_about(tmp_path: Path, names: Mapping[str, str]) -> None:
    columns = {"image": [png(i) for i in range(8)], "artist": [0, 1, 2, 3] * 2, "style": [0, 0, 1, 1, 1, 2, 2, 0]}
    folder = Folder(plant(tmp_path, {"train.parquet": parquet(columns, names)}))
    assert read_images(folder, PrepareSettings()) is None
    assert "--prepare.label_column names that: artist, style" in folder.refused["train.parquet"]


def test_all_pictures_of_a_table_can_be_asked_about(tmp_path: Path) -> None:
    files = {"new.parquet": parquet({"img": [png(8), png(9)], "width": [32, 32]}), **hub()}
    root = plant(tmp_path / "p", hub())
    init(root, None, (), "", {}, print)
    opened, unread = open_project(root, {}), dict[str, str]()
    for name, n in (("new.parquet", 2), ("data/train-00000-of-00002.parquet", 5)):
        path = plant(tmp_path / "new", files) / name
        given = dict(inputs(opened, [path], unread))
        assert [*given] == [f"{path}#@{row}" for row in range(n)]
    assert given[f"{path}#@4"] == png(4)
    assert not unread


def test_splits_and_groups_in_columns(tmp_path: Path) -> None:
    columns = {"image": [png(i) for i in range(4)], "label": [1, 0, 1, 0], "patient_id": [3, 3, 4, 4]}
    raw = parquet({**columns, "split": ["train", "train", "test", "test"]}, {"label": NAMES})
    reading = read(plant(tmp_path, {"all.parquet": raw}))
    assert [one.split for one in reading.found] == ["train", "train", "test", "test"]
    assert [one.group for one in reading.found] == ["3", "3", "4", "4"]


def test_what_has_no_label_is_left_out_beside_what_has_and_is_asked_about_where_classes_are_named(
    tmp_path: Path,
) -> None:
    files = hub()
    files["data/test-00000-of-00001.parquet"] = parquet({"image": [png(8)], "label": [-1]}, {"label": NAMES})
    reading = read(plant(tmp_path / "1", files))
    assert len(reading.found) == 8
    assert reading.skipped["data/test-00000-of-00001.parquet"] == "pictures without labels"
    files["data/test-00000-of-00001.parquet"] = parquet({"image": [png(8)]})
    assert told(read(plant(tmp_path / "1", files))) == told(reading)
    alone = plant(tmp_path / "2", {"x.parquet": parquet({"image": [png(0), png(1)], "width": [32, 32]})})
    folder = Folder(alone)
    assert read_images(folder, PrepareSettings()) is None
    assert "pictures without a class" in folder.refused["x.parquet"]
    assert told(read(alone, labels=("a", "b"))) == [("x.parquet#@0", None, None), ("x.parquet#@1", None, None)]


def test_a_cell_without_a_picture_costs_itself_alone(tmp_path: Path) -> None:
    raw = parquet({"image": [png(0), None, b"", b"no picture"], "label": [0, 1, 1, 0]}, {"label": NAMES})
    reading = read(plant(tmp_path, {"x.parquet": raw}))
    folder = Folder(tmp_path)
    found = index(folder, reading, "image")
    assert [one.where for one in found] == ["x.parquet#@0", "x.parquet#@3"]
    assert folder.refused == dict.fromkeys(("x.parquet#@1", "x.parquet#@2"), "there is no picture in that row")


def test_splits_as_folders_and_sets_side_by_side(tmp_path: Path) -> None:
    shards = hub()
    one = {
        "plain/train/0000.parquet": shards["data/train-00000-of-00002.parquet"],
        "plain/test/0000.parquet": shards["data/test-00000-of-00001.parquet"],
    }
    reading = read(plant(tmp_path, one))
    assert {(where.rpartition("#")[0], split) for where, _, split in told(reading)} == {
        ("plain/train/0000.parquet", "train"),
        ("plain/test/0000.parquet", "test"),
    }
    folder = Folder(plant(tmp_path, {"other/train/0000.parquet": shards["data/train-00001-of-00002.parquet"]}))
    assert read_images(folder, PrepareSettings()) is None
    assert "several sets lie side by side (other, plain)" in folder.refused["other/train/0000.parquet"]


@pytest.mark.parametrize(("name", "packed"), [("x.zip", zipped), ("x.tar.gz", tarred)])
def test_within_an_archive_and_beside_pictures_of_the_readme(
    tmp_path: Path, name: str, packed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = plant(tmp_path, {name: packed(hub()), "assets/logo.jpg": jpeg()})
    reading = read(root)
    assert len(reading.found) == 11
    folder, opened = Folder(root), list[str]()
    monkeypatch.setattr(
        folder.disk, "open", lambda where, openly=folder.disk.open: opened.append(where) or openly(where)
    )
    assert folder.read(f"{name}!data/train-00000-of-00002.parquet#@4") == png(4)
    before = len(opened)
    assert len(dict(folder.stream([found.where for found in reading.found if "train-00000" in found.where]))) == 5
    assert len(opened) == before + 1  # an archive is walked once for all groups of rows


def test_pictures_in_class_folders_beside_a_smaller_table_are_what_is_meant(tmp_path: Path) -> None:
    loose = {f"{name}/{i}.jpg": jpeg(i) for name in "ab" for i in range(6)}
    reading = read(plant(tmp_path, {**loose, "x.parquet": parquet({"image": [png(0), png(1)], "label": [0, 1]})}))
    assert {one.target for one in reading.found} == {"a", "b"}


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"PAR1" + bytes(60) + b"PAR1", "a damaged Parquet file"),
        (b"PAR1", "a damaged Parquet file (its end is not that of one)"),
        (parquet({"image": [png(0)], "label": [0]})[:-9], "a damaged Parquet file"),
        (parquet({"image": [png(0)], "label": [5]}, {"label": NAMES}), "label 5, and there are names of 2 classes"),
        (parquet({"sound": records([b"RIFF1234WAVE"]), "label": [0]}), ""),
    ],
)
def test_a_table_that_is_none_is_named_and_costs_itself_alone(tmp_path: Path, raw: bytes, why: str) -> None:
    reading = read(plant(tmp_path, {**hub(), "data/train-00001-of-00002.parquet": raw}))
    assert len(reading.found) == 9
    assert why in reading.skipped["data/train-00001-of-00002.parquet"]


def test_sounds_are_no_pictures_and_no_cells(tmp_path: Path) -> None:
    raw = parquet({"audio": records([b"RIFF1234WAVE"] * 4), "label": [0, 1, 0, 1]})
    folder = Folder(plant(tmp_path, {"train.parquet": raw}))
    assert read_images(folder, PrepareSettings()) is None
    assert not folder.holds_pictures("train.parquet")
    with pytest.raises(DataError, match="column 'audio' holds lists or records"):
        folder.table("train.parquet")


def test_any_damage_is_said_in_words(tmp_path: Path) -> None:
    whole = parquet({"image": [png(i) for i in range(3)], "label": [0, 1, 1]}, {"label": NAMES}, row_group_size=2)
    reader = Guarded(answered, memory_mb=4096)

    @settings(max_examples=40)
    @given(st.lists(st.tuples(st.integers(1, 1200), st.integers(0, 255)), min_size=1, max_size=4))
    def holds(damage: list[tuple[int, int]]) -> None:
        raw = bytearray(whole)
        for at, value in damage:  # the end tells where all else lies
            raw[-min(at, len(raw))] = value
        folder = Folder(plant(tmp_path, {"x.parquet": bytes(raw)}))
        vars(folder)["_parquet_reader"] = reader
        reading = read_images(folder, PrepareSettings())
        for where, _ in folder.stream([found.where for found in reading.found] if reading else []):
            assert where.startswith("x.parquet#@")

    holds()
