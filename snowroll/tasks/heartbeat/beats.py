"""Beats: what they are called, and how one is cut out of its record with what its patient's rhythm was. No torch.

A beat is told by its shape and by its time among the others: early beats are premature whatever they look like. So an
excerpt holds the signal around one beat, the times of the beats before it and of the one after, and what those before
looked like on the average.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare import wfdb
from snowroll.prepare.bundles import is_bundle, unbundled
from snowroll.prepare.series import as_npz, open_series
from snowroll.prepare.signals import Series

BEFORE_S, AFTER_S = 1.5, 1.5  # of signal around a beat in its excerpt: a slow heart's neighbours, for people
USUAL_BEFORE_S, USUAL_AFTER_S = 0.6, 0.8  # of the usual beat
PAST = 50  # beats before it that its rhythm is measured by
LATEST_S = 2.0  # that a monitor waits for the next beat
LONGEST_S = 3.0  # an interval above it is a pause or a gap in the annotations, and tells no more than this

# ANSI/AAMI EC57: five classes for the symbols of WFDB annotations (as de Chazal et al. 2004, table 1)
AAMI: Mapping[str, str] = {
    **dict.fromkeys("NLRejB", "N"),
    **dict.fromkeys("AaJSn", "S"),
    **dict.fromkeys("VEr", "V"),
    "F": "F",
    **dict.fromkeys("/fQ?", "Q"),
}
WORDS = {
    "N": "normal, bundle branch block or escape",
    "S": "supraventricular ectopic",
    "V": "ventricular ectopic",
    "F": "fusion of ventricular and normal",
    "Q": "paced, or not to be told",
}


def class_of(symbol: str, labels: Sequence[str]) -> str | None:
    """An annotation's class: AAMI's, unless `labels` names others; None where it is in none of `labels`.

    >>> class_of("L", ()), class_of("F", ("N", "S", "V")), class_of("L", ("N", "L", "R"))
    ('N', None, 'L')
    """
    if labels and not set(labels) <= set(AAMI.values()):
        return symbol if symbol in labels else None
    named = AAMI.get(symbol)
    return named if not labels or named in labels else None


def intervals_of(beats_s: np.ndarray, beat_s: float) -> np.ndarray:
    """float32 [PAST + 1] seconds: the intervals that end with the beat or earlier, the last of them its own, then the
    one after it; zeros where nobody knows.

    >>> intervals_of(np.array([0.0, 1.0, 1.5]), 1.0)[-3:].tolist()
    [0.0, 1.0, 0.5]
    """
    found = np.zeros(PAST + 1, np.float32)
    if not len(beats_s):
        return found
    at = int(np.argmin(np.abs(beats_s - beat_s)))
    before = np.diff(beats_s[max(0, at - PAST) : at + 1])
    if len(before):
        found[PAST - len(before) : PAST] = np.clip(before, 0, LONGEST_S)
    if at + 1 < len(beats_s):
        found[PAST] = min(float(beats_s[at + 1] - beats_s[at]), LATEST_S)
    return found


def span_of(frame: int, rate_hz: float) -> tuple[int, int]:
    """The frames that a usual beat is made from."""
    return frame - round(USUAL_BEFORE_S * rate_hz), frame + round(USUAL_AFTER_S * rate_hz) + 1


def levelled(window: np.ndarray) -> np.ndarray:
    """float32 [U, C] without its baseline."""
    filled = np.nan_to_num(window)
    return filled - filled.mean(axis=0, keepdims=True)


def usual_of(windows: Sequence[np.ndarray]) -> np.ndarray | None:
    """float32 [U, C]: their mean; None where there is none."""
    return np.mean(np.stack(windows), axis=0, dtype=np.float32) if windows else None


def pieces(raw: bytes, names: Sequence[str]) -> dict[str, bytes]:
    """The excerpts of the beats at these frames of a record; a beat beyond the record's end has none."""
    frames = sorted({int(name) for name in names})
    record = Record(raw)
    return {str(frame): as_npz(record.excerpt(frame)) for frame in frames if 0 <= frame < record.length}


class Record:
    """A record whose beats are known, or found. Of a long one only what is asked for is decoded."""

    def __init__(self, raw: bytes, most_values: float = 1e8) -> None:
        whole = None if is_wfdb(raw) else open_series(raw, most_values)
        self._part: Callable[[int, int], np.ndarray]
        if whole is not None:
            self.rate_hz, self.leads, self.unit, self.length = whole.rate_hz, whole.leads, whole.unit, len(whole.signal)
            self._part = lambda start, stop: whole.signal[start:stop]
            beats_s, self.symbols = whole.beats_s, whole.symbols
        else:
            files = unbundled(raw)
            header = wfdb.read_header(files[0])
            told = wfdb.read(files, most_values, 0, 0)
            self.rate_hz, self.leads, self.unit = told.rate_hz, told.leads, told.unit
            self.length = wfdb.length_of(header, files)
            self._part = lambda start, stop: wfdb.read(files, most_values, start, stop).signal
            beats_s, self.symbols = told.beats_s, told.symbols
        if not self.rate_hz:
            raise DataError("beats without a sampling rate", cure="say `rate_hz` in the .npz, or a time column")
        self.frames = np.rint(beats_s * self.rate_hz).astype(np.int64)
        self._held: tuple[int, np.ndarray] = (0, np.zeros((0, 1), np.float32))
        self._windows: dict[int, np.ndarray | None] = {}  # around beats by their numbers

    def find_beats(self) -> None:
        """Where nobody annotated any."""
        from snowroll.tasks.heartbeat.rhythm import find_beats

        self.frames = find_beats(self._part(0, self.length), self.rate_hz)

    def excerpt(self, frame: int) -> Series:
        """The beat at this frame. beats_s: those that tell of its rhythm, in seconds of the excerpt."""
        if not len(self.frames):
            self.find_beats()
        start = max(0, frame - round(BEFORE_S * self.rate_hz))
        stop = min(self.length, frame + round(AFTER_S * self.rate_hz) + 1)
        at = int(np.searchsorted(self.frames, frame))
        near = self.frames[max(0, at - PAST) : at + 2]
        return Series(
            self._signal(start, stop),
            self.rate_hz,
            self.leads,
            self.unit,
            (frame - start) / self.rate_hz,
            (near - start) / self.rate_hz,
            usual=self._usual(at),
        )

    def _usual(self, at: int) -> np.ndarray | None:
        """The mean of the beats before the one of this number."""
        numbers = range(max(0, at - PAST), at)
        self._windows = {number: found for number, found in self._windows.items() if number in numbers}
        for number in numbers:
            if number not in self._windows:
                self._windows[number] = self._window(int(self.frames[number]))
        return usual_of([window for number in numbers if (window := self._windows[number]) is not None])

    def _window(self, frame: int) -> np.ndarray | None:
        start, stop = span_of(frame, self.rate_hz)
        return levelled(self._signal(start, stop)) if start >= 0 and stop <= self.length else None

    def _signal(self, start: int, stop: int) -> np.ndarray:
        """Decoded two minutes at a time."""
        first, held = self._held
        if start < first or stop > first + len(held):
            begin = max(0, start - round(60 * self.rate_hz))
            ahead = max(stop, min(self.length, start + round(60 * self.rate_hz)))
            self._held = first, held = begin, self._part(begin, ahead)
        return held[start - first : stop - first]


def is_wfdb(raw: bytes) -> bool:
    """Whether it is a record's files in a bundle, not an .npz."""
    return is_bundle(raw) and b".npy" not in raw[:400]
