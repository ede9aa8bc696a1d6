"""The loop: exact resume, schedules, order, weights, averages, and where it stops."""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
import pytest
import torch
from blobs import batches_of, loss, pictures, small_net
from hypothesis import given
from hypothesis import strategies as st
from lives import fingerprint, ignore
from torch import Tensor, nn

from snowroll.base.errors import GateError, PlanError
from snowroll.base.nouns import Batch, Plan
from snowroll.train import checkpoint
from snowroll.train.calibrate import Budget, step_seconds, steps_within
from snowroll.train.fit import begin, fit, lr_at
from snowroll.train.order import order, rows, steps_per_epoch

pytestmark = pytest.mark.usefixtures("one_thread")

SHORT = Plan(None, steps=12, batch=16, seed=3)
RULES = {"sgd": 0.1, "adamw": 0.01, "muon": 0.05}


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("rule", RULES)
def test_resumed_run_ends_in_the_same_bits(rule: str, precision: str, channels_last: bool, tmp_path: Path) -> None:
    plan = replace(SHORT, optimizer=rule, lr=RULES[rule], precision=precision, channels_last=channels_last, ema=0.9)
    batches = batches_of(*pictures(64, 8), plan)

    model = small_net()
    state = begin(model, plan)
    for _ in fit(model, batches, loss, plan, state):
        pass
    whole = fingerprint(model, state)

    for stop in (5, 9):  # inside the second and the third epoch; each part starts from a fresh model
        model = small_net()
        state = begin(model, plan)
        if saved := checkpoint.newest(tmp_path, ignore):
            checkpoint.load(saved, model, state, plan.id, "v", ignore)
        for step in fit(model, batches, loss, plan, state):
            if step.number == stop:
                checkpoint.save(tmp_path, model, state, plan.id, "v")
                break
    model = small_net(seed=99)  # nothing of what it starts with may survive
    state = begin(model, plan)
    saved = checkpoint.newest(tmp_path, ignore)
    assert saved is not None
    assert saved.step == 9
    checkpoint.load(saved, model, state, plan.id, "v", ignore)
    torch.rand(17)  # the global generator stands elsewhere
    for _ in fit(model, batches, loss, plan, state):
        pass
    assert fingerprint(model, state) == whole


@pytest.mark.parametrize("rule", RULES)
def test_learns(rule: str) -> None:
    plan = replace(SHORT, steps=60, batch=32, optimizer=rule, lr=RULES[rule])
    losses = [step.loss for step in fit(small_net(), batches_of(*pictures(), plan), loss, plan)]
    assert losses[0] == pytest.approx(np.log(4), abs=0.4)
    assert np.mean(losses[-5:]) < 0.5


