"""How wide a band must be to hold what it says, and from where on a value is an alarm: by validation windows."""

from __future__ import annotations

import numpy as np

from snowroll.base.nouns import Json
from snowroll.evaluate.limits import upper_limit
from snowroll.tasks.forecast.model import Said, Targets
from snowroll.tasks.forecast.options import HIGH, LOW, ForecastOptions

ENOUGH = 40  # windows, from which on each step ahead has a width of its own
_NARROW, _WIDE = 0.2, 20.0  # bounds of what a band is stretched by


def fences(said: Said, targets: Targets, options: ForecastOptions) -> Json:
    """{"down", "up": [[factor of each target] of each step], "fence", "coverage", ...}: what model.Calibrated takes.

    Conformalised quantile regression (Romano et al. 2019), each side by itself and as a factor of the band, so that
    wide bands stay the wider ones. The fence is a factor of that: the steps that are judged by one forecast (the first
    `every`) lie outside it at the share `alarm_rate`, whichever of the targets does.
    """
    follows = targets.follows.double().cpu().numpy()
    middle, low, high = (part.double().cpu().numpy() for part in (said.middle, said.low, said.high))
    with np.errstate(invalid="ignore"):
        below = (middle - follows) / np.maximum(middle - low, 1e-12)  # [n, H, targets]
        above = (follows - middle) / np.maximum(high - middle, 1e-12)
    if not np.isfinite(below).any():
        return None
    down, up = _factors(below, 1 - LOW), _factors(above, HIGH)
    inside = (below <= down) & (above <= up)
    scores = np.nanmax(np.maximum(below / down, above / up)[:, : options.every], axis=2, initial=-np.inf)
    scores = scores[np.isfinite(scores)]
    fence, way = upper_limit(np.maximum(scores, 1e-3), options.alarm_rate)
    fence = float(np.clip(fence, 1.0, 1e4))
    known = np.isfinite(below)
    return {
        "down": np.round(down, 4).tolist(),
        "up": np.round(up, 4).tolist(),
        "fence": float(f"{fence:.5g}"),
        "way": way,
        "alarm_rate": options.alarm_rate,
        "coverage": float(inside[known].mean()),
        "n": int(known.any(axis=(1, 2)).sum()),
    }


def _factors(ratio: np.ndarray, share: float) -> np.ndarray:
    """[H, targets] what each step's side of the band is stretched by, so that `share` of the windows lie within.

    Of few windows steps are taken together with their neighbours.
    """
    n, horizon, targets = ratio.shape
    reach = 0 if n >= ENOUGH else -(-ENOUGH // max(1, n)) // 2 + 1
    found = np.ones((horizon, targets))
    for step in range(horizon):
        some = ratio[:, max(0, step - reach) : step + reach + 1]
        for target in range(targets):
            values = np.sort(some[..., target][np.isfinite(some[..., target])])
            if len(values):
                place = min(len(values) - 1, int(np.ceil((len(values) + 1) * share)) - 1)
                found[step, target] = values[place]
    return np.clip(found, _NARROW, _WIDE)


def score(came: np.ndarray, middle: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far a value lies from the middle towards the fence on its side: above 1 it is an alarm. NaN: not known."""
    side = np.where(came < middle, middle - low, high - middle)
    return np.abs(came - middle) / np.maximum(side, 1e-12)
