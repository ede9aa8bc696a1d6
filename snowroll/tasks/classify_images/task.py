"""Image classification: the protocol's answers, each a few lines over the rooms that do the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Json
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading
from snowroll.design.rules import ImageOptions
from snowroll.evaluate.choices import OneOfClasses
from snowroll.prepare.look import Look, look

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

Schema = Mapping[str, Json]


class ClassifyImages(OneOfClasses):
    """A target is a class name; the schema is {"type": "choice", "classes": [...]}, classes in sorted order."""

    name = "classify_images"
    kind = "image"
    Options = ImageOptions
    pipeline = "image-classification"  # the model hubs' word

    @property
    def writers(self) -> Mapping[str, Callable[[Sequence[Any]], dict[str, str]]]:
        """What `export --labels` calls: (where, target, (width, height), split) of each picture to files."""
        return {"csv": _as_table}

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.prepare.layouts import read_images

        return read_images(folder, settings)

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

    # 4 evaluate

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from PIL import Image

        from snowroll.prepare.pictures import open_rgb

        return Image.fromarray(open_rgb(raw, megapixels=inf))

    def show(self, batch: Batch, row: int, schema: Schema, options: ImageOptions) -> Image:
        from PIL import Image

        pixels = batch.inputs[row].detach().float().clamp(0, 1).mul(255).round().byte()
        return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())

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
