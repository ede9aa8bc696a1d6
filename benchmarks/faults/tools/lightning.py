"""Lightning's own checks: fast_dev_run, overfit_batches, then a run with detect_anomaly and sanity validation.

Runs where PACKAGES are installed. A warning or an error is a finding. That a loss does not fall, or that an accuracy is
no better than chance, is none: nothing says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from cases import Fed, Finding, Program
from hearing import in_its_words, listening

NAME = "lightning"
PACKAGES = ("lightning", "torch", "scikit-learn", "numpy", "pillow")

CHECKS = (
    {"fast_dev_run": True},
    {"overfit_batches": 1, "max_epochs": 40},
    {"max_epochs": 1, "detect_anomaly": True, "num_sanity_val_steps": 2},
)


def training(program: Program) -> list[Finding]:
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    found: list[Finding] = []
    for switches in CHECKS:
        lightning.seed_everything(7, verbose=False)
        with TemporaryDirectory() as folder, listening(found, finding):
            trainer = lightning.Trainer(
                accelerator="cpu", deterministic=True, default_root_dir=folder, enable_progress_bar=False,
                enable_model_summary=False, **switches,
            )  # fmt: skip
            trainer.fit(written_for_lightning(program), *loaders(program))
    return list({one.cause: one for one in found}.values())


def finding(kind: str, sentence: str) -> Finding:
    """NaN is the one cause that Lightning itself names; of the rest, its own first words."""
    is_nan = "nan values" in sentence.lower() or "not finite" in sentence.lower()
    return Finding("exploding", (), sentence[:300]) if is_nan else in_its_words(kind, sentence)


def loaders(program: Program) -> Sequence[object]:
    import torch
    from healthy.loop import gather
    from torch.utils.data import DataLoader, Dataset

    class Steps(Dataset):
        def __len__(self) -> int:
            return program.steps

        def __getitem__(self, step: int) -> tuple[torch.Tensor, ...]:
            return in_parts(program.feed(program, step))

    held = [in_parts(gather(program, rows.numpy())) for rows in torch.as_tensor(program.held_out).split(128)]
    return DataLoader(Steps(), batch_size=None), DataLoader(held, batch_size=None)


def in_parts(fed: Fed) -> tuple:
    return fed.inputs, fed.targets, fed.ids


def written_for_lightning(program: Program) -> object:
    """The program as a LightningModule with manual optimisation, which leaves its own `update` in charge."""
    import lightning
    from torch.optim.lr_scheduler import LambdaLR

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.model = program.make()

        def training_step(self, batch: tuple, number: int) -> None:
            loss = program.loss(self.model, Fed(*batch))
            self.log("train_loss", loss)
            program.update(self.model, self.optimizers(), loss)
            self.lr_schedulers().step()

        def validation_step(self, batch: tuple, number: int) -> None:
            right = program.predict(self.model, batch[0]).argmax(dim=-1) == batch[1]
            self.log("val_accuracy", right.float().mean(), batch_size=len(right))

        def configure_optimizers(self) -> tuple[list, list]:
            optimizer = program.optimizer(self.model)
            return [optimizer], [LambdaLR(optimizer, lambda step: program.rate(step, program.steps))]

    return Module()
