"""What the validation rows say of a model: its loss and headline in training, then how sure it may be."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, nan
from typing import TYPE_CHECKING

from snowroll.base.errors import GateError
from snowroll.base.nouns import Json, Plan
from snowroll.base.parts import own
from snowroll.project.data import Packed, batches_of, files_of
from snowroll.project.opened import Opened

if TYPE_CHECKING:
    from torch import nn


def validate(opened: Opened, packed: Packed, model: nn.Module, plan: Plan) -> dict[str, float]:
    """Mean loss and headline on all validation rows (nothing is smoothed over batches); no headline where it has no
    meaning, R2 of numbers that are all alike. Raises GateError where the loss is not finite.
    """
    import torch

    task, rows = opened.task, packed.rows["val"]
    if not len(rows):
        return {}
    was_training = model.training
    model.eval()
    losses, said, heard = [], [], []
    # the loss has the model's answer made: keep it, so that loss and answer cost one forward pass
    ear = model.register_forward_hook(lambda module, inputs, outputs: heard.append(outputs))
    with torch.inference_mode(), torch.autocast(plan.device.split(":")[0], torch.bfloat16, plan.precision == "bf16"):
        for batch in batches_of(opened, packed, rows, plan, plan.device):
            losses.append(task.loss(model, batch, plan.task).float())
            if not heard:  # it asked for something else: how the model goes on from the truth
                model(batch.inputs)
            outputs = task.postprocess(heard.pop(), plan.task)
            arrays = {name: value.float().cpu().numpy() for name, value in outputs.items()}
            said += task.decode(arrays, packed.schema, plan.task)
    ear.remove()
    model.train(was_training)
    targets = [packed.version.items[row].target for row in rows]
    loss = torch.cat(losses)
    if not bool(torch.isfinite(loss).all()):
        lost = rows[~torch.isfinite(loss).cpu().numpy()]
        told = f"the loss of {len(lost):,} of {len(rows):,} validation samples is not finite"
        cure = "look at those samples, or lower --train.lr"
        raise GateError(told, where=files_of(opened, packed, lost.tolist()), cure=cure)
    headline = float(task.scorer(said, targets, packed.schema)(None).get(task.headline, nan))
    known = {f"val_{task.headline}": headline} if isfinite(headline) else {}
    return {"val_loss": float(loss.mean()), **known}


def calibrate(opened: Opened, parts: Sequence[tuple[Packed, nn.Module]], plan: Plan) -> Json:
    """What the task fits on validation rows so that probabilities mean what they say; None if it has nothing.

    parts: each model beside the data that holds its own validation rows; several where there are folds.
    """
    import torch

    from snowroll.train.nested import joined

    fitter, least = own(opened.task.calibrate), opened.task.calibrates_from
    if fitter is None or sum(len(packed.rows["val"]) for packed, _ in parts) < least:
        return None
    outputs, targets = [], []
    with torch.inference_mode():
        for packed, model in parts:
            model.eval()
            for batch in batches_of(opened, packed, packed.rows["val"], plan, plan.device):
                outputs.append(model(batch.inputs))
                targets.append(batch.targets)
    return fitter(joined(outputs), joined(targets), plan.task)
