"""The options of a diagnosis, and the rules that choose them (nnU-Net; design/rules.py). No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.design.levels import SMALLEST, Level, even, levels_of, multiply_adds, widths_of
from snowroll.design.options import FineTuned, Varied
from snowroll.design.rules import FINE_TUNE, fine_tuning, machine
from snowroll.tasks.medical.fitting import Frame, Triple

CT = (-1000.0, 1000.0)  # Hounsfield units, from air to bone, where the data say nothing else
ASSUMED_S = 900.0  # of training where no budget is given
# multiply-adds of a forward pass over volumes, beside its backward pass, in a second of one core; measured, rounded
PER_CORE_S = {True: 8e9, False: 5e9}
GPU_CORES = 200  # cores that a GPU stands for; a guess
IN_STEPS = 0.6  # share of a budget that is left for steps after check, gates and validations; a guess
FEW = 60  # patients or scans for training, below which several models, each kept from a part, are worth their time


@dataclass(frozen=True, slots=True)
class MedicalOptions(FineTuned, Varied):
    """The task's part of the Plan for diagnoses."""

    model: str = "volumes"  # "volumes" (ours, in three dimensions), or a network of design/zoo.py for flat pictures
    frame: tuple[int, int, int] = (1, 64, 64)  # depth, height, width that the network sees; voxels
    spacing: tuple[float, float, float] = (0.0, 0.0, 0.0)  # mm between them; zeros: scans fill the frame
    channels: int = 1
    intensity: Literal["window", "zscore"] = "zscore"  # see fitting.py
    low: float = CT[0]  # of the window
    high: float = CT[1]
    width: int = 16  # channels of the finest level of "volumes"
    sensitivity: float = 0.95  # share of the ill that the threshold shall find, chosen on validation
    dropout: float = 0.0  # before the head
    label_smoothing: float = 0.0
    rotate_deg: float = 0.0
    pictures: bool = False  # whether reports show scans and file names: they are patients'

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="channels width",
            shares="dropout label_smoothing sensitivity",
        )
        refuse_misfit(self)
        if self.model != "volumes" and self.frame[0] > 1:
            told = f"'{self.model}' takes flat pictures, and the frame is {self.frame[0]} slices deep"
            raise UsageError(told, where="task.model", cure="set it to volumes")


def refuse_misfit(options: Any) -> None:
    """Raises UsageError for a frame or window without an extent."""
    if min(options.frame) < 1:
        raise UsageError(f"{list(options.frame)} has no extent", where="task.frame", cure="set 1 voxel or more")
    if min(options.spacing) < 0:
        raise UsageError("voxels have no negative size", where="task.spacing", cure="set mm, or 0,0,0")
    if options.low >= options.high:
        told = f"the window from {options.low:g} to {options.high:g} is empty"
        raise UsageError(told, where="task.low", cure="set task.low under task.high")


def levels_for(options: Any) -> list[Level]:
    """Of the network that these options describe."""
    return levels_of(options.frame, options.spacing)


