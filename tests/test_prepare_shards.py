"""Files that hold many pictures each, CIFAR's batches and their kin: pixels, labels, names, splits, and damage."""

import io
import os
import pickle
import struct
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_kit import jpeg, plant, read, tarred, told
from scipy.io import savemat

from snowroll.base.errors import DataError
from snowroll.prepare.decode import Guarded
from snowroll.prepare.index import index
from snowroll.prepare.layouts import read_images
from snowroll.prepare.pickles import plain
from snowroll.prepare.pictures import open_rgb
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.shards import opened

NAMES = ("airplane", "car", "bird")


def pictures(n: int, seed: int = 0) -> np.ndarray:
    """[n, 32, 32, 3]."""
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3), np.uint8)


def rows_of(array: np.ndarray) -> np.ndarray:
    """As CIFAR lays pictures out: all red, then all green, then all blue."""
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)).reshape(len(array), -1)


def old_pickle(value: Any) -> bytes:
    """As Python 2 and the NumPy of its time wrote it: bytes for texts, protocol 2."""
    return b"\x80\x02" + _old(value) + b"."


def _old(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        rebuilt = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n" + _old((0,)) + _old("b") + b"tR"
        kind = b"cnumpy\ndtype\n(" + _old("u1") + _old(0) + _old(1) + b"tR"
        kind += b"(" + _old(3) + _old("|") + b"NNN" + _old(-1) + _old(-1) + _old(0) + b"tb"
        state = b"(" + _old(1) + _old(value.shape) + kind + b"\x89" + _old(value.tobytes()) + b"t"
        return rebuilt + state + b"b"
    if isinstance(value, dict):
        return b"}(" + b"".join(_old(key) + _old(item) for key, item in value.items()) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(_old, value)) + b"e"
    if isinstance(value, tuple):
        return b"(" + b"".join(map(_old, value)) + b"t"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    raw = value if isinstance(value, bytes) else value.encode()
    return b"T" + struct.pack("<i", len(raw)) + raw


def cifar(array: np.ndarray, labels: list[int], **more: Any) -> dict[str, Any]:
    return {"batch_label": "training batch 1 of 5", "labels": labels, "data": rows_of(array), **more}


def cifar_10(as_bytes: Any = old_pickle) -> dict[str, bytes]:
    home = "cifar-10-batches-py/"
    files = {f"{home}data_batch_{n}": as_bytes(cifar(pictures(3, n), [n % 3, 2, 0])) for n in (1, 2)}
    files[f"{home}test_batch"] = as_bytes(cifar(pictures(2, 9), [1, 0]))
    files[f"{home}batches.meta"] = as_bytes({"num_cases_per_batch": 3, "label_names": list(NAMES)})
    return {**files, f"{home}readme.html": b"<html>"}


def expected(home: str) -> list[tuple[str, str, str]]:
    rows = [(f"data_batch_{n}", [n % 3, 2, 0], "train") for n in (1, 2)] + [("test_batch", [1, 0], "test")]
    return [
        (f"{home}{name}#@{i}", NAMES[label], split) for name, labels, split in rows for i, label in enumerate(labels)
    ]


@pytest.mark.parametrize("as_bytes", [old_pickle, *(lambda value, p=p: pickle.dumps(value, p) for p in (2, 3, 4, 5))])
def test_pickled_batches(tmp_path: Path, as_bytes: Any) -> None:
    reading = read(plant(tmp_path, cifar_10(as_bytes)))
    home = "cifar-10-batches-py/"
    assert told(reading) == expected(home)
    assert reading.skipped == {f"{home}batches.meta": "names of classes", f"{home}readme.html": "not a picture"}
    folder = Folder(tmp_path)
    raws = dict(folder.stream([found.where for found in reading.found]))
    assert len(raws) == 8
    assert not folder.refused
    for n in (1, 2):
        for row in range(3):
            assert np.array_equal(open_rgb(raws[f"{home}data_batch_{n}#@{row}"]), pictures(3, n)[row])
    assert folder.read(f"{home}test_batch#@1") == raws[f"{home}test_batch#@1"]
    assert folder.read(f"{home}test_batch#@0") == raws[f"{home}test_batch#@0"]
    with pytest.raises(DataError, match="has 2 pictures, and no such one"):
        folder.read(f"{home}test_batch#@2")
    assert len(index(folder, reading, "image")) == 8


