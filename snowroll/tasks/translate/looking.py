"""What checks and planning know of a sentence: its length, its scripts, its numbers."""

from __future__ import annotations

import hashlib

from snowroll.base.errors import DataError
from snowroll.prepare.look import Look, look_of_no_picture
from snowroll.prepare.texts import is_control, letter_pairs, scripts
from snowroll.tasks.translate.copied import numbers_in, plain
from snowroll.tasks.translate.sentences import read_sentence

NUMBERS = 4  # of a sentence that are remembered


def look(raw: bytes) -> Look:
    """The Look of a sentence. Never raises for foreign bytes: what is wrong with them stands in `reason`."""
    try:
        text = read_sentence(raw)
    except DataError as fault:
        return Look(len(raw), reason=fault.what)
    numbers = sorted(number for number in numbers_in(text).elements() if len(number) <= 15)
    own = {
        "characters": float(len(text)),
        "bytes": float(len(text.encode("utf-8", "replace"))),
        "words": float(len(text.split())),
        "control": float(sum(map(is_control, text))),
        "letters": float(sum(map(str.isalpha, text))),
        "said": mark_of(text),
        **{name: n for name, n in scripts(text).items() if n},
        # a number and how many digits it has, so that 007 is not 7
        **{f"number{place}": float(f"{len(number)}{number}") for place, number in enumerate(numbers[:NUMBERS])},
    }
    return look_of_no_picture(raw, "text", own, letter_pairs(text))


def mark_of(text: str) -> float:
    """A number that two texts share if they say the same words, whatever their case and marks."""
    return float(int.from_bytes(hashlib.sha256(plain(text).encode("utf-8", "replace")).digest()[:6], "big"))
