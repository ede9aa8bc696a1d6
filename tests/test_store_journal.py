"""The journal: whoever changes a row is found, and the tables can be told from it alone."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, text

from snowroll.base.errors import StoreError
from snowroll.base.nouns import Record, Sample
from snowroll.store import changes, erase, journal, replay, tables
from snowroll.store.files import Blobs
from snowroll.store.rows import Label, Queued, as_row

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@contextmanager
def memory() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as conn:
        tables.metadata.create_all(conn)
        yield conn
    engine.dispose()


TAMPER = [
    "UPDATE journal SET kind = kind || 'x' WHERE seq = :n",
    "UPDATE journal SET body = body || ' ' WHERE seq = :n",
    "UPDATE journal SET at = at + 1 WHERE seq = :n",
    "UPDATE journal SET hash = replace(hash, substr(hash, 1, 1), 'z') WHERE seq = :n",
    "UPDATE journal SET seq = 1000 WHERE seq = :n",
    "UPDATE journal SET body = (SELECT body || '' FROM journal j WHERE j.seq = :n + 1), kind = 'other' WHERE seq = :n",
    "DELETE FROM journal WHERE seq = :n",  # never the last row here: that is for `replay`
]


@given(bodies=st.lists(json_values, min_size=2, max_size=8), data=st.data())
@settings(max_examples=60)
def test_a_row_changed_anywhere_is_found_there(bodies: list[object], data: st.DataObject) -> None:
    with memory() as conn:
        for number, body in enumerate(bodies, 1):
            assert journal.append(conn, "seen", body, at=float(-number)) == number
        assert journal.verify(conn) is None
        victim = data.draw(st.integers(1, len(bodies) - 1))
        conn.execute(text(data.draw(st.sampled_from(TAMPER))), {"n": victim})
        assert journal.verify(conn) == victim


@given(bodies=st.lists(json_values, max_size=6))
@settings(max_examples=30)
def test_what_is_told_is_what_was_written(bodies: list[object]) -> None:
    with memory() as conn:
        for body in bodies:
            journal.append(conn, "seen", body, at=0.0)
        assert [entry.body for entry in journal.entries(conn)] == bodies


@pytest.mark.parametrize("body", [float("nan"), {"x": float("inf")}, {"x": object()}])
def test_the_journal_refuses_what_is_not_json(body: object) -> None:
    with memory() as conn, pytest.raises(StoreError, match="cannot be stored"):
        journal.append(conn, "seen", body, at=0.0)


# --- rebuild: any history of changes, told twice --------------------------------------------------------------------

THINGS = 4


def content(n: int) -> str:
    return hashlib.sha256(bytes([n])).hexdigest()


def sample(n: int) -> Sample:
    """Even ones lie in the user's folder, odd ones came from production."""
    where = f"blob:{content(n)}" if n % 2 else f"cat/{n}.png"
    return Sample(
        Sample.name(where, content(n)), where, content(n), "image", origin="production" if n % 2 else "collected"
    )


def act(conn: Connection, action: str, n: int, step: int) -> None:
    """One change; one that cannot be made (a label of an unknown sample) must leave no trace."""
    try:
        with conn.begin_nested():
            _act(conn, action, n, step)
    except StoreError:
        pass


def _act(conn: Connection, action: str, n: int, step: int) -> None:
    at = float(step)
    if action == "sample":
        changes.put_samples(conn, [{**as_row(sample(n)), "retired": None}], at)
    elif action == "retire":
        changes.retire_samples(conn, [sample(n).id], "gone", at)
    elif action == "label":
        changes.put_label(conn, Label(f"click-{n}", sample(n).id, {"class": f"secret {n}"}, "ann", at, blind=True))
    elif action == "undo":
        changes.undo_label(conn, f"click-{n}", at)
    elif action == "record":
        changes.put_records(conn, [(Record(f"rec-{n}", "model", at, content(n), "cat", 0.5, 1, "ward 3"), 1)], at)
    elif action == "erase":
        erase.forget_input(conn, f"rec-{n}", Blobs(Path("unused")), at)
    elif action == "evict":
        erase.evict(conn, [f"rec-{n}"], Blobs(Path("unused")), at)
    elif action == "queue":
        changes.fill_queue(conn, [as_row(Queued(sample(n).id, "doubt", 0.5))] if known(conn, n) else [], at)
    elif action == "run":
        changes.new_run(conn, "train", lambda name: True, at)
    elif action == "pointer":
        changes.move_pointer(conn, "champion", str(n), {"step": step}, at)


def known(conn: Connection, n: int) -> bool:
    return bool(changes.by_key(conn, tables.samples.c.id, [sample(n).id]))


ACTIONS = ["sample", "retire", "label", "undo", "record", "erase", "evict", "queue", "run", "pointer"]
histories = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, THINGS - 1)), max_size=25)


@pytest.mark.slow
@given(history=histories)
@settings(max_examples=80)
def test_the_tables_can_be_rebuilt_from_the_journal(history: list[tuple[str, int]]) -> None:
    with memory() as conn:
        for step, (action, n) in enumerate(history):
            act(conn, action, n, step)
        assert journal.verify(conn) is None
        assert replay.told_by_journal(journal.entries(conn)) == replay.told_by_tables(conn)
        secrets = [f"secret {n}" for n in range(1, THINGS, 2)] + ["ward 3", *map(content, range(1, THINGS, 2))]
        bodies = "".join(conn.execute(text("SELECT body FROM journal")).scalars())
        assert not [secret for secret in secrets if secret in bodies]


TABLE_TAMPER = [
    "DELETE FROM labels WHERE client_id = 'click-0'",
    "UPDATE labels SET target = '\"dog\"' WHERE client_id = 'click-1'",
    "UPDATE labels SET undone = 1 WHERE client_id = 'click-0'",
    "UPDATE records SET prediction = '\"dog\"'",
    "DELETE FROM records",
    "UPDATE pointers SET value = '9'",
    "UPDATE samples SET retired = 'x'",
    "UPDATE runs SET status = 'done'",
    "DELETE FROM journal WHERE seq = (SELECT max(seq) FROM journal)",
]


@pytest.mark.parametrize("tamper", TABLE_TAMPER)
def test_a_table_changed_behind_the_journal_is_found(tamper: str) -> None:
    with memory() as conn:
        for action in ("sample", "label", "record", "run", "pointer"):
            for n in range(2):
                act(conn, action, n, 0)
        told = replay.told_by_journal(journal.entries(conn))
        assert replay.disagreements(told, replay.told_by_tables(conn)) == []
        assert conn.execute(text(tamper)).rowcount
        told = replay.told_by_journal(journal.entries(conn))
        assert replay.disagreements(told, replay.told_by_tables(conn))
