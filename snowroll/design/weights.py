"""Weights from a file on disk into a model, saying exactly which tensors found their place.

Foreign files are not trusted: nothing is unpickled but tensors, sizes are checked before memory is taken, and a file
that fits no better than by chance is refused instead of half loaded.
"""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snowroll.base.errors import DataError
from snowroll.design.fine_tuned import FineTuned

LARGEST_BYTES = 8 * 2**30  # of a file, and of all its tensors; no network here is near it
_WRAPPED = ("state_dict", "model", "model_state_dict", "weights")  # where training scripts put the tensors
_PREFIXES = ("module.", "model.", "_orig_mod.", "backbone.")  # what wrappers prepend to every name
_HEADS = ("head", "fc", "classifier", "last_linear")  # the output layer in other people's networks
_ENOUGH = 0.5  # share of the backbone's tensors that must be found

# every way in which torch says that bytes are no checkpoint, or one that runs code; found by damaging files
_UNREADABLE = (
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, EOFError),
    *(OSError, MemoryError, struct.error, pickle.UnpicklingError, zipfile.BadZipFile, NotImplementedError),
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of each tensor. Names of `loaded` and `kept` are the model's, those of `skipped` the file's."""

    loaded: tuple[str, ...]
    kept: tuple[str, ...]  # the model's own initial values, the file had nothing for them
    skipped: Mapping[str, str]  # name in the file -> why it was not used

    def __str__(self) -> str:
        return f"{len(self.loaded)} tensors loaded, {len(self.kept)} kept as initialised, {len(self.skipped)} skipped"


def load_weights(model: FineTuned, path: Path) -> Loaded:
    """Fill the model in place from a .safetensors or .pth file.

    Understands our own files, torchvision's and timm's names, and a .pth of the same network under other names, known
    by the shapes and order of its tensors (a .safetensors keeps no order). The head is filled if it fits and left
    alone if the classes differ.
    Raises DataError if the file cannot be read, holds numbers that are not finite, or belongs to another network.
    """
    return fill(model, read_tensors(path), path)


def fill(model: FineTuned, tensors: Mapping[str, Tensor], where: object) -> Loaded:
    """`load_weights` from tensors in memory; `where` is what an error names."""
    state = model.state_dict()
    names = _match(state, tensors)
    skipped = {name: "no such tensor in the model" for name in tensors if name not in names}
    taken: dict[str, Tensor] = {}
    for theirs, ours in names.items():
        if tensors[theirs].shape == state[ours].shape:
            taken[ours] = tensors[theirs]
        else:
            skipped[theirs] = f"{list(tensors[theirs].shape)} in the file, {list(state[ours].shape)} in the model"
    _refuse_misfit(state, taken, where)
    with torch.no_grad():
        for name, tensor in taken.items():
            state[name].copy_(tensor)  # converts half precision; state_dict shares the model's memory
    learnt = (name for name in state if not name.startswith("normalise."))
    return Loaded(tuple(taken), tuple(name for name in learnt if name not in taken), skipped)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file by name, finite and of honest size. Raises DataError."""
    if not path.is_file():
        raise DataError("no such file of weights", where=path, cure="give the path of a .safetensors or .pth file")
    if path.stat().st_size > LARGEST_BYTES:
        raise DataError(f"larger than {LARGEST_BYTES >> 30} GiB", where=path, cure="give the weights alone")
    tensors = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pth(path)
    total = 0
    for name, tensor in tensors.items():
        size = prod(tensor.shape) * tensor.element_size()
        # a stride of 0 lets a few bytes claim to be terabytes
        if tensor.layout != torch.strided or size > tensor.untyped_storage().nbytes():
            raise DataError(f"tensor '{name}' claims more than the file holds", where=path, cure="do not trust it")
        total += size
        if total > LARGEST_BYTES:
            raise DataError("its tensors share memory to look larger than it", where=path, cure="do not trust it")
        if not torch.isfinite(tensor).all():
            raise DataError(f"tensor '{name}' holds numbers that are not finite", where=path, cure="train it again")
    return tensors


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError) as fault:
        raise DataError(f"not a safetensors file ({fault})", where=path, cure="download or export it again") from None


def _in_words(fault: Exception) -> str:
    if isinstance(fault, pickle.UnpicklingError):
        return "it is damaged, or holds more than tensors: code, objects"
    return str(fault).splitlines()[0][:120] if str(fault) else type(fault).__name__


def _read_pth(path: Path) -> dict[str, Tensor]:
    cure = "save it as torch.save(model.state_dict(), path) or as .safetensors"
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                    raise DataError("unpacks to more than it is", where=path, cure="do not trust it")
        with warnings.catch_warnings(action="ignore"):  # of old pickle protocols: an error follows, or nothing is wrong
            tree = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as fault:
        # torch's own words advise to load the file with its guard off
        raise DataError(f"cannot be read as plain weights ({_in_words(fault)})", where=path, cure=cure) from None
    tensors = _tensors_of(tree)
    if not tensors:
        raise DataError("holds no named tensors", where=path, cure=cure)
    return tensors


def _tensors_of(tree: Any) -> dict[str, Tensor]:
    if not isinstance(tree, Mapping):
        return {}
    for key in _WRAPPED:
        if isinstance(tree.get(key), Mapping):
            return _tensors_of(tree[key])
    return {str(name): value.detach() for name, value in tree.items() if isinstance(value, Tensor)}


def _match(state: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """{name in the file: name in the model}: by name as far as it goes, else by order and shape."""
    by_name = {theirs: ours for theirs in tensors if (ours := _ours(theirs, state)) is not None}
    ours = [name for name in state if name.startswith("backbone.")]
    if sum(name in by_name.values() for name in ours) >= _ENOUGH * len(ours):
        return by_name
    theirs = [name for name in tensors if not _is_head(name)]
    if not _same_network(theirs, ours, tensors, state):
        return by_name
    head = {name: at for name, at in by_name.items() if at.startswith("head.")}
    return dict(zip(theirs, ours, strict=True)) | head


def _ours(name: str, state: Mapping[str, Tensor]) -> str | None:
    """The model's name for a file's tensor, or None."""
    if name in state or f"head.{name}" in state:
        return name if name in state else f"head.{name}"
    bare = name
    while prefix := next((p for p in _PREFIXES if bare.startswith(p)), None):
        bare = bare.removeprefix(prefix)
    if f"backbone.{bare}" in state:
        return f"backbone.{bare}"
    leaf = bare.rpartition(".")[2]
    # an output layer is `head.weight`, `fc.weight` or the last of `classifier.6.weight`; its shape decides later
    return f"head.{leaf}" if _is_head(bare) and f"head.{leaf}" in state else None


def _is_head(name: str) -> bool:
    return name.split(".")[0] in _HEADS


def _same_network(
    theirs: list[str], ours: list[str], tensors: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> bool:
    """Whether two lists of tensors are one network under two names: kinds and shapes agree, in order, throughout."""

    def kinds(names: list[str], of: Mapping[str, Tensor]) -> list[tuple[str, torch.Size]]:
        return [(name.rpartition(".")[2], of[name].shape) for name in names]

    return kinds(theirs, tensors) == kinds(ours, state)


def _refuse_misfit(state: Mapping[str, Tensor], taken: Mapping[str, Tensor], where: object) -> None:
    wanted = [name for name in state if name.startswith("backbone.")]
    found = sum(name in taken for name in wanted)
    if found < _ENOUGH * len(wanted):
        what = f"weights of another network: {found} of {len(wanted)} tensors fit"
        raise DataError(what, where=where, cure="set --task.model to the network these weights belong to")
