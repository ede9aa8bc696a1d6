"""What is kept of a model's outputs: the next token's probabilities, and how well each text was told."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from snowroll.design.writing import Heard
from snowroll.tasks.write_text.texts import SPELLED


def measured(heard: Heard) -> Mapping[str, Tensor]:
    """next [B, V] probabilities; nats, tokens and characters [B], over all of a text.

    A character without a token costs what the token for all others does, and its spelling: ln 1,112,064 nats.
    """
    shares = heard.logits.float().log_softmax(dim=2)
    known = heard.own >= 0
    nats = -shares.gather(2, heard.own.clamp(min=0)[:, :, None])[:, :, 0]
    nats = (nats * known).sum(dim=1) + SPELLED * heard.strange.float()
    return {
        "next": heard.last.float().softmax(dim=1),
        "nats": nats,
        "tokens": known.sum(dim=1).float(),
        "characters": heard.characters.float(),
    }
