"""A sample's bytes to its text. No torch."""

from __future__ import annotations

import json

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.folded import codes_of
from snowroll.prepare.texts import read_text

MOST = 1 << 20  # characters of a text
_KEYS = ("text", "sentence", "message", "content", "body", "title", "description", "input", "query", "utterance")


def read_sample(raw: bytes) -> tuple[str, str]:
    """(the text, its encoding): UTF-8, else Windows-1252, of which Latin-1 is a part; or a JSON object with the text.

    Raises DataError.
    """
    if len(raw) > 4 * MOST:
        raise DataError(f"{len(raw):,} bytes are no text to be classified", cure=f"send at most {MOST:,} characters")
    try:
        text, encoding = read_text(raw), "utf-8"
    except DataError:
        text, encoding = _western(raw), "cp1252"
    if text.lstrip()[:1] == "{":
        text = _from_json(text)
    if not codes_of(text, MOST)[1:].size:
        raise DataError("the text has no word", cure="give at least one")
    return text.strip(), encoding


def _western(raw: bytes) -> str:
    """Raises read_text's own DataError where it can be no text in any encoding of one byte a character."""
    if not raw or b"\0" in raw or raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        read_text(raw)
    try:
        return raw.decode("cp1252").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        read_text(raw)
        raise AssertionError("it was no UTF-8 before") from None


def _from_json(text: str) -> str:
    """The text in an object, by the names texts have; the text itself where it is none: it may stand in braces."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(told, dict):
        return text
    known = [told[key] for key in _KEYS if isinstance(told.get(key), str)]
    strings = known or [value for value in told.values() if isinstance(value, str)]
    if not strings:
        raise DataError("no text in the JSON", cure='send {"text": "..."}')
    return "\n".join(strings)


def encoded(raw: bytes, length: int) -> np.ndarray:
    """int32 [n], n at most `length`: the code points of a sample's folded words. Raises DataError."""
    return codes_of(read_sample(raw)[0], length)
