"""Recordings as checks, planning and people look at them: figures, spectrogram, waveform with its text. No torch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import SnowrollError
from snowroll.base.nouns import Json
from snowroll.prepare.audio import open_sound
from snowroll.prepare.look import THUMBNAIL_PX, Look
from snowroll.tasks.transcribe.listening import levels_db, speech_of

if TYPE_CHECKING:
    from PIL.Image import Image

SILENT_DB = -60.0  # of the loudest moment: a guess; 16 bits end at -96
CLIPPED = 0.001  # share of the values that lie at the largest one, from which on it was cut there
_CLIPS_TIMES = 5
_CLIPS_FROM = 0.5  # of full scale: what is fainter was not cut
_RANGE_DB = 60.0  # from the loudest to what is white in a spectrogram
_WIDE, _HIGH, _WAVE = 1200, 220, 80  # px of a drawing
_INK, _TRUTH, _SAID, _PAPER = (30, 30, 30), (0, 110, 60), (180, 50, 20), (255, 255, 255)


def look(raw: bytes, megapixels: float) -> Look:
    """See base.task.Task.look. own: seconds, rate, channels, levels in dB of full scale, the share that is speech."""
    if not raw:
        return Look(0, reason="the file is empty", cut_off=True)
    try:
        sound = open_sound(raw, megapixels * 1e6)
    except SnowrollError as fault:
        return Look(
            len(raw),
            reason=fault.what,
            cut_off=fault.what.startswith("cut off"),
            too_large=fault.what.startswith("too large"),
        )
    signal = sound.signal
    levels = levels_db(signal, sound.rate_hz)
    size = np.abs(signal)
    start, stop = speech_of(signal, sound.rate_hz)
    own = {
        "seconds": sound.seconds,
        "rate_hz": sound.rate_hz,
        "channels": float(sound.channels),
        "loudest_db": float(levels.max()),
        "quietest_db": float(np.percentile(levels, 10)),
        "clipped": clipped(size),
        "speech_s": (stop - start) / sound.rate_hz,
    }
    # of what is no picture the figures of pictures are all alike, so that no check of pictures speaks of it
    return Look(
        len(raw),
        format=sound.format,
        width=1,
        height=1,
        mode="sound",
        brightness=0.5,
        contrast=0.5,
        sharpness=1.0,
        drawn=True,  # words are alike
        own=own,
        thumbnail=thumbnail(signal, sound.rate_hz),
    )


def clipped(size: np.ndarray) -> float:
    """Share of the values that lie at the largest; 0 where it is faint, or comes but a few times."""
    at_top = int((size >= size.max() - 1e-4).sum())
    return at_top / len(size) if at_top >= _CLIPS_TIMES and size.max() > _CLIPS_FROM else 0.0


def spectrogram(signal: np.ndarray, rate_hz: float, columns: int, rows: int) -> np.ndarray:
    """float [rows, columns] in [0, 1], the lowest tones below: dB under the loudest, on the mel scale, up to 8 kHz."""
    size = max(64, 1 << (round(0.03 * rate_hz) - 1).bit_length())
    padded = np.pad(signal, (size // 2, size))
    starts = np.linspace(0, max(0, len(signal) - 1), columns).astype(int)
    frames = padded[starts[:, None] + np.arange(size)] * np.hanning(size)
    power = np.square(np.abs(np.fft.rfft(frames, axis=1)))
    top = 1127 * np.log1p(min(8_000.0, rate_hz / 2) / 700)
    edges = 700 * np.expm1(np.linspace(0, top, rows + 1) / 1127) / rate_hz * size
    bins = np.arange(power.shape[1])
    weights = np.stack(
        [np.clip(1 - np.abs(bins - (a + b) / 2) / max(1.0, b - a), 0, 1) for a, b in itertools.pairwise(edges)]
    )
    level = 10 * np.log10(power @ weights.T + 1e-12)
    return np.clip(1 + (level - level.max()) / _RANGE_DB, 0, 1).T[::-1]


def thumbnail(signal: np.ndarray, rate_hz: float) -> np.ndarray:
    """uint8 [32, 32, 3]"""
    dark = 255 - (255 * spectrogram(signal, rate_hz, THUMBNAIL_PX, THUMBNAIL_PX)).astype(np.uint8)
    return np.repeat(dark[..., None], 3, axis=2)


def drawn(raw: bytes, target: Json | None, prediction: Json | None) -> Image:
    """The waveform, under it the spectrogram with its seconds, under that what is said (green) and was told (red)."""
    from math import inf

    from PIL import Image, ImageDraw, ImageFont

    sound = open_sound(raw, inf)
    lines = [(f"{mark} {text}", ink) for mark, text, ink in _said(target, prediction)]
    wide = int(np.clip(240 * sound.seconds, 480, _WIDE))
    font = ImageFont.load_default(15)
    wrapped = [(line, ink) for text, ink in lines for line in _wrapped(text, font, wide - 16)]
    picture = Image.new("RGB", (wide, _WAVE + _HIGH + 22 + 22 * len(wrapped)), _PAPER)
    pen = ImageDraw.Draw(picture)
    _wave(pen, sound.signal, wide)
    dark = 255 - (255 * spectrogram(sound.signal, sound.rate_hz, wide, _HIGH)).astype(np.uint8)
    picture.paste(Image.fromarray(dark), (0, _WAVE))
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 600) if sound.seconds / s <= wide / 50 or s == 600)
    for mark in np.arange(0, sound.seconds + 1e-9, step).tolist():
        x = mark / sound.seconds * (wide - 1)
        pen.line([(x, _WAVE + _HIGH), (x, _WAVE + _HIGH + 5)], fill=_INK)
        pen.text((min(x + 3, wide - 34), _WAVE + _HIGH + 4), f"{mark:g} s", fill=_INK, font=ImageFont.load_default(11))
    for row, (line, ink) in enumerate(wrapped):
        pen.text((8, _WAVE + _HIGH + 20 + 22 * row), line, fill=ink, font=font)
    return picture


def _said(target: Json | None, prediction: Json | None) -> list[tuple[str, str, tuple[int, int, int]]]:
    told = [] if target is None else [(">", str(target) or "(nothing)", _TRUTH)]
    return told if prediction is None else [*told, ("?", str(prediction) or "(nothing)", _SAID)]


def _wrapped(text: str, font: Any, wide: int) -> list[str]:
    lines, line = [], ""
    for word in "".join(c if c.isprintable() else " " for c in text).split(" "):
        if line and font.getlength(f"{line} {word}") > wide:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line][:12]


def _wave(pen: Any, signal: np.ndarray, wide: int) -> None:
    edges = np.linspace(0, len(signal), wide + 1).astype(int)
    size = max(float(np.abs(signal).max()), 1e-4)
    for x in range(wide):
        part = signal[edges[x] : max(edges[x] + 1, edges[x + 1])]
        top, low = (_WAVE / 2 * (1 - 0.95 * float(v) / size) for v in (part.max(), part.min()))
        pen.line([(x, top), (x, low)], fill=_INK)


def shown(sounds: Any, row: int, options_rate: float | None = None) -> Image:
    """One row of Sounds as the network hears it: its spectrogram, white where a strip is hidden, grey past its end."""
    from PIL import Image

    signal = sounds.signal[row].detach().float().cpu().numpy()
    length = int(sounds.length[row])
    wide, high = 192, 96
    dark = 255 - (255 * spectrogram(signal[:length], options_rate or 16_000.0, wide, high)).astype(np.uint8)
    for from_time, to_time, from_pitch, to_pitch in sounds.hidden[row].tolist():
        rows = slice(high - round(min(1, to_pitch) * high), high - round(from_pitch * high))
        dark[rows, round(from_time * wide) : round(min(1, to_time) * wide)] = 255
    return Image.fromarray(np.repeat(dark[..., None], 3, axis=2))
