"""What a series of numbers over time is, once it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

MOST_CHANNELS = 256
_MILLIVOLTS = {"nv": 1e-6, "uv": 1e-3, "mv": 1.0, "v": 1e3}


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A signal as its file tells it, and the events in it."""

    signal: np.ndarray  # float32 [T, C]; NaN where nothing was measured
    rate_hz: float = 0.0  # 0: nobody knows
    leads: tuple[str, ...] = ()  # names of the channels; none where the file names none
    unit: str = ""  # of all channels; where they differ each one's, with commas between: "mV,mmHg"
    beat_s: float | None = None  # the event this sample is about, seconds from its first value; None: all of it
    beats_s: np.ndarray = field(default_factory=lambda: np.zeros(0))  # [n] float64, events of the record, in order
    symbols: tuple[str, ...] = ()  # [n] what each of them was called
    usual: np.ndarray | None = None  # float32 [U, C]: what such events look like in this recording; None: not known
    slower: tuple[str, ...] = ()  # channels brought to this rate, with their own: "SpO2 (50 Hz)"

    @property
    def units(self) -> tuple[str, ...]:
        """[C] of each channel."""
        each = tuple(self.unit.split(","))
        return each if len(each) == self.signal.shape[1] else (self.unit,) * self.signal.shape[1]

    @property
    def seconds(self) -> float:
        """0 where nobody knows."""
        return len(self.signal) / self.rate_hz if self.rate_hz else 0.0


def in_millivolts(series: Series) -> Series:
    """The same, channels in volts of any size in mV; those of another unit, or of none, as they stand.

    >>> series = in_millivolts(Series(np.array([[500.0, 20.0]], np.float32), unit="uV,mmHg"))
    >>> series.signal.tolist(), series.unit
    ([[0.5, 20.0]], 'mV,mmHg')
    """
    plain = [unit.lower().replace("µ", "u").replace("μ", "u") for unit in series.units]
    factors = np.array([_MILLIVOLTS.get(unit, 1.0) for unit in plain], np.float32)
    if (factors == 1).all():
        return series
    units = ["mV" if name in _MILLIVOLTS else unit for name, unit in zip(plain, series.units, strict=True)]
    usual = None if series.usual is None else series.usual * factors
    return replace(series, signal=series.signal * factors, unit=unit_of(units), usual=usual)


def unit_of(units: Sequence[str]) -> str:
    """A Series' unit, from those of its channels.

    >>> unit_of(["mV", "mV"]), unit_of(["mV", "mmHg"])
    ('mV', 'mV,mmHg')
    """
    plain = [unit.replace(",", " ")[:20] for unit in units]
    return plain[0] if len(set(plain)) == 1 else ",".join(plain)
