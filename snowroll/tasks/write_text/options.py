"""The options of a language model. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.prepare.bytepairs import BYTES


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The task's part of the Plan for writing."""

    model: Literal["gpt", "lstm", "gru", "hub"] = "gpt"  # hub: a ready-made one, from the folder `pretrained`
    pretrained: str = ""  # of hub: a folder with config.json, tokenizer.json and model.safetensors
    seal: str = ""  # of hub: what tells the folder's model from any other
    lora: int = 0  # of hub: rank of the matrices that learn beside those of the folder; 0: all weights learn
    tokens: Literal["characters", "bytes", "pairs", "pieces"] = "characters"  # read and written one at a time
    vocabulary: int = 0  # of pairs: how many tokens there are, with the 256 bytes; 0: as many as the text is worth
    merges: tuple[str, ...] = ()  # of pairs, commonest first: with the bytes they are the tokens
    length: int = 512  # tokens of a passage that are read; of a longer text the last
    context: int = 128  # tokens that the network looks back on
    width: int = 128
    depth: int = 4  # layers
    heads: int = 4  # of attention, in each layer
    dropout: float = 0.0
    runs: int = 1  # of gpt: runs of up to so many tokens have vectors of their own; 1: single tokens only
    run_rows: int = 16_384  # that runs of one length share

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="length context width depth heads runs run_rows",
            from_0="vocabulary lora",
            shares="dropout",
        )
        if 0 < self.vocabulary <= BYTES:
            told = f"{self.vocabulary} tokens are no more than the {BYTES} bytes"
            raise UsageError(told, where="task.vocabulary", cure="set it to 512 or more, or --task.tokens bytes")
        if self.model == "hub" and self.pretrained:  # wherever it is asked for later
            object.__setattr__(self, "pretrained", str(Path(self.pretrained).expanduser().resolve()))
        if self.model != "hub" and (self.pretrained or self.lora or self.tokens == "pieces"):
            told = f"{self.model} is made from nothing: pretrained, lora and pieces belong to a ready-made model"
            raise UsageError(told, where="task.model", cure="say --task.model hub --task.pretrained FOLDER")
        if self.width % (2 * self.heads):
            cure = f"set it to {max(1, round(self.width / (2 * self.heads))) * 2 * self.heads}"
            raise UsageError(
                f"{self.width} is not divisible by twice {self.heads} heads", where="task.width", cure=cure
            )

    @property
    def parts(self) -> int:
        """Passages are this often, squared, as long as what is learnt at once."""
        return max(1, isqrt(self.length // self.context))
