"""The five steps from Python: plain functions in, plain PyTorch out. `python examples/one_roll.py FOLDER`

Every verb is a function that takes an open project and answers with JSON-able facts; the trained model is an
`nn.Module` like any other. Run cell by cell in a notebook if you like.
"""

import sys
from pathlib import Path

import torch

from snowroll.project.models import load_model
from snowroll.project.opened import open_project
from snowroll.verbs.check import check
from snowroll.verbs.init import init
from snowroll.verbs.train import train

root = Path(sys.argv[1])
flags = {"train.steps": int(sys.argv[2])} if len(sys.argv) > 2 else {}

# 1 prepare: what is in the folder, and what is wrong with it
print("\n".join(init(root, None, (), "", {}, print).lines))
project = open_project(root, flags)
print("\n".join(check(project, print).lines))

# 2-4 design, train, evaluate: gates first, then the run, judged on the locked test set
answer = train(project, print)
print(
    f"{answer.json['metric']} {answer.json['value']:.3f}, 95 % interval {answer.json['interval']}, n={answer.json['n']}"
)

# what comes out is PyTorch: images [B, 3, S, S] in [0, 1] go in, logits [B, C] come out
trained = load_model(project)
size = trained.plan.task.size_px
with torch.inference_mode():
    logits = trained.model(torch.rand(2, 3, size, size))
print(dict(zip(trained.schema["classes"], logits.softmax(dim=1)[0].tolist(), strict=True)))
