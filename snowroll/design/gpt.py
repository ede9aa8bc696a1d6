"""A decoder-only transformer over tokens: pre-norm, rotary positions, normalised queries and keys, squared ReLU.

Small choices that add up (Jordan et al. 2024, modded-nanogpt): no biases, norms without gains, zero output projections
so that every block begins as the identity, a head of its own. Positions are rotations (Su et al. 2021, RoFormer,
eq. 34), so nothing is learnt of them; queries and keys are normalised (Henry et al. 2020), so attention cannot blow up.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.design.attention import attended
from snowroll.design.dropout import Dropout
from snowroll.design.runs import Runs

BASE = 10_000.0  # of the slowest rotation's period, as in RoFormer


class Memory(NamedTuple):
    """The first `length` tokens [B, context], and what is attended to: keys, values [layers, B, H, context, D / H]."""

    keys: Tensor
    values: Tensor
    tokens: Tensor
    length: int


class GPT(nn.Module):
    """Tokens [B, T] to logits [B, T, V]; the token V stands for nothing before the text. T is at most `context`."""

    cos: Tensor
    sin: Tensor

    def __init__(
        self,
        vocabulary: int,
        width: int,
        depth: int,
        heads: int,
        context: int,
        dropout: float = 0.0,
        runs: Runs | None = None,
    ) -> None:
        """runs: vectors of neighbouring tokens, to be added to those of tokens."""
        super().__init__()
        self.context, self.heads = context, heads
        self.embed = nn.Embedding(vocabulary + 1, width)
        self.runs = runs
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.head = nn.Linear(width, vocabulary, bias=False)
        nn.init.normal_(self.embed.weight)
        nn.init.normal_(self.head.weight, std=0.02 / width**0.5)  # small: the loss starts at ln V
        cos, sin = rotations(context, width // heads)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.dropout(self._read(tokens))
        for block in self.blocks:
            x = block(x, self.cos[:length], self.sin[:length])
        return self.head(normed(x))

    def _read(self, tokens: Tensor) -> Tensor:
        told = self.embed(tokens)
        return normed(told if self.runs is None else told + self.runs(tokens))

    def begin(self, batch: int) -> Memory:
        """An empty memory for `step`."""
        width = self.embed.weight.shape[1]
        shape = (len(self.blocks), batch, self.heads, self.context, width // self.heads)
        empty = self.embed.weight.new_zeros(shape)
        nothing = torch.full((batch, self.context), self.embed.num_embeddings - 1, device=empty.device)
        return Memory(empty, torch.zeros_like(empty), nothing, 0)

    def step(self, tokens: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Logits [B, n, V] of the next n tokens [B, n], after what the memory holds; and the memory with them in it.

        The numbers are those of `forward` on all tokens. The memory is changed in place.
        """
        start, stop = memory.length, memory.length + tokens.shape[1]
        memory.tokens[:, start:stop] = tokens
        first = max(0, start - (self.runs.reach if self.runs else 0))
        x = self._read(memory.tokens[:, first:stop])[:, start - first :]
        for block, keys, values in zip(self.blocks, memory.keys, memory.values, strict=True):
            assert isinstance(block, Block)
            x = block.step(x, self.cos[start:stop], self.sin[start:stop], keys, values, start)
        return self.head(normed(x)), Memory(memory.keys, memory.values, memory.tokens, stop)

    def remembered(self) -> dict[str, Tensor]:
        """An empty memory for `further`: keys and values [layers, 1, H, 0, D / H], and the tokens that runs look at."""
        shape = (len(self.blocks), 1, self.heads, 0, self.embed.weight.shape[1] // self.heads)
        empty = {"keys": torch.zeros(shape), "values": torch.zeros(shape)}
        if self.runs is not None:
            empty["before"] = torch.full((1, self.runs.reach), self.embed.num_embeddings - 1)
        return empty

    def further(self, tokens: Tensor, keys: Tensor, values: Tensor, before: Tensor | None = None) -> tuple[Tensor, ...]:
        """`step` without a place to write to, as a graph needs it: logits [1, V] of what follows the tokens [1, n], and
        the memory with them in it, in the order of `remembered`.
        """
        start, count = keys.shape[3], tokens.shape[1]
        told = tokens if before is None else torch.cat([before, tokens], dim=1)
        x = self._read(told)[:, told.shape[1] - count :]
        places = start + torch.arange(count)  # no slice: a graph would have to know that it ends within the context
        cos, sin = self.cos[places], self.sin[places]
        kept = []
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Block)
            x, *own = block.further(x, cos, sin, keys[number], values[number])
            kept.append(own)
        logits = self.head(normed(x[:, -1]))
        memory = [torch.stack([own[part] for own in kept]) for part in (0, 1)]
        return logits, *memory, *(() if before is None else (told[:, count:],))


