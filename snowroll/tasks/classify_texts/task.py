"""Classes of texts: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading
from snowroll.evaluate.choices import OneOfClasses
from snowroll.prepare.look import Look
from snowroll.tasks.classify_texts.options import TextOptions, text_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import nn

    from snowroll.evaluate.background import Evidence, Passage
    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class ClassifyTexts(OneOfClasses):
    """A sample is a text, its target a class name."""

    name = "classify_texts"
    kind = "text"
    Options = TextOptions
    pipeline = "text-classification"  # the model hubs' word
    wants = (
        "put a table with a column of texts and one of labels there, lines with a label each, or a folder of texts "
        "a class; or give --labels a,b,c for texts without labels"
    )
    in_pixels = True  # a drawn text is read: never shrunk
    widget = Path(__file__).with_name("reading.js")
    ragged: frozenset[str] = frozenset({"codes"})
    reads = frozenset({"texts"})  # of the schema: the columns, that a row to be told is read as those that were learnt
    waived: Mapping[str, str] = {
        "augment_is_a_function_of_its_draw": "texts are not changed at random: few changes leave the class as it is",
    }

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.classify_texts.reading import read_labelled

        return read_labelled(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        from snowroll.tasks.classify_texts.reading import particularity

        return particularity(reading)

    def pieces(self, raw: bytes, names: Sequence[str]) -> Mapping[str, bytes]:
        from snowroll.tasks.classify_texts.objects import pieces

        return pieces(raw, names)

    def samples_in(self, folder: Any, settings: Any) -> list[str]:
        """Every text to be told."""
        from snowroll.tasks.classify_texts.reading import texts_in

        return texts_in(folder, settings)

    def holds_samples(self, name: str) -> bool:
        from snowroll.tasks.classify_texts.objects import holds_objects

        return holds_objects(name)

    def look(self, raw: bytes, megapixels: float) -> Look:
        from snowroll.tasks.classify_texts.looking import look

        return look(raw)

    def text(self, raw: bytes) -> str:
        """As it is read on the label page."""
        from snowroll.tasks.classify_texts.texts import read_sample

        return read_sample(raw)[0]

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.classify_texts.faults import text_faults

        return text_faults(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        some = len(targets) > 0
        return {
            "longest": int(np.max(columns["folded"])) if some else 16,
            "words": float(np.median(columns["words"])) if some else 1.0,
            "letters": int(np.sum(columns["letters"])) if some else 1,
        }

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return text_plan(fingerprint)

    def encode(self, raw: bytes, options: TextOptions, megapixels: float) -> Columns:
        codes = self.open_raw(raw, options, megapixels)
        return {"codes": codes, "room": np.array(options.length, np.int32)}

    def pack_key(self, options: TextOptions) -> Json:
        return [options.length]

    def batch(self, columns: Columns, ids: Any) -> Batch:
        from snowroll.tasks.classify_texts.model import as_batch

        return as_batch(columns, ids)

    def augment(self, batch: Batch, draw: Draw, options: TextOptions) -> Batch:
        return batch

    # 2 design

    def build(self, options: TextOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.classify_texts.model import build

        return build(options, len(schema["classes"]))

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: TextOptions) -> None:
        """How rare n-grams are, and how common classes."""
        import torch

        from snowroll.tasks.classify_texts.model import begin

        begin(model, batch.inputs, torch.from_numpy(np.asarray(targets["class"])))

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """The models of the folds as one: the mean of their probabilities."""
        from snowroll.design.ensemble import Ensemble

        return Ensemble(models)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: TextOptions) -> Any:
        from snowroll.tasks.classify_texts.model import loss

        return loss(model, batch, options)

    # 4 evaluate

    def floor(
        self, columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray], schema: Schema
    ) -> tuple[float, str]:
        """The accuracy of naive Bayes over words."""
        from snowroll.tasks.classify_texts.floor import floor

        return floor(columns, targets, rows)

    def explained(self, evidence: Evidence) -> Iterable[Passage]:
        from snowroll.tasks.classify_texts.explaining import explained

        return explained(evidence)

    def sliced(self, looks: Sequence[Any], schema: Schema) -> Mapping[str, Sequence[object]]:
        from snowroll.tasks.classify_texts.explaining import sliced

        return sliced(looks)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.prepare.lettering import told_of_a_text
        from snowroll.tasks.classify_texts.texts import read_sample

        return told_of_a_text(read_sample(raw)[0], target, prediction)

    def show(self, batch: Batch, row: int, schema: Schema, options: TextOptions) -> Image:
        """The folded words that the network is given."""
        from snowroll.prepare.folded import words_of_codes
        from snowroll.prepare.lettering import as_tile

        return as_tile(" ".join(words_of_codes(batch.inputs[row].detach().cpu().numpy())))

    # 5 deploy

    def deployable(self, model: nn.Module, options: TextOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.classify_texts.deploying import deployable

        return deployable(model, partial(self.postprocess, options=options), options, schema)

    def open_raw(self, raw: bytes, options: TextOptions, megapixels: float) -> np.ndarray:
        from snowroll.tasks.classify_texts.texts import encoded

        return encoded(raw, options.length)
