"""A tiny table that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json

NAMES = ("Anna", "Bert", "Cleo", "Dora", "Emil", "Fritz", "Gül", "Hana")
THINGS = ("the soup", "the bread", "that film", "our room", "the tea", "this book")
SAID = {
    "good": ("loved", "enjoyed", "praised"),
    "bad": ("hated", "returned", "regretted"),
    "dull": ("forgot", "skipped"),
}


def example(folder: Path) -> Mapping[str, Json]:
    """Write 72 sentences of three classes as CSV. Returns settings that suit them."""
    folder.mkdir(parents=True)
    with (folder / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        for number in range(72):
            rng = np.random.default_rng([number, 5])
            label = list(SAID)[number % 3]
            name, thing, said = (some[int(rng.integers(len(some)))] for some in (NAMES, THINGS, SAID[label]))
            table.writerow([f"{name} {said} {thing} on day {number}, after {rng.integers(90)} minutes.", label])
    return {"task.buckets": 4096}
