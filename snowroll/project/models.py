"""A trained model on disk (hub habits: config.json, model.safetensors, README.md) and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snowroll.base import atomic
from snowroll.base.device import device_here
from snowroll.base.errors import DataError, StoreError
from snowroll.base.nouns import Json, Plan
from snowroll.base.settings import Settings
from snowroll.base.task import Task
from snowroll.project.opened import Opened, Say, champion_run
from snowroll.project.plans import read_plan

if TYPE_CHECKING:
    from torch import nn

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Trained:
    """A model ready to predict (eval mode, calibrated) with what it was made from."""

    run: int
    model: nn.Module
    plan: Plan
    schema: Mapping[str, Json]
    version: str
    folder: Path
    calibration: Json = None  # what the task's `calibrate` found; `model` has it


def save_model(
    folder: Path, task: Task, model: nn.Module, plan: Plan, schema: Mapping[str, Json], version: str, calibration: Json
) -> None:
    """config.json last: a folder without it is no model."""
    write_weights(folder / "model.safetensors", model)
    config = {
        "format": FORMAT,
        "task": task.name,
        "options": asdict(plan.task),
        "folds": plan.folds,
        "schema": dict(schema),
        "calibration": calibration,
        "version": version,
    }
    atomic.write_json(folder / "config.json", config)


def write_weights(path: Path, model: nn.Module) -> None:
    """Parameters and buffers by name as safetensors, from whatever device."""
    from safetensors.torch import save_file

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    atomic.publish(path, lambda temp: save_file(state, temp))


def load_model(opened: Opened, run: int | None = None, say: Say = lambda text: None) -> Trained:
    """The model of a run (the champion's if None). Raises StoreError where there is none or the file is damaged.

    say: told where the model was trained on a device that this machine has not.
    """
    number = champion_run(opened) if run is None else run
    row = opened.store.catalog.run(number)
    if row is None:
        raise StoreError(f"there is no run {number}", where=opened.root, cure=f"see `snowroll status {opened.root}`")
    folder = opened.store.run_folder(number)
    model, config = read_model(folder / "model", opened.task)
    plan = read_plan(folder, opened.task)
    if (device := device_here(plan.device)) != plan.device:
        say(f"run {number} was trained on {plan.device}, which is not here: it answers on {device}")
    return Trained(number, model, plan, config["schema"], config["version"], folder, config.get("calibration"))


def read_model(folder: Path, task: Task) -> tuple[nn.Module, dict[str, Any]]:
    """(model in eval mode, config). The architecture comes from the task and typed options, never from the file."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "config.json").read_text())
        state = load_file(folder / "model.safetensors")
    except FileNotFoundError:
        raise StoreError("there is no finished model here", where=folder, cure="train again") from None
    except (SafetensorError, json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise StoreError(f"the model is damaged ({fault})", where=folder, cure="roll back, or train again") from None
    if config.get("task") != task.name or config.get("format") != FORMAT:
        raise DataError(
            f"this model is for task '{config.get('task')}'", where=folder, cure="open it in its own project"
        )
    options = options_of(task, config)
    model = _blank(task, options, config)
    try:
        model.load_state_dict(state)
    except RuntimeError as fault:
        told = " ".join(str(fault).split())[:200]
        raise StoreError(f"the weights do not fit the model: {told}", where=folder, cure="train again") from None
    if not all(torch.isfinite(value).all() for value in state.values() if value.is_floating_point()):
        raise StoreError("the weights are not finite", where=folder, cure="roll back, or train again")
    return calibrated(task, model, config.get("calibration")).eval(), config


def calibrated(task: Task, model: nn.Module, calibration: Json) -> nn.Module:
    """The model with what `validating.calibrate` found; the model itself where that is nothing."""
    return model if calibration is None else task.calibrated(model, calibration)


def _blank(task: Task, options: Any, config: Mapping[str, Json]) -> nn.Module:
    """What the weights of a model folder go into: one model, or those of the folds as one."""
    folds = config.get("folds", 0)
    if not folds:
        return build_blank(task, options, config["schema"])
    return task.ensemble([build_blank(task, options, config["schema"]) for _ in range(folds)])


def options_of(task: Task, config: Mapping[str, Json]) -> Any:
    """The task's typed options, as a model's config.json holds them."""
    values = {f"task.{key}": value for key, value in config["options"].items() if value is not None}
    return Settings(values, dict.fromkeys(values, "config.json")).section("task", task.Options)[0]


def build_blank(task: Task, options: Any, schema: Mapping[str, Json]) -> nn.Module:
    """The architecture without a download or a file: the weights are about to be replaced."""
    if hasattr(options, "pretrained"):
        options = replace(options, pretrained="")
    return task.build(options, schema)
