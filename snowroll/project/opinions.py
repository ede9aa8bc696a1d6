"""What networks said of labels that they never saw (project/judges.py asks them): packs/opinions.npz.

Used by every check from then on; a cache: safe to delete.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np

from snowroll.base import atomic
from snowroll.base.nouns import Json, Sample, canonical, digest
from snowroll.project.opened import Opened


@dataclass(frozen=True, slots=True)
class Opinions:
    """[n, C] probabilities by networks that saw no sample's own label, and whose they are."""

    samples: tuple[str, ...]
    classes: tuple[str, ...]
    scores: np.ndarray

    @property
    def id(self) -> str:
        return digest(canonical([self.samples, self.classes]), self.scores.tobytes())


def known_opinions(opened: Opened) -> Opinions | None:
    """What was kept, if anything."""
    path = opened.store.packs / "opinions.npz"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            return Opinions(tuple(kept["samples"].tolist()), tuple(kept["classes"].tolist()), kept["scores"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def opinions_on(opinions: Opinions | None, samples: Sequence[Sample], schema: Mapping[str, Json]) -> np.ndarray | None:
    """[n, C] in the order of the samples, NaN where nothing was said; None where most have no opinion, or of others."""
    if opinions is None or opinions.classes != tuple(schema.get("classes", ())):
        return None
    place = {sample: row for row, sample in enumerate(opinions.samples)}
    rows = np.array([place.get(sample.id, -1) for sample in samples])
    labelled = np.array([sample.target is not None for sample in samples])
    if 2 * np.sum(labelled & (rows >= 0)) < np.sum(labelled):
        return None
    return np.where((rows >= 0)[:, None], opinions.scores[rows], np.nan).astype(np.float32)


def keep_opinions(opened: Opened, opinions: Opinions) -> None:
    out = io.BytesIO()
    np.savez(out, samples=np.array(opinions.samples), classes=np.array(opinions.classes), scores=opinions.scores)
    atomic.write(opened.store.packs / "opinions.npz", out.getvalue())
