"""Tables: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json, Plan, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading, Task
from snowroll.evaluate.choices import OneOfClasses
from snowroll.prepare.look import Look
from snowroll.tasks.tabular.options import RowOptions, TabularOptions, row_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.evaluate.background import Evidence, Passage
    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class Rows(Task):
    """A part of a task: what both problems share. A sample is one row of a table: its bytes are a JSON object of its
    named cells, without the target. The schema tells the columns: {"columns": [{"name", "kind", "levels"}], "target"}.
    """

    kind = "row"
    wants = "put a CSV, TSV or Parquet file there and name the column to predict with --prepare.label_column"
    in_pixels = True  # a drawn row is read: never shrunk
    reads = frozenset({"categories"})  # words of other columns are not kept in the schema

    def look(self, raw: bytes, megapixels: float) -> Look:
        from snowroll.tasks.tabular.looking import look

        return look(raw)

    def samples_in(self, folder: Any, settings: Any) -> list[str]:
        """Every row of the tables, and every other file: whoever answers says what is wrong with it."""
        from snowroll.tasks.tabular.reading import rows_in

        return rows_in(folder)

    def encode(self, raw: bytes, options: RowOptions, megapixels: float) -> Columns:
        from snowroll.tasks.tabular.cells import encoded

        return dict(encoded(raw, options))

    def pack_key(self, options: RowOptions) -> Json:
        return [list(options.used_numbers), list(options.used_categories)]

    def augment(self, batch: Batch, draw: Draw, options: RowOptions) -> Batch:
        from snowroll.tasks.tabular.training import augment

        return augment(batch, draw, options)

    def sliced(self, looks: Sequence[Any], schema: Schema) -> Mapping[str, Sequence[object]]:
        from snowroll.tasks.tabular.explaining import sliced

        return sliced(looks, schema)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.tasks.tabular.looking import drawn

        return drawn(raw, target, prediction, schema)

    def show(self, batch: Batch, row: int, schema: Schema, options: TabularOptions) -> Image:
        """The row as the model sees it: numbers, and words by their hashes."""
        from snowroll.tasks.tabular.looking import shown

        return shown(*(part[row].detach().cpu().numpy() for part in batch.inputs))

    def open_raw(self, raw: bytes, options: RowOptions, megapixels: float) -> list[np.ndarray]:
        """[numbers float32 [N], words int64 [W]]."""
        from snowroll.tasks.tabular.cells import encoded

        return list(encoded(raw, options).values())


class Tabular(OneOfClasses, Rows):
    """A target is a class name."""

    name = "tabular"
    Options = TabularOptions
    pipeline = "tabular-classification"  # the model hubs' word

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.tabular.reading import read_tables

        return read_tables(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """Whoever knows more of a table than that it has rows is meant rather."""
        return -5

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.tasks.tabular.choosing import classes_asked

        counts = Counter(map(str, targets))
        return {
            "asked_apart": classes_asked(columns, schema, targets),
            "classes": len(schema["classes"]),
            "smallest_class": min((counts[name] for name in schema["classes"]), default=0),
        }

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.tabular.faults import row_faults

        return row_faults(view)

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return row_plan(fingerprint)

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        from snowroll.tasks.tabular.model import Cells

        return Batch(Cells.of(columns), columns.get("class"), ids)

    # 2 design

    def build(self, options: TabularOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.tabular.model import build
        from snowroll.tasks.tabular.ruled import with_rules

        return with_rules(build(options, schema), options, schema)

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: TabularOptions) -> None:
        """Before an MLP's first step: the spread of its numbers, the class shares as its bias."""
        from snowroll.tasks.tabular.model import Network, inner, log_shares

        if isinstance(network := inner(model), Network):
            network.begin(batch.inputs, log_shares(targets["class"], len(network.answer.bias)))

    def fit(self, model: nn.Module, train: Batch, val: Batch, plan: Plan) -> None:
        from snowroll.tasks.tabular.fitting import fit

        fit(model, train, val, plan)

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        from snowroll.tasks.tabular.model import Together
        from snowroll.tasks.tabular.ruled import joined

        return joined(models, Together)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: TabularOptions) -> Tensor:
        from snowroll.tasks.tabular.training import loss

        return loss(model, batch, options)

    # 4 evaluate

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.tabular.scoring import scorer

        return scorer(predictions, targets, schema)

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        from snowroll.tasks.tabular.scoring import WORDS

        return {**super().details(predictions, targets, schema, groups), "words": WORDS}

    def explained(self, evidence: Evidence) -> Iterable[Passage]:
        from snowroll.tasks.tabular.explaining import explained

        return explained(evidence)

    # 5 deploy

    def deployable(self, model: nn.Module, options: TabularOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.tabular.deploying import deployable

        told = {"probabilities": "float32 [batch, classes], in the order of `classes`"}
        return deployable(model, partial(self.postprocess, options=options), options, told, schema)
