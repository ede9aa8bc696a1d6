"""Gates: no false alarm on healthy networks, and each planted fault is caught by the gate that is about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import count
from math import prod
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from blobs import Blobs, Options, loss, small_net, trial
from torch import Tensor, nn

from snowroll.base.nouns import Batch, Gate
from snowroll.train.after import known_as_they_are, learnt, modes_agree
from snowroll.train.fit import fit
from snowroll.train.gates import hypotheses, pass_through
from snowroll.train.spreads import outputs_differ
from snowroll.train.trial import Trial

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def draw(images: Sequence[object]) -> str:
    return f"{len(images)}.png"


def verdicts(planned: Trial) -> dict[str, Gate]:
    """Every gate's verdict; the clock is a counter, so that each gate takes one second."""
    ticks = count()
    gates = list(pass_through(planned, draw, lambda: float(next(ticks))))
    assert [gate.seconds for gate in gates] == [1.0] * len(gates)
    return {gate.name: gate for gate in gates}


def failed(planned: Trial) -> set[str]:
    return {name for name, gate in verdicts(planned).items() if not gate.passed}


def caught(gate: str, planned: Trial) -> str:
    """What this one gate says, which must be a failure."""
    (hypothesis,) = [one for one in hypotheses(draw) if one.name == gate]
    found = hypothesis.measure(planned)
    assert found is not None, "it was not asked"
    assert not found.holds, found.words
    return found.words


def from_zoo(name: str, size_px: int, dropout: float) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        from snowroll.design.zoo import build

        torch.manual_seed(3)
        return build(name, 4, size_px, dropout=dropout)

    return make


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_healthy_network_passes(smoothing: float) -> None:
    options = Options(smoothing)
    found = verdicts(trial(small_net, lambda model, batch: Blobs().loss(model, batch, options), options=options))
    assert {name: gate.measured for name, gate in found.items() if not gate.passed} == {}
    assert found["sees"].picture == "8.png"


@pytest.mark.parametrize(("name", "size_px", "dropout"), [("convnet", 32, 0.2), ("fastnet_small", 32, 0.0)])
def test_healthy_small_networks_of_ours_pass(name: str, size_px: int, dropout: float) -> None:
    assert failed(trial(from_zoo(name, size_px, dropout), size_px=size_px)) == set()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size_px", "dropout"),
    [("resnet18", 32, 0.0), ("mobilenet_v2", 32, 0.2), ("mobilenet_v2", 64, 0.2), ("vit_tiny", 32, 0.1)],
)
def test_healthy_large_networks_pass(name: str, size_px: int, dropout: float) -> None:
    assert failed(trial(from_zoo(name, size_px, dropout), size_px=size_px)) == set()


class Two(NamedTuple):
    """Inputs of more than one part."""

    picture: Tensor
    brightness: Tensor  # [B]