def test_the_published_archive_is_read_in_place_and_not_again_beside_what_came_out_of_it(tmp_path: Path) -> None:
    packed = {"cifar-10-python.tar.gz": tarred(cifar_10())}
    reading = read(plant(tmp_path / "1", packed))
    home = "cifar-10-python.tar.gz!cifar-10-batches-py/"
    assert told(reading) == expected(home)
    folder = Folder(tmp_path / "1")
    raws = dict(folder.stream([found.where for found in reading.found]))
    assert np.array_equal(open_rgb(raws[f"{home}data_batch_2#@1"]), pictures(3, 2)[1])
    both = read(plant(tmp_path / "2", {**packed, **cifar_10()}))
    assert told(both) == expected("cifar-10-batches-py/")
    assert both.skipped[f"{home}test_batch"] == "holds again what lies in 'cifar-10-batches-py/'"
    alone = read(tmp_path / "1" / "cifar-10-python.tar.gz")
    assert told(alone) == expected(home)


@pytest.mark.parametrize("kind", ["pickles", "rows"])
def test_of_coarse_and_fine_labels_the_fine_ones(tmp_path: Path, kind: str) -> None:
    coarse, fine, names = [0, 1, 0], [2, 0, 1], ["apple", "bear", "baby"]
    files = {}
    for split in ("train", "test"):
        data = rows_of(pictures(3, len(split)))
        both = {"filenames": ["a", "b", "c"], "coarse_labels": coarse, "fine_labels": fine, "data": data}
        row = np.column_stack([np.array([coarse, fine], np.uint8).T, data]).tobytes()
        files |= {split: old_pickle(both)} if kind == "pickles" else {f"{split}.bin": row}
    if kind == "pickles":
        files["meta"] = old_pickle({"coarse_label_names": ["x", "y"], "fine_label_names": names})
    else:
        files |= {"fine_label_names.txt": "\n".join(names).encode() + b"\n", "coarse_label_names.txt": b"x\ny\n"}
    reading = read(plant(tmp_path, files))
    assert [(one.target, one.split) for one in reading.found] == [
        (names[label], split) for split in ("test", "train") for label in fine
    ]
    where = next(one.where for one in reading.found if one.split == "train")
    assert np.array_equal(open_rgb(Folder(tmp_path).read(where)), pictures(3, 5)[0])


def test_batches_as_rows_of_bytes(tmp_path: Path) -> None:
    def rows(n: int, labels: list[int]) -> bytes:
        return np.column_stack([np.array(labels, np.uint8), rows_of(pictures(len(labels), n))]).tobytes()

    files = {f"data_batch_{n}.bin": rows(n, [n % 3, 2, 0]) for n in (1, 2)}
    files |= {"test_batch.bin": rows(9, [1, 0]), "batches.meta.txt": "\n".join(NAMES).encode() + b"\n\n"}
    reading = read(plant(tmp_path, files))
    assert told(reading) == [(where.replace("#", ".bin#"), *rest) for where, *rest in expected("")]
    assert np.array_equal(open_rgb(Folder(tmp_path).read("data_batch_2.bin#@2")), pictures(3, 2)[2])


def stl_10() -> dict[str, bytes]:
    files = {"class_names.txt": "\n".join(NAMES).encode() + b"\n", "fold_indices.txt": b"0 1 2\n"}
    for split, labels in (("train", [1, 3, 2, 1]), ("test", [2, 1])):
        large = np.random.default_rng(len(labels)).integers(0, 256, (len(labels), 96, 96, 3), np.uint8)
        files[f"{split}_X.bin"] = np.ascontiguousarray(large.transpose(0, 3, 2, 1)).tobytes()
        files[f"{split}_y.bin"] = bytes(labels)
    return {f"stl10_binary/{name}": raw for name, raw in files.items()} | {"stl10_binary/unlabeled_X.bin": bytes(27648)}


