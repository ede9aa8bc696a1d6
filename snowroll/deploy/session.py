"""A model file as the server runs it: two onnxruntime graphs cut from the one file, in one immutable value.

A request captures its `Loaded` once, so that a hot swap can never mix two models in one answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
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

    from snowroll.deploy.steps import StepFile

# one request's bytes -> the raw array, or several; DataError when they cannot be read
OpenRaw = Callable[[bytes], np.ndarray | Sequence[np.ndarray]]
Prepared = Mapping[str, np.ndarray]  # what lies between the halves, by name: [B, ...]
Answer = Callable[[Mapping[str, np.ndarray]], list[Prediction]]  # outputs, first axis B -> B predictions

# How far two answers are the same, in [0, 1], where outputs cannot be set side by side number by number: objects in
# the order of their scores.
Same = Callable[[Prediction, Prediction], float]

# (model, what was asked) -> the sample's bytes, as a file would hold them, and the answer in pieces: JSON values, at
# last a Prediction. DataError for what cannot be answered.
Stream = Callable[["Loaded", Json], tuple[bytes, Iterator[Any]]]

ALIKE = 0.9  # of two answers, below which they are two: a guess
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
    same: Same | None = None
    streams: Mapping[str, Stream] = field(default_factory=dict)  # by route
    step: StepFile | None = None  # the network that remembers, for streams
    _one_big: Lock = field(default_factory=Lock)

    def prepare(self, raw: bytes) -> Prepared:
        """One request's bytes -> one row, ready for the body. Raises DataError when they cannot be read."""
        opened = self.open_raw(raw)
        arrays = [opened] if isinstance(opened, np.ndarray) else list(opened)
        if sum(array.size for array in arrays) < _BIG:
            return self.prepared(arrays)
        with self._one_big:
            return self.prepared(arrays)

    def prepared(self, arrays: Sequence[np.ndarray]) -> Prepared:
        """One row of raw arrays that were opened already."""
        given = {taken.name: array for taken, array in zip(self._prepare.get_inputs(), arrays, strict=True)}
        values: Sequence[Any] = self._prepare.run(None, given)
        return {made.name: value for made, value in zip(self._prepare.get_outputs(), values, strict=True)}

    def run(self, prepared: Prepared) -> dict[str, np.ndarray]:
        """The outputs by name, first axis B."""
        values: Sequence[Any] = self._body.run(self._names, dict(prepared))
        return dict(zip(self._names, values, strict=True))

    def predict(self, raws: Sequence[bytes]) -> list[Prediction]:
        """Without a queue, for callers that are not servers."""
        return self.answer(self.run(together([self.prepare(raw) for raw in raws])))


def together(rows: Sequence[Prepared]) -> Prepared:
    """Prepared samples as one batch."""
    return rows[0] if len(rows) == 1 else {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def load(
    model: bytes,
    id: str,
    open_raw: OpenRaw,
    answer: Answer,
    same: Same | None = None,
    threads: int = 0,
    examples: Sequence[Example] = (),
    streams: Mapping[str, Stream] | None = None,
    step: StepFile | None = None,
) -> Loaded:
    """The file's bytes as a model. threads: of the body, 0 for all cores. Raises DataError for any unusable file."""
    whole = read(model)
    prepare, body = split(whole)
    halves = session_of(prepare, 1), session_of(body, threads or cores())
    names = tuple(value.name for value in halves[1].get_outputs())
    told = facts(whole)
    labels = tuple(json.loads(told.get("labels", "[]")))
    return Loaded(id, told, labels, open_raw, answer, *halves, names, tuple(examples), same, streams or {}, step)


def session_of(graph: bytes, threads: int) -> InferenceSession:
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
        whole = model.run(together(rows))
        answers = model.answer(whole)
        alone = [model.run(row) for row in rows]
    except SnowrollError:
        raise
    except Exception as fault:  # a graph of the wrong shape fails in ways onnxruntime does not name
        raise DataError(f"the model fails on its stored examples ({fault})", where=model.id) from fault
    if len(answers) != len(examples):
        raise DataError(f"{len(answers)} answers to {len(examples)} examples", where=model.id)
    if model.same is not None:
        _must_say_the_same(model, model.same, examples, answers, alone)
        return
    for row, example in enumerate(examples):
        for name, expected in example.outputs.items():
            if name not in whole:
                raise DataError(f"the model has no output '{name}'", where=model.id)
            for got in (whole[name][row], alone[row][name][0]):
                _must_agree(got, expected, tolerance, f"{model.id}: example {row}, {name}")


def _must_say_the_same(
    model: Loaded,
    same: Same,
    examples: Sequence[Example],
    answers: Sequence[Prediction],
    alone: Sequence[Mapping[str, np.ndarray]],
) -> None:
    stored = [model.answer({k: v[None] for k, v in example.outputs.items()})[0] for example in examples]
    for row, (expected, said, by_itself) in enumerate(zip(stored, answers, alone, strict=True)):
        least = min(same(said, expected), same(model.answer(by_itself)[0], expected))
        if least < ALIKE:
            told = f"{model.id}: example {row}"
            raise DataError(f"says {least:.0%} of what was exported (at least {ALIKE:.0%})", where=told)


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
