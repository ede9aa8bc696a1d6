"""The rules that choose a language model's options, and what they ask of the text. No torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.prepare.bytepairs import BYTES, byte_pairs, counted, learn_merges
from snowroll.prepare.ready_tokens import read_config, ready_tokens, seal
from snowroll.prepare.texts import read_text
from snowroll.tasks.write_text.options import WriteOptions

SMALL = 60_000  # characters to learn from, below which a small network learns all there is. A guess
# Readings of each character, on a processor and on a GPU (a guess), after which there is more to lose than to gain. On
# 0.1 MB of Shakespeare, nats a character: 4 readings 1.73, 8 1.74, 16 2.23; with dropout 8 1.69, 16 1.61, 30 1.61
PASSES = {False: 16, True: 30}
ENOUGH = 500_000  # characters, from which on one reading is a training. A guess
PER_CORE_S = 10_000  # characters that one core learns from in a second, at 128 wide
# different characters, from which on byte pairs are chosen: in a minute of one core they lost on plays of 65 characters
# (1.80 nats a character, against 1.73) and won on messages in nine languages, of 2,081 (1.86 against 1.88)
MANY = 1_000
PER_PAIR = 250  # characters to learn from, for each byte pair: 2,048 of half a million were measured
MOST_PAIRS = 8_192


def read_facts(raws: Iterable[bytes], options: WriteOptions) -> dict[str, Json]:
    """The byte pairs of what is learnt from, where they may be wanted, and what they make of it.

    Nothing of validation and test is counted. merges; read: characters of the texts, pairs: their tokens; longest_pairs
    of one text.
    """
    if options.tokens == "bytes":
        return {}
    texts = [read_text(raw) for raw in raws]
    if options.model == "hub":
        known = ready_tokens(str(_home(options.pretrained)))
        return {"longest_pieces": max((len(known.tokens(text)) for text in texts), default=1)}
    read = sum(map(len, texts))
    if not (options.tokens == "pairs" or options.vocabulary or len(set().union(*texts)) >= MANY):
        return {}
    wanted = options.vocabulary or min(MOST_PAIRS, max(512, BYTES + read // PER_PAIR))
    merges = learn_merges(counted(texts), wanted - BYTES)
    known = byte_pairs(merges)
    counts = [len(known.tokens(text)) for text in texts]
    return {"merges": list(merges), "read": read, "pairs": sum(counts), "longest_pairs": max(counts, default=1)}


def write_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    if (fingerprint.facts.get("asked") or {}).get("model") == "hub":
        return _ready_made(fingerprint)
    facts, n = fingerprint.facts, fingerprint.n["train"]
    asked: Mapping[str, Json] = facts.get("asked") or {}
    learnt = int(facts["characters"])
    gpu = fingerprint.device.startswith("cuda")
    tokens, merges = _tokens(facts, asked)
    each = float(facts["read"]) / max(1, int(facts["pairs"])) if merges else 1.0  # characters of a token
    long = round(1.25 * int(facts["longest_pairs"])) if merges else int(facts["longest"])
    small = learnt < SMALL
    context = 256 if gpu and not small else 64
    reads = _reads(fingerprint, learnt)
    once = reads <= 1.5 and not small
    batch = 64 if gpu else 8 if n < 64 else 16 if once else 32
    most = max(200, round(PASSES[gpu] * learnt / each / (batch * context)))
    wanted = 5_000 if gpu else 400 if small else max(400, round(learnt / each / (batch * context))) if once else 2_000
    is_repeated = gpu or not (small or once)
    steps, why = min(wanted, most), f"each character is read {PASSES[gpu]} times by then; more is learnt by heart"
    network = str(asked.get("model") or "gpt")
    of = f"{learnt:,} characters to learn from"
    often = f"of {learnt:,} characters, each is read {reads:.1f} times"
    longest = f"the longest passage looked at has {facts['longest_pairs']} tokens" if merges else ""
    return [
        *tokens,
        Choice("task.length", -(-long // context) * context, longest or f"the longest passage has {long} characters"),
        Choice("task.context", context, f"{of}{'' if gpu else ', on a processor'}"),
        Choice("task.width", 64 if small else 384 if gpu else 128, of),
        Choice("task.depth", 2 if small else 6 if gpu else 4, of),
        Choice("task.heads", 4 if small or not gpu else 6, "about 32 or 64 values a head"),
        Choice("task.dropout", 0.2 if is_repeated else 0.0, f"{often}; from the fourth time on it is learnt by heart"),
        Choice("task.runs", 5 if once else 1, f"{often}; long runs are learnt by heart from the second time on"),
        Choice("task.run_rows", min(2**16, max(2**10, learnt // 16)), of),
        Choice("train.batch", batch, f"{n} passages, of each a stretch of {context} at a time"),
        Choice("train.steps", steps, f"{of}; --time sets it by the clock instead"),
        Choice("train.most_steps", most, why),
        *_learning(network),
        Choice("train.schedule", "linear", "straight down to zero: the budget ends where learning ends"),
        Choice("train.clip", 1.0, "one odd passage must not undo the others"),
        Choice("train.threads", fingerprint.threads, "all cores of this machine"),
        _precision(fingerprint),
    ]


def _home(pretrained: str) -> Path:
    if not pretrained:
        cure = "give the folder that holds its config.json, tokenizer.json and model.safetensors"
        raise UsageError("a ready-made model, and no word where it lies", where="task.pretrained", cure=cure)
    return Path(pretrained).expanduser().resolve()


def _ready_made(fingerprint: Fingerprint) -> list[Choice]:
    """For a model that others have trained."""
    facts, n = fingerprint.facts, fingerprint.n["train"]
    asked: Mapping[str, Json] = facts["asked"]
    if asked.get("tokens", "pieces") != "pieces":
        cure = "leave --task.tokens out"
        raise UsageError("a ready-made model comes with its own tokens", where="task.tokens", cure=cure)
    folder = _home(str(asked.get("pretrained") or ""))
    config, sealed = read_config(folder), seal(folder)
    gpu = fingerprint.device.startswith("cuda")
    most = int(config.get("n_positions") or config.get("max_position_embeddings") or 1_024)
    context = min(512 if gpu else 128, most)
    longest, lora = int(facts["longest_pieces"]), int(asked.get("lora") or 0)
    batch = 16 if gpu else 8
    of = f"{n:,} passages to learn from"
    lr, why = (5e-4, "for small matrices that begin at nothing") if lora else (5e-5, "what is known must not be lost")
    return [
        Choice("task.tokens", "pieces", "the base model's own"),
        Choice("task.seal", sealed, "so that another model under the same name is noticed"),
        Choice("task.context", context, f"the base model looks back on {most:,}{'' if gpu else '; on a processor'}"),
        Choice("task.length", -(-round(1.25 * longest) // context) * context, f"the longest passage has {longest}"),
        Choice("train.batch", batch, of),
        Choice("train.steps", max(100, min(2_000, round(3 * n / batch))), f"{of}, three times; --time sets it instead"),
        Choice("train.optimizer", "adamw", "what the base model was trained with"),
        Choice("train.lr", lr, f"for AdamW: {why}. A guess"),
        Choice("train.weight_decay", 0.0, "a short run forgets nothing"),
        Choice("train.warmup", 0.1, "the first steps rise"),
        Choice("train.schedule", "linear", "straight down to zero: the budget ends where learning ends"),
        Choice("train.clip", 1.0, "one odd passage must not undo the others"),
        Choice("train.threads", fingerprint.threads, "all cores of this machine"),
        _precision(fingerprint),
    ]


def _tokens(facts: Mapping[str, Json], asked: Mapping[str, Json]) -> tuple[list[Choice], list[str]]:
    """(what the network reads, the byte pairs where that is what it reads)"""
    merges = list(facts.get("merges", ()))
    kind = str(asked.get("tokens") or ("pairs" if merges else "characters"))
    if kind != "pairs":
        return [
            Choice("task.tokens", kind, f"{int(facts['distinct']):,} different characters are few to tell apart")
        ], []
    each = float(facts.get("read", 0)) / max(1, int(facts.get("pairs", 0)))
    of = f"{len(merges):,} byte pairs that stand together often, {each:.1f} characters a token"
    why = f"{int(facts['distinct']):,} different characters: pieces tell more of them in the same time"
    return [Choice("task.tokens", "pairs", why), Choice("task.merges", merges, of)], merges


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
