"""What checks and planning know of a passage: numbers, a drawing of its letter pairs, and marks that copies share."""

from __future__ import annotations

import re

from snowroll.base.errors import DataError
from snowroll.prepare.look import Look, look_of_no_picture
from snowroll.prepare.texts import is_control, letter_pairs, marks, read_text, scripts

_SECRETS = {
    "key": re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bsk-[A-Za-z0-9_-]{20,}"
        r"|\bxox[baprs]-[A-Za-z0-9-]{10,}"
    ),
    "address": re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{2,63}){1,4}\b"),
}


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
        **scripts(text),
        **{f"mark{i}": float(mark) for i, mark in enumerate(marks(text))},
    }
    return look_of_no_picture(raw, "text", own, letter_pairs(text))
