"""One run's loop: step, log, validate, save; killed at any moment, the same call goes on to the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from snowroll.base.nouns import Batch, Json, Plan
from snowroll.base.parts import own
from snowroll.project.data import Packed, gather, training_batches
from snowroll.project.log import Log
from snowroll.project.lost import Lost
from snowroll.project.models import build_blank, write_weights
from snowroll.project.opened import Opened, Say
from snowroll.project.validating import calibrate, validate

if TYPE_CHECKING:
    from torch import Tensor, nn

    from snowroll.train.fit import Objective, State, Step


LOGGED = 200  # training lines in metrics.jsonl, about, however long the run


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
    from safetensors.torch import load_file

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
    kept, best = state.average or model, folder / "checkpoints" / "best.safetensors"
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
                told = validate(opened, packed, kept, plan)
                log.add({"step": step.number, **told})
                say(_progress(step.number, plan, step.loss, told, first, monotonic() - began))
                if plan.patience and log.is_best():
                    write_weights(best, kept)
            if first_decides(step.number, bool(plan.patience) and log.since_best() >= plan.patience):
                say(f"stopped early: {plan.patience} validations without a better loss")
                break
        if is_first and (step.number % plan.checkpoint_every == 0 or last):
            save()
            lost.save(step.number)
    if plan.patience and is_first:
        kept.load_state_dict(load_file(best))
    return kept


def _in_phases(
    opened: Opened, model: nn.Module, plan: Plan, state: State, steps: Callable[[], Iterator[Step]]
) -> Iterator[Step]:
    """The loop, its first `options.head_first` with the backbone standing still, where the task knows how."""
    freeze = own(opened.task.freeze)
    still = int(plan.steps * getattr(plan.task, "head_first", 0.0)) if freeze else 0
    if freeze is not None and state.step < still:
        freeze(model, True)
        for step in steps():
            yield step
            if step.number == still:
                break
        freeze(model, False)
    yield from steps()


def new_model(opened: Opened, packed: Packed, plan: Plan, blank: bool = False) -> nn.Module:
    """The model before its first step: seeded weights, and what the task sets from the training data.

    blank: a checkpoint is about to replace the weights, so no pretrained file is asked for (it may have moved).
    """
    import torch

    from snowroll.train.nested import leaves

    torch.manual_seed(plan.seed)
    model = build_blank(opened.task, plan.task, packed.schema) if blank else opened.task.build(plan.task, packed.schema)
    start = own(opened.task.start)
    if start is not None:
        rows = packed.rows["train"]
        numbers = sum(t.numel() for t in leaves(gather(opened, packed, rows[:1], "cpu").inputs))
        n = max(1, min(len(rows), 1024, max(16, opened.task.starts_from // numbers)))
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


def _progress(step: int, plan: Plan, loss: float, told: Mapping[str, float], first: int, seconds: float) -> str:
    pace = (step - first) / max(seconds, 1e-9)
    left = (plan.steps - step) / max(pace, 1e-9)
    figures = "  ".join(f"{key.removeprefix('val_')} {value:.3f}" for key, value in told.items())
    return f"  step {step:>6,}/{plan.steps:,}  loss {loss:.3f}  val: {figures}  {left:,.0f} s left"