@pytest.mark.parametrize("packed", [False, True])
def test_large_pictures_column_by_column_beside_their_labels(tmp_path: Path, packed: bool) -> None:
    files = {"stl10_binary.tar.gz": tarred(stl_10())} if packed else stl_10()
    reading = read(plant(tmp_path, files))
    home = "stl10_binary.tar.gz!stl10_binary/" if packed else "stl10_binary/"
    assert sorted(told(reading)) == [
        *[(f"{home}test_X.bin#@{i}", NAMES[label - 1], "test") for i, label in enumerate([2, 1])],
        *[(f"{home}train_X.bin#@{i}", NAMES[label - 1], "train") for i, label in enumerate([1, 3, 2, 1])],
    ]
    assert reading.skipped[f"{home}unlabeled_X.bin"] == "rows of bytes of 1 pictures without labels"
    assert reading.skipped[f"{home}train_y.bin"] == "the labels of pictures beside it"
    shots = np.random.default_rng(4).integers(0, 256, (4, 96, 96, 3), np.uint8)
    assert np.array_equal(open_rgb(Folder(tmp_path).read(f"{home}train_X.bin#@2")), shots[2])


def test_labels_without_names_stay_numbers_and_too_few_are_none(tmp_path: Path) -> None:
    files = stl_10()
    files["stl10_binary/test_y.bin"] = b"\1"
    del files["stl10_binary/class_names.txt"]
    reading = read(plant(tmp_path, files))
    assert [one.target for one in reading.found] == ["1", "3", "2", "1"]
    assert "without labels" in reading.skipped["stl10_binary/test_X.bin"]


def test_two_sets_side_by_side_are_not_mixed(tmp_path: Path) -> None:
    files = {**cifar_10(), "other/test_batch": old_pickle(cifar(pictures(2, 5), [1, 1]))}
    folder = Folder(plant(tmp_path, files))
    assert read_images(folder, PrepareSettings()) is None
    assert "give --data on the folder of one" in folder.refused["other/test_batch"]


class _Runs:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch ran",)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (pickle.dumps({"data": _Runs()}), "a pickle that asks for posix.system"),
        (pickle.dumps({"data": np.array([None])}), "an array of 'O8' in a pickle"),
        (pickle.dumps({"data": np.float32}), "a pickle that asks for numpy.float32"),
        (old_pickle(cifar(pictures(2), [0, 1]))[:-900], "a damaged pickle"),
        (old_pickle(cifar(pictures(2), [0, 1, 1])), "2 pictures and 3 labels ('labels')"),
        (old_pickle({"labels": [1]}), "a pickle without an array of pictures"),
        (old_pickle(cifar(pictures(2)[:, :, :31], [0, 1])), "is no pictures of 8 bits"),
        (old_pickle(cifar(pictures(2), [0, 9])), "label 9, and there are names of 3 classes"),
        (old_pickle([1]), "a pickle of no names"),
        (pickle.dumps(cifar(pictures(2), [0, None])), "labels that are no whole numbers or names"),  # type: ignore[list-item]
    ],
)
def test_a_batch_that_is_none_is_named_and_costs_itself_alone(
    raw: bytes, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = {f"d/{where}": data for where, data in cifar_10().items()}
    reading = read(plant(tmp_path, {**files, "d/cifar-10-batches-py/data_batch_1": raw}).joinpath("d"))
    assert told(reading) == [one for one in expected("cifar-10-batches-py/") if "h_1" not in one[0]]
    assert why in reading.skipped["cifar-10-batches-py/data_batch_1"]
    assert not (tmp_path / "ran").exists()


def test_rows_cut_off_are_named(tmp_path: Path) -> None:
    folder = Folder(plant(tmp_path, {"data_batch_1.bin": bytes(3073 * 2 - 1)}))
    assert read_images(folder, PrepareSettings()) is None
    assert "6,145 bytes are no rows of 3,073 or 3,074" in folder.refused["data_batch_1.bin"]


def test_other_files_called_train_are_none(tmp_path: Path) -> None:
    files = {"train": b"a text", "test": b"\x80", "a/1.jpg": jpeg(), "b/1.jpg": jpeg(1)}
    reading = read(plant(tmp_path, files))
    assert {one.target for one in reading.found} == {"a", "b"}
    folder = Folder(plant(tmp_path / "2", {"train": b"a text", "test": b""}))
    assert read_images(folder, PrepareSettings()) is None
    assert not folder.refused


def matrices(**arrays: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, arrays, do_compression=True)
    return file.getvalue()


def svhn(n: int, labels: list[int]) -> bytes:
    shots = pictures(len(labels), n).transpose(1, 2, 3, 0)
    return matrices(X=shots, y=np.array(labels, np.uint8)[:, None])


def test_house_numbers_in_matrices_whose_10_is_the_digit_0(tmp_path: Path) -> None:
    files = {"train_32x32.mat": svhn(1, [1, 10, 9, 2]), "test_32x32.mat": svhn(2, [3, 10])}
    reading = read(plant(tmp_path, files))
    assert told(reading)[:2] == [("test_32x32.mat#@0", "3", "test"), ("test_32x32.mat#@1", "0", "test")]
    assert told(reading)[2:] == [(f"train_32x32.mat#@{i}", label, "train") for i, label in enumerate("1092")]
    folder = Folder(tmp_path)
    raws = dict(folder.stream([found.where for found in reading.found]))
    assert np.array_equal(open_rgb(raws["train_32x32.mat#@3"]), pictures(4, 1)[3])
    assert "10 is the digit 0" in reading.evidence[0]


@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_matrices_with_pictures_first_and_last(tmp_path: Path, is_last: bool, channels: tuple[int, ...]) -> None:
    shots = np.random.default_rng(0).integers(0, 256, (6, 9, 8, *channels), np.uint8)
    stored = np.moveaxis(shots, 0, -1) if is_last else shots
    raw = matrices(images=stored, class_of=np.array([5.0, 7, 5, 7, 10, 10]))
    reading = read(plant(tmp_path, {"set.mat": raw}))
    assert told(reading) == [(f"set.mat#@{i}", label, None) for i, label in enumerate(["5", "7", "5", "7", "10", "10"])]
    again = open_rgb(Folder(tmp_path).read("set.mat#@2"))
    assert np.array_equal(again, np.broadcast_to(shots[2].reshape(9, 8, -1), (9, 8, 3)))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (svhn(1, [1, 2, 3])[:-700], "a damaged MATLAB file"),
        (b"MATLAB 7.3 MAT-file" + bytes(600), "version 7.3, which is not read; save it with -v7"),
        (matrices(x=np.arange(9)), "a MATLAB file of 0 arrays of pictures"),
        (matrices(X=np.zeros((8, 8, 3, 5), np.uint8)), "5 pictures without labels"),
        (matrices(X=np.zeros((8, 8, 3, 5), np.uint8), y=np.arange(5), z=np.arange(5)), "may be its labels: y, z"),
    ],
)
def test_matrices_that_are_no_pictures_are_named(raw: bytes, why: str, tmp_path: Path) -> None:
    folder = Folder(plant(tmp_path, {"train.mat": raw}))
    assert read_images(folder, PrepareSettings()) is None
    assert why in folder.refused["train.mat"]


