"""The network an option's name stands for, between the tables of its tokens."""

from __future__ import annotations

from pathlib import Path

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Json
from snowroll.design.base_models import BaseModel, base_model
from snowroll.design.char_rnn import CharRNN
from snowroll.design.gpt import GPT
from snowroll.design.runs import Runs
from snowroll.design.writing import Writer
from snowroll.prepare.ready_tokens import check_seal, read_config, ready_tokens, weights_in
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.spelling import alphabet, characters_in, in_bytes, vocabulary


def build(options: WriteOptions, schema: Json) -> Writer:
    """Fresh weights. Of characters there is a token more, for all that the schema does not name."""
    kind, width, context = options.tokens, options.width, options.context
    size = vocabulary(schema, kind)
    if options.model == "hub":
        tokens = ready_made(options, schema)
    elif options.model == "gpt":
        runs = Runs(options.runs, size, options.run_rows, width) if options.runs > 1 else None
        tokens = GPT(size, width, options.depth, options.heads, context, options.dropout, runs)
    else:
        tokens = CharRNN(size, width, options.depth, context, options.model, options.dropout)
    begun = None if kind == "characters" else [characters_in(token) for token in in_bytes(schema, kind)]
    return Writer(tokens, alphabet(schema, kind), context, begun)


def ready_made(options: WriteOptions, schema: Json) -> BaseModel:
    """The network that the schema's base names.

    Its weights are read where they are to begin with (`pretrained`), or stand still; where all of them were learnt, and
    are about to be loaded, fresh ones will do.
    """
    base = schema.get("base")
    if base is None:
        cure = "give --task.pretrained FOLDER, and no --task.tokens"
        raise PlanError("a ready-made model comes with its own tokens", where="task.tokens", cure=cure)
    folder = Path(base["folder"])
    wanted = bool(options.pretrained or options.lora)
    check_seal(folder, base["seal"], weights=wanted)
    begins = ready_tokens(base["folder"], base["seal"]).begins
    weights = weights_in(folder) if wanted else []
    return base_model(read_config(folder), weights, begins, options.context, options.lora, options.dropout)
