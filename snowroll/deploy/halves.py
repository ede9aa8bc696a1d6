"""The two halves of a deployable as one module, for one call of the exporter."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Halves(nn.Module):
    """Side by side, nothing between them: the exporter reads its whole library at each call, so it is called once."""

    def __init__(self, prepare: nn.Module, body: nn.Module) -> None:
        super().__init__()
        self.prepare, self.body = prepare, body

    def forward(self, raws: tuple[Tensor, ...], rows: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What one raw sample becomes, then what the body says of prepared rows."""
        return (*together(self.prepare(*raws)), *together(self.body(*rows)))


def together(made: Any) -> tuple[Tensor, ...]:
    """What a module returned, as a tuple."""
    return made if isinstance(made, tuple) else (made,)
