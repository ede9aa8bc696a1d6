"""What checks and planning know of a sentence: its length, and its scripts."""

from __future__ import annotations

from snowroll.base.errors import DataError
from snowroll.prepare.look import Look
from snowroll.prepare.texts import is_control, letter_pairs, scripts
from snowroll.tasks.translate.sentences import read_sentence


def look(raw: bytes) -> Look:
    """The Look of a sentence. Never raises for foreign bytes: what is wrong with them stands in `reason`."""
    try:
        text = read_sentence(raw)
    except DataError as fault:
        return Look(len(raw), reason=fault.what)
    own = {
        "characters": float(len(text)),
        "bytes": float(len(text.encode("utf-8", "replace"))),
        "words": float(len(text.split())),
        "control": float(sum(map(is_control, text))),
        "letters": float(sum(map(str.isalpha, text))),
        "digits": float(sum(map(str.isdigit, text))),
        **scripts(text),
    }
    # of what is no picture the figures of pictures are all alike, so that no check of pictures speaks of it
    return Look(
        len(raw), format="text", width=1, height=1, mode="text", brightness=0.5, contrast=0.5, sharpness=1.0,
        drawn=True, own=own, thumbnail=letter_pairs(text),
    )  # fmt: skip
