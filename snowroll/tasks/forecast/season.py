"""The season of a series: after how many steps it is most like itself. No torch."""

from __future__ import annotations

import numpy as np

LEAST_LIKE = 0.3  # autocorrelation at a season. A guess
LEAST_RISE = 0.1  # ... above the lowest at a shorter lag: smooth series wriggle as they forget. A guess
MOST_SEEN = 20_000  # values
_USUAL: dict[float, tuple[int, ...]] = {  # seconds of a step -> steps that a calendar knows
    60.0: (60, 1440),
    300.0: (12, 288, 2016),
    600.0: (144, 1008),
    900.0: (96, 672),
    1800.0: (48, 336),
    3600.0: (24, 168),
    86_400.0: (7, 365),
    604_800.0: (52,),
}
_CALENDAR = {"months": (12,), "quarters": (4,), "working days": (5,)}


def filled(values: np.ndarray) -> np.ndarray:
    """[T, C] or [T] with gaps closed by the value before them; those at the beginning by the first that is known."""
    flat = values.reshape(len(values), -1)
    known = np.isfinite(flat)
    index = np.where(known, np.arange(len(flat))[:, None], -1)
    index = np.maximum.accumulate(index, axis=0)
    first = np.where(known.any(axis=0), known.argmax(axis=0), 0)
    index = np.where(index < 0, first, index)
    closed = np.take_along_axis(flat, index, axis=0)
    return np.nan_to_num(closed, nan=0.0, posinf=0.0, neginf=0.0).reshape(values.shape)


def likeness(values: np.ndarray, most_lag: int) -> np.ndarray:
    """[most_lag + 1] autocorrelation of one series without its slow course (a moving mean over `most_lag`)."""
    x = filled(values[-MOST_SEEN:]).astype(np.float64)
    low, high = np.quantile(x, [0.005, 0.995])
    x = np.clip(x, low, high)  # a spike is like nothing but itself
    width = min(len(x) - 1, 2 * most_lag + 1)
    if width > 2:
        sums = np.cumsum(np.concatenate([[0.0], x]))
        left = np.clip(np.arange(len(x)) - width // 2, 0, len(x))
        right = np.clip(np.arange(len(x)) + width // 2 + 1, 0, len(x))
        x = x - (sums[right] - sums[left]) / (right - left)
    x = x - x.mean()
    size = 1 << (2 * len(x) - 1).bit_length()
    power = np.abs(np.fft.rfft(x, size)) ** 2
    found = np.fft.irfft(power, size)[: most_lag + 1]
    pairs = len(x) - np.arange(most_lag + 1)
    return found / max(found[0], 1e-30) * len(x) / pairs if found[0] > 1e-12 else np.zeros(most_lag + 1)


def season_of(series: list[np.ndarray], step_s: float, calendar: str = "") -> tuple[int, float]:
    """(steps of the strongest season, how like itself the series is then); (1, 0) where there is none.

    series: some of them, each [T]. The lag must be a peak, and be seen three times at least; a lag that the calendar
    knows (24 hours) is taken for its neighbour.
    """
    n = min(MOST_SEEN, int(np.median([len(one) for one in series]))) if series else 0
    most = min(n // 3, 4_000)
    if most < 3:
        return 1, 0.0
    every = [likeness(one, most) for one in series if len(one) >= 3 * most]
    told = np.asarray(np.median(np.stack(every), axis=0)) if every else np.zeros(most + 1)
    dips = np.flatnonzero(told < 0.5 * told[0])
    start = max(2, int(dips[0]) if len(dips) else most)  # beyond what is merely smooth
    inner = np.arange(start, most)
    peaks = [k for k in inner.tolist() if told[k] >= told[k - 1] and told[k] >= told[k + 1] and told[k] >= LEAST_LIKE]
    rise = max(LEAST_RISE, 2 / n**0.5)  # autocorrelations of noise differ by 1 / sqrt(n)
    peaks = [k for k in peaks if told[k] - told[1:k].min() >= rise]
    if not peaks:
        return 1, 0.0
    best = max(told[k] for k in peaks)
    found = next(k for k in peaks if told[k] >= 0.85 * best)  # multiples of a season are as like as itself
    usual = _CALENDAR[calendar] if calendar in _CALENDAR else _USUAL.get(round(step_s, 3), ())
    for lag in usual:
        if lag <= most and abs(found - lag) <= max(1, 0.05 * lag) and told[lag] >= 0.9 * told[found]:
            found = lag
    return int(found), float(told[found])
