"""What a language model learns: whole passages when it is judged, a stretch of each, drawn anew, when it learns."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from snowroll.base.nouns import Batch
from snowroll.base.task import Columns, Draw
from snowroll.design.writing import PAD
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.spelling import COLUMNS, kind_in


class Wanted(NamedTuple):
    """Targets of a batch."""

    follows: Tensor  # [B, T] the token that follows each code; -1: nothing is known of it
    tokens: Tensor  # [B, L] all tokens of the passage and of what follows it; -1 after their end
    answer: Tensor  # [B, A] codes of what follows; PAD after their end


def as_batch(columns: Columns, ids: Tensor) -> Batch:
    """The pack's columns as codes, and what follows each of them where targets are known."""
    codes = columns[COLUMNS[kind_in(columns)]].long()
    if "tokens" not in columns:
        return Batch(codes, None, ids)
    tokens, answer = columns["tokens"].long(), columns["answer"].long()
    size = codes.shape[1]
    follows = F.pad(tokens, (0, max(0, size - tokens.shape[1])), value=-1)[:, :size]
    follows = torch.where(codes == PAD, -1, follows)
    return Batch(codes, Wanted(follows, tokens, answer), ids)


def stretches(batch: Batch, draw: Draw, options: WriteOptions) -> Batch:
    """Of each passage, with what follows it, `context` codes from a place of its own: a crop, as of a picture."""
    codes, wanted = batch.inputs, batch.targets
    size = min(options.context, codes.shape[1])
    count = (codes != PAD).sum(dim=1)
    whole = torch.cat([codes, torch.full_like(wanted.answer, PAD)], dim=1)
    places = count[:, None] + torch.arange(wanted.answer.shape[1], device=codes.device)
    whole = whole.scatter(1, places, wanted.answer)
    told = (wanted.tokens >= 0).sum(dim=1)
    start = (draw.uniform("start", 1)[:, 0] * (told - size + 1).clamp(min=1)).long()
    return _cut(whole, wanted, start, size, batch.ids)


def beginnings(batch: Batch, options: WriteOptions) -> Batch:
    """The first `context` codes of each passage: whole samples in the time of a stretch."""
    size = min(options.context, batch.inputs.shape[1])
    return _cut(batch.inputs, batch.targets, torch.zeros_like(batch.ids), size, batch.ids)


def _cut(codes: Tensor, wanted: Wanted, start: Tensor, size: int, ids: Tensor) -> Batch:
    places = start[:, None] + torch.arange(size, device=codes.device)
    inputs = codes.gather(1, places.clamp(max=codes.shape[1] - 1))
    tokens = F.pad(wanted.tokens, (0, max(0, size - wanted.tokens.shape[1])), value=-1)
    follows = tokens.gather(1, places.clamp(max=tokens.shape[1] - 1))
    follows = torch.where(inputs == PAD, -1, follows)
    return Batch(inputs, Wanted(follows, wanted.tokens, wanted.answer), ids)


def loss(logits: Tensor, wanted: Wanted) -> Tensor:
    """[B] nats a token, the mean over each passage's own. logits: [B, T, V]."""
    flat = F.cross_entropy(
        logits.float().flatten(0, 1), wanted.follows.flatten(), ignore_index=-1, reduction="none"
    ).view(wanted.follows.shape)
    return flat.sum(dim=1) / (wanted.follows >= 0).sum(dim=1).clamp(min=1)
