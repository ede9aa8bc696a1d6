"""The one protocol. A task is a folder under `snowroll/tasks/` (or an installed entry point) that answers it.

Columns are what the pack holds: name -> array. One sample's column is a fixed-shape array, or a 1-D/2-D array whose
first axis may differ from sample to sample (ragged), as the task says in `ragged`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Batch, Choice, Json, Prediction, Split
from snowroll.base.parts import Parts

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor, nn

Columns = dict[str, Any]  # name -> numpy array (pack) or tensor / Ragged (batch)


@dataclass(frozen=True, slots=True)
class Found:
    """One file or row as a reader understood it, before it becomes a Sample."""

    where: str
    target: Json | None
    group: str | None = None
    split: Split | None = None
    annotator: str | None = None  # who gave the target


@dataclass(frozen=True, slots=True)
class Reading:
    """How a task understood a folder, and why it thinks so."""

    layout: str  # "train|val|test folders over class folders"
    evidence: tuple[str, ...]
    found: tuple[Found, ...]
    skipped: Mapping[str, str] = field(default_factory=dict)  # where -> reason
    schema: Mapping[str, Json] = field(default_factory=dict)  # what samples have in common, beside targets: columns


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the rules that plan a run may look at: facts of data and machine, never the clock."""

    n: Mapping[str, int]  # samples by split
    schema: Mapping[str, Json]
    facts: Mapping[str, Json]  # the task's own: sizes, channels, counts by class
    device: str
    threads: int
    bf16: bool  # this device multiplies bf16 faster than fp32
    time_s: float | None


class Draw(Protocol):
    """Random numbers that are a pure function of (seed, epoch, sample): no state, any rank, exact resume."""

    def uniform(self, name: str, *shape: int) -> Tensor:
        """[B, *shape] float32 in [0, 1), one independent stream for each name."""
        ...


