"""`train`: check, version, plan, gates, the run, its report, and the question whether it becomes the champion."""

from __future__ import annotations

import resource
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from snowroll.base import atomic
from snowroll.base.errors import DataError
from snowroll.base.nouns import Fault, Gate, Json, Plan, Version
from snowroll.verbs.data import Packed, freeze, pack_version, take_stock, training_batches
from snowroll.verbs.facts import known_facts, measure_facts
from snowroll.verbs.faults import find_faults
from snowroll.verbs.gating import pass_gates
from snowroll.verbs.models import Trained, load_model, save_model
from snowroll.verbs.plans import Told, make_plan, read_plan, same_request, seconds, write_plan
from snowroll.verbs.project import Answer, Opened, Say
from snowroll.verbs.promotion import consider
from snowroll.verbs.reporting import write_report

if TYPE_CHECKING:
    from torch import nn

    from snowroll.store.project import RunFolder


@dataclass(frozen=True, slots=True)
class Job:
    """One run of `train`, from the folder's state to a plan."""

    run: RunFolder
    plan: Plan
    told: Told
    version: Version
    faults: list[Fault]
    words: list[str]  # how the data was split
    resumed: bool


def train(
    opened: Opened, say: Say, *, time: str = "", accept: str = "", because: str = "", fresh: bool = False
) -> Answer:
    """See the command line. Holds the project's train lock: a second `train` is refused at once."""
    with opened.store.lock("train"):
        began = monotonic()
        job = prepare_job(opened, say, seconds(time), fresh)
        trained, gates = run_job(opened, job, say, accept, because, began)
        if trained is None:
            return _stopped(opened, job, gates, monotonic() - began)
        return _finished(opened, job, trained, gates, say, monotonic() - began)


def prepare_job(opened: Opened, say: Say, time_s: float | None, fresh: bool) -> Job:
    """What would be trained now: the data checked and frozen, the plan made; an unfinished run of it goes on."""
    stock = take_stock(opened, say)
    faults = find_faults(opened, stock, say)
    _refuse_blocking(opened, faults)
    version, words = freeze(opened, stock, faults)
    facts = known_facts(opened, version) or measure_facts(opened, version)
    plan, told = make_plan(opened, version, facts, time_s)
    unfinished = None if fresh else _unfinished(opened, plan, version)
    if unfinished is not None:
        plan = read_plan(unfinished.path, opened.task)
        say(f"resuming run {unfinished.number}: same plan, same data")
        return Job(unfinished, plan, told, version, faults, words, resumed=True)
    run = opened.store.new_run("train")
    say(f"run {run.number}: {len(version.items):,} samples, version {version.id}")
    return Job(run, plan, told, version, faults, words, resumed=False)


def _refuse_blocking(opened: Opened, faults: list[Fault]) -> None:
    blocking = [fault for fault in faults if fault.severity == "block"]
    if blocking:
        more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
        raise DataError(blocking[0].message + more, where=", ".join(blocking[0].paths[:3]), cure=blocking[0].cure)


def _unfinished(opened: Opened, plan: Plan, version: Version) -> RunFolder | None:
    """The newest run that was asked for in the same words on the same version and has not ended."""
    for run in reversed(opened.store.catalog.runs()):
        if run.kind == "train" and run.status == "running" and run.version == version.id:
            folder = opened.store.run(run.id)
            if same_request(read_plan(folder.path, opened.task), plan):
                return folder
    return None


def run_job(
    opened: Opened, job: Job, say: Say, accept: str, because: str, began: float
) -> tuple[Trained | None, list[Gate]]:
    """Gates, then the run. Returns (None, gates) where a gate failed and was not accepted."""
    import torch

    torch.set_num_threads(job.plan.threads)
    torch.use_deterministic_algorithms(True, warn_only=job.plan.device != "cpu")
    packed = pack_version(opened, job.version, job.plan.task, say)
    if not job.resumed:
        job = replace(job, plan=_fit_into_time(opened, packed, job.plan, monotonic() - began))
        write_plan(job.run.path, job.plan, job.told)
        atomic.write_json(job.run.path / "env.json", _environment(job.plan))
        opened.store.catalog.start_run(job.run, job.plan, job.version)
    gates = pass_gates(opened, packed, job.plan, job.run.path, say, accept, because)
    if not all(gate.passed for gate in gates) and not accept:
        opened.store.catalog.finish_run(job.run, "failed", None)
        return None, gates
    model, calibration = _fit(opened, packed, job, say)
    save_model(
        job.run.path / "model", opened.task, model, job.plan, job.version.schema, job.version.id, calibration
    )
    return load_model(opened, job.run.number), gates


def _environment(plan: Plan) -> dict[str, Json]:
    """What the bits depend on besides plan and data."""
    import platform

    import numpy
    import torch

    from snowroll import __version__

    return {
        "snowroll": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "machine": platform.machine(),
        "processor": platform.processor() or "unknown",
        "threads": plan.threads,
        "device": plan.device,
    }


Unused = (asdict, resource, Any, Path)
