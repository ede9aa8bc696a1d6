"""The options of a forecaster, and the rules that choose them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.design.rules import machine

LOW, HIGH = 0.1, 0.9  # the quantiles that a forecast's band reaches from and to
ENOUGH_TO_MIX = 1_500  # windows, from which on a network may find what a linear map cannot. A guess
MOST_VALUES = 65_536


@dataclass(frozen=True, slots=True)
class ForecastOptions:
    """The task's part of the Plan."""

    model: Literal["linear", "mixer"] = "linear"
    horizon: int = 24  # steps told ahead
    context: int = 96  # steps looked back on
    targets: tuple[str, ...] = ()  # columns that are told; (): all of them
    columns: tuple[str, ...] = ()  # that are looked at, in this order
    season: int = 1  # steps
    shift: int = 0  # windows of training begin up to so many steps earlier
    every: int = 1  # steps from one forecast to the next, where what comes is judged
    alarm_rate: float = 0.002  # share of the steps without anything odd that may raise an alarm
    aim: Literal["median", "mean"] = "median"  # what the middle of a forecast is
    width: int = 64  # of the mixer
    depth: int = 2  # blocks of the mixer
    dropout: float = 0.1
    noise: float = 0.0  # of a window's spread, added to what is looked back on
    gain: float = 0.0  # share by which a window's swings grow or shrink

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="horizon context season every width depth",
            from_0="shift noise",
            shares="dropout gain",
            chances="alarm_rate",
        )
        if self.context < 2 or self.context + self.shift + self.every > MOST_VALUES:
            cure = f"set it from 2 to {MOST_VALUES // 2:,}"
            raise UsageError(f"{self.context:,} is out of bounds", where="task.context", cure=cure)


def forecast_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts, schema, n = fingerprint.facts, fingerprint.schema, fingerprint.n["train"]
    asked: Mapping[str, Json] = facts.get("asked") or {}
    horizon, season = int(schema["horizon"]), int(schema["season"])
    targets, columns = list(schema["targets"]), list(schema["columns"])
    # windows that overlap are worth less than their number: so many begin anew
    shifted = n * int(schema["stride"])
    network = str(asked.get("model") or _network(shifted, len(columns), len(targets)))
    batch = 8
    while batch < 64 and batch * 16 <= n:
        batch *= 2
    steps = max(400, min(6_000, round(30 * n / batch)))
    why = schema["why"]
    every = max(1, min(horizon, season // 2 if season > 1 else horizon // 2))
    lr = 2e-3 if network == "linear" else 1e-3
    return [
        Choice("task.model", network, _why(network, shifted)),
        Choice("task.horizon", horizon, why["horizon"]),
        Choice("task.context", int(schema["context"]), why["context"]),
        Choice("task.targets", targets, "every column of numbers that changes" if len(targets) > 1 else "the column"),
        Choice("task.columns", columns, "the columns of the data"),
        Choice("task.season", season, f"autocorrelation {schema['season_like']:.2f}" if season > 1 else "none found"),
        Choice("task.shift", int(schema["stride"]) - 1, "training sees the windows between those that are samples"),
        Choice("task.every", every, "half a season" if season > 1 else "half of the horizon"),
        Choice("task.width", 64 if n < 10_000 else 128, f"{n:,} windows to learn from"),
        Choice("task.gain", 0.1, "days of a kind differ in size"),
        Choice("train.batch", batch, f"{n:,} training windows"),
        Choice("train.steps", steps, f"about {steps * batch / max(1, n):.0f} passes over {n:,} windows"),
        Choice(
            "train.most_steps", 3 * steps, "three times that: what can be learnt of so many windows is learnt by then"
        ),
        Choice("train.optimizer", "adamw", "steps of each weight's own size"),
        Choice("train.lr", float(f"{lr * sqrt(batch / 64):.2g}"), f"{lr:g} at a batch of 64, by the square root"),
        Choice("train.weight_decay", 0.01, "goes with adamw"),
        Choice("train.schedule", "cosine", "down to zero"),
        Choice("train.warmup", 0.05, "the first steps rise"),
        Choice("train.clip", 1.0, "one odd window moves nothing far"),
        Choice("train.ema", 0.99, "an averaged network is steadier"),
        *[one for one in machine(fingerprint) if one.key not in ("train.channels_last", "train.precision")],
        Choice("train.precision", "fp32", "differences between close values must not be rounded away"),
    ]


def _network(windows: int, columns: int, targets: int) -> str:
    return "mixer" if windows >= ENOUGH_TO_MIX and columns > targets else "linear"


def _why(network: str, windows: int) -> str:
    if network == "linear":
        return "what published transformers lose to (Zeng et al. 2023); `mixer` is there too"
    return f"other columns may tell of the targets, and {windows:,} windows are enough to learn how"
