"""The options of an image model, and the rules that choose them from facts of the data and the machine.

nnU-Net's idea (Isensee et al. 2021): a fingerprint of the data goes in, a whole plan comes out, every choice with its
reason. No torch here: the command line and decoding children import this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.design.options import FineTuned, Recoloured

SMALL_PX = 64  # pictures up to here are seen whole
ENOUGH_FOR_WIDTH = 5_000  # training pictures; a guess to be revisited
# Pictures of 32 px that fastnet learns from in a second of one core, with bf16 and without. Between what two machines
# did: 950 with avx512_bf16, 400 with AMX on a busy one.
FASTNET_PER_CORE_S = {True: 600, False: 300}
FEW_SEEN, FEW_PASSES = 100_000, 10  # pictures seen, repeated ones counted, and how often each
PACE = {"fastnet_small": 2.0, "fastnet": 1.0, "fastnet_wide": 0.43, "fastnet_deep": 0.2}  # beside fastnet's
OVERFITS = 15  # passes from which a run of small pictures needs more variety: a guess


@dataclass(frozen=True, slots=True)
class ImageOptions(FineTuned, Recoloured):
    """The task's part of the Plan for image classification."""

    model: str = "fastnet"  # a name of design/zoo.py, or "timm:NAME"
    size_px: int = 32  # side of the square that the network sees
    fit: Literal["stretch", "crop", "pad"] = "stretch"  # how a picture becomes a square
    dropout: float = 0.0  # before the head
    hidden: int = 0  # units of a hidden layer in the head; 0: a linear head
    label_smoothing: float = 0.0
    rotate_deg: float = 0.0
    cutout: float = 0.0  # side of the grey square, share of the side
    mix: Literal["none", "mixup", "cutmix"] = "none"
    mix_alpha: float = 0.2

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="size_px",
            from_0="hidden mix_alpha",
            shares="dropout label_smoothing cutout",
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a family of networks likes to be trained. `lr` is for a batch of 128 and grows with its square root."""

    optimizer: Literal["sgd", "adamw", "muon"]
    lr: float
    momentum: float
    weight_decay: float
    clip: float
    why: str


# The first family whose name the model's starts with.
RECIPES: dict[str, Recipe] = {
    "fastnet": Recipe(
        "muon", 0.2, 0.6, 0.0, 0.0, "best of five rates and momenta tried, four passes of 10,000 pictures, one seed"
    ),
    "convnet": Recipe("adamw", 2e-3, 0.9, 1e-2, 0.0, "no batch norm, so each weight's step should be scaled by AdamW"),
    "vit": Recipe(
        "adamw", 1e-3, 0.9, 5e-2, 1.0, "transformers want AdamW, decay and clipping (Dosovitskiy et al. 2021)"
    ),
    "alexnet": Recipe("sgd", 0.01, 0.9, 5e-4, 1.0, "no batch norm, so a tenth of ResNet's rate (as in its paper)"),
    "vgg": Recipe("sgd", 0.01, 0.9, 5e-4, 1.0, "a tenth of ResNet's rate (as in its paper)"),
    "timm:": Recipe("adamw", 1e-3, 0.9, 5e-2, 1.0, "an unknown network: AdamW is the least touchy"),
    "": Recipe("sgd", 0.1, 0.9, 5e-4, 0.0, "SGD with Nesterov momentum, as ResNets were tuned (He et al. 2016)"),
}
MUON_LR = 0.02  # best of .005, .02 and .1 on masks of faint faults, good on scenes, cells and words
# (learning rate, momentum, weight decay) of an optimiser that the user named where the rules know only another's
USUAL = {"sgd": (0.05, 0.9, 5e-4), "adamw": (2e-3, 0.9, 1e-2), "muon": (MUON_LR, 0.9, 1e-2)}
FINE_TUNE = Recipe("adamw", 1e-3, 0.9, 1e-2, 1.0, "pretrained weights need small, even steps")


def image_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence.

    facts it reads: classes, median_width, median_height, aspect_spread, grey, mirror, plain, mirrored; and, where the
    user settled them, `asked`: {"model", "pretrained", "size_px"}, which the other choices follow.
    """
    facts = fingerprint.facts
    asked: Mapping[str, Json] = facts.get("asked") or {}
    pretrained = bool(asked.get("pretrained"))
    size = _size(fingerprint, pretrained)
    size_px = int(asked.get("size_px") or size.value)
    network = _network(fingerprint, size_px)
    model = str(asked.get("model") or network.value)
    batch = _batch(fingerprint, size_px)
    epochs = _epochs(fingerprint.n["train"])
    return [
        size,
        _fit(facts),
        network,
        batch,
        _steps(fingerprint, int(batch.value), epochs),
        *_learning(model, pretrained, int(batch.value), int(facts["classes"])),
        *(fine_tuning(fingerprint) if pretrained else ()),
        _flip(facts),
        *_augmentation(fingerprint, size_px, _passes(fingerprint, size_px, model, epochs)),
        *machine(fingerprint),
    ]


