"""An encoder and a decoder over one table of tokens (Vaswani et al. 2017), and the search for the likeliest answer.

Blocks are pre-norm, as in design/gpt.py, whose small choices they share: rotary positions, normalised queries and keys,
squared ReLU, output projections that start at zero. One table serves source, target and output (Press & Wolf 2017).
The whole search is part of the network, so that the exported file answers in one pass: while_loop there, `while` here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.design.attention import attended
from snowroll.design.dropout import Dropout
from snowroll.design.gpt import normed, rotations, turned

PAD, END = 0, 1  # END closes a text, and stands before the first token of an answer
SPECIAL = 2
NEVER = -1e9  # log-probability of what is no hypothesis


class Said(NamedTuple):
    """What is answered."""

    tokens: Tensor  # [B, L] int64: the answer and END, then PAD
    log_probability: Tensor  # [B] of the answer, its END included where there is one; natural logarithm
    length: Tensor  # [B] int64, tokens of the answer with its END


class Search(NamedTuple):
    """How the answer is looked for."""

    beams: int = 4  # hypotheses that are kept; 1: greedy
    longest: int = 64  # tokens of an answer
    penalty: float = 0.6  # alpha of Wu et al. 2016, eq. 14: 0 prefers short answers


class Hypotheses(NamedTuple):
    """What the search knows after n tokens, of K hypotheses for each of B sources."""

    n: Tensor  # [] int64
    last: Tensor  # [B, K] int64: the token written last
    told: Tensor  # [B, K, L] int64: all of them, then PAD
    score: Tensor  # [B, K] log-probability
    length: Tensor  # [B, K] int64, tokens with the END
    done: Tensor  # bool [B, K]: END is written
    own: Tensor  # bool [B, K, L * K]: which of the K tokens of each earlier place are its ancestors


_KNOWN = len(Hypotheses._fields)  # before the caches in the state of the search


def _places(found: Hypotheses) -> Tensor:
    """[K] where the last tokens lie among the L * K of a cache."""
    K = found.last.shape[1]
    return found.n * K + torch.arange(K, device=found.n.device)


def _with_this_place(found: Hypotheses) -> Hypotheses:
    """Each hypothesis is its own ancestor at the place of its last token."""
    B, K = found.last.shape
    itself = torch.eye(K, dtype=torch.bool, device=found.own.device).expand(B, K, K)
    return found._replace(own=found.own.index_copy(2, _places(found), itself))


class Translator(nn.Module):
    """Tokens int64 [B, S] (PAD after their end) to `Said`; `taught` gives the states that a loss asks for."""

    cos: Tensor
    sin: Tensor

    def __init__(
        self, vocabulary: int, width: int, depth: int, heads: int, longest: int, dropout: float, search: Search
    ) -> None:
        """vocabulary: with PAD and END. longest: tokens of a source, or of an answer with its END."""
        super().__init__()
        self.search, self.heads = search, heads
        self.embed = nn.Embedding(vocabulary, width)
        self.dropout = Dropout(dropout)
        self.readers = nn.ModuleList(Reader(width, heads, dropout) for _ in range(depth))
        self.writers = nn.ModuleList(Writer(width, heads, dropout) for _ in range(depth))
        nn.init.normal_(self.embed.weight, std=0.1 * width**-0.5)  # small: the loss starts near ln V
        cos, sin = rotations(max(longest, search.longest) + 1, width // heads)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, sources: Tensor) -> Said:
        if not torch.compiler.is_exporting():  # what is padding in all of them costs nothing
            sources = sources[:, : max(1, int((sources != PAD).sum(dim=1).max()))]
        return self.searched(*self.read(sources))

    def read(self, sources: Tensor) -> tuple[Tensor, Tensor]:
        """(states [B, S, D], bool [B, 1, 1, S]: where there is a token). A source of nothing counts as one PAD."""
        known = sources != PAD
        known = known | (torch.arange(sources.shape[1], device=sources.device) == 0)
        mask = known[:, None, None]
        x = self._embedded(sources)
        for reader in self.readers:
            x = reader(x, self.cos[: sources.shape[1]], self.sin[: sources.shape[1]], mask)
        return normed(x), mask

    def taught(self, sources: Tensor, given: Tensor) -> Tensor:
        """States [B, T, D] from which `logits` tells what follows each token of `given` [B, T], which END begins."""
        states, mask = self.read(sources)
        x = self._embedded(given)
        for writer in self.writers:
            x = writer(x, self.cos[: given.shape[1]], self.sin[: given.shape[1]], states, mask)
        return normed(x)

    def logits(self, states: Tensor) -> Tensor:
        """[..., V] of states [..., D]."""
        return F.linear(states, self.embed.weight)

    def _embedded(self, tokens: Tensor) -> Tensor:
        return self.dropout(normed(self.embed(tokens)))

    # the search -------------------------------------------------------------------------------------------------------

    def searched(self, states: Tensor, mask: Tensor) -> Said:
        """The likeliest answer by beam search: K hypotheses side by side, ranked by their length-normalised score."""
        memory = self._memory(states)

        def more(*state: Tensor) -> Tensor:
            found = Hypotheses(*state[:_KNOWN])
            return (found.n < self.search.longest) & ~found.done.all()

        def step(*state: Tensor) -> tuple[Tensor, ...]:
            found, caches = _with_this_place(Hypotheses(*state[:_KNOWN])), state[_KNOWN:]
            shares, caches = self._what_follows(found, caches, memory, mask)
            return (*self._best(found, shares), *caches)

        state = self._begun(states)
        if torch.compiler.is_exporting():
            from torch._higher_order_ops.while_loop import while_loop

            state = while_loop(more, step, state)
        else:
            while bool(more(*state)):
                state = step(*state)
        return self._likeliest(Hypotheses(*state[:_KNOWN]))

    def _memory(self, states: Tensor) -> Tensor:
        """[layers, 2, B, heads, S, D / heads]: keys and values of the source, which every step looks at."""
        seen = [writer.seen(states) for writer in self.writers if isinstance(writer, Writer)]
        return torch.stack([torch.stack(pair) for pair in seen])

    def _begun(self, states: Tensor) -> tuple[Tensor, ...]:
        """Hypotheses of no token, and for each layer a cache of keys and values [2, B, heads, L * K, D / heads]. What
        is written there is never moved. All hypotheses are the same one, so only the first may be gone on with.
        """
        B, K, L, device = states.shape[0], self.search.beams, self.search.longest, states.device
        found = Hypotheses(
            n=torch.zeros((), dtype=torch.int64, device=device),
            last=torch.full((B, K), END, dtype=torch.int64, device=device),
            told=torch.full((B, K, L), PAD, dtype=torch.int64, device=device),
            score=torch.where(torch.arange(K, device=device) == 0, 0.0, NEVER).expand(B, K).clone(),
            length=torch.zeros(B, K, dtype=torch.int64, device=device),
            done=torch.zeros(B, K, dtype=torch.bool, device=device),
            own=torch.zeros(B, K, L * K, dtype=torch.bool, device=device),
        )
        width = states.shape[2] // self.heads
        return (*found, *(states.new_zeros(2, B, self.heads, L * K, width) for _ in self.writers))

    def _what_follows(
        self, found: Hypotheses, caches: Sequence[Tensor], memory: Tensor, mask: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """(log-probability [B, K, V] of each token after the last one, the caches with the last one's)."""
        x, at = normed(self.embed(found.last)), found.n.reshape(1)
        cos, sin, places = self.cos.index_select(0, at), self.sin.index_select(0, at), _places(found)
        written: list[Tensor] = []
        for number, writer in enumerate(self.writers):
            assert isinstance(writer, Writer)
            x, cache = writer.step(x, cos, sin, caches[number], places, found.own, memory[number], mask)
            written.append(cache)
        return self.logits(normed(x)).float().log_softmax(dim=2), written

    def _best(self, found: Hypotheses, shares: Tensor) -> Hypotheses:
        """The K best of all hypotheses with a token more. shares: log-probabilities [B, K, V] of each token."""
        is_pad = torch.arange(shares.shape[2], device=shares.device) == PAD
        # a hypothesis that is finished goes on with nothing, at no cost
        nothing, no_pad = torch.where(is_pad, 0.0, NEVER), torch.where(is_pad, NEVER, 0.0)
        scores = found.score[:, :, None] + torch.where(found.done[:, :, None], nothing, shares + no_pad)
        length = found.length + (~found.done).long()
        ranked = (scores / self._penalty(length)[:, :, None]).flatten(1)
        best = ranked.topk(self.search.beams, dim=1).indices
        parent, token = best // shares.shape[2], best % shares.shape[2]
        told = found.told.gather(1, parent[:, :, None].expand_as(found.told))
        return Hypotheses(
            n=found.n + 1,
            last=token,
            told=told.index_copy(2, found.n.reshape(1), token[:, :, None]),
            score=scores.flatten(1).gather(1, best),
            length=length.gather(1, parent),
            done=found.done.gather(1, parent) | (token == END),
            own=found.own.gather(1, parent[:, :, None].expand_as(found.own)),
        )

    def _likeliest(self, found: Hypotheses) -> Said:
        """An answer that came to no end is worth less than one that did."""
        ranked = found.score / self._penalty(found.length) + torch.where(found.done, 0.0, NEVER / 10)
        first = ranked.argmax(dim=1, keepdim=True)
        tokens = found.told.gather(1, first[:, :, None].expand(-1, -1, found.told.shape[2]))[:, 0]
        return Said(tokens, found.score.gather(1, first)[:, 0].float(), found.length.gather(1, first)[:, 0])

    def _penalty(self, lengths: Tensor) -> Tensor:
        """Wu et al. 2016, eq. 14."""
        return ((5.0 + lengths.float()) / 6.0) ** self.search.penalty


class Attention(nn.Module):
    """Multi-head attention with normalised queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ask = nn.Linear(width, width, bias=False)
        self.show = nn.Linear(width, 2 * width, bias=False)
        self.tell = nn.Linear(width, width, bias=False)
        for layer in (self.ask, self.show):
            nn.init.uniform_(layer.weight, -((3 / width) ** 0.5), (3 / width) ** 0.5)
        nn.init.zeros_(self.tell.weight)

    def queries(self, x_BTD: Tensor) -> Tensor:
        """[B, T, heads, D / heads]"""
        B, T, D = x_BTD.shape
        return normed(self.ask(x_BTD).view(B, T, self.heads, D // self.heads))

    def shown(self, x_BTD: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, T, heads, D / heads]."""
        B, T, D = x_BTD.shape
        keys, values = self.show(x_BTD).view(B, T, 2 * self.heads, D // self.heads).chunk(2, dim=2)
        return normed(keys), values

    def told(self, q_BThd: Tensor, keys_BhSd: Tensor, values_BhSd: Tensor, mask: Tensor | None) -> Tensor:
        """[B, T, D]. mask: bool, True where may be looked; None: at what came before."""
        q = q_BThd.transpose(1, 2)
        seen = attended(q, keys_BhSd, values_BhSd, mask=mask, causal=mask is None)
        return self.tell(seen.transpose(1, 2).flatten(2))


class Apart(nn.Module):
    """A layer of its own for each place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)
        nn.init.uniform_(self.up.weight, -((3 / width) ** 0.5), (3 / width) ** 0.5)
        nn.init.zeros_(self.down.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)).square())


class Reader(nn.Module):
    """Attention to the whole source."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.look, self.apart, self.dropout = Attention(width, heads), Apart(width), Dropout(dropout)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        y = normed(x)
        q = turned(self.look.queries(y), cos[:, None], sin[:, None])
        keys, values = self.look.shown(y)
        keys = turned(keys, cos[:, None], sin[:, None])
        x = x + self.dropout(self.look.told(q, keys.transpose(1, 2), values.transpose(1, 2), mask))
        return x + self.dropout(self.apart(normed(x)))


class Writer(nn.Module):
    """Attention to what is written so far, then to the source."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.look, self.over = Attention(width, heads), Attention(width, heads)
        self.apart, self.dropout = Apart(width), Dropout(dropout)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        y = normed(x)
        q = turned(self.look.queries(y), cos[:, None], sin[:, None])
        keys, values = self.look.shown(y)
        keys = turned(keys, cos[:, None], sin[:, None])
        x = x + self.dropout(self.look.told(q, keys.transpose(1, 2), values.transpose(1, 2), None))
        return self._after(x, *self.seen(states), mask)

    def seen(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [B, heads, S, D / heads] of the source."""
        keys, values = self.over.shown(states)
        return keys.transpose(1, 2), values.transpose(1, 2)

    def step(
        self,
        x_BKD: Tensor,
        cos: Tensor,
        sin: Tensor,
        cache: Tensor,
        places: Tensor,
        own: Tensor,
        memory: Tensor,
        mask: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """One token of K hypotheses. cache [2, B, heads, L * K, D / heads] is returned with theirs at `places` [K].

        own: bool [B, K, L * K], what each hypothesis may look at.
        """
        y = normed(x_BKD)
        q = turned(self.look.queries(y), cos[:, None], sin[:, None])
        keys, values = self.look.shown(y)
        new = torch.stack([turned(keys, cos[:, None], sin[:, None]), values]).transpose(2, 3).to(cache.dtype)
        if torch.compiler.is_exporting() or torch.is_grad_enabled():
            cache, many = cache.index_copy(3, places, new), cache.shape[3]
        else:  # in place, and what is not written yet is not looked at
            cache, many = cache.index_copy_(3, places, new), int(places[-1]) + 1
        x = x_BKD + self.look.told(q, cache[0, :, :, :many], cache[1, :, :, :many], own[:, None, :, :many])
        return self._after(x, memory[0], memory[1], mask), cache

    def _after(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        x = x + self.dropout(self.over.told(self.over.queries(normed(x)), keys, values, mask))
        return x + self.dropout(self.apart(normed(x)))
