"""A tiny folder that this task learns in seconds on one core: what tests/test_every_task.py works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from snowroll.base.nouns import Json
from snowroll.prepare.series import as_npz
from snowroll.prepare.signals import Series
from snowroll.tasks.heartbeat.beats import Record

RATE_HZ = 100.0


def example(folder: Path) -> Mapping[str, Json]:
    """Write 48 beats of 8 invented patients under N/, S/ and V/, each an .npz that knows its rhythm. Returns settings
    that suit them, augmentation among them."""
    for patient in range(8):
        series = recorded(patient, "NNNVNNSNNNVNSNNVNN")
        record = Record(as_npz(series))
        frames = np.rint(series.beats_s * series.rate_hz).astype(int)
        left = {"N": 2, "S": 2, "V": 2}
        for frame, symbol in list(zip(frames.tolist(), series.symbols, strict=True))[2:]:
            if left[symbol]:
                left[symbol] -= 1
                (folder / symbol).mkdir(parents=True, exist_ok=True)
                (folder / symbol / f"p{patient}_{frame:04}.npz").write_bytes(as_npz(record.excerpt(frame)))
    return {
        "prepare.group": r"/(p\d)_",
        "task.about": "beat",
        "task.rate_hz": 60.0,
        "task.before_s": 0.3,
        "task.after_s": 0.4,
        "task.timing": True,
        "task.channels": 2,
        "task.width": 8,
        "task.dropout": 0.0,
        "task.gain": 0.1,
        "task.shift_s": 0.02,
        "task.stretch": 0.05,
        "task.noise": 0.05,
        "task.wander": 0.1,
        "task.drop_lead": 0.1,
    }


def recorded(patient: int, rhythm: str, rate_hz: float = RATE_HZ, seed: int = 0) -> Series:
    """Two leads of an invented heart, a beat for each letter: N in time, S early, V early and wide, with a pause."""
    rng = np.random.default_rng([patient, seed])
    usual = rng.uniform(0.7, 0.95)
    times, now = [], 1.0
    for letter in rhythm:
        now += usual * {"N": 1.0, "S": 0.68, "V": 0.75}[letter] * rng.uniform(0.97, 1.03)
        times.append(now)
        now += 0.2 * usual if letter == "V" else 0.0
    at = np.arange(round((now + 2.0) * rate_hz)) / rate_hz
    signal = rng.normal(0, 0.015, (len(at), 2))
    size = rng.uniform(0.8, 1.4, 2) * (1, -0.6)
    for time, letter in zip(times, rhythm, strict=True):
        signal += _beat(at - time, letter)[:, None] * size
    return Series(signal.astype(np.float32), rate_hz, ("MLII", "V1"), "mV", None, np.array(times), tuple(rhythm))


def _beat(at: np.ndarray, letter: str) -> np.ndarray:
    """P, QRS and T as bells (McSharry et al. 2003 in spirit); a V beat has no P, and is wide."""

    def bell(middle: float, width: float) -> np.ndarray:
        return np.exp(-0.5 * ((at - middle) / width) ** 2)

    if letter == "V":
        return 1.3 * bell(0.0, 0.05) - 0.5 * bell(0.22, 0.06)
    p = 0.15 * bell(-0.16, 0.025) * (1 if letter == "N" else -0.6)
    return p + bell(0.0, 0.014) - 0.2 * bell(0.03, 0.01) + 0.3 * bell(0.26, 0.045)
