"""The one protocol. A task is a folder under `snowroll/tasks/` (or an installed entry point) that answers it.

Columns are what the pack holds: name -> array. One sample's column is a fixed-shape array, or a 1-D/2-D array whose
first axis may differ from sample to sample (ragged), as the task says in `ragged`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Batch, Choice, Json, Prediction, Split

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


class Task(Protocol):
    """What the engine asks of a task. Plain values in and out; no method keeps state."""

    name: str
    kind: str  # kind of the samples it reads: "image"
    Options: type  # frozen dataclass: the task's part of the Plan, every field with a default
    headline: str  # the first metric of `scorer`
    ragged: frozenset[str]  # columns whose first axis differs between samples
    unbounded: frozenset[str]  # metrics that are no shares in [0, 1]: a loss, 1 - CER
    waived: Mapping[str, str]  # property of tests/test_every_task.py -> why it cannot apply

    # 1 prepare ------------------------------------------------------------------------------------------------
    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        """Read `folder` (prepare.read.Folder) if it holds a format this task knows; None if it does not."""
        ...

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        """What a target looks like, as JSON that the label page renders: {"type": "choice", "classes": [...]}."""
        ...

    def problem(self, target: Json, schema: Mapping[str, Json]) -> str | None:
        """What is wrong with this target, in words, or None."""
        ...

    def look(self, raw: bytes, megapixels: float) -> Any:
        """A prepare.look.Look at one sample: what checks, planning and drift know of it. In a limited child: no torch.

        Where samples are no pictures, the thumbnail is a drawing in which alike samples look alike (a spectrogram,
        a histogram). Never raises for foreign bytes: what is wrong with them stands in the Look's `reason`.
        """
        ...

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Mapping[str, Json]) -> dict[str, Json]:
        """What its planning rules want to know of a sample of the data."""
        ...

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        """Values for `[train]` and `[task]` that differ from the defaults, each with the rule that chose it."""
        ...

    def encode(self, raw: bytes, options: Any, megapixels: float) -> Columns:
        """One sample's bytes to numpy arrays, once, for the pack. Runs in a limited child: must not import torch.

        megapixels: what is larger is refused from its header. Raises DataError when the bytes cannot be read.
        """
        ...

    def pack_key(self, options: Any) -> Json:
        """The options that decide what `encode` returns; part of the pack's name."""
        ...

    def encode_targets(self, targets: Sequence[Json], schema: Mapping[str, Json], columns: Columns) -> Columns:
        """All targets to arrays, in the order of the samples; `columns` are the pack's."""
        ...

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        """Gathered columns (tensors on the device, `Ragged` where ragged) to what the model and loss take.

        The columns of `encode_targets` are absent where nothing is known yet (`predict`): targets are None then.
        """
        ...

    def augment(self, batch: Batch, draw: Draw, options: Any) -> Batch:
        """The whole batch changed at random as tensor ops, targets moved along."""
        ...

    # 2 design -------------------------------------------------------------------------------------------------
    def build(self, options: Any, schema: Mapping[str, Json]) -> nn.Module:
        """A model that takes `batch.inputs` and returns raw outputs. Normalisation is inside it."""
        ...

    # 3 train --------------------------------------------------------------------------------------------------
    def loss(self, model: nn.Module, batch: Batch, options: Any) -> Tensor:
        """[B] losses, one a sample, so that any of them can be traced to its file."""
        ...

    def loss_at_init(self, schema: Mapping[str, Json], options: Any) -> float | None:
        """What an untrained model should lose (ln C for C classes), or None where nothing is known."""
        ...

    # 4 evaluate -----------------------------------------------------------------------------------------------
    def postprocess(self, outputs: Any, options: Any) -> Mapping[str, Tensor]:
        """The model's raw outputs to named tensors, first axis B: probabilities, boxes after NMS. Exported with it."""
        ...

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Mapping[str, Json], options: Any) -> list[Prediction]:
        """Post-processed outputs as numpy to what people read, with doubt in [0, 1]. No torch: serving runs this too.

        A target is a valid `Prediction.value`: that is how a prediction is offered as a label.
        """
        ...

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        """A function of counts [n] (how often each sample counts; None: once each) to metrics, headline first.

        What does not depend on the counts is computed once: the bootstrap calls it a thousand times.
        """
        ...

    def credit(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Mapping[str, Json]
    ) -> np.ndarray:
        """[n] in [0, 1], what each sample earned, for the paired test: right or wrong, Dice, 1 - CER.

        Where the headline is no mean over samples (mAP, BLEU) this is its nearest stand-in for one sample.
        """
        ...

    def strata(self, targets: Sequence[Json]) -> list[str]:
        """[n] the class each sample counts under in the promotion test and in stratified splits."""
        ...

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Mapping[str, Json]) -> Image:
        """The sample with its target and prediction, as a person wants to see it; of any size: it was read before."""
        ...

    def show(self, batch: Batch, row: int, schema: Mapping[str, Json], options: Any) -> Image:
        """What the network really sees: one row of the batch, decoded back to a picture."""
        ...

    # 5 deploy -------------------------------------------------------------------------------------------------
    def deployable(self, model: nn.Module, options: Any, schema: Mapping[str, Json]) -> Deployable:
        """The model cut for export into `prepare` (raw input -> prepared) and `body` (prepared -> outputs)."""
        ...

    def open_raw(self, raw: bytes, options: Any, megapixels: float) -> np.ndarray | Sequence[np.ndarray]:
        """One request's bytes to the raw array (or arrays) that `prepare` takes: RGB pixels [H, W, 3] uint8. No torch.

        megapixels: as for `encode`. Raises DataError when the bytes cannot be read.
        """
        ...


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


