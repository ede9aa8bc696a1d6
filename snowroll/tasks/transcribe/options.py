"""The options of networks that listen, and the rules that choose them. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar, Literal

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError
from snowroll.base.nouns import Choice
from snowroll.base.task import Fingerprint
from snowroll.design.rules import MUON_LR, machine

LONGEST_S = 30.0  # heard at once
FEW_HOURS = 2  # of sentences, below which folds cost little. A guess
FOLDS, FEW_SPEAKERS = 4, 12  # models that learn from few speakers, each from all but some; a guess where it ends
FEWEST_FRAMES = 8  # to which a word is stretched
QUIET_DB = 35.0  # below the loudest moment: no speech. A guess; soft consonants lie 20 to 30 below a vowel
TELEPHONE_HZ, WIDE_HZ = 8_000, 16_000  # speech above 8 kHz tells little more (ITU-T G.722 stops there)


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """What both problems share. Strengths of augmentation are the largest change either way."""

    model: Literal["crnn", "cnn", "conformer"] = "crnn"
    rate_hz: int = WIDE_HZ  # that the network hears: all else is resampled to it
    seconds: float = 4.0  # heard at once
    trim: bool = False  # silence before and after the speech is cut off
    quiet_db: float = QUIET_DB  # below the loudest moment: silence
    bands: int = 40  # of the mel scale; 24 and fewer do not tell the overtones of a voice apart
    each_band: bool = False  # is heard beside its own mean: what a voice or a microphone always raises is forgotten
    width: int = 16  # channels of the first layers
    depth: int = 1  # recurrent or conformer layers
    dropout: float = 0.1
    speed: float = 0.0  # of the voice, pitch and all: by up to this factor, as a logarithm
    throat: float = 0.0  # its length, by up to this factor, as a logarithm: the formants without pitch and pace
    shift_s: float = 0.0  # silence put before and after
    noise: float = 0.0  # share of the recordings that get some
    room: float = 0.0  # share of the recordings that sound as in a room
    colour_db: float = 0.0  # by which a microphone may raise some tones and lower others
    hide: float = 0.0  # share of time, and of pitch, that two strips each may hide

    cut: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_numbers(
            "task",
            self,
            from_1="bands width depth",
            from_0="speed throat shift_s colour_db",
            above_0="seconds quiet_db",
            shares="dropout noise room hide",
        )
        if not 4_000 <= self.rate_hz <= 48_000:
            raise UsageError(f"{self.rate_hz:,} is out of bounds", where="task.rate_hz", cure="set 4,000 to 48,000")
        if self.seconds > 600:
            raise UsageError(f"{self.seconds:g} is out of bounds", where="task.seconds", cure="set 600 or less")

    @property
    def length(self) -> int:
        """Values heard at once."""
        return round(self.seconds * self.rate_hz)


@dataclass(frozen=True, slots=True)
class TranscribeOptions(SpeechOptions):
    """The task's part of the Plan for transcripts."""

    decoder: Literal["greedy", "beam"] = "greedy"  # the likeliest letter of each moment, or the likeliest text
    beam: int = 16  # beginnings of texts that are followed
    prior: float = 0.3  # weight of what the training transcripts say of letters that follow each other; 0: none


@dataclass(frozen=True, slots=True)
class WordOptions(SpeechOptions):
    """The task's part of the Plan for one word a recording."""

    frames: int = 0  # hundredths of a second to which each word is stretched: its pace is forgotten; 0: none is
    label_smoothing: float = 0.0

    cut: ClassVar[bool] = True  # of a longer recording the loudest part

    def __post_init__(self) -> None:
        SpeechOptions.__post_init__(self)
        if self.frames and not FEWEST_FRAMES <= self.frames <= 3_000:
            cure = f"set 0 (off), or {FEWEST_FRAMES} to 3,000"
            raise UsageError(f"{self.frames:,} is out of bounds", where="task.frames", cure=cure)


