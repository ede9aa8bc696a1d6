"""Of a loss that is not finite, the files are named that it is of."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from house_kit import MACHINE, SMALL, intact, snowroll

from snowroll.tasks.classify_images import training


def test_a_loss_that_is_not_finite_names_its_file(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the validation samples, where the gates before the run do not look."""
    whole = training.loss

    def broken(model, batch, options):
        losses = whole(model, batch, options)
        return losses.index_fill(0, torch.tensor([0]), torch.nan) if torch.is_inference_mode_enabled() else losses

    monkeypatch.setattr(training, "loss", broken)
    said = snowroll("train", untrained, *MACHINE, *SMALL, "--train.steps", 8, "--json")
    assert said.code == 1
    assert (untrained / "data" / said.json["where"]).is_file()
    intact(untrained)
