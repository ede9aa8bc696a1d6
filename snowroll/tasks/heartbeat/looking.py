"""Recordings as people and checks look at them: traces on the grid that cardiologists read. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import SnowrollError
from snowroll.base.nouns import Json
from snowroll.prepare.look import THUMBNAIL_PX, Look
from snowroll.prepare.series import open_series
from snowroll.prepare.signals import Series, in_millivolts
from snowroll.tasks.heartbeat.beats import WORDS
from snowroll.tasks.heartbeat.options import KNOWN_LEADS

if TYPE_CHECKING:
    from PIL.Image import Image

VOLTS = ("nV", "uV", "mV", "V")
FLAT = 1e-6  # share of a signal's size below which its spread is none
CLIPPED = 0.05  # share of a lead's values that lie at its very ends, from which on it was cut there
_MM_PX = 4  # pixels of a millimetre of the paper
_MM_S, _MM_MV = 25, 10  # of paper, for a second and a millivolt
_SHOWN_S = 10.0  # of a long recording
_PAPER, _FINE, _COARSE = (255, 250, 248), (250, 226, 220), (240, 186, 178)
_INK, _MARK = (20, 20, 30), (30, 90, 200)


def look(raw: bytes, megapixels: float) -> Look:
    """See base.task.Task.look. own: rate, seconds, leads by name, what is flat, clipped or missing, beats before it."""
    if not raw:
        return Look(0, reason="the file is empty", cut_off=True)
    try:
        series = open_series(raw, megapixels * 1e6)
    except SnowrollError as fault:
        return Look(len(raw), reason=fault.what, too_large=fault.what.startswith("too large"))
    length, channels = series.signal.shape
    shown = thumbnail(series)
    grey = shown.astype(np.float32).mean(axis=2) / 255
    return Look(
        len(raw),
        "series",
        width=length,
        height=channels,
        mode=",".join(series.leads),
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        drawn=True,  # beats are alike
        own=_own(series),
        thumbnail=shown,
    )


def _own(series: Series) -> dict[str, float]:
    signal = series.signal
    told = np.isfinite(signal)
    filled = np.where(told, signal, 0.0)
    low, high = filled.min(axis=0), filled.max(axis=0)
    size = np.maximum(np.abs(low), np.abs(high))
    flat = (high - low) <= FLAT * np.maximum(size, 1e-12)
    ends = np.maximum((filled == low).mean(axis=0), (filled == high).mean(axis=0))
    names = {name.upper() for name in series.leads}
    units = {unit.lower().replace("µ", "u").replace("μ", "u") for unit in series.units}
    return {
        "rate_hz": series.rate_hz,
        "seconds": series.seconds,
        "flat": float(flat.sum()),
        "clipped": float((~flat & (ends > CLIPPED) & (len(signal) >= 200)).sum()),
        "missing": float(1 - told.mean()),
        "about_beat": float(series.beat_s is not None),
        "past_beats": 0.0 if series.beat_s is None else float((series.beats_s < series.beat_s - 1e-9).sum()),
        "bpm": float(60 / max(np.median(np.diff(series.beats_s)), 1e-3)) if len(series.beats_s) > 3 else 0.0,
        # a set of names as one number: facts see numbers only
        "leads": float(sum(1 << place for place, name in enumerate(KNOWN_LEADS) if name in names)),
        "units": float(sum(1 << place for place, unit in enumerate(VOLTS) if unit.lower() in units)),
        "nameless": float(not series.leads),
        "slower": float(len(series.slower)),  # channels that are brought to its rate
    }


def leads_of(mask: float) -> list[str]:
    """The known names in a Look's `leads`."""
    return [name for place, name in enumerate(KNOWN_LEADS) if int(mask) >> place & 1]


def thumbnail(series: Series) -> np.ndarray:
    """uint8 [32, 32, 3]: the first lead as a line, from its lowest value to its highest."""
    signal = np.nan_to_num(series.signal[:, 0])
    if series.beat_s is not None and series.rate_hz:  # the beat itself, and not its neighbours
        at = round(series.beat_s * series.rate_hz)
        signal = signal[max(0, at - round(0.4 * series.rate_hz)) : at + round(0.6 * series.rate_hz) + 1]
    return np.repeat(_line(signal, THUMBNAIL_PX, THUMBNAIL_PX)[..., None], 3, axis=2)


def _line(signal: np.ndarray, width: int, height: int) -> np.ndarray:
    """uint8 [height, width]: dark where the signal passes, column by column."""
    drawn = np.full((height, width), 255, np.uint8)
    if len(signal) < 2:
        return drawn
    low, high = float(signal.min()), float(signal.max())
    rows = (height - 1) - (signal - low) / max(high - low, 1e-12) * (height - 1)
    # each column holds its values and the last of the column before: the line does not break
    edges = np.linspace(0, len(rows) - 1, width + 1)
    for column in range(width):
        first, last = int(edges[column]), int(np.ceil(edges[column + 1])) + 1
        part = rows[first:last]
        drawn[round(float(part.min())) : round(float(part.max())) + 1, column] = 0
    return drawn


