"""The options of a network over volumes, and the rules that choose them (Isensee et al. 2021, nnU-Net). No torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice
from snowroll.base.task import Fingerprint
from snowroll.design.levels import Level, levels_of
from snowroll.design.options import Varied
from snowroll.design.rules import machine
from snowroll.tasks.medical.options import CT, folds, frame_for, intensities, refuse_misfit, spendable

WIDTH = 16
PATCH_VOXELS = 1 << 19  # of a patch, above which a frame is learnt in parts; nnU-Net's are 2**21 on a GPU


@dataclass(frozen=True, slots=True)
class MaskOptions(Varied):
    """The task's part of the Plan for masks of scans."""

    frame: tuple[int, int, int] = (1, 64, 64)  # depth, height, width that a scan is brought to; voxels
    patch: tuple[int, int, int] = (0, 0, 0)  # what the network sees at once; zeros: the whole frame
    spacing: tuple[float, float, float] = (0.0, 0.0, 0.0)  # mm between voxels; zeros: scans fill the frame
    channels: int = 1
    intensity: Literal["window", "zscore"] = "zscore"  # see medical/fitting.py
    low: float = CT[0]  # of the window
    high: float = CT[1]
    width: int = WIDTH  # channels of the finest level; doubled from level to level up to eight times
    dice: float = 1.0  # weight of the Dice loss beside the cross-entropy
    deep: bool = True  # coarser maps are asked for the answer, too
    mirror: bool = False  # predictions are means over the scan and its reflection
    foreground: float = 0.33  # share of the patches that are drawn around something to be found
    rotate_deg: float = 0.0
    pictures: bool = False  # whether reports show scans and file names: they are patients'

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="channels width",
            from_0="dice",
            shares="foreground",
        )
        refuse_misfit(self)
        if min(self.patch) < 0 or (min(self.patch) == 0 and max(self.patch) > 0):
            told = f"{list(self.patch)} is no patch"
            raise UsageError(told, where="task.patch", cure="set three sides, or 0,0,0 for the whole frame")
        if any(part > side for part, side in zip(self.patch, self.frame, strict=True)):
            told = f"a patch of {list(self.patch)} is larger than the frame of {list(self.frame)}"
            raise UsageError(told, where="task.patch", cure="set it to the frame at most")

    @property
    def seen(self) -> tuple[int, int, int]:
        """What the network sees at once."""
        return self.patch if self.patch[0] else self.frame

    @property
    def levels(self) -> list[Level]:
        """Of the network."""
        return levels_of(self.seen, self.spacing)


def mask_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts = fingerprint.facts
    n = fingerprint.n["train"]
    wanted = max(30.0 * n, 2_000.0)
    frame, spacing, why = frame_for(facts, spendable(fingerprint), WIDTH, wanted=wanted, up=True)
    patch = _patch(frame)
    part = "the whole frame" if patch == frame else f"more than {PATCH_VOXELS:,} voxels at once are slow to learn from"
    batch = 4 if n >= 16 and patch == frame else 2
    passes = round(min(200, max(30, 20_000 / max(1, n))))
    flip = facts["sided"]
    mirrored = f"class '{flip}' tells left from right" if flip else "no class is named after a side"
    return [
        Choice("task.frame", frame, why),
        Choice("task.patch", (0, 0, 0) if patch == frame else patch, part),
        Choice("task.spacing", spacing, "the median spacing of the scans, as much coarser as the frame asks for"),
        Choice("task.channels", int(facts["channels"]), "as most scans have"),
        *intensities(facts),
        Choice("train.batch", batch, f"{n} training scans, each with a label for every voxel"),
        Choice("train.steps", max(200, n * passes // batch), f"about {passes} passes over {n} scans"),
        Choice("train.optimizer", "adamw", "few scans and a deep decoder: steps of each weight's own size"),
        Choice("train.lr", 2e-3, "for AdamW over instance norm"),
        Choice("train.weight_decay", 0.02, "goes with adamw"),
        Choice("train.schedule", "linear", "straight down to zero: nnU-Net's is nearly that"),
        Choice("train.warmup", 0.05, "the first steps rise"),
        Choice("train.clip", 12.0, "as nnU-Net"),
        Choice("train.ema", 0.99, "edges of an averaged network flicker less"),
        *folds(fingerprint),
        Choice("task.flip", not flip, f"{mirrored}; --task.flip changes it"),
        Choice("task.rotate_deg", 15.0, "patients lie a little aslant"),
        Choice("task.scale", 0.2, "patients are of several sizes"),
        Choice("task.shift", 0.05, "and lie anywhere"),
        Choice("task.brightness", 0.1, "machines differ"),
        Choice("task.contrast", 0.2, "machines differ"),
        *machine(fingerprint),
    ]


def _patch(frame: tuple[int, int, int]) -> tuple[int, int, int]:
    """The frame, its longest side halved until it is small enough and while halves can be halved on."""
    sides = list(frame)
    while sides[0] * sides[1] * sides[2] > PATCH_VOXELS:
        axis = max(range(3), key=lambda axis: sides[axis])
        if sides[axis] % 16:
            break
        sides[axis] //= 2
    return (sides[0], sides[1], sides[2])
