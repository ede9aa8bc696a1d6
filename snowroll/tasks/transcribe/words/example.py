"""A tiny folder that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snowroll.base.nouns import Json
from snowroll.prepare.audio import as_wav
from snowroll.tasks.transcribe.example import RATE_HZ, small, spoken

WORDS = {"aim": "aa", "you": "iu", "way": "ue"}


def example(folder: Path) -> Mapping[str, Json]:
    """Write 48 recordings of 8 invented speakers in folders called after three words. Returns settings that suit them,
    augmentation among them."""
    for number in range(48):
        word = list(WORDS)[number % 3]
        (folder / word).mkdir(parents=True, exist_ok=True)
        signal = spoken(WORDS[word], number // 6, number)
        (folder / word / f"s{number // 6}_{number:02}.wav").write_bytes(as_wav(signal, RATE_HZ))
    return {"prepare.group": r"/(s\d)_", "task.model": "cnn", "task.frames": 32, **small(0.6)}
