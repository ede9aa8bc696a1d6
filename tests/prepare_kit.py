"""Small pictures and folders, made in code, for the tests of the prepare room."""

import io
import os
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snowroll.base.task import Reading
from snowroll.prepare.layouts import read_images
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings


def pixels(seed: int = 0, height: int = 24, width: int = 32) -> np.ndarray:
    """A picture with shapes and noise, so that no codec loses it and no mask looks like it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    smooth = np.stack([x * 7 + y * k + 40 * seed for k in (3, 5, 9)], axis=-1) % 200
    return (smooth + rng.integers(0, 40, (height, width, 3))).astype(np.uint8)


def encoded(array: np.ndarray, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)  # type: ignore[arg-type]
    return file.getvalue()


def jpeg(seed: int = 0) -> bytes:
    return encoded(pixels(seed))


def mask(seed: int = 0) -> bytes:
    return encoded(((pixels(seed)[..., 0] > 120) * 255).astype(np.uint8), "PNG")


def plant(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files, given by path."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def zipped(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(files: Mapping[str, bytes], mode: str = "w:gz") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def real_data(name: str) -> Path:
    """A development data set, or the test is skipped."""
    root = Path(os.environ.get("SNOWROLL_DATA", Path(__file__).parents[1] / "../shared/data"))
    if not (root / name).exists():
        pytest.skip(f"{name} is not under SNOWROLL_DATA")
    return root / name


def read(root: Path, **settings: Any) -> Reading:
    """A folder of pictures with classes, as `classify_images` reads it."""
    folder = Folder(root)
    reading = read_images(folder, PrepareSettings(**settings))
    assert reading is not None, folder.refused
    return reading


def told(reading: Reading) -> list[tuple[str, Any, Any]]:
    """(where, target, split) of each sample."""
    return [(found.where, found.target, found.split) for found in reading.found]


P = jpeg()  # any picture


def names(*paths: str) -> dict[str, bytes]:
    """One picture under each path, for `plant`."""
    return dict.fromkeys(paths, P)


def targets(reading: Reading) -> dict[str, object]:
    """Path -> target of each sample."""
    return {found.where: found.target for found in reading.found}


def splits(reading: Reading) -> dict[str, str | None]:
    """Path -> split of each sample, where the folder tells one."""
    return {found.where: found.split for found in reading.found}


def table(rows: list[list[str]], mark: str = ",") -> bytes:
    """A file of cells parted by `mark`."""
    return "\n".join(mark.join(row) for row in rows).encode()
