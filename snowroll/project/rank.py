"""One of the processes that share a run: `python -m snowroll.project.rank DESK`, started by project/ranks.py."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.errors import SnowrollError
from snowroll.base.nouns import Item, Json, Plan, Version
from snowroll.project.data import Packed, pack_version, training_batches
from snowroll.project.fitting import fit_rank, new_model, objective_of
from snowroll.project.models import write_weights
from snowroll.project.opened import Opened, Say, open_project
from snowroll.project.plans import read_plan
from snowroll.project.ranks import KEPT, MEET, ORDER

if TYPE_CHECKING:
    pass

Tell = Callable[[dict[str, Json]], None]


def main(desk: Path) -> None:
    """Do the work that lies on the desk, with the others; exit 1 when it cannot be done."""
    tell = _line_to_starter()
    Thread(target=_end_with_starter, daemon=True).start()

    def tell_fault(fault: Exception) -> None:
        if isinstance(fault, SnowrollError):
            tell({"fault": type(fault).__name__, "what": fault.what, "where": fault.where, "cure": fault.cure})
        else:
            tell({"fault": "", "what": "".join(traceback.format_exception(fault))})

    try:
        order = json.loads((desk / ORDER).read_text())
        opened = open_project(Path(order["root"]), order["flags"], write=False)
        plan = read_plan(desk, opened.task)
        from snowroll.train.distributed import processes
        from snowroll.train.exact import settle

        settle(plan.threads_each, plan.device)
        packed = _packed(opened, plan, order)
    except Exception as fault:
        tell_fault(fault)
        sys.exit(1)
    with processes(plan.device, meet=desk / MEET, tell=tell_fault) as (rank, world):
        say: Say = (lambda text: tell({"say": text})) if rank == 0 else (lambda text: None)
        if order["work"] == "measure":
            tell({"step_s": _step_seconds(opened, packed, plan, rank, world)})
            return
        with opened.store.lock("fit") if rank == 0 else nullcontext():  # an earlier run's first process is gone
            model = fit_rank(opened, packed, plan, Path(order["folder"]), say)
            if rank == 0:
                write_weights(desk / KEPT, model)


def _packed(opened: Opened, plan: Plan, order: Json) -> Packed:
    """What the starter trains on: the pack it made, mapped into memory, and the rows it chose."""
    told = order["version"]
    items = [Item(**item) for item in told["items"]]
    version = Version.freeze(items, told["schema"], told["parent"], told["left_out"])
    assert version.id == told["id"], "the version changed on its way"
    packed = pack_version(opened, version, plan.task, lambda text: None)
    return replace(packed, rows={split: np.array(rows, np.int64) for split, rows in order["rows"].items()})


def _step_seconds(opened: Opened, packed: Packed, plan: Plan, rank: int, world: int) -> float:
    from snowroll.train.calibrate import step_seconds

    batches = training_batches(opened, packed, packed.rows["train"], plan, rank, world)
    return step_seconds(new_model(opened, packed, plan), batches, objective_of(opened, plan), plan, monotonic)


def _line_to_starter() -> Tell:
    """The standard output as a line of its own; what libraries print there goes to stderr instead."""
    line = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(told: dict[str, Json]) -> None:
        print(json.dumps(told), file=line, flush=True)

    return tell


def _end_with_starter() -> None:
    """Wait for the end of the pipe that the starter holds, then stop in the midst of whatever it is."""
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
