"""The options of a heartbeat network, and the rules that choose them. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice, Json
from snowroll.base.task import Fingerprint
from snowroll.design.rules import machine

KNOWN_LEADS = ("MLII", "II", "I", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6", "ECG", "ECG1", "ML2")
MOST_POINTS = 4_096  # that a network sees of one sample: a guess
BEAT_RATE_HZ = 120.0  # for beats: above what a QRS complex holds (40 Hz), and a third of the MIT-BIH rate
SAMPLES_PER_CORE_S = 900  # beats that the small ResNet learns from in a second of one core; measured, rounded


@dataclass(frozen=True, slots=True)
class HeartbeatOptions:
    """The task's part of the Plan. Strengths of augmentation are the largest change either way."""

    model: Literal["resnet", "gru", "lstm", "transformer"] = "resnet"
    about: Literal["beat", "whole"] = "whole"  # one beat of a recording, or all of it
    rate_hz: float = BEAT_RATE_HZ  # that the network sees; a recording that tells no rate has it, if 1 Hz or more
    before_s: float = 0.5  # of signal before the beat; of a whole recording, before its middle
    after_s: float = 0.7
    channels: int = 1  # leads; a recording that has fewer gets flat ones, of more the first are taken
    lead: str = ""  # the lead that comes first wherever a recording has it; "": as they stand in the file
    timing: bool = False  # the beat's intervals beside those of the same patient go in too
    width: int = 16  # channels of the first layers
    dropout: float = 0.3  # before the head
    label_smoothing: float = 0.0
    balance: float = 0.0  # 0: each sample weighs the same; 1: each class; between: by that power of its share
    gain: float = 0.0  # share of the amplitude
    shift_s: float = 0.0
    stretch: float = 0.0  # share of the time
    noise: float = 0.0  # of the signal's spread, as are all below
    wander: float = 0.0  # of the baseline, with the breath
    drop_lead: float = 0.0  # share of the samples that lose one of several leads

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="channels width",
            from_0="before_s after_s shift_s stretch noise wander",
            shares="dropout label_smoothing balance gain drop_lead",
        )
        if not 1e-6 <= self.rate_hz <= 1e6:
            cure = "set Hz, from 0.000001 to 1,000,000"
            raise UsageError(f"{self.rate_hz:g} is out of bounds", where="task.rate_hz", cure=cure)
        if not 8 <= self.points <= 1 << 16:
            told = f"{self.points:,} values in {self.before_s + self.after_s:g} s"
            raise UsageError(told, where="task.before_s", cure="set seconds so that there are 8 to 65,536")

    @property
    def points(self) -> int:
        """Values in time that the network sees."""
        return self.points_before + round(self.after_s * self.rate_hz)

    @property
    def points_before(self) -> int:
        return round(self.before_s * self.rate_hz)


def heartbeat_plan(fingerprint: Fingerprint) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts = fingerprint.facts
    asked: Mapping[str, Json] = facts.get("asked") or {}
    n = fingerprint.n["train"]
    model = str(asked.get("model") or "resnet")
    batch = 8
    while batch < 128 and batch * 32 <= n:
        batch *= 2
    passes = round(min(60, max(4, 150_000 / max(1, n))))
    common = str(facts["common_lead"])
    channels = int(facts["channels"])
    return [
        Choice(
            "task.model", model, "convolutions see a wave wherever it lies; gru, lstm and transformer are there too"
        ),
        *_window(facts),
        Choice("task.channels", channels, f"the median recording has {channels}"),
        Choice(
            "task.lead", common, "the commonest lead comes first in every recording" if common else "no known names"
        ),
        *_rhythm(facts),
        Choice("train.batch", batch, f"{n:,} training samples"),
        Choice("train.steps", max(200, n * passes // batch), f"about {passes} passes over {n:,} samples"),
        Choice("train.optimizer", "adamw", "steps of each weight's own size"),
        Choice("train.lr", float(f"{2e-3 * sqrt(batch / 128):.2g}"), "2e-3 at a batch of 128, by the square root"),
        Choice("train.weight_decay", 0.05, "goes with adamw"),
        Choice("train.schedule", "linear", "straight down to zero"),
        Choice("train.warmup", 0.1, "the first steps rise"),
        Choice("train.clip", 5.0, "one odd recording moves nothing far"),
        Choice("train.ema", 0.99, "an averaged network is steadier"),
        Choice("task.label_smoothing", 0.05, "cardiologists disagree about some beats"),
        _balance(float(facts["rarest"])),
        Choice("task.gain", 0.2, "electrodes and bodies differ"),
        Choice("task.noise", 0.05, "muscles and mains"),
        Choice("task.wander", 0.2, "the baseline moves with the breath"),
        Choice("task.drop_lead", 0.1 if channels > 1 else 0.0, "leads come off"),
        *[one for one in machine(fingerprint) if one.key != "train.channels_last"],
    ]


def _balance(rarest: float) -> Choice:
    """Leaving out patients of the MIT-BIH records in four folds, one seed: macro-F1 .703 at 0, .731 at 0.3."""
    why = f"the rarest class is {rarest:.1%} of the samples"
    if rarest >= 0.1:
        return Choice("task.balance", 0.0, why)
    return Choice("task.balance", 0.3, f"{why}: it weighs a little more; full balance costs positive predictivity")


def _window(facts: Mapping[str, Json]) -> list[Choice]:
    """What the network sees of a sample."""
    if facts["about_beats"]:
        why = "from before the P wave to the end of the T wave"
        return [
            Choice("task.about", "beat", f"{facts['about_beats']:.0%} of the samples are about one beat"),
            Choice("task.rate_hz", min(BEAT_RATE_HZ, float(facts["rate_hz"]) or BEAT_RATE_HZ), "QRS ends at 40 Hz"),
            Choice("task.before_s", 0.5, why),
            Choice("task.after_s", 0.7, why),
            Choice("task.shift_s", 0.02, "people mark a beat a little early or late"),
            Choice("task.stretch", 0.1, "hearts are of several sizes"),
        ]
    rate, seconds = float(facts["rate_hz"]), float(facts["seconds"])
    own = rate or 1.0  # no rate is told: a value each second, as in fitting.raw_of
    length = float(facts["length"])
    seen = own * min(1.0, MOST_POINTS / max(length, 1.0))
    half = max((seconds or length / own) / 2, 4 / seen)
    why = f"the median recording: {length:,.0f} values" + (f" in {seconds:.3g} s" if seconds else ", no rate told")
    return [
        Choice("task.about", "whole", "a label for each recording"),
        Choice("task.rate_hz", float(f"{seen:.6g}"), f"{why}; at most {MOST_POINTS:,} are seen"),
        Choice("task.before_s", float(f"{half:.6g}"), "half of the median recording, to either side of its middle"),
        Choice("task.after_s", float(f"{half:.6g}"), "half of the median recording, to either side of its middle"),
        Choice("task.shift_s", float(f"{half * 0.1:.3g}"), "recordings begin anywhere"),
        Choice("task.stretch", 0.05, "no two hearts beat alike"),
    ]


def _rhythm(facts: Mapping[str, Json]) -> list[Choice]:
    if not facts["about_beats"]:
        return [Choice("task.timing", False, "no beat is marked")]
    told = float(facts["with_rhythm"])
    why = f"{told:.0%} of the beats come with the beats before them: early ones are told by their time"
    return [Choice("task.timing", told > 0.5, why)]
