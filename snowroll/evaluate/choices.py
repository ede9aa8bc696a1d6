"""What every task says whose target is one class of several, whatever its samples are.

Neither torch nor scipy is loaded before it is needed: children that decode samples import every task's module.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf, log
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError, did_you_mean
from snowroll.base.nouns import Json, Prediction
from snowroll.base.task import Columns, Task

if TYPE_CHECKING:
    from torch import nn

Schema = Mapping[str, Json]


class OneOfClasses(Task):
    """A part of a task: a target is a class name, the schema {"type": "choice", "classes": [...]} in sorted order.

    The model's outputs are logits [B, C], named "probabilities" after post-processing; targets in a batch are
    class numbers [B]. A task says otherwise where it differs.
    """

    headline = "accuracy"
    ranges: Mapping[str, tuple[float, float]] = {"nll": (0, inf)}

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        return {"type": "choice", "classes": sorted({str(target) for target in targets if target is not None})}

    def problem(self, target: Json, schema: Schema) -> str | None:
        if target in schema["classes"]:
            return None
        return f"label '{target}' is not in the schema; {did_you_mean(str(target), schema['classes'])}"

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        return {"class": numbers_of(targets, schema)}

    def loss_at_init(self, schema: Schema, options: Any) -> float | None:
        return log(len(schema["classes"]))

    def postprocess(self, outputs: Any, options: Any) -> Mapping[str, Any]:
        return {"probabilities": outputs.float().softmax(dim=1)}

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: Any) -> list[Prediction]:
        return read(outputs["probabilities"], schema)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.evaluate.metrics import scorer

        return scorer(scores_of(predictions, schema), numbers_of(targets, schema))

    def trials(self, targets: Sequence[Json], schema: Schema) -> Mapping[str, float]:
        """How many samples each mean over classes rests on."""
        from snowroll.evaluate.metrics import trials_behind_means

        return trials_behind_means(numbers_of(targets, schema))

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        return np.array([float(p.value == target) for p, target in zip(predictions, targets, strict=True)])

    def strata(self, targets: Sequence[Json]) -> list[str]:
        return [str(target) for target in targets]

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        """What the report shows beside the scores: confusion, classes one by one, calibration."""
        return details(predictions, numbers_of(targets, schema), schema, groups)

    def calibrate(self, outputs: Any, targets: Any, options: Any) -> Json:
        """What `calibrated` needs, fitted on the validation rows. outputs: [n, C] logits; targets: [n]."""
        from snowroll.evaluate.calibration import fit_temperature

        fitted = fit_temperature(outputs.float().cpu().numpy(), targets.cpu().numpy())
        return {"temperature": fitted.value, "n": fitted.n}

    def calibrated(self, model: nn.Module, calibration: Json) -> nn.Module:
        from snowroll.evaluate.tempered import Tempered

        return Tempered(model, float(calibration["temperature"]))


def numbers_of(targets: Sequence[Json], schema: Schema) -> np.ndarray:
    """[n] int64, the place of each target among the schema's classes."""
    place = {name: number for number, name in enumerate(schema["classes"])}
    return np.array([place[target] for target in targets], dtype=np.int64)


def scores_of(predictions: Sequence[Prediction], schema: Schema) -> np.ndarray:
    """[n, C]. What says no more than a class is sure of it: a person's answer, the truth."""
    certain = np.eye(len(schema["classes"]))
    return np.stack([certain[schema["classes"].index(p.value)] if p.scores is None else p.scores for p in predictions])


def read(probabilities: np.ndarray, schema: Schema) -> list[Prediction]:
    """probabilities: [B, C]. Doubt is one minus the margin between the best two (0 sure, 1 a tie)."""
    classes = expected(probabilities, schema)
    best_two = np.sort(probabilities, axis=1)[:, -2:]
    doubt = np.clip(1 - (best_two[:, -1] - best_two[:, 0]), 0, 1)
    return [
        Prediction(classes[int(row.argmax())], float(row.max()), float(unsure), row)
        for row, unsure in zip(probabilities, doubt, strict=True)
    ]


def expected(probabilities: np.ndarray, schema: Schema) -> Sequence[str]:
    """The classes that the columns of [B, C] stand for. Raises DataError where there are not as many."""
    classes = schema["classes"]
    if probabilities.shape[1] != len(classes):
        raise DataError(
            f"the model has {probabilities.shape[1]} outputs and the schema {len(classes)} classes",
            cure="use the schema the model was trained on",
        )
    return classes


def details(
    predictions: Sequence[Prediction], truth: np.ndarray, schema: Schema, groups: Sequence[str]
) -> dict[str, Any]:
    """Parts of evaluate.background.Background. truth: [n] class numbers.

    What was said need not be the most probable class (a threshold may decide); confidence is of the most probable.
    """
    from snowroll.evaluate.calibration import reliability
    from snowroll.evaluate.metrics import class_intervals, class_recall, confusion, per_class

    names = list(schema["classes"])
    said = numbers_of([p.value for p in predictions], schema)
    probabilities = scores_of(predictions, schema)
    table = confusion(truth, said, len(names))
    return {
        "classes": names,
        "confusion": table.tolist(),
        "per_class": per_class(table, names),
        "recall": class_recall(truth, said, names, groups),
        "likewise": class_intervals(truth, said, names, groups),
        "bins": reliability(probabilities.max(axis=1), (probabilities.argmax(axis=1) == truth).astype(float), groups),
    }
