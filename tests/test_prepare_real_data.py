"""The development data sets, with the counts that their README states. Skipped where SNOWROLL_DATA is absent."""

from collections import Counter
from functools import partial
from hashlib import sha256
from pathlib import Path

import decode_jobs
import numpy as np
import pytest
from prepare_kit import real_data

from snowroll.base.task import Reading
from snowroll.prepare.index import index
from snowroll.prepare.layouts import read_images
from snowroll.prepare.pack import Pack
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split import assign

pytestmark = pytest.mark.slow


def read(name: str, **settings: str) -> tuple[Folder, Reading]:
    folder = Folder(real_data(name))
    reading = read_images(folder, PrepareSettings(**settings))  # type: ignore[arg-type]
    assert reading is not None
    return folder, reading


def test_trashnet_to_samples_and_splits() -> None:
    folder, reading = read("trashnet")
    train = Counter(found.target for found in reading.found if found.split == "train")
    assert train == {"cardboard": 287, "glass": 354, "metal": 286, "paper": 403, "plastic": 347, "trash": 91}
    assert Counter(found.split for found in reading.found) == {"train": 1768, "val": 328}
    assert reading.evidence[0].startswith("2,096 JPEG under train|val over 6 class folders")
    assert not reading.skipped
    samples = index(folder, reading, "image")
    copies = Counter(sample.content for sample in samples)
    labels = {sha: {s.target for s in samples if s.content == sha} for sha, n in copies.items() if n > 1}
    assert sum(len(found) > 1 for found in labels.values()) == 2, "two pairs with conflicting labels"
    targets = [sample.target for sample in samples]
    items, words = assign(samples, targets, [str(t) for t in targets], PrepareSettings())
    splits = {item.sample: item.split for item in items}
    assert all(splits[sample.id] == "test" for sample in samples if sample.split == "val")
    assert "its 328 samples are the locked test set" in " ".join(words)
    assert abs(sum(split == "val" for split in splits.values()) - 0.1 * 1768) < 6


def test_magnetic_tile_without_its_masks() -> None:
    _, reading = read("magnetic_tile", group="(.*)_num_")
    counts = Counter(str(found.target).removeprefix("MT_") for found in reading.found)
    assert counts == {"Blowhole": 89, "Break": 63, "Crack": 39, "Fray": 23, "Uneven": 83, "Free": 194}
    assert len(reading.skipped) == 491
    assert all(why.startswith("a mask of") for why in reading.skipped.values())
    assert all(found.group for found in reading.found)


def test_brain_mri_keeps_every_scan() -> None:
    folder, reading = read("brain_mri")
    assert Counter(found.target for found in reading.found) == {"yes": 121, "no": 73}
    samples = index(folder, reading, "image")
    copies = Counter(sample.content for sample in samples)
    assert sum(n > 1 for n in copies.values()) == 15, "15 groups of identical files"


def test_pneumoniamnist_arrays() -> None:
    folder, reading = read("pneumoniamnist")
    counts = Counter((found.split, found.target) for found in reading.found)
    assert counts == {("train", "0"): 388, ("train", "1"): 3494, ("val", "0"): 135, ("val", "1"): 389}
    assert len(index(folder, reading, "image")) == 4406


def test_gtsrb_manifest_with_tracks() -> None:
    _, reading = read("gtsrb")
    assert len(reading.found) == 3920
    assert len({found.target for found in reading.found}) == 43
    per_track = Counter(found.group for found in reading.found)
    assert Counter(per_track.values()) == {3: 1306, 2: 1}, "frames 9, 19 and 29 of every track; one track is short"
    assert reading.skipped == {}


def test_cifar_members_stream_into_a_pack(tmp_path: Path) -> None:
    folder, reading = read("cifar10_jpeg")
    assert Counter(found.target for found in reading.found) == dict.fromkeys(
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"], 5000
    )
    raws = dict(folder.stream([found.where for found in reading.found[:2000]]))
    jobs = [(found.where, sha256(raws[found.where]).hexdigest()) for found in reading.found[:2000]]
    encode = (partial(decode_jobs.picture), 32)
    pack = Pack.cached(tmp_path / "p", jobs, stream=folder.stream, encode=encode, workers=2)
    assert not pack.failed
    assert pack.columns["image"].shape == (2000, 32, 32, 3)
    for row in (0, 999, 1999):
        want = decode_jobs.picture(folder.read(jobs[row][0]), 32)["image"]
        assert (np.asarray(pack.columns["image"][row]) == want).all()


@pytest.mark.slow
def test_all_sets_at_once() -> None:
    """The folder of every set: nothing breaks, and every file is either listed or refused with a reason."""
    folder = Folder(real_data("README.md").parent)
    entries = folder.entries()
    assert len({entry.where for entry in entries}) == len(entries) > 60_000
    assert all(folder.refused.values())
