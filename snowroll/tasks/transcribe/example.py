"""A tiny folder that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json
from snowroll.prepare.audio import as_wav

RATE_HZ = 8_000
# two resonances of the mouth each (after Peterson & Barney 1952, table II), told apart by any spectrogram
VOWELS = {"a": (730, 1090), "i": (270, 2290), "u": (300, 870), "e": (530, 1840)}


def example(folder: Path) -> Mapping[str, Json]:
    """Write 48 recordings of 8 invented speakers, each of one to three vowels, and a manifest. Returns settings that
    suit them, augmentation among them."""
    folder.mkdir(parents=True)
    rows = ["audio_filepath,text,speaker"]
    letters = list(VOWELS)
    for number in range(48):
        rng = np.random.default_rng([number, 5])
        text = "".join(letters[int(k)] for k in rng.integers(len(letters), size=1 + number % 3))
        name = f"s{number % 8}_{number:02}.wav"
        (folder / name).write_bytes(as_wav(spoken(text, number % 8, number), RATE_HZ))
        rows.append(f"{name},{text},s{number % 8}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return {**small(0.8), "task.model": "crnn"}


def small(seconds: float) -> Mapping[str, Json]:
    """Settings for toys."""
    return {
        "train.folds": 0,
        "task.rate_hz": RATE_HZ,
        "task.seconds": seconds,
        "task.bands": 24,
        "task.width": 8,
        "task.depth": 1,
        "task.dropout": 0.0,
        "task.speed": 0.1,
        "task.throat": 0.1,
        "task.shift_s": 0.02,
        "task.noise": 0.5,
        "task.room": 0.5,
        "task.colour_db": 3.0,
        "task.hide": 0.1,
    }


def spoken(letters: str, speaker: int, seed: int, rate_hz: int = RATE_HZ) -> np.ndarray:
    """float64 [n]: a fifth of a second of each vowel, from a throat of the speaker's pitch and a head of its size."""
    rng = np.random.default_rng([speaker, 1])
    pitch, size = rng.uniform(90, 220), rng.uniform(0.9, 1.15)
    noise = np.random.default_rng([seed, 2])
    parts = [np.zeros(round(0.05 * rate_hz))]
    for letter in letters:
        at = np.arange(round(noise.uniform(0.12, 0.18) * rate_hz)) / rate_hz
        tones = np.arange(1, round(0.45 * rate_hz / pitch)) * pitch
        low, high = (np.exp(-0.5 * ((tones - size * peak) / 120) ** 2) for peak in VOWELS[letter])
        level = low + high + 0.003
        wave = (level[:, None] * np.sin(2 * np.pi * tones[:, None] * at)).sum(axis=0)
        parts += [0.25 * wave * np.hanning(len(at)) ** 0.5, np.zeros(round(0.04 * rate_hz))]
    signal = np.concatenate(parts)
    return 0.8 * signal / np.abs(signal).max() + noise.normal(0, 0.003, len(signal))