def test_records_of_an_older_kind_and_many_of_them_are_left_alone(tmp_path: Path) -> None:
    folder = Folder(plant(tmp_path, {"A001.mat": struct.pack("<5i", 20, 1, 8, 0, 4) + b"val\0" + bytes(16)}))
    assert read_images(folder, PrepareSettings()) is None
    assert not folder.refused
    folder = Folder(plant(tmp_path / "2", {f"{n}.mat": svhn(n, [1, 2]) for n in range(101)}))
    assert read_images(folder, PrepareSettings()) is None
    assert len(folder.refused) == 101
    assert all("one of 101 files" in why and "100 are opened at most" in why for why in folder.refused.values())


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(PLAIN, st.integers(2, 5))
def test_plain_data_comes_back_from_a_pickle(value: Any, protocol: int) -> None:
    assert plain(pickle.dumps(value, protocol)) == value


@given(
    st.sampled_from(["u1", "<i2", ">i2", "i8", "f4", ">f8", "b1"]),
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
    st.integers(2, 5),
    st.booleans(),
)
def test_arrays_come_back_from_a_pickle(kind: str, sides: list[int], protocol: int, is_fortran: bool) -> None:
    array = np.arange(np.prod(sides)).reshape(sides).astype(kind)
    array = np.asfortranarray(array) if is_fortran else array
    again = plain(pickle.dumps({"x": array}, protocol))["x"]
    assert again.dtype == array.dtype
    assert np.array_equal(again, array)


def test_any_damage_to_a_pickle_is_said_in_words() -> None:
    whole = old_pickle({"data": np.arange(12, dtype=np.uint8).reshape(1, 12), "labels": [1]})
    child = Guarded(partial(opened, with_pictures=True), memory_mb=1024)  # a byte may ask for room without end

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(2, len(whole) - 1), st.integers(0, 255)), min_size=1, max_size=4))
    def holds(damage: list[tuple[int, int]]) -> None:
        raw = bytearray(whole)
        for at, value in damage:
            raw[at] = value
        with suppress(DataError):
            child(bytes(raw))

    holds()
