"""A tiny folder that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json


def example(folder: Path) -> Mapping[str, Json]:
    """Write load.csv: six weeks of two series an hour, days in them. Returns settings that suit them."""
    folder.mkdir(parents=True, exist_ok=True)
    hours = np.arange(24 * 21)
    (folder / "load.csv").write_text(as_csv(hours, {"load": load(hours, 0), "outside": load(hours, 1) / 10 - 4}))
    return {"task.horizon": 6, "task.context": 48, "task.width": 16, "task.dropout": 0.0}


def load(hours: np.ndarray, seed: int) -> np.ndarray:
    """Days, weeks and noise, around 100."""
    rng = np.random.default_rng(seed)
    day = np.sin(2 * np.pi * (hours / 24 + 0.3 * seed)) + 0.4 * np.sin(4 * np.pi * hours / 24)
    week = 1 - 0.35 * (hours // 24 % 7 >= 5)
    return 100 + 20 * day * week + rng.normal(0, 0.6, len(hours))


def as_csv(hours: np.ndarray, columns: Mapping[str, np.ndarray], step_s: int = 3600) -> str:
    """A wide table with ISO times from 2024 on."""
    times = np.datetime64("2024-01-01T00:00:00") + hours * np.timedelta64(step_s, "s")
    lines = [",".join(["time", *columns])]
    for row, time in enumerate(times):
        cells = ["" if np.isnan(column[row]) else f"{column[row]:.3f}" for column in columns.values()]
        lines.append(",".join([str(time), *cells]))
    return "\n".join(lines) + "\n"