class Task(Parts, ABC):
    """What the engine asks of a task. Plain values in and out; no method keeps state."""

    name: str
    kind: str  # kind of the samples it reads: "image"
    Options: type  # frozen dataclass: the task's part of the Plan, every field with a default
    headline: str  # the first metric of `scorer`
    ragged: frozenset[str] = frozenset()  # columns whose first axis differs between samples
    ranges: Mapping[str, tuple[float, float]] = {}  # of metrics that are no shares in [0, 1]: a loss, 1 - CER
    waived: Mapping[str, str] = {}  # property of tests/test_every_task.py -> why it cannot apply

    # 1 prepare ------------------------------------------------------------------------------------------------
    @abstractmethod
    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        """Read `folder` (prepare.read.Folder) if it holds a format this task knows; None if it does not."""
        ...

    @abstractmethod
    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        """What a target looks like, as JSON that the label page renders: {"type": "choice", "classes": [...]}."""
        ...

    @abstractmethod
    def problem(self, target: Json, schema: Mapping[str, Json]) -> str | None:
        """What is wrong with this target, in words, or None."""
        ...

    @abstractmethod
    def look(self, raw: bytes, megapixels: float) -> Any:
        """A prepare.look.Look at one sample: what checks, planning and drift know of it. In a limited child: no torch.

        Where samples are no pictures, the thumbnail is a drawing in which alike samples look alike (a spectrogram,
        a histogram). Never raises for foreign bytes: what is wrong with them stands in the Look's `reason`.
        """
        ...

    @abstractmethod
    def facts(self, columns: Columns, targets: Sequence[Json], schema: Mapping[str, Json]) -> dict[str, Json]:
        """What its planning rules want to know of a sample of the data."""
        ...

    @abstractmethod
    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        """Values for `[train]` and `[task]` that differ from the defaults, each with the rule that chose it."""
        ...

    @abstractmethod
    def encode(self, raw: bytes, options: Any, megapixels: float) -> Columns:
        """One sample's bytes to numpy arrays, once, for the pack. Runs in a limited child: must not import torch.

        megapixels: what is larger is refused from its header. Raises DataError when the bytes cannot be read.
        """
        ...

    @abstractmethod
    def pack_key(self, options: Any) -> Json:
        """The options that decide what `encode` returns; part of the pack's name."""
        ...

    @abstractmethod
    def encode_targets(self, targets: Sequence[Json], schema: Mapping[str, Json], columns: Columns) -> Columns:
        """All targets to arrays, in the order of the samples; `columns` are the pack's."""
        ...

    @abstractmethod
    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        """Gathered columns (tensors on the device, `Ragged` where ragged) to what the model and loss take.

        The columns of `encode_targets` are absent where nothing is known yet (`predict`): targets are None then.
        """
        ...

    @abstractmethod
    def augment(self, batch: Batch, draw: Draw, options: Any) -> Batch:
        """The whole batch changed at random as tensor ops, targets moved along."""
        ...

    # 2 design -------------------------------------------------------------------------------------------------
    @abstractmethod
    def build(self, options: Any, schema: Mapping[str, Json]) -> nn.Module:
        """A model that takes `batch.inputs` and returns raw outputs. Normalisation is inside it."""
        ...

    # 3 train --------------------------------------------------------------------------------------------------
    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, options: Any) -> Tensor:
        """[B] losses, one a sample, so that any of them can be traced to its file."""
        ...

    @abstractmethod
    def loss_at_init(self, schema: Mapping[str, Json], options: Any) -> float | None:
        """What an untrained model should lose (ln C for C classes), or None where nothing is known."""
        ...

    # 4 evaluate -----------------------------------------------------------------------------------------------
    @abstractmethod
    def postprocess(self, outputs: Any, options: Any) -> Mapping[str, Tensor]:
        """The model's raw outputs to named tensors, first axis B: probabilities, boxes after NMS. Exported with it."""
        ...

    @abstractmethod
    def decode(self, outputs: Mapping[str, np.ndarray], schema: Mapping[str, Json], options: Any) -> list[Prediction]:
        """Post-processed outputs as numpy to what people read, with doubt in [0, 1]. No torch: serving runs this too.

        A target is a valid `Prediction.value`: that is how a prediction is offered as a label.
        """
        ...

    @abstractmethod
    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        """A function of counts [n] (how often each sample counts; None: once each) to metrics, headline first.

        What does not depend on the counts is computed once: the bootstrap calls it a thousand times.
        """
        ...

    @abstractmethod
    def credit(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
    ) -> np.ndarray:
        """[n] in [0, 1], what each sample earned, for the paired test: right or wrong, Dice, 1 - CER.

        Where the headline is no mean over samples (mAP, BLEU) this is its nearest stand-in for one sample.
        """
        ...

    @abstractmethod
    def strata(self, targets: Sequence[Json]) -> list[str]:
        """[n] the class each sample counts under in the promotion test and in stratified splits."""
        ...

    @abstractmethod
    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Mapping[str, Json]) -> Image:
        """The sample with its target and prediction, as a person wants to see it; of any size: it was read before."""
        ...

    @abstractmethod
    def show(self, batch: Batch, row: int, schema: Mapping[str, Json], options: Any) -> Image:
        """What the network really sees: one row of the batch, decoded back to a picture."""
        ...

    # 5 deploy -------------------------------------------------------------------------------------------------
    @abstractmethod
    def deployable(self, model: nn.Module, options: Any, schema: Mapping[str, Json]) -> Deployable:
        """The model cut for export into `prepare` (raw input -> prepared) and `body` (prepared -> outputs)."""
        ...

    @abstractmethod
    def open_raw(self, raw: bytes, options: Any, megapixels: float) -> np.ndarray | Sequence[np.ndarray]:
        """One request's bytes to the raw array (or arrays) that `prepare` takes: RGB pixels [H, W, 3] uint8. No torch.

        megapixels: as for `encode`. Raises DataError when the bytes cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Step:
    """A further graph in a file of its own, for streams that ask the network many times: a step, and what it remembers.

    What it is given first are numbers [1, n]; then comes the memory, which it gives back in the same order after its
    answer [1, ...]. Axes that grow with what was read are named.
    """

    module: nn.Module
    takes: str
    gives: str
    memory: Mapping[str, Any]  # name -> tensor: the empty memory
    grows: Mapping[str, int]  # name -> axis, of those that grow
    context: int  # how many numbers it can remember
    numbers: Sequence[int]  # three or more that may be given, to prove the file on


@dataclass(frozen=True, slots=True)
class Deployable:
    """Two modules whose composition is the exported file; the server runs them apart to micro-batch the body."""

    prepare: nn.Module  # one raw sample -> prepared [1, ...], or a tuple of such tensors
    body: nn.Module  # prepared [B, ...], each an argument of its own -> outputs, post-processing inside
    raw_example: Any  # tensor: one raw sample; or a tuple of them, each with its name and axes
    raw_name: str | tuple[str, ...]
    raw_axes: Mapping[int, str] | tuple[Mapping[int, str], ...]  # dynamic axes of the raw sample
    output_names: tuple[str, ...]
    contract: Mapping[str, Json]  # in words and numbers, goes into the file's metadata
    step: Step | None = None


def task_names() -> list[str]:
    """Names of the task folders and of installed entry points in the group `snowroll.tasks`.

    A folder within a task's is a task of the same family: tasks/medical/masks is `medical_masks`.
    """
    return sorted({*_folders(), *(point.name for point in metadata.entry_points(group="snowroll.tasks"))})


def _folders() -> dict[str, str]:
    """Task -> its module, under `snowroll.tasks`."""
    here = Path(__file__).parent.parent / "tasks"
    marks = (*here.glob("*/__init__.py"), *here.glob("*/*/task.py"))
    found = [path.parent.relative_to(here).parts for path in marks]
    return {"_".join(parts): ".".join(parts) for parts in found}


def find_task(name: str) -> Task:
    """The task called `name`. Its module's `task` attribute answers the protocol; nothing is registered.

    Only a folder's name or an installed entry point is accepted, never a dotted path from a file.
    """
    if name not in task_names():
        raise UsageError(f"there is no task '{name}'", cure=did_you_mean(name, task_names()))
    for point in metadata.entry_points(group="snowroll.tasks"):
        if point.name == name:
            return _answering(point.load(), point.value)
    return import_module(f"snowroll.tasks.{_folders()[name]}").task


def _answering(task: object, where: str) -> Task:
    if isinstance(task, Task):
        return task
    told = f"a {type(task).__name__} is no task"
    raise UsageError(told, where=where, cure="derive its class from snowroll.base.task.Task")


@dataclass(frozen=True, slots=True)
class Preset:
    """A task with settings for a common question. A task's folder may have `presets.py` with PRESETS by name."""

    task: str
    settings: Mapping[str, Json]
    why: str

    def fitting(self, task: Task) -> dict[str, Json]:
        """Those of its settings that the task has."""
        own = {f"task.{option.name}" for option in fields(task.Options)}
        return {key: value for key, value in self.settings.items() if not key.startswith("task.") or key in own}


def find_preset(name: str) -> Preset:
    """Raises UsageError where no task's folder has one of this name."""
    here = Path(__file__).parent.parent / "tasks"
    known: dict[str, Preset] = {}
    for path in sorted(here.glob("*/presets.py")):
        known |= import_module(f"snowroll.tasks.{path.parent.name}.presets").PRESETS
    if name not in known:
        raise UsageError(f"there is no preset '{name}'", where="--preset", cure=did_you_mean(name, sorted(known)))
    return known[name]
