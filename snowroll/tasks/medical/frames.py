"""DICOM files of several frames: what they tell of all frames together or of each, and older files as tags of their own
(DICOM PS3.3, C.7.6.16): spacing, orientation, place, rescaling.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_OF_FRAMES = {  # what newer files keep for all frames together, or for each
    "PixelMeasuresSequence": ("PixelSpacing", "SliceThickness", "SpacingBetweenSlices"),
    "PlaneOrientationSequence": ("ImageOrientationPatient",),
    "PlanePositionSequence": ("ImagePositionPatient",),
    "PixelValueTransformationSequence": ("RescaleSlope", "RescaleIntercept"),
}


def rescaled_by_frame(pixels: np.ndarray, data: Any) -> np.ndarray | None:
    """Each frame by its own slope and intercept; None where one is for all."""
    told = [_in_groups(frame) for frame in data.PerFrameFunctionalGroupsSequence]
    slopes, intercepts = (
        [float(one.get(name, data.get(name, usual))) for one in told]
        for name, usual in (("RescaleSlope", 1), ("RescaleIntercept", 0))
    )
    shape = pixels.shape[-2:]
    if len(told) * shape[0] * shape[1] != pixels.size:
        return None
    of_frames = np.array([slopes, intercepts], np.float64)[..., None, None]
    return pixels.reshape(len(told), *shape) * of_frames[0] + of_frames[1]


def _in_groups(frame: Any) -> dict[str, Any]:
    """Tag -> value, of those that the groups of one frame, or of all, hold."""
    groups = [(frame.get(group) or [{}])[0] for group in _OF_FRAMES]
    return {
        name: group[name].value
        for group, names in zip(groups, _OF_FRAMES.values(), strict=True)
        for name in names
        if name in group
    }


def groups_alone(frame: Any) -> Any:
    """The groups of a frame again, with the tags alone that its numbers and its place need."""
    from pydicom.dataset import Dataset

    told, kept = _in_groups(frame), Dataset()
    for group, names in _OF_FRAMES.items():
        inner = Dataset()
        for name in names:
            if name in told:
                setattr(inner, name, told[name])
        if len(inner):
            setattr(kept, group, [inner])
    return kept


def lift(data: Any) -> None:
    """What a file tells of all its frames together, or of the first, as tags of the file, as older ones have it."""
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for tag, value in _in_groups((data.get(name) or [{}])[0]).items():
            if tag not in data:
                setattr(data, tag, value)


def planes_of(data: Any, frames: int) -> list[Any]:
    """Of a file whose frames tell where they lie, each frame as a slice without pixels; else none."""
    from pydicom.dataset import Dataset

    told = [_in_groups(frame) for frame in data.get("PerFrameFunctionalGroupsSequence") or ()]
    if frames == 1 or len(told) != frames or not all("ImagePositionPatient" in one for one in told):
        return []
    made = []
    for one in told:
        plane = Dataset()
        for name in ("Modality", "Rows", "Columns", *(tag for tags in _OF_FRAMES.values() for tag in tags)):
            if name in data or name in one:
                setattr(plane, name, one.get(name, data.get(name)))
        made.append(plane)
    return made
