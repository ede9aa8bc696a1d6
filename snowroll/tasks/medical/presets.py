"""Settings for common medical questions: `snowroll init DIR --preset NAME`. Values that a flag gives win."""

from __future__ import annotations

from collections.abc import Mapping

from snowroll.base.task import Preset

PRESETS: Mapping[str, Preset] = {
    "brain_tumour": Preset(
        "medical",
        {"prepare.scenes": True, "task.sensitivity": 0.95, "task.rotate_deg": 10.0, "task.scale": 0.15},
        "slices of MR: neighbours and copies stay together, few tumours may be missed",
    ),
    "chest_xray": Preset(
        "medical",
        {"task.sensitivity": 0.95, "task.flip": False, "task.rotate_deg": 5.0, "task.scale": 0.1},
        "the heart lies on the left, so nothing is mirrored; few findings may be missed",
    ),
    "nuclei": Preset(
        "segment_images",
        {"task.flip": True, "task.flip_down": True, "task.rotate_deg": 180.0},
        "cells have no top: any turn is as good; touching ones are counted one by one",
    ),
}
