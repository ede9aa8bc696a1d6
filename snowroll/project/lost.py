"""What each training sample lost on average over a run, augmented as it was seen: the area under its loss.

High where a sample is hard, and where its label is wrong: those are fitted last. Pleiss et al. 2020 rank by the margin
(arXiv:2001.10528); the loss needs no classes, and ranks CIFAR-10N's wrong labels as well.

runs/0007-train/lost.npz    written beside each checkpoint
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from snowroll.base import atomic

FILE = "lost.npz"


class Lost:
    """Sums by row of the pack. Where the run goes on from a checkpoint that no file belongs to, from there on."""

    def __init__(self, folder: Path, rows: int, upto: int) -> None:
        self.path = folder / FILE
        self.total, self.times = np.zeros(rows), np.zeros(rows, np.int64)
        if upto and (kept := _read(self.path)) is not None and kept[2] == upto and len(kept[0]) == rows:
            self.total, self.times, _ = kept

    def add(self, ids: Sequence[int] | np.ndarray, losses: np.ndarray) -> None:
        np.add.at(self.total, ids, losses)
        np.add.at(self.times, ids, 1)

    def save(self, step: int) -> None:
        out = io.BytesIO()
        np.savez(out, total=self.total, times=self.times, step=step)
        atomic.write(self.path, out.getvalue(), durable=False)


def most_lost(folder: Path, k: int) -> list[tuple[int, float]]:
    """(row of the pack, its mean loss) of the k samples that lost most in the run of this folder; none without it."""
    kept = _read(folder / FILE)
    if kept is None:
        return []
    total, times, _ = kept
    mean = np.where(times > 0, total / np.maximum(times, 1), -np.inf)
    worst = np.argsort(-mean, kind="stable")[:k]
    return [(int(row), float(mean[row])) for row in worst if times[row]]


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, int] | None:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            return kept["total"], kept["times"], int(kept["step"])
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # none, or cut off when its disk was full
        return None
