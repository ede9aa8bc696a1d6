"""Our translator on Multi30k, English to German: BLEU over time, beside two floors and a plain PyTorch loop's speed.

    python benchmarks/translating.py [--threads 2] [--steps 6000] [--slices 4]

Ours: design/translator.py trained by train/fit.py as `translate` plans it, over the tokens that it learns from the
training pairs. BLEU is sacrebleu's (13a, cased) over the official test of 2016, by beam search. The floors: word by
word (IBM model 1) and the nearest training sentence (tf-idf). The reference for speed is written here: nn.Transformer
of the same width, depth and heads over the same tokens, AdamW, batches padded to their longest; the two take turns in
slices of steps, so that whatever else this machine does falls on both.

Speed is measured first. A tenth of the steps is a line, kept in .benchmarks/translating with the weights: a run that
was stopped goes on from its last one. Seconds are those of the steps alone.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from measuring import DATA, WORK, machine, spread
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.device import bf16_pays
from snowroll.base.nouns import Batch, Plan
from snowroll.base.settings import Settings
from snowroll.base.task import Fingerprint
from snowroll.design.translator import END, PAD, SPECIAL
from snowroll.evaluate.bleu import bleu, bleu_counts
from snowroll.prepare.bytepairs import BYTES, counted, learn_merges, neat
from snowroll.tasks.translate import task
from snowroll.tasks.translate.floor import floors
from snowroll.tasks.translate.options import measured
from snowroll.tasks.translate.sentences import targets_as_tokens, text_of
from snowroll.tasks.translate.training import loss, trimmed
from snowroll.train.checkpoint import load, newest, save
from snowroll.train.fit import State, begin, fit
from snowroll.train.order import rows

MERGES, SLICE = 5_000, 5


class Pairs:
    """The corpus as tokens."""

    def __init__(self) -> None:
        names = [(part, side) for part in ("train", "test_2016_flickr") for side in ("en", "de")]
        self.text = {(part, side): _lines(f"{part}.{side}.gz") for part, side in names}
        learnt = [*self.text["train", "en"], *self.text["train", "de"]]
        self.merges = learn_merges(counted(map(neat, learnt)), MERGES)
        told = {key: torch.from_numpy(targets_as_tokens(lines, self.merges)).long() for key, lines in self.text.items()}
        self.sources, self.targets = told["train", "en"], told["train", "de"]
        self.asked = told["test_2016_flickr", "en"]
        self.truth = self.text["test_2016_flickr", "de"]

    def batch(self, step: int, plan: Plan) -> Batch:
        places = torch.from_numpy(rows(step, plan.batch, len(self.sources), plan.seed)[0].copy())
        return Batch(self.sources[places], self.targets[places], places)

    @torch.inference_mode()
    def bleu(self, model: nn.Module, options: object) -> float:
        model.eval()
        said = [text_of(row, self.merges) for some in self.asked.split(125) for row in model(some).tokens.numpy()]
        return bleu(np.sum([bleu_counts(*pair) for pair in zip(said, self.truth, strict=True)], axis=0))


class Reference(nn.Module):
    """Vaswani et al. 2017 as torch ships it, with learned positions and one table of tokens."""

    def __init__(self, vocabulary: int, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width, PAD), nn.Embedding(512, width)
        self.body = nn.Transformer(width, heads, depth, depth, 4 * width, dropout, batch_first=True)
        self.scale = width**0.5
        nn.init.normal_(self.tokens.weight, std=width**-0.5)

    def forward(self, sources: Tensor, given: Tensor) -> Tensor:
        ahead = nn.Transformer.generate_square_subsequent_mask(given.shape[1], dtype=torch.bool)
        hidden = sources == PAD
        told = self.body(
            self._embedded(sources), self._embedded(given), tgt_mask=ahead, tgt_is_causal=True,
            src_key_padding_mask=hidden, memory_key_padding_mask=hidden,
        )  # fmt: skip
        return F.linear(told, self.tokens.weight)

    def _embedded(self, tokens: Tensor) -> Tensor:
        return self.tokens(tokens) * self.scale + self.places(torch.arange(tokens.shape[1]))


def reference(pairs: Pairs, plan: Plan) -> Iterator[int]:
    """Tokens of each step's translations, once it is done."""
    options = plan.task
    model = Reference(SPECIAL + BYTES + len(pairs.merges), options.width, options.depth, options.heads, options.dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), fused=True)
    for step in range(plan.steps):
        batch = pairs.batch(step, plan)
        sources, wanted = trimmed(batch.inputs), trimmed(batch.targets)
        logits = model(sources, F.pad(wanted[:, :-1], (1, 0), value=END))
        flat = logits.flatten(0, 1), wanted.flatten()
        lost = F.cross_entropy(*flat, ignore_index=PAD, label_smoothing=options.smoothing)
        optimizer.zero_grad(set_to_none=True)
        lost.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield int((wanted != PAD).sum())


