"""A tiny table that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json


def example(folder: Path) -> Mapping[str, Json]:
    """Write 96 flats with their rents as CSV; one in eight cells is empty in one column. Returns settings that suit."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "flats.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["area", "floor", "heating", "built", "rent"])
        writer.writerows(_row(number) for number in range(96))
    return {"task.model": "mlp", "task.width": 64, "task.hide": 0.1, "task.dropout": 0.0}


def _row(number: int) -> list[object]:
    rng = np.random.default_rng(number)
    area, floor = rng.uniform(20, 120), rng.integers(0, 9)
    heating = ("gas", "oil", "pump")[rng.integers(3)]
    rent = 9.0 * area + 20 * floor + {"gas": 0, "oil": -80, "pump": 120}[heating] + rng.normal() * 15
    built = f"{rng.integers(1950, 2024)}-{rng.integers(1, 13):02}-{rng.integers(1, 28):02}"
    return [f"{area:.1f}", "" if number % 8 == 5 else floor, heating, built, f"{rent:.2f}"]
