"""Our GPT beside nanoGPT's small configuration on tinyshakespeare: validation loss over time, both from fresh weights.

    python benchmarks/writing.py [--threads 1] [--rounds 1] [--short 140] [--long 840] [--batch 16]

The reference is written here after the README of karpathy/nanoGPT (its configuration for a processor: 4 layers, 4
heads, 128 wide, context 64, batch 12, 2,000 iterations, AdamW at 1e-3 falling to 1e-4 along a cosine, no dropout).
Ours: design/gpt.py trained by train/fit.py as `write_text` plans it, in few steps and in many. First nine tenths of
the text to learn from, the rest in windows of 64 to judge: nats a character over all of it.

Beside them what counting makes of the same text: Kneser-Ney of order 5, which also sees what stands before a window.

The three take turns in slices of ten steps, so that whatever else this machine does falls on each of them; time is
that of the steps alone, in seconds of the processor and of the wall. Rounds done are kept in .benchmarks/writing.jsonl
and are not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from math import cos, pi

import numpy as np
import torch
from measuring import DATA, WORK, machine, spread
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch, Plan
from snowroll.base.settings import Settings
from snowroll.base.task import Fingerprint
from snowroll.design.gpt import GPT
from snowroll.design.runs import Runs
from snowroll.evaluate.ngrams import KneserNey
from snowroll.tasks.write_text import task
from snowroll.train.fit import begin, fit

CONTEXT, SLICE = 64, 10
WIDTH, DEPTH, HEADS = 128, 4, 4


@dataclass
class Leg:
    """One run: how long its steps took, and what it lost in the end."""

    name: str
    steps: int
    wall_s: float = 0.0
    cpu_s: float = 0.0
    loss: float = float("nan")


class Reference(nn.Module):
    """GPT-2's block (Radford et al. 2019): LayerNorm, GELU, learned positions, tied head, no biases."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(ReferenceBlock() for _ in range(DEPTH))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        self.head = nn.Linear(WIDTH, vocabulary, bias=False)
        for p in self.parameters():
            if p.ndim > 1:
                nn.init.normal_(p, std=0.02)
        for block in self.blocks:
            assert isinstance(block, ReferenceBlock)
            for layer in (block.tell, block.down):
                nn.init.normal_(layer.weight, std=0.02 / (2 * DEPTH) ** 0.5)
        self.tokens.weight = self.head.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.tokens(ids) + self.places.weight[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


class ReferenceBlock(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.look, self.tell = nn.Linear(WIDTH, 3 * WIDTH, bias=False), nn.Linear(WIDTH, WIDTH, bias=False)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        q, k, v = (t.view(B, T, HEADS, -1).transpose(1, 2) for t in self.look(self.first(x)).split(D, dim=2))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.tell(seen.transpose(1, 2).reshape(B, T, D))
        return x + self.down(F.gelu(self.up(self.second(x))))


class Text:
    """The tokens, and windows of them."""

    def __init__(self) -> None:
        text = (DATA / "tinyshakespeare" / "input.txt").read_text()
        alphabet = {letter: number for number, letter in enumerate(sorted(set(text)))}
        ids = torch.tensor([alphabet[letter] for letter in text])
        self.vocabulary, cut = len(alphabet), int(0.9 * len(ids))
        self.train, self.val = ids[:cut], ids[cut:]
        val, windows = self.val, (len(self.val) - 1) // CONTEXT
        self.inputs, self.targets = (val[a : a + windows * CONTEXT].view(windows, CONTEXT) for a in (0, 1))

    def batch(self, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        places = torch.randint(len(self.train) - CONTEXT - 1, (size, 1), generator=draw) + torch.arange(CONTEXT + 1)
        return self.train[places[:, :-1]], self.train[places[:, 1:]]

    def judged(self, model: nn.Module) -> float:
        model.eval()
        with torch.inference_mode():
            parts = zip(self.inputs.split(256), self.targets.split(256), strict=True)
            sums = [F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum").item() for x, y in parts]
        model.train()
        return sum(sums) / self.targets.numel()


def reference(text: Text, seed: int, leg: Leg) -> Iterator[nn.Module]:
    torch.manual_seed(seed)
    model, draw = Reference(text.vocabulary), torch.Generator().manual_seed(seed)
    groups = [
        {"params": [p for p in model.parameters() if (p.ndim > 1) == decays], "weight_decay": 0.1 * decays}
        for decays in (True, False)
    ]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99), fused=True)
    for step in range(leg.steps):
        warm, left = (step + 1) / 101, (step - 100) / (leg.steps - 100)
        lr = 1e-3 * warm if step < 100 else 1e-4 + 9e-4 * (1 + cos(pi * left)) / 2
        for group in optimizer.param_groups:
            group["lr"] = lr
        x, y = text.batch(12, draw)
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield model


def planned(steps: int, batch: int) -> Plan:
    """What the task's rules say of such a text, with so many steps of such batches."""
    n = {"train": 1_800, "val": 0, "test": 200}
    facts = {"characters": 1_000_000, "longest": 512, "distinct": 65}
    told = task.plan(Fingerprint(n, {}, facts, "cpu", torch.get_num_threads(), True, None))
    options, _ = Settings().section("task", task.Options, told)
    plan, _ = Settings().section("train", Plan, told, made={"task": options})
    return replace(plan, steps=steps, batch=batch)


def ours(text: Text, seed: int, leg: Leg, batch: int) -> Iterator[nn.Module]:
    plan = planned(leg.steps, batch)
    torch.manual_seed(seed)
    options, draw = plan.task, torch.Generator().manual_seed(seed)
    runs = Runs(options.runs, text.vocabulary, options.run_rows, WIDTH)
    model = GPT(text.vocabulary, WIDTH, DEPTH, HEADS, CONTEXT, runs=runs)

    def batches(step: int) -> Batch:
        x, y = text.batch(batch, draw)
        return Batch(x, y, torch.arange(batch))

    def objective(network: nn.Module, seen: Batch) -> Tensor:
        logits = network(seen.inputs).float()
        losses = F.cross_entropy(logits.flatten(0, 1), seen.targets.flatten(), reduction="none")
        return losses.view(seen.targets.shape).mean(dim=1)

    for _ in fit(model, batches, objective, plan, begin(model, plan)):
        yield model


def round_of(text: Text, seed: int, told: argparse.Namespace) -> list[Leg]:
    legs = [Leg("reference", 2_000), Leg("short", told.short), Leg("long", told.long)]
    legs = [leg for leg in legs if leg.name in told.only.split(",")]
    ways = {
        leg.name: reference(text, seed, leg) if leg.name == "reference" else ours(text, seed, leg, told.batch)
        for leg in legs
    }
    last: dict[str, nn.Module] = {}
    while ways:
        for leg in [leg for leg in legs if leg.name in ways]:
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(SLICE):
                model = next(ways[leg.name], None)
                if model is None:
                    del ways[leg.name]
                    break
                last[leg.name] = model
            leg.wall_s += time.perf_counter() - wall
            leg.cpu_s += time.process_time() - cpu
    for leg in legs:
        leg.loss = text.judged(last[leg.name])
    return legs


def counted(text: Text) -> float:
    """Nats a character of order-5 Kneser-Ney."""
    model = KneserNey.of(text.train.numpy()[None], text.vocabulary)
    return float(model.nats(text.val.numpy()[None])[0]) / len(text.val)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--short", type=int, default=140)
    parser.add_argument("--long", type=int, default=840)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--only", default="reference,short,long")
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    print(f"{machine()}; {told.threads} threads, torch {torch.__version__}")
    WORK.mkdir(exist_ok=True)
    path, text = WORK / "writing.jsonl", Text()
    print(f"  counting  {counted(text):.3f} nats a character", flush=True)
    lines = path.read_text().splitlines() if path.exists() else []
    rounds = [row["legs"] for line in lines if (row := json.loads(line))["told"] == vars(told) | {"rounds": 0}]
    for seed in range(len(rounds), told.rounds):
        rounds.append([asdict(leg) for leg in round_of(text, seed, told)])
        with path.open("a") as file:
            file.write(json.dumps({"told": vars(told) | {"rounds": 0}, "legs": rounds[-1]}) + "\n")
    for legs in zip(*rounds, strict=True):
        losses = [leg["loss"] for leg in legs]
        mine = f"{legs[0]['name']:>10}  {legs[0]['steps']:,} steps: {np.mean(losses):.3f} nats a character"
        mine += f" [{min(losses):.3f}, {max(losses):.3f}]"
        ratios = [
            [every[0]["cpu_s"] / one["cpu_s"] for every, one in zip(rounds, legs, strict=True)],
            [every[0]["wall_s"] / one["wall_s"] for every, one in zip(rounds, legs, strict=True)],
        ]
        print(f"{mine}; the first's time is {spread(ratios[0])} its own (wall {spread(ratios[1])})")


if __name__ == "__main__":
    main()
