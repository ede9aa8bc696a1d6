"""Fingerprint -> rules -> file -> flags -> Plan; and the plan's own file, `plan.toml`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from snowroll.base import atomic
from snowroll.base.device import bf16_pays, choose_device, cores, refuse_processes
from snowroll.base.errors import PlanError, UsageError
from snowroll.base.nouns import Choice, Json, Plan, Version
from snowroll.base.settings import Settings, as_toml, read_settings
from snowroll.base.task import Fingerprint, Task
from snowroll.design.rules import by_optimizer
from snowroll.project.opened import Opened

PLAN = "plan.toml"
Told = dict[str, tuple[Json, str]]  # setting -> (value, where it came from)
SHOWN = 12  # of a setting that is a table, to people


def seconds(text: str) -> float | None:
    """'90s', '10m', '2h' or plain seconds; '' is no budget."""
    if not text:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|sec|m|min|h)?\s*", text)
    if not match or float(match[1]) <= 0:
        raise UsageError(f"'{text}' is not a time", where="--time", cure="write it like 90s, 10m or 2h")
    return float(match[1]) * {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}[match[2] or "s"]


def make_plan(opened: Opened, version: Version, facts: dict[str, Json], time_s: float | None) -> tuple[Plan, Told]:
    """The plan for this version on this machine, and for every setting its value and origin."""
    settings = opened.settings.over({"train.time_s": time_s}) if time_s else opened.settings
    wanted, said = _as_wanted(settings, opened.task)
    device = choose_device(wanted.device if "train.device" in settings.values else "auto")
    threads = wanted.threads or cores()
    # what the user settled: the other rules may follow it
    asked = {key: value for key, value in said.items() if f"task.{key}" in settings.values}
    facts = {**facts, "asked": asked}
    n = {split: len(version.of(split)) for split in ("train", "val", "test")}
    fingerprint = Fingerprint(n, version.schema, facts, device, threads, bf16_pays(device), wanted.time_s)
    machine = [
        Choice("train.device", device, "a GPU is used if there is one"),
        Choice("train.threads", threads, "all cores this process may use"),
    ]
    choices = [*machine, *opened.task.plan(fingerprint)]
    if "train.optimizer" in settings.values:
        choices = by_optimizer(choices, wanted.optimizer)
    settings = _resolved(settings, wanted, device, threads)
    options, told_task = settings.section("task", opened.task.Options, choices=choices, beside=("name",))
    plan, told_train = _train_section(settings, choices, options)
    refuse_processes(plan.processes, plan.device)
    _share_batch(plan, n["train"])
    told = {f"train.{key}": value for key, value in told_train.items()}
    return plan, told | {f"task.{key}": value for key, value in told_task.items()}


def _as_wanted(settings: Settings, task: Task) -> tuple[Plan, dict[str, Json]]:
    """What the user wrote, each value of its setting's type: (the plan before any rule, values of [task] by key)."""
    options, told = settings.section("task", task.Options, beside=("name",))
    plan, _ = _train_section(settings, [], options)
    return plan, {key: value for key, (value, _) in told.items()}


def _share_batch(plan: Plan, n: int) -> None:
    """Raise PlanError where a process would get no row of the batch."""
    batch = min(plan.batch, n)
    if batch < plan.processes:
        told = f"a batch of {batch} cannot be shared by {plan.processes} processes"
        raise PlanError(told, where="train.processes", cure=f"set it to {batch} at most")


def write_plan(folder: Path, plan: Plan, told: Told) -> None:
    """`plan.toml` (read back at resume) and `origins.json` (what `explain` and the report show)."""
    train = {name: getattr(plan, name) for name in Plan.__dataclass_fields__ if name != "task"}
    atomic.write_text(folder / PLAN, as_toml({"train": train, "task": plan.task}))
    atomic.write_json(folder / "origins.json", {key: [value, origin] for key, (value, origin) in told.items()})


def read_plan(folder: Path, task: Task) -> Plan:
    """The plan of a run. Raises UsageError if the file was edited into nonsense."""
    settings = read_settings(folder / PLAN)
    options, _ = settings.section("task", task.Options)
    return _train_section(settings, [], options)[0]


def briefly(value: Json) -> Json:
    """A setting as people read it: of a table of thousands the beginning.

    >>> briefly((1, 2)), briefly(tuple(range(1_000)))
    ([1, 2], '1,000: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...')
    """
    if isinstance(value, (list, tuple)) and len(value) > SHOWN:
        return f"{len(value):,}: {', '.join(map(str, value[:SHOWN]))}, ..."
    return list(value) if isinstance(value, tuple) else value


def read_told(folder: Path) -> Told:
    path = folder / "origins.json"
    return (
        {key: (value, origin) for key, (value, origin) in json.loads(path.read_text()).items()} if path.exists() else {}
    )


def same_request(old: Plan, new: Plan) -> bool:
    """Whether two plans ask for the same run: a time budget's steps are an answer, not part of the question."""
    if old.time_s is not None and old.time_s == new.time_s:
        new = replace(new, steps=old.steps, eval_every=old.eval_every, checkpoint_every=old.checkpoint_every)
    return old == new


def _train_section(settings: Settings, choices: list[Choice], options: Any) -> tuple[Plan, Told]:
    return settings.section("train", Plan, choices=choices, made={"task": options})


def _resolved(settings: Settings, wanted: Plan, device: str, threads: int) -> Settings:
    """'auto' and 0 stand for what this machine has; the plan holds what they became."""
    values = dict(settings.values)
    if wanted.device == "auto":
        values["train.device"] = device
    if "train.threads" in values and wanted.threads == 0:
        values["train.threads"] = threads
    return Settings(values, settings.origins)
