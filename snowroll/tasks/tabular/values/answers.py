"""What the exported file says, as people read it. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, log

import numpy as np

from snowroll.base.nouns import Prediction
from snowroll.tasks.tabular.values.options import ValueOptions

_HALF = 1.645  # standard deviations: half of the interval that holds 90 % of a normal distribution


def read(outputs: Mapping[str, np.ndarray], options: ValueOptions) -> list[Prediction]:
    """outputs: "value", "low", "high", [B] each. Doubt is the width of the interval beside that of one around the mean
    of all rows, 1 at most: the model then knows no more than somebody who never saw the row.
    """
    parts = [np.asarray(outputs[name], np.float32) for name in ("value", "low", "high")]
    widest = 2 * _HALF * options.scale
    found = []
    for value, low, high in zip(*parts, strict=True):
        told = (plain(low), plain(high))
        width = _inside(told[1], options) - _inside(told[0], options)
        found.append(Prediction(plain(value), None, min(1.0, max(0.0, width / widest)), None, told))
    return found


def plain(value: np.float32) -> float:
    """The shortest decimal that is this float32: an answer says no digit that it does not know.

    >>> plain(np.float32(0.1))
    0.1
    """
    return float(str(value))


def same(one: Prediction, other: Prediction) -> float:
    """How near two numbers are, beside how far off the first may be: 0 from half of its interval on."""
    low, high = one.interval or (one.value, one.value)
    room = max((high - low) / 2, 1e-6 * max(1e-9, abs(one.value)))
    return max(0.0, 1.0 - abs(one.value - other.value) / room)


def _inside(value: float, options: ValueOptions) -> float:
    """As the model measures: a logarithm, where those are learnt."""
    return log(max(value, options.least, exp(-80.0))) if options.log else value
