"""What a person is asked, in which words, and how their answers become labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, select

from snowroll.base.listing import in_order
from snowroll.base.nouns import Json, Record, Sample, digest
from snowroll.base.parts import own
from snowroll.project.labels import said_now
from snowroll.project.looks import look_at
from snowroll.project.opened import Opened
from snowroll.store import changes, tables
from snowroll.store.rows import FOR_TEST, Label, as_json, noun

BLIND = 0.1  # share of the other items shown without a suggestion, so that "accepted" can be judged; a guess

NEW_CLASS = "reload the page; a new class is named in prepare.labels beside all others, and the page started again"

Suggestion = Json  # of a class: {name: share}; of other targets: the prediction, which is a valid target
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]


class Answer(BaseModel):
    """One decision as a client sends it."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    client_id: ClientId  # made by the client: sent twice is stored once
    sample: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    target: Json  # null: looked at, not sure
    ms: Annotated[float, Field(ge=0, le=86_400_000, allow_inf_nan=False)] = 0.0
    blind: bool = False  # no suggestion was shown


@dataclass(frozen=True, slots=True)
class Question:
    """One item of the queue as the page shows it."""

    sample: str
    why: str
    suggestion: Suggestion | None  # None: asked blind, or nothing is known
    blind: bool  # the suggestion is withheld on purpose


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of the answers sent together."""

    saved: list[str]  # client ids, durable now
    refused: list[dict[str, str]]  # {"client_id", "error", "cure"}: never to be sent again


def schema_of(opened: Opened) -> dict[str, Json]:
    """The label schema over the classes named in the settings, given by the folder, and given by people."""
    catalog = opened.store.catalog
    samples = catalog.samples().values()
    given = [sample.target for sample in samples]
    said = [label.target for label in said_now(opened, samples).labels.values()]
    told = opened.task.schema([*opened.prepare.labels, *(target for target in [*given, *said] if target is not None)])
    if "classes" in told:
        told["classes"] = in_order(told["classes"])
    story = catalog.story("layout") or {}  # what the folder alone tells: what the column to be filled in is called
    return {**{key: value for key, value in story.get("schema", {}).items() if key in ("target", "unit")}, **told}


def next_questions(opened: Opened, n: int, person: str, schema: dict[str, Json]) -> list[Question]:
    """The n most worthwhile questions that nobody else is looking at."""
    asked = opened.store.catalog.next_queued(n, person)
    samples = opened.store.catalog.samples([item.sample for item in asked])
    known = _suggestions(opened, [sample.content for sample in samples.values()], schema)
    stands = {} if schema["type"] == "choice" else _as_it_stands(opened, samples)
    questions = []
    for item in asked:
        # who is to mend one box of twenty must not draw the other nineteen again
        stand = None if item.why.startswith(FOR_TEST) else stands.get(item.sample)
        blind = stand is None and is_blind(item.sample, item.why)
        suggestion = stand if stand is not None else None if blind else known.get(samples[item.sample].content)
        questions.append(Question(item.sample, item.why, suggestion, blind))
    return questions


def is_blind(sample: str, why: str) -> bool:
    """Whether the suggestion is withheld: always for the locked test set, else by the sample's own draw."""
    return why.startswith(FOR_TEST) or int(digest("blind", sample), 16) / 2**64 < BLIND


def keep(opened: Opened, answers: Sequence[Answer], schema: dict[str, Json], person: str, at: float) -> Kept:
    """Make the answers durable, in one transaction. Sent again, they are acknowledged again and stored once.

    An answer is kept even if the queue was refilled without its sample meanwhile: nobody's work is thrown away.
    """
    catalog = opened.store.catalog
    samples = catalog.samples([answer.sample for answer in answers])
    whys, known = catalog.read(lambda conn: (_whys(conn, answers), _known(conn, answers)))
    labels: dict[str, Label] = {}
    kept = Kept([], [])
    complete = _completed(opened, samples)
    for answer in answers:
        for_test = whys.get(answer.sample, "").startswith(FOR_TEST)
        label = Label(
            answer.client_id, answer.sample, complete(answer), person, at, answer.ms, answer.blind or for_test, for_test
        )
        said = (label.sample, None if label.target is None else as_json(label.target, "target"))
        if answer.sample not in samples:
            kept.refused.append(_refusal(answer, "there is no such sample", "reload the page"))
        elif known.setdefault(answer.client_id, said) != said:
            kept.refused.append(_refusal(answer, "this id was used for another answer", "make a new id for each"))
        elif label.target is not None and (problem := opened.task.problem(label.target, schema)):
            kept.refused.append(_refusal(answer, problem, NEW_CLASS))
        else:
            labels[answer.client_id] = label
            kept.saved.append(answer.client_id)
    if labels:
        catalog.write(lambda conn: [_put(conn, label) for label in labels.values()])
    return kept


