"""A model of text that reads codes of characters, bytes or pieces, and tells what follows each of them.

A model of tokens (design/gpt.py, design/char_rnn.py) between two tables. Texts longer than the model's context are read
in windows of it, each of which begins with the character before its first; what follows the end of the text is told
from the last `context` characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from snowroll.design.sampling import Taste, gone_on

START, PAD = -2, -1  # codes beside those of characters: before the text, and after its end


class Heard(NamedTuple):
    """What a model makes of texts."""

    logits: Tensor  # [B, T, V] of what follows each code
    own: Tensor  # [B, T] what does follow, as far as the text itself tells; -1: it does not
    last: Tensor  # [B, V] logits of what follows the text
    characters: Tensor  # [B] that were told of: those that begin in a token
    strange: Tensor  # [B] of them, those that the model has no token for


class Writer(nn.Module):
    """Codes int64 [B, T] (START, the text, PAD ...) to `Heard`."""

    table: Tensor
    begun: Tensor

    def __init__(
        self, tokens: nn.Module, codes: Sequence[int], context: int, begun: Sequence[int] | None = None
    ) -> None:
        """tokens: the model between the tables. codes: what each token stands for, rising.

        begun: how many characters begin in each token. None: a token is a character, and there is one token more than
        codes, for any other.
        """
        super().__init__()
        self.tokens, self.context = tokens, context
        # beginnings of the names of weights that are meant not to learn
        self.stands_still = ("tokens.network.",) if getattr(tokens, "lora", 0) else ()
        self.any_other = begun is None
        self.size = len(codes) + self.any_other
        self.register_buffer("begun", torch.tensor(begun or [1] * self.size), persistent=False)
        unknown = len(codes)  # of bytes there is none
        table = torch.full(((codes[-1] if len(codes) else 0) + 4,), unknown, dtype=torch.int64)
        table[torch.tensor(codes, dtype=torch.int64) + 2] = torch.arange(len(codes))
        table[:2] = self.size  # START and PAD: nothing
        self.register_buffer("table", table, persistent=False)

    def forward(self, codes: Tensor) -> Heard:
        ids = self.ids(codes)
        logits = self._in_windows(ids)
        follows = torch.cat([ids[:, 1:], torch.full_like(ids[:, :1], self.size)], dim=1)
        own = torch.where(follows == self.size, -1, follows)
        known = own >= 0
        begun = torch.where(known, self.begun[own.clamp(min=0)], 0)
        strange = known & (own == self.size - 1) if self.any_other else torch.zeros_like(known)
        return Heard(logits, own, self._last(ids, logits), begun.sum(dim=1), strange.sum(dim=1))

    def ids(self, codes: Tensor) -> Tensor:
        """Codes to tokens; those of START and PAD are `size`."""
        return self.table[(codes + 2).clamp(0, self.table.shape[0] - 1)]

    def _in_windows(self, ids: Tensor) -> Tensor:
        B, T = ids.shape
        if self.context >= T:
            return self.tokens(ids)
        windows = -(-T // self.context)
        filled = nn.functional.pad(ids, (0, windows * self.context - T), value=self.size)
        logits = self.tokens(filled.reshape(B * windows, self.context))
        return logits.reshape(B, windows * self.context, self.size)[:, :T]

    def _last(self, ids: Tensor, logits: Tensor) -> Tensor:
        """[B, V] what follows the last code that is not PAD."""
        B, T = ids.shape
        count = (ids[:, 1:] != self.size).sum(dim=1)  # place of the last code: START is at 0
        if self.context >= T:
            return logits.gather(1, count.view(B, 1, 1).expand(B, 1, self.size))[:, 0]
        first = (count - self.context + 1).clamp(min=0)
        places = first[:, None] + torch.arange(self.context, device=ids.device)
        window = ids.gather(1, places.clamp(max=T - 1))
        of_window = self.tokens(window)
        return of_window.gather(1, (count - first).view(B, 1, 1).expand(B, 1, self.size))[:, 0]


@torch.inference_mode()
def written(tokens: Any, ids: Sequence[int], taste: Taste, forbidden: Sequence[int] = ()) -> Iterator[int]:
    """What a model of tokens writes after `ids`, see `sampling.gone_on`."""
    yield from gone_on(_Remembering(tokens), ids, taste, forbidden)


class _Remembering:
    """A model of tokens as `sampling.gone_on` reads with it."""

    def __init__(self, tokens: Any) -> None:
        self._tokens, self.context = tokens, tokens.context

    def begin(self) -> Any:
        return self._tokens.begin(1)

    def read(self, tokens: Sequence[int], memory: Any) -> tuple[np.ndarray, Any]:
        told, memory = self._tokens.step(torch.tensor([tokens], device=self._tokens.embed.weight.device), memory)
        return told[0, -1].float().cpu().numpy(), memory


class Further(nn.Module):
    """A model of tokens as a graph: more tokens [1, n] and the memory to logits [1, V] of what follows and the memory
    with them in it.
    """

    def __init__(self, tokens: Any) -> None:
        super().__init__()
        self.tokens = tokens

    def forward(self, numbers: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        return self.tokens.further(numbers, *memory)
