"""Cross-validation by group: a model for each fold, what each says of the samples it never saw, and all of them as one.

runs/0007-train/folds/0/ ...    checkpoints and metrics.jsonl of one fold: a killed run goes on in the unfinished one
runs/0007-train/folds/          out-of-fold.jsonl, every answer; folds.json, what they are worth
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base import atomic
from snowroll.base.nouns import Plan, Prediction, Split, Version
from snowroll.evaluate.splits import CrossValidated
from snowroll.prepare.split import folds
from snowroll.project.data import Packed
from snowroll.project.fitting import Fitted, fit_run
from snowroll.project.judging import beside_truth, metrics, metrics_with_meaning, predict_rows
from snowroll.project.log import Log
from snowroll.project.models import Trained
from snowroll.project.opened import Opened, Say
from snowroll.project.validating import calibrate

if TYPE_CHECKING:
    from torch import nn

    from snowroll.train.trial import Measured


_ASKED = 100  # samples that the joined model is asked about
_LESS = 0.1  # credit that may be lost by joining


def fit_plan(
    opened: Opened, packed: Packed, plan: Plan, folder: Path, say: Say
) -> tuple[Fitted, CrossValidated | None]:
    """The model the plan asks for: one, or one for each fold and all of them joined."""
    if not plan.folds:
        return fit_run(opened, packed, plan, folder, say), None
    whole = folded(opened, packed.version, plan)
    _name_lone_classes(opened, whole, say)
    parts = [part_of(packed, whole, fold) for fold in range(plan.folds)]
    members, answers = [], []
    for fold, part in enumerate(parts):
        n = {split: len(part.rows[split]) for split in ("train", "val")}
        say(f"fold {fold} (of {plan.folds}): {n['train']:,} samples to learn from, {n['val']:,} kept from it")
        member = fit_run(opened, part, plan, folder / "folds" / str(fold), say)
        members.append(member.model)
        trained = Trained(0, member.model, plan, packed.schema, part.version.id, folder)
        answers.append(predict_rows(opened, trained, part, part.rows["val"]))
    crossed = _judged(opened, parts, answers)
    _write_down(folder, parts, answers, crossed)
    # no sample but the locked ones is new to all members, so the temperature is that of their answers out of fold;
    # their mean is less sure than each of them, so it errs towards doubt
    calibration = calibrate(opened, list(zip(parts, members, strict=True)), plan)
    log = _mean_log(folder, plan)
    return Fitted(opened.task.ensemble(members).eval(), calibration, [row for row in log if "val_loss" in row]), crossed


def joined_knows(opened: Opened, packed: Packed, plan: Plan, folder: Path, model: nn.Module) -> Measured:
    """The models as one on some of the samples of the folds, beside what each said of them out of fold.

    All but one have learnt each of these samples, so that joined they should know more of it, not less. (The mean of
    answers that are places or moments can be no answer at all.)
    """
    from snowroll.train.trial import Measured

    lines = [json.loads(line) for line in (folder / "folds" / "out-of-fold.jsonl").read_text().splitlines()]
    lines = [lines[k] for k in np.unique(np.linspace(0, len(lines) - 1, _ASKED).round().astype(int))]
    row_of = {item.sample: row for row, item in enumerate(packed.version.items)}
    trained = Trained(0, model, plan, packed.schema, packed.version.id, folder)
    said = predict_rows(opened, trained, packed, np.array([row_of[line["sample"]] for line in lines]))
    before = [Prediction(line["prediction"], line["probability"], line["doubt"]) for line in lines]
    targets = [line["target"] for line in lines]
    joined, each = (float(opened.task.credit(some, targets, packed.schema).mean()) for some in (said, before))
    words = f"credit {joined:.3f} of the models as one, {each:.3f} of each on what it never saw, {len(lines):,} samples"
    return Measured(words, joined >= each - _LESS)


def folded(opened: Opened, version: Version, plan: Plan) -> Version:
    """The version with a fold for each item that is not locked: by group, copies together, stratified.

    A pure function of version and plan. Raises UsageError where there are fewer groups than folds.
    """
    free = [item for item in version.items if item.split != "test"]
    samples = opened.samples([item.sample for item in free])
    strata = opened.task.strata([item.target for item in free])
    contents = [samples[item.sample].content for item in free]
    drawn = folds(free, plan.folds, strata, plan.seed, contents)
    return Version.freeze([*drawn, *version.of("test")], version.schema, version.id, version.left_out)


def part_of(packed: Packed, whole: Version, fold: int) -> Packed:
    """One fold's view: its own samples validate, the other folds' train, and the locked ones are out of reach.

    Its version's id differs from fold to fold, so that a checkpoint cannot be taken for another fold's.
    """
    split: dict[bool, Split] = {True: "val", False: "train"}
    items = [item if item.fold is None else replace(item, split=split[item.fold == fold]) for item in whole.items]
    version = Version.freeze(items, whole.schema, whole.id, whole.left_out)
    free = np.union1d(packed.rows["train"], packed.rows["val"])
    inside = np.array([version.items[row].fold == fold for row in free])
    learnt = free[~inside & packed.teaches[free]]
    rows: dict[Split, np.ndarray] = {"train": learnt, "val": free[inside], "test": np.zeros(0, dtype=np.int64)}
    return replace(packed, version=version, rows=rows)


def _judged(opened: Opened, parts: Sequence[Packed], answers: Sequence[list[Prediction]]) -> CrossValidated:
    """All answers out of fold as one judged set, by group; and fold by fold."""
    task, schema = opened.task, parts[0].schema
    rows = np.concatenate([part.rows["val"] for part in parts])
    every = beside_truth(task, parts[0], rows, [said for some in answers for said in some], schema)
    each = [beside_truth(task, part, part.rows["val"], some, schema) for part, some in zip(parts, answers, strict=True)]
    by_fold = (metrics_with_meaning(task, judged, schema).get(task.headline) for judged in each)
    return CrossValidated(task.headline, metrics(task, every, schema)[task.headline], tuple(by_fold))


def _write_down(
    folder: Path, parts: Sequence[Packed], answers: Sequence[list[Prediction]], crossed: CrossValidated
) -> None:
    lines = [
        {
            "sample": part.version.items[row].sample,
            "fold": fold,
            "target": part.version.items[row].target,
            "prediction": said.value,
            "probability": said.probability,
            "doubt": said.doubt,
        }
        for fold, (part, some) in enumerate(zip(parts, answers, strict=True))
        for row, said in zip(part.rows["val"], some, strict=True)
    ]
    atomic.write_text(folder / "folds" / "out-of-fold.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    atomic.write_json(folder / "folds" / "folds.json", crossed.as_json())


def _name_lone_classes(opened: Opened, whole: Version, say: Say) -> None:
    """Say which classes one fold holds alone: its model never saw them."""
    items = [item for item in whole.items if item.fold is not None]
    homes: dict[str, set[int | None]] = defaultdict(set)
    for item, stratum in zip(items, opened.task.strata([item.target for item in items]), strict=True):
        homes[stratum].add(item.fold)
    for name, where in sorted(homes.items()):
        if len(where) == 1:
            say(f"class '{name}' lies in one fold, for its groups cannot be divided: that fold's model never sees it")


def _mean_log(folder: Path, plan: Plan) -> list[dict[str, float]]:
    """The folds' logs as one, averaged step by step: the run's own metrics.jsonl, as every run has it."""
    found: dict[tuple[float, bool], list[Mapping[str, float]]] = defaultdict(list)
    for fold in range(plan.folds):
        for row in Log(folder / "folds" / str(fold) / "metrics.jsonl", upto=plan.steps).rows:
            found[row["step"], "val_loss" in row].append(row)
    known = [(set.intersection(*map(set, rows)), rows) for _, rows in sorted(found.items())]
    mean = [{key: float(np.mean([row[key] for row in rows])) for key in rows[0] if key in keys} for keys, rows in known]
    log = [{**row, "step": int(row["step"])} for row in mean]
    atomic.write_text(folder / "metrics.jsonl", "".join(json.dumps(row) + "\n" for row in log))
    return log
