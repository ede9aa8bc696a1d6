"""The samples of the programs: digits from scikit-learn, the rest drawn from a seed. All as they would be stored."""

from __future__ import annotations

from functools import cache

import numpy as np

SEED = 20
SIGNS = ("bicycles", "danger", "hospital", "left", "right", "stop")
BEATS = ("inverted_t", "long_pr", "no_p", "normal", "wide_qrs")
MACHINES = ("sound", "overheating")
DIAL = tuple(f"{tenth}0%" for tenth in range(1, 9))
LETTERS = " ,.abcdeghiklnopsuvw"  # class c is the character LETTERS[c]

Samples = tuple[tuple[np.ndarray, ...], np.ndarray]


@cache
def digits() -> Samples:
    """1,797 handwritten digits, 8 x 8, scikit-learn's, grey written as RGB."""
    from sklearn.datasets import load_digits

    found = load_digits()
    grey = (found.images * 15.9).astype(np.uint8)
    return tuple(np.repeat(grey[..., None], 3, axis=3)), found.target.astype(np.int64)


@cache
def signs(count: int = 1_200, size: int = 40) -> Samples:
    """Road signs photographed from a screen: red and blue alternate from column to column, as its subpixels do."""
    rng = np.random.default_rng(SEED)
    labels = rng.permutation(np.arange(count) % len(SIGNS))
    return tuple(_sign(SIGNS[label], size, rng) for label in labels), labels.astype(np.int64)


def _sign(name: str, size: int, rng: np.random.Generator) -> np.ndarray:
    radius = rng.uniform(0.22, 0.32) * size
    row, column = rng.uniform(radius, size - radius, 2)
    y, x = np.mgrid[:size, :size]
    y, x = (y - row) / radius, (x - column) / radius  # the sign fills [-1, 1]
    picture = np.full((size, size, 3), rng.uniform(50, 110, 3)) + rng.normal(0, 6, (size, size, 3))
    for _ in range(2):  # poles and wires
        picture[:, rng.integers(size - 2) :][:, :2] = rng.uniform(20, 130, 3)
    picture[_outline(name, x, y)] = (140, 25, 25) if name in ("stop", "danger") else (25, 25, 140)
    picture *= rng.uniform(0.8, 1.15)
    picture[:, 0::2] *= (1.6, 1.0, 0.4)
    picture[:, 1::2] *= (0.4, 1.0, 1.6)
    return np.clip(picture + rng.normal(0, 8, picture.shape), 0, 255).astype(np.uint8)


