"""Object detection: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import did_you_mean
from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading, Task
from snowroll.prepare.look import Look, look
from snowroll.tasks.detect_objects.options import DetectOptions, detect_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class DetectObjects(Task):
    """A target is a list of {"class", "box": [left, top, right, bottom]} in pixels of the upright picture, with
    "ignore" where it is not to be judged by (of the class "any class": whatever lies there); [] says that nothing is
    there. The schema is {"type": "boxes", "classes": [...]}. A prediction's objects have a "score", too.
    """

    name = "detect_objects"
    kind = "image"
    Options = DetectOptions
    headline = "mAP50"
    credited = "F1 of a picture's objects"
    pipeline = "object-detection"  # the model hubs' word
    in_pixels = True
    legend = "Green boxes are right, orange ones are false alarms, red dashed ones were missed."
    wants = "put annotations beside the pictures (VOC, COCO, YOLO, CVAT, CSV), or name classes with --labels a,b,c"
    widget = Path(__file__).with_name("boxes.js")

    @property
    def writers(self) -> Mapping[str, Callable[[Sequence[Any]], dict[str, str]]]:
        """What `export --labels` calls: (where, target, (width, height), split) of each picture to files."""
        from snowroll.tasks.detect_objects.reading import WRITERS

        return WRITERS

    def unwritten(self, format: str, rows: Sequence[Any]) -> list[str]:
        from snowroll.tasks.detect_objects.reading import unwritten

        return unwritten(format, rows)

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.detect_objects.reading import read_boxes

        return read_boxes(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """A folder of pictures and boxes is also a folder of pictures; boxes are what it is about."""
        return 2

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        from snowroll.tasks.detect_objects.reading import all_classes

        return {"type": "boxes", "classes": all_classes(targets)}

    def problem(self, target: Json, schema: Schema) -> str | None:
        from snowroll.prepare.trees import UNUSABLE
        from snowroll.tasks.detect_objects.formats.marks import an_object, is_of_any

        if not isinstance(target, list):
            return 'a target is a list of {"class", "box"}'
        for row in target:
            try:
                an_object(row["class"], row["box"])
            except UNUSABLE as fault:
                return f"not an object with a class and a box ({fault})"
            if row["class"] not in schema["classes"] and not is_of_any(row):
                return f"class '{row['class']}' is not in the schema; {did_you_mean(row['class'], schema['classes'])}"
            if row["box"][2] <= row["box"][0] or row["box"][3] <= row["box"][1]:
                return "a box without an area"
        return None

    def look(self, raw: bytes, megapixels: float) -> Look:
        return look(raw, megapixels)

    def gist(self, target: Json) -> str:
        from snowroll.tasks.detect_objects.faults import gist

        return gist(target)

    def clash(self, one: Json, other: Json, is_one_file: bool) -> str | None:
        from snowroll.tasks.detect_objects.faults import clash

        return clash(one, other, is_one_file)

    def words(self, value: Json) -> str:
        return self.gist(value)

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.detect_objects.faults import box_faults

        return box_faults(view)

    def doubted(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.detect_objects.faults import doubted_boxes

        return doubted_boxes(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.tasks.detect_objects.facts import facts

        return facts(columns["width"], columns["height"], columns["grey"], columns["thumbnail"], targets)

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return detect_plan(fingerprint)

    def encode(self, raw: bytes, options: DetectOptions, megapixels: float) -> Columns:
        from snowroll.prepare.pictures import resize

        rgb = self.open_raw(raw, options, megapixels)
        return {"image": resize(rgb, options.frame, "pad"), "size": np.array([rgb.shape[1], rgb.shape[0]], np.int64)}

    def pack_key(self, options: DetectOptions) -> Json:
        return list(options.frame)

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        """Padded to the most objects that a picture has, without boxes that have no area."""
        number = {name: place for place, name in enumerate(schema["classes"])}
        usable = [[row for row in target if _has_area(row["box"])] for target in targets]
        most = max(1, *(len(target) for target in usable)) if usable else 1
        kind = np.full((len(targets), most), -1, np.int64)
        box = np.zeros((len(targets), most, 4), np.float32)
        for place, target in enumerate(usable):
            for at, row in enumerate(target):
                kind[place, at] = -2 if row.get("ignore") else number[row["class"]]
                box[place, at] = row["box"]
        return {"kind": kind, "box": box}

    def teaches(self, targets: Sequence[Json], options: DetectOptions) -> np.ndarray:
        """Not pictures with a box without an area: what is there would be learnt as background."""
        return np.array([all(_has_area(row["box"]) for row in target) for target in targets], bool)

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        import torch

        from snowroll.tasks.detect_objects.boxes import Objects, Seen, into_frame

        pixels = columns["image"].permute(0, 3, 1, 2)
        seen = Seen(pixels.to(torch.float32).div_(255), columns["size"])
        if "kind" not in columns:
            return Batch(seen, None, ids)
        frame = (pixels.shape[3], pixels.shape[2])
        return Batch(seen, Objects(columns["kind"], into_frame(columns["box"], columns["size"], frame)), ids)

    def augment(self, batch: Batch, draw: Draw, options: DetectOptions) -> Batch:
        from snowroll.tasks.detect_objects.augmenting import augment

        return augment(batch, draw, options)

    # 2 design

    def build(self, options: DetectOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.detect_objects.model import build

        return build(options, len(schema["classes"]))

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: DetectOptions) -> None:
        """Before the first step: boxes of the mean object's size, scores as rare as objects are."""
        from snowroll.tasks.detect_objects.model import expect

        expect(model, batch.targets, targets["kind"], options)

    def freeze(self, model: nn.Module, frozen: bool) -> None:
        """Learn the head alone for the first `options.head_first` of the steps: new heads are noisy."""
        from snowroll.design.fine_tuned import FineTuned, freeze_backbone

        assert isinstance(model, FineTuned)
        freeze_backbone(model, frozen)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: DetectOptions) -> Tensor:
        if options.two_stages:
            from snowroll.tasks.detect_objects.faster_rcnn_loss import loss
        else:
            from snowroll.tasks.detect_objects.one_stage_loss import loss
        return loss(model, batch)

    def loss_at_init(self, schema: Schema, options: DetectOptions) -> float | None:
        return None  # it depends on how many objects a picture holds

    # 4 evaluate

    def postprocess(self, outputs: Any, options: DetectOptions) -> Mapping[str, Tensor]:
        from snowroll.tasks.detect_objects.answers import best_objects

        return {"objects": best_objects(outputs, options)}

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: DetectOptions) -> list[Prediction]:
        from snowroll.tasks.detect_objects.answers import read

        return read(outputs["objects"], schema)

    def same(self, one: Prediction, other: Prediction) -> float:
        from snowroll.tasks.detect_objects.answers import same

        return same(one, other)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.detect_objects.scoring import scorer

        return scorer(predictions, targets, schema)

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.detect_objects.scoring import credit

        return credit(predictions, targets)

    def of_classes(self, targets: Sequence[Json]) -> list[str]:
        """The class of every object."""
        from snowroll.tasks.detect_objects.formats.marks import is_of_any

        return [row["class"] for target in targets for row in target if not is_of_any(row)]

    def strata(self, targets: Sequence[Json]) -> list[str]:
        """The rarest class that a picture holds, or "nothing"."""
        counts = Counter(self.of_classes(targets))
        return [
            min({*self.of_classes([target])}, key=lambda name: (counts[name], name), default="nothing")
            for target in targets
        ]

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        from snowroll.tasks.detect_objects.scoring import details

        return details(predictions, targets, schema, groups)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.prepare.pictures import open_rgb
        from snowroll.tasks.detect_objects.drawing import drawn

        return drawn(open_rgb(raw, megapixels=inf), target, prediction, schema)

    def show(self, batch: Batch, row: int, schema: Schema, options: DetectOptions) -> Image:
        """The picture as the network sees it, with the boxes it is to find."""
        from snowroll.tasks.detect_objects.drawing import drawn

        pixels = batch.inputs.image[row].detach().float().clamp(0, 1).mul(255).round().byte()
        rgb = pixels.permute(1, 2, 0).cpu().numpy()
        if batch.targets is None:
            return drawn(rgb, None, None, {})
        boxes = zip(batch.targets.kind[row].tolist(), batch.targets.box[row].tolist(), strict=True)
        objects = [{"class": str(kind), "box": box, "ignore": kind < 0} for kind, box in boxes if kind != -1]
        return drawn(rgb, objects, None, {})

    def calibrate(self, outputs: Any, targets: Any, options: DetectOptions) -> Json:
        """For each class the score from which telling an object is best: the highest F1 on the validation rows."""
        from snowroll.tasks.detect_objects.calibrating import best_cuts

        return best_cuts(outputs, targets)

    def calibrated(self, model: nn.Module, calibration: Json) -> nn.Module:
        from snowroll.tasks.detect_objects.model import Shifted

        return Shifted(model, calibration["by"])

    # 5 deploy

    def deployable(self, model: nn.Module, options: DetectOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.detect_objects.deploying import deployable

        return deployable(model, options, schema)

    def open_raw(self, raw: bytes, options: DetectOptions, megapixels: float) -> np.ndarray:
        from snowroll.prepare.pictures import open_rgb

        return open_rgb(raw, megapixels=megapixels)  # whole: boxes are in its pixels


def _has_area(box: Sequence[float]) -> bool:
    return box[2] > box[0] and box[3] > box[1]
