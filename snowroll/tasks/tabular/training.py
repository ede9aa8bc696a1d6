"""Loss and whole-batch augmentation of rows."""

from __future__ import annotations

from dataclasses import replace

import torch.nn.functional as F
from torch import Tensor, nn

from snowroll.base.nouns import Batch
from snowroll.base.task import Draw
from snowroll.tasks.tabular.model import Cells
from snowroll.tasks.tabular.options import RowOptions, TabularOptions


def loss(model: nn.Module, batch: Batch, options: TabularOptions) -> Tensor:
    """[B] cross-entropy."""
    return F.cross_entropy(model(batch.inputs).float(), batch.targets, reduction="none")


def augment(batch: Batch, draw: Draw, options: RowOptions) -> Batch:
    """Cells hidden at random, each with the chance `hide`: they are as if nothing was said."""
    if not options.hide:
        return batch
    cells: Cells = batch.inputs
    kept = (draw.uniform("numbers", cells.number.shape[1]) >= options.hide).to(cells.number)
    words = (draw.uniform("words", cells.word.shape[1]) >= options.hide).to(cells.word)
    return replace(batch, inputs=Cells(cells.number * kept, cells.known * kept, cells.word * words))