def _completed(opened: Opened, samples: Mapping[str, Sample]) -> Callable[[Answer], Json]:
    """An answer's target with what the task adds to it of the sample: a page knows pictures, not volumes."""
    complete = own(opened.task.completed)
    if complete is None:
        return lambda answer: answer.target
    looks = look_at(opened, list(samples.values()), lambda line: None)

    def whole(answer: Answer) -> Json:
        known = looks.get(answer.sample)
        return complete(answer.target, known) if known and not known.reason else answer.target

    return whole


def take_back(opened: Opened, client_id: str) -> str | None:
    """Take an answer back, so that its sample is asked for again. The sample; None if no such answer is known."""
    catalog = opened.store.catalog
    known = catalog.read(lambda conn: changes.by_key(conn, tables.labels.c.client_id, [client_id]))
    if not known:
        return None
    catalog.undo_label(client_id)
    return known[0]["sample"]


def counts(opened: Opened) -> dict[str, int]:
    """How many wait, how many of them for the locked test set, how many of the queue are answered."""
    table = tables.queue
    waits = table.c.answered.is_(None)

    def job(conn: Connection) -> dict[str, int]:
        def count(*where: object) -> int:
            return conn.execute(select(func.count()).select_from(table).where(*where)).scalar_one()  # type: ignore[arg-type]

        for_test = table.c.why.startswith(FOR_TEST)
        return {"left": count(waits), "for_test": count(waits, for_test), "done": count(~waits)}

    return opened.store.catalog.read(job)


def _as_it_stands(opened: Opened, samples: Mapping[str, Sample]) -> dict[str, Suggestion]:
    """Sample -> its label, where it has one: a person's, else the folder's."""
    said = said_now(opened, opened.store.catalog.samples().values()).labels
    given = {id: label.target for id, label in said.items() if label.target is not None and id in samples}
    return {id: sample.target for id, sample in samples.items() if sample.target is not None} | given


def _suggestions(opened: Opened, contents: Sequence[str], schema: dict[str, Json]) -> dict[str, Suggestion]:
    """Content -> what the model that answered in production said, where it is a valid target still."""
    rows = opened.store.catalog.read(lambda conn: changes.by_key(conn, tables.records.c.content, sorted(set(contents))))
    records = sorted((noun(Record, row) for row in rows), key=lambda record: record.at)
    return {
        record.content: {record.prediction: record.probability} if schema["type"] == "choice" else record.prediction
        for record in records
        if opened.task.problem(record.prediction, schema) is None
    }


def _whys(conn: Connection, answers: Sequence[Answer]) -> dict[str, str]:
    rows = changes.by_key(conn, tables.queue.c.sample, sorted({answer.sample for answer in answers}))
    return {row["sample"]: row["why"] for row in rows}


def _known(conn: Connection, answers: Sequence[Answer]) -> dict[str, tuple[str, str | None]]:
    """Client id -> (sample, target as JSON text) of what is stored already."""
    rows = changes.by_key(conn, tables.labels.c.client_id, sorted({answer.client_id for answer in answers}))
    return {row["client_id"]: (row["sample"], row["target"]) for row in rows}


def _put(conn: Connection, label: Label) -> None:
    if not changes.by_key(conn, tables.labels.c.client_id, [label.client_id]):
        changes.put_label(conn, label)


def _refusal(answer: Answer, error: str, cure: str) -> dict[str, str]:
    return {"client_id": answer.client_id, "error": error, "cure": cure}