class Block(nn.Module):
    """Attention to what came before, then a layer of its own for each place; both added to what comes in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.look = nn.Linear(width, 3 * width, bias=False)
        self.tell = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        self.dropout = Dropout(dropout)
        for layer in (self.look, self.up):
            nn.init.uniform_(layer.weight, -((3 / width) ** 0.5), (3 / width) ** 0.5)
        for layer in (self.tell, self.down):
            nn.init.zeros_(layer.weight)

    def forward(self, x_BTD: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        q, k, v = self._heads(x_BTD, cos, sin)
        seen = attended(q, k, v, causal=True)
        return self._after(x_BTD, seen)

    def step(self, x_BTD: Tensor, cos: Tensor, sin: Tensor, keys: Tensor, values: Tensor, start: int) -> Tensor:
        """keys, values: [B, H, context, D / H] of earlier tokens, written to."""
        q, k, v = self._heads(x_BTD, cos, sin)
        count = x_BTD.shape[1]
        stop = start + count
        keys[:, :, start:stop], values[:, :, start:stop] = k, v
        mask = None
        if count > 1:
            mask = torch.ones(count, stop, dtype=torch.bool, device=x_BTD.device).tril(start)
        seen = attended(q, keys[:, :, :stop], values[:, :, :stop], mask=mask)
        return self._after(x_BTD, seen)

    def further(
        self, x_BTD: Tensor, cos: Tensor, sin: Tensor, keys: Tensor, values: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """keys, values: [B, H, t, D / H] of earlier tokens; they come back with those of x behind them."""
        q, k, v = self._heads(x_BTD, cos, sin)
        keys, values = torch.cat([keys, k], dim=2), torch.cat([values, v], dim=2)
        places = torch.arange(keys.shape[2])
        mask = places <= places[keys.shape[2] - x_BTD.shape[1] :, None]
        return self._after(x_BTD, attended(q, keys, values, mask=mask)), keys, values

    def _heads(self, x_BTD: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values [B, H, T, D / H]. Queries and keys are normalised and turned in one go."""
        B, T, D = x_BTD.shape
        both, v = self.look(normed(x_BTD)).split([2 * D, D], dim=2)
        both = turned(normed(both.view(B, T, 2 * self.heads, D // self.heads)), cos[:, None], sin[:, None])
        q, k = both.transpose(1, 2).chunk(2, dim=1)
        return q, k, v.view(B, T, self.heads, D // self.heads).transpose(1, 2)

    def _after(self, x_BTD: Tensor, seen_BHTd: Tensor) -> Tensor:
        B, T, D = x_BTD.shape
        x = x_BTD + self.dropout(self.tell(seen_BHTd.transpose(1, 2).reshape(B, T, D)))
        return x + self.dropout(self.down(F.relu(self.up(normed(x))).square()))


def normed(x: Tensor) -> Tensor:
    """Mean 0 and variance 1 along the last axis, without a gain (Ba et al. 2016, eq. 4).

    Dividing by the root mean square alone (Zhang & Sennrich 2019) learns as well, and is slower where no kernel is made
    for it: on a processor a step took a third longer.
    """
    return F.layer_norm(x, (x.shape[-1],))


def rotations(length: int, width: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines [T, d / 2] of the angles by which pairs of values are turned at each place."""
    turns = BASE ** (-torch.arange(0, width, 2) / width)
    angles = torch.outer(torch.arange(length).float(), turns)
    return angles.cos(), angles.sin()


def turned(x_BThd: Tensor, cos_T1d: Tensor, sin_T1d: Tensor) -> Tensor:
    """Pairs of values rotated by their place in the text (RoFormer, eq. 34; halves are paired, not neighbours)."""
    one, other = x_BThd.chunk(2, dim=-1)
    cos, sin = cos_T1d.to(x_BThd.dtype), sin_T1d.to(x_BThd.dtype)
    return torch.cat([one * cos - other * sin, one * sin + other * cos], dim=-1)
