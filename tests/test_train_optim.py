"""The optimiser: Muon's steps are orthogonal, SGD and AdamW are torch's, and who gets which rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from blobs import small_net
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snowroll.base.nouns import Plan
from snowroll.design import volumes
from snowroll.design.fine_tuned import FineTuned
from snowroll.design.levels import levels_of
from snowroll.design.weights import Loaded
from snowroll.tasks.detect_objects.one_stage import Head
from snowroll.tasks.segment_images.model import Decoder
from snowroll.train.optim import Optimizer, hidden_matrices, optimizer_for, orthogonal

PLAN = Plan(None, lr=0.1, weight_decay=0.01)


@settings(max_examples=30)
@given(rows=st.integers(1, 48), columns=st.integers(1, 48), count=st.integers(1, 3), seed=st.integers(0, 99))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_orthogonal(dtype: torch.dtype, rows: int, columns: int, count: int, seed: int) -> None:
    noise = torch.Generator().manual_seed(seed)
    matrices = torch.randn(count, rows, columns, generator=noise)
    made = orthogonal(matrices, dtype)
    assert made.shape == matrices.shape
    singular = torch.linalg.svdvals(made)
    before = torch.linalg.svdvals(matrices)
    # directions that are nearly missing are only pulled up a part of the way in five iterations
    known = before > 0.01 * before[:, :1] * min(rows, columns) ** 0.5
    assert float(singular.max()) < 1.35
    assert float(singular[known].min()) > 0.5


@pytest.mark.parametrize("shape", [(2, 8, 40), (2, 40, 8), (1, 16, 32)])
def test_orthogonal_of_flat_matrices_is_the_same_iteration(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0)).double()
    matrices *= torch.logspace(0, -3, shape[2]).double()  # of very unlike directions
    wanted = matrices / matrices.norm(dim=(1, 2), keepdim=True)
    for _ in range(5):
        gram = wanted @ wanted.mT
        wanted = 3.4445 * wanted + (-4.7750 * gram + 2.0315 * gram @ gram) @ wanted
    assert torch.allclose(orthogonal(matrices.float(), torch.float32).double(), wanted, atol=1e-3)
    rounded = orthogonal(matrices.float(), torch.bfloat16).double()
    assert float((rounded - wanted).norm() / wanted.norm()) < 0.06  # bf16 holds eight bits


def test_orthogonal_keeps_each_matrix_to_itself() -> None:
    matrices = torch.randn(3, 8, 20, generator=torch.Generator().manual_seed(0))
    together = orthogonal(matrices, torch.float32)
    for alone, one in zip(matrices, together, strict=True):
        assert torch.allclose(orthogonal(alone[None], torch.float32)[0], one, atol=1e-5)


def test_orthogonal_has_no_trouble_with_zeros() -> None:
    assert torch.equal(orthogonal(torch.zeros(2, 4, 6)), torch.zeros(2, 4, 6))


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["sgd", "adamw"])
def test_same_steps_as_torch(rule: str) -> None:
    """Slow: torch.optim's classes import torch._dynamo, which is why they are not used."""
    plan = replace(PLAN, optimizer=rule)  # type: ignore[arg-type]
    ours, theirs = nn.Linear(6, 4), nn.Linear(6, 4)
    theirs.load_state_dict(ours.state_dict())
    optimizer = optimizer_for(ours, plan)
    groups = [
        {"params": [theirs.weight], "weight_decay": plan.weight_decay},
        {"params": [theirs.bias], "weight_decay": 0.0},
    ]
    if rule == "sgd":
        reference: torch.optim.Optimizer = torch.optim.SGD(groups, lr=plan.lr, momentum=plan.momentum, nesterov=True)
    else:
        reference = torch.optim.AdamW(groups, lr=plan.lr)
    for _ in range(5):
        x = torch.randn(8, 6)
        for model in (ours, theirs):
            model.zero_grad()
            model(x).square().mean().backward()
        optimizer.step(plan.lr)
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_muon_is_for_hidden_matrices() -> None:
    model = nn.Sequential(
        nn.Embedding(10, 8),
        nn.Conv2d(3, 8, 3),
        nn.Conv2d(8, 8, 3, groups=8),
        nn.BatchNorm2d(8),
        nn.Linear(8, 8),
        nn.Linear(8, 4),
    )
    assert hidden_matrices(model) == {"1.weight", "4.weight"}
    optimizer = optimizer_for(model, replace(PLAN, optimizer="muon"))
    covered = [name for group in optimizer.groups for name in group.parameters]
    assert sorted(covered) == sorted(name for name, _ in model.named_parameters())
    assert {group.rule for group in optimizer.groups if "1.weight" in group.parameters} == {"muon"}


