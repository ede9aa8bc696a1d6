"""The models: small, with random weights, one for each program."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def plain_convnet(classes: int) -> nn.Sequential:
    """Three convolutions with batch norm for pictures of 8 x 8."""
    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 4 * 4, classes)),
    )


class ResidualNet(nn.Module):
    """A convolution, a pooling, residual blocks of one width (He et al. 2016), the mean over places, a linear head."""

    def __init__(self, classes: int, width: int = 16, blocks: int = 3, norm: Callable[[int], nn.Module] | None = None):
        super().__init__()
        norm = norm or nn.BatchNorm2d
        self.stem = nn.Sequential(
            *(nn.Conv2d(3, width, 3, padding=1, bias=False), norm(width), nn.ReLU(), nn.MaxPool2d(2))
        )
        self.blocks = nn.Sequential(*(ResidualBlock(width, norm) for _ in range(blocks)))
        self.head = nn.Linear(width, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(pictures)).mean(dim=(2, 3)))


class ResidualBlock(nn.Module):
    def __init__(self, width: int, norm: Callable[[int], nn.Module]):
        super().__init__()
        self.branch = nn.Sequential(
            *(nn.Conv2d(width, width, 3, padding=1, bias=False), norm(width), nn.ReLU()),
            *(nn.Conv2d(width, width, 3, padding=1, bias=False), norm(width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.branch(x))


class BeatNet(nn.Module):
    """Two 1-D convolutions, one layer of attention over time, the mean over time. Inputs [B, C, T]."""

    def __init__(self, channels: int, classes: int, width: int = 32):
        super().__init__()
        self.stem = nn.Sequential(
            *(nn.Conv1d(channels, width, 7, stride=2, padding=3), nn.ReLU()),
            *(nn.Conv1d(width, width, 5, stride=2, padding=2), nn.ReLU()),
        )
        self.attention = nn.MultiheadAttention(width, 4, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.after = nn.Sequential(nn.Conv1d(width, width, 7, padding=3), nn.ReLU())
        self.head = nn.Linear(width, classes)

    def forward(self, series: Tensor) -> Tensor:
        x = self.stem(series).transpose(1, 2)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.head(self.after(x.transpose(1, 2)).mean(dim=2))


class LastState(nn.Module):
    """A recurrent layer over [B, T, C] and a linear head on its last output. Binary: one score, [B]."""

    def __init__(self, layer: nn.GRU | nn.LSTM, outputs: int = 1):
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(layer.hidden_size, outputs)

    def forward(self, series: Tensor) -> Tensor:
        return self.head(self.states(series)[:, -1]).squeeze(-1)

    def states(self, series: Tensor) -> Tensor:
        return self.layer(series)[0]


class GaugeNet(nn.Module):
    """Two convolutions of stride 2 with group norm. Returns a score for each border between two readings."""

    def __init__(self, borders: int, width: int = 16):
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.GroupNorm(4, width), nn.ReLU()),
            *(nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.GroupNorm(4, 2 * width), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(2 * width * 6 * 6, 64), nn.ReLU()),
        )
        self.head = nn.Linear(64, borders)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.features(pictures))


class Writer(nn.Module):
    """A causal transformer with pre-norm blocks. Inputs [B, T] tokens, returns [B, T, C] scores of the next one."""

    def __init__(self, tokens: int, places: int, width: int = 32, blocks: int = 2, dropout: float = 0.0):
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.places = nn.Parameter(0.02 * torch.randn(places, width))
        self.blocks = nn.ModuleList(WriterBlock(width, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, tokens, bias=False)
        self.register_buffer("mask", torch.ones(places, places, dtype=torch.bool).tril())  # row sees column
        nn.init.normal_(self.embedding.weight, std=0.1)
        nn.init.normal_(self.head.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        x = self.embedding(tokens) + self.places[:length]
        for block in self.blocks:
            x = block(x, self.mask[:length, :length])
        return self.head(self.norm(x))


class WriterBlock(nn.Module):
    def __init__(self, width: int, dropout: float, heads: int = 2):
        super().__init__()
        self.heads = heads
        self.before = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.mixed = nn.Linear(width, width, bias=False)
        self.between = nn.LayerNorm(width)
        self.each = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.dropout(self.attend(self.before(x), mask))
        return x + self.dropout(self.each(self.between(x)))

    def attend(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.queries_keys_values(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.mixed(F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2))
