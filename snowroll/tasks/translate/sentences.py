"""Sentences, targets and tokens. No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.prepare.bytepairs import byte_pairs, neat
from snowroll.prepare.texts import is_control, read_text

PAD, END, SPECIAL = 0, 1, 2  # as design/translator.py has them: tokens before those of the byte pairs
MOST = 10_000  # characters of a sentence or its translation
MOST_TOKENS = 512  # of a translation that is learnt from; the rest of a longer one is cut
_KEYS = ("source", "src", "text", "sentence")


def read_sentence(raw: bytes, source: str = "") -> str:
    """The sentence in a sample's bytes: UTF-8 text, or a JSON object with the sentence under the source's name.

    Line ends within it count as spaces. Raises DataError.
    """
    if len(raw) > 4 * MOST + 200:
        raise DataError(f"{len(raw):,} bytes are no sentence", cure=f"send at most {MOST:,} characters")
    text = read_text(raw).strip()
    if text.startswith("{") and text.endswith("}"):
        text = _from_json(text, source)
    text = " ".join(text.split("\n")).strip()
    if not text:
        raise DataError("the sentence is empty", cure="give at least one character")
    if len(text) > MOST:
        raise DataError(f"a sentence of {len(text):,} characters; {MOST:,} are the most", cure="send its parts")
    return text


def _from_json(text: str, source: str) -> str:
    """The sentence in an object; the text itself where it is none: a sentence may stand in braces."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(told, dict):
        return text
    if isinstance(told.get("translation"), dict):
        told = told["translation"]
    named = [key for key in (source, *_KEYS) if isinstance(told.get(key), str)]
    strings = [key for key, value in told.items() if isinstance(value, str)]
    if not named and not source and strings:  # who looks at a row knows no languages: its longest text
        return str(told[max(strings, key=lambda key: len(told[key]))])
    if not named and len(strings) != 1:
        cure = f'send {{"{source or "source"}": "..."}}'
        raise DataError(f"{len(strings)} texts in the JSON, and none is called '{source or 'source'}'", cure=cure)
    return str(told[(named or strings)[0]])


def tokens_of(text: str, merges: Sequence[str]) -> list[int]:
    """The tokens of a text and END."""
    return [*(token + SPECIAL for token in byte_pairs(tuple(merges)).tokens(neat(text))), END]


def text_of(tokens: np.ndarray, merges: Sequence[str]) -> str:
    """The inverse, up to the first END; control characters stand as U+FFFD."""
    known = byte_pairs(tuple(merges))
    codes: list[int] = []
    for token in np.asarray(tokens).astype(np.int64).tolist():
        if token == END:
            break
        if SPECIAL <= token < SPECIAL + len(known):
            codes.append(token - SPECIAL)
    return "".join("\ufffd" if is_control(c) else c for c in known.text(codes)).strip()


def encoded(raw: bytes, merges: Sequence[str], source: str, length: int) -> np.ndarray:
    """int32 [n], n at most `length`: the tokens of a sample's sentence and END. Raises DataError."""
    tokens = tokens_of(read_sentence(raw, source), merges)
    if len(tokens) > length:
        told = f"a sentence of {len(tokens):,} tokens, and {length:,} are the most"
        raise DataError(told, cure="send it in parts, or train with a larger --task.length")
    return np.array(tokens, np.int32)


def targets_as_tokens(targets: Sequence[Json], merges: Sequence[str]) -> np.ndarray:
    """int32 [n, T]: tokens and END of each translation, PAD after it."""
    rows = [tokens_of(str(target), merges)[:MOST_TOKENS] for target in targets]
    found = np.full((len(rows), max(map(len, rows), default=1)), PAD, np.int32)
    for row, tokens in enumerate(rows):
        found[row, : len(tokens)] = tokens
    return found


def fault_of(target: object) -> str | None:
    """What is wrong with a target, in words, or None."""
    if not isinstance(target, str):
        return "a target is the translation, a text"
    if not target.strip():
        return "the translation is empty"
    if len(target) > MOST:
        return f"the translation has {len(target):,} characters; {MOST:,} are the most"
    odd = next((c for c in target if is_control(c) or "\ud800" <= c <= "\udfff"), None)
    return None if odd is None else f"the translation holds U+{ord(odd):04X}, which is no character of a text"
