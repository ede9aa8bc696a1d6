"""Speech to text: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.parts import Live
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading, Task
from snowroll.prepare.look import Look
from snowroll.tasks.transcribe.options import SpeechOptions, TranscribeOptions, speech_plan
from snowroll.tasks.transcribe.scoring import METRICS, RANGES

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]
MOST_HEARD = 3e7  # values of a recording that a page plays: ten minutes at 48 kHz
MOST_LETTERS = 2_000  # of a transcript

CAUTIONS = (
    "speakers, accents, rooms and microphones unlike those it learned from: measure first, by speaker",
    "words that its transcripts do not hold: it spells what it heard before",
    "listening to people who were not asked",
)


class Hears(Task):
    """A part of a task: what both problems share, from the bytes of a recording to the network's inputs."""

    kind = "sound"
    in_pixels = True  # what is said stands in the picture: shown unshrunk

    def look(self, raw: bytes, megapixels: float) -> Look:
        from snowroll.tasks.transcribe.looking import look

        return look(raw, megapixels)

    def sound(self, raw: bytes) -> bytes:
        from snowroll.prepare.audio import as_wav, open_sound

        heard = open_sound(raw, MOST_HEARD)
        return as_wav(heard.signal, round(heard.rate_hz))

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        return {
            "rate_hz": float(np.median(columns["rate_hz"])) if len(targets) else 16_000.0,
            "seconds": float(np.mean(columns["seconds"])) if len(targets) else 1.0,
            "longest_s": float(np.max(columns["seconds"])) if len(targets) else 1.0,
            "most_s": float(np.quantile(columns["speech_s"], 0.97)) if len(targets) else 1.0,
        }

    def encode(self, raw: bytes, options: SpeechOptions, megapixels: float) -> Columns:
        from snowroll.tasks.transcribe.listening import encoded, heard

        return encoded(heard(raw, options, megapixels), options)

    def pack_key(self, options: SpeechOptions) -> Json:
        from snowroll.tasks.transcribe.listening import key_of

        return key_of(options)

    def augment(self, batch: Batch, draw: Draw, options: SpeechOptions) -> Batch:
        from snowroll.tasks.transcribe.training import augment

        return augment(batch, draw, options)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.tasks.transcribe.looking import drawn

        return drawn(raw, target, prediction)

    def show(self, batch: Batch, row: int, schema: Schema, options: TranscribeOptions) -> Image:
        """The spectrogram of what the network hears."""
        from snowroll.tasks.transcribe.looking import shown

        return shown(batch.inputs, row)

    def live(self, rate_hz: float, channels: Sequence[str], options: SpeechOptions) -> Live:
        """Each stretch of speech between two pauses, no longer than what the network hears at once."""
        from snowroll.tasks.transcribe.running import Utterances

        return Utterances(rate_hz, options)

    def cautions(self, schema: Schema, options: SpeechOptions) -> list[str]:
        return list(CAUTIONS)

    def open_raw(self, raw: bytes, options: SpeechOptions, megapixels: float) -> np.ndarray:
        """float32 [n]: see listening.heard."""
        from snowroll.tasks.transcribe.listening import heard

        return heard(raw, options, megapixels)


