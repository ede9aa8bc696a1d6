"""Diagnosis: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading
from snowroll.evaluate.choices import OneOfClasses, numbers_of
from snowroll.prepare.look import Look
from snowroll.tasks.medical.diagnosing import positive_of
from snowroll.tasks.medical.options import MedicalOptions, medical_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]

CAUTIONS = (
    "diagnosis or treatment without a physician: it is no medical device, and nobody has approved it",
    "scans of other machines, protocols or patients than those it learned from: measure first",
    "findings that its classes do not name: it cannot tell them and will not say so",
)


class Medical(OneOfClasses):
    """A target is a class name; the schema is {"type": "choice", "classes": [...]}, classes in sorted order."""

    name = "medical"
    kind = "scan"
    Options = MedicalOptions
    headline = "balanced_accuracy"
    credited = "right or wrong"
    pipeline = "image-classification"  # the model hubs' word
    wants = "put DICOM, NIfTI or pictures into class folders, or add a manifest, or give --labels a,b,c"

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.medical.reading import read_scans

        return read_scans(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """Plain pictures are meant for it only when asked for by name."""
        from snowroll.tasks.medical.reading import meant_for_doctors

        return meant_for_doctors(reading, 0)

    def cleaned(self, raw: bytes) -> bytes:
        from snowroll.tasks.medical.scans import cleaned

        return cleaned(raw)

    def look(self, raw: bytes, megapixels: float) -> Look:
        from snowroll.tasks.medical.looking import look

        return look(raw, megapixels)

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.medical.faults import scan_faults

        return scan_faults(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.prepare.reflections import mirror_keeps_class
        from snowroll.tasks.medical.facts import scan_facts

        return {**scan_facts(columns), **mirror_keeps_class(columns["thumbnail"], targets)}

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return medical_plan(fingerprint)

    def encode(self, raw: bytes, options: MedicalOptions, megapixels: float) -> Columns:
        from snowroll.tasks.medical.fitting import encoded

        voxels, spacing = self.open_raw(raw, options, megapixels)
        return {"image": encoded(voxels, spacing, options)}

    def pack_key(self, options: MedicalOptions) -> Json:
        from snowroll.tasks.medical.fitting import key_of

        return key_of(options)

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        positive = positive_of(schema["classes"])
        return {"class": numbers_of(targets, schema), "ill": np.array([target == positive for target in targets])}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        import torch

        from snowroll.tasks.medical.training import Wanted

        # channels last on disk: seen as [B, C, D, H, W] without a copy but the conversion to float
        scans = columns["image"].permute(0, 4, 1, 2, 3).to(torch.float32).div_(255)
        return Batch(scans, Wanted(columns["class"], columns["ill"]) if "class" in columns else None, ids)

    def augment(self, batch: Batch, draw: Draw, options: MedicalOptions) -> Batch:
        from snowroll.tasks.medical.training import augment

        return augment(batch, draw, options)

    # 2 design

    def build(self, options: MedicalOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.medical.model import build

        return build(options, schema["classes"])

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: MedicalOptions) -> None:
        """Before the first step, as for pictures: whitening filters where there are such, class shares as bias."""
        from snowroll.design.zoo import begin
        from snowroll.tasks.medical.model import Diagnosing

        assert isinstance(model, Diagnosing)
        seen = batch.inputs[:, :, 0] if model.is_flat else batch.inputs
        begin(model.network, seen, targets["class"])

    def freeze(self, model: nn.Module, frozen: bool) -> None:
        """Learn the head alone for the first `options.head_first` of the steps: new heads are noisy."""
        from snowroll.design.fine_tuned import freeze_backbone
        from snowroll.tasks.medical.model import Diagnosing

        assert isinstance(model, Diagnosing)
        freeze_backbone(model.network, frozen)

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        from snowroll.tasks.medical.model import Together

        return Together(models)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: MedicalOptions) -> Tensor:
        from snowroll.tasks.medical.training import loss

        return loss(model, batch, options)

    # 4 evaluate

    def postprocess(self, outputs: Any, options: MedicalOptions) -> Mapping[str, Tensor]:
        return {"probabilities": outputs.logits.float().softmax(dim=1), "threshold": outputs.threshold}

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: MedicalOptions) -> list[Prediction]:
        from snowroll.tasks.medical.answers import read

        return read(outputs, schema)

    def samples_in(self, folder: Any, settings: Any) -> list[str]:
        """Series are one sample each; whatever else is there is told of."""
        from snowroll.tasks.medical.reading import find_scans, with_the_rest

        return with_the_rest(folder, sorted(find_scans(folder, settings).groups))

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.medical.diagnosing import scorer

        return scorer(predictions, numbers_of(targets, schema), schema, positive_of(schema["classes"]))

    def trials(self, targets: Sequence[Json], schema: Schema) -> Mapping[str, float]:
        """On how many scans each share rests."""
        from snowroll.evaluate.metrics import trials_behind_means

        truth = numbers_of(targets, schema)
        found = {"balanced_accuracy": trials_behind_means(truth)["balanced_accuracy"]}
        positive = positive_of(schema["classes"])
        if positive is not None:
            ill = float((truth == schema["classes"].index(positive)).sum())
            found |= {"sensitivity": ill, "specificity": len(truth) - ill}
        return {name: n for name, n in found.items() if n}

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.tasks.medical.looking import drawn

        return drawn(raw)

    def show(self, batch: Batch, row: int, schema: Schema, options: MedicalOptions) -> Image:
        """The scan as the network sees it, slice by slice."""
        from snowroll.tasks.medical.looking import shown

        return shown(batch.inputs[row])

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        from snowroll.tasks.medical.diagnosing import details

        positive = positive_of(schema["classes"])
        return details(predictions, numbers_of(targets, schema), schema, groups, positive)

    def calibrate(self, outputs: Any, targets: Any, options: MedicalOptions) -> Json:
        """A temperature, and the threshold that finds `options.sensitivity` of the ill among the validation scans."""
        from snowroll.tasks.medical.diagnosing import calibration_of

        return calibration_of(
            outputs.logits.float().cpu().numpy(),
            targets.number.cpu().numpy(),
            targets.ill.cpu().numpy(),
            options.sensitivity,
        )

    def calibrated(self, model: nn.Module, calibration: Json) -> nn.Module:
        from snowroll.tasks.medical.model import Graded

        return Graded(model, float(calibration["temperature"]), float(calibration["threshold"]))

    def settled(self, calibration: Json, schema: Schema, options: MedicalOptions) -> str:
        from snowroll.tasks.medical.diagnosing import in_words

        return in_words(calibration, positive_of(schema["classes"]), options.sensitivity, self.calibrates_from)

    def cautions(self, schema: Schema, options: MedicalOptions) -> list[str]:
        return list(CAUTIONS)

    # 5 deploy

    def deployable(self, model: nn.Module, options: MedicalOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.medical.deploying import deployable

        return deployable(model, options, schema)

    def open_raw(self, raw: bytes, options: MedicalOptions, megapixels: float) -> list[np.ndarray]:
        """[voxels float32 [C, D, H, W], spacing float32 [3] mm]."""
        from snowroll.tasks.medical.scans import raw_arrays

        return raw_arrays(raw, options.channels, megapixels)
