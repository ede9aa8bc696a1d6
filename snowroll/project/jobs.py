"""What `train` would do now: the data checked and frozen, the plan made, and the run in which it is done.

runs/0007-train/env.json       what the bits depend on besides plan and data
runs/0007-train/answer.json    what was decided and said; a run is done only when it is there
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from snowroll.base import atomic
from snowroll.base.errors import DataError
from snowroll.base.nouns import Fault, Json, Plan, Version
from snowroll.project.beside import refuse_ungrouped
from snowroll.project.facts import known_facts, measure_facts
from snowroll.project.faults import Inspected, Inspection
from snowroll.project.folding import folded
from snowroll.project.freezing import freeze, refuse_without_figure
from snowroll.project.learning import refuse_curve
from snowroll.project.log import Log
from snowroll.project.opened import Opened, Say
from snowroll.project.plans import PLAN, Told, make_plan, read_plan, read_told, same_request, write_plan
from snowroll.project.stock import take_stock
from snowroll.project.sweep import variants

if TYPE_CHECKING:
    from snowroll.store.rows import RunFolder

ANSWER = "answer.json"
ENVIRONMENT = "env.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `train` is to compare a run with, for an answer beyond its own figure."""

    beside_random: bool = False
    learning_curve: bool = False
    sweep: str = ""  # 'task.size_px=32,64'

    def answered_by(self, said: dict[str, Json]) -> bool:
        """Whether what `train --json` said of a run holds all that is wanted now."""
        return self.beside(said) == Wanted().beside(said)

    def beside(self, said: dict[str, Json]) -> Wanted:
        """What is wanted now, and what was measured before. Of two sweeps the newer counts."""
        swept = said.get("sweep")
        asked = f"{swept['setting']}={','.join(tried['value'] for tried in swept['tried'])}" if swept else ""
        return Wanted(
            self.beside_random or "beside_random" in said,
            self.learning_curve or "learning_curve" in said,
            self.sweep.replace(" ", "") or asked,
        )


ALONE = Wanted()


@dataclass(frozen=True, slots=True)
class Job:
    """One run of `train`: what will be done, on what."""

    run: RunFolder
    plan: Plan
    told: Told
    version: Version
    inspected: Inspected
    words: list[str]  # how the data was split
    resumed: bool
    wanted: Wanted
    done: bool = False  # an earlier run did exactly this


def prepare_job(opened: Opened, say: Say, time_s: float | None, fresh: bool = False, wanted: Wanted = ALONE) -> Job:
    """What would be trained now: the data checked and frozen, the plan made; an unfinished run of it goes on."""
    version, inspected, words = check_and_freeze(opened, say)
    facts = known_facts(opened, version) or measure_facts(opened, version, say)
    plan, told = make_plan(opened, version, facts, time_s)
    if plan.folds:
        folded(opened, version, plan)  # refused before anything is spent
    if wanted.beside_random:
        refuse_ungrouped(opened, version)
    if wanted.learning_curve:
        refuse_curve(plan, len(version.of("train")))
    if wanted.sweep:
        variants(opened, plan, wanted.sweep)
        validated = [item.target for item in version.of("val")]
        refuse_without_figure(opened.task, validated, version.schema, "--sweep is judged on the validation samples")
    earlier = None if fresh else _earlier(opened, plan, version)
    _leave(opened, earlier, "--fresh begins anew" if fresh else "its settings or data differ", say)
    if earlier is not None:
        known = opened.store.catalog.run(earlier.number)
        done = known is not None and known.status == "done"  # its answer alone does not tell: it is written before
        same = f"run {earlier.number}: same plan, same data"
        say(f"{same}; it is done, --fresh trains once more" if done else f"{same}; it goes on")
        plan, told = read_plan(earlier.path, opened.task), read_told(earlier.path)
        if known is not None and known.status == "stopped":
            opened.store.catalog.start_run(earlier, plan, version)
        return Job(earlier, plan, told, version, inspected, words, True, wanted, done)
    if any(key.startswith("task.") for key in opened.settings.values):
        schema = opened.task.completed_schema(version.schema, plan.task)
        opened.task.build(plan.task, schema)  # a name that is not known ends here, before anything is decoded
    run = _unbegun(opened) or opened.store.new_run("train")
    for sentence in words:
        say(sentence)
    say(f"run {run.number}: {len(version.of('train')):,} samples to learn from, version {version.id}")
    return Job(run, plan, told, version, inspected, words, False, wanted)


