"""Masks of volumes as they are kept: {"mask", "classes", "shape", "spacing"}.

The mask is a picture's (prepare/mask_targets.py: a grey PNG as base64) of the slices side by side
(medical.looking.mosaic), so that it can be drawn, painted and scored as one; "shape" [depth, height, width] and
"spacing" [3] mm say how it is a volume.
A mask without a shape is of a picture: one slice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.bundles import is_bundle, unbundled
from snowroll.prepare.look import Look
from snowroll.prepare.mask_targets import BACKGROUND, IGNORED, as_target, mask_of, numbered
from snowroll.tasks.medical.fitting import UNKNOWN, Triple
from snowroll.tasks.medical.looking import columns_of, mosaic, unmosaic


def as_volume(labels: np.ndarray, classes: Sequence[str], spacing: Triple) -> Json:
    """labels: uint8 [D, H, W] places in `classes`, or IGNORED."""
    target = as_target(mosaic(labels, IGNORED), classes)
    return {**target, "shape": [int(side) for side in labels.shape], "spacing": [round(float(mm), 5) for mm in spacing]}


def shape_of(target: Json) -> tuple[int, int, int]:
    """Raises DataError where the mask does not have the size that the shape asks for."""
    told = target.get("shape")
    if told is None:
        return (1, *mask_of(target).shape)  # type: ignore[return-value]
    if not (isinstance(told, list | tuple) and len(told) == 3 and all(isinstance(n, int) and n > 0 for n in told)):
        raise DataError(f"a volume of shape {told}", cure="give depth, height and width")
    depth, height, width = (int(side) for side in told)
    columns = columns_of(depth)
    size = (ceil(depth / columns) * height, columns * width)
    if mask_of(target).shape != size:
        raise DataError(f"a mask of {list(mask_of(target).shape)}, where slices of {told} make {list(size)}")
    return depth, height, width


def spacing_of(target: Json) -> Triple:
    told = target.get("spacing") or UNKNOWN
    return (float(told[0]), float(told[1]), float(told[2]))


def numbered_volume(target: Json, classes: Sequence[str]) -> np.ndarray:
    """uint8 [D, H, W]: places in `classes`; what the schema does not know is IGNORED."""
    return unmosaic(numbered(target, classes), shape_of(target))


def of_painted(target: Json, look: Look) -> Json:
    """A mask painted over the mosaic that a scan was shown as, as a volume: what lies beside its slices counts nowhere.

    What is no such mask is left for `problem` to refuse.
    """
    shape = (int(look.own["depth"]), look.height, look.width)
    try:
        sheet = mask_of(target)
        known = {**target, "shape": list(shape)}
        labels = unmosaic(sheet, shape_of(known))
    except (DataError, TypeError):
        return target if not isinstance(target, Mapping) else {**target, "shape": list(shape)}
    spacing = (look.own["mm_deep"], look.own["mm_high"], look.own["mm_wide"])
    return as_volume(labels, target["classes"], spacing)


def as_file(value: Json, raw: bytes) -> tuple[str, bytes]:
    """(ending, bytes): NIfTI on the grid of the scan in `raw`, or a PNG where that is a picture."""
    from snowroll.prepare.mask_pictures import as_png
    from snowroll.tasks.medical import dicom, nifti

    labels = unmosaic(mask_of(value), shape_of(value))
    parts = unbundled(raw) if is_bundle(raw) else [raw]
    if nifti.is_nifti(parts[0]):
        return ".nii.gz", nifti.like(parts[0], labels)
    if dicom.is_dicom(parts[0]):
        return ".nii.gz", nifti.placed(labels, dicom.affine_of(parts))
    return ".png", as_png(value)


def grounds(classes: Sequence[str]) -> list[str]:
    """Classes that are what is left when everything has been found: nothing is said of them in scores."""
    return [name for name in classes if name.lower() in (BACKGROUND, "0", "ground", "nothing", "healthy", "none")]


def things(classes: Sequence[str]) -> list[int]:
    """Places of the classes that are to be found; all of them, where none is a ground."""
    ground = set(grounds(classes))
    return [place for place, name in enumerate(classes) if name not in ground] or list(range(len(classes)))
