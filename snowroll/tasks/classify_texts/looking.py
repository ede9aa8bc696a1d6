"""What checks and planning know of a text: its length, its scripts, marks that copies share. No torch."""

from __future__ import annotations

import re

from snowroll.base.errors import DataError
from snowroll.prepare.folded import words_of
from snowroll.prepare.look import Look, look_of_no_picture
from snowroll.prepare.texts import is_control, letter_pairs, marks, scripts
from snowroll.tasks.classify_texts.texts import read_sample

# UTF-8 that was read as Windows-1252 and saved again: a lead byte's letter and a continuation byte's
MOJIBAKE = re.compile("[ÂÃâÐÑ][\u0080-\u00bf€‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œ\u02dc]|\ufffd")


def look(raw: bytes) -> Look:
    """The Look of a text. Never raises for foreign bytes: what is wrong with them stands in `reason`."""
    try:
        text, encoding = read_sample(raw)
    except DataError as fault:
        return Look(len(raw), reason=fault.what)
    words = words_of(text)
    plain = " ".join(word for word in words if any(map(str.isalnum, word)))
    own = {
        "characters": float(len(text)),
        "words": float(len(words)),
        "folded": float(sum(map(len, words)) + len(words) + 1),
        "letters": float(sum(map(str.isalpha, text))),
        "control": float(sum(map(is_control, text))),
        "broken": float(len(MOJIBAKE.findall(text))),
        "western": float(encoding == "cp1252"),
        **{name: n for name, n in scripts(text).items() if n},
        **{f"mark{i}": float(mark) for i, mark in enumerate(marks(plain))},
    }
    return look_of_no_picture(raw, "text", own, letter_pairs(text))