# What a task may bring beside the protocol, looked up with getattr: by the step that asks for it.
#
# 1 prepare: reading
#   wants: str                                         what a folder must hold, told where it holds nothing of it
#   reads: frozenset[str]                              fields of its Options, or of its readings' schema, that decide
#                                                      how a folder is read: those settled come as `settings.asked`
#   particularity(reading, settings) -> int            of several tasks that can read a folder the highest is meant; 0
#   pieces(raw, names) -> Mapping[str, bytes]          samples that lie in one file, by the names `recognise` gave them
#   samples_in(folder, settings) -> list[str]          what of a folder is a sample to be answered, if not each file
#   holds_samples(name) -> bool                        whether a file of this name holds several samples to be answered
#   read_facts(raws, options) -> Mapping[str, Json]    what planning asks of the bytes that are learnt from, and no look
#                                                      holds: byte pairs. options: as the user settled them
#   cleaned(raw) -> bytes                              what may be kept of a sample's bytes: names of patients may not
#
# 1 prepare: checking and labelling
#   gist(target) -> str                                a target in a spelling that resized copies of a picture share
#   of_classes(targets) -> list[str]                   the class of every object, where a target holds several or none
#   faults(view) -> Iterable[Fault]                    what `check` finds of this kind of target: see prepare.view.View
#   doubted(view) -> Iterable[Fault]                   what networks that never saw a target have against it: view.said
#   completed(target, look) -> Json                    an answer of the page with what only the sample's Look knows
#   widget: Path                                       its own label widget: a JavaScript module
#   text(raw) -> str                                   a sample as text, read in the place of its picture
#   sound(raw) -> bytes                                a sample as a WAV, played beside its picture on the label page
#   in_pixels: bool                                    places in the picture matter, or its words: it is shown unshrunk
#   legend: str                                        what the lines and colours of `draw` mean: told in the report
#   writers: Mapping[str, Callable]                    formats that `export --labels` writes: see verbs/export.py
#
# 2 design and 3 train
#   starts_from: int                                   how many numbers `start` may be given, if not the engine's
#   start(model, batch, targets, options)              before the first step: filters from a batch of the training data,
#                                                      the class shares from all its encoded targets
#   fit(model, train, val, plan)                       in place and without gradients, from a split's rows as one batch;
#                                                      asked for where its Options say `at_once`
#   freeze(model, frozen)                              hold all but the head still for the first `options.head_first`
#   teaches(targets, options) -> [n] bool              which samples may be learnt from: all others are judged on only
#   thinned(batch, options) -> Batch                   whole samples in the time of the parts that are learnt from
#   in_order: bool                                     each answer along the inputs may hang on those before it alone
#   completed_schema(schema, options) -> schema        the schema with what a run's options add to it: its tokens
#
# 3 train: after the last step
#   calibrates_from: int                               from how many validation rows on `calibrate` has something to say
#   calibrate(outputs, targets, options) -> Json       fitted on the validation rows after training
#   calibrated(model, calibration) -> nn.Module        the model with what `calibrate` found
#   ensemble(models) -> nn.Module                      models of one plan as one model: what train.folds needs
#   closing(model, line, schema, options)              pieces of what a model says to a line typed at a terminal
#
# 4 evaluate
#   trials(targets, schema) -> Mapping[str, float]     on how many samples a metric rests, where they are not all
#   credited: str                                      what `credit` is, where it is not the headline
#   same(one, other) -> float                          how far two predictions say the same, in [0, 1], where outputs
#                                                      are lists that cannot be compared number by number: for proofs
#   sliced(looks, schema) -> Mapping[str, Sequence]    name -> [n] values to look for slices by, beside others
#   details(predictions, targets, schema, groups)      fields of a report's Background: confusion, calibration
#   floor(columns, targets, rows, schema)              (the headline of what must be beaten, what it is); rows by split
#   explained(evidence) -> Iterable[Passage]           parts of the report, from evaluate.background.Evidence
#   words(target) -> str                               a target or a prediction's value as people read it in a report
#
# 5 deploy
#   pipeline: str                                      the model hubs' word for the task, for the model card
#   cautions(schema, options) -> list[str]             what the model must not be used for: for the model card
#   at_length(model, batch, said, schema, options)     predictions at length, where that takes several passes
#   as_file(value, raw) -> (ending, bytes)             an answer as a file for other tools, on the sample's own grid
#   streams: Mapping[str, Callable]                    routes of its own on `serve`, in pieces: deploy/streams.py
#   live(rate_hz, channels, options) -> Live            cuts a live signal into samples: see below
#
# In its Options, likewise:
#   at_once: bool                                      whether `fit` makes the model
#   head_first: float                                  share of the steps in which `freeze` holds
#   backbone_lr: float                                 of all but the head, times train.lr
#   pretrained: str                                    weights to begin with
#   pictures: bool                                     whether reports show them
#   parts: int                                         a side of a sample is this many times that of what is learnt from


class Live(Protocol):
    """A signal that is still coming, cut into the samples that its recording would be cut into, whatever the portions.

    Both give (number of the value that the sample is about, the sample's bytes) of the samples that are certain now.
    """

    def feed(self, signal: np.ndarray) -> list[tuple[int, bytes]]:
        """signal: float [n, channels], NaN where nothing was measured."""
        ...

    def close(self) -> list[tuple[int, bytes]]:
        """The signal ends here."""
        ...


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
            return point.load()
    return import_module(f"snowroll.tasks.{_folders()[name]}").task


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


def ensemble_of(task: Task) -> Callable[[Sequence[nn.Module]], nn.Module]:
    """How the task joins the models of the folds. Raises UsageError where it does not say."""
    join = getattr(task, "ensemble", None)
    if join is None:
        told = f"task '{task.name}' does not say how several models are joined into one"
        raise UsageError(told, where="train.folds", cure="set it to 0, or give the task a method `ensemble(models)`")
    return join
