"""The options of an inspector, and the rules that choose them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snowroll.base.bounds import check_numbers
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.design.options import Pretrained, Recoloured
from snowroll.design.rules import frame, light, machine, refuse_shape, steps_px

MOST_PX = {False: 224, True: 384}  # longer side of the input, on a processor and on a GPU
FEW = 60  # good parts below which each is judged by a model that never saw it


@dataclass(frozen=True, slots=True)
class InspectOptions(Pretrained, Recoloured):
    """The task's part of the Plan for inspection."""

    model: str = "reconstruction"  # the light one, or a backbone of design/pyramid.py under a memory of good patches
    size_px: int = 224  # longer side of the frame that the network sees
    shape: float = 1.0  # the frame's width over its height; pictures are stretched to it
    fine: bool = False  # maps of 8 pixels a step beside those of 16: sharper heat, four times the work
    memory: int = 16_384  # patches of good parts that are remembered
    width: int = 24  # channels of the reconstruction's finest map
    worst: float = 0.03  # share of a picture's patches whose mean speaks for it, beside the mean of all
    false_alarms: float = 0.01  # share of good parts that may be told as faulty: sets the threshold
    known_faults: bool = True  # labelled faults among the training samples are held off; False: good parts alone teach
    rotate_deg: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="size_px memory width",
            from_0="shape",
            shares="worst false_alarms",
        )
        refuse_shape(self.shape)

    @property
    def frame(self) -> tuple[int, int]:
        """(width, height) of the network's input."""
        return frame(self.size_px, self.shape)


def inspect_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts, n = fingerprint.facts, fingerprint.n["train"]
    asked: Mapping[str, Json] = facts.get("asked") or {}
    wide, high = int(facts["median_width"]), int(facts["median_height"])
    most = MOST_PX[fingerprint.device.startswith("cuda")]
    size = steps_px(min(max(wide, high), most))
    remembers = asked.get("model", "reconstruction") != "reconstruction" or bool(asked.get("pretrained"))
    batch = 16 if n >= 64 else 8
    passes = 4 if remembers else round(min(150, max(20, 12_000 / max(1, n))))
    return [
        Choice("task.size_px", size, f"the median picture is {wide} x {high}; at most {most} px is what time allows"),
        Choice("task.shape", round(wide / high, 2), "that of the median picture"),
        *_model(asked),
        _known_faults(int(facts["faulty"])),
        *_folds(int(facts["good"])),
        _false_alarms(fingerprint),
        Choice("train.batch", batch, f"{n} training pictures"),
        Choice("train.steps", max(60, n * passes // batch), f"about {passes} passes over {n} pictures"),
        Choice("train.optimizer", "adamw", "patches are met unequally often: steps of each one's own size"),
        Choice("train.lr", 1e-3 if remembers else 2e-3, "for AdamW; what is remembered is right already, nearly"),
        Choice("train.weight_decay", 0.0, "a patch that nobody met again must not fade"),
        Choice("train.schedule", "linear", "straight down to zero"),
        Choice("train.warmup", 0.05, "the first steps rise"),
        Choice("train.clip", 10.0, "one odd part must not undo the others"),
        Choice("task.shift", 0.02, "parts do not lie exactly alike"),
        *(Choice(choice.key, choice.value and 0.05, "lamps age a little") for choice in light(facts)),
        *machine(fingerprint),
    ]


def _model(asked: Mapping[str, Json]) -> list[Choice]:
    if asked.get("model") or asked.get("pretrained"):
        return []
    why = "no file of pretrained weights was named; --task.model mobilenet_v2 --task.pretrained FILE finds more"
    return [Choice("task.model", "reconstruction", why)]


def _known_faults(n: int) -> Choice:
    if n:
        return Choice("task.known_faults", True, f"{n} faulty parts are known: those to learn from are held off")
    return Choice("task.known_faults", False, "no faulty part is known: good ones alone teach")


def _false_alarms(fingerprint: Fingerprint) -> Choice:
    """One in a hundred, or what as many good parts as will set the threshold can tell."""
    good, faulty = int(fingerprint.facts["good"]), int(fingerprint.facts["faulty"])
    known = good if _folds(good) else round(fingerprint.n.get("val", 0) * good / max(1, good + faulty))
    share = min(0.05, max(0.01, round(1 / (known + 1), 3)))
    why = f"about {known} good parts set the threshold: rarer alarms than one in {known + 1} cannot be told from none"
    return Choice("task.false_alarms", share, why if share > 0.01 else f"about {known} good parts set the threshold")


def _folds(good: int) -> list[Choice]:
    if good >= FEW:
        return []
    why = f"{good} good parts: each is judged by one of four models that never saw it, which sets the threshold"
    return [Choice("train.folds", 4, why)] if good >= 12 else []
