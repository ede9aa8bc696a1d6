"""What a report tells beside its figures: pictures, curves, ledgers, passages. Plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from snowroll.base.listing import in_order
from snowroll.base.nouns import Batch, Json, Metric, Prediction
from snowroll.evaluate import plots
from snowroll.evaluate.calibration import Bin, Temperature
from snowroll.evaluate.compare import Verdict
from snowroll.evaluate.learning import LearningCurve
from snowroll.evaluate.metrics import IN_WORDS
from snowroll.evaluate.splits import BesideRandom, CrossValidated
from snowroll.evaluate.sweep import Sweep

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Shot:
    """A thumbnail of one sample with what it is and what the model said; worst mistakes first."""

    image: bytes  # PNG, JPEG or WebP, small: see report.thumbnail
    sample: str  # id
    truth: str
    guess: str
    probability: float | None = None
    where: str = ""  # file name; may name a person, so it is shown only where pictures are
    text: str = ""  # of a sample that is read: it stands in the place of the image
    cell: tuple[str, str] = ("", "")  # (truth, answer) as the confusion matrix calls them


@dataclass(frozen=True, slots=True)
class Curve:
    """One plot of the training log."""

    title: str
    series: Mapping[str, plots.Points]
    unit: str = ""
    log: bool = False
    over: str = "step"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where every sample that was read went."""

    read: int
    kept: Mapping[str, Mapping[str, int]]  # class -> split -> n
    left_out: Mapping[str, int] = field(default_factory=dict)  # reason -> n
    kind: str = "file"  # what a sample is
    shown: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # likewise, where a sample may show several

    @property
    def splits(self) -> list[str]:
        known = ["train", "val", "test"]
        present = {split for row in self.kept.values() for split in row}
        return [split for split in known if split in present] + sorted(present - set(known))

    def total(self, split: str) -> int:
        return sum(row.get(split, 0) for row in self.kept.values())


@dataclass(frozen=True, slots=True)
class Dots:
    """A picture of points, beside the line on which they would lie if all were right."""

    title: str
    points: plots.Points
    across: str  # what the axes are
    up: str
    ideal: str  # "diagonal": equal to what is across; "zero"


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of the report that only the task can write: a table, or lines as they stand."""

    title: str
    words: str = ""  # sentences over it
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str | float]] = ()  # of a table; numbers are set in three digits
    text: str = ""
    curves: Sequence[Curve] = ()  # drawn under the words
    dots: Sequence[Dots] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a task may look at to write its passages: the model, and the rows that it was judged on."""

    model: nn.Module
    gather: Callable[[Sequence[int]], Batch]  # places among the judged rows -> their batch, on the processor
    looks: Sequence[Any]  # [n] prepare.look.Look of each
    predictions: Sequence[Prediction]
    targets: Sequence[Json]
    schema: Mapping[str, Json]
    options: Any  # the task's


def details_in_order(details: Mapping[str, Json]) -> dict[str, Json]:
    """What a task tells of its answers, with classes as people list them: its own places are those of the schema."""
    names = list(details.get("classes", ()))
    order = [names.index(name) for name in in_order(names)]
    found = {**details}
    if "classes" in details:
        found["classes"] = [names[place] for place in order]
    if details.get("confusion"):
        found["confusion"] = [[details["confusion"][row][column] for column in order] for row in order]
    if details.get("per_class"):
        rows = {str(row["class"]): row for row in details["per_class"]}
        found["per_class"] = [rows[name] for name in in_order(rows)]
    return found


@dataclass(frozen=True, slots=True)
class Background:
    """What the report tells beside the Report: where it was measured, what was planned, what it looked like.

    A section whose part is empty is left out.
    """

    title: str  # "digits, run 0007"
    measured_on: str  # "360 images of the locked test set, which nothing was trained on"
    made: Mapping[str, str]  # date, code version, data version, machine, by whom
    in_short: str = ""  # sentences, as whoever works with the answers sees them
    credit: str = ""  # what two models are compared by, and slices, where that is not the headline
    floor: float | None = None  # the headline of what must be beaten
    floor_of: str = "a guess that never looks at the input"  # what that is
    words: Mapping[str, str] = field(default_factory=lambda: IN_WORDS)  # metric -> what it is, in words
    intervals: str = ""  # how the intervals were made: interval_in_words
    verdict: Verdict | None = None
    crossed: CrossValidated | None = None
    beside: BesideRandom | None = None
    learning: LearningCurve | None = None
    sweep: Sweep | None = None
    ledger: Ledger | None = None
    drawn: Sequence[str] = ()  # how the data was split, in sentences; shown beside the ledger
    curves: Sequence[Curve] = ()
    classes: Sequence[str] = ()
    confusion: Sequence[Sequence[int]] = ()  # [C][C], rows the truth
    per_class: Sequence[Mapping[str, Json]] = ()  # rows of metrics.per_class
    class_words: str = ""  # how their columns are reckoned
    recall: Mapping[str, Metric] = field(default_factory=dict)  # class -> share found with its interval
    likewise: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)  # other columns of per_class, by class
    bins: Sequence[Bin] = ()
    temperature: Temperature | None = None
    passages: Sequence[Passage] = ()
    at_thresholds: Sequence[Curve] = ()  # what becomes of the answers at other thresholds
    legend: str = ""  # what lines and colours in the pictures mean
    large: bool = False  # pictures in which places matter are shown large
    shots: Sequence[Shot] = ()
    pictured: str = ""  # what the shots of a task without classes are called: "windows"; "": they are not shown
    typical: Sequence[Shot] = ()  # from the best to the worst, evenly
    worst: bool = False  # whether they are shown where there are no classes to be taken for each other
    doubted: Sequence[Shot] = ()  # training samples that lost most, most lost first
    plan: Sequence[tuple[str, Json, str]] = ()  # key, value, where the value came from
    reproduce: Sequence[str] = ()  # commands
