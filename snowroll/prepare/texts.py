"""The one door for text: bytes to characters, refused in plain words; and what two texts share. No torch."""

from __future__ import annotations

import re
import zlib

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.look import THUMBNAIL_PX

MOST_BYTES = 1 << 30  # of a file, unpacked
_PLAIN = "\t\n\r\f"
_CURE = "save it as UTF-8 text"
BROKEN = "a line that is not UTF-8"  # why a part of a text is passed over
SHINGLE = 8  # bytes of a piece
MARKS = 16  # smallest hashes of pieces that are kept: two texts share as many of them as they share pieces
_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)", re.I)
_BITS = 52  # what a float holds exactly
_SCRIPTS = {
    "latin": (0x41, 0x24F), "greek": (0x370, 0x3FF), "cyrillic": (0x400, 0x52F), "hebrew": (0x590, 0x5FF),
    "arabic": (0x600, 0x6FF), "indic": (0x900, 0xDFF), "kana": (0x3040, 0x30FF), "han": (0x4E00, 0x9FFF),
    "hangul": (0xAC00, 0xD7A3),
}  # fmt: skip


def unpacked(raw: bytes) -> bytes:
    """What gzip packed; other bytes as they are. Raises DataError beyond MOST_BYTES."""
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    parts, total, is_whole = [], 0, False
    try:
        while raw:
            member = zlib.decompressobj(31)
            while raw and not member.eof:
                part = member.decompress(raw, 1 << 24)
                total += len(part)
                if total > MOST_BYTES:
                    raise DataError(f"more than {MOST_BYTES >> 20:,} MiB unpacked", cure="split the file")
                parts.append(part)
                raw = member.unconsumed_tail
            is_whole, raw = member.eof, member.unused_data.lstrip(b"\0")
    except zlib.error:
        raise DataError("damaged: gzip cannot unpack it", cure="copy it again") from None
    if not is_whole:
        raise DataError("cut off: it ends within what gzip packed", cure="copy it again")
    return b"".join(parts)


def read_text(raw: bytes) -> str:
    """The characters of a text: UTF-8, a byte order mark dropped, line ends as "\\n". Raises DataError."""
    if not raw:
        raise DataError("the text is empty", cure="give at least one character")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError("UTF-16, not UTF-8", cure=_CURE)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as fault:
        broken = f"not UTF-8: byte 0x{raw[fault.start]:02x} at {fault.start:,}"
        raise DataError(broken, cure=_CURE) from None
    if (zero := text.find("\0")) >= 0:
        at = len(text[:zero].encode())
        raise DataError(f"no text: a zero byte at {at:,}", cure=_CURE)
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n") or _empty()


def _empty() -> str:
    raise DataError("the text is empty", cure="give at least one character")


def is_of_numbers(raw: bytes) -> bool:
    """Whether all but few of the first lines are numbers with blanks, tabs, commas or semicolons between them.

    >>> is_of_numbers(b"  2.5e-001 -3\\n4;5\\n"), is_of_numbers(b"1+2=3\\n"), is_of_numbers(b"in 1903\\n")
    (True, False, False)
    """
    lines = [line for line in raw[:8192].splitlines() if line.strip()][:100]
    numbers = [all(_NUMBER.fullmatch(cell) for cell in re.split(rb"[\s,;]+", line.strip(b" \t,;"))) for line in lines]
    return sum(numbers) > 0.9 * len(numbers)


def is_control(character: str) -> bool:
    """C0 and C1 controls, but for tabs and line ends."""
    return (character < " " and character not in _PLAIN) or "\x7f" <= character <= "\x9f"


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


def scripts(text: str) -> dict[str, float]:
    """How many of its characters belong to each script: {"of_latin": 12.0, ...}."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
    return {f"of_{name}": float(((codes >= low) & (codes <= high)).sum()) for name, (low, high) in _SCRIPTS.items()}


def letter_pairs(text: str) -> np.ndarray:
    """uint8 [32, 32, 3]: how often each pair of letters stands there, letters by their code modulo 32."""
    codes = np.frombuffer(text.lower().encode("utf-32-le"), np.uint32) % THUMBNAIL_PX
    counts = np.zeros((THUMBNAIL_PX, THUMBNAIL_PX))
    np.add.at(counts, (codes[:-1], codes[1:]), 1.0)
    level = np.log1p(counts) / max(np.log1p(counts).max(), 1e-9)
    return np.repeat((level * 255).astype(np.uint8)[..., None], 3, axis=2)