def speech_plan(fingerprint: Fingerprint, is_text: bool) -> list[Choice]:
    """The rules' values for `[train]` and `[task]`, each with its reason in one sentence."""
    facts, n = fingerprint.facts, fingerprint.n["train"]
    gpu = fingerprint.device.startswith("cuda")
    hours = n * float(facts["seconds"]) / 3600
    rate = TELEPHONE_HZ if float(facts["rate_hz"]) < 12_000 else WIDE_HZ
    longest = float(facts["longest_s" if is_text else "most_s"])
    seconds = min(LONGEST_S, ceil(11 * longest) / 10)
    what = "the longest recording has" if is_text else "97 of 100 words have at most"
    batch = 8
    while batch < 64 and batch * (64 if is_text else 16) <= n:  # a sentence is many letters
        batch *= 2
    passes = round(min(100, max(10, 60 / max(hours, 0.01))))
    steps = max(300, n * passes // batch)
    wide = 32 if gpu or hours > 5 else 16
    speakers = int(facts.get("groups") or 0)
    few = "few speakers: every one of them as several"
    precision = [Choice("train.precision", "fp32", "small layers: on a processor bf16 is no faster")]
    learning = machine(fingerprint) if gpu else precision
    return [
        Choice("task.model", "crnn", "convolutions hear sounds, a recurrent layer their order; cnn and conformer too"),
        Choice("task.rate_hz", rate, f"the median recording has {float(facts['rate_hz']):,.0f} Hz"),
        Choice("task.seconds", seconds, f"{what} {longest:.1f} s, and a tenth more"),
        Choice("task.bands", 24 if rate == TELEPHONE_HZ else 40, "few enough that the pitch of a voice is not seen"),
        Choice("task.width", wide, f"{hours:.2g} hours to learn from"),
        Choice("task.depth", 2 if is_text and (gpu or hours > 5) else 1, f"{hours:.2g} hours to learn from"),
        Choice("train.batch", batch, f"{n:,} recordings"),
        Choice("train.steps", steps, f"about {passes} passes over {n:,} recordings"),
        Choice("train.optimizer", "muon", "matrices learn fastest when every direction moves alike (Jordan 2024)"),
        Choice("train.lr", MUON_LR, "for Muon; what answers and biases follow AdamW at a tenth of it"),
        Choice("train.weight_decay", 0.05, "goes with muon"),
        Choice("train.schedule", "linear", "straight down to zero"),
        Choice("train.warmup", 0.1, "the first steps rise"),
        Choice("train.clip", 5.0, "one odd recording moves nothing far"),
        Choice("train.ema", 0.99, "an averaged network is steadier"),
        Choice("task.speed", 0.25, few),
        Choice("task.throat", 0.15, few),
        Choice("task.shift_s", 0.1 if is_text else 0.05, "recordings begin anywhere"),
        Choice("task.noise", 0.5, "microphones and rooms differ"),
        Choice("task.room", 0.3, "microphones and rooms differ"),
        Choice("task.colour_db", 15.0 if 0 < speakers <= FEW_SPEAKERS else 6.0, f"{speakers} speakers' microphones"),
        Choice("task.hide", 0.1, "SpecAugment: no strip of sound may be needed alone"),
        _folds(speakers, is_long=is_text and hours >= FEW_HOURS),
        *([_OF_TEXTS] if is_text else _OF_WORDS),
        *[one for one in learning if one.key != "train.channels_last"],
    ]


def _folds(speakers: int, is_long: bool) -> Choice:
    folds = min(speakers, FOLDS) if 3 <= speakers <= FEW_SPEAKERS and not is_long else 0
    rule = f"folds are for 3 to {FEW_SPEAKERS}, and for sentences of less than {FEW_HOURS} hours"
    return Choice("train.folds", folds, f"{speakers} speakers: {'each teaches all models but one' if folds else rule}")


_OF_TEXTS = Choice("task.each_band", True, "a whole sentence tells what a voice and a microphone always raise")
_OF_WORDS = (
    Choice("task.trim", True, "some recordings end long after the word"),
    Choice("task.quiet_db", 30.0, "a faint breath or hiss after the word is silence too"),
    Choice("task.frames", 44, "slow and quick speakers alike: most words have about as many hundredths"),
    Choice("task.label_smoothing", 0.1, "speakers slur: nothing is quite sure"),
)
