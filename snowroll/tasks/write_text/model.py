"""The network an option's name stands for, between the tables of its tokens."""

from __future__ import annotations

from snowroll.base.nouns import Json
from snowroll.design.char_rnn import CharRNN
from snowroll.design.gpt import GPT
from snowroll.design.runs import Runs
from snowroll.design.writing import Writer
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.texts import alphabet


def build(options: WriteOptions, schema: Json) -> Writer:
    """Fresh weights. Tokens are bytes, or the schema's characters and one for all others."""
    in_bytes = options.tokens == "bytes"
    codes = alphabet(schema, in_bytes)
    vocabulary = len(codes) + (not in_bytes)
    if options.model == "gpt":
        runs = Runs(options.runs, vocabulary, options.run_rows, options.width) if options.runs > 1 else None
        tokens = GPT(vocabulary, options.width, options.depth, options.heads, options.context, options.dropout, runs)
    else:
        tokens = CharRNN(vocabulary, options.width, options.depth, options.context, options.model, options.dropout)
    return Writer(tokens, codes, options.context, in_bytes)
