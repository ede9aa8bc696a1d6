"""Forecasts: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.parts import Live
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading, Task
from snowroll.prepare.look import Look
from snowroll.tasks.forecast.options import ForecastOptions, forecast_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.evaluate.background import Evidence, Passage
    from snowroll.prepare.view import View

Schema = Mapping[str, Json]
CAUTIONS = (
    "steps farther ahead than it was judged on, or series unlike those it learned from",
    "what never happened before: a band says what was usual",
    "alarms that a life depends on",
)


class Forecast(Task):
    """A sample is a window: so many rows of a series; its target what followed.

    A target is {"follows": [[value of each target column] of each step]}, null where nothing is known; those of a
    folder tell the seasonal naive's error there, too. A prediction has the same rows with a band, and the
    fences of alarms.
    """

    name = "forecast"
    kind = "window"
    Options = ForecastOptions
    headline = "skill"
    credited = "1 / (1 + MASE) of each window"
    pipeline = "time-series-forecasting"  # the model hubs' word
    wants = "put CSV, TSV, Parquet, JSON lines or NumPy files there: a column of times, and columns of numbers"
    reads = frozenset({"horizon", "context", "targets", "every"})
    in_pixels = True  # lines are thin: shown unshrunk
    legend = "The dark line is what came, the blue one the forecast, in its pale band."
    widget = Path(__file__).with_name("series.js")
    calibrates_from = 8
    ranges: Mapping[str, tuple[float, float]] = {
        "skill": (-inf, 1),
        "smape": (0, 2),
        **dict.fromkeys(("mase", "rmsse", "mae", "rmse", "width"), (0, inf)),
    }

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.forecast.reading import read_series

        return read_series(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """A table in the order of time is a series, unless words in it are there to be told."""
        files = reading.schema.get("files", ())
        if settings.label_column or settings.labels:
            return -9
        if any(f.get("words") for f in files):
            return -6
        return 0 if all(f.get("time") for f in files) else -7

    def samples_in(self, folder: Any, settings: Any) -> list[str]:
        from snowroll.tasks.forecast.reading import samples_in

        return samples_in(folder, settings)

    def holds_samples(self, name: str) -> bool:
        from snowroll.tasks.forecast.reading import holds_series

        return holds_series(name)

    def pieces(self, raw: bytes, names: Sequence[str]) -> Mapping[str, bytes]:
        from snowroll.tasks.forecast.windows import pieces

        return pieces(raw, names)

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        """All else is told by the folder."""
        return {"type": "forecast"}

    def problem(self, target: Json, schema: Schema) -> str | None:
        from snowroll.tasks.forecast.answers import fault_of

        return fault_of(target, schema)

    def look(self, raw: bytes, megapixels: float) -> Look:
        from snowroll.tasks.forecast.looking import look

        return look(raw, megapixels)

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.forecast.faults import series_faults

        return series_faults(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        return {"missing": float(columns["missing"].mean()) if len(targets) else 0.0}

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return forecast_plan(fingerprint)

    def encode(self, raw: bytes, options: ForecastOptions, megapixels: float) -> Columns:
        from snowroll.tasks.forecast.fitting import encoded

        return dict(encoded(raw, options, megapixels * 1e6))

    def pack_key(self, options: ForecastOptions) -> Json:
        from snowroll.tasks.forecast.fitting import key_of

        return key_of(options)

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        from snowroll.tasks.forecast.training import encode_targets

        return encode_targets(list(targets), schema)

    def teaches(self, targets: Sequence[Json], options: ForecastOptions) -> np.ndarray:
        """Windows that tell what came, less than half of it odd."""
        from snowroll.tasks.forecast.training import taught

        return taught(targets)

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        from snowroll.tasks.forecast.training import as_batch

        return as_batch(columns, ids)

    def augment(self, batch: Batch, draw: Draw, options: ForecastOptions) -> Batch:
        from snowroll.tasks.forecast.training import augment

        return augment(batch, draw, options)

    # 2 design

    def build(self, options: ForecastOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.forecast.model import Forecaster

        return Forecaster(options, schema)

    def start(self, model: nn.Module, batch: Batch, targets: Columns, options: ForecastOptions) -> None:
        from snowroll.tasks.forecast.training import begin

        begin(model, batch)

    def ensemble(self, models: Sequence[nn.Module]) -> nn.Module:
        """The models of the folds as one: the mean of their quantiles."""
        from snowroll.tasks.forecast.model import Together

        return Together(list(models))

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: ForecastOptions) -> Tensor:
        from snowroll.tasks.forecast.training import loss

        return loss(model, batch, options)

    def loss_at_init(self, schema: Schema, options: ForecastOptions) -> float | None:
        return None

    def calibrate(self, outputs: Any, targets: Any, options: ForecastOptions) -> Json:
        from snowroll.tasks.forecast.calibrating import fences

        return fences(outputs, targets, options)

    def calibrated(self, model: nn.Module, calibration: Json) -> nn.Module:
        from snowroll.tasks.forecast.model import Calibrated

        return Calibrated(model, calibration)

    # 4 evaluate

    def postprocess(self, outputs: Any, options: ForecastOptions) -> Mapping[str, Tensor]:
        return {
            "follows": outputs.middle,
            "low": outputs.low,
            "high": outputs.high,
            "fence_low": outputs.fence_low,
            "fence_high": outputs.fence_high,
            "size": outputs.size,
        }

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: ForecastOptions) -> list[Prediction]:
        from snowroll.tasks.forecast.answers import decode

        return decode(outputs, schema)

    def at_length(
        self, model: Any, batch: Batch, said: Sequence[Prediction], schema: Schema, options: ForecastOptions
    ) -> list[Prediction]:
        """Rows that came beside what was forecast of them; without them the forecast, from its time on."""
        from snowroll.tasks.forecast.answers import judged

        given = {name: getattr(batch.inputs, name).cpu().numpy() for name in ("came", "step", "row", "at_ms")}
        return judged(said, given, schema)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.forecast.scoring import scorer

        return scorer(predictions, targets, schema)

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.forecast.scoring import credit

        return credit(predictions, targets)

    def floor(
        self, columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray], schema: Schema
    ) -> tuple[float, str]:
        """The best of three forecasts that learn nothing, on the test's windows."""
        from snowroll.tasks.forecast.floor import by_repeating

        return by_repeating(columns, targets, rows, schema)

    def strata(self, targets: Sequence[Json]) -> list[str]:
        return [str(target.get("series", "others")) for target in targets]

    def of_classes(self, targets: Sequence[Json]) -> list[str]:
        """A series is no class."""
        return ["window"] * len(targets)

    def details(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema, groups: Sequence[str]
    ) -> dict[str, Any]:
        from snowroll.tasks.forecast.scoring import WORDS

        return {"words": WORDS, "pictured": "windows"}

    def explained(self, evidence: Evidence) -> Iterable[Passage]:
        from snowroll.tasks.forecast.explaining import explained

        return explained(evidence)

    def sliced(self, looks: Sequence[Any], schema: Schema) -> Mapping[str, Sequence[object]]:
        from snowroll.tasks.forecast.explaining import sliced

        return sliced(looks, schema)

    def words(self, value: Json) -> str:
        from snowroll.tasks.forecast.answers import words

        return words(value)

    def same(self, one: Prediction, other: Prediction) -> float:
        from snowroll.tasks.forecast.answers import same

        return same(one, other)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from math import inf

        from snowroll.tasks.forecast.drawing import drawn
        from snowroll.tasks.forecast.windows import open_window

        return drawn(open_window(raw, inf), target, prediction, schema)

    def show(self, batch: Batch, row: int, schema: Schema, options: ForecastOptions) -> Image:
        """The columns as the network sees them, and what followed."""
        from snowroll.tasks.forecast.looking import shown

        return shown(batch.inputs.past[row], None if batch.targets is None else batch.targets.follows[row])

    def cautions(self, schema: Schema, options: ForecastOptions) -> list[str]:
        return list(CAUTIONS)

    # 5 deploy

    def live(self, rate_hz: float, channels: Sequence[str], options: ForecastOptions) -> Live:
        from snowroll.tasks.forecast.monitor import Monitor

        return Monitor(rate_hz, channels, options)

    def deployable(self, model: nn.Module, options: ForecastOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.forecast.deploying import deployable

        return deployable(model, partial(self.postprocess, options=options), options, schema)

    def open_raw(self, raw: bytes, options: ForecastOptions, megapixels: float) -> np.ndarray:
        """float32 [L, C]: the past."""
        from snowroll.tasks.forecast.fitting import past_of

        return past_of(raw, options, megapixels * 1e6)