def medical_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts = fingerprint.facts
    asked: Mapping[str, Json] = facts.get("asked") or {}
    pretrained = bool(asked.get("pretrained"))
    n = fingerprint.n["train"]
    flat = int(facts["depth"]) == 1
    model = str(asked.get("model") or ("fastnet_small" if flat else "volumes"))
    width = 16
    shown = _frame(fingerprint, width, model, pretrained)
    batch = 8
    while batch < 64 and batch * 32 <= n:
        batch *= 2
    batch = batch if flat else min(batch, 8)
    passes = round(min(120, max(20, 40_000 / max(1, n))))
    choices = [
        Choice("task.model", model, "flat pictures" if flat else "volumes: convolutions in three dimensions"),
        *shown,
        *intensities(facts),
        Choice("train.batch", batch, f"{n} training scans"),
        Choice("train.steps", max(200, n * passes // batch), f"about {passes} passes over {n} scans"),
        *_learning(pretrained, flat and not pretrained and model.startswith("fastnet"), batch),
        # scans look like no photo, from the first layer on: nothing is kept
        *(fine_tuning(fingerprint, keep=0.0) if pretrained else ()),
        *folds(fingerprint),
        _flip(facts),
        Choice("task.rotate_deg", 10.0, "patients lie a little aslant"),
        Choice("task.scale", 0.15, "patients are of several sizes"),
        Choice("task.shift", 0.06, "and lie anywhere"),
        Choice("task.brightness", 0.1, "machines differ"),
        Choice("task.contrast", 0.2, "machines differ"),
    ]
    return [*choices, *machine(fingerprint)]


def _frame(fingerprint: Fingerprint, width: int, model: str, pretrained: bool) -> list[Choice]:
    facts = fingerprint.facts
    depth, high, wide = (int(facts[name]) for name in ("depth", "height", "width"))
    if depth == 1:
        most = 224 if fingerprint.device.startswith("cuda") else 192 if pretrained else 128
        side = min(most, max(high, wide))
        side = side if side <= 64 else side // 32 * 32
        why = f"the median picture is {wide} x {high}; {most} px is what time allows"
        colours = 3 if model != "volumes" or not facts["grey"] else 1
        return [
            Choice("task.frame", (1, side, side), why),
            Choice("task.spacing", (0.0, 0.0, 0.0), "pictures fill the frame"),
            Choice("task.channels", colours, f"'{model}' takes {colours}"),
        ]
    frame, spacing, why = frame_for(facts, spendable(fingerprint), width, wanted=_wanted(fingerprint), up=False)
    return [
        Choice("task.frame", frame, why),
        Choice("task.spacing", spacing, "the median spacing of the scans, as much coarser as the frame asks for"),
        Choice("task.channels", int(facts["channels"]), "as most scans have"),
        Choice("task.width", width, "what a processor can pay for in three dimensions"),
    ]


def _wanted(fingerprint: Fingerprint) -> float:
    """Scans that a network wants to see at least: thirty times each, and some thousand."""
    return max(30.0 * fingerprint.n["train"], 3_000.0)


def spendable(fingerprint: Fingerprint) -> float:
    """Multiply-adds that the time allows."""
    cores = GPU_CORES if fingerprint.device.startswith("cuda") else fingerprint.threads
    return IN_STEPS * (fingerprint.time_s or ASSUMED_S) * cores * PER_CORE_S[fingerprint.bf16]


def frame_for(
    facts: Mapping[str, Json], spendable: float, width: int, *, wanted: float, up: bool
) -> tuple[Frame, Triple, str]:
    """(frame, spacing, why): as fine as the scans are, or as coarse as lets enough of them be seen in time."""
    shape = [float(facts[name]) for name in ("depth", "height", "width")]
    spacing = [float(facts[name]) for name in ("mm_deep", "mm_high", "mm_wide")]
    known = min(spacing) > 0
    coarser = 1.0
    while True:
        finest = min(spacing) if known else 1.0
        # what is thin already is made no thinner before the others are as thick
        goal = [max(mm, finest * coarser) for mm in spacing] if known else [coarser] * 3
        sides = [
            max(1.0, side * mm / to) for side, mm, to in zip(shape, spacing if known else [1.0] * 3, goal, strict=True)
        ]
        frame = tuple(even(side) for side in sides)
        levels = levels_of(frame, goal if known else (0, 0, 0))
        cost = multiply_adds(frame, levels, widths_of(width, len(levels)), int(facts["channels"]), up)
        if spendable / cost >= wanted or max(frame) <= 4 * SMALLEST:
            break
        coarser *= 1.25
    seen = spendable / cost
    size = " x ".join(f"{side:.0f}" for side in shape)
    why = f"the median scan has {size} voxels; time lets about {seen:,.0f} be seen at this size"
    rounded = tuple(round(mm, 3) for mm in goal) if known else (0.0, 0.0, 0.0)
    return (frame[0], frame[1], frame[2]), (rounded[0], rounded[1], rounded[2]), why


def intensities(facts: Mapping[str, Json]) -> list[Choice]:
    """CT numbers mean the same everywhere; others are brought to their own mean and deviation."""
    if not facts["is_ct"]:
        return [Choice("task.intensity", "zscore", "numbers that mean something else in every scan")]
    why = "the middle 99 % of the numbers of all scans, in Hounsfield units"
    return [
        Choice("task.intensity", "window", "CT: numbers that mean the same everywhere"),
        Choice("task.low", float(facts["low"]), why),
        Choice("task.high", float(facts["high"]), why),
    ]


def folds(fingerprint: Fingerprint) -> list[Choice]:
    """Five models, each kept from a fifth, where there is time for as many and little to learn from."""
    n = fingerprint.n["train"] + fingerprint.n["val"]
    pays = 20 <= n < FEW and (fingerprint.time_s is None or fingerprint.time_s >= 1200)
    why = f"{n} scans: " + (
        "each teaches four models and judges the fifth" if pays else "one model; --train.folds 5 trains five"
    )
    return [Choice("train.folds", 5 if pays else 0, why)]


def _learning(pretrained: bool, is_fastnet: bool, batch: int) -> list[Choice]:
    if is_fastnet:
        lr = float(f"{0.2 * (batch / 128) ** 0.5:.2g}")
        return [
            Choice("train.optimizer", "muon", "for fastnet"),
            Choice("train.lr", lr, "0.2 for fastnet at batch 128, by the square root"),
            Choice("train.momentum", 0.6, "goes with muon for fastnet"),
            Choice("train.weight_decay", 0.0, "goes with muon for fastnet"),
            Choice("train.schedule", "linear", "straight down to zero"),
            Choice("train.warmup", 0.1, "the first steps rise"),
            Choice("train.ema", 0.99, "an averaged network is steadier"),
            Choice("task.label_smoothing", 0.1, "people disagree about some scans"),
        ]
    lr = FINE_TUNE.lr * (batch / 128) ** 0.5 if pretrained else 1e-3
    return [
        Choice("train.optimizer", "adamw", "few scans: steps of each weight's own size"),
        Choice("train.lr", float(f"{lr:.2g}"), "for AdamW at this batch"),
        Choice("train.weight_decay", 0.02, "goes with adamw"),
        Choice("train.schedule", "linear", "straight down to zero"),
        Choice("train.warmup", 0.1, "the first steps rise"),
        Choice("train.clip", 1.0 if pretrained else 12.0, "one odd scan moves nothing far"),
        Choice("train.ema", 0.99, "an averaged network is steadier"),
        Choice("task.label_smoothing", 0.1, "people disagree about some scans"),
    ]


def _flip(facts: Mapping[str, Json]) -> Choice:
    verdict = facts.get("mirror", "unknown")
    if verdict == "kept":
        return Choice("task.flip", True, f"a probe tells mirrored scans as well, {facts['mirrored']:.0%}")
    why = "left and right may matter in a body; --task.flip changes it"
    return Choice("task.flip", False, why)