class TakesTwo(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pictures = small_net(0.0)

    def forward(self, inputs: Two) -> Tensor:
        return self.pictures(inputs.picture) + inputs.brightness[:, None]


def test_inputs_of_several_parts() -> None:
    def two(batch: Batch) -> Batch:
        return replace(batch, inputs=Two(batch.inputs, batch.inputs.mean((1, 2, 3))))

    def make() -> nn.Module:
        torch.manual_seed(0)
        return TakesTwo()

    planned = trial(make, seen=two)
    assert failed(replace(planned, plain=planned.batches)) == set()


def net(change: Callable[[nn.Sequential], None], dropout: float = 0.2) -> Callable[[], nn.Module]:
    """The small network with something done to it."""

    def make() -> nn.Module:
        model = small_net(dropout)
        assert isinstance(model, nn.Sequential)
        with torch.no_grad():
            change(model)
        return model

    return make


class Step(nn.Module):
    """A layer that is one function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def after(index: int, function: Callable[[Tensor], Tensor]) -> Callable[[], nn.Module]:
    """The small network with `function` applied behind layer `index`."""

    def insert(model: nn.Sequential) -> None:
        model[index] = nn.Sequential(model[index], Step(function))

    return net(insert)


def test_init_times_100() -> None:
    caught("loss_at_init", trial(net(lambda model: model[12].weight.mul_(100))))


@pytest.mark.parametrize("seed", range(6))
def test_labels_shuffled_inside_the_loss(seed: int) -> None:
    def shuffled(model: nn.Module, batch: Batch) -> Tensor:
        return loss(model, replace(batch, targets=batch.targets[torch.randperm(len(batch.targets))]))

    planned = trial(lambda: small_net(seed=seed), shuffled)
    caught("overfits_two", replace(planned, plan=replace(planned.plan, seed=seed)))


def test_labels_off_by_one_inside_the_loss() -> None:
    def off_by_one(model: nn.Module, batch: Batch) -> Tensor:
        return loss(model, replace(batch, targets=(batch.targets + 1) % 4))

    assert failed(trial(small_net, off_by_one)) == {"overfits_two"}


def test_a_body_that_is_not_taught_adds_no_capacity() -> None:
    said = caught("capacity_pays", trial(after(11, Tensor.detach)))
    assert "where the last layer learns alone" in said


def test_detached_head() -> None:
    said = caught("everything_learns", trial(after(8, Tensor.detach)))
    assert "no gradient reaches 0.weight, 1.weight, 1.bias, 4.weight, 4.bias" in said


@pytest.mark.parametrize("index", [9, 12])  # a layer in the middle, and the head
def test_frozen_parameter(index: int) -> None:
    said = caught("everything_learns", trial(net(lambda model: model[index].weight.requires_grad_(False))))
    assert said == f"frozen though earlier layers learn: {index}.weight"


def test_frozen_on_purpose() -> None:
    def head(model: nn.Sequential) -> None:
        model[9].requires_grad_(False)

    caught("everything_learns", trial(net(head)))
    assert failed(replace(trial(net(head)), frozen=("9.",))) == set()
    # from the input on it needs no saying, but it is told
    found = verdicts(trial(net(lambda model: model[0].requires_grad_(False))))
    assert found["everything_learns"].passed
    assert "held still: 0.weight" in found["everything_learns"].measured


def test_view_for_permute() -> None:
    def mixes(x: Tensor) -> Tensor:  # meant to be x.permute(...) and back
        return x.reshape(-1, len(x)).t().contiguous()

    caught("samples_apart", trial(after(8, mixes)))


def test_normalised_over_the_batch() -> None:
    def over_the_batch(x: Tensor) -> Tensor:
        return (x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-3)

    caught("samples_apart", trial(after(8, over_the_batch)))


def test_batch_norm_over_the_wrong_axis() -> None:
    class Turned(nn.Module):
        """Batch normalisation that takes the samples for its channels."""

        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(32)
            self.norm.running_mean = torch.linspace(-1, 1, 32)

        def forward(self, x: Tensor) -> Tensor:
            padded = nn.functional.pad(x, (0, 0, 0, 32 - len(x)))
            return self.norm(padded.t()).t()[: len(x)]

    def insert(model: nn.Sequential) -> None:
        model[8] = nn.Sequential(model[8], Turned())

    caught("samples_apart", trial(net(insert)))


def test_dead_inputs() -> None:
    blank = trial(seen=lambda batch: replace(batch, inputs=torch.full_like(batch.inputs, 0.5)))
    found = verdicts(replace(blank, plain=blank.batches))
    assert not found["sees"].passed
    assert not found["beats_blind"].passed
    assert not found["overfits_two"].passed


def test_inputs_that_do_not_reach_the_head() -> None:
    caught("beats_blind", trial(after(8, lambda x: x * 0 + 1)))


def test_dead_units() -> None:
    def kill(model: nn.Sequential) -> None:
        model[9].bias[:20] = -100.0  # of 24, before a ReLU

    assert "dead units: 83% of 9.weight" in caught("everything_learns", trial(net(kill)))


def test_running_statistics_that_are_not_kept() -> None:
    def forget(model: nn.Sequential) -> None:
        model[1].momentum = 0.0
        model[1].running_mean.fill_(7.0)

    assert failed(trial(net(forget))) == {"overfits_two"}


def test_a_loss_with_easier_parts_while_it_trains() -> None:
    """Deep supervision: coarse answers count in training only, and lose less; overlaps are never quite right."""

    def deep(model: nn.Module, batch: Batch) -> Tensor:
        whole = loss(model, batch)
        return 0.2 + 0.2 * whole if model.training else 0.4 + whole  # with floors, as smoothing has

    planned = replace(trial(small_net), objective=deep, credit=lambda model, batch: 0.8)
    assert "overfits_two" not in failed(planned)


def test_overlaps_of_a_third_are_known_where_a_blind_twin_has_none() -> None:
    """As of scenes of many classes after so few steps; who answers no better than blindly is still told."""
    planned = trial(small_net)
    right = planned.credit
    assert "overfits_two" not in failed(replace(planned, credit=lambda model, batch: 0.4 * right(model, batch)))
    caught("overfits_two", replace(planned, credit=lambda model, batch: 0.4))


def test_a_loss_of_which_inputs_tell_little() -> None:
    """As of sentences whose beginning is given: nearly every word is told without the input."""
    planned = trial(small_net)
    assert "overfits_two" not in failed(replace(planned, objective=lambda model, batch: 1 + 0.2 * loss(model, batch)))


def test_a_few_samples_that_gain_much_do_not_hide_that_all_gain() -> None:
    """As of faults in parts: most pictures have none and lose next to nothing either way."""

    def steep(model: nn.Module, batch: Batch) -> Tensor:
        return loss(model, batch) * torch.where(batch.ids % 8 == 0, 1.0, 0.02)

    gate = verdicts(replace(trial(small_net), objective=steep))["beats_blind"]
    assert gate.passed, gate.measured


def test_batches_that_are_no_function_of_the_step() -> None:
    noise = torch.Generator().manual_seed(0)

    def noisy(batch: Batch) -> Batch:
        return replace(batch, inputs=batch.inputs + 0.01 * torch.randn(batch.inputs.shape, generator=noise))

    assert "the batches of the first three steps differ" in caught("same_twice", trial(seen=noisy))


def test_nan_is_a_verdict() -> None:
    found = verdicts(trial(after(5, lambda x: x / 0)))
    assert not found["outputs_differ"].passed
    assert not found["overfits_two"].passed
    assert "put out NaN or infinity" in found["overfits_two"].measured


def uneven(make: Callable[[], nn.Module]) -> Trial:
    """Nine in ten pictures are of the first class."""
    planned = trial(make)

    def rare(batch: Batch) -> Batch:
        kept = (batch.ids % 10 == 0) * batch.targets
        return replace(batch, targets=kept)

    def truth(ids: Tensor) -> list[str]:
        classes = [planned.truth(ids[row : row + 1])[0] for row in range(len(ids))]
        return [name if int(row) % 10 == 0 else "a" for row, name in zip(ids, classes, strict=True)]

    batches = {"batches": lambda step: rare(planned.batches(step)), "plain": lambda step: rare(planned.plain(step))}
    return replace(planned, truth=truth, **batches)


def test_a_bias_that_ignores_uneven_classes_is_told_and_one_that_says_them_is_not() -> None:
    said = caught("bias_at_prior", uneven(small_net))
    assert "a uniform one 1.386" in said
    shares = torch.tensor([0.925, 0.025, 0.025, 0.025])
    knowing = uneven(net(lambda model: model[12].bias.copy_(shares.log())))
    found = verdicts(knowing)
    assert found["bias_at_prior"].passed, found["bias_at_prior"].measured
    assert found["loss_at_init"].passed, found["loss_at_init"].measured
    assert found["beats_blind"].passed, found["beats_blind"].measured  # on samples whose classes take turns


@pytest.mark.parametrize("change", [lambda x: x * 1_000, lambda x: x / 0])
def test_values_that_grow_beyond_bounds(change: Callable[[Tensor], Tensor]) -> None:
    assert "of layer" in caught("activations", trial(after(5, change)))


def test_a_part_of_the_picture_that_no_answer_depends_on() -> None:
    said = caught(
        "inputs_reach",
        trial(
            after(0, lambda x: nn.functional.pad(x[..., : x.shape[2] // 2, :], (0, 0, 0, x.shape[2] - x.shape[2] // 2)))
        ),
    )
    assert "of axis 2" in said


class Answers(nn.Module):
    """Twelve values at each of so many places, all of `width` numbers; beside them it answers other things."""

    def __init__(self, width: int, *places: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.numbers, self.values = nn.Linear(3 * 16 * 16, width * prod(places)), nn.Linear(width, 12)
        self.places = places

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values = self.values(self.numbers(x.flatten(1)).reshape(len(x), *self.places, -1))
        if len(self.places) > 1:
            values = values.movedim(-1, 1)
        return torch.arange(len(x)), values, torch.ones(len(x), 2)


@pytest.mark.parametrize("places", [(), (5,), (2, 3), (1, 2, 3)])
@pytest.mark.parametrize(("width", "holds"), [(1, False), (2, False), (8, True)])
def test_a_width_that_is_too_small_for_the_answers(width: int, holds: bool, places: tuple[int, ...]) -> None:
    planned = trial(lambda: Answers(width, *places))
    found = outputs_differ(replace(planned, in_order=True))
    assert found is not None
    assert (outputs_differ(planned) is None) is (len(places) == 1)  # may be a list of what was found, surest first
    assert found.holds is holds, found.words


def test_a_head_behind_a_single_unit() -> None:
    def narrow(model: nn.Sequential) -> None:
        model[12] = nn.Sequential(nn.Linear(24, 1), nn.Linear(1, 12))

    assert "vary in 1 of 11" in caught("outputs_differ", trial(net(narrow)))


@pytest.mark.parametrize(("late", "holds"), [(0.9, True), (1.38, False), (2.0, False)])
def test_a_run_that_learnt_nothing(late: float, holds: bool) -> None:
    planned = trial()
    found = learnt(planned.objective, planned.make(), planned.batches, late)
    assert found is not None
    assert found.holds is holds, found.words
    assert "1.3" in found.words  # what one answer to all loses: a little under ln 4


@pytest.mark.parametrize(
    ("optimizer", "lr", "holds"),
    [
        ("sgd", 0.1, True),
        ("sgd", 0.03, True),
        ("sgd", 1e-3 / 3, False),
        ("sgd", 100.0, False),
        ("adamw", 3e-3, True),
        ("adamw", 1e-5, False),
        ("adamw", 3.0, False),
        ("muon", 0.02, True),
        ("muon", 1e-5, False),
    ],
)
def test_a_rate_that_a_person_set(optimizer: str, lr: float, holds: bool) -> None:
    planned = trial(lambda: small_net(0.0))
    plan = replace(planned.plan, optimizer=optimizer, lr=lr)  # type: ignore[arg-type]
    planned = replace(planned, plan=plan, rate_is_told=True)
    gate = verdicts(planned)["learning_rate"]
    assert gate.passed is holds, gate.measured
    assert "learning_rate" not in verdicts(replace(planned, rate_is_told=False))


def test_modes_that_part() -> None:
    planned = trial(lambda: small_net(0.0))
    model = planned.make()
    assert len(list(fit(model, planned.batches, planned.objective, replace(planned.plan, steps=60)))) == 60
    assert modes_agree(planned.objective, model, planned.batches).holds
    assert not modes_agree(planned.objective, stale(model), planned.batches).holds
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes_agree(planned.objective, model, planned.batches)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_only_augmentation_shows() -> None:
    """Every augmented picture says its class in a corner, as a border may: the pictures themselves do not."""

    def told(batch: Batch) -> Batch:
        images = batch.inputs.clone()
        images[:, :, :4, :4] = batch.targets[:, None, None, None] / 4
        return replace(batch, inputs=images)

    honest, telling = trial(lambda: small_net(0.0)), trial(lambda: small_net(0.0), seen=told)
    plain = [honest.plain(step) for step in range(4)]
    for planned, holds in ((honest, True), (telling, False)):
        model = planned.make()
        for _ in fit(model, planned.batches, planned.objective, replace(planned.plan, steps=60)):
            pass
        assert known_as_they_are(planned.objective, model, planned.batches, plain).holds is holds


def stale(model: nn.Module) -> nn.Module:
    """A copy whose batch statistics are of other data."""
    copy = deepcopy(model)
    copy[1].running_mean.fill_(9.0)  # type: ignore[index, union-attr, operator]
    return copy


def test_gates_leave_no_trace(tmp_path: Path) -> None:
    """A factory that always hands out the same object would let one gate train the next one's model."""
    first, second = verdicts(trial()), verdicts(trial())
    assert {n: g.measured for n, g in first.items()} == {n: g.measured for n, g in second.items()}
