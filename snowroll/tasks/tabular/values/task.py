"""Numbers of rows: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf, isfinite, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json, Plan, Prediction
from snowroll.base.task import Columns, Deployable, Fingerprint, Reading
from snowroll.tasks.tabular.task import Rows
from snowroll.tasks.tabular.values.options import ValueOptions, facts_of, has_tail, value_plan

if TYPE_CHECKING:
    from torch import Tensor, nn

    from snowroll.evaluate.background import Evidence, Passage
    from snowroll.prepare.view import View

Schema = Mapping[str, Json]
OUTPUTS = {
    "value": "float32 [batch], in the target's own unit",
    "low": "float32 [batch], the lower end of its interval",
    "high": "float32 [batch], the upper end",
}


class TabularValues(Rows):
    """A target is a number in the user's unit; the schema {"type": "number", "low", "high", "whole"} tells which there
    are, and of the column beside it "target" and "unit".
    """

    name = "tabular_values"
    Options = ValueOptions
    headline = "r2"
    credited = "variance explained, row by row"
    pipeline = "tabular-regression"  # the model hubs' word
    widget = Path(__file__).with_name("number.js")
    ranges: Mapping[str, tuple[float, float]] = {
        "r2": (-inf, 1),
        **dict.fromkeys(("mae", "rmse", "median_ae", "width"), (0, inf)),
    }

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.tabular.reading import read_tables
        from snowroll.tasks.tabular.values.reading import Values

        return read_tables(folder, settings, Values())

    def particularity(self, reading: Reading, settings: Any) -> int:
        """Numbers of few different values are classes rather: a little above or below what one class a row is."""
        from snowroll.tasks.tabular.values.reading import are_measured

        return -4 if are_measured([found.target for found in reading.found]) else -6

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        known = [target for target in targets if is_number(target)]
        ends = {"low": min(known), "high": max(known)} if known else {}
        return {"type": "number", **ends, "whole": all(float(one).is_integer() for one in known)}

    def problem(self, target: Json, schema: Schema) -> str | None:
        return None if is_number(target) else f"'{str(target)[:40]}' is no finite number"

    def gist(self, target: Json) -> str:
        """Rows that are alike may well have different numbers: that is told beside how much, not as a conflict."""
        return "a number"

    def words(self, value: Json) -> str:
        return f"{value:,.6g}"

    def of_classes(self, targets: Sequence[Json]) -> list[str]:
        return ["number"] * len(targets)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.tasks.tabular.choosing import numbers_asked

        facts = facts_of(targets)
        learnt = [log(target) for target in targets] if has_tail(facts) else targets
        return {**facts, "asked_apart": numbers_asked(columns, schema, learnt)}

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.tabular.values.faults import value_faults

        return value_faults(view)

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return value_plan(fingerprint)

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        return {"value": np.array(targets, np.float64)}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        from snowroll.tasks.tabular.model import Cells

        return Batch(Cells.of(columns), columns.get("value"), ids)

    # 2 design

    def build(self, options: ValueOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.tabular.ruled import with_rules
        from snowroll.tasks.tabular.values.model import build

        return with_rules(build(options, schema), options, schema)

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: ValueOptions) -> None:
        """Before an MLP's first step: the spread of its numbers."""
        from snowroll.tasks.tabular.model import Network, inner
        from snowroll.tasks.tabular.values.training import first_bias

        if isinstance(network := inner(model), Network):
            network.begin(batch.inputs, first_bias())

    def fit(self, model: nn.Module, train: Batch, val: Batch, plan: Plan) -> None:
        from snowroll.tasks.tabular.values.fitting import fit

        fit(model, train, val, plan)

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        from snowroll.tasks.tabular.ruled import joined
        from snowroll.tasks.tabular.values.model import Together

        return joined(models, Together)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: ValueOptions) -> Tensor:
        from snowroll.tasks.tabular.values.training import loss

        return loss(model, batch, options)

    def loss_at_init(self, schema: Schema, options: ValueOptions) -> float | None:
        return None  # the gate asks the loss itself, about constant answers

    # 4 evaluate

    def calibrate(self, outputs: Tensor, targets: Tensor, options: ValueOptions) -> Json:
        """How far intervals must be widened, so that they hold what they should, by the validation rows."""
        from snowroll.tasks.tabular.values.training import calibration_of

        return calibration_of(outputs, targets, options)

    def calibrated(self, model: nn.Module, calibration: Json) -> nn.Module:
        from snowroll.tasks.tabular.ruled import around
        from snowroll.tasks.tabular.values.model import Widened

        return around(lambda bare: Widened(bare, float(calibration["shift"]), float(calibration["widen"])), model)

    def postprocess(self, outputs: Tensor, options: ValueOptions) -> Mapping[str, Tensor]:
        from snowroll.tasks.tabular.values.training import answers

        return answers(outputs, options)

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: ValueOptions) -> list[Prediction]:
        from snowroll.tasks.tabular.values.answers import read

        return read(outputs, options)

    def same(self, one: Prediction, other: Prediction) -> float:
        from snowroll.tasks.tabular.values.answers import same

        return same(one, other)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.tabular.values.scoring import scorer

        return scorer(predictions, targets)

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.tabular.values.scoring import credit

        return credit(predictions, targets)

    def strata(self, targets: Sequence[Json]) -> list[str]:
        from snowroll.tasks.tabular.values.scoring import strata

        return strata(targets)

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        from snowroll.tasks.tabular.values.scoring import WORDS

        return {"words": WORDS, "worst": True}

    def floor(
        self, columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray], schema: Schema
    ) -> tuple[float, str]:
        from snowroll.tasks.tabular.values.floors import floor

        return floor(columns, targets["value"], rows)

    def explained(self, evidence: Evidence) -> Iterable[Passage]:
        from snowroll.tasks.tabular.values.explaining import explained

        return explained(evidence)

    # 5 deploy

    def deployable(self, model: nn.Module, options: ValueOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.tabular.deploying import deployable

        return deployable(model, partial(self.postprocess, options=options), options, OUTPUTS, schema)


def is_number(target: Json) -> bool:
    return isinstance(target, int | float) and not isinstance(target, bool) and isfinite(target)
