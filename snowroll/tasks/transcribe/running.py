"""Speech as it runs on: a live signal cut at its pauses, and a long recording told piece by piece. No torch."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError, did_you_mean
from snowroll.base.nouns import Json, Prediction
from snowroll.prepare.audio import FASTEST_HZ, SLOWEST_HZ, as_wav, open_sound, resampled
from snowroll.tasks.transcribe.answers import read
from snowroll.tasks.transcribe.listening import SHORTEST_S, heard, levels_db
from snowroll.tasks.transcribe.options import SpeechOptions, TranscribeOptions

if TYPE_CHECKING:
    from snowroll.deploy.session import Loaded

Schema = Mapping[str, Json]

STEP_S = 0.01
PAUSE_S = 0.5  # of quiet ends what was said. A guess: speakers breathe in 0.3 to 0.6 s
BEFORE_S = 0.15  # of what came before the first loud moment: soft consonants
LONGEST_S = 10.0  # of one stretch: who never pauses is cut there, or earlier where the model hears less at once
_ABOVE_DB = 12.0  # over the quietest moments so far: speech
_FLOOR_DB = -65.0  # of full scale, the quietest that a microphone is taken to be
_RISES_DB = 0.02  # a step, of what is taken to be quiet: a fan that starts is forgotten in some ten seconds

EVERY_S = 0.5  # of sound, between two partial texts
_SEARCH_S = 2.0  # before the end of what is heard at once, in which the quietest moment is looked for
MOST_S = 600.0
MOST_VALUES = 6e7


class Utterances:
    """base.task.Live: the stretches of speech, each as a WAV, known PAUSE_S after their end.

    Levels are taken in steps of STEP_S counted from the beginning, so that portions cannot matter. A pause inside a
    stretch is shorter than PAUSE_S; what is kept of the past is BEFORE_S. A stretch of more than the model hears at
    once is cut at a quiet moment, as a recording is; of a model that hears the loudest part of it, at LONGEST_S.
    """

    def __init__(self, rate_hz: float, options: SpeechOptions) -> None:
        if not SLOWEST_HZ <= rate_hz <= FASTEST_HZ:
            raise DataError(
                f"{rate_hz:g} Hz is no rate of sound", cure=f"send {SLOWEST_HZ:,} to {FASTEST_HZ:,} a second"
            )
        self.rate_hz = rate_hz
        self._step = max(1, round(STEP_S * rate_hz))
        at_once_s = LONGEST_S if options.cut else min(LONGEST_S, (options.length - 1) / options.rate_hz)
        self._longest = max(self._step, int(at_once_s * round(rate_hz)))  # a value less, for resampling rounds up
        self._kept = np.zeros(0, np.float32)  # from value `_first` on
        self._first, self._done = 0, 0
        self._start, self._loud = -1, -1  # of the stretch that is being said; the end of its last loud step
        self._quiet_db = 0.0

    def feed(self, signal: np.ndarray) -> list[tuple[int, bytes]]:
        """signal: float [n, channels], full scale 1; channels are mixed."""
        mixed = np.nan_to_num(np.asarray(signal, np.float32)).mean(axis=1)
        self._kept = np.concatenate([self._kept, mixed])
        found = []
        while self._done + self._step <= self._first + len(self._kept):
            at = self._done - self._first
            level = float(levels_db(self._kept[at : at + self._step], self.rate_hz)[0])
            self._done += self._step
            found += self._told(level)
        keep = self._done - round(BEFORE_S * self.rate_hz)
        drop = max(0, (keep if self._start < 0 else min(keep, self._start)) - self._first)
        self._kept, self._first = self._kept[drop:], self._first + drop
        return found

    def close(self) -> list[tuple[int, bytes]]:
        return self._cut(self._stop) if self._start >= 0 else []

    def _told(self, level_db: float) -> list[tuple[int, bytes]]:
        level_db = max(level_db, _FLOOR_DB)
        self._quiet_db = min(level_db, self._quiet_db + _RISES_DB)
        if level_db > self._quiet_db + _ABOVE_DB:
            if self._start < 0:
                self._start = max(0, self._done - self._step - round(BEFORE_S * self.rate_hz))
            self._loud = self._done
        found = []
        while 0 <= self._start < self._done - self._longest:
            part = self._kept[self._start - self._first : self._done - self._first]
            goes_on = self._start + parts_of(part, self._longest, self.rate_hz)[0][1]
            found += self._cut(goes_on)
            self._start = goes_on
        is_over = self._start >= 0 and self._done - self._loud >= PAUSE_S * self.rate_hz
        return [*found, *self._cut(self._stop)] if is_over else found

    @property
    def _stop(self) -> int:
        """Where the stretch ends, if its last loud moment is behind it."""
        return min(self._done, self._loud + round(BEFORE_S * self.rate_hz))

    def _cut(self, stop: int) -> list[tuple[int, bytes]]:
        start, self._start = self._start, -1
        part = self._kept[start - self._first : stop - self._first]
        is_speech = self._loud > start and len(part) >= SHORTEST_S * self.rate_hz
        return [(start, as_wav(part, round(self.rate_hz)))] if is_speech else []


def transcribe(model: Loaded, asked: Json, schema: Schema, options: TranscribeOptions) -> tuple[bytes, Iterator[Any]]:
    """POST /v1/transcribe: {"audio": a file in base64}. Pieces are {"until_s", "text"}, what is understood so far; at
    last a Prediction of all of it. What a model hears at once it hears again with every piece: the last answer is that
    of the whole, and the text before it may still change. A longer recording is cut at quiet moments.

    Raises DataError for what cannot be answered.
    """
    for name in asked:
        if name != "audio":
            raise DataError(f"unknown key '{str(name)[:40]}'", where="body", cure=did_you_mean(str(name), ["audio"]))
    try:
        raw = base64.b64decode(asked["audio"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise DataError("there is no sound to listen to", where="audio", cure='send {"audio": BASE64}') from None
    sound = open_sound(raw, MOST_VALUES)
    if sound.seconds > MOST_S:
        raise DataError(f"{sound.seconds:,.0f} s, and {MOST_S:,.0f} are the most", where="audio", cure="send parts")
    if sound.seconds <= options.seconds:
        whole = heard(raw, options, MOST_VALUES / 1e6)
    else:
        whole = resampled(sound.signal, sound.rate_hz, options.rate_hz)
    return raw, _pieces(model, np.clip(whole, -1, 1).astype(np.float32), schema, options)


def _pieces(model: Loaded, whole: np.ndarray, schema: Schema, options: TranscribeOptions) -> Iterator[Any]:
    between = " " if " " in str(schema["characters"]) else ""
    done: list[Prediction] = []
    step = round(EVERY_S * options.rate_hz)
    for start, stop in parts_of(whole, options.length, options.rate_hz):
        before = between.join(said.value for said in done if said.value)
        for until in range(start + step, stop, step):
            said = _said(model, whole[start:until], schema, options)
            text = between.join(part for part in (before, said.value) if part)
            yield {"until_s": round(until / options.rate_hz, 3), "text": text}
        done.append(_said(model, whole[start:stop], schema, options))
    text = between.join(said.value for said in done if said.value)
    share = float(np.prod([said.probability or 0.0 for said in done]))
    yield replace(done[0], value=text, probability=share, doubt=max(said.doubt for said in done), scores=None)


def _said(model: Loaded, signal: np.ndarray, schema: Schema, options: TranscribeOptions) -> Prediction:
    return read(model.run(model.prepared([signal])), schema, options)[0]


def parts_of(signal: np.ndarray, longest: int, rate_hz: float) -> list[tuple[int, int]]:
    """(first, last + 1) values of parts of no more than `longest`, cut at the quietest moment near their end."""
    parts, start = [], 0
    while len(signal) - start > longest:
        latest = start + longest
        earliest = max(start + longest // 2, latest - round(_SEARCH_S * rate_hz))
        step = max(1, round(STEP_S * rate_hz))
        quietest = int(np.argmin(levels_db(signal[earliest:latest], rate_hz)))
        stop = min(latest, earliest + quietest * step + step // 2)
        parts.append((start, stop))
        start = stop
    return [*parts, (start, len(signal))]
