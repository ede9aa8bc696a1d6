"""Your own loop over Snowroll's batches: `python examples/own_loop.py PROJECT [STEPS]` on a project made by `init`.

The folder is checked, split by group and decoded once; what a step sees is a plain function of its number. The network,
the optimiser and the loop are ordinary PyTorch, so anything may be changed.
"""

import sys
from pathlib import Path

import torch
from torch.nn import functional as F

from snowroll.project.data import pack_version, training_batches
from snowroll.project.jobs import prepare_job
from snowroll.project.opened import open_project

project = open_project(Path(sys.argv[1]), {})
job = prepare_job(project, print, None)  # checked, frozen into a version, planned; nothing is trained
packed = pack_version(project, job.version, job.plan.task, print)
batches = training_batches(project, packed, packed.rows["train"], job.plan)  # step -> Batch, augmented
classes, size = packed.schema["classes"], job.plan.task.size_px

torch.manual_seed(0)
model = torch.nn.Sequential(
    torch.nn.Conv2d(3, 32, 5, stride=2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(4),
    torch.nn.Flatten(), torch.nn.Linear(512, len(classes)),
)  # fmt: skip
optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
for step in range(int(sys.argv[2]) if len(sys.argv) > 2 else 300):
    batch = batches(step)  # inputs [B, 3, S, S] in [0, 1], targets [B], ids [B] that name the files
    loss = F.cross_entropy(model(batch.inputs), batch.targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:>4}  loss {loss.item():.3f}")

hardest = F.cross_entropy(model(batch.inputs), batch.targets, reduction="none").argmax()
item = packed.version.items[int(batch.ids[hardest])]
where = project.samples([item.sample])[item.sample].where
print(f"the last batch's hardest sample is {where}, labelled {item.target}")
