"""The clean folders that faults are planted into, and the clean projects on which false alarms are counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import drawings
import numpy as np
import real
from layouts import Shot, lay


@dataclass(frozen=True, slots=True)
class Ground:
    """A clean folder: whose pictures, how they lie, drawn with which seed."""

    pictures: Callable[[np.random.Generator], Sequence[Shot]]
    layout: str  # of layouts.LAYOUTS
    seed: int = 0

    @property
    def is_real(self) -> bool:
        return self.pictures.__module__ == real.__name__

    @property
    def is_here(self) -> bool:
        """Whether its data are on this machine."""
        return not self.is_real or real.DATA.is_dir()

    def write(self, root: Path) -> None:
        rng = np.random.default_rng(self.seed)
        lay(self.pictures(rng), self.layout, root, rng)


GROUNDS = {
    "digits": Ground(drawings.digits, "class_folders"),
    "digits_split": Ground(drawings.digits, "split_folders"),
    "digits_manifest": Ground(drawings.digits, "manifest"),
    "shapes": Ground(drawings.shapes, "class_folders"),
    "shapes_manifest": Ground(drawings.shapes, "manifest"),
    "textures_split": Ground(drawings.textures, "split_folders"),
    "parts_split": Ground(drawings.parts, "split_folders"),  # several shots of a part, which the name tells
    "scans_manifest": Ground(drawings.scans, "manifest"),  # several slices of a patient, in the column `group`
    "photos_split": Ground(real.photos, "split_folders"),
    "thumbnails": Ground(real.thumbnails, "class_folders"),
    "signs_split": Ground(real.signs, "split_folders"),  # three frames of a track, which the name tells
    "chests_split": Ground(real.chests, "split_folders"),
    "tiles": Ground(real.tiles, "class_folders"),
    "brains_split": Ground(real.brains, "split_folders"),
}

# grouped pictures lie with a split: without one, nobody should train on them before naming their groups
PROJECTS = {
    "digits_in_folders": Ground(drawings.digits, "class_folders", 11),
    "digits_in_zip": Ground(drawings.digits, "zip", 12),
    "shapes_in_folders": Ground(drawings.shapes, "class_folders", 13),
    "shapes_in_zip": Ground(drawings.shapes, "zip", 14),
    "textures_in_folders": Ground(drawings.textures, "class_folders", 15),
    "textures_in_manifest": Ground(drawings.textures, "manifest", 16),
    "parts_in_splits": Ground(drawings.parts, "split_folders", 17),
    "parts_in_manifest": Ground(drawings.parts, "manifest", 18),
    "scans_in_splits": Ground(drawings.scans, "split_folders", 19),
    "scans_in_manifest": Ground(drawings.scans, "manifest", 20),
    "photos_in_splits": Ground(real.photos, "split_folders", 21),
    "photos_in_zip": Ground(real.photos, "zip", 22),
    "thumbnails_in_folders": Ground(real.thumbnails, "class_folders", 23),
    "thumbnails_in_manifest": Ground(real.thumbnails, "manifest", 24),
    "signs_in_splits": Ground(real.signs, "split_folders", 25),
    "signs_in_manifest": Ground(real.signs, "manifest", 26),
    "chests_in_folders": Ground(real.chests, "class_folders", 27),
    # no tiles: each was photographed up to six times, under another number each time, so any split cuts through them
    "brains_in_folders": Ground(real.brains, "class_folders", 29),
}
