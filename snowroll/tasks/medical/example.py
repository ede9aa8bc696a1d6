"""A tiny folder that this task learns in a minute on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json


def example(folder: Path) -> Mapping[str, Json]:
    """Write 48 volumes as NIfTI, half of them with a bright lesion, under healthy/ and lesion/. Returns settings that
    suit them, augmentation among them."""
    from snowroll.tasks.medical.nifti import written

    for number in range(48):
        voxels, lesion = drawn(number, ill=bool(number % 2))
        kind = "lesion" if lesion.any() else "healthy"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        (folder / kind / f"{number:02}.nii.gz").write_bytes(packed(written(voxels, (2.0, 1.0, 1.0))))
    return {
        "task.frame": "4,24,24",
        "task.spacing": "2,1,1",
        "task.width": 8,
        "task.flip": True,
        "task.rotate_deg": 5.0,
        "task.scale": 0.05,
        "task.shift": 0.05,
        "task.brightness": 0.05,
        "train.folds": 0,
    }


def packed(raw: bytes) -> bytes:
    """The same bytes every time: no date in the gzip."""
    import gzip

    return gzip.compress(raw, 1, mtime=0)


def drawn(number: int, ill: bool) -> tuple[np.ndarray, np.ndarray]:
    """int16 [D, H, W], a head of soft tissue in a ring of bone, and [D, H, W] bool where its lesion is."""
    rng = np.random.default_rng(number)
    depth, height, width = (int(rng.integers(low, low + 3)) for low in (4, 22, 22))
    z, y, x = (np.arange(side) / (side - 1) * 2 - 1 for side in (depth, height, width))
    far = np.sqrt((z[:, None, None] * 0.6) ** 2 + y[None, :, None] ** 2 + x[None, None, :] ** 2)
    voxels = np.where(far < 0.9, 300.0, 0.0) + np.where((far > 0.75) & (far < 0.9), 150, 0)
    voxels += rng.normal(0, 25, voxels.shape) * (far < 0.9)
    lesion = np.zeros(voxels.shape, bool)
    if ill:
        cz, cy, cx = rng.uniform(-0.35, 0.35, 3)
        near = np.sqrt((z[:, None, None] - cz) ** 2 * 0.4 + (y[None, :, None] - cy) ** 2 + (x[None, None, :] - cx) ** 2)
        lesion = near < rng.uniform(0.35, 0.45)
        voxels[lesion] += 600
    return voxels.astype(np.int16), lesion
