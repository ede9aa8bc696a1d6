"""One HTML file that tells what a run found, to somebody who was not there and may have no network.

Self-contained: style, plots and thumbnails are inside, there is no script, and its own content policy forbids every
request. The verdict comes first, in plain words, with its interval, n, and what it was measured on.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Json, Metric, Prediction, Report
from snowroll.evaluate import plots
from snowroll.evaluate.calibration import Bin, Temperature
from snowroll.evaluate.compare import Verdict, signed_points
from snowroll.evaluate.learning import LearningCurve
from snowroll.evaluate.metrics import IN_WORDS, LABELS
from snowroll.evaluate.splits import BesideRandom, CrossValidated
from snowroll.evaluate.sweep import Sweep

if TYPE_CHECKING:
    from jinja2 import Environment
    from PIL.Image import Image
    from torch import nn

BUDGET = 2 * 1024 * 1024  # bytes of the whole file; mail gateways and phones take that
PLAIN = frozenset(
    {"nll", "brier", "HD95 px", "skill", "mase", "rmsse", "smape", "r2", "mae", "rmse", "median_ae", "width"}
)  # metrics that are no share of anything, so no per cent
_KINDS = {b"\x89PNG\r\n": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}


@dataclass(frozen=True, slots=True)
class Shot:
    """A thumbnail of one sample with what it is and what the model said; worst mistakes first."""

    image: bytes  # PNG, JPEG or WebP, small: see `thumbnail`
    sample: str  # id
    truth: str
    guess: str
    probability: float | None = None
    where: str = ""  # file name; may name a person, so it is shown only where pictures are
    text: str = ""  # of a sample that is read: it stands in the place of the image


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


@dataclass(frozen=True, slots=True)
class Background:
    """What the report tells beside the Report: where it was measured, what was planned, what it looked like.

    A section whose part is empty is left out.
    """

    title: str  # "digits, run 0007"
    measured_on: str  # "360 images of the locked test set, which nothing was trained on"
    made: Mapping[str, str]  # date, code version, data version, machine, by whom
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
    recall: Mapping[str, Metric] = field(default_factory=dict)  # class -> share found with its interval
    bins: Sequence[Bin] = ()
    temperature: Temperature | None = None
    passages: Sequence[Passage] = ()
    at_thresholds: Sequence[Curve] = ()  # what becomes of the answers at other thresholds
    large: bool = False  # pictures in which places matter are shown large
    shots: Sequence[Shot] = ()
    pictured: str = ""  # what the shots of a task without classes are called: "windows"; "": they are not shown
    typical: Sequence[Shot] = ()  # from the best to the worst, evenly
    worst: bool = False  # whether they are shown where there are no classes to be taken for each other
    doubted: Sequence[Shot] = ()  # training samples that lost most, most lost first
    plan: Sequence[tuple[str, Json, str]] = ()  # key, value, where the value came from
    reproduce: Sequence[str] = ()  # commands


def render(report: Report, background: Background, *, pictures: bool = True, budget: int = BUDGET) -> str:
    """The whole report as one HTML page. pictures=False: no picture and no file name, for patient data."""
    page = _environment().get_template("report.html.j2")
    story = {
        "report": report,
        "b": background,
        "pictures": pictures,
        "opening": opening(report, background),
        "style": Markup((Path(__file__).parent.parent / "base" / "style.css").read_text(encoding="utf-8")),
        "plotted": [
            [plots.curve(c.title, c.series, c.unit, c.log, c.over) for c in p.curves] for p in background.passages
        ],
        "at_thresholds": [plots.curve(one.title, one.series, over=one.over) for one in background.at_thresholds],
        "curves": [plots.curve(one.title, one.series, one.unit, one.log) for one in background.curves],
        "reliability": plots.reliability_diagram(background.bins) if background.bins else "",
        "confused": confused_pairs(background.confusion, background.classes),
    }
    # pictures get what room is left beside the words
    words = page.render(story, shots=[], shots_left_out=0, matrix="", doubted=[], typical=[])
    room = budget - len(words.encode()) - 100_000
    typical, room = _fit(background.typical if pictures else (), room)
    shots, room = _fit(background.shots if pictures else (), room)
    doubted, _ = _fit(background.doubted if pictures else (), room)
    left_out, shots = len(background.shots) - len(shots), _side_by_side(shots)
    matrix = _matrix(background, shots)
    return page.render(story, shots=shots, shots_left_out=left_out, matrix=matrix, doubted=doubted, typical=typical)


@dataclass(frozen=True, slots=True)
class Opening:
    """The first thing one reads."""

    word: str  # on the pill
    mood: str  # good, bad, ember or ""
    sentence: str
    detail: str = ""


def opening(report: Report, background: Background) -> Opening:
    """The verdict in plain words. A failed gate outweighs every number."""
    metric, name = report.metric, label(report.headline)
    measured = (
        f"{name} is {figure(report.headline, metric.value)} (95 % interval {figure(report.headline, metric.low)} to "
        f"{figure(report.headline, metric.high)}, n = {metric.n:,}), measured on {background.measured_on}."
    )
    failed = [gate.name for gate in report.gates if not gate.passed]
    if failed:
        what = f"{_list(failed)} failed, so no number here can be relied on"
        return Opening("GATE FAILED", "bad", f"Do not use this model: {what}. For the record, {measured}")
    if background.verdict:
        return _promotion(background.verdict, background.credit or name, measured, background.measured_on)
    sentence = measured if name[1:2].isupper() else measured[0].upper() + measured[1:]  # mAP50 is no Map50
    if background.floor is not None:
        floor = figure(report.headline, background.floor)
        if metric.low <= background.floor:
            alas = f"It cannot be told from {background.floor_of} ({floor})."
            than = re.split(r" that | \(", background.floor_of)[0].upper()
            return Opening(f"NO BETTER THAN {than}", "bad", f"{sentence} {alas}")
        sentence += f" {background.floor_of[0].upper()}{background.floor_of[1:]} would make {floor}."
    return Opening("MEASURED", "", sentence)


_OUTCOMES = {
    "PROMOTED": ("good", "The new model replaces the old one"),
    "REFUSED": ("bad", "The old model stays, the new one is refused"),
    "CANNOT TELL YET": ("ember", "The old model stays for now; these samples cannot tell which is better"),
}


def _promotion(verdict: Verdict, name: str, measured: str, measured_on: str) -> Opening:
    mood, outcome = _OUTCOMES[verdict.outcome]
    found = verdict.difference
    change, low, high = (signed_points(share) for share in (found.value, found.low, found.high))
    sentence = (
        f"{outcome}: {change} points of {name} (95 % interval {low} to {high}, n = {found.n:,}), "
        f"measured on {measured_on}."
    )
    # what both were measured on has just been said
    own = measured.removesuffix(f", measured on {measured_on}.")
    return Opening(verdict.outcome, mood, sentence, f"Why: {verdict.reason} The new model's {own}.")


def label(name: str) -> str:
    """A metric's name as people say it."""
    return LABELS.get(name, name.replace("_", " "))


