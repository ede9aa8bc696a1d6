"""Pictures in arrays: numpy's files and the IDX of MNIST."""

import gzip
import io
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prepare_kit import plant, read, splits, targets

from snowroll.prepare.layouts import read_images
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings


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
