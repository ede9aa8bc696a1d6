"""What networks said of targets that they never saw (project/judges.py asks them): packs/opinions.npz.

Used by every check from then on; a cache: safe to delete.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zipfile import BadZipFile

import numpy as np

from snowroll.base import atomic
from snowroll.base.nouns import Json, Sample, canonical, digest
from snowroll.project.opened import Opened


@dataclass(frozen=True, slots=True)
class Opinions:
    """What networks said that saw no sample's own target, and of which samples."""

    samples: tuple[str, ...]
    classes: tuple[str, ...]
    scores: np.ndarray  # [n, C] probabilities, where a target is a choice; else [n, 0]
    values: tuple[Json, ...] = ()  # [n] predictions, where it is none

    @property
    def id(self) -> str:
        return digest(canonical([self.samples, self.classes, self.values]), self.scores.tobytes())


def known_opinions(opened: Opened) -> Opinions | None:
    """What was kept, if anything."""
    path = opened.store.packs / "opinions.npz"
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            samples, classes = kept["samples"].tolist(), kept["classes"].tolist()
            return Opinions(tuple(samples), tuple(classes), kept["scores"], tuple(json.loads(kept["values"].tobytes())))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None


def opinions_on(opinions: Opinions | None, samples: Sequence[Sample], schema: Mapping[str, Json]) -> np.ndarray | None:
    """[n, C] in the order of the samples, NaN where nothing was said; None where most have no opinion, or of others."""
    rows = _rows(opinions, samples, schema)
    if opinions is None or rows is None or not opinions.scores.shape[1]:
        return None
    return np.where((rows >= 0)[:, None], opinions.scores[rows], np.nan).astype(np.float32)


def said_of(opinions: Opinions | None, samples: Sequence[Sample], schema: Mapping[str, Json]) -> list[Json] | None:
    """[n] the predictions likewise, None where nothing was said."""
    rows = _rows(opinions, samples, schema)
    if opinions is None or rows is None or not opinions.values:
        return None
    return [opinions.values[row] if row >= 0 else None for row in rows]


def _rows(opinions: Opinions | None, samples: Sequence[Sample], schema: Mapping[str, Json]) -> np.ndarray | None:
    """[n] where each sample stands among the opinions, -1 where it does not."""
    if opinions is None or opinions.classes != tuple(schema.get("classes", ())):
        return None
    place = {sample: row for row, sample in enumerate(opinions.samples)}
    rows = np.array([place.get(sample.id, -1) for sample in samples])
    labelled = np.array([sample.target is not None for sample in samples])
    return None if 2 * np.sum(labelled & (rows >= 0)) < np.sum(labelled) else rows


def keep_opinions(opened: Opened, opinions: Opinions) -> None:
    out = io.BytesIO()
    values = np.frombuffer(json.dumps(opinions.values).encode(), np.uint8)
    samples, classes = np.array(opinions.samples), np.array(opinions.classes)
    np.savez(out, samples=samples, classes=classes, scores=opinions.scores, values=values)
    atomic.write(opened.store.packs / "opinions.npz", out.getvalue())
