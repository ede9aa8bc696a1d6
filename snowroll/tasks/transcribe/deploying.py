"""How a network that listens is cut for export: sound in, letters of every moment or words out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.halves import Body
from snowroll.design.speech import Sounds
from snowroll.tasks.transcribe.options import SpeechOptions


class Padded(nn.Module):
    """float32 [n] to (float32 [1, length], int64 [1]: how many of them are sound)."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        told = F.pad(torch.ones_like(signal), (0, self.length))[: self.length]
        return F.pad(signal, (0, self.length))[: self.length][None], told.sum()[None].long()


def heard(signal: Tensor, length: Tensor) -> Sounds:
    """What is asked about, all of it: signal [B, length], how much of each is sound [B]."""
    return Sounds(signal, length, torch.zeros_like(signal[:, :4])[:, None])


def deployable(
    model: nn.Module,
    postprocess: Callable[[Any], Mapping[str, Tensor]],
    options: SpeechOptions,
    outputs: Mapping[str, str],
    schema: Mapping[str, Json],
) -> Deployable:
    """See base.task.Deployable. outputs: name -> what it is, in words."""
    known = "classes" if "classes" in schema else "characters"
    contract = {
        "input": f"signal: float32 [n], one channel at {options.rate_hz:,} Hz, full scale 1; what is beyond "
        f"{options.seconds:g} s is not heard",
        "output": "; ".join(f"{name}: {what}" for name, what in outputs.items()),
        known: schema[known],
    }
    return Deployable(
        prepare=Padded(options.length),
        body=Body(model, postprocess, heard),
        raw_example=torch.rand(options.length // 2 + 7) - 0.5,
        raw_name="signal",
        raw_axes={0: "n"},
        output_names=tuple(outputs),
        contract=contract,
    )
