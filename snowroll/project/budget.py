"""A time budget becomes a number of steps, measured on this machine before the first of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

from snowroll.base.nouns import Plan
from snowroll.project.data import Packed, plain_batches, training_batches
from snowroll.project.fitting import new_model, objective_of
from snowroll.project.opened import Opened, Say
from snowroll.project.validating import validate

if TYPE_CHECKING:
    from torch import nn

    from snowroll.train.calibrate import Budget


LOOKED = 0.01  # share of the time in which steps are measured


def fit_into_time(
    opened: Opened, packed: Packed, plan: Plan, spent_s: float, say: Say, now: Callable[[], float]
) -> Plan:
    """The plan with as many steps as fit into `plan.time_s`. Later nothing reads the clock.

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
    left_s /= 1 + _asked_after(opened, packed, plan)
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


def _asked_after(opened: Opened, packed: Packed, plan: Plan) -> float:
    """The share of the steps that a gate takes once more after the last one."""
    from snowroll.train.varied import SHARE, varies

    rows = packed.rows["train"]
    is_asked = len(packed.rows["val"]) and not plan.folds
    batches, plain = (ways(opened, packed, rows, plan) for ways in (training_batches, plain_batches))
    return SHARE if is_asked and varies(batches, plain) else 0.0


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
        step_s = step_seconds(model, batches, objective_of(opened, plan), plan, now, LOOKED * left_s)
    return steps_within(left_s, step_s, eval_s, eval_every=plan.eval_every)
