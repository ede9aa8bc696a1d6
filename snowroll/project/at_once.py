"""A fit without gradients: the task is given all training rows at once, and what it makes is judged like any model.

There is nothing to go on from: a run that was killed fits again, to the same numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base.nouns import Plan
from snowroll.project.data import Packed, batches_of, gather
from snowroll.project.fitting import Fitted, new_model
from snowroll.project.log import Log
from snowroll.project.lost import Lost
from snowroll.project.opened import Opened, Say
from snowroll.project.validating import calibrate, validate

if TYPE_CHECKING:
    from torch import nn


def fit_whole(opened: Opened, packed: Packed, plan: Plan, folder: Path, say: Say) -> Fitted:
    """As `fit_run`, for plans whose task fits at once. Logs one step: what training and validation rows lose."""
    model = new_model(opened, packed, plan).to(plan.device)
    train, val = (gather(opened, packed, packed.rows[split], plan.device) for split in ("train", "val"))
    say(f"fitting {len(train.ids):,} rows at once ...")
    opened.task.fit(model, train, val, plan)
    model.eval()
    losses = _losses(opened, packed, model, plan)
    lost = Lost(folder, len(packed.version.items), upto=0)
    lost.add(packed.rows["train"], losses)
    lost.save(1)
    log = Log(folder / "metrics.jsonl", upto=0)
    log.add({"step": 1, "loss": float(losses.mean())})
    told = validate(opened, packed, model, plan)
    log.add({"step": 1, **told})
    figures = "  ".join(f"{key.removeprefix('val_')} {value:.3f}" for key, value in told.items())
    say(f"  fitted  loss {losses.mean():.3f}  val: {figures}")
    log.to_tensorboard(folder / "tb")
    return Fitted(model, calibrate(opened, [(packed, model)], plan), log.validations(), log.late_loss())


def _losses(opened: Opened, packed: Packed, model: nn.Module, plan: Plan) -> np.ndarray:
    """[n] of each training row."""
    import torch

    parts = []
    with torch.inference_mode():
        for batch in batches_of(opened, packed, packed.rows["train"], plan, plan.device):
            parts.append(opened.task.loss(model, batch, plan.task).float().cpu().numpy())
    return np.concatenate(parts)
