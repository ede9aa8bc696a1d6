"""A vision transformer for small and medium pictures: patches as words, pre-norm blocks, the mean of the words.

Dosovitskiy et al. 2021, with the changes that let it learn from few pictures without pretraining (Beyer et al. 2022,
"Better plain ViT baselines"): fixed sine positions, mean pooling instead of a class token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.errors import PlanError
from snowroll.design.attention import attended


@dataclass(frozen=True, slots=True)
class Size:
    """How large a transformer is."""

    width: int
    depth: int
    heads: int


SIZES = {"vit_tiny": Size(192, 6, 3), "vit_small": Size(384, 8, 6)}


def patch_px(size_px: int) -> int:
    """Side of a patch: about 8 x 8 words for small pictures, 14 x 14 for large ones."""
    wanted = max(2, size_px // 8) if size_px <= 64 else 8 if size_px <= 112 else 16
    for patch in range(wanted, 1, -1):
        if size_px % patch == 0:
            return patch
    raise PlanError(f"{size_px} px cannot be cut into equal patches", cure="use --task.size_px with a multiple of 8")


class Block(nn.Module):
    """Attention, then a perceptron, each on normalised input and added to the stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.expand, self.shrink = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, words_BTD: Tensor) -> Tensor:
        words_BTD = words_BTD + self.attend(self.norm1(words_BTD))
        return words_BTD + self.shrink(F.gelu(self.expand(self.norm2(words_BTD))))

    def attend(self, words_BTD: Tensor) -> Tensor:
        batch, time, width = words_BTD.shape
        split = self.query_key_value(words_BTD).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)  # each [B, heads, T, D / heads]
        mixed = attended(query, key, value)
        return self.project(mixed.transpose(1, 2).reshape(batch, time, width))


class ViT(nn.Module):
    """Normalised [B, 3, S, S] to [B, width]."""

    def __init__(self, size: Size, size_px: int) -> None:
        super().__init__()
        patch = patch_px(size_px)
        self.patches = nn.Conv2d(3, size.width, patch, stride=patch)
        self.register_buffer("positions", sine_positions(size_px // patch, size.width))
        self.blocks = nn.ModuleList(Block(size.width, size.heads) for _ in range(size.depth))
        self.norm = nn.LayerNorm(size.width)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for block in self.blocks:  # each block starts near the identity, so depth costs no warm-up
            assert isinstance(block, Block)
            nn.init.normal_(block.project.weight, std=0.02 / (2 * size.depth) ** 0.5)
            nn.init.normal_(block.shrink.weight, std=0.02 / (2 * size.depth) ** 0.5)

    def forward(self, images: Tensor) -> Tensor:
        words_BTD = self.patches(images).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            words_BTD = block(words_BTD)
        return self.norm(words_BTD).mean(dim=1)


def sine_positions(side: int, width: int) -> Tensor:
    """[1, side * side, width] fixed positions: sines and cosines of row and column (MoCo v3's, Chen et al. 2021)."""
    rates = 10_000.0 ** -(torch.arange(width // 4) / (width // 4))
    angles = torch.arange(side)[:, None] * rates  # [side, width / 4]
    waves = torch.cat((angles.sin(), angles.cos()), dim=1)  # [side, width / 2]
    rows, columns = waves[:, None].expand(side, side, -1), waves[None].expand(side, side, -1)
    return torch.cat((rows, columns), dim=2).reshape(1, side * side, width)
