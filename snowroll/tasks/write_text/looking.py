"""What checks and planning know of a passage: numbers, a drawing of its letter pairs, and marks that copies share."""

from __future__ import annotations

import re

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.look import THUMBNAIL_PX, Look
from snowroll.tasks.write_text.texts import is_control, read_text

SHINGLE = 8  # bytes of a piece
MARKS = 16  # smallest hashes of pieces that are kept: two texts share as many of them as they share pieces
_BITS = 52  # what a float holds exactly
_SECRETS = {
    "key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bsk-[A-Za-z0-9_-]{20,}"
        r"|\bxox[baprs]-[A-Za-z0-9-]{10,}"
    ),
    "address": re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}\b"),
}
_SCRIPTS = {
    "latin": (0x41, 0x24F), "greek": (0x370, 0x3FF), "cyrillic": (0x400, 0x52F), "hebrew": (0x590, 0x5FF),
    "arabic": (0x600, 0x6FF), "indic": (0x900, 0xDFF), "kana": (0x3040, 0x30FF), "han": (0x4E00, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3),
}  # fmt: skip


def look(raw: bytes) -> Look:
    """The Look of a passage. Never raises for foreign bytes: what is wrong with them stands in `reason`."""
    try:
        text = read_text(raw)
    except DataError as fault:
        return Look(len(raw), reason=fault.what)
    lines = text.split("\n")
    own = {
        "characters": float(len(text)),
        "bytes": float(len(raw)),
        "longest_line": float(max(map(len, lines))),
        "control": float(sum(map(is_control, text))),
        "letters": float(sum(map(str.isalpha, text))),
        **{name: float(len(found.findall(text))) for name, found in _SECRETS.items()},
        **_scripts(text),
        **{f"mark{i}": float(mark) for i, mark in enumerate(marks(text))},
    }
    # of what is no picture the figures of pictures are all alike, so that no check of pictures speaks of it
    return Look(
        len(raw),
        format="text",
        width=1,
        height=1,
        mode="text",
        brightness=0.5,
        contrast=0.5,
        sharpness=1.0,
        drawn=True,
        own=own,
        thumbnail=_pairs(text),
    )


def marks(text: str) -> np.ndarray:
    """[MARKS] smallest hashes of the text's pieces, each under its own hash (Broder 1997): near copies share most."""
    plain = " ".join(text.lower().split()).encode()
    raw = np.frombuffer(plain.ljust(SHINGLE, b" "), np.uint8).astype(np.uint64)
    pieces = np.zeros(len(raw) - SHINGLE + 1, np.uint64)
    for place in range(SHINGLE):
        pieces = (pieces << np.uint64(8)) | raw[place : len(raw) - SHINGLE + 1 + place]
    pieces = np.unique(pieces)
    keys = np.random.Philox(key=[7, 0]).random_raw(2 * MARKS).reshape(2, MARKS, 1) | np.uint64(1)
    mixed = (pieces ^ (pieces >> np.uint64(29))) * keys[0] + keys[1]
    mixed = (mixed ^ (mixed >> np.uint64(32))) * keys[1]
    return (mixed >> np.uint64(64 - _BITS)).min(axis=1)


def _scripts(text: str) -> dict[str, float]:
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    return {f"of_{name}": float(((codes >= low) & (codes <= high)).sum()) for name, (low, high) in _SCRIPTS.items()}


def _pairs(text: str) -> np.ndarray:
    """uint8 [32, 32, 3]: how often each pair of letters stands there, letters by their code modulo 32."""
    codes = np.frombuffer(text.lower().encode("utf-32-le"), np.uint32) % THUMBNAIL_PX
    counts = np.zeros((THUMBNAIL_PX, THUMBNAIL_PX))
    np.add.at(counts, (codes[:-1], codes[1:]), 1.0)
    level = np.log1p(counts) / max(np.log1p(counts).max(), 1e-9)
    return np.repeat((level * 255).astype(np.uint8)[..., None], 3, axis=2)
