"""Beats: what they are called, and how one is cut out of its record with what its patient's rhythm was. No torch.

A beat is told by its shape and by its time among the others: early beats are premature whatever they look like. So an
excerpt holds the signal around one beat, the times of the beats before it and of the one after, and what those before
looked like on the average.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare import edf, wfdb
from snowroll.prepare.bundles import as_bundle, is_bundle, unbundled
from snowroll.prepare.series import as_bytes, open_series
from snowroll.prepare.signals import Series
from snowroll.tasks.heartbeat.window_files import is_name, windows

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


def class_of(symbol: str, labels: Sequence[str] = (), ignore: Sequence[str] = ()) -> str | None:
    """An annotation's class: AAMI's, unless `labels` names others; None where it is in none of `labels`, or ignored.

    >>> class_of("L"), class_of("F", ("N", "S", "V")), class_of("L", ("N", "L", "R")), class_of("F", ignore=("F", "Q"))
    ('N', None, 'L', None)
    """
    if labels and not set(labels) <= set(AAMI.values()):
        return symbol if symbol in labels else None
    named = AAMI.get(symbol)
    return named if (not labels or named in labels) and named not in ignore else None


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


class Cutter:
    """Excerpts of a signal of which it may ask any part around a beat: a file's, or what came in so far."""

    def __init__(
        self, rate_hz: float, leads: Sequence[str], unit: str, signal: Callable[[int, int], np.ndarray]
    ) -> None:
        self.rate_hz, self._leads, self._unit, self._signal = rate_hz, tuple(leads), unit, signal
        self._windows: dict[int, np.ndarray | None] = {}  # of the beats before, by their frames

    def excerpt(self, frame: int, past: Sequence[int], after: int | None, length: float) -> Series:
        """The beat at this frame. past: frames of the PAST beats before it; after: of the next one, if there was one;
        length: frames of the whole signal, infinite where it goes on.

        beats_s: those that tell of its rhythm, in seconds of the excerpt. Where the next one does not come in time, the
        moment until which it was waited for stands in its place.
        """
        start, stop = self.span(frame)
        start, stop = max(0, start), int(min(length, stop))
        latest = frame + round(LATEST_S * self.rate_hz)
        if after is None or after > latest:
            after = latest if latest < length else None
        near = np.array([*past, frame, *([] if after is None else [after])])
        return Series(
            self._signal(start, stop),
            self.rate_hz,
            self._leads,
            self._unit,
            (frame - start) / self.rate_hz,
            (near - start) / self.rate_hz,
            usual=self._usual(past, length),
        )

    def span(self, frame: int) -> tuple[int, int]:
        """The frames that a beat's excerpt is made from, were the signal endless."""
        return frame - round(BEFORE_S * self.rate_hz), frame + round(AFTER_S * self.rate_hz) + 1

    def _usual(self, past: Sequence[int], length: float) -> np.ndarray | None:
        """float32 [U, C]: the mean of the beats before."""
        self._windows = {frame: self._windows[frame] for frame in past if frame in self._windows}
        for frame in past:
            if frame not in self._windows:
                self._windows[frame] = self._window(frame, length)
        windows = [window for frame in past if (window := self._windows[frame]) is not None]
        return np.asarray(np.stack(windows).mean(axis=0, dtype=np.float32)) if windows else None

    def _window(self, frame: int, length: float) -> np.ndarray | None:
        """A beat without its baseline; None where it is not whole."""
        start, stop = frame - round(USUAL_BEFORE_S * self.rate_hz), frame + round(USUAL_AFTER_S * self.rate_hz) + 1
        if start < 0 or stop > length:
            return None
        filled = np.nan_to_num(self._signal(start, stop))
        return filled - filled.mean(axis=0, keepdims=True)


class Record:
    """A record whose beats are known, or found. Of a long one only what is asked for is decoded."""

    def __init__(self, raw: bytes, most_values: float = 1e8) -> None:
        whole = None if is_wfdb(raw) else open_series(raw, most_values)
        self._part: Callable[[int, int], np.ndarray]
        if whole is not None:
            self.rate_hz, self.length = whole.rate_hz, len(whole.signal)
            self._part = lambda start, stop: whole.signal[start:stop]
            told = whole
        else:
            files = unbundled(raw)
            told = wfdb.read(files, most_values, 0, 0)
            self.rate_hz, self.length = told.rate_hz, wfdb.length_of(wfdb.read_header(files[0]), files)
            self._part = lambda start, stop: wfdb.read(files, most_values, start, stop).signal
        if not self.rate_hz:
            raise DataError("beats without a sampling rate", cure="say `rate_hz` in the .npz, or a time column")
        self.symbols = told.symbols
        self.frames = np.rint(told.beats_s * self.rate_hz).astype(np.int64)
        self._held: tuple[int, np.ndarray] = (0, np.zeros((0, 1), np.float32))
        self._cutter = Cutter(self.rate_hz, told.leads, told.unit, self._signal)

    def find_beats(self) -> None:
        """Where nobody annotated any."""
        from snowroll.tasks.heartbeat.rhythm import find_beats

        self.frames = find_beats(self._part(0, self.length), self.rate_hz)

    def excerpt(self, frame: int) -> Series:
        """The beat at this frame."""
        if not len(self.frames):
            self.find_beats()
        at, later = np.searchsorted(self.frames, frame), np.searchsorted(self.frames, frame, "right")
        after = int(self.frames[later]) if later < len(self.frames) else None
        return self._cutter.excerpt(frame, self.frames[max(0, at - PAST) : at].tolist(), after, self.length)

    def _signal(self, start: int, stop: int) -> np.ndarray:
        """Decoded two minutes at a time."""
        first, held = self._held
        if start < first or stop > first + len(held):
            begin = max(0, start - round(60 * self.rate_hz))
            ahead = max(stop, min(self.length, start + round(60 * self.rate_hz)))
            self._held = first, held = begin, self._part(begin, ahead)
        return held[start - first : stop - first]


def pieces(raw: bytes, names: Sequence[str]) -> dict[str, bytes]:
    """The excerpts of the beats at these frames of a record, a beat beyond the record's end has none; or windows."""
    if names and is_name(names[0]):
        return windows(raw, names)
    frames = sorted({int(name) for name in names})
    record = Record(raw)
    return {str(frame): as_bytes(record.excerpt(frame)) for frame in frames if 0 <= frame < record.length}


def is_wfdb(raw: bytes) -> bool:
    """Whether it is a record's files in a bundle, not an .npz."""
    return is_bundle(raw) and b".npy" not in raw[:400]


def cleaned(raw: bytes) -> bytes:
    """Without what names a patient: the header of an EDF, the remarks in a WFDB header."""
    if edf.is_edf(raw):
        return edf.without_names(raw)
    if not is_wfdb(raw):
        return raw
    head, *rest = unbundled(raw)
    kept = [line for line in head.splitlines(keepends=True) if not line.lstrip().startswith(b"#")]
    return as_bundle([b"".join(kept), *rest])
