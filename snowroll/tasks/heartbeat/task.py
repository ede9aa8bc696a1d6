"""Heartbeats and other series: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.parts import Live
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading
from snowroll.evaluate.choices import OneOfClasses, numbers_of, scores_of
from snowroll.evaluate.choices import details as class_details
from snowroll.prepare.look import Look
from snowroll.tasks.heartbeat.beats import WORDS
from snowroll.tasks.heartbeat.options import HeartbeatOptions, heartbeat_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]

CAUTIONS = (
    "diagnosis or treatment without a physician: it is no medical device, and nobody has approved it",
    "alarms that a life depends on",
    "recorders, leads and patients unlike those it learned from: measure first",
)
METRICS = {
    "macro_f1": "mean over the classes that occur of F1 (sensitivity and positive predictivity in one)",
    "kappa": "agreement beyond chance (Cohen): 1 is perfect, 0 is chance",
    "j_kappa": "half of kappa and an eighth of the sum of sensitivity and +P of S and V (Mar et al. 2011)",
}


class Heartbeats(OneOfClasses):
    """A target is a class name; a sample is one beat of a record, or a whole recording."""

    name = "heartbeat"
    kind = "trace"
    Options = HeartbeatOptions
    headline = "macro_f1"
    credited = "right or wrong"
    in_pixels = True  # a wave is read by its shape: shown unshrunk
    reads = frozenset({"windows"})
    pipeline = "other"  # the model hubs have no word for it
    wants = "put WFDB records (.hea, .dat, .atr) there, or CSV, NumPy or EDF files in class folders or with a manifest"
    ranges: Mapping[str, tuple[float, float]] = {"nll": (0, inf), "kappa": (-1, 1), "j_kappa": (-0.5, 1)}

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.heartbeat.reading import read_recordings

        return read_recordings(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """Arrays in class folders may be pictures as well; what is read here is narrow enough to be a series. Flags of
        rows are what a forecast is judged by, where there are times."""
        from snowroll.tasks.heartbeat.windows import FLAGS

        if reading.layout == FLAGS:
            return -1
        return 1 if any(found.target is not None for found in reading.found) else 0

    def samples_in(self, folder: Any, settings: Any) -> list[str]:
        from snowroll.tasks.heartbeat.reading import samples_in

        return samples_in(folder, settings)

    def holds_samples(self, name: str) -> bool:
        return name.lower().endswith((".npy", ".ts", ".txt"))

    def pieces(self, raw: bytes, names: Sequence[str]) -> Mapping[str, bytes]:
        from snowroll.tasks.heartbeat.beats import pieces

        return pieces(raw, names)

    def cleaned(self, raw: bytes) -> bytes:
        from snowroll.tasks.heartbeat.beats import cleaned

        return cleaned(raw)

    def look(self, raw: bytes, megapixels: float) -> Look:
        from snowroll.tasks.heartbeat.looking import look

        return look(raw, megapixels)

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.heartbeat.faults import series_faults

        return series_faults(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        from snowroll.tasks.heartbeat.facts import series_facts

        return series_facts(columns, targets)

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return heartbeat_plan(fingerprint)

    def encode(self, raw: bytes, options: HeartbeatOptions, megapixels: float) -> Columns:
        from snowroll.tasks.heartbeat.fitting import encoded, raw_of

        return encoded(raw_of(raw, options, megapixels * 1e6), options)

    def pack_key(self, options: HeartbeatOptions) -> Json:
        from snowroll.tasks.heartbeat.fitting import key_of

        return key_of(options)

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        from snowroll.tasks.heartbeat.model import Inputs

        return Batch(Inputs(columns["trace"], columns["timing"]), columns.get("class"), ids)

    def augment(self, batch: Batch, draw: Draw, options: HeartbeatOptions) -> Batch:
        from snowroll.tasks.heartbeat.training import augment

        return augment(batch, draw, options)

    # 2 design

    def build(self, options: HeartbeatOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.heartbeat.model import Heartbeat

        return Heartbeat(options, len(schema["classes"]))

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: HeartbeatOptions) -> None:
        """Before the first step: the class shares as the head's bias, and the weight of each class."""
        from snowroll.tasks.heartbeat.model import Heartbeat
        from snowroll.tasks.heartbeat.training import begin

        assert isinstance(model, Heartbeat)
        begin(model, targets["class"], options)

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """The models of the folds as one: the mean of their probabilities."""
        from snowroll.design.ensemble import Ensemble

        return Ensemble(models)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: HeartbeatOptions) -> Tensor:
        from snowroll.tasks.heartbeat.training import loss

        return loss(model, batch, options)

    # 4 evaluate

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.evaluate.agreement import scorer

        said = numbers_of([prediction.value for prediction in predictions], schema)
        return scorer(scores_of(predictions, schema), numbers_of(targets, schema), said, schema["classes"])

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        of_one = {
            name: told
            for one in schema["classes"]
            for name, told in (
                (f"f1 {one}", f"sensitivity and +P of {self.words(one)} in one"),
                (f"sensitivity {one}", f"of those that are {one}, how many are found"),
                (f"+P {one}", f"of what is called {one}, how many are"),
            )
        }
        words = {**METRICS, **of_one}
        return {"words": words, **class_details(predictions, numbers_of(targets, schema), schema, groups)}

    def words(self, value: Json) -> str:
        return f"{value} ({WORDS[value]})" if value in WORDS else str(value)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.tasks.heartbeat.looking import drawn

        return drawn(raw, target, prediction)

    def show(self, batch: Batch, row: int, schema: Schema, options: HeartbeatOptions) -> Image:
        """The leads as the network sees them."""
        from snowroll.tasks.heartbeat.looking import shown

        return shown(batch.inputs.trace[row])

    def cautions(self, schema: Schema, options: HeartbeatOptions) -> list[str]:
        return list(CAUTIONS)

    # 5 deploy

    def live(self, rate_hz: float, channels: Sequence[str], options: HeartbeatOptions) -> Live:
        from snowroll.tasks.heartbeat.monitor import Monitor

        return Monitor(rate_hz, channels)

    def deployable(self, model: nn.Module, options: HeartbeatOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.heartbeat.deploying import deployable

        return deployable(model, partial(self.postprocess, options=options), options, schema)

    def open_raw(self, raw: bytes, options: HeartbeatOptions, megapixels: float) -> list[np.ndarray]:
        """The arrays of fitting.Raw."""
        from snowroll.tasks.heartbeat.fitting import raw_of

        return list(raw_of(raw, options, megapixels * 1e6))
