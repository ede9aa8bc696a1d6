"""Checkpoints are for going on with a run. One that is done and passed its gates is told of, served and rolled back to
from its model: its checkpoints, several times as large, are freed.

Those of runs beside it stay: a later wish is measured together with the earlier ones, and goes on from them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from snowroll.project.jobs import ANSWER
from snowroll.project.opened import Opened


def free_checkpoints(opened: Opened) -> None:
    """Delete the checkpoints that no command goes on from. Killed, the next `train` deletes the rest."""
    catalog = opened.store.catalog
    for run in catalog.runs():
        folder = opened.store.runs / run.folder
        if run.status != "done" or not (freed := _checkpoints(folder)) or not _is_ok(folder):
            continue
        size = sum(path.stat().st_size for place in freed for path in place.iterdir())
        catalog.note("checkpoints.freed", {"run": run.number, "bytes": size})
        for place in freed:
            shutil.rmtree(place)


def _checkpoints(folder: Path) -> list[Path]:
    """Of the run's own model, or of its folds'."""
    return [place for place in [folder / "checkpoints", *folder.glob("folds/*/checkpoints")] if place.is_dir()]


def _is_ok(folder: Path) -> bool:
    """Whether all gates were passed: one that failed may be accepted yet, and then the run is gone on with."""
    answer = folder / ANSWER
    return answer.exists() and json.loads(answer.read_text())["ok"]
