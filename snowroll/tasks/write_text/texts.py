"""Texts as codes, and what a target is. No torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from snowroll.base.nouns import Json
from snowroll.prepare.texts import is_control

START, PAD = -2, -1  # codes beside those of characters, as design/writing.py has them
MOST = 100_000  # characters of a target; no continuation is longer
SPELLED = float(np.log(1_112_064))  # nats of a character without a token: one of all that Unicode has room for


def codes_of(text: str, in_bytes: bool) -> np.ndarray:
    """int32 [n]: code points, or the bytes of its UTF-8.

    >>> codes_of("aé", False).tolist(), codes_of("aé", True).tolist()
    ([97, 233], [97, 195, 169])
    """
    if in_bytes:
        return np.frombuffer(text.encode("utf-8", "replace"), np.uint8).astype(np.int32)
    return np.frombuffer(text.encode("utf-32-le", "replace"), np.uint32).astype(np.int32)


def text_of(codes: np.ndarray, in_bytes: bool) -> str:
    """The inverse of `codes_of`; what is no character stands as U+FFFD.

    >>> text_of(np.array([97, 195, 169]), True)
    'aé'
    """
    codes = np.asarray(codes)
    codes = codes[codes >= 0]
    if in_bytes:
        return bytes(codes.astype(np.uint8)).decode("utf-8", "replace")
    return codes.astype(np.uint32).tobytes().decode("utf-32-le", "replace")


def follows_of(target: Json) -> str:
    """The text that follows, of a target or an answer: the text alone, or beside the letters of its passage."""
    return str(target["follows"]) if isinstance(target, Mapping) else str(target)


def letters_of(target: Json) -> set[str]:
    """Every character that a target speaks of."""
    if isinstance(target, Mapping):
        return {*str(target.get("follows", "")), *str(target.get("letters", ""))}
    return set(target) if isinstance(target, str) else set()


def fault_of(target: object) -> str | None:
    """What is wrong with a target, in words, or None."""
    text = target
    if isinstance(target, Mapping):
        if target.keys() != {"follows", "letters"} or not isinstance(target["letters"], str):
            return 'a target is the text that follows, or {"follows", "letters"}'
        text = target["follows"]
    if not isinstance(text, str):
        return "a target is the text that follows"
    if not text:
        return "the text that follows is empty"
    if len(text) > MOST:
        return f"the text that follows has {len(text):,} characters; {MOST:,} are the most"
    odd = next((c for c in text if is_control(c) or "\ud800" <= c <= "\udfff"), None)
    return None if odd is None else f"the text that follows holds U+{ord(odd):04X}, which is no character of a text"
