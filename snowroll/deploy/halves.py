"""The two halves of a deployable: what most bodies are, and both as one module for one call of the exporter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn


class Body(nn.Module):
    """What was prepared -> the outputs after post-processing, in their order. The model itself normalises."""

    def __init__(
        self,
        model: nn.Module,
        postprocess: Callable[[Any], Mapping[str, Tensor]],
        inputs: Callable[..., Any] | None = None,
    ) -> None:
        """inputs: what the model takes, made of the prepared tensors; None: the one there is."""
        super().__init__()
        self.model, self.postprocess, self.inputs = model, postprocess, inputs

    def forward(self, *prepared: Tensor) -> tuple[Tensor, ...]:
        seen = prepared[0] if self.inputs is None else self.inputs(*prepared)
        return tuple(self.postprocess(self.model(seen)).values())


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
