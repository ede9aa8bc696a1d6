"""The network that the options name, what it learns, and what it says of single words."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch
from snowroll.base.task import Columns
from snowroll.design.ngrams import Bag, Grams, Ordered
from snowroll.prepare.pack import Ragged
from snowroll.tasks.classify_texts.options import TextOptions

if TYPE_CHECKING:
    from collections.abc import Sequence


def build(options: TextOptions, classes: int) -> nn.Module:
    """Fresh weights."""
    grams = Grams(options.buckets, options.words, options.letters, options.length)
    if options.model == "bag":
        return Bag(grams, classes, options.width)
    return Ordered(grams, classes, options.width, options.depth, options.heads, options.order, options.dropout)


def as_batch(columns: Columns, ids: Tensor) -> Batch:
    """Code points int64 [B, length], zeros after the end of each text: all batches are of one width."""
    codes: Ragged = columns["codes"]
    room = int(columns["room"].max()) if len(columns["room"]) else 1
    known = torch.arange(room, device=codes.offsets.device) < (codes.offsets[1:] - codes.offsets[:-1])[:, None]
    told = torch.zeros(known.shape, dtype=torch.int64, device=known.device).masked_scatter(known, codes.values.long())
    return Batch(told, columns.get("class"), ids)


def loss(model: nn.Module, batch: Batch, options: TextOptions) -> Tensor:
    """[B] cross-entropy, smoothed while it learns."""
    logits = model(batch.inputs).float()
    amount = options.smoothing if logits.requires_grad else 0.0
    return F.cross_entropy(logits, batch.targets, reduction="none", label_smoothing=amount)


def begin(model: nn.Module, codes: Tensor, classes: Tensor) -> None:
    """What a network is told of the training data before its first step."""
    assert isinstance(model, Bag | Ordered)
    model.begin(codes, classes)


def inner(model: nn.Module) -> nn.Module:
    """Without what calibration put around it."""
    while isinstance(inside := getattr(model, "model", None), nn.Module):
        model = inside
    return model


@torch.inference_mode()
def word_votes(model: nn.Module, codes: Tensor, asked: Sequence[int]) -> Tensor:
    """[W] what each word of one text [1, T] adds to the logit of class asked[0], less what it adds to asked[1].

    Of a bag exactly, n-grams across two words shared by them; of any other network what is missing without the word.
    """
    first, second = asked
    inside = inner(model)
    count = max(1, int((codes == 32).sum()) - 1)
    if isinstance(inside, Bag):
        found, votes = inside.votes(codes)
        apart = (votes[0, :, first] - votes[0, :, second]) * found.known[0]
        return torch.zeros(count).index_add(0, found.words[0].clamp(max=count - 1), apart)
    whole = model(codes).float()[0]
    ends = (codes[0] == 32).nonzero()[:, 0].tolist()
    rows = []
    for start, stop in pairwise(ends):
        left = torch.cat([codes[0, :start], codes[0, stop:]])
        rows.append(F.pad(left, (0, codes.shape[1] - len(left))))
    if len(rows) < 2:
        return torch.zeros(count)
    parts = [model(torch.stack(rows[at : at + 64])).float() for at in range(0, len(rows), 64)]
    without = torch.cat(parts)
    return (whole[first] - whole[second]) - (without[:, first] - without[:, second])
