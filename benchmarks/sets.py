"""The pictures that the benchmarks learn from: train|val|test folders over class folders, made once."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections import Counter
from pathlib import Path

from measuring import DATA, WORK
from PIL import Image


def cifar(each: int = 1000) -> Path:
    """cifar10_jpeg: the first `each` pictures a class to learn from, files 4500-4999 of each class to validate on.

    50 a class that no benchmark looks at stand in for the locked test set.
    """
    folder = WORK / f"cifar-{each}"
    splits = {"train": range(each), "val": range(4500, 5000), "test": range(4450, 4500)}
    if not (folder / "ready").exists():
        with tarfile.open(DATA / "cifar10_jpeg" / "cifar10_train.tar.xz", "r:xz") as archive:
            for member in archive:
                match = re.fullmatch(r"train/(\w+)/(\d+)\.jpg", member.name)
                file = archive.extractfile(member) if match else None
                split = next((name for name, part in splits.items() if match and int(match[2]) in part), None)
                if match and file and split:
                    _put(folder / split / match[1] / f"{match[2]}.jpg", file.read())
        (folder / "ready").touch()
    return folder


def photos(n: int = 800, judged: int = 240) -> Path:
    """trashnet's photos as JPEG of 640 x 480, as cameras give them: `n` to learn from, `judged` to validate on."""
    folder = WORK / f"photos-{n}-{judged}"
    if not (folder / "ready").exists():
        with zipfile.ZipFile(DATA / "trashnet" / "trashnet_256.zip") as archive:
            names = [name for name in archive.namelist() if name.endswith(".jpg")]
            learned, held_out = (
                sorted(name for name in names if f"/{part}/" in f"/{name}") for part in ("train", "val")
            )
            train = _spread(learned, n)
            test = _spread(sorted(set(learned) - set(train)), 90)
            for split, kept in (("train", train), ("val", _spread(held_out, judged)), ("test", test)):
                counts: Counter[str] = Counter()
                for name in kept:
                    kind = Path(name).parent.name
                    counts[kind] += 1
                    _put(folder / split / kind / f"{counts[kind]:04}.jpg", _enlarged(archive.read(name)))
        (folder / "ready").touch()
    return folder


def _spread(names: list[str], n: int) -> list[str]:
    """`n` of the names at even distances, so that every class has its share."""
    return [names[k * len(names) // n] for k in range(min(n, len(names)))]


def _enlarged(raw: bytes) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(raw)).convert("RGB").resize((640, 480), Image.Resampling.BICUBIC).save(
        out, "JPEG", quality=90
    )
    return out.getvalue()


def _put(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
