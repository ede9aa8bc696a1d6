"""A tiny folder that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json

NAMES = ("anna", "bert", "cleo", "dora", "emil", "fritz")
THINGS = ("apples", "bread", "coins", "drums", "eggs", "flags")


def example(folder: Path) -> Mapping[str, Json]:
    """Write 48 short texts, one a file. Returns settings that suit them."""
    folder.mkdir(parents=True)
    for number in range(48):
        rng = np.random.default_rng([number, 3])
        name, thing = NAMES[number % len(NAMES)], THINGS[(number // 2) % len(THINGS)]
        count = ["two", "three", "four", "five", "six"][int(rng.integers(5))]
        text = f"{name} buys {count} {thing}. {name} has {count} {thing} now.\n"
        (folder / f"{number:02}.txt").write_text(text)
    return {"task.width": 64, "task.depth": 2, "task.heads": 2, "task.context": 32, "task.length": 64}
