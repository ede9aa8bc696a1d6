"""Writing: the protocol's answers, each a few lines over the modules that do the work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import inf, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Choice, Fault, Json, Prediction
from snowroll.base.task import Columns, Deployable, Draw, Fingerprint, Reading, Task
from snowroll.prepare.look import Look
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.planning import write_plan

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

    from snowroll.prepare.view import View

Schema = Mapping[str, Json]


class WriteText(Task):
    """A sample is a passage of a text, its target the text that follows it; a request is a prompt.

    A target is that text, or {"follows": it, "letters": the passage's characters}. The schema is {"type": "text",
    "characters": all of them, in order}. An answer is the likeliest next token, at length a text; `likelihood` judges
    how well a model told the passage itself, character by character.
    """

    name = "write_text"
    kind = "passage"
    in_pixels = True  # a drawn passage is read: never shrunk
    Options = WriteOptions
    headline = "likelihood"
    pipeline = "text-generation"  # the model hubs' word
    credited = "the probability given to each character, as a geometric mean over the passage"
    wants = "put texts there (.txt, .md, ...), UTF-8; folders train/, val/, test/ are splits"
    in_order = True
    widget = Path(__file__).with_name("text.js")
    ranges: Mapping[str, tuple[float, float]] = {
        **dict.fromkeys(("nats_per_character", "bits_per_character", "nats_per_token"), (0, inf)),
        "perplexity": (1, inf),
    }

    # 1 prepare

    def recognise(self, folder: Any, settings: Any) -> Reading | None:
        from snowroll.tasks.write_text.reading import read_texts

        return read_texts(folder, settings)

    def particularity(self, reading: Reading, settings: Any) -> int:
        """Any text can be gone on with: whoever finds more in a folder is meant."""
        return -2

    def schema(self, targets: Iterable[Json]) -> dict[str, Json]:
        from snowroll.tasks.write_text.texts import letters_of

        known: set[str] = set().union(*map(letters_of, targets))
        return {"type": "text", "characters": "".join(sorted(known))}

    def problem(self, target: Json, schema: Schema) -> str | None:
        from snowroll.tasks.write_text.texts import fault_of

        return fault_of(target)

    def look(self, raw: bytes, megapixels: float) -> Look:
        from snowroll.tasks.write_text.looking import look

        return look(raw)

    def faults(self, view: View) -> Iterable[Fault]:
        from snowroll.tasks.write_text.faults import text_faults

        return text_faults(view)

    def facts(self, columns: Columns, targets: Sequence[Json], schema: Schema) -> dict[str, Json]:
        return {
            "characters": int(columns["characters"].sum()) if len(targets) else 0,
            "longest": int(columns["characters"].max()) if len(targets) else 1,
            "distinct": len(schema["characters"]),
        }

    def read_facts(self, raws: Iterable[bytes], options: WriteOptions) -> Mapping[str, Json]:
        from snowroll.tasks.write_text.planning import read_facts

        return read_facts(raws, options)

    def completed_schema(self, schema: Schema, options: WriteOptions) -> dict[str, Json]:
        """With the tokens of the run, so that whoever reads its answers can."""
        from snowroll.tasks.write_text.spelling import completed

        return {**schema, **completed(options)}

    def plan(self, fingerprint: Fingerprint) -> list[Choice]:
        return write_plan(fingerprint)

    def encode(self, raw: bytes, options: WriteOptions, megapixels: float) -> Columns:
        from snowroll.tasks.write_text.spelling import COLUMNS
        from snowroll.tasks.write_text.texts import PAD, START

        codes = self.open_raw(raw, options, megapixels)[-options.length :]
        framed = np.full(options.length + 1, PAD, np.int32)
        framed[0], framed[1 : len(codes) + 1] = START, codes
        return {COLUMNS[options.tokens]: framed}

    def pack_key(self, options: WriteOptions) -> Json:
        return [options.tokens, options.length, options.seal, *options.merges]

    def encode_targets(self, targets: Sequence[Json], schema: Schema, columns: Columns) -> Columns:
        from snowroll.tasks.write_text.spelling import spelled_out

        return spelled_out(targets, schema, columns)

    def batch(self, columns: Columns, ids: Tensor) -> Batch:
        from snowroll.tasks.write_text.training import as_batch

        return as_batch(columns, ids)

    def augment(self, batch: Batch, draw: Draw, options: WriteOptions) -> Batch:
        from snowroll.tasks.write_text.training import stretches

        return stretches(batch, draw, options)

    def thinned(self, batch: Batch, options: WriteOptions) -> Batch:
        from snowroll.tasks.write_text.training import beginnings

        return beginnings(batch, options)

    # 2 design

    def build(self, options: WriteOptions, schema: Schema) -> nn.Module:
        from snowroll.tasks.write_text.model import build

        return build(options, schema)

    # 3 train

    def loss(self, model: nn.Module, batch: Batch, options: WriteOptions) -> Tensor:
        from snowroll.tasks.write_text.training import loss

        return loss(model(batch.inputs).logits, batch.targets)

    def loss_at_init(self, schema: Schema, options: WriteOptions) -> float | None:
        from snowroll.tasks.write_text.spelling import vocabulary

        if options.tokens == "pieces":
            return None  # a ready-made model knows more than nothing
        return log(vocabulary(schema, options.tokens))

    # 4 evaluate

    def postprocess(self, outputs: Any, options: WriteOptions) -> Mapping[str, Tensor]:
        from snowroll.tasks.write_text.measuring import measured

        return measured(outputs)

    def decode(self, outputs: Mapping[str, np.ndarray], schema: Schema, options: WriteOptions) -> list[Prediction]:
        from snowroll.tasks.write_text.answers import read

        return read(outputs, schema, options)

    def scorer(
        self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema
    ) -> Callable[[np.ndarray | None], dict[str, float]]:
        from snowroll.tasks.write_text.scoring import scorer

        return scorer(predictions, targets)

    def credit(self, predictions: Sequence[Prediction], targets: Sequence[Json], schema: Schema) -> np.ndarray:
        from snowroll.tasks.write_text.scoring import credit

        return credit(predictions, targets)

    def floor(
        self, columns: Columns, targets: Columns, rows: Mapping[str, np.ndarray], schema: Schema
    ) -> tuple[float, str]:
        """The likelihood of the test's passages by n-grams of the training's, or by the base model as it was."""
        from snowroll.tasks.write_text.floor import floor

        return floor(columns, targets, rows, schema)

    def strata(self, targets: Sequence[Json]) -> list[str]:
        return ["text" for _ in targets]

    def text(self, raw: bytes) -> str:
        """As it is read in the report and on the label page."""
        from snowroll.prepare.texts import read_text

        return read_text(raw)

    def draw(self, raw: bytes, target: Json | None, prediction: Json | None, schema: Schema) -> Image:
        from snowroll.prepare.texts import read_text
        from snowroll.tasks.write_text.drawing import drawn

        return drawn(read_text(raw), target, prediction)

    def show(self, batch: Batch, row: int, schema: Schema, options: WriteOptions) -> Image:
        """The text of its tokens."""
        from snowroll.tasks.write_text.drawing import shown
        from snowroll.tasks.write_text.spelling import read_back

        return shown(read_back(batch.inputs[row].detach().cpu().numpy(), options.tokens, schema))

    def words(self, value: Json) -> str:
        """What follows, line ends and all, in one line."""
        from snowroll.tasks.write_text.texts import follows_of

        return repr(follows_of(value))[1:-1]

    def at_length(
        self, model: Any, batch: Batch, said: Sequence[Prediction], schema: Schema, options: WriteOptions
    ) -> list[Prediction]:
        """How each text goes on, in the place of its next token alone."""
        from snowroll.tasks.write_text.going_on import at_length

        return at_length(model, batch, said, schema, options)

    def closing(self, model: Any, line: str, schema: Schema, options: WriteOptions, seed: int) -> Iterator[str]:
        from snowroll.tasks.write_text.going_on import closing

        return closing(model, line, schema, options, seed)

    # 5 deploy

    @property
    def streams(self) -> Mapping[str, Callable[..., tuple[bytes, Iterator[Any]]]]:
        """Routes of its own on `serve`."""
        from snowroll.tasks.write_text.going_on import generate

        return {"/v1/generate": generate}

    def deployable(self, model: nn.Module, options: WriteOptions, schema: Schema) -> Deployable:
        from snowroll.tasks.write_text.deploying import deployable

        return deployable(model, partial(self.postprocess, options=options), options, schema)

    def open_raw(self, raw: bytes, options: WriteOptions, megapixels: float) -> np.ndarray:
        from snowroll.prepare.texts import read_text
        from snowroll.tasks.write_text.spelling import completed, spelt

        if len(raw) > megapixels * 4e6:
            raise DataError(f"a text of {len(raw):,} bytes is too large", cure="send its end, or raise the limit")
        return spelt(read_text(raw), options.tokens, completed(options))
