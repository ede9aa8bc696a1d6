"""Inputs, targets and outputs are a tensor or a (named) tuple, list or dict of them: walk through any of these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


def each(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """`value` with every tensor in it replaced by `change(tensor)`; anything else stays as it is."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a NamedTuple
        return type(value)(*(each(part, change) for part in value))
    if isinstance(value, tuple | list):
        return type(value)(each(part, change) for part in value)
    if isinstance(value, dict):
        return {key: each(part, change) for key, part in value.items()}
    return value


def joined(parts: Sequence[Any]) -> Any:
    """Values of one structure as one: each tensor beside those in its place, along the first axis."""
    columns = zip(*map(leaves, parts), strict=True)
    together = iter([torch.cat(tensors) for tensors in columns])
    return each(parts[0], lambda _: next(together))


def leaves(value: Any) -> list[Tensor]:
    """Every tensor in `value`, in order."""
    found: list[Tensor] = []
    each(value, lambda tensor: (found.append(tensor), tensor)[1])
    return found
