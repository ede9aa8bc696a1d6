"""Spoken words: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snowroll.base.nouns import Batch, Choice, Fault, Json
from snowroll.base.task import Columns, Deployable, Fingerprint, Reading
from snowroll.evaluate.choices import OneOfClasses
from snowroll.tasks.transcribe.options import WordOptions, speech_plan
from snowroll.tasks.transcribe.task import Hears

if TYPE_CHECKING:
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class SpokenWords(OneOfClasses, Hears):
    """A target is the word that is said in a recording; of a longer recording the loudest part is heard."""

    name = "transcribe_words"
    Options = WordOptions
    pipeline = "audio-classification"  # the model hubs' word
    wants = "put recordings there (.wav, .flac, .ogg, .mp3) in folders called after their words, or with a manifest"
    widget = Path(__file__).with_name("word.js")

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.transcribe.reading import WORD_COLUMNS, are_words, read_speech

        reading = read_speech(folder, settings, WORD_COLUMNS)
        if reading is None or settings.labels or are_words(reading.found):
            return reading
        return None  # sentences are no classes

    def particularity(self, reading: Reading, settings: Any) -> int:
        return 2

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.transcribe.faults import sound_faults

        return sound_faults(view)

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return speech_plan(fingerprint, is_text=False)

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        from snowroll.tasks.transcribe.training import sounds_of

        return Batch(sounds_of(columns), columns.get("class"), ids)

    # 2 design

    def build(self, options: WordOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.transcribe.model import Teller

        return Teller(options, len(schema["classes"]))

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """The models of the folds as one: the mean of their probabilities."""
        from snowroll.design.ensemble import Ensemble

        return Ensemble(models)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: WordOptions) -> Tensor:
        from snowroll.tasks.transcribe.training import word_loss

        return word_loss(model(batch.inputs), batch.targets, options.label_smoothing)

    # 5 deploy

    def deployable(self, model: nn.Module, options: WordOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.transcribe.deploying import deployable

        told = {"probabilities": "float32 [batch, classes], in the order of `classes`"}
        return deployable(model, partial(self.postprocess, options=options), options, told, schema)
