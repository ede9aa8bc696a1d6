"""How a forecaster is cut for export: the past in, quantiles of what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.halves import Body
from snowroll.tasks.forecast.model import Inputs
from snowroll.tasks.forecast.options import HIGH, LOW, ForecastOptions


class Alone(nn.Module):
    """float32 [L, C] -> [1, L, C]."""

    def forward(self, past: Tensor) -> Tensor:
        return past[None]


def deployable(
    model: nn.Module,
    postprocess: Callable[[Any], Mapping[str, Tensor]],
    options: ForecastOptions,
    schema: Mapping[str, Json],
) -> Deployable:
    """See base.task.Deployable."""
    columns = list(options.columns or schema["columns"])
    contract = {
        "input": f"past: float32 [{options.context}, {len(columns)}], the last rows on even steps, oldest first; a gap "
        "holds the value before it",
        "columns": columns,
        "targets": list(options.targets or schema["targets"]),
        "step": f"{schema['step_s']:g} s" if schema.get("step_s") else "a row",
        "output": f"follows, low, high, fence_low, fence_high: float32 [batch, {options.horizon}, targets], in the "
        f"data's units: the {options.aim}, the quantiles {LOW:g} and {HIGH:g}, and the limits outside which a value is "
        f"an alarm (within the first {options.every} steps, {options.alarm_rate:g} of what is not odd; infinite where "
        "too few windows were left to set them by); size: the window's swings",
    }
    return Deployable(
        prepare=Alone(),
        body=Body(model, postprocess, Inputs),
        raw_example=torch.rand(options.context, len(columns)),
        raw_name="past",
        raw_axes={},
        output_names=("follows", "low", "high", "fence_low", "fence_high", "size"),
        contract=contract,
    )
