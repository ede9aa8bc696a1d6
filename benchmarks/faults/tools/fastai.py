"""fastai's own checks: Learner.summary, lr_find, then a run that ends on NaN.

Runs where PACKAGES are installed. A warning or an error is a finding, and so is a learning rate that lies far from the
one that lr_find suggests. fastai's loop has an `update` of its own, so faults of `update` are not in what it runs.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from math import isfinite

from cases import Fed, Finding, Program
from hearing import listening

NAME = "fastai"
PACKAGES = ("fastai", "torch", "scikit-learn", "numpy", "pillow")

FAR = 30  # a factor between the rates that a reader of the plot would stop at: a guess


def training(program: Program) -> list[Finding]:
    import fastai.vision.all  # noqa: F401  as users do: it gives Learner its summary and lr_find

    found: list[Finding] = []
    for check in (summarised, suggested_rate, trained):
        with listening(found), redirect_stdout(StringIO()):
            found += check(program)
    return list({one.cause: one for one in found}.values())


def summarised(program: Program) -> list[Finding]:
    written_for_fastai(program).summary()
    return []


def suggested_rate(program: Program) -> list[Finding]:
    learner = written_for_fastai(program)
    suggested = learner.lr_find(show_plot=False).valley
    own = program.optimizer(program.make()).param_groups[0]["lr"]
    if max(own / suggested, suggested / own) < FAR:
        return []
    return [Finding("wrong_rate", (), f"lr_find suggests {suggested:.1e}, the program has {own:.1e}")]


def trained(program: Program) -> list[Finding]:
    from fastai.callback.schedule import ParamScheduler
    from fastai.callback.tracker import TerminateOnNaNCallback

    learner = written_for_fastai(program)
    own = learner.opt_func().hypers[0]["lr"]

    def rate(done: float) -> float:
        return own * program.rate(round(done * program.steps), program.steps)

    learner.fit(1, lr=own, cbs=[TerminateOnNaNCallback(), ParamScheduler({"lr": rate})])
    losses = [float(loss) for loss in learner.recorder.losses]
    if not all(map(isfinite, losses)) or len(losses) < program.steps:
        return [Finding("exploding", (), f"the run ended after {len(losses)} of {program.steps} batches")]
    return []


def written_for_fastai(program: Program) -> object:
    """A Learner whose model returns the program's loss, since fastai's own losses see predictions only."""
    import torch
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper
    from healthy.loop import gather
    from torch import Tensor, nn

    class WithLoss(nn.Module):
        def __init__(self, model: nn.Module):
            super().__init__()
            self.model = model

        def forward(self, inputs: Tensor, targets: Tensor, ids: Tensor) -> Tensor:
            return program.loss(self.model, Fed(inputs, targets, ids)).expand(
                len(inputs)
            )  # one a sample, as fastai gathers

    class Batches:
        n_inp = 3

        def __init__(self, count: int, batch: Callable[[int], Fed]):
            self.count, self.batch = count, batch

        def __len__(self) -> int:
            return self.count

        def __getitem__(self, step: int) -> tuple[Tensor, ...]:
            fed = self.batch(step)
            return fed.inputs, fed.targets, fed.ids, fed.targets

    torch.manual_seed(7)
    held = torch.as_tensor(program.held_out).split(128)
    learnt = Batches(program.steps, lambda step: program.feed(program, step))
    judged = Batches(len(held), lambda number: gather(program, held[number].numpy()))
    loaders = DataLoaders(*(DataLoader(batches, bs=None, num_workers=0) for batches in (learnt, judged)), device="cpu")
    model = WithLoss(program.make())
    return Learner(
        loaders, model, loss_func=lambda losses, targets: losses.mean(),
        opt_func=lambda *_, **__: OptimWrapper(opt=program.optimizer(model.model)),
    )  # fmt: skip
