"""Checkpoints: one safetensors file and one JSON manifest, which is written last and vouches for the tensors.

    checkpoints/step-00000200.safetensors     weights, average, optimiser state
    checkpoints/step-00000200.json            step, plan, version, SHA-256 of the tensors, threads, torch

Killed at any moment, the folder still holds the checkpoint before. The newest two are kept: if the disk damaged one,
the one before it is used, and that is said.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from snowroll.base import atomic
from snowroll.base.errors import PlanError, StoreError
from snowroll.base.nouns import Json
from snowroll.train.fit import State

KEEP = 2


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A manifest whose tensors were there, whole and unchanged when it was read."""

    path: Path  # the tensors
    step: int
    plan: str
    version: str
    threads: int
    torch: str
    extra: Mapping[str, Json] = field(default_factory=dict)  # the caller's own: best loss so far, curve


def save(
    folder: Path,
    model: nn.Module,
    state: State,
    plan: str,
    version: str,
    extra: Mapping[str, Json] | None = None,
) -> Path:
    """Write the run as it stands after `state.step` updates; then forget all but the newest two."""
    tensors = flatten(model, state)
    path = folder / f"step-{state.step:08d}.safetensors"
    sha = ""

    def fill(temp: Path) -> None:
        nonlocal sha
        save_file(tensors, temp)
        sha = _sha256(temp)

    atomic.publish(path, fill)
    manifest = {
        "step": state.step,
        "plan": plan,
        "version": version,
        "sha256": sha,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "extra": dict(extra or {}),
    }
    atomic.write_json(path.with_suffix(".json"), manifest)
    _forget_old(folder, KEEP)
    return path


def newest(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None. `say` hears of every one that had to be passed over."""
    for manifest in sorted(folder.glob("step-*.json"), reverse=True):
        try:
            return _read(manifest)
        except StoreError as fault:
            say(f"{fault}; going back to the checkpoint before it")
    return None


def load(
    checkpoint: Checkpoint, model: nn.Module, state: State, plan: str, version: str, say: Callable[[str], None]
) -> None:
    """Put the checkpoint into `model` and `state` (made by `begin` from the same plan), bit for bit.

    Raises PlanError if it belongs to another plan or version. `say` hears what will keep the bits from being the same.
    """
    if (checkpoint.plan, checkpoint.version) != (plan, version):
        raise PlanError(
            "this checkpoint belongs to another plan or data version", where=checkpoint.path, cure="start a new run"
        )
    if checkpoint.threads != torch.get_num_threads():
        say(f"saved with {checkpoint.threads} threads, resumed with {torch.get_num_threads()}: last bits will differ")
    if checkpoint.torch != torch.__version__:
        say(f"saved by torch {checkpoint.torch}, resumed by {torch.__version__}: last bits may differ")
    with safe_open(checkpoint.path, framework="pt") as file:
        unflatten({key: file.get_tensor(key) for key in file.keys()}, model, state)  # noqa: SIM118 (not a dict)
    state.step = checkpoint.step


def flatten(model: nn.Module, state: State) -> dict[str, Tensor]:
    """Everything that must survive, by name: 'model/...', 'average/...', 'optimizer/<parameter>/<what>'."""
    found = {f"model/{name}": tensor for name, tensor in _unique(model).items()}
    if state.average is not None:
        found |= {f"average/{name}": tensor for name, tensor in _unique(state.average).items()}
    found |= {f"optimizer/{name}": tensor for name, tensor in state.optimizer.state.items()}
    return {key: tensor.detach().cpu().contiguous() for key, tensor in found.items()}


def unflatten(tensors: Mapping[str, Tensor], model: nn.Module, state: State) -> None:
    """The way back. Each tensor takes the memory layout of what it belongs to: fused kernels rely on it."""
    with torch.no_grad():
        for prefix, module in (("model", model), ("average", state.average)):
            for name, old in _unique(module).items() if module is not None else ():
                if f"{prefix}/{name}" not in tensors:
                    raise PlanError(f"the checkpoint lacks '{prefix}/{name}'", cure="start a new run")
                old.copy_(tensors[f"{prefix}/{name}"])
    parameters = dict(model.named_parameters())
    for key, saved in tensors.items():
        if key.startswith("optimizer/"):
            key = key.removeprefix("optimizer/")
            p = parameters[key.rpartition("/")[0]]
            place = torch.empty_like(p if saved.shape == p.shape else saved, dtype=saved.dtype, device=p.device)
            state.optimizer.state[key] = place.copy_(saved)


def _unique(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, tied ones once; buffers marked non-persistent are remade by the model's code."""
    kept = module.state_dict(keep_vars=True)
    named = dict(module.named_parameters()) | dict(module.named_buffers())
    return {name: tensor for name, tensor in named.items() if name in kept}


def _read(manifest: Path) -> Checkpoint:
    path = manifest.with_suffix(".safetensors")
    try:
        told = json.loads(manifest.read_text())
        if _sha256(path) != told["sha256"]:
            raise StoreError("this checkpoint is damaged", where=path)
        with safe_open(path, framework="pt"):
            pass
        return Checkpoint(
            path, told["step"], told["plan"], told["version"], told["threads"], told["torch"], told["extra"]
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as fault:
        raise StoreError(f"this checkpoint cannot be read ({type(fault).__name__})", where=path) from fault


def _forget_old(folder: Path, keep: int) -> None:
    """Delete all but the newest, manifest first: tensors without a manifest are nothing, the reverse is an error."""
    manifests = sorted(folder.glob("step-*.json"), reverse=True)
    kept = {manifest.stem for manifest in manifests[:keep]}
    for manifest in manifests[keep:]:
        manifest.unlink(missing_ok=True)
    for tensors in folder.glob("step-*.safetensors"):
        if tensors.stem not in kept:
            tensors.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
