"""How a translator is cut for export: tokens of a sentence in, tokens of its translation out, the search inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.halves import Body
from snowroll.design.translator import PAD
from snowroll.tasks.translate.options import TranslateOptions


class Framed(nn.Module):
    """Tokens int32 [n] to int64 [1, length], PAD after their end."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, tokens: Tensor) -> Tensor:
        return F.pad(tokens.long(), (0, self.length), value=PAD)[: self.length][None]


def deployable(
    model: nn.Module,
    postprocess: Callable[[object], Mapping[str, Tensor]],
    options: TranslateOptions,
    schema: Mapping[str, Json],
) -> Deployable:
    """See base.task.Deployable."""
    contract = {
        "input": f"tokens: int32 [n], n at most {options.length}: 2 + the byte pair's number of each token, then 1",
        "output": (
            "tokens: int64 [batch, longest], the translation, 1, then 0; log_probability: float32 [batch], of all of "
            "it, natural; length: int64 [batch], its tokens with the 1"
        ),
        "languages": [schema.get("source", ""), schema.get("target", "")],
        "merges": list(options.merges),
    }
    return Deployable(
        prepare=Framed(options.length),
        body=Body(model, postprocess),
        raw_example=torch.arange(2, 12, dtype=torch.int32),
        raw_name="tokens_in",
        raw_axes={0: "n"},
        output_names=("tokens", "log_probability", "length"),
        contract=contract,
    )
