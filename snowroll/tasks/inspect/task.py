"""Inspection: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError, did_you_mean
from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading, Task
from snowroll.prepare.look import Look, look
from snowroll.tasks.inspect.options import InspectOptions, inspect_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class Inspect(Task):
    """A target is the name of a part's kind, or {"class": name, "mask": PNG in base64} where a fault is marked.

    The schema is {"type": "part", "classes": ["good", "faulty", ...], "marked": whether any fault is}. An answer is
    {"class": "good" or "faulty", "score", "map": PNG in base64}: above a score of 1 a part is faulty, and so is a place
    of the map above AT_ONE (parts.py).
    """

    name = "inspect"
    kind = "image"
    Options = InspectOptions
    headline = "balanced_accuracy"
    pipeline = "image-classification"  # the model hubs' word
    wants = "put good parts into a class folder, say good/, or name their class with --prepare.good"
    widget = Path(__file__).with_name("part.js")
    in_pixels = True
    legend = "Red is what the model finds unlike good parts; a blue outline is a fault that a person marked."
    starts_from = 60_000_000  # numbers: a memory is filled before the first step
    calibrates_from = 3  # samples: fewer good parts have no spread

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.inspect.reading import read_parts

        return read_parts(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """Good parts beside nothing else, or in training only: nobody could learn to classify from them."""
        from snowroll.tasks.inspect.reading import is_one_sided

        return 2 if settings.good or is_one_sided(reading) else -1

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        from snowroll.tasks.inspect.parts import all_kinds

        known = list(targets)
        marked = any(isinstance(target, Mapping) and "mask" in target for target in known)
        return {"type": "part", "classes": all_kinds(known), "marked": marked}

    def problem(self, target: Json, schema: Schema) -> str | None:
        from snowroll.tasks.inspect.parts import kind_of, mask_of

        if not isinstance(target, str) and not (isinstance(target, Mapping) and "class" in target):
            return 'a target is a kind of part, or {"class", "mask"}'
        if kind_of(target) not in schema["classes"]:
            return f"'{kind_of(target)}' is not in the schema; {did_you_mean(kind_of(target), schema['classes'])}"
        try:
            mask_of(target)
        except DataError as fault:
            return fault.what
        return None

    def look(self, raw: bytes, megapixels: float) -> Look:
        return look(raw, megapixels)

    def gist(self, target: Json) -> str:
        from snowroll.tasks.inspect.parts import kind_of

        return kind_of(target)

    def words(self, value: Json) -> str:
        from snowroll.tasks.inspect.parts import kind_of

        score = value.get("score") if isinstance(value, Mapping) else None
        return kind_of(value) if score is None else f"{kind_of(value)} ({score:.2f} of the threshold)"

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.inspect.faults import part_faults

        return part_faults(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.tasks.inspect.parts import faulty

        return {
            "good": int((~faulty(targets)).sum()),
            "faulty": int(faulty(targets).sum()),
            "median_width": int(np.median(columns["width"])),
            "median_height": int(np.median(columns["height"])),
            "grey": bool(columns["grey"].mean() > 0.95),
        }

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return inspect_plan(fingerprint)

    def encode(self, raw: bytes, options: InspectOptions, megapixels: float) -> Columns:
        from snowroll.prepare.pictures import resize

        return {"image": resize(self.open_raw(raw, options, megapixels), options.frame, "stretch")}

    def pack_key(self, options: InspectOptions) -> Json:
        return list(options.frame)

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        from snowroll.tasks.inspect.parts import faulty

        return {"faulty": faulty(targets)}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        import torch

        pixels = columns["image"].permute(0, 3, 1, 2).to(torch.float32).div_(255)
        if "faulty" not in columns:
            return Batch(pixels, None, ids)
        from snowroll.tasks.inspect.training import Wanted

        return Batch(pixels, Wanted(pixels, columns["faulty"]), ids)

    def augment(self, batch: Batch, draw: Draw, options: InspectOptions) -> Batch:
        from snowroll.tasks.inspect.training import augment

        return augment(batch, draw, options)

    # 2 design

    def build(self, options: InspectOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.inspect.model import build

        return build(options)

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: InspectOptions) -> None:
        """Before the first step: the memory is filled with patches of good parts."""
        from snowroll.tasks.inspect.model import Inspector

        assert isinstance(model, Inspector)
        if batch.targets.faulty.all():
            raise DataError("no good part is there to learn from", cure="add good parts to the training split")
        model.begin(batch.inputs[~batch.targets.faulty])

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """The inspectors of the folds as one: the mean of how unlike each finds a place."""
        from snowroll.tasks.inspect.model import Joined

        return Joined(models)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: InspectOptions) -> Tensor:
        from snowroll.tasks.inspect.training import loss

        return loss(model, batch, options)

    def loss_at_init(self, schema: Schema, options: InspectOptions) -> float | None:
        return None  # it hangs on how alike good parts are

    # 4 evaluate

    def postprocess(self, outputs: Any, options: InspectOptions) -> Mapping[str, Tensor]:
        return {"score": outputs.score, "map": outputs.unlike}

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: InspectOptions) -> list[Prediction]:
        from snowroll.tasks.inspect.answers import read

        return read(outputs)

    def same(self, one: Prediction, other: Prediction) -> float:
        from snowroll.tasks.inspect.answers import same

        return same(one, other)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.inspect.scoring import scorer

        return scorer(predictions, targets, schema)

    def trials(self, targets: Sequence[Json], schema: Schema) -> Mapping[str, float]:
        """On how many parts each share rests."""
        from snowroll.evaluate.metrics import trials_behind_means
        from snowroll.tasks.inspect.parts import faulty

        truth = faulty(targets)
        bad = float(truth.sum())
        counted = {"found": bad, "passed": len(truth) - bad, **trials_behind_means(truth.astype(int))}
        return {name: n for name, n in counted.items() if n}

    def in_short(self, predictions: Sequence[Prediction], targets: Sequence[Json]) -> str:
        from snowroll.tasks.inspect.parts import faulty
        from snowroll.tasks.inspect.scoring import in_a_sentence

        return in_a_sentence(faulty(targets), faulty(p.value for p in predictions))

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.inspect.scoring import credit

        return credit(predictions, targets)

    def teaches(self, targets: Sequence[Json], options: InspectOptions) -> np.ndarray:
        """Good parts; and faulty ones where they are to be held off."""
        from snowroll.tasks.inspect.parts import faulty

        return ~faulty(targets) | options.known_faults

    def of_classes(self, targets: Sequence[Json]) -> list[str]:
        return self.strata(targets)

    def strata(self, targets: Sequence[Json]) -> list[str]:
        from snowroll.tasks.inspect.parts import kind_of

        return [kind_of(target) for target in targets]

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        from snowroll.tasks.inspect.scoring import details

        return details(predictions, targets, schema, groups)

    def calibrate(self, outputs: Any, targets: Any, options: InspectOptions) -> Json:
        """The threshold, from the good parts among the validation rows."""
        from snowroll.tasks.inspect.calibrating import threshold_for

        return threshold_for(outputs, targets, options)

    def calibrated(self, model: nn.Module, calibration: Json) -> nn.Module:
        from snowroll.tasks.inspect.model import Calibrated

        return Calibrated(model, *(float(calibration[name]) for name in ("worst", "share", "threshold", "farthest")))

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.prepare.pictures import open_rgb
        from snowroll.tasks.inspect.drawing import drawn

        return drawn(open_rgb(raw, megapixels=inf), target, prediction)

    def show(self, batch: Batch, row: int, schema: Schema, options: InspectOptions) -> Image:
        from PIL import Image

        pixels = batch.inputs[row].detach().float().clamp(0, 1).mul(255).round().byte()
        return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())

    # 5 deploy

    def deployable(self, model: nn.Module, options: InspectOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.inspect.deploying import deployable

        return deployable(model, options, schema)

    def open_raw(self, raw: bytes, options: InspectOptions, megapixels: float) -> np.ndarray:
        from snowroll.prepare.pictures import open_rgb

        return open_rgb(raw, megapixels=megapixels)
