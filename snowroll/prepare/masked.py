"""What every task answers alike whose targets are masks (prepare/mask_targets.py), whatever they lie on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from snowroll.base.nouns import Json, Prediction
from snowroll.base.task import Task


class Masked(Task):
    """A base for a task. The schema is {"type": "mask", "classes": [...]}."""

    pipeline = "image-segmentation"  # the model hubs' word
    in_pixels = True
    legend = (
        "From left to right: what it is, what the model said, and in red where the two differ. Background is plain."
    )

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        from snowroll.prepare.mask_targets import all_classes

        return {"type": "mask", "classes": all_classes(targets)}

    def problem(self, target: Json, schema: Mapping[str, Json]) -> str | None:
        from snowroll.prepare.mask_targets import problem

        return problem(target, schema["classes"])

    def gist(self, target: Json) -> str:
        from snowroll.prepare.mask_targets import gist

        return gist(target)

    def clash(self, one: Json, other: Json, is_one_file: bool) -> str | None:
        from snowroll.prepare.mask_targets import clash

        return clash(one, other, is_one_file)

    def words(self, value: Json) -> str:
        from snowroll.prepare.mask_targets import words

        return words(value)

    def loss_at_init(self, schema: Mapping[str, Json], options: Any) -> float | None:
        return None  # it begins with the classes' shares, so it hangs on how common they are

    def same(self, one: Prediction, other: Prediction) -> float:
        from snowroll.prepare.mask_targets import same

        return same(one, other)

    def of_classes(self, targets: Sequence[Json]) -> list[str]:
        """The classes that each mask shows."""
        from snowroll.prepare.mask_targets import classes_shown

        return [name for names in classes_shown(targets) for name in names]

    def strata(self, targets: Sequence[Json]) -> list[str]:
        """The rarest class that a mask shows, or "nothing"."""
        from snowroll.prepare.mask_targets import rarest_shown

        return rarest_shown(targets)


def log_shares(masks: np.ndarray, classes: int, most: int) -> np.ndarray:
    """[C] float32, of mean 0: logarithms of the classes' shares of all that is judged, as biases to begin with.

    masks: [n, ...] uint8, 255 where nothing is judged. most: masks that are counted.
    """
    counts = np.bincount(masks[:: max(1, len(masks) // most)].ravel(), minlength=256)[:classes] + 1.0
    prior = np.log(counts / counts.sum())
    return (prior - prior.mean()).astype(np.float32)
