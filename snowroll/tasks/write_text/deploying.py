"""How a language model is cut for export: codes of a text in, what follows it out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Json
from snowroll.base.task import Deployable, Step
from snowroll.deploy.halves import Body
from snowroll.design.base_models import BaseModel, merged
from snowroll.design.gpt import GPT
from snowroll.design.writing import PAD, START, Further
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.spelling import alphabet, completed

LARGEST = 2_000_000_000  # bytes of one ONNX file: protobuf counts them in 31 bits
_CODES = {
    "characters": "Unicode code points",
    "bytes": "bytes of its UTF-8",
    "pairs": "byte pairs (256 bytes, then the merges in their order)",
    "pieces": "numbers that the base model's tokenizer.json gives",
}


class Framed(nn.Module):
    """Codes int32 [n] to int64 [1, length + 1]: START, the last `length` of them, PAD."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.length = length

    def forward(self, codes: Tensor) -> Tensor:
        tail = F.pad(codes.long(), (self.length, 0), value=PAD)[-self.length :]
        count = (tail >= 0).sum()
        places = torch.remainder(torch.arange(self.length) + (self.length - count), self.length)
        return F.pad(tail.gather(0, places), (1, 0), value=START)[None]


def _that_fits(tokens: BaseModel) -> BaseModel:
    size = 4 * sum(p.numel() for p in tokens.parameters())
    if size > LARGEST:
        told = f"weights of {size / 1e9:.1f} GB do not fit into one ONNX file"
        cure = "it answers from torch all the same: snowroll predict, and run.model() in Python"
        raise PlanError(told, cure=cure)
    return tokens


def deployable(
    model: Any,
    postprocess: Callable[[object], Mapping[str, Tensor]],
    options: WriteOptions,
    schema: Mapping[str, Json],
) -> Deployable:
    """See base.task.Deployable."""
    kind = options.tokens
    contract = {
        "input": f"codes: int32 [n], the {_CODES[kind]} of a text; of more than {options.length} the last are read",
        "output": (
            "next: float32 [batch, tokens], the probability of each token to follow; nats, tokens, characters: "
            "float32 [batch], how well the text itself was told"
        ),
        "tokens": len(alphabet(schema, kind)) if kind == "pieces" else list(alphabet(schema, kind)),
    }
    contract |= completed(options)
    if isinstance(tokens := model.tokens, BaseModel):
        model = copy.copy(model)  # its tables are shared; what is exported is merged
        model._modules = {**model._modules, "tokens": merged(_that_fits(tokens))}
    return Deployable(
        prepare=Framed(options.length),
        body=Body(model, postprocess),
        raw_example=torch.arange(options.length + 3, dtype=torch.int32) % 97,
        raw_name="codes",
        raw_axes={0: "n"},
        output_names=("next", "nats", "tokens", "characters"),
        contract=contract,
        step=step_of(tokens),
    )


def step_of(tokens: Any) -> Step | None:
    """The network that remembers; its tokens are numbers of the contract's list, and one more for any other.

    None of a ready-made one, and of a context too short to prove it on.
    """
    if isinstance(tokens, BaseModel) or tokens.context < 3:
        return None
    return Step(
        module=Further(tokens),
        takes="numbers",
        gives="logits",
        memory=tokens.remembered(),
        grows={"keys": 3, "values": 3} if isinstance(tokens, GPT) else {},
        context=tokens.context,
        numbers=[number % tokens.embed.num_embeddings for number in range(-1, min(6, tokens.context - 2))],
    )
