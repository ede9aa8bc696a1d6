"""Series made in code for the tests of forecasts, and a small project that has learnt one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from house_kit import MACHINE, snowroll

from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.forecast.example import as_csv

HOURS = 24 * 42


def plain(hours: int = HOURS, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    """Trend, days and weeks, and noise: around 100, swings of 20."""
    at = np.arange(hours)
    rng = np.random.default_rng(seed)
    day, week = np.sin(2 * np.pi * at / 24), np.sin(2 * np.pi * at / 168)
    return 100 + 0.01 * at + 20 * day + 5 * week + rng.normal(0, noise, hours)


def write(folder: Path, columns: dict[str, np.ndarray], name: str = "load.csv", step_s: int = 3600) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rows = len(next(iter(columns.values())))
    (folder / name).write_text(as_csv(np.arange(rows), columns, step_s))
    return folder


def read(folder: Path, **asked: object):
    """How the task reads a folder."""
    from snowroll.tasks.forecast.reading import read_series

    return read_series(Folder(folder), PrepareSettings(workers=1, asked=asked))


def learnt(root: Path, columns: dict[str, np.ndarray], *flags: str) -> Path:
    """A trained project over one wide table."""
    write(root / "data", columns)
    made = snowroll("init", root, *MACHINE, "--train.steps", "400", "--task.alarm_rate", "0.005", *flags, "--json")
    assert made.code == 0, made.err
    trained = snowroll("train", root, "--json")
    assert trained.code == 0, trained.err
    return root
