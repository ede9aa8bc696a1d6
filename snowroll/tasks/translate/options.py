"""The options of a translator, and the rules that choose them. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.tasks.translate.sentences import tokens_of

SMALL = 3_000  # pairs to learn from, below which a small network learns all there is. A guess


@dataclass(frozen=True, slots=True)
class TranslateOptions:
    """The task's part of the Plan for translation."""

    merges: tuple[str, ...] = ()  # of byte pairs, commonest first: with the bytes they are the tokens
    source: str = ""  # the language (or column) that is translated from
    length: int = 1_024  # tokens of a source that are read; longer ones are refused
    longest: int = 64  # tokens of an answer
    width: int = 128
    depth: int = 3  # layers that read, and as many that write
    heads: int = 4  # of attention, in each layer
    dropout: float = 0.3
    smoothing: float = 0.1  # of the targets while learning (Szegedy et al. 2016)
    beams: int = 4  # hypotheses that are kept while answering; 1: greedy
    penalty: float = 0.6  # for short answers: alpha of Wu et al. 2016

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="length longest width depth heads beams",
            from_0="penalty",
            shares="dropout smoothing",
        )
        if self.width % (2 * self.heads):
            cure = f"set it to {max(1, round(self.width / (2 * self.heads))) * 2 * self.heads}"
            raise UsageError(
                f"{self.width} is not divisible by twice {self.heads} heads", where="task.width", cure=cure
            )


def measured(sizes: np.ndarray, targets: Sequence[Json], merges: Sequence[str]) -> dict[str, Json]:
    """The tokens of the longest translation, and about those of the longest source. sizes: bytes of each source."""
    tokens = [len(tokens_of(str(target), merges)) for target in targets]
    bytes_ = sum(len(str(target).encode("utf-8", "replace")) for target in targets)
    each = sum(tokens) / max(1, bytes_)
    longest = max((float(size) for size in sizes), default=0.0)
    return {"longest_source": 1 + ceil(longest * each), "longest_target": max(tokens, default=1)}


def translate_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts, n = fingerprint.facts, fingerprint.n["train"]
    schema: Mapping[str, Json] = fingerprint.schema
    merges = list(schema.get("merges", ()))
    gpu = fingerprint.device.startswith("cuda")
    small = n < SMALL
    batch = 256 if gpu else 128 if not small else 32 if n >= 64 else 8
    epochs = 40 if not small else 60
    steps = max(300, round(epochs * n / batch))
    of = f"{n:,} pairs to learn from"
    asked, answered = int(facts["longest_source"]), int(facts["longest_target"])
    return [
        Choice("task.merges", merges, f"{len(merges):,} byte pairs that stand together often, of both languages"),
        Choice("task.source", str(schema.get("source", "")), "the language of the sentences that are given"),
        Choice("task.length", _room(asked), f"the longest source looked at has about {asked} tokens"),
        Choice("task.longest", _room(answered), f"the longest translation looked at has {answered} tokens"),
        Choice("task.width", 64 if small else 256 if gpu else 128, of),
        Choice("task.depth", 2 if small else 4 if gpu else 3, of),
        Choice("task.heads", 4 if small or not gpu else 8, "16 or 32 values a head"),
        Choice("task.dropout", 0.1 if small else 0.3 if n < 200_000 else 0.1, of),
        Choice("train.batch", batch, of),
        Choice(
            "train.steps", steps, f"about {steps * batch / max(1, n):.0f} passes; --time sets it by the clock instead"
        ),
        Choice("train.optimizer", "muon", "matrices learn fastest when every direction moves alike (Jordan 2024)"),
        Choice("train.lr", 0.02, "for Muon; the table of tokens follows AdamW at a tenth of it"),
        Choice("train.momentum", 0.95, "goes with Muon"),
        Choice("train.weight_decay", 0.0, "dropout and smoothed targets hold the weights"),
        Choice("train.schedule", "linear", "straight down to zero: the budget ends where learning ends"),
        Choice("train.warmup", 0.02, "Muon's steps are of one size from the first on"),
        Choice("train.clip", 1.0, "one odd pair must not undo the others"),
        Choice("train.threads", fingerprint.threads, "all cores of this machine"),
        _precision(fingerprint),
    ]


def _room(longest: int) -> int:
    """Half as much again, in steps of 16: not every pair was looked at."""
    return 16 * max(1, ceil(1.5 * longest / 16))


def _precision(fingerprint: Fingerprint) -> Choice:
    if fingerprint.bf16:
        return Choice("train.precision", "bf16", "this device multiplies bf16 faster")
    return Choice("train.precision", "fp32", "this device multiplies bf16 no faster")
