"""Translation: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading, Task
from snowroll.prepare.bytepairs import BYTES
from snowroll.prepare.look import Look
from snowroll.tasks.translate.options import TranslateOptions, translate_plan
from snowroll.tasks.translate.sentences import SPECIAL

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.evaluate.background import Evidence, Passage
    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class Translate(Task):
    """A sample is a sentence, its target the translation, a text.

    The schema tells the languages and the byte pairs: {"type": "translation", "source", "target", "merges"}.
    """

    name = "translate"
    kind = "sentence"
    Options = TranslateOptions
    headline = "bleu"
    pipeline = "translation"  # the model hubs' word
    credited = "chrF of each sentence: how far its letters agree with a person's translation"
    wants = "put parallel texts there (train.en and train.de, line by line), or TSV, JSON lines, TMX with two languages"
    in_pixels = True  # a drawn sentence is read: never shrunk
    widget = Path(__file__).with_name("translation.js")
    waived: Mapping[str, str] = {
        "augment_is_a_function_of_its_draw": "sentences are not changed at random: dropout within the network is",
    }

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.translate.reading import read_corpus

        return read_corpus(folder, settings)

    def pieces(self, raw: bytes, names: Sequence[str]) -> Mapping[str, bytes]:
        from snowroll.tasks.translate.formats import pieces

        return pieces(raw, names)

    def samples_in(self, folder: Any, settings: Any) -> list[str]:
        """Every sentence to be translated."""
        from snowroll.tasks.translate.reading import sentences_in

        return sentences_in(folder, settings)

    def holds_samples(self, name: str) -> bool:
        from snowroll.tasks.translate.reading import holds_lines

        return holds_lines(name)

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        return {"type": "translation"}

    def problem(self, target: Json, schema: Schema) -> str | None:
        from snowroll.tasks.translate.sentences import fault_of

        return fault_of(target)

    def gist(self, target: Json) -> str:
        """A sentence may be translated in several ways: two of them do not contradict each other."""
        return "translated"

    def look(self, raw: bytes, megapixels: float) -> Look:
        from snowroll.tasks.translate.looking import look

        return look(raw)

    def text(self, raw: bytes) -> str:
        """As it is read in the report and on the label page."""
        from snowroll.tasks.translate.sentences import read_sentence

        return read_sentence(raw)

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.translate.faults import pair_faults

        return pair_faults(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.tasks.translate.options import measured

        return measured(columns["bytes"], targets, schema.get("merges", ()))

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return translate_plan(fingerprint)

    def encode(self, raw: bytes, options: TranslateOptions, megapixels: float) -> Columns:
        tokens = self.open_raw(raw, options, megapixels)
        return {"source": np.pad(tokens, (0, options.length - len(tokens)))}

    def pack_key(self, options: TranslateOptions) -> Json:
        return [list(options.merges), options.source, options.length]

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        from snowroll.tasks.translate.sentences import targets_as_tokens

        return {"target": targets_as_tokens(targets, schema.get("merges", ()))}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        from snowroll.tasks.translate.training import as_batch

        return as_batch(columns, ids)

    def augment(self, batch: Batch, draw: Draw, options: TranslateOptions) -> Batch:
        return batch

    # 2 design

    def build(self, options: TranslateOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.translate.model import build

        return build(options)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: TranslateOptions) -> Tensor:
        from snowroll.tasks.translate.training import loss

        return loss(model, batch, options)

    def loss_at_init(self, schema: Schema, options: TranslateOptions) -> float | None:
        from snowroll.tasks.translate.training import entropy

        vocabulary = SPECIAL + BYTES + len(options.merges)
        return log(vocabulary) - (entropy(options.smoothing, vocabulary) if options.smoothing else 0.0)

    # 4 evaluate

    def postprocess(self, outputs: Any, options: TranslateOptions) -> Mapping[str, Tensor]:
        return {"tokens": outputs.tokens, "log_probability": outputs.log_probability, "length": outputs.length}

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: TranslateOptions) -> list[Prediction]:
        from snowroll.tasks.translate.answers import read

        return read(outputs, options)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.translate.scoring import scorer

        return scorer(predictions, targets)

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.translate.scoring import credit

        return credit(predictions, targets)

    def same(self, one: Prediction, other: Prediction) -> float:
        """How far two translations agree, letter by letter."""
        from snowroll.tasks.translate.scoring import alike

        return alike(str(one.value), str(other.value))

    def floor(
        self, columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray], schema: Schema
    ) -> tuple[float, str]:
        """The BLEU of translating word by word."""
        from snowroll.tasks.translate.floor import floor

        return floor(columns, targets, rows, schema)

    def explained(self, evidence: Evidence) -> Iterable[Passage]:
        from snowroll.tasks.translate.explaining import explained

        return explained(evidence)

    def sliced(self, looks: Sequence[Any], schema: Schema) -> Mapping[str, Sequence[object]]:
        from snowroll.tasks.translate.explaining import sliced

        return sliced(looks)

    def strata(self, targets: Sequence[Json]) -> list[str]:
        return ["sentence" for _ in targets]

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.prepare.lettering import told_of_a_text
        from snowroll.tasks.translate.sentences import read_sentence

        return told_of_a_text(read_sentence(raw, str(schema.get("source", ""))), target, prediction)

    def show(self, batch: Batch, row: int, schema: Schema, options: TranslateOptions) -> Image:
        """The sentence that its tokens spell."""
        from snowroll.prepare.lettering import as_tile
        from snowroll.tasks.translate.sentences import text_of

        return as_tile(text_of(batch.inputs[row].detach().cpu().numpy(), options.merges))

    # 5 deploy

    def deployable(self, model: nn.Module, options: TranslateOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.translate.deploying import deployable

        return deployable(model, partial(self.postprocess, options=options), options, schema)

    def open_raw(self, raw: bytes, options: TranslateOptions, megapixels: float) -> np.ndarray:
        from snowroll.tasks.translate.sentences import encoded

        return encoded(raw, options.merges, options.source, options.length)
