"""How a classifier of texts is cut for export: a text's characters in, labelled probabilities out, hashing inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.deploy.halves import Body
from snowroll.tasks.classify_texts.options import TextOptions


class Framed(nn.Module):
    """Code points int32 [n] to int64 [1, length], zeros after their end."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, codes: Tensor) -> Tensor:
        return F.pad(codes.long(), (0, self.length))[: self.length][None]


def deployable(
    model: nn.Module,
    postprocess: Callable[[object], Mapping[str, Tensor]],
    options: TextOptions,
    schema: Mapping[str, Json],
) -> Deployable:
    """See base.task.Deployable."""
    contract = {
        "input": f"codes: int32 [n], n at most {options.length}: Unicode code points of the text's words and marks "
        "(NFKC, then case folding; a mark, and a character of a script without spaces, is a word of its own), "
        "a space before, between and after them",
        "output": "probabilities: float32 [batch, classes], in the order of `classes`",
        "classes": list(schema["classes"]),
    }
    return Deployable(
        prepare=Framed(options.length),
        body=Body(model, postprocess),
        raw_example=torch.tensor([*b" an example of a text "], dtype=torch.int32),
        raw_name="codes",
        raw_axes={0: "n"},
        output_names=("probabilities",),
        contract=contract,
    )
