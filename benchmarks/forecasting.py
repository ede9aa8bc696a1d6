"""Our forecasters by the field's protocol on ETT: context 336, horizon 96, the standard split, standardised errors.

    python benchmarks/forecasting.py ETTh1.csv [--model linear|mixer] [--steps N] [--horizon 96] [--context 336]

The CSV is the Electricity Transformer set's (Zhou et al. 2021): an hour a row, seven columns. Training is its first
twelve months of thirty days, validation the next four, the test the four after; columns are standardised by training's
mean and spread; every window of the test counts, at every hour. DLinear's published MSE and MAE (Zeng et al. 2023,
table 2; context 336, horizon 96): 0.375 and 0.399. Beside it the seasonal naive, the same hour of the last day.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from snowroll.base.nouns import Batch, Plan
from snowroll.prepare.augment import CounterDraw
from snowroll.tasks.forecast.model import Forecaster, Inputs, Targets
from snowroll.tasks.forecast.options import HIGH, LOW, ForecastOptions
from snowroll.tasks.forecast.training import augment, begin, loss
from snowroll.train.exact import settle
from snowroll.train.fit import begin as begin_fit
from snowroll.train.fit import fit
from snowroll.train.order import rows

MONTH = 30 * 24


def read(path: Path) -> tuple[list[str], np.ndarray]:
    """(names, float64 [T, C]) without the column of times."""
    with path.open(newline="") as file:
        names, *lines = csv.reader(file)
    return names[1:], np.array([line[1:] for line in lines], np.float64)


def windows(values: torch.Tensor, starts: np.ndarray, context: int, horizon: int) -> Batch:
    """Of the rows `starts`, each the first of a past."""
    at = torch.from_numpy(starts)[:, None]
    past = values[at + torch.arange(context)]
    follows = values[at + context + torch.arange(horizon)]
    return Batch(Inputs(past), Targets(follows, past[:, :0], follows[:, :0]), torch.from_numpy(starts))


@torch.no_grad()
def judged(model: torch.nn.Module, values: torch.Tensor, starts: np.ndarray, options: ForecastOptions) -> np.ndarray:
    """[MSE, MAE, coverage of the band, width, pinball loss] over all windows."""
    model.eval()
    sums, n = np.zeros(5), 0
    for first in range(0, len(starts), 256):
        batch = windows(values, starts[first : first + 256], options.context, options.horizon)
        said = model(batch.inputs)
        far = said.middle - batch.targets.follows
        inside = (batch.targets.follows >= said.low) & (batch.targets.follows <= said.high)
        told = [far.square(), far.abs(), inside.float(), said.high - said.low]
        size = len(batch.ids)
        own = loss(model, batch, options).mean()
        sums += size * np.array([*(float(part.mean()) for part in told), float(own)])
        n += size
    return sums / n


def naive(
    values: torch.Tensor, starts: np.ndarray, context: int, horizon: int, season: int = 24
) -> tuple[float, float]:
    batch = windows(values, starts, context, horizon)
    said = batch.inputs.past[:, context - season + torch.arange(horizon) % season]
    far = said - batch.targets.follows
    return float(far.square().mean()), float(far.abs().mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--model", default="linear", choices=["linear", "mixer"])
    parser.add_argument("--aim", default="mean", choices=["mean", "median"])
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--context", type=int, default=336)
    parser.add_argument("--horizon", type=int, default=96)
    parser.add_argument("--gain", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    names, raw = read(given.path)
    learnt = slice(0, 12 * MONTH)
    values = torch.from_numpy((raw - raw[learnt].mean(axis=0)) / raw[learnt].std(axis=0)).float()
    context, horizon = given.context, given.horizon
    train = np.arange(0, 12 * MONTH - context - horizon + 1)
    val = np.arange(12 * MONTH - context, 16 * MONTH - context - horizon + 1)
    test = np.arange(16 * MONTH - context, 20 * MONTH - context - horizon + 1)
    settle(torch.get_num_threads())
    print("seasonal naive  MSE {:.4f}  MAE {:.4f}".format(*naive(values, test, context, horizon)))
    for seed in range(given.seeds):
        options = ForecastOptions(
            model=given.model, horizon=horizon, context=context, columns=tuple(names), targets=tuple(names),
            aim=given.aim, gain=given.gain,
        )  # fmt: skip
        plan = Plan(
            options, steps=given.steps, batch=given.batch, optimizer="adamw", lr=given.lr, weight_decay=0.01,
            schedule="cosine", warmup=0.05, clip=1.0, seed=seed,
        )  # fmt: skip
        torch.manual_seed(seed)
        model = Forecaster(options, {"columns": names, "targets": names})
        begin(model, windows(values, train[:: len(train) // 64], context, horizon))

        def batches(step: int, plan: Plan = plan, options: ForecastOptions = options) -> Batch:
            chosen, epoch = rows(step, plan.batch, len(train), plan.seed)
            batch = windows(values, train[chosen], context, horizon)
            return augment(batch, CounterDraw(plan.seed, epoch, batch.ids), options)

        began = perf_counter()
        best, kept = np.inf, {}
        for step in fit(model, batches, lambda m, b, o=options: loss(m, b, o), plan, begin_fit(model, plan)):
            if step.number % max(1, given.steps // 10) == 0:
                told = judged(model, values, val[::4], options)
                print(
                    f"  step {step.number:>6}  loss {step.loss:.4f}  val MSE {told[0]:.4f}  MAE {told[1]:.4f}",
                    flush=True,
                )
                if told[4] < best:
                    best, kept = told[4], {name: value.clone() for name, value in model.state_dict().items()}
                model.train()
        model.load_state_dict(kept)
        told = judged(model, values, test, options)
        print(
            f"{given.model} ({given.aim}), seed {seed}: MSE {told[0]:.4f}  MAE {told[1]:.4f}  in the band {LOW:g} to "
            f"{HIGH:g} {told[2]:.3f}, width {told[3]:.3f}; {len(test):,} windows, {perf_counter() - began:.0f} s"
        )


if __name__ == "__main__":
    main()
