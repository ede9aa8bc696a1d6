"""Masks of scans: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading
from snowroll.prepare.look import Look
from snowroll.prepare.masked import Masked, log_shares
from snowroll.tasks.medical.masks.options import MaskOptions, mask_plan
from snowroll.tasks.medical.task import CAUTIONS, Medical

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class MedicalMasks(Masked):
    """A target is a mask of the scan's slices side by side, with its shape: see volumes.py. The schema is
    {"type": "mask", "classes": [...]}.
    """

    name = "medical_masks"
    kind = "scan"
    Options = MaskOptions
    headline = "dice"
    credited = "Dice of a scan"
    wants = "put masks as NIfTI beside the scans: imagesTr/ and labelsTr/, or scan_seg.nii.gz beside scan.nii.gz"

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.medical.masks.reading import read_masked_scans

        return read_masked_scans(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """Scans with masks are no scans with classes, unless their folders name classes, too. Cases of several files
        have none: whoever tells classes reads each file as a scan."""
        from snowroll.prepare.class_folders import name_classes
        from snowroll.tasks.medical.masks.reading import CHANNELS

        wheres = [found.where for found in reading.found]
        return -1 if name_classes(wheres, settings) and reading.layout != CHANNELS else 1

    def cleaned(self, raw: bytes) -> bytes:
        return Medical().cleaned(raw)

    def problem(self, target: Json, schema: Schema) -> str | None:
        from snowroll.tasks.medical.masks.volumes import shape_of

        if told := super().problem(target, schema):
            return told
        try:
            shape_of(target)
        except DataError as fault:
            return fault.what
        return None

    def completed(self, target: Json, look: Look) -> Json:
        """What was painted over slices side by side as a mask of the volume."""
        from snowroll.tasks.medical.masks.volumes import of_painted

        return of_painted(target, look)

    def look(self, raw: bytes, megapixels: float) -> Look:
        return Medical().look(raw, megapixels)

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.medical.masks.faults import mask_faults

        return mask_faults(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.prepare.reflections import named_after_a_side
        from snowroll.tasks.medical.facts import scan_facts

        return {**scan_facts(columns), "sided": named_after_a_side(schema["classes"])}

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return mask_plan(fingerprint)

    def encode(self, raw: bytes, options: MaskOptions, megapixels: float) -> Columns:
        from snowroll.tasks.medical.fitting import encoded

        voxels, spacing = self.open_raw(raw, options, megapixels)
        return {
            "image": encoded(voxels, spacing, options),
            "shape": np.array(voxels.shape[1:], np.int64),
            "spacing": spacing,
            "target": np.array(options.spacing, np.float32),  # for `encode_targets`, which knows no options
        }

    def pack_key(self, options: MaskOptions) -> Json:
        from snowroll.tasks.medical.fitting import key_of

        return key_of(options)

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        """[n, *frame], as the pack's scans lie in it."""
        from snowroll.tasks.medical.masks.targets import in_frames

        return {"mask": in_frames(targets, schema, columns)}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        import torch

        from snowroll.tasks.medical.masks.model import Seen

        image = columns["image"].permute(0, 4, 1, 2, 3).to(torch.float32).div_(255)
        return Batch(Seen(image, columns["shape"], columns["spacing"]), columns.get("mask"), ids)

    def augment(self, batch: Batch, draw: Draw, options: MaskOptions) -> Batch:
        from snowroll.tasks.medical.masks.training import augment

        return augment(batch, draw, options)

    def thinned(self, batch: Batch, options: MaskOptions) -> Batch:
        """Whole samples as small as what the network sees at once."""
        from snowroll.prepare.patches import thinned

        image, mask = thinned(batch.inputs.image, batch.targets, options.seen)
        return Batch(batch.inputs._replace(image=image), mask, batch.ids)

    # 2 design

    def build(self, options: MaskOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.medical.masks.model import build

        return build(options, schema["classes"])

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: MaskOptions) -> None:
        """Before the first step: the classes' shares of the voxels as biases."""
        import torch

        from snowroll.tasks.medical.masks.model import Segmenter

        assert isinstance(model, Segmenter)
        model.decoder.expect(torch.from_numpy(log_shares(targets["mask"], model.decoder.classes, most=100)))

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """The models of the folds as one: the mean of their probabilities."""
        from snowroll.tasks.medical.masks.model import Together

        return Together(models)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: MaskOptions) -> Tensor:
        from snowroll.tasks.medical.masks.training import loss

        return loss(model, batch, options)

    # 4 evaluate

    def postprocess(self, outputs: Any, options: MaskOptions) -> Mapping[str, Tensor]:
        from snowroll.tasks.medical.masks.answers import best_classes

        return best_classes(outputs)

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: MaskOptions) -> list[Prediction]:
        from snowroll.tasks.medical.masks.answers import read

        return read(outputs, schema, options.spacing)

    def as_file(self, value: Json, raw: bytes) -> tuple[str, bytes]:
        """NIfTI on the scan's own grid; of a picture a PNG. Values are places in the schema's classes."""
        from snowroll.tasks.medical.masks.volumes import as_file

        return as_file(value, raw)

    def samples_in(self, folder: Any, settings: Any) -> list[str]:
        from snowroll.tasks.medical.masks.reading import scans_in

        return scans_in(folder, settings)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.medical.masks.scoring import scorer

        return scorer(predictions, targets, schema)

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.medical.masks.scoring import credit

        return credit(predictions, targets, schema)

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        from snowroll.tasks.medical.masks.scoring import details

        return details(predictions, targets, schema, groups)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        """Slices side by side under the colours of their classes."""
        from math import inf

        from snowroll.prepare.mask_pictures import drawn
        from snowroll.tasks.medical.looking import as_seen
        from snowroll.tasks.medical.scans import open_scan

        return drawn(as_seen(open_scan(raw, inf)), target, prediction, schema)

    def show(self, batch: Batch, row: int, schema: Schema, options: MaskOptions) -> Image:
        """The scan as the network sees it, slice by slice, under the classes it is to find."""
        from snowroll.tasks.medical.looking import shown
        from snowroll.tasks.medical.masks.targets import drawn_row

        image = shown(batch.inputs.image[row])
        if batch.targets is None:
            return image
        return drawn_row(image, batch.targets[row].cpu().numpy(), schema["classes"])

    def cautions(self, schema: Schema, options: MaskOptions) -> list[str]:
        return list(CAUTIONS)

    # 5 deploy

    def deployable(self, model: nn.Module, options: MaskOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.medical.masks.deploying import deployable

        return deployable(model, options, schema)

    def open_raw(self, raw: bytes, options: MaskOptions, megapixels: float) -> list[np.ndarray]:
        """[voxels float32 [C, D, H, W], spacing float32 [3] mm]."""
        from snowroll.tasks.medical.scans import raw_arrays

        return raw_arrays(raw, options.channels, megapixels)
