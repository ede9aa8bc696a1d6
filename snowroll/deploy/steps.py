"""A network that is asked many times for one answer, as a file: a step, and what it remembers from step to step."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from snowroll.base.errors import DataError, PlanError
from snowroll.base.nouns import Json
from snowroll.base.task import Step
from snowroll.deploy.export import describe, exported_as, facts, read, save
from snowroll.deploy.session import session_of

MEMORY = "memory"  # metadata key: the empty memory, by name
_ALIKE = 1e-3  # of the largest answer: how far file and network may differ
Memory = tuple[np.ndarray, ...]


class StepFile:
    """The file, ready to be asked. Safe to use from several threads: what it remembers is the caller's."""

    def __init__(self, model: bytes, threads: int = 1) -> None:
        """Raises DataError for any other file."""
        told = facts(whole := read(model))
        try:
            empty = json.loads(told[MEMORY])
            self._empty = tuple(
                np.full(one["shape"], one["filled_with"], np.dtype(one["type"])) for one in empty.values()
            )
            self.context = int(told["context"])
        except (KeyError, TypeError, ValueError) as fault:
            raise DataError("this ONNX file is no step of a network", cure="export it again") from fault
        self._session = session_of(whole.SerializeToString(), threads)
        self._names = [value.name for value in self._session.get_inputs()]

    def begin(self) -> Memory:
        return self._empty

    def read(self, numbers: Sequence[int], memory: Memory) -> tuple[np.ndarray, Memory]:
        """What the network says after these numbers, without the batch axis; and what it remembers then."""
        given = dict(zip(self._names, (np.array([numbers], np.int64), *memory), strict=True))
        values: Sequence[Any] = self._session.run(None, given)
        return np.array(values[0][0]), tuple(values[1:])


def export_step(step: Step, path: Path, metadata: Mapping[str, Json]) -> None:
    """Write one self-contained file.

    Raises PlanError when the step cannot be exported, or when the file does not say what the module says: after many
    numbers at once, then after one more.
    """
    import torch

    module = copy.deepcopy(step.module).cpu().float().eval()
    names, empty = list(step.memory), tuple(step.memory.values())
    numbers = torch.tensor([list(step.numbers)])
    with torch.no_grad():
        first, *memory = module(numbers, *empty)
        second, *_ = module(numbers[:, :1], *memory)
    known, more = torch.export.Dim("known", min=2), torch.export.Dim("more", min=2)
    axes = tuple({step.grows[name]: known} if name in step.grows else {} for name in names)
    outputs = [step.gives, *(f"{name}_after" for name in names)]
    program = exported_as(module, (numbers, *memory), ({1: more}, axes), [step.takes, *names], outputs)
    whole = program.model_proto
    told = {
        name: {
            "shape": list(tensor.shape),
            "filled_with": float(tensor.flatten()[0]) if tensor.numel() else 0.0,
            "type": str(tensor.numpy().dtype),
        }
        for name, tensor in step.memory.items()
    }
    describe(whole, {**metadata, MEMORY: told, "context": step.context})
    save(whole, path)

    file = StepFile(path.read_bytes())
    here, remembered = file.read(step.numbers, file.begin())
    after, _ = file.read(step.numbers[:1], remembered)
    for mine, theirs in ((first, here), (second, after)):
        if float(np.abs(mine[0].numpy() - theirs).max()) > _ALIKE * max(1.0, float(mine.abs().max())):
            raise PlanError("the exported step does not answer as the network does", cure="use a model of the zoo")
