"""How a model of rows is cut for export: a row's numbers and hashed words in, labelled probabilities out."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.tasks.tabular.model import Cells, columns_of
from snowroll.tasks.tabular.options import TabularOptions


class Prepare(nn.Module):
    """float32 [N], NaN where nothing is known, and int64 [W] -> number, known [1, N] and word [1, W]."""

    def forward(self, number: Tensor, word: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        is_gap = number.isnan()
        return torch.where(is_gap, torch.zeros_like(number), number)[None], (~is_gap).float()[None], word[None]


class Body(nn.Module):
    """-> probabilities [B, C]. The model itself knows its columns' words."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, number: Tensor, known: Tensor, word: Tensor) -> tuple[Tensor, ...]:
        return (self.model(Cells(number, known, word)).float().softmax(dim=1),)


def deployable(model: nn.Module, options: TabularOptions, schema: Mapping[str, Json]) -> Deployable:
    """See base.task.Deployable."""
    numbers, words = options.used_numbers, options.used_categories
    contract = {
        "input": "number: float32, one for each of `numbers`, NaN where nothing is known, dates as days since 1970; "
        "word: int64, one for each of `categories`: the first eight bytes of the SHA-256 of the word in UTF-8, "
        "little-endian; 0 where nothing is known",
        "output": "probabilities: float32 [batch, classes], in the order of `classes`",
        "classes": list(schema["classes"]),
        "numbers": list(numbers),
        "categories": {column["name"]: list(column.get("levels", ())) for column in columns_of(schema, words)},
    }
    return Deployable(
        prepare=Prepare(),
        body=Body(model),
        raw_example=(torch.zeros(len(numbers) or 1), torch.zeros(len(words) or 1, dtype=torch.int64)),
        raw_name=("number", "word"),
        raw_axes=({}, {}),
        output_names=("probabilities",),
        contract=contract,
    )
