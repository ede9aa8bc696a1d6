"""A classifier that is as sure as it should be."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Tempered(nn.Module):
    """A classifier whose logits are divided by a temperature (Guo et al. 2017, "On calibration", section 4.2)."""

    def __init__(self, model: nn.Module, temperature: float) -> None:
        super().__init__()
        self.model, self.temperature = model, temperature

    def forward(self, inputs: Any) -> Tensor:
        return self.model(inputs) / self.temperature
