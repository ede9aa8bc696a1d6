"""A tree as people read it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from snowroll.tasks.tabular.model import Trees


def as_rules(model: Trees, words: Callable[[torch.Tensor], str], tree: int = 0) -> str:
    """The questions of a tree as indented lines. words: what a leaf says, from its outputs [C]."""
    start = tree * model.nodes
    lines: list[str] = []

    def tell(node: int, depth: int) -> None:
        right, left = (int(child) for child in model.child[2 * node : 2 * node + 2])
        indent = "    " * depth
        if left == node:
            lines.append(indent + words((model.base + model.value[node]).detach()))
            return
        name, cut = model.names[int(model.feature[node])], float(model.threshold[node])
        is_word = int(model.feature[node]) >= len(model.features.numbers)
        said = " = " if " = " in name else " is missing"
        question = name.replace(said, {" = ": " is not "}.get(said, " is not missing"), 1)
        asked = question if is_word else f"{name} <= {cut:.6g}" + (" or missing" if bool(model.gap_left[node]) else "")
        lines.append(f"{indent}if {asked}")
        tell(left, depth + 1)
        lines.append(f"{indent}else")
        tell(right, depth + 1)

    tell(start, 0)
    return "\n".join(lines)
