"""Gates for a loop that Snowroll did not write: `python examples/own_gates.py`.

A loop of plain PyTorch is handed over in parts: the model, a batch a step, the loss, the optimiser. What else is given
(what is stored, how it is predicted, served and reported) is measured too. Here the network learns handwritten digits,
and a flag plants a fault: `--fault softmax` puts one softmax too many before the loss, `--fault labels` moves every
label on by one.
"""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch
from snowroll.train.own.examine import examine
from snowroll.train.own.loop import Loop, Samples

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--fault", choices=["none", "softmax", "labels"], default="none")
fault = parser.parse_args().fault

digits = load_digits()
rows = torch.randperm(len(digits.images), generator=torch.Generator().manual_seed(0))
learnt, judged = rows[:1_400].tolist(), rows[1_400:].tolist()


def encode(image) -> Tensor:
    return torch.as_tensor(image, dtype=torch.float32)[None] / 8 - 1


def make() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(384, 10)
    )  # fmt: skip


def batch(step: int) -> Batch:
    drawn = torch.randint(len(learnt), (64,), generator=torch.Generator().manual_seed(step))
    ids = torch.tensor([learnt[place] for place in drawn])
    targets = torch.as_tensor(digits.target[ids])
    if fault == "labels":
        targets = (targets + 1) % 10
    return Batch(torch.stack([encode(digits.images[row]) for row in ids]), targets, ids)


def loss(model: nn.Module, seen: Batch) -> Tensor:
    scores = model(seen.inputs)
    return F.cross_entropy(scores.softmax(1) if fault == "softmax" else scores, seen.targets)


@torch.no_grad()
def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    return model.eval()(inputs).softmax(dim=1)


loop = Loop(
    make=make,
    batch=batch,
    loss=loss,
    optimizer=lambda model: torch.optim.AdamW(model.parameters(), 3e-3),
    steps=300,
    plain=batch,  # nothing is augmented
    samples=Samples(digits.images, encode, digits.target, learnt, judged, [str(digit) for digit in range(10)]),
    predict=predict,
)
torch.set_num_threads(1)
for gate in examine(loop):
    print(f"{'passed' if gate.passed else 'FAILED'}  {gate.name}: {gate.hypothesis}\n        {gate.measured}")
