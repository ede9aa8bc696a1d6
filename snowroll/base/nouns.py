"""What flows through the five steps: frozen, printable, JSON-able values.

`Sample > Version > Pack > Batch > nn.Module > Run > Report > Artifact > Record > Sample ...`
Each names the id of the one before it. Pack and Batch live where their arrays live
(`prepare/pack.py`, below); everything here can be written as JSON.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "val", "test"]
Severity = Literal["block", "warn", "note"]
Json = Any  # what json.dumps accepts; targets and predictions are the task's business


def digest(*parts: str | bytes) -> str:
    """16 hex digits of SHA-256 over the parts, each preceded by its length (no two lists collide by joining)."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "big") + data)
    return sha.hexdigest()[:16]


def canonical(value: Json) -> str:
    """One spelling for one value: sorted keys, no spaces, NaN refused. What gets hashed and stored."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """One thing to learn from. `id` hashes (where, content): two equal files with two labels stay two samples."""

    id: str
    where: str  # "cat/1.jpg", "photos.zip!cat/1.jpg", "set.npz#train_images/17", "blob:<sha256>"; relative to the data
    content: str  # SHA-256 of the bytes
    kind: str  # "image", "audio", ...: what the bytes are
    target: Json | None = None  # None: not labelled yet
    group: str | None = None  # patient, speaker, machine, scene: never straddles two splits
    split: Split | None = None  # the split the folder itself declares, if any
    origin: Literal["collected", "production", "generated", "play"] = "collected"
    weight: float = 1.0

    @staticmethod
    def name(where: str, content: str) -> str:
        return digest(where, content)


@dataclass(frozen=True, slots=True)
class Item:
    """A sample as one version sees it."""

    sample: str
    target: Json
    split: Split
    group: str | None = None
    fold: int | None = None  # cross-validation fold, among the training items
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable choice of samples, targets and splits. `id` hashes all of it."""

    id: str
    items: tuple[Item, ...]
    schema: Mapping[str, Json]  # what a target looks like: the task's label schema
    parent: str | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)  # sample id -> fault code that excluded it

    @staticmethod
    def freeze(
        items: Iterable[Item],
        schema: Mapping[str, Json],
        parent: str | None = None,
        left_out: Mapping[str, str] | None = None,
    ) -> Version:
        kept = tuple(sorted(items, key=lambda item: item.sample))
        body = canonical([[asdict(item) for item in kept], schema, parent, left_out or {}])
        return Version(digest(body), kept, schema, parent, left_out or {})

    def of(self, split: Split) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.split == split)


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step sees. `inputs` and `targets`: a tensor, or a NamedTuple of tensors, first axis B; None: no targets.

    `ids` [B] int64: row numbers in the pack, so that any loss can be traced to a file.
    """

    inputs: Any
    targets: Any
    ids: Tensor


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that decides a run's outcome, besides the data and the code.

    `task` holds the task's own choices (model, size, augmentation): `[task]` in snowroll.toml; the rest is `[train]`.
    """

    task: Any  # the task's Options dataclass
    steps: int = 1_000
    time_s: float | None = None  # the budget the steps were planned for; measured once, before the first step
    most_steps: int = 0  # that a budget may become: more would learn little by heart; 0: as many as fit
    batch: int = 128
    optimizer: Literal["sgd", "adamw", "muon"] = "sgd"
    lr: float = 0.1  # peak, for the whole batch
    momentum: float = 0.9
    weight_decay: float = 5e-4  # decoupled for adamw and muon; not applied to 1-D parameters
    schedule: Literal["cosine", "linear", "constant", "onecycle"] = "linear"
    warmup: float = 0.1  # share of the steps
    ema: float = 0.0  # decay of the weight average that is evaluated; 0: off
    clip: float = 0.0  # largest gradient norm; 0: off
    folds: int = 0  # models of cross-validation by group, joined into one; 0: off, else 2 or more
    patience: int = 0  # evaluations without a better validation loss before stopping; 0: never
    eval_every: int = 0  # steps between validations; 0: ten times a run
    checkpoint_every: int = 200  # steps
    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    compile: bool = False
    seed: int = 0
    threads: int = 0  # CPU threads; part of the plan because it decides the bits; 0: all cores
    processes: int = 1  # that share each batch, on one machine; decides the bits as threads do
    device: str = "cpu"

    def __post_init__(self) -> None:
        check_numbers(
            "train",
            self,
            from_1="steps batch checkpoint_every processes",
            from_0="time_s most_steps lr weight_decay clip folds patience eval_every threads",
            shares="momentum warmup ema",
        )
        if self.folds == 1:
            raise UsageError("1 is out of bounds", where="train.folds", cure="set it to 0 (off), or to 2 or more")

    @property
    def id(self) -> str:
        return digest(canonical(self))

    @property
    def threads_each(self) -> int:
        """CPU threads of one process."""
        return self.threads if self.processes == 1 else max(1, self.threads // self.processes)


@dataclass(frozen=True, slots=True)
class Choice:
    """One planned value and the rule that chose it; `snowroll explain` prints it."""

    key: str  # "train.lr", "task.model"
    value: Json
    why: str


@dataclass(frozen=True, slots=True)
class Gate:
    """A hypothesis about the training machinery, measured before (or while) time is spent."""

    name: str
    hypothesis: str
    measured: str
    expected: str
    passed: bool
    picture: str | None = None  # path in the run folder
    seconds: float = 0.0
    accepted: str = ""  # why a person goes on though it failed

    @property
    def stops(self) -> bool:
        return not self.passed and not self.accepted

    @property
    def verdict(self) -> str:
        """As the terminal and the report say it."""
        return "passed" if self.passed else f"FAILED, accepted: {self.accepted}" if self.accepted else "FAILED"


@dataclass(frozen=True, slots=True)
class Fix:
    """A fault's cure as the project can apply it: reversible, and never touching the user's files."""

    does: Literal["leave out", "ask", "set"]
    samples: tuple[str, ...] = ()  # ids that leave the versions made from now on, or that a person is asked about
    setting: str = ""  # "prepare.group"
    value: Json = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the data: named with files, cause and cure."""

    code: str
    severity: Severity
    paths: tuple[str, ...]
    message: str
    cure: str
    confidence: float = 1.0
    samples: tuple[str, ...] = ()  # sample ids, in the order of paths, where they exist
    fix: Fix | None = None

    @staticmethod
    def read(row: Mapping[str, Any]) -> Fault:
        """What `asdict` gave, after JSON."""
        fix = row["fix"] and Fix(**{**row["fix"], "samples": tuple(row["fix"]["samples"])})
        return Fault(**{**row, "paths": tuple(row["paths"]), "samples": tuple(row["samples"]), "fix": fix})


@dataclass(frozen=True, slots=True)
class Metric:
    """A number with what makes it honest: its 95 % interval and how many samples it was measured on."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.n}"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a task says of one sample. `value` is the task's: a class name, boxes, a sentence."""

    value: Json
    probability: float | None
    doubt: float  # 0 sure .. 1 as unsure as can be
    scores: Any = None  # [C] float array where the task has one
    interval: tuple[float, float] | None = None  # of a number: where the truth is to be expected


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out about one run on one split."""

    run: str
    version: str
    headline: str
    metrics: Mapping[str, Metric]
    slices: tuple[Mapping[str, Json], ...] = ()  # {"slice", "n", "value", "low", "high", "worse": bool}
    gates: tuple[Gate, ...] = ()
    faults: tuple[Fault, ...] = ()
    costs: Mapping[str, float] = field(default_factory=dict)  # seconds, peak_mb, parameters
    extras: Mapping[str, Json] = field(default_factory=dict)  # task's own: confusion, curves

    @property
    def metric(self) -> Metric:
        return self.metrics[self.headline]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model that can run elsewhere, with the proof that it says what the trained one says."""

    id: str
    run: str
    format: Literal["onnx", "safetensors", "onnx-int8"]
    blob: str  # SHA-256 in the store
    bytes: int
    contract: Mapping[str, Json]  # inputs, outputs, pre- and post-processing in words and numbers
    parity: Mapping[str, Json]  # largest difference, agreement, metric before and after, n, tolerance


@dataclass(frozen=True, slots=True)
class Record:
    """What production saw and what was answered; later a Sample."""

    id: str
    artifact: str
    at: float  # UTC seconds, informational
    content: str  # blob of the input
    prediction: Json
    probability: float | None
    doubt: float
    source: str = ""  # what the client calls itself: camera, ward, line
    truth: Json | None = None