def test_another_seed_gives_another_run() -> None:
    images = pictures(64, 8)
    runs = [
        [step.loss for step in fit(small_net(), batches_of(*images, plan), loss, plan)]
        for plan in (SHORT, SHORT, replace(SHORT, seed=4))
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@given(
    schedule=st.sampled_from(["cosine", "linear", "constant", "onecycle"]),
    steps=st.integers(2, 3000),
    warmup=st.floats(0, 0.9),
    lr=st.floats(1e-6, 10),
)
def test_schedule(schedule: str, steps: int, warmup: float, lr: float) -> None:
    plan = Plan(None, steps=steps, warmup=warmup, lr=lr, schedule=schedule)  # type: ignore[arg-type]
    rates = np.array([lr_at(step, plan) for step in range(steps)])
    assert (rates > 0).all()
    assert rates.max() == pytest.approx(lr)  # the peak is reached, and never passed
    peak = int(rates.argmax())
    assert (np.diff(rates[: peak + 1]) >= -1e-12).all()
    assert (np.diff(rates[peak:]) <= 1e-12).all()
    after_warmup = steps - min(round(warmup * steps), steps - 1)
    if schedule != "constant":  # it arrives: the last step is at most the first of `after_warmup` equal stairs
        assert rates[-1] <= lr / after_warmup + 1e-12


@given(n=st.integers(1, 200), batch=st.integers(1, 64), seed=st.integers(0, 9), epoch=st.integers(0, 5))
def test_an_epoch_shows_no_sample_twice(n: int, batch: int, seed: int, epoch: int) -> None:
    steps = steps_per_epoch(n, min(batch, n))
    seen = [rows(epoch * steps + step, batch, n, seed) for step in range(steps)]
    assert {found for _, found in seen} == {epoch}
    assert all(len(chosen) == min(batch, n) for chosen, _ in seen)
    every = np.concatenate([chosen for chosen, _ in seen])
    assert len(set(every.tolist())) == len(every) > n - min(batch, n)


@given(world=st.integers(1, 5), step=st.integers(0, 20))
def test_processes_share_the_batch(world: int, step: int) -> None:
    whole, epoch = rows(step, 16, 50, 1)
    shares = [rows(step, 16, 50, 1, world, rank) for rank in range(world)]
    assert sorted(np.concatenate([share for share, _ in shares])) == sorted(whole)
    assert {found for _, found in shares} == {epoch}


def test_order_never_changes() -> None:
    # written down: a checkpoint made today must go on with the same samples in years
    assert order(0, 0, 8).tolist() == ORDER_0_0_8
    assert order(0, 1, 8).tolist() != ORDER_0_0_8


ORDER_0_0_8 = [0, 2, 1, 5, 4, 3, 6, 7]


def test_no_batch_for_a_process_without_rows() -> None:
    with pytest.raises(PlanError, match="cannot be shared"):
        rows(0, 2, 100, 0, world=3)


def test_weights_decide_what_is_learnt() -> None:
    """Samples of weight 0 leave no trace: the gradients equal those of a batch without them."""
    images, classes = pictures(32, 8)
    plan = replace(SHORT, steps=1, batch=32, momentum=0.0)
    ids = torch.arange(32)
    weights = (ids % 2 == 0).float()

    def run(batch: Batch, weights: Tensor | None) -> tuple[list[Tensor], float]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
        (step,) = fit(model, lambda _: batch, loss, plan, weights=weights)
        return list(model.parameters()), step.loss

    weighted, weighted_loss = run(Batch(images, classes, ids), weights)
    alone, alone_loss = run(Batch(images[::2], classes[::2], ids[::2]), None)
    assert weighted_loss == pytest.approx(alone_loss)
    for a, b in zip(weighted, alone, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_average_follows_weights_and_buffers() -> None:
    plan = replace(SHORT, ema=0.5, lr=0.05)
    model = small_net()
    state = begin(model, plan)
    assert state.average is not None
    expected = {name: value.clone() for name, value in state.average.state_dict().items()}
    for step in fit(model, batches_of(*pictures(64, 8), plan), loss, plan, state):
        decay = min(0.5, step.number / (step.number + 9))
        for name, value in model.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value if value.is_floating_point() else value
    for name, value in state.average.state_dict().items():
        assert torch.allclose(value, expected[name], atol=1e-6)
    assert not torch.equal(state.average.state_dict()["1.running_mean"], torch.zeros(12))


def test_clipping_bounds_the_step() -> None:
    plan = replace(SHORT, steps=3, clip=1e-3, lr=1.0, momentum=0.0, weight_decay=0.0, schedule="constant", warmup=0.0)
    model = small_net()
    before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    norms = [step.grad_norm for step in fit(model, batches_of(*pictures(64, 8), plan), loss, plan)]
    moved = nn.utils.parameters_to_vector(model.parameters()).detach() - before
    assert min(norms) > 1e-2  # told as it was before clipping
    assert float(moved.norm()) <= 3 * 1e-3 * 1.001


class Explodes(nn.Module):
    """Divides by zero for pictures whose first pixel says so."""

    def forward(self, x: Tensor) -> Tensor:
        return x / (x[:, :1, :1, :1] != 0.5)


def test_nan_names_step_layer_and_samples() -> None:
    images, classes = pictures(64, 8)
    images[:, 0, 0, 0] = 0.25
    images[17, 0, 0, 0] = 0.5
    model = nn.Sequential(nn.Identity(), Explodes(), nn.Flatten(), nn.Linear(192, 4))
    plan = replace(SHORT, steps=4, lr=1e-3)
    at = next(step for step in range(4) if 17 in rows(step, 16, 64, 3)[0])
    with pytest.raises(GateError, match=rf"step {at + 1}: layer '1' put out NaN or infinity for samples 17;") as told:
        list(fit(model, batches_of(images, classes, plan), loss, plan))
    assert told.value.rows == [17]


def test_nan_in_the_inputs_is_told_apart() -> None:
    images, classes = pictures(64, 8)
    images[5, 0, 0, 0] = torch.nan
    with pytest.raises(GateError, match="the inputs of samples 5 hold NaN") as told:
        list(fit(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), batches_of(images, classes, SHORT), loss, SHORT))
    assert told.value.rows == [5]


def test_gradient_that_is_not_finite_is_traced() -> None:
    def rooted(model: nn.Module, batch: Batch) -> Tensor:
        return (model(batch.inputs) * 0).abs().sqrt().sum(1)  # finite, with an infinite slope

    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    with pytest.raises(GateError, match=r"the gradient of '1.bias' is not"):
        list(fit(model, batches_of(*pictures(64, 8), SHORT), rooted, SHORT))


def test_nothing_to_train() -> None:
    with pytest.raises(GateError, match="no trainable parameter"):
        list(fit(small_net().requires_grad_(False), batches_of(*pictures(64, 8), SHORT), loss, SHORT))


@pytest.mark.slow
def test_compile_is_refused_when_it_changes_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures(64, 8)
    plan = replace(SHORT, steps=3, compile=True)
    eager = [step.loss for step in fit(small_net(0.0), batches_of(*images, SHORT), loss, replace(SHORT, steps=3))]
    compiled = [step.loss for step in fit(small_net(0.0), batches_of(*images, plan), loss, plan)]
    assert compiled == pytest.approx(eager, rel=1e-3)

    class Wrong(nn.Module):
        """What a miscompiled network would be: the same parameters, other numbers."""

        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: Tensor) -> Tensor:
            return self.model(x) * 1.5

    monkeypatch.setattr(torch, "compile", Wrong)
    with pytest.raises(PlanError, match=r"losses differ by .* gradients by"):
        next(fit(small_net(0.0), batches_of(*images, plan), loss, plan))


