"""A model against a split: what it says of the rows, beside the truth, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snowroll.base.device import device_here
from snowroll.base.errors import StoreError
from snowroll.base.nouns import Json, Metric, Prediction, Split
from snowroll.base.task import Task
from snowroll.evaluate.interval import bootstrap
from snowroll.project.data import Packed, batches_of, pack_version
from snowroll.project.freezing import no_figure
from snowroll.project.models import Trained
from snowroll.project.opened import Opened, Say


def packed_of(opened: Opened, trained: Trained, say: Say) -> Packed:
    """The data that the model was trained on, as it takes them. Raises StoreError where their version is gone."""
    version = opened.store.catalog.version(trained.version, opened.store.blobs)
    if version is None:
        told = f"the data version of run {trained.run} is gone"
        raise StoreError(told, where=opened.root, cure=f"run `snowroll train {opened.root}` again")
    return pack_version(opened, version, trained.plan.task, say)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model said of some rows, beside the truth."""

    predictions: list[Prediction]
    targets: list[Json]
    groups: list[str]  # rows without a group are their own
    strata: list[str]
    credit: np.ndarray  # [n] share of the headline each row earned
    ids: list[str]  # sample ids


def judge(opened: Opened, trained: Trained, packed: Packed, split: Split) -> Judged:
    """Predict the split's rows and set them beside the truth. Every row, no batch-smoothed figure."""
    rows = packed.rows[split]
    return beside_truth(opened.task, packed, rows, predict_rows(opened, trained, packed, rows), trained.schema)


def beside_truth(
    task: Task, packed: Packed, rows: np.ndarray, predictions: list[Prediction], schema: Mapping[str, Json]
) -> Judged:
    """What was said of these rows, whoever said it, beside the truth."""
    items = [packed.version.items[row] for row in rows]
    targets = [item.target for item in items]
    return Judged(
        predictions,
        targets,
        [item.group or item.sample for item in items],
        task.strata(targets),
        task.credit(predictions, targets, schema),
        [item.sample for item in items],
    )


def predict_rows(opened: Opened, trained: Trained, packed: Packed, rows: np.ndarray) -> list[Prediction]:
    """What the model says of these rows of the pack, in order."""
    return opened.task.decode(outputs_of(opened, trained, packed, rows), trained.schema, trained.plan.task)


def outputs_of(opened: Opened, trained: Trained, packed: Packed, rows: np.ndarray) -> dict[str, np.ndarray]:
    """The post-processed outputs by name, first axis the rows."""
    import torch

    plan, task = trained.plan, opened.task
    device = device_here(plan.device)
    model = trained.model.to(device)
    parts: dict[str, list[np.ndarray]] = {}
    with torch.inference_mode():
        for batch in batches_of(opened, packed, rows, plan, device):
            for name, value in task.postprocess(model(batch.inputs), plan.task).items():
                parts.setdefault(name, []).append(value.cpu().numpy())
    return {name: np.concatenate(some) for name, some in parts.items()}


def metrics(task: Task, judged: Judged, schema: Mapping[str, Json], seed: int = 0) -> dict[str, Metric]:
    """Every score with its 95 % interval, resampled by group. Raises DataError where the headline has no meaning."""
    scores = metrics_with_meaning(task, judged, schema, seed)
    if task.headline not in scores:
        raise no_figure(task, judged.targets)
    return scores


def metrics_with_meaning(task: Task, judged: Judged, schema: Mapping[str, Json], seed: int = 0) -> dict[str, Metric]:
    """Likewise, without those that these samples leave undefined."""
    score = task.scorer(judged.predictions, judged.targets, schema)
    return bootstrap(
        score,
        len(judged.targets),
        groups=judged.groups,
        seed=seed,
        ranges=task.ranges,
        trials=task.trials(judged.targets, schema),
    )


def in_short(task: Task, judged: Judged, trained: Trained) -> list[str]:
    """What the task says of these answers and of what was decided on validation, a sentence each."""
    told = task.in_short(judged.predictions, judged.targets)
    settled = task.settled(trained.calibration, trained.schema, trained.plan.task)
    return [sentence for sentence in (told, settled) if sentence]


def short_lines(task: Task, judged: Judged, trained: Trained) -> list[str]:
    """Likewise, as lines for the terminal."""
    return [f"          {sentence}" for sentence in in_short(task, judged, trained)]
