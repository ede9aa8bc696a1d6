"""Image classification: the protocol's answers, each a few lines over the rooms that do the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf, log
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError, did_you_mean
from snowroll.base.nouns import Batch, Choice, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading
from snowroll.design.rules import ImageOptions
from snowroll.prepare.look import Look, look

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

Schema = Mapping[str, Json]


class ClassifyImages:
    """A target is a class name; the schema is {"type": "choice", "classes": [...]}, classes in sorted order."""

    name = "classify_images"
    kind = "image"
    Options = ImageOptions
    headline = "accuracy"
    pipeline = "image-classification"  # the model hubs' word
    ragged: frozenset[str] = frozenset()
    unbounded: frozenset[str] = frozenset({"nll"})
    waived: Mapping[str, str] = {}

    @property
    def writers(self) -> Mapping[str, Callable[[Sequence[Any]], dict[str, str]]]:
        """What `export --labels` calls: (where, target, (width, height), split) of each picture to files."""
        return {"csv": _as_table}

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.prepare.layouts import read_images

        return read_images(folder, settings)

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        return {"type": "choice", "classes": sorted({str(target) for target in targets if target is not None})}

    def problem(self, target: Json, schema: Schema) -> str | None:
        if target in schema["classes"]:
            return None
        return f"label '{target}' is not in the schema; {did_you_mean(str(target), schema['classes'])}"

    def look(self, raw: bytes, megapixels: float) -> Look:
        return look(raw, megapixels)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.prepare.reflections import mirror_keeps_class

        counts = Counter(targets)
        return {
            "classes": len(schema["classes"]),
            "smallest_class": min((counts[name] for name in schema["classes"]), default=0),
            "median_width": int(np.median(columns["width"])),
            "median_height": int(np.median(columns["height"])),
            "aspect_spread": float(np.std(np.log(columns["width"] / columns["height"]))),
            "grey": bool(columns["grey"].mean() > 0.95),
            **mirror_keeps_class(columns["thumbnail"], targets),
        }

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        from snowroll.design.rules import image_plan

        return image_plan(fingerprint)

    def encode(self, raw: bytes, options: ImageOptions, megapixels: float) -> Columns:
        from snowroll.prepare.pictures import resize

        return {"image": resize(self.open_raw(raw, options, megapixels), options.size_px, options.fit)}

    def pack_key(self, options: ImageOptions) -> Json:
        return [options.size_px, options.fit]

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        number = {name: i for i, name in enumerate(schema["classes"])}
        return {"class": np.array([number[target] for target in targets], dtype=np.int64)}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        import torch

        # NHWC bytes seen as NCHW are channels_last already: no copy but the conversion to float
        pixels = columns["image"].permute(0, 3, 1, 2)
        return Batch(pixels.to(torch.float32).div_(255), columns.get("class"), ids)

    def augment(self, batch: Batch, draw: Draw, options: ImageOptions) -> Batch:
        from snowroll.tasks.classify_images.training import augment

        return augment(batch, draw, options)

    # 2 design

    def build(self, options: ImageOptions, schema: Schema) -> nn.Module:
        from snowroll.design.zoo import build_from

        return build_from(options, len(schema["classes"]))

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: ImageOptions) -> None:
        """Before the first step: whitening filters from what the network will see, the class shares as its bias.

        Neither where a file of weights brought its own.
        """
        from snowroll.design.classifier import Classifier
        from snowroll.design.zoo import begin

        assert isinstance(model, Classifier)
        begin(model, batch.inputs, targets["class"])

    def freeze(self, model: nn.Module, frozen: bool) -> None:
        """Learn the head alone for the first `options.head_first` of the steps: new heads are noisy."""
        from snowroll.design.fine_tuned import FineTuned, freeze_backbone

        assert isinstance(model, FineTuned)
        freeze_backbone(model, frozen)

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """The models of the folds as one: the mean of their probabilities."""
        from snowroll.design.ensemble import Ensemble

        return Ensemble(models)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: ImageOptions) -> Tensor:
        from snowroll.tasks.classify_images.training import loss

        return loss(model, batch, options)

    def loss_at_init(self, schema: Schema, options: ImageOptions) -> float | None:
        return log(len(schema["classes"]))

    # 4 evaluate

    def postprocess(self, outputs: Tensor, options: ImageOptions) -> Mapping[str, Tensor]:
        return {"probabilities": outputs.float().softmax(dim=1)}

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: ImageOptions) -> list[Prediction]:
        return _predictions(outputs["probabilities"], schema)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.evaluate.metrics import scorer

        return scorer(_scores(predictions, schema), self.encode_targets(targets, schema, {})["class"])

    def trials(self, targets: Sequence[Json], schema: Schema) -> Mapping[str, float]:
        """How many samples each mean over classes rests on."""
        from snowroll.evaluate.metrics import trials_behind_means

        return trials_behind_means(self.encode_targets(targets, schema, {})["class"])

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        return np.array([float(p.value == target) for p, target in zip(predictions, targets, strict=True)])

    def strata(self, targets: Sequence[Json]) -> list[str]:
        return [str(target) for target in targets]

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from PIL import Image

        from snowroll.prepare.pictures import open_rgb

        return Image.fromarray(open_rgb(raw, megapixels=inf))

    def show(self, batch: Batch, row: int) -> Image:
        from PIL import Image

        pixels = batch.inputs[row].detach().float().clamp(0, 1).mul(255).round().byte()
        return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        """What the report shows beside the scores: confusion, classes one by one, calibration."""
        from snowroll.tasks.classify_images.details import details

        return details(predictions, self.encode_targets(targets, schema, {})["class"], schema, groups)

    def calibrate(self, outputs: Tensor, targets: Tensor, options: ImageOptions) -> Json:
        """What `calibrated` needs, fitted on the validation rows. outputs: [n, C] logits; targets: [n]."""
        from snowroll.evaluate.calibration import fit_temperature

        fitted = fit_temperature(outputs.float().cpu().numpy(), targets.cpu().numpy())
        return {"temperature": fitted.value, "n": fitted.n}

    def calibrated(self, model: nn.Module, calibration: Json) -> nn.Module:
        from snowroll.tasks.classify_images.training import Tempered

        return Tempered(model, float(calibration["temperature"]))

    # 5 deploy

    def deployable(self, model: nn.Module, options: ImageOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.classify_images.deploying import deployable

        return deployable(model, partial(self.postprocess, options=options), options, schema)

    def open_raw(self, raw: bytes, options: ImageOptions, megapixels: float) -> np.ndarray:
        from snowroll.prepare.pictures import open_rgb

        return open_rgb(raw, at_least_px=options.size_px, megapixels=megapixels)


def _as_table(rows: Sequence[tuple[str, Json, tuple[int, int], str | None]]) -> dict[str, str]:
    """labels.csv: a manifest that is read again as it is written."""
    import csv
    import io

    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["path", "label", "split"])
    table.writerows([where, target, split or ""] for where, target, _, split in rows)
    return {"labels.csv": out.getvalue()}


def _scores(predictions: Sequence[Prediction], schema: Schema) -> np.ndarray:
    """[n, C]. What says no more than a class is sure of it: a person's answer, the truth."""
    certain = np.eye(len(schema["classes"]))
    return np.stack([certain[schema["classes"].index(p.value)] if p.scores is None else p.scores for p in predictions])


def _predictions(probabilities: np.ndarray, schema: Schema) -> list[Prediction]:
    """probabilities: [B, C]. Doubt is one minus the margin between the best two (0 sure, 1 a tie)."""
    classes = schema["classes"]
    if probabilities.shape[1] != len(classes):
        raise DataError(
            f"the model has {probabilities.shape[1]} outputs and the schema {len(classes)} classes",
            cure="use the schema the model was trained on",
        )
    best_two = np.sort(probabilities, axis=1)[:, -2:]
    doubt = np.clip(1 - (best_two[:, -1] - best_two[:, 0]), 0, 1)
    return [
        Prediction(classes[int(row.argmax())], float(row.max()), float(unsure), row)
        for row, unsure in zip(probabilities, doubt, strict=True)
    ]