def test_budget_is_kept() -> None:
    ticks = iter(np.cumsum([0, 9, 7, 2, 2, 5, 2, 2]).tolist())
    assert step_seconds(small_net(), batches_of(*pictures(64, 8), SHORT), loss, SHORT, lambda: next(ticks)) == 2
    with pytest.raises(PlanError, match="too short"):
        steps_within(1.0, 0.5)


def test_a_busy_moment_is_not_taken_for_the_machine() -> None:
    ticks = iter(np.cumsum([0, *[8] * 8, *[2] * 100]).tolist())
    batches = batches_of(*pictures(64, 8), SHORT)
    assert step_seconds(small_net(), batches, loss, SHORT, lambda: next(ticks), look_s=100) == 2


@given(
    time_s=st.floats(20, 1e5),
    step_s=st.floats(1e-3, 1),
    eval_s=st.floats(0, 60),
    every=st.sampled_from([0, 1, 20, 500]),
)
def test_steps_and_evaluations_fit(time_s: float, step_s: float, eval_s: float, every: int) -> None:
    try:
        budget = steps_within(time_s, step_s, eval_s, eval_every=every)
    except PlanError:
        assert time_s < 40 * (step_s + eval_s)
        return
    assert every in (0, budget.eval_every)
    assert isinstance(budget, Budget)
    spent = budget.steps * step_s + ceil(budget.steps / budget.eval_every) * eval_s  # one is after the last step
    assert spent <= time_s * 1.0001
