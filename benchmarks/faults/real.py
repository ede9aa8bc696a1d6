"""Slices of real data sets (SNOWROLL_DATA) that a careful person would call clean: known copies, disputed labels and
accidents of storage are left out.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
from layouts import Shot, encoded
from PIL import Image

DATA = Path(os.environ.get("SNOWROLL_DATA", Path(__file__).parents[3] / "shared" / "data"))
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIGNS = {10: "no_passing", 12: "priority", 13: "yield", 17: "no_entry", 25: "road_works", 35: "ahead", 38: "keep_right"}


def photos(rng: np.random.Generator, each: int = 60) -> list[Shot]:
    """trashnet: rubbish on a white board, JPEG as published; its double photos are left out."""
    shots = []
    with zipfile.ZipFile(DATA / "trashnet" / "trashnet_256.zip") as archive:
        for label, names in grouped(archive.namelist(), lambda path: path.parts[1]).items():
            chosen = [names[place] for place in rng.choice(len(names), min(2 * each, len(names)), replace=False)]
            shots += first_of(each, (Shot(archive.read(name), ".jpg", label) for name in chosen))
    return without_copies(shots)


def thumbnails(rng: np.random.Generator, each: int = 40) -> list[Shot]:
    """CIFAR-10 as JPEG: only pictures of which three annotators said the same as the label (CIFAR-10N).

    The name is the picture's place in the original training set.
    """
    people = np.load(DATA / "cifar10n" / "cifar10n_labels.npz")
    clear = np.all([people[f"random_label{k}"] == people["clean_label"] for k in (1, 2, 3)], axis=0)
    wanted = {}
    for label, word in enumerate(CIFAR):
        places = np.flatnonzero(people["clean_label"] == label)
        for rank in rng.choice(np.flatnonzero(clear[places]), each, replace=False):
            wanted[f"train/{word}/{rank:04d}.jpg"] = Shot(b"", ".jpg", word, stem=f"{places[rank]:05d}")
    return without_copies(
        Shot(data, ".jpg", wanted[name].label, stem=wanted[name].stem) for name, data in cifar_files(wanted)
    )


def cifar_files(names: Iterable[str]) -> Iterable[tuple[str, bytes]]:
    names = set(names)
    with tarfile.open(DATA / "cifar10_jpeg" / "cifar10_train.tar.xz", "r:xz") as archive:
        for member in archive:
            if member.name in names:
                yield member.name, archive.extractfile(member).read()


def signs(rng: np.random.Generator, tracks: int = 24) -> list[Shot]:
    """GTSRB: seven signs, three frames of each track; the name tells the track. PNG of 15 to 250 px.

    Tracks are numbered anew: as published they count within their class.
    """
    shots, numbers = [], iter(rng.permutation(1000))
    with zipfile.ZipFile(DATA / "gtsrb" / "gtsrb_train_sample.zip") as archive:
        for number, label in SIGNS.items():
            names = [name for name in archive.namelist() if name.startswith(f"{number:05d}/")]
            frames_of = grouped(names, lambda path: path.stem.split("_")[0])
            for track in rng.choice(sorted(frames_of), min(tracks, len(frames_of)), replace=False):
                group = f"{next(numbers):05d}"
                for name in frames_of[track]:
                    stem = f"{group}_{Path(name).stem.split('_')[1]}"
                    shots.append(Shot(archive.read(name), ".png", label, group, stem))
    return shots


def grouped(names: Iterable[str], key: Callable[[Path], str]) -> dict[str, list[str]]:
    """Names of files by what `key` makes of their paths."""
    found = defaultdict(list)
    for name in sorted(names):
        if Path(name).suffix:
            found[key(Path(name))].append(name)
    return dict(found)


def chests(rng: np.random.Generator, each: int = 160) -> list[Shot]:
    """PneumoniaMNIST: chest X-rays of 28 x 28 px, as grey PNG."""
    source = np.load(DATA / "pneumoniamnist" / "pneumoniamnist_trainval.npz")
    pictures, labels = source["train_images"], source["train_labels"][:, 0]
    shots = []
    for label, word in enumerate(("normal", "pneumonia")):
        for place in rng.choice(np.flatnonzero(labels == label), each, replace=False):
            shots.append(Shot(encoded(Image.fromarray(pictures[place]), ".png"), ".png", word))
    return without_copies(shots)


def tiles(rng: np.random.Generator, each: int = 60) -> list[Shot]:
    """Magnetic tiles with four surface defects or none: a square that holds the defect, 128 px, JPEG.

    As published, the shapes of the pictures differ from class to class.
    """
    shots = []
    with zipfile.ZipFile(DATA / "magnetic_tile" / "magnetic_tile_dev.zip") as archive:
        pictures = [name for name in archive.namelist() if name.endswith(".jpg") and "Fray" not in name]
        for folder, names in grouped(pictures, lambda path: path.parts[0]).items():
            label, squares = folder.removeprefix("MT_").lower(), []
            for name in (names[place] for place in rng.permutation(len(names))):
                mask = Image.open(BytesIO(archive.read(name.replace(".jpg", ".png"))))
                squares.append(square(archive.read(name), 128, middle_of(mask, rng)))
            shots += first_of(each, (Shot(encoded(picture, ".jpg", 92), ".jpg", label) for picture in squares))
    return without_copies(shots)


def middle_of(mask: Image.Image, rng: np.random.Generator) -> tuple[float, float]:
    """The middle of what the mask shows, or any place if it shows nothing. In shares of width and height."""
    rows, columns = np.nonzero(np.asarray(mask.convert("L")) > 127)
    return (columns.mean() / mask.width, rows.mean() / mask.height) if len(rows) else tuple(rng.uniform(0.2, 0.8, 2))


def brains(rng: np.random.Generator, each: int = 75) -> list[Shot]:
    """Brain MRI with a tumour or none: one of each set of copies, all grey, 160 px, PNG.

    As published, the two classes came from different sources: sizes, modes and formats told the label.
    """
    shots = []
    with zipfile.ZipFile(DATA / "brain_mri" / "brain_mri_dev.zip") as archive:
        for label, names in grouped(archive.namelist(), lambda path: path.parts[0]).items():
            order = [names[place] for place in rng.permutation(len(names))]
            pictures = (square(archive.read(name), 160) for name in order)
            shots += [Shot(encoded(picture, ".png"), ".png", label) for picture in pictures]
    shots = without_copies(shots, 0.95)
    return [shot for label in ("no", "yes") for shot in [one for one in shots if one.label == label][:each]]


def square(data: bytes, side: int, middle: tuple[float, float] = (0.5, 0.5)) -> Image.Image:
    """The largest square as near to `middle` as it can be, grey, scaled to `side` px."""
    picture = Image.open(BytesIO(data)).convert("L")
    edge = min(picture.size)
    left = int(np.clip(middle[0] * picture.width - edge / 2, 0, picture.width - edge))
    top = int(np.clip(middle[1] * picture.height - edge / 2, 0, picture.height - edge))
    return picture.crop((left, top, left + edge, top + edge)).resize((side, side), Image.Resampling.LANCZOS)


def first_of(count: int, shots: Iterable[Shot]) -> list[Shot]:
    return without_copies(shots)[:count]


def without_copies(shots: Iterable[Shot], alike: float = 0.985) -> list[Shot]:
    """One of each set of pictures whose pixels at 16 x 16 correlate by more than `alike` (chosen by eye)."""
    shots = list(shots)
    outlines = np.zeros((len(shots), 256), np.float32)
    kept: list[int] = []
    for place, shot in enumerate(shots):
        pixels = np.asarray(Image.open(BytesIO(shot.data)).convert("L").resize((16, 16)), np.float32).ravel()
        outlines[place] = (pixels - pixels.mean()) / (np.linalg.norm(pixels - pixels.mean()) + 1e-6)
        if not kept or (outlines[kept] @ outlines[place]).max() <= alike:
            kept.append(place)
    return [shots[place] for place in kept]
