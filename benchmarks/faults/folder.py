"""A folder of samples, read and changed without regard to how it lies: class folders, splits over them, or a manifest.

What is changed keeps the times of the files, and new files get names of the same kind: a planted file looks like any.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from layouts import MANIFEST, SHARES, encoded, read_rows, write, write_rows
from PIL import Image


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of a ground and what its place or its row says of it."""

    path: Path
    label: str
    split: str = ""
    group: str = ""  # from the column of the manifest only

    @property
    def time_s(self) -> float:
        return self.path.stat().st_mtime

    def picture(self) -> Image.Image:
        return Image.open(BytesIO(self.path.read_bytes()))


def has_manifest(root: Path) -> bool:
    return (root / MANIFEST).exists()


def samples(root: Path) -> list[Sample]:
    """Every sample, in the order of their paths, or of the rows of the manifest."""
    if has_manifest(root):
        return [Sample(root / row["file"], row["label"], row["split"], row.get("group", "")) for row in read_rows(root)]
    found = []
    for path in sorted(root.rglob("*")):
        *above, label, _ = ("", *path.relative_to(root).parts)
        if path.is_file() and label:
            found.append(Sample(path, label, above[-1] if above[-1] in SHARES else ""))
    return found


def classes(root: Path) -> list[str]:
    return sorted({sample.label for sample in samples(root)})


def splits(root: Path) -> list[str]:
    return sorted({sample.split for sample in samples(root)})


def pick(root: Path, rng: np.random.Generator, share: float, split: str | None = None, label: str = "") -> list[Sample]:
    """A random share of the samples of a split and a class, three at least."""
    found = [one for one in samples(root) if split in (None, one.split) and label in ("", one.label)]
    count = min(len(found), max(3, round(share * len(found))))
    return [found[place] for place in sorted(rng.choice(len(found), count, replace=False))]


def learnt(root: Path) -> str:
    """The split that is learnt from; "" where the folder has none."""
    return "train" if "train" in splits(root) else ""


def pick_class(root: Path, rng: np.random.Generator, other_than: str = "") -> str:
    return str(rng.choice([label for label in classes(root) if label != other_than]))


def rewrite(sample: Sample, data: bytes) -> Path:
    """Other bytes under the same name and time."""
    write(sample.path, data, sample.time_s)
    return sample.path


def redraw(sample: Sample, picture: Image.Image, quality: int = 90) -> Path:
    return rewrite(sample, encoded(picture, sample.path.suffix, quality))


def fresh_name(folder: Path, like: Path, rng: np.random.Generator) -> Path:
    """A name that is not taken anywhere around: `like`'s with other digits, but for the first of each number."""
    taken = {path.name for path in (folder.parent if folder.parent.exists() else like.parent).rglob("*")}
    while True:
        name = re.sub(r"(?<=\d)\d", lambda _: str(rng.integers(10)), like.name)
        if name not in taken and not (folder / name).exists():
            return folder / name


def add(
    root: Path, data: bytes, like: Sample, rng: np.random.Generator, *,
    label: str = "", split: str = "", suffix: str = "",
) -> Path:  # fmt: skip
    """A further sample: of the label, split, format and about the time of `like` where nothing else is said."""
    label, split = label or like.label, split or like.split
    folder = like.path.parent if has_manifest(root) else root / split / label
    path = fresh_name(folder, like.path.with_suffix(suffix or like.path.suffix), rng)
    write(path, data, like.time_s + int(rng.integers(1, 10**6)))
    if has_manifest(root):
        new = {"file": path.relative_to(root).as_posix(), "label": label, "split": split, "group": ""}
        rows = read_rows(root)
        rows.insert(int(rng.integers(len(rows))), new)
        write_rows(root, rows, list(rows[-1]))
    return path


def move(root: Path, sample: Sample, *, label: str = "", split: str = "") -> Path:
    """Give a sample another label or split: a row is changed, or the file moved."""
    label, split = label or sample.label, split or sample.split
    if has_manifest(root):
        rows = read_rows(root)
        for row in rows:
            if root / row["file"] == sample.path:
                row |= {"label": label, "split": split}
        write_rows(root, rows)
        return sample.path
    target = root / split / label / sample.path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    return sample.path.rename(target)


def replace_by(root: Path, sample: Sample, data: bytes, suffix: str) -> Path:
    """The sample's file in another format, under the suffix of that format."""
    path = sample.path.with_suffix(suffix)
    time_s = sample.time_s
    sample.path.unlink()
    write(path, data, time_s)
    if has_manifest(root):
        rows = read_rows(root)
        for row in rows:
            if root / row["file"] == sample.path:
                row["file"] = path.relative_to(root).as_posix()
        write_rows(root, rows)
    return path


def remove(root: Path, gone: list[Sample]) -> None:
    paths = {sample.path for sample in gone}
    for path in paths:
        path.unlink()
    if has_manifest(root):
        write_rows(root, [row for row in read_rows(root) if root / row["file"] not in paths])


def set_time(path: Path, time_s: float) -> None:
    os.utime(path, (time_s, time_s))