def _side(facts: Mapping[str, Json]) -> int:
    return min(int(facts["median_width"]), int(facts["median_height"]))


def _size(fingerprint: Fingerprint, pretrained: bool) -> Choice:
    side = _side(fingerprint.facts)
    if side <= 16:
        return Choice("task.size_px", 16, f"the median picture is {side} px; below 16 nothing is left after pooling")
    if side <= SMALL_PX:
        return Choice("task.size_px", side, f"the median picture is {side} px, small enough to see whole")
    gpu = fingerprint.device.startswith("cuda")
    most = 224 if gpu else 192 if pretrained else 128
    why = f"on {'a GPU' if gpu else 'a processor'} {most} px is what time allows"
    if pretrained and not gpu:
        why = f"pretrained layers know things at about 224 px, and {why}"
    return Choice("task.size_px", min(most, side // 32 * 32), f"the median picture is {side} px; {why}")


def _fit(facts: Mapping[str, Json]) -> Choice:
    spread = float(facts["aspect_spread"])
    if spread > 0.3:
        return Choice("task.fit", "pad", f"widths over heights vary by {spread:.2f} (log), stretching would distort")
    return Choice("task.fit", "stretch", f"pictures have one shape (spread {spread:.2f}), all stretch alike")


def _network(fingerprint: Fingerprint, size_px: int) -> Choice:
    n = fingerprint.n["train"]
    gpu = fingerprint.device.startswith("cuda")
    if gpu:
        return Choice("task.model", "fastnet_deep", "a GPU makes the larger network cheap")
    if fingerprint.time_s is None:
        name = "fastnet" if n >= ENOUGH_FOR_WIDTH else "fastnet_small"
        return Choice("task.model", name, f"{n} training pictures; more channels pay from {ENOUGH_FOR_WIDTH}")
    seen = _seen(fingerprint, size_px)
    passes = seen / max(1, n)
    why = f"{fingerprint.time_s:.0f} s let fastnet see {seen:,.0f} pictures, each about {passes:.0f} times"
    # where networks of the family cross in equal time on 1,000, 10,000 and 44,500 pictures of CIFAR-10, one seed; the
    # deep one, which lost up to 24 passes of 10,000, is a guess
    often, much = passes >= FEW_PASSES, seen >= FEW_SEEN
    if passes >= 6 * FEW_PASSES and seen >= 6 * FEW_SEEN:
        return Choice("task.model", "fastnet_deep", f"{why}; enough for the largest network")
    if often and much:
        return Choice("task.model", "fastnet_wide", f"{why}; from {FEW_PASSES} times more channels win")
    if often or much:
        return Choice("task.model", "fastnet", f"{why}; enough for it, not for more channels")
    return Choice("task.model", "fastnet_small", f"{why}; of so few the small network makes more")


def _seen(fingerprint: Fingerprint, size_px: int) -> float:
    """How many pictures fastnet would learn from within the budget, repeated ones counted."""
    pace = fingerprint.threads * FASTNET_PER_CORE_S[fingerprint.bf16] * (32 / min(size_px, 32)) ** 2
    return (fingerprint.time_s or 0.0) * pace


def _passes(fingerprint: Fingerprint, size_px: int, model: str, epochs: int) -> float:
    """How often each picture is seen. A network whose pace is not known counts as a wide one."""
    if fingerprint.time_s is None:
        return epochs
    return _seen(fingerprint, size_px) * PACE.get(model, PACE["fastnet_wide"]) / max(1, fingerprint.n["train"])


def _batch(fingerprint: Fingerprint, size_px: int) -> Choice:
    n = fingerprint.n["train"]
    most = 512 if fingerprint.device.startswith("cuda") and size_px <= SMALL_PX else 128
    batch = 8
    while batch < most and batch * 32 <= n:
        batch *= 2
    return Choice("train.batch", batch, f"{n} training pictures: at least 16 updates a pass, at most {most} a batch")


def _epochs(n: int) -> int:
    """Passes over the data when no time budget is given: few pictures are seen more often."""
    return round(min(60, max(12, 300_000 / max(1, n))))


def _steps(fingerprint: Fingerprint, batch: int, epochs: int) -> Choice:
    n = fingerprint.n["train"]
    steps = max(200, n * epochs // batch)
    return Choice("train.steps", steps, f"about {epochs} passes over {n} pictures; --time sets it by the clock instead")


def _learning(model: str, pretrained: bool, batch: int, classes: int) -> list[Choice]:
    family = next(name for name in RECIPES if model.startswith(name))
    recipe = FINE_TUNE if pretrained else RECIPES[family]
    lr = float(f"{recipe.lr * (batch / 128) ** 0.5:.2g}")
    smoothing = 0.2 if classes >= 10 and not pretrained else 0.1
    return [
        Choice("train.optimizer", recipe.optimizer, f"for {model}: {recipe.why}"),
        Choice("train.lr", lr, f"{recipe.lr} for {model} at batch 128, times the square root of {batch} / 128"),
        Choice("train.momentum", recipe.momentum, f"goes with {recipe.optimizer} for {model}"),
        Choice("train.weight_decay", recipe.weight_decay, f"goes with {recipe.optimizer} for {model}"),
        Choice("train.clip", recipe.clip, f"goes with {recipe.optimizer} for {model}; 0 is off"),
        Choice("train.schedule", "linear", "straight down to zero: the budget ends where learning ends"),
        Choice("train.warmup", 0.1, "the first tenth of the steps rises, while batch statistics settle"),
        Choice("task.label_smoothing", smoothing, f"{classes} classes; keeps a short run from growing overconfident"),
    ]


def fine_tuning(
    fingerprint: Fingerprint, head_first: float = 0.1, keep: float = 0.35, backbone_lr: float = 0.3
) -> list[Choice]:
    """What keeps loaded weights from being spoilt, and where time is saved on them."""
    choices = [
        Choice("task.head_first", head_first, "new layers learn first, or their noise would spoil the pretrained ones"),
        Choice("task.backbone_lr", backbone_lr, "pretrained layers need smaller steps than the new ones"),
        Choice("task.keep_statistics", True, "batches of few kinds of pictures would wash out what batch norm knows"),
    ]
    if keep and not fingerprint.device.startswith("cuda"):
        why = "edges and textures are the same everywhere, and on a processor a step takes half the time without them"
        choices.append(Choice("task.keep", keep, why))
    return choices


def _flip(facts: Mapping[str, Json]) -> Choice:
    """Whether mirror images belong to the same class, from a linear probe that judged mirrored pictures."""
    verdict = facts.get("mirror", "unknown")
    change = "; --task.flip changes it"
    if verdict == "unknown":
        return Choice("task.flip", False, f"too little is known of what mirroring does to these classes{change}")
    found = f"a probe tells the classes with {facts['plain']:.0%}, mirrored with {facts['mirrored']:.0%}"
    if verdict == "kept":
        return Choice("task.flip", True, f"{found}: left and right carry no meaning{change}")
    return Choice("task.flip", False, f"{found}: left and right carry meaning, as in writing{change}")


def _augmentation(fingerprint: Fingerprint, size_px: int, passes: float) -> list[Choice]:
    shift = Choice("task.shift", 0.0625, "a sixteenth of the side (2 of 32 px); costs one gather of pixels")
    if size_px <= SMALL_PX:
        why = f"each picture is seen about {passes:.0f} times; hiding a quarter of the side pays from {OVERFITS}"
        return [shift, Choice("task.cutout", 0.25 if passes >= OVERFITS else 0.0, why)]
    choices = [
        shift,
        Choice("task.scale", 0.15, "objects in photos come near and far"),
        # beside scale and light, cutout would take augmentation past 3 % of a step (3.5 % measured with resnet18)
        Choice("task.cutout", 0.0, "scale and light already vary photos; a third change would cost a noticeable time"),
    ]
    if not fingerprint.facts["grey"]:
        why = "light in photos varies"
        choices += [Choice(f"task.{name}", 0.2, why) for name in ("brightness", "contrast", "saturation")]
    return choices


def by_optimizer(choices: Sequence[Choice], name: str) -> list[Choice]:
    """The choices where the user settled on the optimiser `name`. Where the rules planned for another, rate, momentum
    and decay become what is USUAL: nothing learns under AdamW at Muon's 0.2.
    """
    planned = next((choice.value for choice in choices if choice.key == "train.optimizer"), name)
    if planned == name:
        return list(choices)
    why = f"usual for {name}; the rules' own is for {planned}"
    keys = ("train.lr", "train.momentum", "train.weight_decay")
    usual = [Choice(key, value, why) for key, value in zip(keys, USUAL[name], strict=True)]
    return [choice for choice in choices if choice.key not in keys] + usual


def machine(fingerprint: Fingerprint) -> list[Choice]:
    precision = "bf16" if fingerprint.bf16 else "fp32"
    has = "has" if fingerprint.bf16 else "lacks"
    return [
        Choice("train.precision", precision, f"this {fingerprint.device} {has} bf16 arithmetic"),
        Choice("train.channels_last", True, "convolutions run faster so, and the pack holds pixels so"),
    ]


# for tasks whose answers are places: a frame of the pictures' own shape, reflections that keep what things mean -----

STEP_PX = 32  # the coarsest map of their networks: sides of a frame are multiples


def optimizer_choices(
    fingerprint: Fingerprint, is_ours: bool, pretrained: bool, decay: float, head_first: float
) -> list[Choice]:
    """What a network is moved by whose fresh weights are all ours (its head, where others are loaded), and what others.

    Loaded weights begin at 3e-4 under AdamW in both: a third of its rate, or .15 of the tenth that Muon leaves it.
    """
    if is_ours:
        beside = "what answers, biases and loaded weights follow" if pretrained else "what answers and biases follow"
        choices = [
            Choice(
                "train.optimizer", "muon", "all directions of a filter bank learn alike: faint, rare things are found"
            ),
            Choice("train.lr", MUON_LR, f"for Muon; {beside} AdamW at a tenth of it"),
            Choice("train.weight_decay", decay, "goes with muon"),
        ]
    else:
        choices = [
            Choice("train.optimizer", "adamw", "heads and loaded weights want steps of each weight's own size"),
            Choice("train.lr", 1e-3 if pretrained else 2e-3, "for AdamW; loaded weights want smaller steps"),
            Choice("train.weight_decay", decay, "goes with adamw"),
        ]
    if pretrained:
        choices += fine_tuning(fingerprint, head_first, backbone_lr=0.15 if is_ours else 0.3)
    return choices


def steps_px(side: float) -> int:
    """The nearest multiple of STEP_PX, and no less than one."""
    return max(STEP_PX, round(side / STEP_PX) * STEP_PX)


def frame(size_px: int, shape: float) -> tuple[int, int]:
    """(width, height) of a frame with this longer side and this width over height.

    >>> frame(320, 1.33), frame(320, 0.5)
    ((320, 256), (160, 320))
    """
    wide, high = (size_px, size_px / shape) if shape >= 1 else (size_px * shape, size_px)
    return steps_px(wide), steps_px(high)


def refuse_shape(shape: float) -> None:
    """Raises UsageError for a frame without an extent."""
    if not 1 / 16 <= shape <= 16:
        cure = "set a width over height from 1/16 to 16"
        raise UsageError(f"{shape:g} is out of bounds", where="task.shape", cure=cure)


def reflections(facts: Mapping[str, Json]) -> list[Choice]:
    """Whether pictures are mirrored and turned over. facts it reads: sided, upright (prepare/reflections.py)."""
    sided, told = facts["sided"], facts["upright"]
    if sided:
        flip = Choice("task.flip", False, f"class '{sided}' tells left from right; --task.flip changes it")
    else:
        flip = Choice("task.flip", True, "no class is named after a side; --task.flip changes it")
    if told is None:
        why = "too few pictures to see whether they have a top; --task.flip_down changes it"
        return [flip, Choice("task.flip_down", False, why)]
    found = f"a probe tells pictures from their reflections in {told:.0%} of cases (a coin in half)"
    return [flip, Choice("task.flip_down", bool(told < 0.6), f"{found}; --task.flip_down changes it")]


def light(facts: Mapping[str, Json]) -> list[Choice]:
    """How much brightness and colours are varied. facts it reads: grey."""
    why = "light in photos varies"
    colour = (0.0, "nothing to recolour") if facts["grey"] else (0.2, why)
    varied = [Choice(f"task.{name}", 0.2, why) for name in ("brightness", "contrast")]
    return [*varied, Choice("task.saturation", *colour)]
