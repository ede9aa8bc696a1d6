"""A tiny folder that this task learns in a minute on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json
from snowroll.tasks.medical.example import drawn, packed


def example(folder: Path) -> Mapping[str, Json]:
    """Write 32 volumes as NIfTI with lesions of two kinds, and their masks, as imagesTr/ and labelsTr/. Returns
    settings that suit them, augmentation among them."""
    import json

    from snowroll.tasks.medical.nifti import written

    for part in ("imagesTr", "labelsTr"):
        (folder / part).mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps({"labels": {"background": 0, "head": 1, "lesion": 2}}))
    for number in range(32):
        voxels, lesion = drawn(number, ill=number % 4 > 0)
        labels = np.where(lesion, 2, np.where(voxels > 150, 1, 0)).astype(np.uint8)
        for part, values in (("imagesTr", voxels), ("labelsTr", labels)):
            name = f"case_{number:02}{'_0000' if part == 'imagesTr' else ''}.nii.gz"
            (folder / part / name).write_bytes(packed(written(values, (2.0, 1.0, 1.0))))
    return {
        "task.frame": "4,24,24",
        "task.patch": "4,16,24",
        "task.spacing": "2,1,1",
        "task.width": 12,
        "task.flip": True,
        "task.rotate_deg": 5.0,
        "task.scale": 0.05,
        "task.shift": 0.05,
        "task.brightness": 0.05,
        "train.folds": 0,
    }
