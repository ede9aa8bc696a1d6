"""A tiny folder that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snowroll.base.nouns import Json

NAMES = ("Anna", "Bert", "Cleo", "Dora", "Emil", "Fritz")
COUNTS = {"two": "zwei", "three": "drei", "four": "vier", "five": "fünf"}
THINGS = {"apples": "Äpfel", "coins": "Münzen", "drums": "Trommeln"}


def example(folder: Path) -> Mapping[str, Json]:
    """Write 72 sentences and their translations, line by line. Returns settings that suit them."""
    folder.mkdir(parents=True)
    pairs = [
        (f"{name} buys {count} {thing}.", f"{name} kauft {anzahl} {ding}.")
        for name in NAMES
        for count, anzahl in COUNTS.items()
        for thing, ding in THINGS.items()
    ]
    (folder / "pairs.en").write_text("".join(f"{en}\n" for en, _ in pairs))
    (folder / "pairs.de").write_text("".join(f"{de}\n" for _, de in pairs))
    return {"task.width": 64, "task.depth": 1, "task.heads": 2, "task.dropout": 0.0, "task.beams": 2}
