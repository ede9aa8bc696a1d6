"""Gates for loops that others wrote: a healthy loop passes them all, and each is failed by what it is about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from loops_kit import FAULTS, averaged, healthy
from torch import Tensor, nn
from torch.nn import functional as F

from snowroll.base.nouns import Batch, Gate
from snowroll.train.own.examine import examine, stages
from snowroll.train.own.loop import Loop, one_step
from snowroll.train.own.schedules import schedule

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


@pytest.fixture(scope="module")
def verdicts() -> dict[str, Gate]:
    return {gate.name: gate for gate in examine(healthy())}


def test_a_healthy_loop_passes_every_gate_that_it_gives_enough_for(verdicts: dict[str, Gate]) -> None:
    assert {name: gate.measured for name, gate in verdicts.items() if not gate.passed} == {}
    asked = {question.name for stage in stages() for question in stage}
    assert set(verdicts) == asked - {"no_future"}  # nothing was said to be causal


def test_a_loop_of_five_parts_is_enough() -> None:
    whole = healthy()
    loop = Loop(whole.make, whole.batch, whole.loss, whole.optimizer, whole.steps)
    found = {gate.name: gate for gate in examine(loop)}
    assert {name for name, gate in found.items() if not gate.passed} == set()
    assert {"loss_at_init", "update_follows_gradient", "learning_rate", "modes_agree"} <= set(found)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_gate_is_failed_by_what_it_is_about(fault: str) -> None:
    name, change = FAULTS[fault]
    (question,) = [one for stage in stages() for one in stage if one.name == name]
    with torch.random.fork_rng(devices=[]):
        found = question.measure(change(healthy()))
    assert found is not None
    assert not found.holds, found.words


def test_every_gate_has_a_fault_here() -> None:
    names = {question.name for stage in stages() for question in stage}
    assert {name for name, _ in FAULTS.values()} == names - {"no_future"}


def test_an_average_that_follows_is_no_fault() -> None:
    """It stands still for the optimizer, and is nothing that was frozen by accident."""
    loop = averaged(0.9)(healthy())
    wanted = ("everything_learns", "optimizer_has_all", "modes_agree")
    with torch.random.fork_rng(devices=[]):
        found = {one.name: one.measure(loop) for stage in stages() for one in stage if one.name in wanted}
    assert all(gate is not None and gate.holds for gate in found.values()), found


class Reader(nn.Module):
    """Sees, at each place, the mean of the embeddings up to it, and `ahead` more."""

    def __init__(self, ahead: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.ahead = ahead
        self.embedding, self.head = nn.Embedding(12, 16), nn.Linear(16, 12)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        mask = torch.ones(x.shape[1], x.shape[1]).tril(self.ahead)
        return self.head(mask / mask.sum(1, keepdim=True) @ x)


@pytest.mark.parametrize(("ahead", "holds"), [(0, True), (1, False)])
def test_the_future_is_not_seen(ahead: int, holds: bool) -> None:
    def batch(step: int) -> Batch:
        text = torch.randint(12, (8, 11), generator=torch.Generator().manual_seed(step))
        return Batch(text[:, :-1], text[:, 1:], torch.arange(8))

    loop = Loop(
        make=lambda: Reader(ahead),
        batch=batch,
        loss=lambda model, seen: F.cross_entropy(model(seen.inputs).flatten(0, 1), seen.targets.flatten()),
        optimizer=lambda model: torch.optim.Adam(model.parameters()),
        steps=10,
        causal=True,
    )
    found = {gate.name: gate for gate in examine(loop)}
    assert found["no_future"].passed is holds


def test_what_is_expensive_is_not_asked_of_a_loop_that_failed_before() -> None:
    last = [gate.name for gate in examine(FAULTS["labels off by one"][1](healthy()))][-1]
    assert last == "outputs_differ"  # the last of the first stage


def test_a_loss_that_looks_into_its_model_is_not_asked_about_made_up_answers() -> None:
    def penalised(model: nn.Module, seen: Batch) -> Tensor:
        return F.cross_entropy(model(seen.inputs), seen.targets) + 1e-4 * model[8].weight.square().sum()  # type: ignore[index]

    found = {gate.name: gate for gate in examine(replace(healthy(), loss=penalised))}
    assert "loss_reaches_all" not in found
    assert "nothing is known" in found["loss_at_init"].measured
    assert all(gate.passed for gate in found.values())


def test_gates_leave_no_trace() -> None:
    loop = healthy(20)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = [gate.measured for gate in examine(loop)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert [gate.measured for gate in examine(loop)] == first


@pytest.mark.parametrize(
    ("rate", "holds"),
    [
        (lambda step, steps: 1.0, True),
        (lambda step, steps: 1 - step / steps, True),
        (lambda step, steps: 0.5 + 0.5 * np.cos(np.pi * step / steps), True),
        (lambda step, steps: min(1, (step + 1) / 30) * (1 - step / steps), True),
        (lambda step, steps: 0.1 ** (step // 100), True),
        (lambda step, steps: 0.95 ** (step / 10), True),
        (lambda step, steps: 0.5 + 0.5 * np.cos(np.pi * (step % 100) / 100), True),  # warm restarts
        (lambda step, steps: 0.1 ** (step // 5), False),  # at once
        (lambda step, steps: 0.1 ** (step // 9_000), False),  # never
        (lambda step, steps: 0.5 + 0.5 * np.cos(np.pi * step / (12 * steps)), False),  # of a longer run
        (lambda step, steps: min(1, step / 5_000), False),  # never warm
        (lambda step, steps: 0.5 + 0.5 * np.cos(np.pi * step / 12), False),  # epochs for steps
        (lambda step, steps: 1 - step / (0.85 * steps), False),  # past zero
        (lambda step, steps: float("nan"), False),
        (lambda step, steps: 0.0, False),
    ],
)
def test_schedules(rate: Callable[[int, int], float], holds: bool) -> None:
    loop = replace(healthy(300), rate=rate)
    assert schedule(loop).holds is holds, schedule(loop).words


def test_the_default_update_is_the_usual_one() -> None:
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    before = model.weight.detach().clone()
    for _ in range(2):
        one_step(model, optimizer, model(torch.ones(1, 2)).sum())
    assert torch.allclose(model.weight, before - 1.0)
