"""The task's two exported halves."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from .task import LETTERS


class Pairs(nn.Module):
    """int64 [length] -> float32 [1, 1024], as the pack holds it."""

    def forward(self, places: Tensor) -> Tensor:
        known = F.one_hot(places, len(LETTERS)).float()
        return (known[:-1].T @ known[1:] / (places.shape[0] - 1)).reshape(1, -1)


class Body(nn.Module):
    """float32 [B, 1024] -> probabilities."""

    def __init__(self, model: nn.Module, postprocess: Callable[[Tensor], Mapping[str, Tensor]]) -> None:
        super().__init__()
        self.model, self.postprocess = model, postprocess

    def forward(self, prepared: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.postprocess(self.model(prepared)).values())