@pytest.mark.parametrize(
    ("part", "answering"),
    [
        (Head((8, 16, 24), 16, 3), {"score", "sides"}),
        (Decoder((8, 16, 24), (2, 4, 8), 3, deep=True), {"score.0", "score.1"}),
        (
            volumes.Decoder(levels_of((16, 16, 16), (1, 1, 1), most=3), (8, 16, 24), 3, deep=True),
            {"score.0", "score.1"},
        ),
    ],
    ids=["boxes", "masks", "volumes"],
)
def test_of_a_head_of_several_layers_muon_leaves_out_what_answers(part: nn.Module, answering: set[str]) -> None:
    model = nn.ModuleDict({"backbone": nn.Conv2d(3, 8, 3), "head": part})
    alone = {f"head.{name}" for name in hidden_matrices(part)}
    assert alone == {name for name in hidden_matrices(model) if name.startswith("head.")}
    matrices = {name.removesuffix(".weight") for name, p in model.named_parameters() if p.ndim > 1}
    assert {f"{name}.weight" for name in matrices - {f"head.{layer}" for layer in answering}} == hidden_matrices(model)


def test_muon_moves_every_direction_alike() -> None:
    """Gradients whose singular values span three orders of magnitude give a step whose values lie together."""
    model = nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.Flatten(), nn.Linear(6, 2))
    optimizer = optimizer_for(model, replace(PLAN, optimizer="muon", weight_decay=0.0))
    weight = model[0].weight
    left, _, right = torch.linalg.svd(
        torch.randn(6, 36, generator=torch.Generator().manual_seed(1)), full_matrices=False
    )
    weight.grad = (left @ torch.diag(torch.logspace(0, -2, 6)) @ right).view_as(weight)
    before = weight.detach().clone()
    optimizer.step(0.1)
    moved = torch.linalg.svdvals((before - weight.detach()).flatten(1)) / 0.1
    assert float(moved.min()) > 0.5
    assert float(moved.max()) < 1.35


def test_decay_and_rates_by_group() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    model = Net()
    model.backbone.bias.requires_grad_(False)
    groups = optimizer_for(model, PLAN, backbone_lr=0.1).groups
    told = {name: (group.factor, group.decay) for group in groups for name in group.parameters}
    assert told == {"backbone.weight": (0.1, 0.01), "head.weight": (1.0, 0.01), "head.bias": (1.0, 0.0)}


def test_loaded_weights_follow_adamw_beside_muon() -> None:
    model = FineTuned()
    model.backbone, model.head = nn.Conv2d(3, 8, 3), Head((8, 16, 24), 16, 3)
    plan = replace(PLAN, optimizer="muon", lr=0.02)

    def rules() -> dict[str, tuple[str, float]]:
        groups = optimizer_for(model, plan, backbone_lr=0.15).groups
        return {name: (group.rule, group.factor) for group in groups for name in group.parameters}

    assert rules()["backbone.weight"] == ("muon", 0.15)
    model.loaded = Loaded(loaded=("backbone.weight", "backbone.bias"), kept=(), skipped={})
    assert rules()["backbone.weight"] == ("adamw", pytest.approx(0.015))
    assert rules()["head.joined.0.0.weight"] == ("muon", 1.0)
    assert rules()["head.score.weight"] == ("adamw", pytest.approx(0.1))


def test_parameters_without_gradient_stand_still() -> None:
    model = small_net()
    optimizer = optimizer_for(model, PLAN)
    assert isinstance(optimizer, Optimizer)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer.step(1.0)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert optimizer.state == {}
