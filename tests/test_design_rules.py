"""Planning rules: every choice is a setting that exists, has a reason, and follows the data."""

import subprocess
import sys
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowroll.base.nouns import Choice, Json, Plan, canonical
from snowroll.base.task import Fingerprint
from snowroll.design.rules import USUAL, ImageOptions, by_optimizer, image_plan
from snowroll.design.zoo import build_from

FACTS: dict[str, Json] = {
    "classes": 10,
    "smallest_class": 100,
    "median_width": 32,
    "median_height": 32,
    "aspect_spread": 0.0,
    "grey": False,
    "mirror": "kept",
    "plain": 0.5,
    "mirrored": 0.49,
}
CIFAR = Fingerprint({"train": 10_000, "val": 1_000, "test": 2_000}, {}, FACTS, "cpu", 2, True, None)


def planned(fingerprint: Fingerprint, **facts: Json) -> dict[str, Choice]:
    told = image_plan(replace(fingerprint, facts={**fingerprint.facts, **facts}))
    assert len({choice.key for choice in told}) == len(told)
    return {choice.key: choice for choice in told}


def options_of(choices: dict[str, Choice]) -> ImageOptions:
    task = {key.removeprefix("task."): choice.value for key, choice in choices.items() if key.startswith("task.")}
    return ImageOptions(**task)


@given(
    n=st.integers(1, 10**7),
    side=st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)),
    classes=st.integers(1, 2_000),
    mirror=st.sampled_from([("kept", 0.8, 0.79), ("lost", 0.8, 0.2), ("unknown", None, None)]),
    time_s=st.none() | st.floats(0.1, 1e6),
    device=st.sampled_from(["cpu", "cuda"]),
)
def test_any_data_gets_a_whole_plan(n, side, classes, mirror, time_s, device) -> None:
    verdict, plain, mirrored = mirror
    facts = {"median_width": side[0], "median_height": side[1], "classes": classes}
    facts |= {"mirror": verdict, "plain": plain, "mirrored": mirrored}
    machine = replace(CIFAR, n={"train": n, "val": 1, "test": 1}, time_s=time_s, device=device)
    choices = planned(machine, **facts)
    known = {f"train.{f.name}" for f in fields(Plan)} | {f"task.{f.name}" for f in fields(ImageOptions)}
    assert choices.keys() <= known
    assert all(len(choice.why) > 10 and "\n" not in choice.why for choice in choices.values())
    train = {key.removeprefix("train."): c.value for key, c in choices.items() if key.startswith("train.")}
    plan = Plan(task=options_of(choices), **train)
    assert plan.steps > 0
    assert 8 <= plan.batch <= 512
    assert 0 < plan.lr < 1
    canonical(plan)  # can be written


@pytest.mark.parametrize("side", [8, 28, 48, 100, 640])
def test_the_chosen_network_takes_the_chosen_size(side: int) -> None:
    build_from(options_of(planned(CIFAR, median_width=side, median_height=side)), classes=3)


def test_size_follows_the_pictures_and_the_device() -> None:
    assert planned(CIFAR)["task.size_px"].value == 32
    assert planned(CIFAR, median_width=640, median_height=480)["task.size_px"].value == 128
    photos = planned(replace(CIFAR, device="cuda"), median_width=640, median_height=480)
    assert photos["task.size_px"].value == 224


def test_flip_follows_the_probe_and_says_so() -> None:
    kept = planned(CIFAR)["task.flip"]
    lost = planned(CIFAR, mirror="lost", plain=0.9, mirrored=0.3)["task.flip"]
    unknown = planned(CIFAR, mirror="unknown", plain=None, mirrored=None)["task.flip"]
    assert [kept.value, lost.value, unknown.value] == [True, False, False]
    assert "90%" in lost.why
    assert "30%" in lost.why
    assert all("--task.flip" in choice.why for choice in (kept, lost, unknown))


def test_a_longer_budget_never_plans_a_smaller_network() -> None:
    order = ["fastnet_small", "fastnet", "fastnet_wide", "fastnet_deep"]
    sizes = [order.index(planned(replace(CIFAR, time_s=t))["task.model"].value) for t in (5.0, 60.0, 600.0, 6e3, 6e4)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1]


def test_in_the_same_time_more_pictures_are_for_a_smaller_network() -> None:
    order = ["fastnet_small", "fastnet", "fastnet_wide", "fastnet_deep"]
    timed = replace(CIFAR, time_s=300.0)
    counts = (300, 3_000, 30_000, 300_000)
    sizes = [order.index(planned(replace(timed, n=CIFAR.n | {"train": n}))["task.model"].value) for n in counts]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]


def test_nothing_is_hidden_from_runs_that_see_each_picture_a_few_times() -> None:
    assert planned(replace(CIFAR, time_s=60.0))["task.cutout"].value == 0
    assert planned(replace(CIFAR, time_s=6e3))["task.cutout"].value > 0


def test_what_the_user_settled_steers_the_rest() -> None:
    fresh = planned(CIFAR, asked={"model": "resnet18"})
    tuned = planned(CIFAR, asked={"model": "mobilenet_v2", "pretrained": "weights.pth"})
    assert fresh["train.optimizer"].value == "sgd"
    assert tuned["train.optimizer"].value == "adamw"
    assert tuned["train.lr"].value < fresh["train.lr"].value
    assert 0 < tuned["task.head_first"].value < 1
    assert "task.head_first" not in fresh


@pytest.mark.parametrize("name", sorted(USUAL))
def test_an_optimiser_that_the_user_named_has_a_rate_that_suits_it(name: str) -> None:
    for model in ("fastnet", "resnet18", "convnet"):
        rules = planned(CIFAR, asked={"model": model})
        chosen = {choice.key: choice for choice in by_optimizer(list(rules.values()), name)}
        assert len(chosen) == len(rules)
        if rules["train.optimizer"].value == name:
            assert chosen == rules
        else:
            assert chosen["train.lr"].value == USUAL[name][0]
            assert name in chosen["train.lr"].why
    assert by_optimizer([], name) == []  # rules that say nothing of it


def test_grey_pictures_keep_their_light_and_odd_shapes_their_proportions() -> None:
    photos = {"median_width": 640, "median_height": 480}
    assert "task.saturation" in planned(CIFAR, **photos)
    assert "task.saturation" not in planned(CIFAR, grey=True, **photos)
    assert planned(CIFAR, aspect_spread=0.6)["task.fit"].value == "pad"


def test_precision_follows_the_machine() -> None:
    assert planned(CIFAR)["train.precision"].value == "bf16"
    assert planned(replace(CIFAR, bf16=False))["train.precision"].value == "fp32"


def test_rules_need_no_torch() -> None:
    code = "import sys, snowroll.design.rules; assert not {'torch', 'numpy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
