"""A tiny table that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json


def example(folder: Path) -> Mapping[str, Json]:
    """Write 96 parts with their wear as CSV; one in eight cells is empty in one column. Returns settings that suit."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "parts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["hours", "load", "metal", "made", "wear"])
        writer.writerows(_row(number) for number in range(96))
    return {"task.model": "mlp", "task.width": 32, "task.hide": 0.1, "task.dropout": 0.0}


def _row(number: int) -> list[object]:
    rng = np.random.default_rng(number)
    hours, load = rng.uniform(0, 1000), rng.uniform(1, 9)
    metal = ("steel", "brass", "alloy")[rng.integers(3)]
    worn = hours * load * {"steel": 0.6, "brass": 1.4, "alloy": 1.0}[metal] > 2_000
    made = f"2024-{rng.integers(1, 13):02}-{rng.integers(1, 28):02}"
    return [f"{hours:.1f}", "" if number % 8 == 5 else f"{load:.2f}", metal, made, "worn" if worn else "sound"]
