"""Segmentation: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading
from snowroll.prepare.look import Look, look
from snowroll.prepare.masked import Masked, log_shares
from snowroll.tasks.segment_images.options import SegmentOptions, segment_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class SegmentImages(Masked):
    """A target is {"mask": a grey PNG as base64, "classes": [...]}: a pixel of value v is of classes[v], "" is not to
    be judged, and neither is 255. The schema is {"type": "mask", "classes": [...]}, and "instances": true
    where things of one class are numbered.
    """

    name = "segment_images"
    kind = "image"
    Options = SegmentOptions
    headline = "mIoU"
    credited = "Dice of a picture"
    wants = "put masks of the same names beside the pictures, or a COCO file, or name classes with --labels a,b,c"

    @property
    def writers(self) -> Mapping[str, Callable[[Sequence[Any]], dict[str, str]]]:
        """What `export --labels` calls."""
        from snowroll.tasks.segment_images.coco import write_coco

        return {"coco": write_coco}

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.segment_images.reading import read_masks

        return read_masks(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """Pictures with masks are no pictures with classes, unless their folders name classes, too, and masks lie among
        the pictures, or are those of some only: not where whole splits are without, whose masks are kept secret."""
        from snowroll.prepare.class_folders import name_classes
        from snowroll.tasks.segment_images.reading import APART, DRAWN

        if reading.layout in DRAWN:  # who drew outlines by hand did not want boxes alone
            return 3
        marked = {found.split for found in reading.found if found.target is not None}
        if reading.layout == APART and all(one.target is not None for one in reading.found if one.split in marked):
            return 1
        return -1 if name_classes([found.where for found in reading.found], settings) else 1

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        from snowroll.tasks.segment_images.instances import has_instances

        known = list(targets)
        are_apart = any(isinstance(target, Mapping) and has_instances(target) for target in known)
        return {**super().schema(known), **({"instances": True} if are_apart else {})}

    def look(self, raw: bytes, megapixels: float) -> Look:
        return look(raw, megapixels)

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.segment_images.faults import mask_faults

        return mask_faults(view)

    def doubted(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.segment_images.faults import doubted_masks

        return doubted_masks(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.prepare.mask_targets import thinnest_px
        from snowroll.prepare.reflections import named_after_a_side, told_from_reflections

        return {
            "median_width": int(np.median(columns["width"])),
            "median_height": int(np.median(columns["height"])),
            "grey": bool(columns["grey"].mean() > 0.95),
            "thin_px": thinnest_px(targets),
            "sided": named_after_a_side(schema["classes"]),
            "upright": told_from_reflections(columns["thumbnail"]),
        }

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return segment_plan(fingerprint)

    def encode(self, raw: bytes, options: SegmentOptions, megapixels: float) -> Columns:
        from snowroll.prepare.pictures import resize

        rgb = self.open_raw(raw, options, megapixels)
        image = resize(rgb, options.frame, "pad", options.standard)
        return {"image": image, "size": np.array([rgb.shape[1], rgb.shape[0]], np.int64)}

    def pack_key(self, options: SegmentOptions) -> Json:
        return [*options.frame, options.standard]

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        """[n, H, W] in the frame of the pack's pictures."""
        from snowroll.prepare.mask_targets import fitted, numbered

        height, width = columns["image"].shape[1:3]
        masks = np.empty((len(targets), height, width), np.uint8)
        for row, target in enumerate(targets):
            masks[row] = fitted(numbered(target, schema["classes"]), (width, height))
        return {"mask": masks}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        import torch

        from snowroll.tasks.segment_images.model import Seen

        pixels = columns["image"].permute(0, 3, 1, 2)
        return Batch(Seen(pixels.to(torch.float32).div_(255), columns["size"]), columns.get("mask"), ids)

    def augment(self, batch: Batch, draw: Draw, options: SegmentOptions) -> Batch:
        from snowroll.tasks.segment_images.training import augment

        return augment(batch, draw, options)

    def thinned(self, batch: Batch, options: SegmentOptions) -> Batch:
        """Whole samples as small as what the network sees at once."""
        from snowroll.prepare.patches import thinned

        image, mask = thinned(batch.inputs.image, batch.targets, options.seen[::-1])
        return Batch(batch.inputs._replace(image=image), mask, batch.ids)

    # 2 design

    def build(self, options: SegmentOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.segment_images.model import build

        return build(options, len(schema["classes"]))

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: SegmentOptions) -> None:
        """Before the first step: the classes' shares of the pixels as biases."""
        import torch

        from snowroll.tasks.segment_images.model import Segmenter

        assert isinstance(model, Segmenter)
        model.head.expect(torch.from_numpy(log_shares(targets["mask"], model.head.classes, most=200)))

    def freeze(self, model: nn.Module, frozen: bool) -> None:
        """Learn the decoder alone for the first `options.head_first` of the steps: new ones are noisy."""
        from snowroll.design.fine_tuned import FineTuned, freeze_backbone

        assert isinstance(model, FineTuned)
        freeze_backbone(model, frozen)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: SegmentOptions) -> Tensor:
        from snowroll.tasks.segment_images.training import loss

        return loss(model, batch, options)

    # 4 evaluate

    def postprocess(self, outputs: Any, options: SegmentOptions) -> Mapping[str, Tensor]:
        from snowroll.tasks.segment_images.answers import best_classes

        return best_classes(outputs)

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: SegmentOptions) -> list[Prediction]:
        from snowroll.tasks.segment_images.answers import read

        return read(outputs, schema)

    def as_file(self, value: Json, raw: bytes) -> tuple[str, bytes]:
        """A palette PNG: values are places in the schema's classes, colours those of the report."""
        from snowroll.prepare.mask_pictures import as_png

        return ".png", as_png(value)

    def things_file(self, value: Json, schema: Schema) -> tuple[str, bytes] | None:
        from snowroll.tasks.segment_images.instances import things_png

        return ("_things.png", things_png(value)) if schema.get("instances") else None

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.segment_images.scoring import scorer

        return scorer(predictions, targets, schema)

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.segment_images.scoring import credit

        return credit(predictions, targets, schema)

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        from snowroll.tasks.segment_images.scoring import details

        return details(predictions, targets, schema, groups)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.prepare.mask_pictures import drawn
        from snowroll.prepare.pictures import open_rgb

        return drawn(open_rgb(raw, megapixels=inf), target, prediction, schema)

    def show(self, batch: Batch, row: int, schema: Schema, options: SegmentOptions) -> Image:
        """The picture as the network sees it, under the classes it is to find."""
        from snowroll.prepare.mask_pictures import drawn
        from snowroll.prepare.mask_targets import as_target

        pixels = batch.inputs.image[row].detach().float().clamp(0, 1).mul(255).round().byte()
        rgb = pixels.permute(1, 2, 0).cpu().numpy()
        if batch.targets is None:
            return drawn(rgb, None, None, {})
        mask = batch.targets[row].cpu().numpy()
        return drawn(rgb, as_target(mask, schema["classes"]), None, schema)

    # 5 deploy

    def deployable(self, model: nn.Module, options: SegmentOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.segment_images.deploying import deployable

        return deployable(model, options, schema)

    def open_raw(self, raw: bytes, options: SegmentOptions, megapixels: float) -> np.ndarray:
        from snowroll.prepare.pictures import open_rgb

        return open_rgb(raw, megapixels=megapixels)  # whole: the answer has its size
