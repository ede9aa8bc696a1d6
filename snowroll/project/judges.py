"""Networks that judge targets they never saw: each half of the samples teaches one that judges the other half.

packs/opinions/<key>/0, 1    metrics and checkpoints while they learn: killed, the same command goes on
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np

from snowroll.base import atomic
from snowroll.base.errors import DataError, UsageError
from snowroll.base.memory import give_back
from snowroll.base.nouns import Item, Json, Plan, Version, canonical, digest
from snowroll.base.parts import own
from snowroll.prepare.split import folds
from snowroll.project.budget import fit_into_time
from snowroll.project.data import Packed, pack_version
from snowroll.project.facts import measure_facts
from snowroll.project.faults import Inspected
from snowroll.project.fitting import fit_run
from snowroll.project.folding import part_of
from snowroll.project.judging import predict_rows
from snowroll.project.models import Trained, calibrated
from snowroll.project.opened import Opened, Say
from snowroll.project.opinions import Opinions, keep_opinions
from snowroll.project.plans import make_plan
from snowroll.project.stock import Stock

HALVES = 2
FEWEST = 100  # labelled samples: half of fewer teach a network little


def form_opinions(opened: Opened, stock: Stock, inspected: Inspected, time_s: float, say: Say) -> None:
    """Train and ask both networks within `time_s`, and keep what they said. Holds the project's train lock.

    Raises UsageError where nothing follows from what they say, DataError where there are too few labelled samples.
    """
    began = monotonic()
    if opened.store.read_only:
        raise UsageError("what networks say is kept in the project, which is read-only", where="--time")
    whole = _halved(opened, stock, inspected)
    with opened.store.lock("train"):
        from snowroll.train.exact import settle

        facts = measure_facts(opened, whole, say)
        plan, _ = make_plan(opened, whole, facts, time_s)
        plan = replace(plan, folds=HALVES, processes=1)
        settle(plan.threads, plan.device)
        packed = pack_version(opened, whole, plan.task, say)
        folder = opened.store.packs / "opinions" / digest(whole.id, canonical(plan))
        parts = [part_of(packed, whole, half) for half in range(HALVES)]
        plan = _timed(opened, parts, plan, folder / "steps.json", time_s, began, say)
        is_choice = whole.schema["type"] == "choice"
        scores = np.full((len(whole.items), len(whole.schema["classes"]) if is_choice else 0), np.nan, np.float16)
        values: list[Json] = [None] * len(whole.items)
        for half, part in enumerate(parts):
            say(f"half {half + 1} of {HALVES}: {len(part.rows['train']):,} samples teach a network, it judges the rest")
            fitted = fit_run(opened, part, plan, folder / str(half), say)
            # of other targets one cut a class is fitted on what is judged: too little to learn a target by
            model = fitted.model if is_choice else calibrated(opened.task, fitted.model, fitted.calibration)
            judge = Trained(0, model, plan, packed.schema, part.version.id, folder)
            for row, said in zip(rows := part.rows["val"], predict_rows(opened, judge, part, rows), strict=True):
                if is_choice:
                    scores[row] = said.scores
                else:
                    values[row] = said.value
        ids = tuple(item.sample for item in whole.items)
        classes = tuple(whole.schema["classes"])
        keep_opinions(opened, Opinions(ids, classes, scores, () if is_choice else tuple(values)))
        shutil.rmtree(folder)
        give_back()


def _halved(opened: Opened, stock: Stock, inspected: Inspected) -> Version:
    """All labelled samples that can be read, in two halves by group, copies together; never stored as a version."""
    task, schema = opened.task, stock.schema
    if schema["type"] != "choice" and own(task.doubted) is None:
        told = f"task '{task.name}' does not say what a network's word means against a target"
        raise UsageError(told, where="--time", cure="leave it out")
    usable = [s for s in stock.samples if s.id in stock.targets and s.id not in inspected.left_out]
    usable = [s for s in usable if task.problem(stock.targets[s.id], schema) is None]
    if len(usable) < FEWEST:
        told = f"{len(usable)} labelled samples are too few to teach a network with half of them"
        raise DataError(told, where="--time", cure=f"label {FEWEST} or more, or leave it out")
    items = [Item(s.id, stock.targets[s.id], "train", s.group or inspected.alike.get(s.id)) for s in usable]
    halves = folds(items, HALVES, task.strata([item.target for item in items]), 0, [s.content for s in usable])
    return Version.freeze(halves, schema)


def _timed(
    opened: Opened, parts: Sequence[Packed], plan: Plan, file: Path, time_s: float, began: float, say: Say
) -> Plan:
    """The number of steps that fit, or as many as the user set: measured once, a killed call goes on with the same."""
    if not file.exists():
        timed = fit_into_time(opened, parts[0], replace(plan, time_s=time_s), monotonic() - began, say, monotonic)
        most = plan.steps if "train.steps" in opened.settings.values else timed.steps
        atomic.write_json(file, {"steps": min(most, timed.steps), "checkpoint_every": timed.checkpoint_every})
    kept = json.loads(file.read_text())
    # what is kept from a half is asked once, at the end: nothing is chosen by it
    return replace(plan, **kept, eval_every=kept["steps"], patience=0)
