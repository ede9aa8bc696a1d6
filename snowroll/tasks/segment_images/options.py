"""The options of a segmenting network, and the rules that choose them (Isensee et al. 2021, nnU-Net). No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Literal, NamedTuple

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
from snowroll.prepare.pictures import STANDARD

READY_MADE = ("lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "deeplabv3_resnet50", "deeplabv3_resnet101")
SMALLEST_MAP_PX = 8  # nnU-Net halves until a side would fall under 4; photos of few pixels are content with 8
MOST_WIDER = 8  # times the finest level's channels
ASSUMED_S = 900.0  # of training where no budget is given
# multiply-adds of a forward pass, beside its backward pass, in a second of one core (bf16 or not); measured, rounded
PER_CORE_S = {True: 1.6e10, False: 0.9e10}
GPU_CORES = 200  # cores that a GPU stands for; a guess
IN_STEPS = 0.6  # share of a budget that is left for steps after check, gates and validations; a guess
THIN_PX = 4.0  # thickness that must remain of thin things in the frame; a guess
WORTH_PARTS = 2.0  # times the frame seen whole, from which a larger frame is learnt in parts
MOST_FRAME_PX, MOST_PARTS = 2048, 4
MOST_PIXELS = 1.5e9  # of all masks together, which are held in memory
VALIDATIONS, ON_VALIDATION = 10, 0.3  # how often the validation pictures are answered, and share of the time for it
PASSES, VIEWS = 30, 6_000  # over the pictures, and of pictures in all, that a U-Net wants at least; guesses


class Size(NamedTuple):
    """How large an input and how large a U-Net."""

    most_px: int  # longer side
    stem: Literal[1, 2, 4]
    width: int


# From the best to the cheapest.
SIZES = (
    Size(768, 1, 32),
    Size(512, 1, 32),
    Size(512, 1, 16),
    Size(512, 2, 32),
    Size(512, 2, 24),
    Size(512, 2, 16),
    Size(384, 2, 16),
    Size(256, 2, 16),
    Size(192, 2, 16),
)


@dataclass(frozen=True, slots=True)
class SegmentOptions(FineTuned, Recoloured):
    """The task's part of the Plan for segmentation."""

    model: str = "unet"  # "unet" (ours), a backbone of design/zoo.py under the same decoder, or one of ready_made.py
    size_px: int = 256  # longer side of the frame that the network sees
    shape: float = 1.0  # the frame's width over its height
    standard: bool = False  # pictures are first made as light and as rich in contrast as any other
    parts: int = 1  # a side of the frame is this many times that of what the network sees at once
    foreground: float = 0.33  # share of the parts that are drawn around something to be found
    stem: Literal[1, 2, 4] = 1  # pixels a side that the U-Net's finest map joins into one
    levels: int = 5  # maps of the U-Net, each half as fine as the one before
    width: int = 24  # channels of the finest map; doubled from level to level up to eight times
    dice: float = 1.0  # weight of the Dice loss beside the cross-entropy
    deep: bool = True  # coarser maps are asked for the answer, too
    mirror: bool = False  # predictions are means over the picture and its reflection
    flip_down: bool = False  # top to bottom
    rotate_deg: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="size_px levels width parts",
            from_0="shape dice",
            shares="foreground",
        )
        refuse_shape(self.shape)

    @property
    def seen(self) -> tuple[int, int]:
        """(width, height) of what the network sees at once."""
        return frame(-(-self.size_px // self.parts), self.shape)

    @property
    def frame(self) -> tuple[int, int]:
        """(width, height) that a picture is brought to."""
        wide, high = self.seen
        return self.parts * wide, self.parts * high


def segment_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts = fingerprint.facts
    asked: Mapping[str, Json] = facts.get("asked") or {}
    pretrained, model = bool(asked.get("pretrained")), str(asked.get("model", "unet"))
    is_ours = model == "unet" or (pretrained and model not in READY_MADE)
    n = fingerprint.n["train"]
    batch = 8 if n >= 32 else 4
    passes = round(min(200, max(20, 30_000 / max(1, n))))
    return [
        *_frame(fingerprint),
        *_standard(facts, asked),
        Choice("train.batch", batch, f"{n} training pictures, each with a label for every pixel"),
        Choice("train.steps", max(200, n * passes // batch), f"about {passes} passes over {n} pictures"),
        *optimizer_choices(fingerprint, is_ours, pretrained, decay=0.02, head_first=0.05),
        Choice("train.schedule", "linear", "straight down to zero: nnU-Net's is nearly that"),
        Choice("train.warmup", 0.05, "the first steps rise, while statistics settle"),
        Choice("train.clip", 12.0, "as nnU-Net"),
        Choice("train.ema", 0.99, "edges of an averaged network flicker less"),
        *_augmentation(facts),
        *_machine(fingerprint, model),
    ]


def _standard(facts: Mapping[str, Json], asked: Mapping[str, Json]) -> list[Choice]:
    """z-scores, as nnU-Net gives to all but CT; loaded weights are given what they were trained on."""
    if asked.get("pretrained") or not asked.get("standard", facts["grey"]):
        return []
    return [
        Choice(
            "task.standard", True, "of a grey picture, how bright and how rich in contrast it is tells of its light"
        ),
        Choice("task.mean", [STANDARD.mean / 255] * 3, "of standard pictures"),
        Choice("task.std", [STANDARD.spread / 255] * 3, "of standard pictures"),
    ]


def _machine(fingerprint: Fingerprint, model: str) -> list[Choice]:
    choices = machine(fingerprint)
    if "mobilenet_v3" not in model:
        return choices
    fp32 = Choice("train.precision", "fp32", f"from fresh weights the gradients of {model} overflow in bf16")
    return [fp32 if choice.key == fp32.key else choice for choice in choices]


def _frame(fingerprint: Fingerprint) -> list[Choice]:
    """The largest input and U-Net that the time lets see enough pictures."""
    facts, n = fingerprint.facts, fingerprint.n["train"]
    wide, high = int(facts["median_width"]), int(facts["median_height"])
    wanted = max(PASSES * n, VIEWS)
    time_s = fingerprint.time_s or ASSUMED_S
    cores = GPU_CORES if fingerprint.device.startswith("cuda") else fingerprint.threads
    free = IN_STEPS * time_s * cores * PER_CORE_S[fingerprint.bf16]  # multiply-adds that can be spent
    sizes = [_of_size(size, wide, high) for size in SIZES]
    net = next((net for net in sizes if free / multiply_adds(net) >= wanted), sizes[-1])
    seen = free / multiply_adds(net)
    why = f"{time_s:,.0f} s let such a U-Net see about {seen:,.0f} pictures; {wanted:,} are wanted of {n:,}"
    parts, because = _parts(fingerprint, net, free)
    size = _in_parts_px(net, facts, parts)
    return [
        Choice("task.size_px", size, f"the median picture is {wide} x {high}; {why}"),
        Choice("task.parts", parts, because),
        Choice("task.shape", net.shape, "that of the median picture; others are fitted in with a border"),
        Choice("task.stem", net.stem, why),
        Choice("task.width", net.width, why),
        Choice("task.levels", net.levels, f"halved until a side would fall under {SMALLEST_MAP_PX}"),
    ]


def _needed_px(facts: Mapping[str, Json]) -> float:
    """Longer side of a frame in which the thinnest things can be told."""
    longer = max(int(facts["median_width"]), int(facts["median_height"]))
    return min(longer, longer * THIN_PX / (facts.get("thin_px") or THIN_PX), MOST_FRAME_PX)


def _in_parts_px(net: SegmentOptions, facts: Mapping[str, Json], parts: int) -> int:
    """Longer side of a frame of so many parts a side, none larger than what `net` sees."""
    return net.size_px if parts == 1 else parts * steps_px(min(_needed_px(facts) / parts, net.size_px))


def _parts(fingerprint: Fingerprint, net: SegmentOptions, free: float) -> tuple[int, str]:
    """(parts a side, why): where thin things would be lost in a frame that is learnt from as a whole."""
    facts = fingerprint.facts
    needed, thin = _needed_px(facts), facts.get("thin_px")
    asked = facts.get("asked") or {}
    if not thin or "size_px" in asked:
        return 1, "pictures are seen whole"
    left = thin * net.size_px / max(int(facts["median_width"]), int(facts["median_height"]))
    told = f"the thinnest tenth of what is to be found is {thin:g} px thick, {left:.1f} of them in a frame seen whole"
    if needed < WORTH_PARTS * net.size_px:
        return 1, told
    # an answer to a whole picture is as many parts, overlapping; a forward pass is a third of a step
    at_once = multiply_adds(net) / 3 * VALIDATIONS * max(1, fingerprint.n.get("val", 0))
    parts = min(ceil(needed / net.size_px), MOST_PARTS)
    pictures = sum(fingerprint.n.values()) / net.shape
    while parts > 1 and (
        at_once * (4 / 3 * parts) ** 2 > ON_VALIDATION * free
        or pictures * _in_parts_px(net, facts, parts) ** 2 > MOST_PIXELS
    ):
        parts -= 1
    return parts, f"{told}: {parts} x {parts} parts are learnt from one at a time" if parts > 1 else told


def _of_size(size: Size, wide: int, high: int) -> SegmentOptions:
    """A U-Net for pictures of this extent. Where these are of few pixels none is given away."""
    px, shape = steps_px(min(max(wide, high), size.most_px)), round(wide / high, 2)
    shorter = min(frame(px, shape))
    stem = size.stem if shorter > 96 else 1
    levels = 1
    while shorter // stem >> levels >= SMALLEST_MAP_PX and levels < 6:
        levels += 1
    return SegmentOptions(size_px=px, shape=shape, stem=stem, width=size.width, levels=levels)


def widths_of(options: SegmentOptions) -> list[int]:
    """Channels of the U-Net's maps, from the finest on."""
    return [options.width * min(2**level, MOST_WIDER) for level in range(options.levels)]


def multiply_adds(options: SegmentOptions) -> float:
    """Of one picture through the U-Net: two convolutions a level on the way down, two on the way up."""
    wide, high = options.seen
    widths, before, total = widths_of(options), 3, 0.0
    for level, width in enumerate(widths):
        pixels = wide * high / (options.stem << level) ** 2
        down = 9 * width * (before + width)
        up = 9 * width * 3 * width if level + 1 < len(widths) else 0
        total += pixels * (down + up)
        before = width
    return total


def _augmentation(facts: Mapping[str, Json]) -> list[Choice]:
    flip, down = reflections(facts)
    turn = 180.0 if down.value else 8.0
    return [
        flip,
        down,
        Choice("task.rotate_deg", turn, "pictures without a top lie any way; others lean a little"),
        Choice("task.scale", 0.25, "things come near and far"),
        Choice("task.shift", 0.1, "things lie anywhere"),
        *light(facts),
    ]
