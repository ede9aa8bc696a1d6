"""A model file as the server runs it: two onnxruntime graphs cut from the one file, in one immutable value.

A request captures its `Loaded` once, so that a hot swap can never mix two models in one answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from snowroll.base.device import cores
from snowroll.base.errors import DataError, SnowrollError
from snowroll.base.nouns import Json, Prediction
from snowroll.deploy.export import facts, read, split

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

OpenRaw = Callable[[bytes], np.ndarray]  # one request's bytes -> the raw array; DataError when they cannot be read
Answer = Callable[[Mapping[str, np.ndarray]], list[Prediction]]  # outputs, first axis B -> B predictions

_BIG = 24_000_000  # values in a raw array; above it (8 megapixels) one at a time, for the float copy is four times that


@dataclass(frozen=True, eq=False, slots=True)
class Example:
    """One input and what the exported file must answer: kept beside the model, checked before it serves."""

    raw: bytes
    outputs: Mapping[str, np.ndarray]  # without the batch axis


@dataclass(frozen=True, eq=False, slots=True)
class Loaded:
    """A model ready to answer. Safe to use from several threads."""

    id: str
    facts: Mapping[str, str]  # the file's metadata
    labels: tuple[str, ...]  # class names in the order of the scores; empty where the task has none
    open_raw: OpenRaw
    answer: Answer
    _prepare: InferenceSession
    _body: InferenceSession
    _names: tuple[str, ...]
    examples: tuple[Example, ...] = ()
    _one_big: Lock = field(default_factory=Lock)

    def prepare(self, raw: bytes) -> np.ndarray:
        """One request's bytes -> [1, ...], ready for the body. Raises DataError when they cannot be read."""
        array = self.open_raw(raw)
        if array.size < _BIG:
            return self._prepared(array)
        with self._one_big:
            return self._prepared(array)

    def _prepared(self, array: np.ndarray) -> np.ndarray:
        return self._prepare.run(None, {self._prepare.get_inputs()[0].name: array})[0]  # type: ignore[return-value]

    def run(self, prepared: np.ndarray) -> dict[str, np.ndarray]:
        """prepared: [B, ...]. Returns the outputs by name, first axis B."""
        values: Sequence[Any] = self._body.run(self._names, {"prepared": prepared})
        return dict(zip(self._names, values, strict=True))

    def predict(self, raws: Sequence[bytes]) -> list[Prediction]:
        """Without a queue, for callers that are not servers."""
        return self.answer(self.run(np.concatenate([self.prepare(raw) for raw in raws])))


def load(
    model: bytes, id: str, open_raw: OpenRaw, answer: Answer, threads: int = 0, examples: Sequence[Example] = ()
) -> Loaded:
    """The file's bytes as a model. threads: of the body, 0 for all cores. Raises DataError for any unusable file."""
    whole = read(model)
    prepare, body = split(whole)
    halves = _session(prepare, 1), _session(body, threads or cores())
    names = tuple(value.name for value in halves[1].get_outputs())
    told = facts(whole)
    labels = tuple(json.loads(told.get("labels", "[]")))
    return Loaded(id, told, labels, open_raw, answer, *halves, names, tuple(examples))


def _session(graph: bytes, threads: int) -> InferenceSession:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # idle threads must sleep: spinning takes the cores from decoding and from the event loop
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as fault:  # onnxruntime's exceptions share no base class of their own
        told = str(fault).strip().splitlines()[0][:200]
        raise DataError(f"onnxruntime refuses this model: {told}", cure="export it again") from fault


def self_test(model: Loaded, tolerance: float = 1e-3) -> None:
    """Raises DataError unless the model answers its stored examples as it did when it was exported.

    Each example alone and all in one batch, outputs finite, within `tolerance` of the stored ones; a prediction a row.
    """
    examples = model.examples
    if not examples:
        raise DataError("the model has no stored examples to be tested on", where=model.id, cure="export it again")
    try:
        rows = [model.prepare(example.raw) for example in examples]
        together = model.run(np.concatenate(rows))
        answers = model.answer(together)
        alone = [model.run(row) for row in rows]
    except SnowrollError:
        raise
    except Exception as fault:  # a graph of the wrong shape fails in ways onnxruntime does not name
        raise DataError(f"the model fails on its stored examples ({fault})", where=model.id) from fault
    if len(answers) != len(examples):
        raise DataError(f"{len(answers)} answers to {len(examples)} examples", where=model.id)
    for row, example in enumerate(examples):
        for name, expected in example.outputs.items():
            if name not in together:
                raise DataError(f"the model has no output '{name}'", where=model.id)
            for got in (together[name][row], alone[row][name][0]):
                _must_agree(got, expected, tolerance, f"{model.id}: example {row}, {name}")


def _must_agree(got: np.ndarray, expected: np.ndarray, tolerance: float, where: str) -> None:
    if got.shape != expected.shape or not np.isfinite(got).all():
        raise DataError(f"shape {got.shape} or its values are not what was exported", where=where)
    worst = float(np.abs(got - expected).max(initial=0.0))
    if worst > tolerance:
        raise DataError(f"differs by {worst:.2g} from what was exported (at most {tolerance:g})", where=where)


def examples_of(model: Loaded, raws: Sequence[bytes]) -> list[Example]:
    """What to store beside a freshly exported model."""
    return [Example(raw, {name: value[0] for name, value in model.run(model.prepare(raw)).items()}) for raw in raws]


def described(model: Loaded) -> dict[str, Json]:
    """What `GET /v1/model` tells: the id and the file's metadata, JSON where it is JSON."""
    told: dict[str, Json] = {"id": model.id}
    for key, value in model.facts.items():
        try:
            told[key] = json.loads(value) if value[:1] in "[{" else value
        except ValueError:
            told[key] = value
    return told
