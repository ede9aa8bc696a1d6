"""Records as WFDB writes them, made in code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from snowroll.prepare.signals import Series
from snowroll.prepare.wfdb import CODES

SKIP = 59


def header(
    name: str, rate_hz: float, samples: np.ndarray, format: int = 16, gain: float = 200.0, leads: Sequence[str] = ()
) -> bytes:
    """samples: int [T, C]"""
    names = leads or [f"lead{number}" for number in range(samples.shape[1])]
    lines = [f"{name} {samples.shape[1]} {rate_hz:g} {len(samples)}"]
    for number, lead in enumerate(names):
        lines.append(f"{name}.dat {format} {gain:g}(0)/mV 12 0 {int(samples[0, number])} 0 0 {lead}")
    return "\n".join([*lines, "# 60 F made in code", ""]).encode()


def signals(samples: np.ndarray, format: int = 16) -> bytes:
    flat = samples.astype(np.int64).ravel()
    if format == 16:
        return flat.astype("<i2").tobytes()
    if format == 212:
        flat = np.concatenate([flat, np.zeros(len(flat) % 2, np.int64)]) & 0xFFF
        one, other = flat[0::2], flat[1::2]
        return np.stack([one & 255, one >> 8 | other >> 8 << 4, other & 255], 1).astype(np.uint8).tobytes()
    flat = np.concatenate([flat, np.zeros(-len(flat) % 3, np.int64)]) & 1023
    one, other, third = flat[0::3], flat[1::3], flat[2::3]
    if format == 310:
        words = np.stack([one << 1 | (third & 31) << 11, other << 1 | third >> 5 << 11], 1)
        return words.astype("<u2").tobytes()
    return (one | other << 10 | third << 20).astype("<u4").tobytes()


def annotations(frames: Sequence[int], symbols: str, note: bytes = b"") -> bytes:
    """note: an auxiliary text after the first one."""
    words: list[int] = []
    now = 0
    for place, (frame, symbol) in enumerate(zip(frames, symbols, strict=True)):
        step = frame - now
        if not 0 <= step < 1024:
            words += [SKIP << 10, step >> 16 & 0xFFFF, step & 0xFFFF]
            step = 0
        words.append(CODES.index(symbol) << 10 | step)
        now = frame
        if note and not place:
            words.append(63 << 10 | len(note))
            words += np.frombuffer(note + b"\0" * (len(note) % 2), "<u2").tolist()
    return np.array([*words, 0], "<u2").tobytes()


def write_record(folder: Path, name: str, series: Series, format: int = 16, annotated: bool = True) -> None:
    samples = np.rint(series.signal * 200).astype(int)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.hea").write_bytes(header(name, series.rate_hz, samples, format, leads=series.leads))
    (folder / f"{name}.dat").write_bytes(signals(samples, format))
    if annotated:
        frames = np.rint(series.beats_s * series.rate_hz).astype(int).tolist()
        (folder / f"{name}.atr").write_bytes(annotations(frames, "".join(series.symbols)))