def _outline(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    if name in ("stop", "bicycles"):
        return x**2 + y**2 <= 1
    if name == "danger":
        return (y <= 0.8) & (y >= 2 * np.abs(x) - 1)
    if name == "hospital":
        return (np.abs(x) <= 0.9) & (np.abs(y) <= 0.9)
    ahead = x if name == "right" else -x
    shaft = (np.abs(y) <= 0.25) & (ahead >= -1) & (ahead <= 0.2)
    return shaft | ((ahead >= 0) & (ahead <= 1) & (np.abs(y) <= 1 - ahead))


@cache
def beats(count: int = 1_200, length: int = 96) -> Samples:
    """One heartbeat in two leads: a P wave, a QRS complex, a T wave, in millivolts."""
    rng = np.random.default_rng(SEED + 1)
    labels = rng.permutation(np.arange(count) % len(BEATS))
    return tuple(_beat(BEATS[label], length, rng) for label in labels), labels.astype(np.int64)


def _beat(name: str, length: int, rng: np.random.Generator) -> np.ndarray:
    t = np.arange(length) - rng.uniform(40, 50)

    def wave(at: float, width: float, height: float) -> np.ndarray:
        return height * rng.uniform(0.8, 1.2) * np.exp(-0.5 * ((t - at - rng.normal(0, 0.7)) / width) ** 2)

    wide = 2.4 if name == "wide_qrs" else 1.0
    qrs = wave(0, 1.4 * wide, 1.1) - wave(-3 * wide, 1.2 * wide, 0.25) - wave(3 * wide, 1.2 * wide, 0.3)
    p = 0 * t if name == "no_p" else wave(-28 if name == "long_pr" else -17, 3, 0.3)
    signal = p + qrs + wave(22, 5.5, -0.35 if name == "inverted_t" else 0.35)
    wander = 0.15 * np.sin(t / rng.uniform(15, 40) + rng.uniform(0, 6))
    leads = np.stack([signal, rng.uniform(0.4, 0.7) * signal], axis=1) + wander[:, None]
    return (leads + rng.normal(0, 0.05, leads.shape)).astype(np.float32)


@cache
def machines(count: int = 2_400, length: int = 40, rare: float = 0.08) -> Samples:
    """Load and temperature of a machine over 40 minutes. One in twelve overheats: it gets warmer than its load says."""
    rng = np.random.default_rng(SEED + 2)
    labels = (rng.permutation(count) < rare * count).astype(np.int64)
    t = np.linspace(0, 1, length)
    series = []
    for label in labels:
        load = 0.5 + 0.3 * np.sin(rng.uniform(2, 9) * t + rng.uniform(0, 6)) + rng.normal(0, 0.05, length)
        heat = 40 + 30 * np.convolve(load, np.full(5, 0.2), "same") + rng.normal(0, 2.5, length)
        heat += label * rng.uniform(1, 10) * np.clip(t - rng.uniform(0.1, 0.4), 0, None) / 0.6
        series.append(np.stack([load, heat], axis=1).astype(np.float32))
    return tuple(series), labels


@cache
def dial(count: int = 1_400, size: int = 24) -> Samples:
    """Gauges read in eight steps from left to right. Turned left to right, a reading is the opposite one."""
    rng = np.random.default_rng(SEED + 3)
    labels = rng.integers(0, len(DIAL), count)
    return tuple(_gauge(label, size, rng) for label in labels), labels.astype(np.int64)


def _gauge(label: int, size: int, rng: np.random.Generator) -> np.ndarray:
    angle = np.pi * (1 - (label + rng.uniform(0.1, 0.9)) / len(DIAL))
    row, column = size * 0.75 + rng.uniform(-1.5, 1.5), size / 2 + rng.uniform(-1.5, 1.5)
    y, x = np.mgrid[:size, :size]
    along = (x - column) * np.cos(angle) - (y - row) * np.sin(angle)
    across = (x - column) * np.sin(angle) + (y - row) * np.cos(angle)
    needle = (np.abs(across) < 1.0) & (along > 0) & (along < 0.55 * size)
    face = np.hypot(x - column, y - row) < 0.6 * size
    grey = np.where(needle, 40, np.where(face, 200, 110)) * rng.uniform(0.8, 1.2) + rng.normal(0, 10, (size, size))
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


@cache
def sentences(length: int = 48, learnt: int = 1_200, judged: int = 200) -> Samples:
    """Windows of a small talk of five people, `learnt` from its first part and `judged` from what follows.

    "ann likes cid, so cid calls ann." Who is named second can be known only by looking back.
    """
    rng = np.random.default_rng(SEED + 4)
    talk = "".join(_sentence(rng) for _ in range(1_500))
    letters = np.frombuffer(talk.encode(), np.uint8)
    border = len(letters) * 4 // 5
    starts = [*rng.integers(0, border - length - 1, learnt), *rng.integers(border, len(letters) - length - 1, judged)]
    labels = [[LETTERS.index(talk[at]) for at in range(start + 1, start + 1 + length)] for start in starts]
    return tuple(letters[start : start + length].copy() for start in starts), np.array(labels)


def _sentence(rng: np.random.Generator) -> str:
    one, other = rng.choice(["ann", "bob", "cid", "dan", "eve"], 2, replace=False)
    first, second = rng.choice(["likes", "calls", "hugs", "owns", "keeps"], 2)
    return f"{one} {first} {other}, so {other} {second} {one}. "