def figure(name: str, value: float) -> str:
    """A metric's value as people read it.

    >>> figure("accuracy", 0.9639), figure("nll", 0.1234), figure("mae", 12345.678), figure("mae", 0.000123)
    ('96.4 %', '0.123', '12,346', '0.000123')
    """
    if name not in PLAIN and 0 <= value <= 1:
        return f"{100 * value:.1f} %"
    if abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) >= 0.01 or not value else f"{value:.3g}"


def place(where: str) -> str:
    """Where a sample lies, as people read it.

    >>> place("train/cat/1.jpg"), place("blob:c96fec7d3c35afab")
    ('train/cat/1.jpg', 'production, c96fec7d')
    """
    return f"production, {where[5:13]}" if where.startswith("blob:") else where


def thumbnail(image: Image, longest_px: int = 160) -> bytes:
    """A picture small enough to mail, as WebP; tiny ones are enlarged without smoothing, so that pixels show."""
    from PIL import Image as pil

    scale = longest_px / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    way = pil.Resampling.NEAREST if scale > 2 else pil.Resampling.LANCZOS
    out = BytesIO()
    image.convert("RGB").resize(size, way).save(out, "WEBP", quality=80, method=4)
    return out.getvalue()


def confused_pairs(
    table: Sequence[Sequence[int]], classes: Sequence[str], most: int = 12
) -> list[tuple[str, str, int, int]]:
    """(truth, answer, times, n of that truth), commonest confusion first."""
    pairs = [
        (classes[truth], classes[guess], count, sum(row))
        for truth, row in enumerate(table)
        for guess, count in enumerate(row)
        if truth != guess and count
    ]
    return sorted(pairs, key=lambda pair: -pair[2])[:most]


