"""The options of a language model, and the rules that choose them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint

SMALL = 60_000  # characters to learn from, below which a small network learns all there is. A guess
ENOUGH = 500_000  # characters, from which on one reading is a training. A guess
PER_CORE_S = 10_000  # characters that one core learns from in a second, at 128 wide


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The task's part of the Plan for writing."""

    model: Literal["gpt", "lstm", "gru"] = "gpt"
    tokens: Literal["characters", "bytes"] = "characters"  # what the network reads and writes one at a time
    length: int = 512  # characters or bytes of a passage that are read; of a longer text the last
    context: int = 128  # tokens that the network looks back on
    width: int = 128
    depth: int = 4  # layers
    heads: int = 4  # of attention, in each layer
    dropout: float = 0.0
    runs: int = 1  # of gpt: runs of up to so many tokens have vectors of their own; 1: single tokens only
    run_rows: int = 16_384  # that runs of one length share

    def __post_init__(self) -> None:
        check_numbers("task", self, from_1="length context width depth heads runs run_rows", shares="dropout")
        if self.width % (2 * self.heads):
            cure = f"set it to {max(1, round(self.width / (2 * self.heads))) * 2 * self.heads}"
            raise UsageError(
                f"{self.width} is not divisible by twice {self.heads} heads", where="task.width", cure=cure
            )

    @property
    def parts(self) -> int:
        """Passages are this often, squared, as long as what is learnt at once."""
        return max(1, isqrt(self.length // self.context))


def write_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts, n = fingerprint.facts, fingerprint.n["train"]
    asked: Mapping[str, Json] = facts.get("asked") or {}
    learnt = int(facts["characters"])
    gpu = fingerprint.device.startswith("cuda")
    long = int(facts["longest"])
    small = learnt < SMALL
    context = 256 if gpu and not small else 64
    reads = _reads(fingerprint, learnt)
    once = reads <= 1.5 and not small
    batch = 64 if gpu else 8 if n < 64 else 16 if once else 32
    steps = 5_000 if gpu else 400 if small else max(400, round(learnt / (batch * context))) if once else 2_000
    network = str(asked.get("model") or "gpt")
    of = f"{learnt:,} characters to learn from"
    often = f"of {learnt:,} characters, each is read {reads:.1f} times"
    return [
        Choice("task.length", -(-long // context) * context, f"the longest passage has {long} characters"),
        Choice("task.context", context, f"{of}{'' if gpu else ', on a processor'}"),
        Choice("task.width", 64 if small else 384 if gpu else 128, of),
        Choice("task.depth", 2 if small else 6 if gpu else 4, of),
        Choice("task.heads", 4 if small or not gpu else 6, "about 32 or 64 values a head"),
        Choice("task.dropout", 0.2 if gpu else 0.0, "a GPU reads a small corpus often enough to learn it by heart"),
        Choice("task.runs", 5 if once else 1, f"{often}; long runs are learnt by heart from the second time on"),
        Choice("task.run_rows", min(2**16, max(2**10, learnt // 16)), of),
        Choice("train.batch", batch, f"{n} passages, of each a stretch of {context} at a time"),
        Choice("train.steps", steps, f"{of}; --time sets it by the clock instead"),
        *_learning(network),
        Choice("train.schedule", "linear", "straight down to zero: the budget ends where learning ends"),
        Choice("train.clip", 1.0, "one odd passage must not undo the others"),
        Choice("train.threads", fingerprint.threads, "all cores of this machine"),
        _precision(fingerprint),
    ]


def _reads(fingerprint: Fingerprint, learnt: int) -> float:
    """How often each character will be read, as far as can be told before a step was timed."""
    if fingerprint.device.startswith("cuda"):
        return 5_000 * 64 * 256 / learnt
    if fingerprint.time_s is None:
        return 1.0 if learnt >= ENOUGH else 2_000 * 32 * 64 / learnt
    return fingerprint.time_s * fingerprint.threads * PER_CORE_S / learnt


def _learning(network: str) -> list[Choice]:
    if network == "gpt":
        return [
            Choice("train.optimizer", "muon", "matrices learn fastest when every direction moves alike (Jordan 2024)"),
            Choice("train.lr", 0.02, "for Muon; embeddings and head follow AdamW at a tenth of it"),
            Choice("train.momentum", 0.95, "goes with Muon"),
            Choice("train.weight_decay", 0.0, "a short run forgets nothing"),
            Choice("train.warmup", 0.02, "Muon's steps are of one size from the first on"),
        ]
    return [
        Choice("train.optimizer", "adamw", "a recurrent network is not made of maps that may be made orthogonal"),
        Choice("train.lr", 3e-3, "for AdamW"),
        Choice("train.weight_decay", 0.0, "a short run forgets nothing"),
        Choice("train.warmup", 0.05, "the first steps rise"),
    ]


def _precision(fingerprint: Fingerprint) -> Choice:
    if fingerprint.bf16:
        return Choice("train.precision", "bf16", "this device multiplies bf16 faster")
    return Choice("train.precision", "fp32", "this device multiplies bf16 no faster")
