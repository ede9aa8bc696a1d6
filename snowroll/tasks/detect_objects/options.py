"""The options of a detector, and the rules that choose them from facts of the data and the machine. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.design.options import FineTuned, Recoloured
from snowroll.design.rules import (
    frame,
    light,
    machine,
    optimizer_choices,
    reflections,
    refuse_shape,
    steps_px,
)

SMALLEST_PX = 14  # side that the smallest tenth of the objects should keep in the network's input; a guess
LEAST_PX, PRETRAINED_PX = 192, 256  # longer side: weights of large pictures know finer detail; guesses
OURS = ("plain", "plain_small")  # backbones
MOST_PX = {False: 416, True: 640}  # longer side of the input, on a processor and on a GPU; a guess


@dataclass(frozen=True, slots=True)
class DetectOptions(FineTuned, Recoloured):
    """The task's part of the Plan for object detection."""

    model: str = "plain"  # backbone: "plain" or "plain_small" (ours), or a name of design/zoo.py that keeps its maps;
    # or torchvision's whole detector "fasterrcnn_..."
    detector: Literal["one_stage", "faster_rcnn"] = "one_stage"  # what stands on the backbone
    size_px: int = 320  # longer side of the frame that the network sees
    shape: float = 1.0  # the frame's width over its height
    width: int = 128  # channels of the map that boxes are read from
    flip_down: bool = False  # top to bottom
    mosaic: float = 0.0  # share of the pictures that are put together from corners of four
    proposals: int = 100  # of faster_rcnn: regions of a picture that its second stage judges
    overlap: float = 0.6  # intersection over union from which two boxes of one class are one object
    most: int = 100  # objects told of one picture

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="size_px width most proposals",
            from_0="shape",
            shares="mosaic overlap",
        )
        refuse_shape(self.shape)

    @property
    def two_stages(self) -> bool:
        return self.detector == "faster_rcnn" or self.model.startswith("fasterrcnn_")

    @property
    def frame(self) -> tuple[int, int]:
        """(width, height) of the network's input."""
        return frame(self.size_px, self.shape)


def detect_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts = fingerprint.facts
    asked: Mapping[str, Json] = facts.get("asked") or {}
    pretrained = bool(asked.get("pretrained"))
    n = fingerprint.n["train"]
    batch = 16 if n >= 64 else 8
    passes = round(min(300, max(24, 60_000 / max(1, n))))
    return [
        *_frame(fingerprint),
        Choice("train.batch", batch, f"{n} training pictures of many objects each"),
        Choice("train.steps", max(300, n * passes // batch), f"about {passes} passes over {n} pictures"),
        *optimizer_choices(fingerprint, _is_ours(asked, pretrained), pretrained, decay=0.05, head_first=0.03),
        Choice("train.schedule", "cosine", "boxes are refined to the end"),
        Choice(
            "train.warmup", 0.05, "which place answers for which object is decided by an untrained network at first"
        ),
        Choice("train.clip", 10.0, "a picture with one hard object must not undo the others"),
        Choice("train.ema", 0.998, "boxes of an averaged network jitter less"),
        *_augmentation(facts),
        *machine(fingerprint),
    ]


def _is_ours(asked: Mapping[str, Json], pretrained: bool) -> bool:
    """Whether all that has fresh weights was drawn here: head and backbone, or the head on loaded weights."""
    model = str(asked.get("model", "plain"))
    two_stages = asked.get("detector", "one_stage") == "faster_rcnn" or model.startswith("fasterrcnn_")
    return not two_stages and (pretrained or model in OURS)


def _frame(fingerprint: Fingerprint) -> list[Choice]:
    """How large the input is: small objects must be seen, and time is short."""
    facts = fingerprint.facts
    wide, high = int(facts["median_width"]), int(facts["median_height"])
    longer, small = max(wide, high), float(facts["small_object_px"])
    gpu = fingerprint.device.startswith("cuda")
    wanted = longer * SMALLEST_PX / max(small, 1.0)
    least = PRETRAINED_PX if (facts.get("asked") or {}).get("pretrained") else LEAST_PX
    size = steps_px(min(max(wanted, least), MOST_PX[gpu], longer))
    left = small * size / longer
    why = f"the smallest tenth of the objects are {small:.0f} px or less of {longer}: {left:.0f} px remain"
    shape = round(wide / high, 2)
    return [
        Choice("task.size_px", size, why),
        Choice("task.shape", shape, f"the median picture is {wide} x {high}; others are fitted in with a border"),
    ]


def _augmentation(facts: Mapping[str, Json]) -> list[Choice]:
    return [
        *reflections(facts),
        Choice("task.scale", 0.3, "objects come near and far"),
        Choice("task.shift", 0.1, "objects lie anywhere"),
        Choice("task.mosaic", 0.3, "corners of four pictures: other neighbours, more objects a step"),
        *light(facts),
    ]
