"""Whether a sentence asks or tells, from how often each letter follows each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import inf, log
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError, did_you_mean
from snowroll.base.nouns import Batch, Choice, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Found, Reading, Task
from snowroll.prepare.look import Look

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

LETTERS = " abcdefghijklmnopqrstuvwxyz?!.,'"  # 32 of them; any other character counts as a space
Schema = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Options:
    """The task's part of the Plan."""

    hidden: int = 32
    forget: float = 0.1  # share of the pairs that augmentation hides


class Questions(Task):
    """A target is "ask", "tell", or whatever the class folders are called."""

    name = "questions"
    kind = "sentence"
    Options = Options
    headline = "accuracy"
    ranges: Mapping[str, tuple[float, float]] = {"nll": (0, inf)}

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        texts = [entry.where for entry in folder.entries() if entry.where.endswith(".txt") and "/" in entry.where]
        found = tuple(Found(where, where.split("/")[-2]) for where in texts)
        classes = Counter(str(one.target) for one in found)
        told = ", ".join(f"{name} {n}" for name, n in sorted(classes.items()))
        return Reading("class folders of texts", (f"{len(found)} .txt files: {told}",), found) if found else None

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        return {"type": "choice", "classes": sorted({str(target) for target in targets})}

    def problem(self, target: Json, schema: Schema) -> str | None:
        known = schema["classes"]
        return None if target in known else f"unknown kind '{target}'; {did_you_mean(str(target), known)}"

    def look(self, raw: bytes, megapixels: float) -> Look:
        try:
            pairs = count_pairs(letters(raw))
        except DataError as fault:
            return Look(len(raw), reason=fault.what)
        grey = (np.sqrt(pairs / pairs.max()) * 255).astype(np.uint8)
        side, spread = len(raw), float(grey.std() / 255)
        thumbnail = np.repeat(grey[..., None], 3, axis=2)
        return Look(len(raw), width=side, height=side, contrast=spread, sharpness=1.0, thumbnail=thumbnail)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        return {"letters": int(np.median(columns["width"]))}

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return [
            Choice("train.optimizer", "adamw", "a small network without convolutions"),
            Choice("train.lr", 0.01, "a guess"),
            Choice("train.batch", 16, f"{fingerprint.n['train']} sentences"),
            Choice("train.steps", 100, "enough for a toy"),
        ]

    def encode(self, raw: bytes, options: Options, megapixels: float) -> Columns:
        return {"pairs": count_pairs(letters(raw))}

    def pack_key(self, options: Options) -> Json:
        return LETTERS

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        return {"kind": np.array([schema["classes"].index(target) for target in targets])}

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        return Batch(columns["pairs"].flatten(1), columns.get("kind"), ids)

    def augment(self, batch: Batch, draw: Draw, options: Options) -> Batch:
        kept = draw.uniform("forget", batch.inputs.shape[1]) >= options.forget
        return replace(batch, inputs=batch.inputs * kept)

    def build(self, options: Options, schema: Schema) -> nn.Module:
        from torch import nn

        width, classes = len(LETTERS) ** 2, len(schema["classes"])
        head = nn.Linear(options.hidden, classes)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        return nn.Sequential(nn.BatchNorm1d(width), nn.Linear(width, options.hidden), nn.ReLU(), head)

    def loss(self, model: nn.Module, batch: Batch, options: Options) -> Tensor:
        from torch.nn import functional as F

        return F.cross_entropy(model(batch.inputs), batch.targets, reduction="none")

    def loss_at_init(self, schema: Schema, options: Options) -> float | None:
        return log(len(schema["classes"]))

    def postprocess(self, outputs: Tensor, options: Options) -> Mapping[str, Tensor]:
        return {"probabilities": outputs.float().softmax(dim=1)}

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: Options) -> list[Prediction]:
        return [
            Prediction(schema["classes"][int(row.argmax())], float(row.max()), float(2 - 2 * row.max()), row)
            for row in np.clip(outputs["probabilities"], 0, 1)
        ]

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        right = self.credit(predictions, targets, schema)
        return lambda counts: {"accuracy": float(np.average(right, weights=counts))}

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        return np.array([float(p.value == target) for p, target in zip(predictions, targets, strict=True)])

    def strata(self, targets: Sequence[Json]) -> list[str]:
        return [str(target) for target in targets]

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from PIL import Image, ImageDraw

        page = Image.new("RGB", (320, 60), "white")
        ImageDraw.Draw(page).text((8, 8), f"{raw.decode(errors='replace')}\n{target or ''} {prediction or ''}", "black")
        return page

    def show(self, batch: Batch, row: int, schema: Schema, options: Options) -> Image:
        from PIL import Image

        pairs = batch.inputs[row].reshape(len(LETTERS), -1)
        return Image.fromarray((pairs / pairs.max() * 255).byte().numpy())

    def deployable(self, model: nn.Module, options: Options, schema: Schema) -> Deployable:
        import torch

        from .deploying import Body, Pairs

        return Deployable(
            prepare=Pairs(),
            body=Body(model, partial(self.postprocess, options=options)),
            raw_example=torch.arange(40) % len(LETTERS),
            raw_name="letters",
            raw_axes={0: "length"},
            output_names=("probabilities",),
            contract={"input": f"letters: int64 [length], places in {LETTERS!r}", "classes": list(schema["classes"])},
        )

    def open_raw(self, raw: bytes, options: Options, megapixels: float) -> np.ndarray:
        return letters(raw)


def letters(raw: bytes) -> np.ndarray:
    """The text as places in LETTERS, int64 [length]. Raises DataError where the bytes are no text."""
    try:
        text = raw.decode("utf-8").strip().lower()
    except UnicodeDecodeError:
        raise DataError("not UTF-8 text", cure="save it as UTF-8") from None
    if len(text) < 2 or not text.isprintable():
        raise DataError("too short, or no printable text", cure="write a sentence")
    return np.array([max(0, LETTERS.find(letter)) for letter in text])


def count_pairs(places: np.ndarray) -> np.ndarray:
    """Share of the text that each pair of neighbours makes up: float32 [32, 32]."""
    known = np.eye(len(LETTERS), dtype=np.float32)[places]
    return known[:-1].T @ known[1:] / np.float32(len(places) - 1)
