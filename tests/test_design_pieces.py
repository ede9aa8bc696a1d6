"""Pieces that several networks share: attention in the right precision, dropout of bytes, tables that are looked up."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from snowroll.base.nouns import Plan
from snowroll.design.attention import attended
from snowroll.design.dropout import Dropout
from snowroll.design.runs import Runs
from snowroll.design.softmax import probabilities, surest
from snowroll.train.optim import BESIDE_MUON, LOOKED_UP, optimizer_for


@pytest.mark.parametrize("which", ["all", "causal", "masked"])
def test_attention_learns_in_fp32_beside_bf16(which: str) -> None:
    """Under autocast its gradients are those of fp32 to the last bit; without gradients it answers in bf16."""
    noise = torch.Generator().manual_seed(0)
    parts = [torch.randn(2, 2, 6, 8, generator=noise).bfloat16().float() for _ in range(3)]
    mask = torch.rand(2, 1, 6, 6, generator=noise) > 0.3
    mask = mask | torch.eye(6, dtype=torch.bool)
    how = {"causal": which == "causal", "mask": mask if which == "masked" else None}

    def slopes(amp: bool) -> list[torch.Tensor]:
        leaves = [part.clone().requires_grad_() for part in parts]
        with torch.autocast("cpu", torch.bfloat16, enabled=amp):
            told = attended(*(leaf.bfloat16() if amp else leaf for leaf in leaves), **how)
        assert told.dtype == torch.float32
        told.square().sum().backward()
        return [leaf.grad for leaf in leaves if leaf.grad is not None]

    for one, other in zip(slopes(False), slopes(True), strict=True):
        assert torch.equal(one.bfloat16(), other.bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert attended(*parts, **how).dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(2, 2, 5), (1, 11, 4, 6), (2, 3, 2, 3, 4)])
@pytest.mark.parametrize("scale", [0.01, 3.0, 1000.0])
def test_probabilities_are_those_of_torch(shape: tuple[int, ...], scale: float) -> None:
    logits = torch.randn(shape, generator=torch.Generator().manual_seed(0)) * scale
    expected = logits.softmax(dim=1)
    torch.testing.assert_close(probabilities(logits), expected)
    label, sure = surest(logits)
    torch.testing.assert_close(sure, expected.amax(dim=1))
    assert torch.equal(label, logits.argmax(dim=1))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_dropout_keeps_the_mean(share: float) -> None:
    layer, ones = Dropout(share), torch.ones(40, 1_001)
    torch.manual_seed(0)
    told = layer(ones)
    assert float((told == 0).float().mean()) == pytest.approx(share, abs=0.01)
    assert float(told.mean()) == pytest.approx(1, abs=0.02)
    assert len(told.unique()) == 2
    torch.manual_seed(0)
    assert torch.equal(layer(ones), told)
    assert not torch.equal(layer(ones), told)
    assert torch.equal(layer.eval()(ones), ones)


def test_dropout_of_nothing_and_of_everything() -> None:
    ones = torch.ones(3, 7)
    assert torch.equal(Dropout(0.0)(ones), ones)
    assert not Dropout(1.0)(ones).any()


def test_what_is_dropped_learns_nothing() -> None:
    torch.manual_seed(1)
    values = torch.ones(5, 9, requires_grad=True)
    told = Dropout(0.4)(values)
    told.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, told.detach())


def test_tables_that_are_looked_up_learn_at_a_rate_of_their_own() -> None:
    model = nn.ModuleDict({"embed": nn.Embedding(8, 4), "runs": Runs(3, 7, 50, 8), "head": nn.Linear(8, 4)})
    groups = optimizer_for(model, Plan(None, optimizer="muon")).groups
    factors = {name: (group.rule, group.factor) for group in groups for name in group.parameters}
    assert factors["runs.tables.0.weight"] == ("adamw", LOOKED_UP)
    assert factors["embed.weight"] == factors["head.weight"] == ("adamw", BESIDE_MUON)
    assert factors["runs.joined.weight"] == ("muon", 1.0)
