"""The options of a classifier of texts, and the rules that choose them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint

MOST_READ = 4_096  # characters of a text, by the rules
DIRECT = 32  # classes up to which a n-gram's vector is its votes
EPOCHS = 5  # as good as 8 on four corpora, and less sure of itself
MOST_STEPS = 20_000
ORDER_FROM = 100_000  # texts of few words, from which word order pays for its time. A guess


@dataclass(frozen=True, slots=True)
class TextOptions:
    """The task's part of the Plan for classifying texts."""

    model: Literal["bag", "encoder"] = "bag"
    length: int = 2_048  # characters of a text that are read, folded, spaces among them; the rest is not
    buckets: int = 65_536  # rows of the table that n-grams share
    words: int = 2  # the longest run of words that has a row
    letters: int = 5  # of letters, from 3 on; 0: words only
    width: int = 0  # of vectors; 0 (bag): a n-gram's vector is its votes for the classes
    depth: int = 2  # encoder: layers
    heads: int = 4  # encoder: of attention, in each layer
    order: int = 128  # encoder: words that are read
    dropout: float = 0.2  # encoder
    smoothing: float = 0.0  # of the targets while learning

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="length buckets words depth heads order",
            from_0="letters width",
            shares="dropout smoothing",
        )
        if self.model == "encoder" and self.width % (2 * self.heads):
            cure = f"set it to {max(1, round(self.width / (2 * self.heads))) * 2 * self.heads}"
            raise UsageError(
                f"{self.width} is not divisible by twice {self.heads} heads", where="task.width", cure=cure
            )


def text_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts, n, classes = fingerprint.facts, fingerprint.n["train"], len(fingerprint.schema["classes"])
    asked: Mapping[str, Json] = facts.get("asked") or {}
    longest, letters = int(facts["longest"]), int(facts["letters"])
    short = float(facts["words"]) <= 40
    gpu = fingerprint.device.startswith("cuda")
    by_rule = "encoder" if gpu and short and n >= ORDER_FROM else "bag"
    model = str(asked.get("model") or by_rule)
    why = (
        f"{n:,} short texts and a GPU: enough to learn from the order of words"
        if by_rule == "encoder"
        else f"{n:,} texts of {facts['words']:.0f} words: n-grams say nearly as much as order does, in seconds"
    )
    read = min(MOST_READ, 16 * ceil(1.25 * longest / 16))
    cut = "" if read >= longest else "; what is beyond is not read"
    of = f"{letters:,} letters to learn from"
    buckets = 2 ** min(18, max(12, ceil(log2(max(1, letters)))))
    width = 64 if model == "encoder" else 0 if classes <= DIRECT else 64
    batch = 64 if n >= 2_000 else 32 if n >= 400 else 8
    epochs = EPOCHS if n >= 400 else 2 * EPOCHS
    steps = min(MOST_STEPS, max(100, round(epochs * n / batch)))
    passes = steps * batch / max(1, n)
    wide = f"{classes} classes: a n-gram's vector is its votes for them" if not width else f"{classes} classes"
    return [
        Choice("task.model", model, why),
        Choice("task.length", read, f"the longest text looked at has {longest:,} characters{cut}"),
        Choice("task.buckets", buckets, of),
        Choice("task.width", width, wide if model == "bag" else of),
        Choice("train.batch", batch, f"{n:,} texts"),
        Choice("train.steps", steps, f"about {passes:.0f} passes; --time sets it by the clock instead"),
        *(_of_a_bag(steps) if model == "bag" else _of_an_encoder(fingerprint)),
        Choice("train.schedule", "linear", "straight down to zero: the budget ends where learning ends"),
        Choice("train.threads", fingerprint.threads, "all cores of this machine"),
        Choice("train.channels_last", False, "there are no channels"),
    ]


def _of_a_bag(steps: int) -> list[Choice]:
    return [
        Choice("train.most_steps", steps, "more passes learn rare n-grams by heart: votes surer than they are"),
        Choice("train.optimizer", "sgd", "rare n-grams must not move as far as common ones: they are learnt by heart"),
        Choice("train.lr", 1.0, "for texts of one length: .5 to 2 did as well"),
        Choice("train.momentum", 0.9, "goes with SGD"),
        Choice("train.weight_decay", 0.0, "the number of passes holds the votes"),
        Choice("train.warmup", 0.0, "it is as good as a linear model"),
        Choice("train.precision", "fp32", "sums of hundreds of small votes"),
    ]


def _of_an_encoder(fingerprint: Fingerprint) -> list[Choice]:
    fast = "bf16" if fingerprint.bf16 else "fp32"
    return [
        Choice("train.optimizer", "adamw", "n-grams are met unequally often: steps of each one's own size"),
        Choice("train.lr", 2e-3, "for AdamW"),
        Choice("train.weight_decay", 0.01, "vectors of rare n-grams are held small"),
        Choice("train.warmup", 0.05, "the first steps rise"),
        Choice("train.clip", 1.0, "one odd text must not undo the others"),
        Choice("train.precision", fast, f"this device multiplies bf16 {'faster' if fingerprint.bf16 else 'no faster'}"),
    ]
