"""A run beside the run: trained in a folder within its own, judged, and never saved as a model.

Killed, it goes on like any run. Whatever stops it, the run that it stands beside is sound and can be finished without.
"""

from __future__ import annotations

from pathlib import Path

from snowroll.base.errors import GateError, StoreError
from snowroll.base.nouns import Plan, Split
from snowroll.project.data import Packed
from snowroll.project.fitting import Fitted
from snowroll.project.folding import fit_plan
from snowroll.project.judging import Judged, judge
from snowroll.project.models import Trained, calibrated
from snowroll.project.opened import Opened, Say


def fit_aside(
    opened: Opened, packed: Packed, plan: Plan, folder: Path, say: Say, *, name: str, flag: str, split: Split = "test"
) -> tuple[Fitted, Judged]:
    """What the plan makes of `packed`, judged on `split`. name: of this run, in words; flag: what asked for it."""
    try:
        fitted, _ = fit_plan(opened, packed, plan, folder, say)
    except GateError as fault:  # told as a store's fault, the run is not given up: its own model is sound
        cure = f"the same command without {flag} finishes the run"
        raise StoreError(f"{name} stopped: {fault.what}", where=folder, cure=cure) from fault
    model = calibrated(opened.task, fitted.model, fitted.calibration)
    trained = Trained(0, model, plan, packed.schema, packed.version.id, folder)
    return fitted, judge(opened, trained, packed, split)
