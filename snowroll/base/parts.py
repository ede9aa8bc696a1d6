"""What a task may bring beside the protocol. Each part does nothing unless a task says otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Batch, Json, Prediction

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

Schema = Mapping[str, Json]
Part = TypeVar("Part", bound=Callable[..., Any])


def _left_out(part: Part) -> Part:
    """Marks what a task is without until it says otherwise; see `own`."""
    part.__dict__["left_out"] = True
    return part


def own(part: Part) -> Part | None:
    """`own(task.text)`: the task's part, or None where it brings none of its own."""
    return None if getattr(part, "left_out", False) else part


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


class Parts:
    """Optional parts of a task, in the order of the steps that ask for them."""

    name: str

    # 1 prepare: reading -----------------------------------------------------------------------------------------
    wants: str = "docs/data.md shows what it reads"  # what a folder must hold, told where it holds nothing of it
    reads: frozenset[str] = frozenset()  # fields of its Options, or of its readings' schema, that decide how a folder
    # is read: those settled come as `settings.asked`

    def particularity(self, reading: Any, settings: Any) -> int:
        """Of several tasks that can read a folder the highest is meant."""
        return 0

    @_left_out
    def pieces(self, raw: bytes, names: Sequence[str]) -> Mapping[str, bytes]:
        """Samples that lie in one file, by the names that `recognise` gave them."""
        raise NotImplementedError

    def samples_in(self, folder: Any, settings: Any) -> list[str]:
        """What of a folder is a sample to be answered."""
        return [entry.where for entry in folder.entries()]

    def holds_samples(self, name: str) -> bool:
        """Whether a file of this name holds several samples to be answered."""
        return False

    @_left_out
    def read_facts(self, raws: Iterable[bytes], options: Any) -> Mapping[str, Json]:
        """What planning asks of the bytes that are learnt from, and no look holds: byte pairs.

        options: as the user settled them.
        """
        raise NotImplementedError

    @_left_out
    def cleaned(self, raw: bytes) -> bytes:
        """What may be kept of a sample's bytes: names of patients may not. In a limited child."""
        raise NotImplementedError

    # 1 prepare: checking and labelling --------------------------------------------------------------------------
    widget: Path | None = None  # its own way to ask on the label page: a JavaScript module
    in_pixels: bool = False  # places in the picture matter, or its words: it is shown unshrunk
    legend: str = ""  # what the lines and colours of `draw` mean: told in the report

    @_left_out
    def gist(self, target: Json) -> str:
        """A target in a spelling that resized copies of a picture share."""
        raise NotImplementedError

    @_left_out
    def clash(self, one: Json, other: Json, is_one_file: bool) -> str | None:
        """How two targets of one picture contradict each other, in words, where targets differ by degrees; None where
        by no more than two people's would, or two copies' that are not the same bytes.
        """
        raise NotImplementedError

    @_left_out
    def of_classes(self, targets: Sequence[Json]) -> list[str]:
        """The class of every object, where a target holds several or none."""
        raise NotImplementedError

    def faults(self, view: Any) -> Iterable[Any]:
        """The base.nouns.Fault's that `check` finds of this kind of target in a prepare.view.View."""
        return ()

    @_left_out
    def doubted(self, view: Any) -> Iterable[Any]:
        """Likewise, what networks that never saw a target have against it: view.said."""
        raise NotImplementedError

    @_left_out
    def completed(self, target: Json, look: Any) -> Json:
        """An answer of the label page with what only the sample's Look knows."""
        raise NotImplementedError

    @_left_out
    def text(self, raw: bytes) -> str:
        """A sample as text, read in the place of its picture."""
        raise NotImplementedError

    @_left_out
    def sound(self, raw: bytes) -> bytes:
        """A sample as a WAV, played beside its picture on the label page."""
        raise NotImplementedError

    @property
    def writers(self) -> Mapping[str, Callable[[Sequence[Any]], dict[str, str]]]:
        """What `export --labels` calls: (where, target, (width, height), split) of each sample to files."""
        return {}

    def unwritten(self, format: str, rows: Sequence[Any]) -> list[str]:
        """What of these rows a writer's format has no place for, in words: "3 boxes that are to be ignored"."""
        return []

    # 2 design and 3 train ---------------------------------------------------------------------------------------
    starts_from: int = 4_000_000  # how many numbers `start` may be given: 1,024 pictures of 32 px, 85 of 128 px; 16 MB
    in_order: bool = False  # each answer along the inputs may hang on those before it alone

    @_left_out
    def start(self, model: Any, batch: Batch, targets: Any, options: Any) -> None:
        """Before the first step: filters from a batch of the training data, class shares from all encoded targets."""
        raise NotImplementedError

    def fit(self, model: Any, train: Batch, val: Batch, plan: Any) -> None:
        """In place, without gradients, from a split's rows as one batch; asked for where its Options say `at_once`."""
        raise PlanError(f"task '{self.name}' fits nothing at once", where="task", cure="give it a method `fit`")

    @_left_out
    def freeze(self, model: Any, frozen: bool) -> None:
        """Hold all but the head still, for the first `options.head_first` of the steps."""
        raise NotImplementedError

    @_left_out
    def teaches(self, targets: Sequence[Json], options: Any) -> np.ndarray:
        """[n] bool, which samples may be learnt from: all others are judged on only."""
        raise NotImplementedError

    def thinned(self, batch: Batch, options: Any) -> Batch:
        """Whole samples in the time of the parts that are learnt from."""
        return batch

    def completed_schema(self, schema: Schema, options: Any) -> Schema:
        """The schema with what a run's options add to it: its tokens."""
        return schema

    # 3 train: after the last step -------------------------------------------------------------------------------
    calibrates_from: int = 20  # validation rows from which `calibrate` has something to say: of fewer it is a guess

    @_left_out
    def calibrate(self, outputs: Any, targets: Any, options: Any) -> Json:
        """What `calibrated` needs, fitted on the outputs of the validation rows after training."""
        raise NotImplementedError

    def calibrated(self, model: nn.Module, calibration: Json) -> nn.Module:
        """The model with what `calibrate` found."""
        return model

    @_left_out
    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """Models of one plan as one model: what train.folds needs."""
        raise NotImplementedError

    @_left_out
    def closing(self, model: Any, line: str, schema: Schema, options: Any, seed: int) -> Iterator[str]:
        """Pieces of what a model says to a line typed at a terminal."""
        raise NotImplementedError

    # 4 evaluate -------------------------------------------------------------------------------------------------
    credited: str = ""  # what `credit` is, where it is not the headline

    def trials(self, targets: Sequence[Json], schema: Schema) -> Mapping[str, float]:
        """On how many samples a metric rests, where they are not all."""
        return {}

    @_left_out
    def same(self, one: Prediction, other: Prediction) -> float:
        """How far two predictions say the same, in [0, 1], where outputs are lists that cannot be compared number by
        number: for proofs.
        """
        raise NotImplementedError

    def sliced(self, looks: Sequence[Any], schema: Schema) -> Mapping[str, Sequence[object]]:
        """name -> [n] values to look for slices by, beside others."""
        return {}

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        """Fields of a report's evaluate.background.Background: confusion, classes one by one, calibration."""
        return {}

    def in_short(self, predictions: Sequence[Prediction], targets: Sequence[Json]) -> str:
        """One sentence, as whoever works with the answers sees them."""
        return ""

    def settled(self, calibration: Json, schema: Schema, options: Any) -> str:
        """One sentence on what `calibrate` decided on the validation rows. calibration: None of too few."""
        return ""

    @_left_out
    def floor(
        self, columns: dict[str, Any], targets: dict[str, Any], rows: Mapping[Any, np.ndarray], schema: Schema
    ) -> tuple[float, str]:
        """(the headline of what must be beaten, what that is). rows: by split."""
        raise NotImplementedError

    @_left_out
    def explained(self, evidence: Any) -> Iterable[Any]:
        """Passages of the report, from an evaluate.background.Evidence."""
        raise NotImplementedError

    def words(self, value: Json) -> str:
        """A target or a prediction's value as people read it in a report."""
        return str(value)

    # 5 deploy ---------------------------------------------------------------------------------------------------
    pipeline: str = ""  # the model hubs' word for the task, for the model card; "": its name

    def cautions(self, schema: Schema, options: Any) -> list[str]:
        """What the model must not be used for: for the model card."""
        return []

    def at_length(
        self, model: Any, batch: Batch, said: list[Prediction], schema: Schema, options: Any
    ) -> list[Prediction]:
        """Predictions at length, where that takes several passes."""
        return said

    @_left_out
    def as_file(self, value: Json, raw: bytes) -> tuple[str, bytes]:
        """(ending, bytes): an answer as a file for other tools, on the sample's own grid."""
        raise NotImplementedError

    def things_file(self, value: Json, schema: Schema) -> tuple[str, bytes] | None:
        """(ending, bytes) of a second file beside `as_file`'s, where things of one class are to be told apart."""
        return None

    @property
    def streams(self) -> Mapping[str, Callable[..., tuple[bytes, Iterator[Any]]]]:
        """Routes of its own on `serve`, in pieces: deploy/streams.py."""
        return {}

    @_left_out
    def live(self, rate_hz: float, channels: Sequence[str], options: Any) -> Live:
        """Cuts a live signal into samples."""
        raise NotImplementedError


# What its Options may say, looked up with getattr:
#   at_once: bool          whether `fit` makes the model
#   head_first: float      share of the steps in which `freeze` holds
#   backbone_lr: float     of all but the head, times train.lr
#   pretrained: str        weights to begin with
#   pictures: bool         whether reports show them
#   parts: int             a side of a sample is this many times that of what is learnt from
