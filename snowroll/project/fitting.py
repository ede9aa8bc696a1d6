"""One run's loop: step, log, validate, save; killed at any moment, the same call goes on to the same bits."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil, isfinite, nan
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from snowroll.base import atomic
from snowroll.base.errors import GateError
from snowroll.base.nouns import Batch, Json, Plan
from snowroll.project.data import Packed, gather, rows_at_once, training_batches
from snowroll.project.lost import Lost
from snowroll.project.models import build_blank
from snowroll.project.opened import Opened, Say

if TYPE_CHECKING:
    from torch import Tensor, nn

    from snowroll.train.calibrate import Budget
    from snowroll.train.fit import Objective, State, Step


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a finished loop leaves."""

    model: nn.Module  # the weights to keep: the average's, the best validation's, or the last
    calibration: Json
    curve: list[dict[str, float]]  # one entry a validation
    late_loss: float | None = None  # of training: the mean over the last tenth of the steps that were logged


def fit_run(opened: Opened, packed: Packed, plan: Plan, folder: Path, say: Say) -> Fitted:
    """Train to `plan.steps` or to the end of patience, from the newest whole checkpoint in `folder`."""
    if getattr(plan.task, "at_once", False):
        from snowroll.project.at_once import fit_whole

        return fit_whole(opened, packed, plan, folder, say)
    if plan.processes > 1:
        from snowroll.project.ranks import fit_in_ranks

        kept = fit_in_ranks(opened, packed, plan, folder, say)
    else:
        kept = fit_rank(opened, packed, plan, folder, say)
    log = Log(folder / "metrics.jsonl", upto=plan.steps)
    log.to_tensorboard(folder / "tb")
    return Fitted(kept.eval(), calibrate(opened, [(packed, kept)], plan), log.validations(), log.late_loss())


