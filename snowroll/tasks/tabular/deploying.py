"""How a model of rows is cut for export: a row's numbers and hashed words in, what the task says of it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from snowroll.base.nouns import Json
from snowroll.base.task import Deployable
from snowroll.tasks.tabular.model import Cells, columns_of
from snowroll.tasks.tabular.options import RowOptions

Say = Callable[[Tensor], Mapping[str, Tensor]]


class Prepare(nn.Module):
    """float32 [N], NaN where nothing is known, and int64 [W] -> number, known [1, N] and word [1, W]."""

    def forward(self, number: Tensor, word: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        is_gap = number.isnan()
        return torch.where(is_gap, torch.zeros_like(number), number)[None], (~is_gap).float()[None], word[None]


class Body(nn.Module):
    """-> what `say` makes of the model's outputs. The model itself knows its columns' words."""

    def __init__(self, model: nn.Module, say: Say) -> None:
        super().__init__()
        self.model, self.say = model, say

    def forward(self, number: Tensor, known: Tensor, word: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.say(self.model(Cells(number, known, word))).values())


def deployable(
    model: nn.Module, say: Say, options: RowOptions, told: Mapping[str, str], schema: Mapping[str, Json]
) -> Deployable:
    """See base.task.Deployable. say: the task's post-processing; told: its outputs, in words."""
    numbers, words = options.used_numbers, options.used_categories
    contract = {
        "input": "number: float32, one for each of `numbers`, NaN where nothing is known, dates as days since 1970; "
        "word: int64, one for each of `categories`: the first eight bytes of the SHA-256 of the word in UTF-8, "
        "little-endian; 0 where nothing is known",
        "output": "; ".join(f"{name}: {words}" for name, words in told.items()),
        **({"classes": list(schema["classes"])} if "classes" in schema else {}),
        "numbers": list(numbers),
        "categories": {column["name"]: list(column.get("levels", ())) for column in columns_of(schema, words)},
    }
    return Deployable(
        prepare=Prepare(),
        body=Body(model, say),
        raw_example=(torch.zeros(len(numbers) or 1), torch.zeros(len(words) or 1, dtype=torch.int64)),
        raw_name=("number", "word"),
        raw_axes=({}, {}),
        output_names=tuple(told),
        contract=contract,
    )