def ours(pairs: Pairs, plan: Plan, model: nn.Module, state: State) -> Iterator[int]:
    """Likewise."""

    def objective(network: nn.Module, batch: Batch) -> Tensor:
        return loss(network, batch, plan.task)

    for step in fit(model, lambda number: pairs.batch(number, plan), objective, plan, state):
        yield int((pairs.targets[step.ids] != PAD).sum())


def planned(pairs: Pairs, threads: int, steps: int) -> Plan:
    """What the task's rules say of this corpus."""
    sizes = np.array([len(line.encode()) for line in pairs.text["train", "en"]])
    facts = measured(sizes, pairs.text["train", "de"], pairs.merges)
    schema = {"type": "translation", "source": "en", "target": "de", "merges": list(pairs.merges)}
    fingerprint = Fingerprint({"train": len(sizes)}, schema, facts, "cpu", threads, bf16_pays("cpu"), None)
    told = task.plan(fingerprint)
    options, _ = Settings().section("task", task.Options, told)
    plan, _ = Settings().section("train", Plan, told, made={"task": options})
    return replace(plan, steps=steps)


def fresh(pairs: Pairs, plan: Plan) -> tuple[nn.Module, State]:
    torch.manual_seed(plan.seed)
    model = task.build(plan.task, {"merges": pairs.merges})
    return model, begin(model, plan)


def speeds(pairs: Pairs, plan: Plan, slices: int) -> None:
    """Tokens of translations learnt from in a second, in turns."""
    plan = replace(plan, steps=SLICE * (slices + 1))
    ways = {"ours": ours(pairs, plan, *fresh(pairs, plan)), "nn.Transformer": reference(pairs, plan)}
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(slices + 1):
        for name, way in ways.items():
            began, tokens = time.perf_counter(), sum(next(way) for _ in range(SLICE))
            if turn:  # the first warms up
                rates[name].append(tokens / (time.perf_counter() - began))
    for name, found in rates.items():
        print(f"{name:>15}  {np.median(found):,.0f} tokens of translations a second")
    ratios = [one / other for one, other in zip(*rates.values(), strict=True)]
    print(f"{'ratio':>15}  {spread(ratios)}")


def learn(pairs: Pairs, plan: Plan) -> None:
    """Print BLEU at each tenth of the steps."""
    home = WORK / "translating"
    home.mkdir(parents=True, exist_ok=True)
    model, state = fresh(pairs, plan)
    seconds, version = 0.0, str(len(pairs.merges))
    if last := newest(home, print):
        load(last, model, state, plan.id, version, print)
        seconds = float(last.extra["seconds"])
    steps, tenth = ours(pairs, plan, model, state), max(1, plan.steps // 10)
    while state.step < plan.steps:
        began = time.perf_counter()
        for _ in range(min(tenth, plan.steps - state.step)):
            next(steps)
        seconds += time.perf_counter() - began
        figure = pairs.bleu(model, plan.task)
        save(home, model, state, plan.id, version, {"seconds": seconds})
        line = {"step": state.step, "seconds": round(seconds), "bleu": round(100 * figure, 2)}
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6_000)
    parser.add_argument("--slices", type=int, default=4)
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    print(f"{machine()}; {told.threads} threads, torch {torch.__version__}", flush=True)
    pairs = Pairs()
    plan = planned(pairs, told.threads, told.steps)
    text = pairs.text
    known, asked = (text["train", "en"], text["train", "de"]), text["test_2016_flickr", "en"]
    for way, figure in floors(*known, asked, pairs.truth).items():
        print(f"{way}: BLEU {100 * figure:.1f}", flush=True)
    speeds(pairs, plan, told.slices)
    learn(pairs, plan)


def _lines(name: str) -> list[str]:
    return gzip.decompress((DATA / "multi30k" / name).read_bytes()).decode().splitlines()


if __name__ == "__main__":
    main()
