"""Numbered pictures and MATLAB's lists of their labels and splits."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prepare_kit import jpeg, mask, plant, tarred
from scipy.io import savemat

from snowroll.prepare.layouts import read_images
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings

LABELS = [3, 1, 1, 2, 3, 2, 1, 3]


def matrices(**arrays: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, arrays)
    return file.getvalue()


def flowers() -> dict[str, bytes]:
    files = {f"jpg/image_{n:05}.jpg": jpeg(n) for n in range(1, 9)}
    splits = matrices(trnid=np.array([[1, 4, 6]]), valid=np.array([[2, 3]]), tstid=np.array([[5, 7, 8]]))
    return {**files, "imagelabels.mat": matrices(labels=np.array([LABELS], np.uint8)), "setid.mat": splits}


@pytest.mark.parametrize("packed", [False, True])
def test_flowers_as_oxford_has_them(tmp_path: Path, packed: bool) -> None:
    files = flowers()
    if packed:
        pictures = {name: files.pop(name) for name in [*files] if name.startswith("jpg")}
        files["102flowers.tgz"] = tarred(pictures)
    reading = read_images(Folder(plant(tmp_path, files)), PrepareSettings())
    assert reading is not None
    home = "102flowers.tgz!" if packed else ""
    splits = {1: "train", 4: "train", 6: "train", 2: "val", 3: "val"}
    assert [(one.where, one.target, one.split) for one in reading.found] == [
        (f"{home}jpg/image_{n:05}.jpg", str(label), splits.get(n, "test")) for n, label in enumerate(LABELS, 1)
    ]
    assert reading.layout == "a list for numbered pictures"
    assert "labelled by 'labels' in imagelabels.mat: 3 classes; splits by setid.mat" in reading.evidence[0]


def test_their_outlines_beside_them_are_none(tmp_path: Path) -> None:
    files = {**flowers(), **{f"segmim/segmim_{n:05}.png": mask(n) for n in range(1, 9)}}
    reading = read_images(Folder(plant(tmp_path, files)), PrepareSettings())
    assert reading is not None
    assert {one.where.partition("/")[0] for one in reading.found} == {"jpg"}
    assert len(reading.found) == 8


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("jpg/image_00008.jpg", b""),  # one is missing: numbers no longer say which is which
        ("imagelabels.mat", matrices(labels=np.arange(8))),
        ("imagelabels.mat", matrices(labels=np.array(LABELS), others=np.array(LABELS))),
        ("imagelabels.mat", matrices(labels=np.array(LABELS[:7]))),
        ("imagelabels.mat", matrices(labels=np.array(LABELS) / 2)),
    ],
)
def test_lists_that_are_no_labels_tell_none(tmp_path: Path, name: str, raw: bytes) -> None:
    files = {**flowers(), name: raw}
    folder = Folder(plant(tmp_path, {name: raw for name, raw in files.items() if raw}))
    assert read_images(folder, PrepareSettings()) is None


def test_splits_that_share_pictures_are_none(tmp_path: Path) -> None:
    files = {**flowers(), "setid.mat": matrices(trnid=np.array([1, 2, 3]), tstid=np.array([3, 4, 5]))}
    reading = read_images(Folder(plant(tmp_path, files)), PrepareSettings())
    assert reading is not None
    assert {one.split for one in reading.found} == {None}
