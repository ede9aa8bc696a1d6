"""From a recording to what a network takes: values of one rate around one moment, and when the beat came. No torch.

deploying.py says it again as a graph, and tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.series import open_series
from snowroll.prepare.signals import Series, in_millivolts
from snowroll.tasks.heartbeat.beats import PAST, USUAL_BEFORE_S, Record, intervals_of, is_wfdb
from snowroll.tasks.heartbeat.options import HeartbeatOptions

TIMINGS = 8  # see `timing_of`
FAR = 2.0  # natural logarithm of a ratio of intervals, above which it tells no more


class Raw(NamedTuple):
    """What an exported file takes."""

    signal: np.ndarray  # float32 [T, C]
    place: np.ndarray  # float32 [2]: sampling rate (Hz), the moment that the answer is about (s from the first value)
    intervals: np.ndarray  # float32 [PAST + 1]: see beats.intervals_of
    usual: np.ndarray  # float32 [U, C]: the patient's usual beat, from USUAL_BEFORE_S before it on; zeros: not known


def raw_of(raw: bytes, options: HeartbeatOptions, most_values: float) -> Raw:
    """A file's bytes as arrays, no more of the signal than the network sees. Raises DataError."""
    series = in_millivolts(series_of(raw, options, most_values))
    # of recordings that tell none a rate that is set is theirs, too; planned, it is 1 Hz, or what is seen of long ones
    rate = series.rate_hz or max(1.0, options.rate_hz)
    moment = len(series.signal) / rate / 2 if series.beat_s is None else series.beat_s
    margin = 2 / options.rate_hz + 2 / rate
    start = max(0, int((moment - options.before_s - margin) * rate))
    stop = min(len(series.signal), int((moment + options.after_s + margin) * rate) + 2)
    if stop - start < 2:
        raise DataError(f"a beat at {moment:.2f} s of {len(series.signal) / rate:.2f} s", cure="mend its annotation")
    signal = in_order(series.signal[start:stop], series.leads, options)
    place = np.array([rate, moment - start / rate], np.float32)
    rhythm = intervals_of(series.beats_s, moment) if series.beat_s is not None else np.zeros(PAST + 1, np.float32)
    known = series.usual is not None and series.beat_s is not None and len(series.usual) > 1
    usual = series.usual if known and series.usual is not None else np.zeros((2, series.signal.shape[1]), np.float32)
    return Raw(signal, place, rhythm, in_order(usual, series.leads, options))


def series_of(raw: bytes, options: HeartbeatOptions, most_values: float) -> Series:
    """The recording; of one in which no beat is named, the one nearest to its middle where beats are asked about."""
    if options.about == "whole":
        return open_series(raw, most_values)
    if not is_wfdb(raw):
        series = open_series(raw, most_values)
        if series.beat_s is not None or not series.rate_hz:
            if series.beat_s is None:
                raise DataError("a recording that tells no sampling rate", cure="add `rate_hz`, or a time column")
            return series
    record = Record(raw, most_values)
    if not len(record.frames):
        record.find_beats()
    inside = record.frames[(record.frames >= 0) & (record.frames < record.length)]
    if not len(inside):
        raise DataError("no beat is found in it", cure="send a recording of 3 s or more with a beat in it")
    return record.excerpt(int(inside[np.argmin(np.abs(inside - record.length // 2))]))


def in_order(signal: np.ndarray, leads: Sequence[str], options: HeartbeatOptions) -> np.ndarray:
    """float32 [T, options.channels]: the named lead first, flat ones where there are fewer; no NaN."""
    signal = np.nan_to_num(signal, posinf=0.0, neginf=0.0)
    names = [name.upper() for name in leads]
    order = list(range(signal.shape[1]))
    if options.lead.upper() in names:
        first = names.index(options.lead.upper())
        order = [first, *[place for place in order if place != first]]
    found = np.zeros((len(signal), options.channels), np.float32)
    kept = order[: options.channels]
    found[:, : len(kept)] = signal[:, kept]
    return found


def encoded(raw: Raw, options: HeartbeatOptions) -> dict[str, np.ndarray]:
    """The columns of the pack: trace float32 [2 C + 1, L]: the leads, the usual beat's, and 1 where there are values of
    the recording; timing float32 [TIMINGS]."""
    rate, moment = (float(value) for value in raw.place)
    values, known = fitted(raw.signal, rate, moment, options)
    usual, _ = fitted(raw.usual, rate, USUAL_BEFORE_S, options)
    return {"trace": np.concatenate([values, usual, known]), "timing": timing_of(raw.intervals)}


def fitted(signal: np.ndarray, rate: float, moment: float, options: HeartbeatOptions) -> tuple[np.ndarray, np.ndarray]:
    """(float32 [C, L]: linear, with antialiasing where the rate goes down; [1, L]: 1 where there are values)."""
    at = (moment + (np.arange(options.points) - options.points_before) / options.rate_hz) * rate
    reach = max(1.0, rate / options.rate_hz)
    # only the values within reach weigh anything
    taps = np.floor(at)[:, None] + np.arange(-np.ceil(reach), np.ceil(reach) + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(taps - at[:, None]) / reach) * ((taps >= 0) & (taps < len(signal)))
    known = ((at >= 0) & (at <= len(signal) - 1)).astype(np.float32)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    near = signal[np.clip(taps, 0, len(signal) - 1).astype(np.int64)]  # [L, taps, C]
    values = np.einsum("lt,ltc->lc", weights.astype(np.float32), near) * known[:, None]
    return np.ascontiguousarray(values.T), known[None]


def timing_of(intervals: np.ndarray) -> np.ndarray:
    """float32 [TIMINGS]: how early the beat came and the next one, beside this patient's own usual interval.

    Logarithms of ratios, in [-FAR, FAR]; zeros where an interval is not known. The usual interval is the geometric
    mean: of the PAST before this one, and of the last ten. (RR features of de Chazal et al. 2004, section III-C, whose
    mean over the whole record a monitor cannot know.)
    """
    past, post = intervals[:PAST], intervals[PAST]
    pre = past[-1]
    usual, spread = _usual(past[:-1])
    lately, _ = _usual(past[-11:-1])
    ratios = [
        _ratio(pre, usual),
        _ratio(post, usual),
        _ratio(pre, lately),
        _ratio(post, pre),
        _ratio(past[-2], usual),
        _ratio(pre, 0.8),
        _ratio(usual, 0.8),
        spread,
    ]
    return np.clip(np.array(ratios, np.float32), -FAR, FAR)


def _usual(past: np.ndarray) -> tuple[float, float]:
    """(geometric mean, deviation of the logarithm) of the known intervals; zeros where there is none."""
    known = (past > 0).astype(np.float32)
    n = max(float(known.sum()), 1.0)
    logs = np.log(np.maximum(past, 1e-3)) * known
    mean = float(logs.sum()) / n
    spread = float(np.sqrt((((logs - mean) * known) ** 2).sum() / n))
    return (float(np.exp(mean)) if known.any() else 0.0), spread


def _ratio(one: float, other: float) -> float:
    return float(np.log(one / other)) if one > 0 and other > 0 else 0.0


def key_of(options: HeartbeatOptions) -> Json:
    """The options that decide what `encoded` returns."""
    seen = [options.about, options.rate_hz, options.points, options.points_before, options.before_s, options.after_s]
    return [*seen, options.channels, options.lead.upper()]
