"""A live signal cut into beats as they come: the same excerpts as of the signal's recording, however it arrives.

A beat is handed on once the signal around it is there and the next beat has come, or was waited for in vain:
`latency_s` after its peak at the latest. What is kept of the signal is a few seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.series import as_bytes, checked_rate
from snowroll.prepare.signals import MOST_CHANNELS
from snowroll.tasks.heartbeat.beats import AFTER_S, LATEST_S, PAST, Cutter
from snowroll.tasks.heartbeat.rhythm import STEP_S, TOLD_S, Finder


class Monitor:
    """`feed` it portions [n, C] of a signal; it answers with [(frame of a beat, its excerpt), ...]."""

    def __init__(self, rate_hz: float, leads: Sequence[str] = (), unit: str = "mV") -> None:
        if not checked_rate(rate_hz) >= 20:
            raise DataError(f"a live signal of {rate_hz:g} Hz", cure="20 Hz are the least in which a beat is seen")
        leads = leads if any(leads) else ()
        self._finder = Finder(rate_hz)
        self._cutter = Cutter(rate_hz, leads, unit, self._part)
        self._rate_hz = rate_hz
        self._leads = len(leads)
        self._signal = np.zeros((0, max(1, len(leads))), np.float32)
        self._start = 0  # frame of the first value that is kept
        self._frames: list[int] = []  # of the beats that still matter
        self._told = 0  # how many of them were handed on

    @property
    def latency_s(self) -> float:
        """Seconds from a beat's peak to its excerpt at the most; until the level is learnt, LEARNS_S more."""
        return max(AFTER_S, LATEST_S + TOLD_S + STEP_S) + STEP_S

    def feed(self, signal: np.ndarray) -> list[tuple[int, bytes]]:
        """signal: float [n, C], NaN where nothing was measured. Raises DataError for another number of leads."""
        if signal.ndim != 2 or not 1 <= signal.shape[1] <= MOST_CHANNELS:
            raise DataError(f"a portion of shape {list(signal.shape)}", cure="send [time, leads]")
        if not len(signal):
            return []
        if self._start + len(self._signal) == 0 and not self._leads:
            self._signal = np.zeros((0, signal.shape[1]), np.float32)
        if signal.shape[1] != self._signal.shape[1]:
            told = f"{signal.shape[1]} leads, and {self._signal.shape[1]} until now"
            raise DataError(told, cure="send all leads in every portion")
        self._signal = np.concatenate([self._signal, signal.astype(np.float32)])
        self._frames += self._finder.feed(signal[:, 0])
        found = self._ready(float("inf"))
        self._forget()
        return found

    def close(self) -> list[tuple[int, bytes]]:
        """The beats that are left: the signal ends here."""
        self._frames += self._finder.close()
        return self._ready(self._start + len(self._signal))

    def _ready(self, length: float) -> list[tuple[int, bytes]]:
        end = self._start + len(self._signal)
        found = []
        while self._told < len(self._frames):
            frame = self._frames[self._told]
            after = self._frames[self._told + 1] if self._told + 1 < len(self._frames) else None
            waited = self._finder.sure > frame + round(LATEST_S * self._rate_hz)
            goes_on = length == float("inf")
            if goes_on and (self._cutter.span(frame)[1] > end or (after is None and not waited)):
                break
            past = self._frames[max(0, self._told - PAST) : self._told]
            found.append((frame, as_bytes(self._cutter.excerpt(frame, past, after, length))))
            self._told += 1
        return found

    def _forget(self) -> None:
        """All that no beat to come can ask for: a few seconds are kept."""
        gone = max(0, self._told - PAST - 1)
        self._frames, self._told = self._frames[gone:], self._told - gone
        waiting = self._frames[self._told :]
        # the beat before the next one is looked at once more: for the usual beat
        oldest = min([*self._frames[max(0, self._told - 1) : self._told], *waiting, self._finder.sure])
        keep = max(self._start, self._cutter.span(oldest)[0])
        self._signal, self._start = self._signal[keep - self._start :], keep

    def _part(self, start: int, stop: int) -> np.ndarray:
        assert start >= self._start, "a part of the signal that is forgotten"
        return self._signal[start - self._start : stop - self._start]