class Transcribe(Hears):
    """A target is what is said in a recording, as a text. The schema is {"type": "transcript", "characters": "..."}:
    all letters there are, in order.
    """

    name = "transcribe"
    Options = TranscribeOptions
    headline = "letters_right"
    credited = "1 - CER of a recording, not below 0"
    pipeline = "automatic-speech-recognition"  # the model hubs' word
    wants = "put recordings there (.wav, .flac, .ogg, .mp3) with a manifest of their texts, or .txt files beside them"
    ranges = RANGES
    widget = Path(__file__).with_name("transcript.js")

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.transcribe.reading import TEXT_COLUMNS, read_speech

        return read_speech(folder, settings, TEXT_COLUMNS)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """A few words that come again and again are rather told apart than spelled."""
        from snowroll.tasks.transcribe.reading import are_words

        return 1 if are_words(reading.found) else 3

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        from snowroll.evaluate.edits import plain

        known = set().union(*(plain(str(target)) for target in targets if target is not None))
        return {"type": "transcript", "characters": "".join(sorted(known))}

    def problem(self, target: Json, schema: Schema) -> str | None:
        if not isinstance(target, str):
            return "a transcript is a text"
        if len(target) > MOST_LETTERS:
            return f"{len(target):,} letters, and {MOST_LETTERS:,} are the most"
        odd = next((c for c in target if not c.isprintable() and not c.isspace()), "")
        return f"a transcript with a control character (U+{ord(odd):04X})" if odd else None

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.transcribe.faults import sound_faults, transcript_faults

        yield from sound_faults(view)
        yield from transcript_faults(view)

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return speech_plan(fingerprint, is_text=True)

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        """text: int16 [n, S], letters from 1 on, -1 past the end. Letters that the schema lacks are not taught."""
        from snowroll.evaluate.edits import plain

        place = {letter: number for number, letter in enumerate(str(schema["characters"]), 1)}
        spelled = [[place[c] for c in plain(str(target)) if c in place] for target in targets]
        text = np.full((len(spelled), max(map(len, spelled), default=0) + 1), -1, np.int16)
        for row, letters in enumerate(spelled):
            text[row, : len(letters)] = letters
        return {"text": text}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        from snowroll.tasks.transcribe.training import sounds_of

        text = columns.get("text")
        return Batch(sounds_of(columns), None if text is None else text.long(), ids)

    # 2 design

    def build(self, options: TranscribeOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.transcribe.model import Speller

        return Speller(options, len(schema["characters"]))

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: TranscribeOptions) -> None:
        """Before the first step: which letters follow each other in the training transcripts."""
        import torch

        from snowroll.tasks.transcribe.model import Speller
        from snowroll.tasks.transcribe.training import letter_pairs

        assert isinstance(model, Speller)
        text = torch.as_tensor(targets["text"]).long()
        model.follows.copy_(letter_pairs(text, model.follows.shape[1]))

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """The models of the folds as one, which agree on a text."""
        from snowroll.tasks.transcribe.model import Spellers

        return Spellers(models)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: TranscribeOptions) -> Tensor:
        from snowroll.tasks.transcribe.training import letters_loss

        return letters_loss(model(batch.inputs), batch.targets)

    def loss_at_init(self, schema: Schema, options: TranscribeOptions) -> float | None:
        return None  # it hangs on how many ways there are to spread the letters over the moments

    # 4 evaluate

    def postprocess(self, outputs: Any, options: TranscribeOptions) -> Mapping[str, Tensor]:
        """letters: log-probabilities, past the end for sure none; follows: as the model's."""
        from snowroll.tasks.transcribe.model import certain

        return {"letters": certain(outputs), "follows": outputs.follows.float()}

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: TranscribeOptions) -> list[Prediction]:
        from snowroll.tasks.transcribe.answers import read

        return read(outputs, schema, options)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.transcribe.scoring import scorer

        return scorer(predictions, targets)

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.transcribe.scoring import credit

        return credit(predictions, targets)

    def strata(self, targets: Sequence[Json]) -> list[str]:
        return ["speech" for _ in targets]

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        return {"words": METRICS}

    def words(self, value: Json) -> str:
        return str(value) or "(nothing)"

    # 5 deploy

    @property
    def streams(self) -> Mapping[str, Callable[..., tuple[bytes, Iterator[Any]]]]:
        """Routes of its own on `serve`."""
        from snowroll.tasks.transcribe.running import transcribe

        return {"/v1/transcribe": transcribe}

    def deployable(self, model: nn.Module, options: TranscribeOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.transcribe.deploying import deployable

        told = {
            "letters": "float32 [batch, models, moments of 20 ms, 1 + characters], log-probabilities, the first of no "
            "letter",
            "follows": "float32 [batch, 1 + characters, characters], nats of a letter after another",
        }
        return deployable(model, partial(self.postprocess, options=options), options, told, schema)
