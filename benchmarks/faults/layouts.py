"""How pictures lie on a disk: in class folders, in train|val|test over class folders, beside a manifest, in a zip."""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

SHARES = {"train": 0.7, "val": 0.15, "test": 0.15}
MANIFEST = "labels.csv"
COLUMNS = ("file", "label", "split", "group")
TWO_YEARS = (1_672_531_200, 1_735_689_600)  # 2023 and 2024, in seconds since 1970


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture before it has a place on the disk."""

    data: bytes
    suffix: str  # with its dot
    label: str
    group: str = ""  # the patient, part or track it must not be parted from
    stem: str = ""  # its name without the suffix, where it has one of its own
    split: str = ""


def encoded(picture: Image.Image, suffix: str, quality: int = 90) -> bytes:
    """The bytes of a file with this suffix; `quality` is that of a JPEG."""
    kind = Image.registered_extensions()[suffix.lower()]
    file = BytesIO()
    picture.save(file, kind, **({"quality": quality} if kind in ("JPEG", "WEBP") else {}))
    return file.getvalue()


def lay(shots: Sequence[Shot], layout: str, root: Path, rng: np.random.Generator) -> None:
    """Write the shots at `root`. Order, numbers in names and times are drawn, so they tell nothing of the label."""
    shots = named([shots[place] for place in rng.permutation(len(shots))], rng)
    times = rng.integers(*TWO_YEARS, size=len(shots))
    root.mkdir(parents=True, exist_ok=True)
    LAYOUTS[layout](shots, times, root, rng)


def named(shots: Sequence[Shot], rng: np.random.Generator) -> list[Shot]:
    """A camera's running numbers, with gaps, for the shots that have no name."""
    numbers = 1000 + np.cumsum(rng.integers(1, 9, size=len(shots)))
    return [
        shot if shot.stem else replace(shot, stem=f"IMG_{number}") for shot, number in zip(shots, numbers, strict=True)
    ]


def split(shots: Sequence[Shot], rng: np.random.Generator) -> list[Shot]:
    """Shots of one group get one split; each class is shared out by SHARES."""
    split_of: dict[str, str] = {}
    for label in sorted({shot.label for shot in shots}):
        groups = sorted({shot.group or shot.stem for shot in shots if shot.label == label})
        bounds = np.cumsum(list(SHARES.values())) * len(groups)
        for rank, place in enumerate(rng.permutation(len(groups))):
            which = min(int(np.searchsorted(bounds, rank, side="right")), len(SHARES) - 1)
            split_of.setdefault(groups[place], list(SHARES)[which])
    return [replace(shot, split=split_of[shot.group or shot.stem]) for shot in shots]


def in_class_folders(shots: Sequence[Shot], times: np.ndarray, root: Path, rng: np.random.Generator) -> None:
    for shot, time in zip(shots, times, strict=True):
        write(root / shot.label / f"{shot.stem}{shot.suffix}", shot.data, int(time))


def in_split_folders(shots: Sequence[Shot], times: np.ndarray, root: Path, rng: np.random.Generator) -> None:
    for shot, time in zip(split(shots, rng), times, strict=True):
        write(root / shot.split / shot.label / f"{shot.stem}{shot.suffix}", shot.data, int(time))


def with_manifest(shots: Sequence[Shot], times: np.ndarray, root: Path, rng: np.random.Generator) -> None:
    rows = []
    for shot, time in zip(split(shots, rng), times, strict=True):
        name = f"images/{shot.stem}{shot.suffix}"
        write(root / name, shot.data, int(time))
        rows.append({"file": name, "label": shot.label, "split": shot.split, "group": shot.group})
    grouped = any(row["group"] for row in rows)
    write_rows(root, rows, COLUMNS if grouped else COLUMNS[:-1])


def in_a_zip(shots: Sequence[Shot], times: np.ndarray, root: Path, rng: np.random.Generator) -> None:
    with zipfile.ZipFile(root / "pictures.zip", "w", zipfile.ZIP_STORED) as archive:
        for shot, time in zip(shots, times, strict=True):
            stamp = datetime.fromtimestamp(int(time), UTC).timetuple()[:6]
            archive.writestr(zipfile.ZipInfo(f"{shot.label}/{shot.stem}{shot.suffix}", stamp), shot.data)


LAYOUTS = {
    "class_folders": in_class_folders,
    "split_folders": in_split_folders,
    "manifest": with_manifest,
    "zip": in_a_zip,
}


def write(path: Path, data: bytes, time_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time_s, time_s))


def read_rows(root: Path) -> list[dict[str, str]]:
    with (root / MANIFEST).open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(root: Path, rows: Sequence[dict[str, str]], columns: Sequence[str] = ()) -> None:
    with (root / MANIFEST).open("w", newline="") as file:
        writer = csv.DictWriter(file, columns or list(rows[0]))
        writer.writeheader()
        writer.writerows({name: row[name] for name in writer.fieldnames} for row in rows)
    os.utime(root / MANIFEST, (TWO_YEARS[1], TWO_YEARS[1]))  # not the moment of planting
