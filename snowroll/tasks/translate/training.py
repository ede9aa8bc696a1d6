"""What a translator learns: each next token of the translation, given the source and the tokens before it."""

from __future__ import annotations

from math import log
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from snowroll.base.nouns import Batch
from snowroll.base.task import Columns
from snowroll.design.translator import END, PAD
from snowroll.tasks.translate.options import TranslateOptions

PARTS = 4  # of a batch, by length: 1.5x the steps of whole batches of 128 in the same time; 8 are no faster
FEWEST = 16  # pairs in one, below which the network's own overhead shows. A guess


def as_batch(columns: Columns, ids: Tensor) -> Batch:
    """The pack's columns: tokens of sources, and of translations where they are known."""
    target = columns.get("target")
    return Batch(columns["source"].long(), None if target is None else target.long(), ids)


def loss(model: Any, batch: Batch, options: TranslateOptions) -> Tensor:
    """[B] nats a token, the mean over each translation's own: of answers from smoothed targets (0 is perfect).

    The same while the model learns and while it is judged, so that the two can be compared. On a processor pairs of
    about one length go through the network together, for half of what is padded to the longest of all is padding.
    """
    sources, wanted = batch.inputs, batch.targets[:, : options.longest]
    parts = min(PARTS, len(sources) // FEWEST) if sources.device.type == "cpu" else 1
    if parts < 2:
        return _loss(model, trimmed(sources), trimmed(wanted), options.smoothing)
    order = ((sources != PAD).sum(dim=1) + (wanted != PAD).sum(dim=1)).argsort(stable=True)
    each = [_loss(model, trimmed(sources[i]), trimmed(wanted[i]), options.smoothing) for i in order.chunk(parts)]
    return torch.cat(each)[order.argsort()]


def _loss(model: Any, sources: Tensor, wanted: Tensor, smoothing: float) -> Tensor:
    given = F.pad(wanted[:, :-1], (1, 0), value=END)
    states = model.taught(sources, given)
    known = wanted != PAD
    # only what is there is asked for: the table of tokens is the costliest layer
    nats = F.cross_entropy(
        model.logits(states[known]).float(), wanted[known], reduction="none", label_smoothing=smoothing
    )
    if smoothing:
        nats = nats - entropy(smoothing, model.embed.weight.shape[0])
    each = torch.zeros_like(known, dtype=nats.dtype).masked_scatter(known, nats)
    return each.sum(dim=1) / known.sum(dim=1).clamp(min=1)


def entropy(smoothing: float, vocabulary: int) -> float:
    """Nats of a target that gives `smoothing` to all tokens alike: what no model can lose less than."""
    rest = smoothing / vocabulary
    return -(1 - smoothing + rest) * log(1 - smoothing + rest) - (vocabulary - 1) * rest * log(rest)


def trimmed(tokens: Tensor) -> Tensor:
    """Without what is padding in every row."""
    return tokens[:, : max(1, int((tokens != PAD).sum(dim=1).max()))]