@dataclass(frozen=True, slots=True)
class Placed:
    """A shot as the page shows it."""

    shot: Shot
    source: str  # data URI
    anchor: str = ""  # id of the first shot of its (truth, guess), else ""


def _fit(shots: Sequence[Shot], room: int) -> tuple[list[Placed], int]:
    """As many of the first as there is room for, and the bytes that are left."""
    placed: list[Placed] = []
    for shot in shots:
        source = "" if shot.text else _data_uri(shot.image)
        size = len(source) + 4 * len(shot.text) + 400
        if room < size:
            break
        room -= size
        placed.append(Placed(shot, source))
    return placed, room


def _side_by_side(shots: Sequence[Placed]) -> list[Placed]:
    """Those of one confusion together, the first of each with an anchor."""
    together: dict[tuple[str, str], list[Placed]] = {}
    for one in shots:
        together.setdefault((one.shot.truth, one.shot.guess), []).append(one)
    return [
        replace(one, anchor=f"shots-{number}") if place == 0 else one
        for number, same in enumerate(together.values())
        for place, one in enumerate(same)
    ]


def _data_uri(image: bytes) -> str:
    for magic, kind in _KINDS.items():
        if image.startswith(magic):
            return f"data:image/{kind};base64,{base64.b64encode(image).decode()}"
    raise DataError("a thumbnail must be PNG, JPEG or WebP", cure="make it with evaluate.report.thumbnail")


def _matrix(background: Background, shots: Sequence[Placed]) -> Markup | str:
    classes = background.classes
    if not background.confusion or len(classes) > plots.MOST_CLASSES:
        return ""
    anchors = {(one.shot.truth, one.shot.guess): f"#{one.anchor}" for one in shots if one.anchor}
    return plots.matrix(
        background.confusion, classes, lambda truth, guess: anchors.get((classes[truth], classes[guess]))
    )


def _zoom_start(shares: Iterable[Metric | Mapping[str, Json]]) -> float:
    """Where the bars of a table start, in tenths: all of them fit, and differences can be seen."""
    lows = [one.low if isinstance(one, Metric) else one["low"] for one in shares]
    return max(0.0, math.floor(10 * min(lows, default=0.0)) / 10) if all(low < 1 for low in lows) else 0.0


def _list(names: Sequence[str]) -> str:
    quoted = [f"gate '{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _environment() -> Environment:
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # class and file names are written by strangers
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["figure"] = lambda value, name: figure(name, value)
    made.globals["zoom_start"] = _zoom_start
    made.filters["signed_points"] = signed_points
    made.filters["label"] = label
    made.filters["place"] = place
    made.globals["interval_bar"] = plots.interval_bar
    made.filters["dots"] = lambda one: plots.dots(one.title, one.points, one.across, one.up, one.ideal)
    made.globals["Metric"] = Metric
    return made
