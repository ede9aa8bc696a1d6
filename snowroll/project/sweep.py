"""The same plan with other values of one setting: a curve over resolution, capacity, or whatever a setting decides.

Everything of it lies in runs/0007-train/sweep/. Its models are judged on the validation samples, never on locked ones:
who reads a sweep chooses by it.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from snowroll.base import atomic
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Json, Plan
from snowroll.evaluate.sweep import Sweep, Tried
from snowroll.project.aside import fit_aside
from snowroll.project.data import Packed, pack_version
from snowroll.project.judging import metrics
from snowroll.project.opened import Opened, Say


def variants(opened: Opened, plan: Plan, asked: str) -> tuple[str, list[tuple[str, Plan]]]:
    """(setting, (value, plan with it) each) from 'task.size_px=32,64'. Raises UsageError before anything is spent."""
    key, _, listed = asked.partition("=")
    values = [value.strip() for value in listed.split(",") if value.strip()]
    section, _, name = key.strip().partition(".")
    if section not in ("task", "train") or name in ("", "name") or len(values) < 2:
        cure = "write a setting and two values or more: --sweep task.size_px=32,64"
        raise UsageError(f"'{asked}' is no sweep", where="--sweep", cure=cure)
    made = [(value, _with(opened, plan, section, name, value)) for value in values]
    if any(variant.folds for _, variant in made):  # folds learn from the validation samples that a sweep is judged on
        raise UsageError("a sweep of folds is not run", where="--sweep", cure="set --train.folds 0")
    return f"{section}.{name}", made


def _with(opened: Opened, plan: Plan, section: str, name: str, value: str) -> Plan:
    """The plan with one setting of another value, read as a flag is."""
    told = opened.settings.over({f"{section}.{name}": value})
    kind = type(plan.task) if section == "task" else Plan
    found, _ = told.section(section, kind, made={"task": plan.task} if kind is Plan else None, beside=("name",))
    new: Json = getattr(found, name)
    if section == "task":
        return replace(plan, task=replace(plan.task, **{name: new}))
    return replace(plan, **{name: new})


def sweep(opened: Opened, packed: Packed, setting: str, plans: list[tuple[str, Plan]], folder: Path, say: Say) -> Sweep:
    """Train each plan and judge it on the validation samples. Killed, it goes on like any run."""
    tried = []
    for value, plan in plans:
        say(f"once more, with {setting} {value} ...")
        same = opened.task.pack_key(plan.task) == opened.task.pack_key(packed.options)
        seen = packed if same else pack_version(opened, packed.version, plan.task, say)
        place = folder / f"{setting}-{value}".replace("/", "_")
        name = f"the run with {setting} {value}"
        fitted, judged = fit_aside(opened, seen, plan, place, say, name=name, flag="--sweep", split="val")
        metric = metrics(opened.task, judged, seen.schema)[opened.task.headline]
        tried.append(Tried(value, metric, fitted.late_loss, sum(p.numel() for p in fitted.model.parameters())))
    found = Sweep(opened.task.headline, setting, tuple(tried))
    atomic.write_json(folder / "sweep.json", asdict(found))
    return found
