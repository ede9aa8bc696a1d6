"""How texts are spelt: in characters, in bytes, in byte pairs, or in the pieces of a ready-made tokenizer. No torch.

A code is what the pack holds of a text; a token what the network reads. Of characters a code is the code point, and its
token the place in the schema; of all others they are one number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from snowroll.base.nouns import Json
from snowroll.base.task import Columns
from snowroll.prepare.bytepairs import BytePairs, byte_pairs
from snowroll.prepare.ready_tokens import ReadyTokens, ready_tokens
from snowroll.prepare.texts import is_control
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.texts import PAD, codes_of, follows_of, text_of

COLUMNS = {
    "characters": "codes",
    "bytes": "bytes",
    "pairs": "pairs",
    "pieces": "pieces",
}  # kind of the tokens -> the pack's column
Schema = Mapping[str, Json]


def completed(options: WriteOptions) -> dict[str, Json]:
    """What the run's tokens add to the schema: the byte pairs, or where the ready-made model lies and what it was."""
    if options.tokens == "pairs":
        return {"merges": list(options.merges)}
    if options.tokens == "pieces":
        return {"base": {"folder": options.pretrained, "seal": options.seal, "context": options.context}}
    return {}


def spelt(text: str, kind: str, told: Schema) -> np.ndarray:
    """int32 [n]: the codes of a text. told: the completed schema, or what completes it.

    >>> spelt("abé", "pairs", {"merges": ["a b"]}).tolist()
    [256, 195, 169]
    """
    if kind in ("pairs", "pieces"):
        return np.array(_tokenizer(kind, told).tokens(text), np.int32)
    return codes_of(text, kind == "bytes")


def _tokenizer(kind: str, told: Schema) -> BytePairs | ReadyTokens:
    if kind == "pairs":
        return byte_pairs(tuple(told["merges"]))
    return ready_tokens(told["base"]["folder"], told["base"]["seal"])


def read_back(codes: np.ndarray, kind: str, schema: Schema) -> str:
    """The inverse; what is no character stands as U+FFFD."""
    if kind in ("pairs", "pieces"):
        return _tokenizer(kind, schema).text(codes[codes >= 0].tolist())
    return text_of(codes, kind == "bytes")


def in_bytes(schema: Schema, kind: str) -> list[bytes]:
    """The UTF-8 of what each token stands for, in the order of their numbers."""
    if kind in ("pairs", "pieces"):
        return _tokenizer(kind, schema).bytes
    if kind == "bytes":
        return [bytes([byte]) for byte in range(256)]
    return [chr(code).encode("utf-8", "replace") for code in alphabet(schema, kind)]


def alphabet(schema: Schema, kind: str) -> Sequence[int]:
    """The code of each token, in the order of their numbers: rising."""
    if kind == "characters":
        return sorted(map(ord, schema["characters"]))
    return range(len(in_bytes(schema, kind)))


def vocabulary(schema: Schema, kind: str) -> int:
    """How many tokens there are: of characters one more, for all others."""
    return len(alphabet(schema, kind)) + (kind == "characters")


def characters_in(token: bytes) -> int:
    """How many characters begin in a token.

    >>> characters_in("né".encode()), characters_in("é".encode()[1:])
    (2, 0)
    """
    return sum(byte & 0xC0 != 0x80 for byte in token)


def unsaid(schema: Schema, kind: str) -> list[int]:
    """Tokens that no answer may hold: of control characters, and a ready-made tokenizer's own marks."""
    marks = ready_tokens(schema["base"]["folder"], schema["base"]["seal"]).unsaid if kind == "pieces" else []
    controls = {byte for byte in range(0x80) if is_control(chr(byte))}
    return marks + [number for number, token in enumerate(in_bytes(schema, kind)) if not controls.isdisjoint(token)]


def kind_in(columns: Columns) -> str:
    """The kind of the tokens, by the pack's column."""
    return next(kind for kind, name in COLUMNS.items() if name in columns)


def letters_in(codes: np.ndarray, kind: str, schema: Schema) -> np.ndarray:
    """Codes of characters [n, T], PAD after their end, of codes of any kind but bytes: what n-grams are counted of."""
    if kind in ("characters", "bytes"):
        return codes
    rows = [codes_of(read_back(row, kind, schema), False) for row in codes]
    return padded(rows, max(map(len, rows), default=1))


def padded(rows: Sequence[np.ndarray], width: int) -> np.ndarray:
    """int32 [n, width], PAD after the end of each."""
    found = np.full((len(rows), max(1, width)), PAD, np.int32)
    for row, codes in enumerate(rows):
        found[row, : len(codes)] = codes
    return found


def spelled_out(targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
    """tokens int32 [n, T + A]: those of passage and target, -1 after their end; answer int32 [n, A]: its codes.

    columns: of the pack, with the codes [n, T + 1].
    """
    kind = kind_in(columns)
    framed = np.asarray(columns[COLUMNS[kind]])
    answers = [spelt(follows_of(target), kind, schema) for target in targets]
    answer = padded(answers, max((len(codes) for codes in answers), default=0))
    whole = np.full((len(framed), framed.shape[1] - 1 + answer.shape[1]), PAD, np.int32)
    whole[:, : framed.shape[1] - 1] = framed[:, 1:]
    for row, codes in enumerate(answers):
        begin = int((framed[row, 1:] >= 0).sum())
        whole[row, begin : begin + len(codes)] = codes
    return {"tokens": token_numbers(whole, schema, kind), "answer": answer}


def token_numbers(codes: np.ndarray, schema: Schema, kind: str) -> np.ndarray:
    """Codes to the numbers of their tokens, as the model's table has them; PAD becomes -1."""
    if kind != "characters":
        return np.where(codes >= 0, codes, -1).astype(np.int32)
    known = np.array(alphabet(schema, kind), np.int64)
    if not len(known):
        return np.where(codes >= 0, 0, -1).astype(np.int32)
    places = np.searchsorted(known, codes).clip(0, len(known) - 1)
    numbers = np.where(known[places] == codes, places, len(known))
    return np.where(codes >= 0, numbers, -1).astype(np.int32)
