"""One HTML file that tells what a run found, to somebody who was not there and may have no network.

Self-contained: style, plots and thumbnails are inside, there is no script, and its own content policy forbids every
request. The verdict comes first, in plain words, with its interval, n, and what it was measured on.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json, Metric, Report
from snowroll.evaluate import plots
from snowroll.evaluate.background import Background, Shot
from snowroll.evaluate.compare import signed_points
from snowroll.evaluate.opening import figure, label, opening

if TYPE_CHECKING:
    from jinja2 import Environment
    from PIL.Image import Image

BUDGET = 2 * 1024 * 1024  # bytes of the whole file; mail gateways and phones take that
_KINDS = {b"\x89PNG\r\n": "png", b"\xff\xd8\xff": "jpeg", b"RIFF": "webp"}


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
    words = page.render(story, shots=[], shots_left_out=0, matrix="", linked=False, doubted=[], typical=[])
    room = budget - len(words.encode()) - 100_000
    typical, room = _fit(background.typical if pictures else (), room)
    shots, room = _fit(background.shots if pictures else (), room)
    doubted, _ = _fit(background.doubted if pictures else (), room)
    left_out, shots = len(background.shots) - len(shots), _side_by_side(shots)
    matrix = _matrix(background, shots)
    story |= {"shots": shots, "shots_left_out": left_out, "doubted": doubted, "typical": typical}
    return page.render(story, matrix=matrix, linked="<a " in matrix)


def tight(words: str) -> str:
    """No line ends between a number and its sign, nor within "n = 12".

    >>> tight("36.9 % (n = 65)").split(" ")
    ['36.9\\xa0%', '(n\\xa0=\\xa065)']
    """
    return re.sub(r"(?<=\d) (?=%)|(?<=\bn) (?==)|(?<=\bn =) (?=\d)", "\u00a0", words)


def breakable(where: str) -> Markup:
    """A path that goes on in the next line after a slash, and not within a name if it can be helped."""
    return Markup("/<wbr>").join(where.split("/"))


def numeric(rows: Sequence[Sequence[str | float]]) -> list[bool]:
    """Which columns hold figures, so that they stand at the right, under one another.

    >>> numeric([["a", 1, "+0.2 to 0.3", "three men"], ["b", 2.5, "–", "–"]])
    [False, True, True, False]
    """
    return [
        all(not isinstance(cell, str) or (len(cell) <= 30 and _FIGURE.match(cell)) for cell in column)
        for column in zip(*rows, strict=True)
    ]


_FIGURE = re.compile(r"[-+−–<>≤≥~ ]*(\d|\.\d|$)")  # how a cell begins that holds a figure, or a dash for none


def place(where: str) -> str:
    """Where a sample lies, as people read it.

    >>> place("train/cat/1.jpg"), place("blob:c96fec7d3c35afab")
    ('train/cat/1.jpg', 'production, c96fec7d')
    """
    return f"production, {where[5:13]}" if where.startswith("blob:") else where


def places(words: str) -> str:
    """A sentence in which samples of production are called as people read it.

    >>> places(f"5 wrong: blob:{'c96fec7d' * 8} (wrong with probability 0.9)")
    '5 wrong: production, c96fec7d (wrong with probability 0.9)'
    """
    return re.sub(r"blob:[0-9a-f]{64}", lambda found: place(found[0]), words)


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
    anchors = {one.shot.cell: f"#{one.anchor}" for one in shots if one.anchor}
    return plots.matrix(
        background.confusion, classes, lambda truth, guess: anchors.get((classes[truth], classes[guess]))
    )


def _zoom_start(shares: Iterable[Metric | Mapping[str, Json]]) -> float:
    """Where the bars of a table start, in tenths: all of them fit, and differences can be seen."""
    lows = [one.low if isinstance(one, Metric) else one["low"] for one in shares]
    return max(0.0, math.floor(10 * min(lows, default=0.0)) / 10) if all(low < 1 for low in lows) else 0.0


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
    made.filters["places"] = places
    made.filters["tight"] = tight
    made.filters["breakable"] = breakable
    made.globals["numeric"] = numeric
    made.globals["interval_bar"] = plots.interval_bar
    made.filters["dots"] = lambda one: plots.dots(one.title, one.points, one.across, one.up, one.ideal)
    made.globals["Metric"] = Metric
    return made