def check_and_freeze(opened: Opened, say: Say) -> tuple[Version, Inspected, list[str]]:
    """What there is now, checked, as a version; and how it was split, in words. Raises DataError where a fault blocks.

    A split that was just drawn can cut through copies, which only shows once it is drawn: then it is checked again,
    so that it is known now and not at the next call.
    """
    stock = take_stock(opened, say)
    inspection = Inspection(opened, stock, say)
    inspected = inspection.found()
    _refuse_blocking(inspected.faults)
    version, words = freeze(opened, stock, inspected.left_out, inspected.alike)
    drawn = inspection.found()
    _refuse_blocking(drawn.faults)
    if drawn.left_out != inspected.left_out:
        version, words = freeze(opened, stock, drawn.left_out, drawn.alike)
    return version, drawn, words


def _refuse_blocking(faults: list[Fault]) -> None:
    blocking = [fault for fault in faults if fault.severity == "block"]
    if blocking:
        more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
        raise DataError(blocking[0].message + more, where=", ".join(blocking[0].paths[:3]), cure=blocking[0].cure)


def _earlier(opened: Opened, plan: Plan, version: Version) -> RunFolder | None:
    """The newest run that was asked for in the same words on the same version: unfinished, or done by this software."""
    for run in reversed(opened.store.catalog.runs()):
        if run.kind == "train" and run.status in ("running", "stopped", "done") and run.version == version.id:
            folder = opened.store.run(run.number)
            if not (folder.path / PLAN).exists() or not same_request(read_plan(folder.path, opened.task), plan):
                continue
            if run.status != "done" or _would_be_same(folder, plan):
                return folder
    return None


def _leave(opened: Opened, going_on: RunFolder | None, why: str, say: Say) -> None:
    """Every other unfinished run is left as it is, which is said: its process is gone, for this one holds the lock."""
    for run in opened.store.catalog.runs():
        if run.kind != "train" or run.status != "running" or (going_on is not None and run.number == going_on.number):
            continue
        folder, steps = opened.store.run(run.number), (run.plan or {}).get("steps", 0)
        rows = Log(folder.path / "metrics.jsonl", upto=steps, is_kept=False).rows
        at = f"step {rows[-1]['step'] if rows else 0:,} of {steps:,}"
        say(f"run {run.number} was left unfinished at {at}: {why}")
        opened.store.catalog.finish_run(folder, "stopped", None)


def _unbegun(opened: Opened) -> RunFolder | None:
    """The last run, emptied, if it was killed among the gates that come before its plan: its number is taken over."""
    last = max(opened.store.catalog.runs(), key=lambda run: run.number, default=None)
    if last is None or (last.kind, last.status) != ("train", "new"):
        return None
    folder = opened.store.run(last.number)
    shutil.rmtree(folder.path, ignore_errors=True)
    folder.path.mkdir(parents=True, exist_ok=True)
    return folder


def _would_be_same(folder: RunFolder, plan: Plan) -> bool:
    """Whether a run that is done would say again what it said: same versions, same machine."""
    answer, environment = folder.path / ANSWER, folder.path / ENVIRONMENT
    if not (answer.exists() and environment.exists()):
        return False
    return json.loads(environment.read_text()) == _environment(plan)


def start(opened: Opened, job: Job) -> None:
    """From here on the same command goes on with this run."""
    write_plan(job.run.path, job.plan, job.told)
    atomic.write_json(job.run.path / ENVIRONMENT, _environment(job.plan))
    opened.store.catalog.start_run(job.run, job.plan, job.version)


def _environment(plan: Plan) -> dict[str, Json]:
    """What the bits depend on besides plan and data."""
    import platform
    from importlib import metadata

    import numpy
    import torch

    return {
        "snowroll": metadata.version("snowroll"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "machine": platform.machine(),
        "threads": plan.threads,
        "processes": plan.processes,
        "threads_each": plan.threads_each,
        "device": plan.device,
    }
