"""Going on with a text, token by token: by the network itself, which remembers, or by its exported file."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError, UsageError, did_you_mean
from snowroll.base.nouns import Json, Prediction
from snowroll.design.sampling import Taste, drawn_token, gone_on
from snowroll.prepare.texts import is_control, read_text
from snowroll.tasks.write_text.answers import read
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.spelling import alphabet, in_bytes, spelt, token_numbers, unsaid, vocabulary
from snowroll.tasks.write_text.texts import START

if TYPE_CHECKING:
    from snowroll.base.nouns import Batch
    from snowroll.deploy.session import Loaded

Schema = Mapping[str, Json]
AT_LENGTH = 120  # characters that `predict` writes
SAID = 300  # characters that the closing of `train` writes
MOST = 4_096  # characters that one request may ask for
PLAIN = Taste(temperature=0.7, top_p=0.95)


def at_length(
    model: Any, batch: Batch, said: Sequence[Prediction], schema: Schema, options: WriteOptions
) -> list[Prediction]:
    """Each prediction with AT_LENGTH characters in the place of the likeliest next token; the same at each call."""
    told = []
    for codes, one in zip(batch.inputs, said, strict=True):
        text = "".join(from_network(model, codes[codes >= 0].cpu().numpy(), schema, options, PLAIN, AT_LENGTH))
        told.append(replace(one, value=text or one.value))
    return told


def closing(model: Any, line: str, schema: Schema, options: WriteOptions, seed: int) -> Iterator[str]:
    """Pieces of how the line goes on."""
    codes = spelt(read_text(line.encode("utf-8", "replace")), options.tokens, schema)
    return from_network(model, codes, schema, options, replace(PLAIN, seed=seed), SAID)


def from_network(
    model: Any, codes: np.ndarray, schema: Schema, options: WriteOptions, taste: Taste, most: int
) -> Iterator[str]:
    """Up to `most` characters that follow `codes`, piece by piece; what was read is remembered from step to step."""
    import torch

    from snowroll.design.writing import written

    known = in_bytes(schema, options.tokens)
    ids = model.ids(torch.tensor([[START, *codes.tolist()]])).tolist()[0]
    unknown = range(len(known), model.size)
    tokens = written(model.tokens, ids, taste, [*unsaid(schema, options.tokens), *unknown])
    return _within(pieces(known[token] for token in tokens), most)


def generate(model: Loaded, asked: Json, schema: Schema, options: WriteOptions) -> tuple[bytes, Iterator[Any]]:
    """POST /v1/generate: {"prompt", "characters", "temperature", "top_k", "top_p", "seed"}, all but the first optional.

    Pieces are {"text"}, at last a Prediction of all of them. Raises DataError for what cannot be answered.
    """
    prompt, most, taste = _asked(asked)
    raw = prompt.encode("utf-8", "replace")
    codes = spelt(read_text(raw), options.tokens, schema)
    return raw, _generated(model, codes, most, taste, schema, options)


def _generated(
    model: Loaded, codes: np.ndarray, most: int, taste: Taste, schema: Schema, options: WriteOptions
) -> Iterator[Any]:
    prepared = model.prepared([codes[-options.length :]])
    (first,) = read(model.run(prepared), schema, options)
    known, never = in_bytes(schema, options.tokens), unsaid(schema, options.tokens)
    if model.step is None:
        tokens = _by_whole_passes(model, codes, taste, never, schema, options)
    else:
        size = vocabulary(schema, options.tokens)
        numbers = [size, *token_numbers(codes, schema, options.tokens).tolist()]
        tokens = gone_on(model.step, numbers, taste, [*never, *range(len(known), size)])
    whole = ""
    for piece in _within(pieces(known[token] for token in tokens), most):
        whole += piece
        yield {"text": piece}
    yield replace(first, value=whole, scores=None)


def _by_whole_passes(
    model: Loaded, codes: np.ndarray, taste: Taste, never: Sequence[int], schema: Schema, options: WriteOptions
) -> Iterator[int]:
    """Tokens that follow, of a file without a step: each costs a pass over the text."""
    codes_of = alphabet(schema, options.tokens)
    text = codes.tolist()
    for place in count():
        outputs = model.run(model.prepared([np.array(text[-options.length :], np.int32)]))
        logits = np.log(outputs["next"][0][: len(codes_of)] + 1e-30)
        logits[list(never)] = -np.inf
        token = drawn_token(logits, taste, place)
        text.append(codes_of[token])
        yield token


def pieces(tokens: Iterable[bytes]) -> Iterator[str]:
    """Tokens as text, as soon as each character is whole.

    >>> list(pieces([b"a", b"b\\xc3", b"\\xa9"]))
    ['a', 'b', 'é']
    """
    decoder = getincrementaldecoder("utf-8")("replace")
    for token in tokens:
        if piece := decoder.decode(token):
            yield "".join("\ufffd" if is_control(character) else character for character in piece)


def _within(texts: Iterator[str], most: int) -> Iterator[str]:
    left = most
    for text in texts:
        yield text[:left]
        left -= len(text)
        if left <= 0:
            return


def _asked(asked: Json) -> tuple[str, int, Taste]:
    known = ["prompt", "characters", *(f.name for f in fields(Taste))]
    for name in asked:
        if name not in known:
            raise DataError(f"unknown key '{str(name)[:40]}'", where="body", cure=did_you_mean(str(name), known))
    prompt = asked.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        raise DataError("there is no text to go on from", where="prompt", cure='send {"prompt": "..."}')
    most = asked.get("characters", 200)
    if not isinstance(most, int) or isinstance(most, bool) or not 1 <= most <= MOST:
        raise DataError("no number of characters", where="characters", cure=f"set it to 1 to {MOST:,}")
    given = {name: asked[name] for name in known[2:] if name in asked}
    for name, value in given.items():
        whole = name in ("top_k", "seed")
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or abs(value) >= 2**63:
            raise DataError(
                "not a number that fits", where=name, cure="send a whole number" if whole else "send a number"
            )
    try:
        return prompt, most, Taste(**given)
    except UsageError as fault:
        raise DataError(fault.what, where=fault.where.removeprefix("taste."), cure=fault.cure) from None
