"""A recurrent network over tokens, LSTM (Hochreiter & Schmidhuber 1997) or GRU (Cho et al. 2014): char-RNN.

After Karpathy 2015, "The Unreasonable Effectiveness of Recurrent Neural Networks".
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn


class CharRNN(nn.Module):
    """Tokens [B, T] to logits [B, T, V]; the token V stands for nothing before the text."""

    def __init__(
        self,
        vocabulary: int,
        width: int,
        depth: int,
        context: int,
        kind: Literal["lstm", "gru"] = "lstm",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.context = context
        self.embed = nn.Embedding(vocabulary + 1, width)
        network = nn.LSTM if kind == "lstm" else nn.GRU
        self.layers = network(width, width, depth, batch_first=True, dropout=dropout if depth > 1 else 0.0)
        self.head = nn.Linear(width, vocabulary)
        nn.init.normal_(self.head.weight, std=0.02 / width**0.5)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.layers(self.embed(tokens))[0])

    def begin(self, batch: int) -> tuple[Tensor | None, int]:
        """An empty memory for `step`: the layers' state, and how many tokens it has seen."""
        return None, 0

    def step(self, tokens: Tensor, memory: tuple[object, int]) -> tuple[Tensor, tuple[object, int]]:
        """Logits [B, n, V] of the next n tokens, after what the memory holds; and the memory with them in it."""
        state, length = memory
        seen, state = self.layers(self.embed(tokens), state)
        return self.head(seen), (state, length + tokens.shape[1])

    def remembered(self) -> dict[str, Tensor]:
        """An empty memory for `further`: the layers' state [layers, 1, width], of an LSTM two."""
        empty = torch.zeros(self.layers.num_layers, 1, self.layers.hidden_size)
        return {"state": empty, "cell": empty} if isinstance(self.layers, nn.LSTM) else {"state": empty}

    def further(self, tokens: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        """`step` as a graph needs it: logits [1, V] of what follows the tokens [1, n], and the memory after them."""
        state: Any = memory if isinstance(self.layers, nn.LSTM) else memory[0]
        seen, state = self.layers(self.embed(tokens), state)
        return self.head(seen[:, -1]), *(state if isinstance(self.layers, nn.LSTM) else (state,))