def drawn(raw: bytes, target: Json | None, prediction: Json | None) -> Image:
    """Every lead on paper of 25 mm/s and 10 mm/mV, the beat in question marked, the others ticked."""
    from math import inf

    series = in_millivolts(open_series(raw, inf))
    signal, start = _part(series)
    rate = series.rate_hz or max(1.0, len(signal) / _SHOWN_S)
    volts = [lead for lead, unit in enumerate(series.units[:12]) if unit.lower() in ("mv", "")]
    in_mv = bool(volts) and _is_millivolts(signal[:, volts])
    strips = [_strip(signal[:, lead], in_mv and lead in volts) for lead in range(min(signal.shape[1], 12))]
    width = max(160, round(len(signal) / rate * _MM_S * _MM_PX))
    heights = [strip[1] for strip in strips]
    image, pen = _paper(width, sum(heights) + 28)
    top = 24
    for lead, (zero, height, px) in enumerate(strips):
        xs = np.arange(len(signal)) / rate * _MM_S * _MM_PX
        ys = top + zero - np.nan_to_num(signal[:, lead]) * px
        pen.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=_INK, width=2)
        name = series.leads[lead] if lead < len(series.leads) else f"lead {lead + 1}"
        unit = series.units[lead]
        pen.text((4, top + 2), f"{name} ({unit})" if unit and lead not in volts else name, fill=_INK)
        top += height
    for beat in series.beats_s - start:
        pen.line([(beat * _MM_S * _MM_PX, 16), (beat * _MM_S * _MM_PX, 22)], fill=_INK)
    if series.beat_s is not None:
        at = (series.beat_s - start) * _MM_S * _MM_PX
        pen.line([(at, 14), (at, image.height)], fill=_MARK)
    pen.text((4, 2), _caption(series, target, prediction, in_mv, image.width), fill=_INK)
    return image


def _part(series: Series) -> tuple[np.ndarray, float]:
    """(what is shown of the signal, where it begins in seconds)."""
    if not series.rate_hz or series.seconds <= _SHOWN_S:
        step = max(1, len(series.signal) // 4_000) if not series.rate_hz else 1
        return series.signal[::step], 0.0
    middle = series.seconds / 2 if series.beat_s is None else series.beat_s
    start = min(max(0.0, middle - _SHOWN_S / 2), series.seconds - _SHOWN_S)
    first = round(start * series.rate_hz)
    return series.signal[first : first + round(_SHOWN_S * series.rate_hz)], first / series.rate_hz


def _is_millivolts(signal: np.ndarray) -> bool:
    spread = float(np.nanmax(signal) - np.nanmin(signal))
    return 0.2 < spread < 12


def _strip(signal: np.ndarray, in_mv: bool) -> tuple[float, int, float]:
    """(pixels from the top to zero, height, pixels of a unit) of one lead."""
    signal = np.nan_to_num(signal)
    low, high = float(signal.min()), float(signal.max())
    px = float(_MM_MV * _MM_PX) if in_mv else 30 * _MM_PX / max(high - low, 1e-12)
    height = max(12 * _MM_PX, round((high - low) * px) + 4 * _MM_PX)
    return high * px + 2 * _MM_PX, height, px


def _paper(width: int, height: int) -> tuple[Image, Any]:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(image)
    for mm in range(max(width, height) // _MM_PX + 1):
        colour = _COARSE if mm % 5 == 0 else _FINE
        pen.line([(mm * _MM_PX, 0), (mm * _MM_PX, height)], fill=colour)
        pen.line([(0, mm * _MM_PX), (width, mm * _MM_PX)], fill=colour)
    return image, pen


def _caption(series: Series, target: Json | None, prediction: Json | None, in_mv: bool, width: int) -> str:
    """Classes with what they mean, and the scale, as far as there is room."""
    scale = "25 mm/s" + (" 10 mm/mV" if in_mv else "") if series.rate_hz else "no rate told"
    said = [(kind, str(value)) for kind, value in (("label", target), ("said", prediction)) if value is not None]
    short = "   ".join(f"{kind} {value}" for kind, value in said)
    long = "   ".join(
        [*(f"{kind} {value} ({WORDS.get(value, '')})".removesuffix(" ()") for kind, value in said), scale]
    )
    return long if len(long) * 6.2 < width or not short else short


def shown(trace: Any) -> Image:
    """A tensor [2 C + 1, L] as the network sees it: its leads one under the other, grey where nothing is known."""
    from PIL import Image

    values = trace.detach().float().cpu().numpy()
    known = values[-1] > 0.5
    width = max(192, values.shape[1])
    columns = np.minimum(np.arange(width) * values.shape[1] // width, values.shape[1] - 1)
    strips = []
    for lead in values[: len(values) // 2]:
        strip = _line(lead, width, 64)
        strip[:, ~known[columns]] = 210
        strips += [strip, np.full((2, width), 160, np.uint8)]
    return Image.fromarray(np.repeat(np.concatenate(strips[:-1])[..., None], 3, axis=2))