def fit_rank(opened: Opened, packed: Packed, plan: Plan, folder: Path, say: Say) -> nn.Module:
    """The loop of one process; where several run it, the first alone validates, writes and speaks. Returns the model
    whose weights are to be kept.
    """
    from snowroll.train import checkpoint
    from snowroll.train.distributed import first_decides, rank, world
    from snowroll.train.fit import begin, fit
    from snowroll.train.optim import optimizer_for

    saved = checkpoint.newest(folder / "checkpoints", say)
    model = new_model(opened, packed, plan, blank=saved is not None)
    if (loaded := getattr(model, "loaded", None)) is not None:
        say(f"pretrained weights: {loaded}")
    state = begin(model, plan, optimizer_for(model, plan, getattr(plan.task, "backbone_lr", 1.0)))
    if saved is not None:
        checkpoint.load(saved, model, state, plan.id, packed.version.id, say)
        say(f"going on from step {state.step:,} of {plan.steps:,}")
    is_first = rank() == 0
    log = Log(folder / "metrics.jsonl", upto=state.step, is_kept=is_first)
    lost = Lost(folder, len(packed.version.items), upto=state.step)
    batches = training_batches(opened, packed, packed.rows["train"], plan, rank(), world())
    objective = objective_of(opened, plan)
    save = partial(checkpoint.save, folder / "checkpoints", model, state, plan.id, packed.version.id)
    began, first = monotonic(), state.step
    for step in _in_phases(opened, model, plan, state, partial(fit, model, batches, objective, plan, state)):
        last = step.number == plan.steps
        lost.add(step.ids.cpu().numpy(), step.losses.float().cpu().numpy())
        if step.number % max(1, plan.steps // LOGGED) == 0 or last:
            log.add({"step": step.number, "loss": step.loss, "lr": step.lr, "grad_norm": step.grad_norm})
        if step.number % _eval_every(plan) == 0 or last:
            if is_first:
                told = validate(opened, packed, state.average or model, plan)
                log.add({"step": step.number, **told})
                say(_progress(step.number, plan, step.loss, told, first, monotonic() - began))
                if plan.patience and log.is_best():
                    keep_best(folder, state.average or model)
            if first_decides(step.number, bool(plan.patience) and log.since_best() >= plan.patience):
                say(f"stopped early: {plan.patience} validations without a better loss")
                break
        if is_first and (step.number % plan.checkpoint_every == 0 or last):
            save()
            lost.save(step.number)
    kept = state.average or model
    if plan.patience and is_first:
        load_best(folder, kept)
    return kept


def _in_phases(
    opened: Opened, model: nn.Module, plan: Plan, state: State, steps: Callable[[], Iterator[Step]]
) -> Iterator[Step]:
    """The loop, its first `options.head_first` with the backbone standing still, where the task knows how."""
    freeze = getattr(opened.task, "freeze", None)
    still = int(plan.steps * getattr(plan.task, "head_first", 0.0)) if freeze else 0
    if freeze is not None and state.step < still:
        freeze(model, True)
        for step in steps():
            yield step
            if step.number == still:
                break
        freeze(model, False)
    yield from steps()


START_NUMBERS = 4_000_000  # that a model may start from: 1,024 pictures of 32 px, 85 of 128 px; 16 MB
ENOUGH_TO_CALIBRATE = 20  # validation rows; fewer say nothing of probabilities: a guess
LOGGED = 200  # training lines in metrics.jsonl, about, however long the run


def new_model(opened: Opened, packed: Packed, plan: Plan, blank: bool = False) -> nn.Module:
    """The model before its first step: seeded weights, and what the task sets from the training data.

    blank: a checkpoint is about to replace the weights, so no pretrained file is asked for (it may have moved).
    """
    import torch

    from snowroll.train.nested import leaves

    torch.manual_seed(plan.seed)
    model = build_blank(opened.task, plan.task, packed.schema) if blank else opened.task.build(plan.task, packed.schema)
    start = getattr(opened.task, "start", None)
    if start is not None:
        rows = packed.rows["train"]
        numbers = sum(t.numel() for t in leaves(gather(opened, packed, rows[:1], "cpu").inputs))
        most = getattr(opened.task, "starts_from", START_NUMBERS)
        n = max(1, min(len(rows), 1024, max(16, most // numbers)))
        batch = gather(opened, packed, rows[:: len(rows) // n][:n], "cpu")
        start(model, batch, {name: column[rows] for name, column in packed.targets.items()}, plan.task)
    return model


def objective_of(opened: Opened, plan: Plan) -> Objective:
    """The task's loss as `fit` takes it."""
    task, options = opened.task, plan.task

    def objective(model: nn.Module, batch: Batch) -> Tensor:
        return task.loss(model, batch, options)

    return objective


def _eval_every(plan: Plan) -> int:
    return plan.eval_every or max(1, plan.steps // 10)


def validate(opened: Opened, packed: Packed, model: nn.Module, plan: Plan) -> dict[str, float]:
    """Mean loss and headline on all validation rows (nothing is smoothed over batches); no headline where it has no
    meaning, R2 of numbers that are all alike. Raises GateError where the loss is not finite.
    """
    import torch

    task, rows, at_once = opened.task, packed.rows["val"], rows_at_once(plan)
    if not len(rows):
        return {}
    was_training = model.training
    model.eval()
    losses, said, heard = [], [], []
    # the loss has the model's answer made: keep it, so that loss and answer cost one forward pass
    ear = model.register_forward_hook(lambda module, inputs, outputs: heard.append(outputs))
    with torch.inference_mode(), torch.autocast(plan.device.split(":")[0], torch.bfloat16, plan.precision == "bf16"):
        for start in range(0, len(rows), at_once):
            batch = gather(opened, packed, rows[start : start + at_once], plan.device)
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
        lost = [packed.version.items[row].sample for row in rows[~torch.isfinite(loss).cpu().numpy()][:3]]
        told = f"the loss of validation samples such as {', '.join(lost)} is not finite"
        raise GateError(told, cure="look at those samples, or lower --train.lr")
    headline = float(task.scorer(said, targets, packed.schema)(None).get(task.headline, nan))
    known = {f"val_{task.headline}": headline} if isfinite(headline) else {}
    return {"val_loss": float(loss.mean()), **known}


def calibrate(opened: Opened, parts: Sequence[tuple[Packed, nn.Module]], plan: Plan) -> Json:
    """What the task fits on validation rows so that probabilities mean what they say; None if it has nothing.

    parts: each model beside the data that holds its own validation rows; several where there are folds.
    """
    import torch

    from snowroll.train.nested import joined

    fitter = getattr(opened.task, "calibrate", None)
    least = getattr(opened.task, "calibrates_from", ENOUGH_TO_CALIBRATE)
    if fitter is None or sum(len(packed.rows["val"]) for packed, _ in parts) < least:
        return None
    outputs, targets, at_once = [], [], rows_at_once(plan)
    with torch.inference_mode():
        for packed, model in parts:
            rows = packed.rows["val"]
            for start in range(0, len(rows), at_once):
                batch = gather(opened, packed, rows[start : start + at_once], plan.device)
                outputs.append(model.eval()(batch.inputs))
                targets.append(batch.targets)
    return fitter(joined(outputs), joined(targets), plan.task)


def keep_best(folder: Path, model: nn.Module) -> None:
    from safetensors.torch import save_file

    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    atomic.publish(folder / "checkpoints" / "best.safetensors", lambda temp: save_file(state, temp))


def load_best(folder: Path, model: nn.Module) -> None:
    from safetensors.torch import load_file

    model.load_state_dict(load_file(folder / "checkpoints" / "best.safetensors"))


class Log:
    """metrics.jsonl: one JSON line a measurement. Lines past the checkpoint are cut at resume: they come again."""

    def __init__(self, path: Path, upto: int, is_kept: bool = True) -> None:
        """is_kept: whether the file is this process's to write."""
        self.path, self.is_kept = path, is_kept
        lines = path.read_text().splitlines() if path.exists() else []
        self.rows = [row for line in lines if (row := _whole(line)) and row["step"] <= upto]
        if is_kept and len(self.rows) != len(lines):
            atomic.write_text(path, "".join(json.dumps(row) + "\n" for row in self.rows))

    def add(self, row: Mapping[str, float]) -> None:
        self.rows.append(dict(row))
        if self.is_kept:
            atomic.append_line(self.path, json.dumps(row, allow_nan=False))

    def validations(self) -> list[dict[str, float]]:
        return [row for row in self.rows if "val_loss" in row]

    def late_loss(self) -> float | None:
        losses = [row["loss"] for row in self.rows if "loss" in row]
        return float(np.mean(losses[-max(1, len(losses) // 10) :])) if losses else None

    def is_best(self) -> bool:
        return self.since_best() == 0

    def since_best(self) -> int:
        losses = [row["val_loss"] for row in self.validations()]
        return len(losses) - 1 - int(np.argmin(losses)) if losses else 0

    def to_tensorboard(self, folder: Path) -> None:
        """The same numbers as TensorBoard reads them; written at the end, so that its import delays no first step."""
        from torch.utils.tensorboard import SummaryWriter

        names = {"loss": "loss/train", "val_loss": "loss/val", "lr": "lr", "grad_norm": "grad_norm"}
        with SummaryWriter(str(folder)) as writer:
            for row in self.rows:
                for key in row.keys() - {"step"}:
                    writer.add_scalar(names.get(key, f"metric/{key}"), row[key], int(row["step"]))


def _whole(line: str) -> dict[str, float] | None:
    try:
        return json.loads(line)
    except json.JSONDecodeError:  # the line that was being written when the run was killed
        return None


def _progress(step: int, plan: Plan, loss: float, told: Mapping[str, float], first: int, seconds: float) -> str:
    pace = (step - first) / max(seconds, 1e-9)
    left = (plan.steps - step) / max(pace, 1e-9)
    figures = "  ".join(f"{key.removeprefix('val_')} {value:.3f}" for key, value in told.items())
    return f"  step {step:>6,}/{plan.steps:,}  loss {loss:.3f}  val: {figures}  {left:,.0f} s left"


def fit_into_time(
    opened: Opened, packed: Packed, plan: Plan, spent_s: float, say: Say, now: Callable[[], float]
) -> Plan:
    """A time budget becomes a number of steps, once, before the first step. Later nothing reads the clock.

    spent_s: what checks, pack and gates took of it. Validations are measured and taken off too; judging and exporting
    must fit into the margin.
    """
    if plan.time_s is None:
        return plan
    if getattr(plan.task, "at_once", False):
        say("fitted to all rows at once, so the time allowed decides nothing")
        return replace(plan, steps=1)
    left_s = max(plan.time_s - spent_s, plan.time_s / 2)  # a short budget must not be eaten by the checks
    left_s /= max(1, plan.folds)
    model = _to_measure(opened, packed, plan)
    began = now()
    validate(opened, packed, model, plan)
    budget = _budget(opened, packed, plan, model, left_s, now() - began, now)
    steps = min(budget.steps, plan.most_steps or budget.steps)
    epochs = steps * plan.batch / max(1, len(packed.rows["train"]))
    each = f" for each of {plan.folds} folds" if plan.folds else ""
    fewer = f"; {steps:,} are taken (train.most_steps)" if steps < budget.steps else ""
    say(f"{plan.time_s:,.0f} s allow {budget.steps:,} steps{fewer} ({epochs:.1f} epochs){each}")
    return replace(
        plan,
        steps=steps,
        eval_every=plan.eval_every or ceil(steps / ceil(budget.steps / budget.eval_every)),
        checkpoint_every=min(plan.checkpoint_every, budget.checkpoint_every),
    )


def _to_measure(opened: Opened, packed: Packed, plan: Plan) -> nn.Module:
    """A model of this plan on its device, to measure with: what it learns is thrown away."""
    from snowroll.train.fit import begin

    model = new_model(opened, packed, plan)
    begin(model, replace(plan, ema=0.0))
    return model


def _budget(
    opened: Opened, packed: Packed, plan: Plan, model: nn.Module, left_s: float, eval_s: float, now: Callable[[], float]
) -> Budget:
    """What fits into `left_s`, by steps measured on this machine."""
    from snowroll.train.calibrate import step_seconds, steps_within

    if plan.processes > 1:
        from snowroll.project.ranks import measure_in_ranks

        step_s, start_s = measure_in_ranks(opened, packed, plan, now)
        left_s = max(left_s - start_s, left_s / 2)
    else:
        batches = training_batches(opened, packed, packed.rows["train"], plan)
        step_s = step_seconds(model, batches, objective_of(opened, plan), plan, now)
    return steps_within(left_s, step_s, eval_s, eval_every=plan.eval_every)
