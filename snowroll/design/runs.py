"""Vectors of runs of tokens: what n-gram counting knows, given to a network at its door.

Tables of hashed n-grams beside that of tokens (Roy et al. 2022, N-Grammer; Huang et al. 2025, Over-Tokenized
Transformer, sec. 3.2). A network of a few layers needs hundreds of steps until it tells runs of tokens apart by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Runs(nn.Module):
    """Tokens [B, T] to [B, T, width]: of each token, the runs of 2 to `longest` tokens that end with it.

    Tokens are at most `nothing`, which stands before the text. Runs of one length share a table of at most `rows`, by
    their number modulo a prime; all begin at zero.
    """

    def __init__(self, longest: int, nothing: int, rows: int, width: int) -> None:
        super().__init__()
        self.nothing, self.reach = nothing, longest - 1
        prime = _prime_below(max(3, rows))
        self.sizes = [min((nothing + 1) ** count, prime) for count in range(2, longest + 1)]
        each = max(1, width // 4)
        self.tables = nn.ModuleList(nn.Embedding(size, each) for size in self.sizes)
        self.joined = nn.Linear(each * len(self.sizes), width, bias=False)
        nn.init.orthogonal_(self.joined.weight)
        for table in self.tables:
            assert isinstance(table, nn.Embedding)
            nn.init.zeros_(table.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        number, told = tokens, []
        for before, (table, size) in enumerate(zip(self.tables, self.sizes, strict=True), 1):
            earlier = F.pad(tokens, (before, 0), value=self.nothing)[:, : tokens.shape[1]]
            number = torch.remainder(number * (self.nothing + 1) + earlier, size)
            told.append(table(number))
        return self.joined(torch.cat(told, dim=-1))


def _prime_below(limit: int) -> int:
    """The largest prime of at most `limit`.

    >>> _prime_below(65_536)
    65521
    """
    return next(n for n in range(limit, 1, -1) if all(n % divisor for divisor in range(2, int(n**0.5) + 1)))
