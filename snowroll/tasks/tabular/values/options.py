"""The options of a model that says a number of a row, and the rules that choose them. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Literal

import numpy as np

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.tasks.tabular.options import RowOptions, row_plan

LONG_TAIL = 2.0  # skewness of the targets above which their logarithms are learnt; that of an exponential distribution


@dataclass(frozen=True, slots=True)
class ValueOptions(RowOptions):
    """The task's part of the Plan for one number a row. Inside the model it is (number - centre) / scale."""

    model: Literal["boosted", "tree", "linear", "mlp"] = "boosted"
    centre: float = 0.0  # mean of the training rows' numbers, or of their logarithms
    scale: float = 1.0  # their standard deviation
    log: bool = False  # learn logarithms: errors count as shares of the number
    coverage: float = 0.9  # share of the rows whose number is to lie within its interval

    def __post_init__(self) -> None:
        RowOptions.__post_init__(self)
        if not self.scale > 0:
            raise UsageError(f"{self.scale} is out of bounds", where="task.scale", cure="set it above 0")
        if not 0.5 <= self.coverage <= 0.99:
            told = f"{self.coverage} is out of bounds"
            raise UsageError(told, where="task.coverage", cure="set it between 0.5 and 0.99")

    @property
    def least(self) -> float:
        """Of numbers whose logarithms are learnt, the smallest that is told from 0: ten deviations down."""
        return exp(max(-80.0, self.centre - 10 * self.scale))


def facts_of(targets: Sequence[Json]) -> dict[str, Json]:
    """What the rules below look at."""
    values = np.array(targets, np.float64)
    if not len(values):
        return {"mean": 0.0, "deviation": 1.0, "skew": 0.0, "smallest": 0.0, "largest": 0.0}
    told = {"mean": float(values.mean()), "deviation": float(values.std()), "skew": skewness(values)}
    told |= {"smallest": float(values.min()), "largest": float(values.max())}
    if values.min() > 0:
        logs = np.log(values)
        told |= {"log_mean": float(logs.mean()), "log_deviation": float(logs.std()), "log_skew": skewness(logs)}
    return told


def has_tail(facts: Mapping[str, Json]) -> bool:
    """Whether numbers above 0 have a long tail that their logarithms have not."""
    return "log_mean" in facts and facts["skew"] > LONG_TAIL and abs(facts["log_skew"]) < facts["skew"] / 2


def skewness(values: np.ndarray) -> float:
    """Third central moment over the cubed standard deviation; 0 of what does not vary."""
    apart = values - values.mean()
    spread = float(np.sqrt((apart**2).mean()))
    return float((apart**3).mean() / spread**3) if spread > 0 else 0.0


def value_plan(fingerprint: Fingerprint) -> list[Choice]:
    return [*row_plan(fingerprint, "linear"), *_of_target(fingerprint.facts)]


def _of_target(facts: Mapping[str, Json]) -> list[Choice]:
    asked: Mapping[str, Json] = facts.get("asked") or {}
    is_positive = "log_mean" in facts
    if asked.get("log") and not is_positive:
        told = f"the smallest number to be learnt is {facts['smallest']:g}, which has no logarithm"
        raise UsageError(told, where="task.log", cure="set it to false")
    is_tailed = has_tail(facts)
    is_log = bool(asked.get("log", is_tailed))
    if is_tailed:
        why = (
            f"all are above 0, with a long tail of large ones: skewness {facts['skew']:.1f}, of their logarithms "
            f"{facts['log_skew']:.1f}"
        )
    else:
        why = f"skewness {facts['skew']:.1f}, and {LONG_TAIL:g} would be a long tail"
        why = why if is_positive else "numbers of 0 or below have no logarithm"
    kind = "log_" if is_log else ""
    spread = facts[f"{kind}deviation"]
    what = "the logarithms of the training rows' numbers" if is_log else "the training rows' numbers"
    return [
        Choice("task.log", is_log, why),
        Choice("task.centre", _digits(facts[f"{kind}mean"]), f"the mean of {what}"),
        Choice("task.scale", _digits(spread) if spread > 0 else 1.0, f"the standard deviation of {what}"),
    ]


def _digits(value: float) -> float:
    """Six digits: enough to standardise by, and to be read.

    >>> _digits(123456789.0), _digits(0.0)
    (123457000.0, 0.0)
    """
    return round(value, 5 - int(np.floor(log(abs(value), 10)))) if value else 0.0
