"""A window as a person wants to see it: the past, what followed, what was forecast, and the band. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Json
from snowroll.tasks.forecast.clocks import spelled
from snowroll.tasks.forecast.windows import Window

if TYPE_CHECKING:
    from PIL.Image import Image

WIDE, HIGH = 640, 320  # pixels of one target; twice that while it is drawn
MOST = 4  # targets that are drawn
_SEEN = 2  # horizons of the past that are drawn, if the model sees so many
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 16, 44, 40
_GROUND, _INK, _DIM, _GRID = (255, 255, 255), (21, 34, 49), (96, 116, 138), (226, 233, 240)
_PAST, _TRUTH, _SAID, _BAND, _FENCE = (77, 96, 116), (21, 34, 49), (0, 114, 178), (203, 226, 242), (240, 190, 150)
_ODD = (200, 60, 20)


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """What is drawn of one target, over steps counted from the first that is forecast; NaN breaks a line."""

    name: str
    past: np.ndarray
    follows: np.ndarray | None
    said: Mapping[str, np.ndarray]
    odd: np.ndarray | None = None
    came: float | None = None  # of a row that is judged
    is_alarm: bool = False


def drawn(window: Window, target: Json | None, prediction: Json | None, schema: Mapping[str, Json]) -> Image:
    """Up to four targets one under the other."""
    from PIL import Image as PIL

    every = lines_of(window, target, prediction, schema)
    strips = [_strip(one, window, place == len(every) - 1) for place, one in enumerate(every)]
    whole = PIL.new("RGB", (WIDE, sum(strip.height for strip in strips)), _GROUND)
    top = 0
    for strip in strips:
        whole.paste(strip, (0, top))
        top += strip.height
    return whole


def lines_of(window: Window, target: Json | None, prediction: Json | None, schema: Mapping[str, Json]) -> list[Lines]:
    names = [name for name in schema.get("targets", ()) if name in window.columns]
    places = [window.columns.index(name) for name in names] or list(range(len(window.columns)))
    names = names or list(window.columns)
    horizon = int(schema.get("horizon", 24))
    rows = max(16, _SEEN * horizon)
    follows = None if target is None else _array(target["follows"], len(names))
    said = prediction if isinstance(prediction, dict) and "follows" in prediction else {}
    judged = prediction if isinstance(prediction, dict) and "forecast" in prediction else None
    parts = {
        key: _array(said[key], len(names))
        for key in ("follows", "low", "high", "fence_low", "fence_high")
        if key in said
    }
    found = []
    for number, (name, place) in enumerate(list(zip(names, places, strict=True))[:MOST]):
        past = window.values[-rows:, place].astype(np.float64)
        told = {
            key: values[:, number]
            for key, values in parts.items()
            if values.shape[1] > number and (key in _OF_ONE or np.isfinite(values[:, number]).any())  # fences are set
        }
        came = None
        if judged is not None:
            past = past[:-1]
            told = {key: np.array([_one(judged[own], number)]) for key, own in _OF_ONE.items()}
            came = _one(judged["value"], number)
        truth = None if follows is None or follows.shape[1] <= number else follows[:, number]
        odd = None if target is None or not target.get("odd") else np.array(target["odd"]) == 1
        found.append(Lines(name, past, truth, told, odd, came, bool(judged and judged["alarm"])))
    return found


_OF_ONE = {"follows": "forecast", "low": "low", "high": "high"}


def _one(value: Json, number: int) -> float:
    told = value[number] if isinstance(value, list) else value
    return float("nan") if told is None else float(told)


def _array(told: Json, wide: int) -> np.ndarray:
    return np.array([[np.nan if v is None else v for v in row] for row in told], np.float64).reshape(len(told), -1)


def _strip(one: Lines, window: Window, is_last: bool) -> Image:
    from PIL import Image as PIL
    from PIL import ImageDraw, ImageFont

    scale = 2
    picture = PIL.new("RGB", (WIDE * scale, HIGH * scale), _GROUND)
    pen = ImageDraw.Draw(picture)
    fonts = {size: ImageFont.load_default(size * scale) for size in (18, 20)}
    ahead = max([len(values) for values in one.said.values()] + [len(one.follows) if one.follows is not None else 0, 1])
    low, high = _range(one)
    span = len(one.past) + ahead - 1

    def x(step: float) -> float:
        return scale * (_LEFT + (step + len(one.past)) / max(1, span) * (WIDE - _LEFT - _RIGHT))

    def y(value: float) -> float:
        return scale * (HIGH - _BOTTOM - (value - low) / (high - low) * (HIGH - _TOP - _BOTTOM))

    for tick in _ticks(low, high):
        pen.line([(x(-len(one.past)), y(tick)), (x(ahead - 1), y(tick))], _GRID, scale)
        text = f"{tick:,.6g}"
        pen.text((scale * (_LEFT - 10) - pen.textlength(text, fonts[18]), y(tick) - 11 * scale), text, _DIM, fonts[18])
    pen.line([(x(-0.5), scale * _TOP), (x(-0.5), scale * (HIGH - _BOTTOM))], _DIM, scale)
    steps = np.arange(ahead)
    if "low" in one.said:
        _band(pen, x, y, steps, one.said["low"], one.said["high"])
    for fence in ("fence_low", "fence_high"):
        if fence in one.said:
            _line(pen, x, y, steps, np.clip(one.said[fence], low, high), _FENCE, 2 * scale, low, high)
    _line(pen, x, y, np.arange(-len(one.past), 0), one.past, _PAST, 2 * scale)
    if one.follows is not None:
        joined = np.concatenate([one.past[-1:], one.follows])
        _line(pen, x, y, np.arange(-1, len(one.follows)), joined, _TRUTH, 3 * scale)
    if "follows" in one.said:
        _line(pen, x, y, steps[: len(one.said["follows"])], one.said["follows"], _SAID, 3 * scale)
    if one.odd is not None and one.follows is not None:
        for step in map(int, np.flatnonzero(one.odd[: len(one.follows)] & np.isfinite(one.follows[: len(one.odd)]))):
            _dot(pen, x(step), y(one.follows[step]), 4 * scale, _ODD)
    if one.came is not None and np.isfinite(one.came):
        _dot(pen, x(0), y(one.came), 7 * scale, _ODD if one.is_alarm else _TRUTH)
    _legend(pen, one, fonts[20], scale)
    _times(pen, one, window, ahead, x, fonts[18], scale)
    return picture.resize((WIDE, HIGH), PIL.Resampling.LANCZOS)


def _range(one: Lines) -> tuple[float, float]:
    """From the lowest to the highest that is drawn; fences no farther than as much again."""
    told = [one.past, *(one.said[key] for key in ("follows", "low", "high") if key in one.said)]
    told += [one.follows] if one.follows is not None else []
    told += [np.array([one.came])] if one.came is not None else []
    values = np.concatenate([np.asarray(part, np.float64).ravel() for part in told])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-9):
        low, high = low - 0.5 * max(1.0, abs(low)), high + 0.5 * max(1.0, abs(high))
    room = 0.08 * (high - low)
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    rough = (high - low) / 4
    power = 10.0 ** floor(log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough)
    first = np.ceil(low / step) * step
    return [float(round(value, 12)) + 0.0 for value in np.arange(first, high, step)]  # no -0


def _line(
    pen: Any, x: Any, y: Any, steps: np.ndarray, values: np.ndarray, ink: Any, width: int,
    low: float = -np.inf, high: float = np.inf,
) -> None:  # fmt: skip
    """Broken where nothing is known, or where it runs along the edge it was clipped to."""
    run: list[tuple[float, float]] = []
    for step, value in zip(steps.tolist(), values.tolist(), strict=False):
        if np.isfinite(value) and low < value < high:
            run.append((x(step), y(value)))
            continue
        _stroke(pen, run, ink, width)
        run = []
    _stroke(pen, run, ink, width)


def _stroke(pen: Any, run: Sequence[tuple[float, float]], ink: Any, width: int) -> None:
    if len(run) == 1:
        _dot(pen, *run[0], width, ink)
    elif run:
        pen.line(run, ink, width, joint="curve")


def _dot(pen: Any, x: float, y: float, radius: float, ink: Any) -> None:
    pen.ellipse([(x - radius, y - radius), (x + radius, y + radius)], ink)


def _band(pen: Any, x: Any, y: Any, steps: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    if len(low) == 1:
        pen.rectangle([(x(-0.5), y(float(high[0]))), (x(0.5), y(float(low[0])))], _BAND)
        return
    upper = [(x(step), y(value)) for step, value in zip(steps.tolist(), high.tolist(), strict=False)]
    lower = [(x(step), y(value)) for step, value in zip(steps.tolist(), low.tolist(), strict=False)]
    pen.polygon(upper + lower[::-1], _BAND)


def _legend(pen: Any, one: Lines, font: Any, scale: int) -> None:
    at = _LEFT * scale
    pen.text((at, 10 * scale), one.name if len(one.name) < 20 else one.name[:18] + "..", _INK, font)
    parts = [("past", _PAST, True), ("came", _TRUTH, one.follows is not None or one.came is not None),
             ("forecast", _SAID, "follows" in one.said), ("8 of 10", _BAND, "low" in one.said),
             ("alarm", _FENCE, "fence_low" in one.said)]  # fmt: skip
    at = (WIDE - _RIGHT) * scale
    for word, ink, is_there in reversed(parts):
        if is_there:
            at -= pen.textlength(word, font)
            pen.text((at, 10 * scale), word, _DIM, font)
            at -= 28 * scale
            pen.rectangle([(at, 19 * scale), (at + 22 * scale, 24 * scale)], ink)
            at -= 14 * scale


def _times(pen: Any, one: Lines, window: Window, ahead: int, x: Any, font: Any, scale: int) -> None:
    """The time at the left edge, at the first step that is forecast, and at the last."""
    first = window.after - int(window.judged)
    top = scale * (HIGH - _BOTTOM + 10)
    ends = []
    for step, way in ((-len(one.past), 0.0), (0, 0.5), (ahead - 1, 1.0)):
        if window.at is None or not window.step_s:
            text = f"row {first + step:,}"
        else:
            seconds = window.at + (step + 1 - int(window.judged)) * window.step_s
            text = _when(seconds, window.step_s) if window.dated else f"{seconds:,.6g} s"
        long = pen.textlength(text, font)
        left = min(max(x(step) - way * long, 4), scale * WIDE - long - 4)
        if not ends or (left > ends[-1] + 16 * scale):
            pen.text((left, top), text, _DIM, font)
            ends.append(left + long)


def _when(seconds: float, step_s: float) -> str:
    whole = spelled(seconds)
    if step_s >= 86_400:
        return whole[:10]
    return whole[:16].replace("T", " ") if step_s >= 60 else whole[:19].replace("T", " ")
