"""The network an option's name stands for, between the tables of its tokens."""

from __future__ import annotations

from snowroll.base.nouns import Json
from snowroll.design.char_rnn import CharRNN
from snowroll.design.gpt import GPT
from snowroll.design.runs import Runs
from snowroll.design.writing import Writer
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.spelling import alphabet, characters_in, in_bytes, vocabulary


def build(options: WriteOptions, schema: Json) -> Writer:
    """Fresh weights. Of characters there is a token more, for all that the schema does not name."""
    kind, width, context = options.tokens, options.width, options.context
    size = vocabulary(schema, kind)
    if options.model == "gpt":
        runs = Runs(options.runs, size, options.run_rows, width) if options.runs > 1 else None
        tokens = GPT(size, width, options.depth, options.heads, context, options.dropout, runs)
    else:
        tokens = CharRNN(size, width, options.depth, context, options.model, options.dropout)
    begun = None if kind == "characters" else [characters_in(token) for token in in_bytes(schema, kind)]
    return Writer(tokens, alphabet(schema, kind), context, begun)
