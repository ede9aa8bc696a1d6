"""How a heartbeat network is cut for export: a signal and its rate in, everything from fitting.py on inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.halves import Body
from snowroll.tasks.heartbeat.beats import LATEST_S, PAST, USUAL_BEFORE_S
from snowroll.tasks.heartbeat.fitting import FAR
from snowroll.tasks.heartbeat.model import Inputs
from snowroll.tasks.heartbeat.options import HeartbeatOptions


class Fitted(nn.Module):
    """fitting.encoded, said again as a graph of the recording's own length: (signal, place, intervals, usual) ->
    (float32 [1, 2 C + 1, L], float32 [1, TIMINGS])."""

    def __init__(self, options: HeartbeatOptions) -> None:
        super().__init__()
        self.points, self.points_before, self.rate_hz = options.points, options.points_before, options.rate_hz

    def forward(self, signal: Tensor, place: Tensor, intervals: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
        rate, moment = place[0].double(), place[1].double()
        values, known = self._fitted(signal, rate, moment)
        typical, _ = self._fitted(usual, rate, torch.full_like(moment, USUAL_BEFORE_S))
        return torch.cat([values, typical, known])[None], timing_of(intervals)[None]

    def _fitted(self, signal: Tensor, rate: Tensor, moment: Tensor) -> tuple[Tensor, Tensor]:
        # counted from a range: traced, it stays a function of the input's shape
        places = torch.arange(signal.shape[0], dtype=torch.float64)
        out = torch.arange(self.points, dtype=torch.float64) - self.points_before
        at = (moment + out / self.rate_hz) * rate
        reach = (rate / self.rate_hz).clamp(min=1.0)
        # a triangle of weights is three ramps: two running sums stand for a matrix of all values by all weights
        ramps = Ramps(torch.cat([signal.double(), torch.ones_like(signal[:, :1]).double()], dim=1), places)
        told = ramps.under(at + reach) - 2 * ramps.under(at) + ramps.under(at - reach)  # [L, C + 1], the weights last
        known = ((at >= 0) & (at <= places[-1])).float()
        values = told[:, :-1] / told[:, -1:].clamp(min=1e-9)
        return (values.float() * known[:, None]).T, known[None]


class Ramps:
    """Sums of values [T, C], each times how far it lies below a place."""

    def __init__(self, values: Tensor, places: Tensor) -> None:
        none = torch.zeros_like(values[:1])
        self.last = places[-1]
        self.sums = torch.cat([none, values.cumsum(dim=0)])
        self.firsts = torch.cat([none, (places[:, None] * values).cumsum(dim=0)])

    def under(self, at: Tensor) -> Tensor:
        """[L] -> [L, C]."""
        n = torch.minimum(at.floor().clamp(min=-1.0), self.last).long() + 1  # values that lie there or below
        return at[:, None] * self.sums[n] - self.firsts[n]


def timing_of(intervals: Tensor) -> Tensor:
    """fitting.timing_of as a graph: [PAST + 1] -> [TIMINGS]."""
    past, post = intervals[:PAST], intervals[PAST]
    pre, previous = past[PAST - 1], past[PAST - 2]
    usual, spread = _usual(past[: PAST - 1])
    lately, _ = _usual(past[PAST - 11 : PAST - 1])
    fixed = torch.full_like(pre, 0.8)
    ratios = [
        _ratio(pre, usual),
        _ratio(post, usual),
        _ratio(pre, lately),
        _ratio(post, pre),
        _ratio(previous, usual),
        _ratio(pre, fixed),
        _ratio(usual, fixed),
        spread,
    ]
    return torch.stack(ratios).clamp(-FAR, FAR)


def _usual(past: Tensor) -> tuple[Tensor, Tensor]:
    known = (past > 0).float()
    n = known.sum().clamp(min=1.0)
    logs = past.clamp(min=1e-3).log() * known
    mean = logs.sum() / n
    spread = (((logs - mean) * known).square().sum() / n).sqrt()
    return mean.exp() * (known.sum() > 0).float(), spread


def _ratio(one: Tensor, other: Tensor) -> Tensor:
    told = ((one > 0) & (other > 0)).float()
    return (one.clamp(min=1e-6) / other.clamp(min=1e-6)).log() * told


def deployable(
    model: nn.Module,
    postprocess: Callable[[Tensor], Mapping[str, Tensor]],
    options: HeartbeatOptions,
    schema: Mapping[str, Json],
) -> Deployable:
    """See base.task.Deployable."""
    first = f"the lead {options.lead} first, if there is one; " if options.lead else ""
    contract = {
        "input": f"signal: float32 [time, {options.channels}], {first}leads that are not there are zeros; "
        "place: float32 [2], sampling rate (Hz) and the moment the answer is about (s from the first value); "
        f"intervals: float32 [{PAST + 1}], s between the beats up to it, the last of these its own, then the one "
        f"after it ({LATEST_S:g} s at most), zeros where nobody knows; usual: float32 [time, {options.channels}], the "
        f"mean of the beats before it, each without its mean, from {USUAL_BEFORE_S:g} s before them on, zeros where "
        "nobody knows",
        "resample": f"to {options.rate_hz:g} Hz, from {options.before_s:g} s before to {options.after_s:g} s after, "
        "linear with antialias",
        "output": "probabilities: float32 [batch, classes], in the order of `classes`",
        "classes": list(schema["classes"]),
    }
    points = options.points + 7
    rate = options.rate_hz
    return Deployable(
        prepare=Fitted(options),
        body=Body(model, postprocess, Inputs),
        raw_example=(
            torch.rand(points, options.channels),
            torch.tensor([rate, options.before_s]),
            torch.full((PAST + 1,), 0.8),
            torch.rand(round(1.5 * rate) + 5, options.channels),
        ),
        raw_name=("signal", "place", "intervals", "usual"),
        raw_axes=({0: "time"}, {}, {}, {0: "usual_time"}),
        output_names=("probabilities",),
        contract=contract,
    )
