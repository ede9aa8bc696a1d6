"""The catalog's tables: facts, one row each. SQLAlchemy Core, nothing that only SQLite understands.

JSON is kept as text in its canonical spelling; truth values as 0 and 1; times as UTC seconds, informational only.
Order comes from `journal.seq`, never from the clock.
"""

from __future__ import annotations

from sqlalchemy import REAL, Column, Double, ForeignKey, Index, Integer, MetaData, Table, Text

SCHEMA = 1  # raised with every change of these tables; a newer project is refused, an older one migrated

metadata = MetaData()

_real = Double().with_variant(REAL(), "sqlite")  # a STRICT table knows REAL only; eight bytes in both


def _table(name: str, *columns: Column | Index) -> Table:
    # STRICT: a text in a number's column is refused instead of stored
    return Table(name, metadata, *columns, sqlite_strict=True)


def _text(name: str, *more: ForeignKey, key: bool = False, null: bool = False) -> Column:
    return Column(name, Text, *more, primary_key=key, nullable=null, quote=True)


def _int(name: str, key: bool = False, null: bool = False) -> Column:
    return Column(name, Integer, primary_key=key, nullable=null, autoincrement=False)


def _num(name: str, null: bool = False) -> Column:
    return Column(name, _real, nullable=null)


about = _table("about", _text("key", key=True), _text("value"))

journal = _table(
    "journal",
    _int("seq", key=True),
    _text("kind"),
    _text("body"),  # canonical JSON: ids and salted hashes, never the content of a production input
    _num("at"),
    _text("hash"),  # SHA-256 over the hash before and this row
)

samples = _table(
    "samples",
    _text("id", key=True),
    _text("where"),
    _text("content"),
    _text("kind"),
    _text("target", null=True),
    _text("group", null=True),
    _text("split", null=True),
    _text("origin"),
    _num("weight"),
    _text("retired", null=True),  # why it is no longer offered: the file vanished or was changed in place
    Index("samples_by_where", "where"),
    Index("samples_by_content", "content"),
)

labels = _table(
    "labels",
    _text("client_id", key=True),  # made by the client: saying it twice is saying it once
    _text("sample", ForeignKey("samples.id")),
    _text("target", null=True),  # null: looked at, cannot tell
    _text("by"),
    _num("at"),
    _num("ms"),  # how long the person looked
    _int("blind"),  # 1: no suggestion was shown
    _int("for_test"),  # 1: belongs to the locked test set
    _text("salt"),
    _int("seq"),  # the journal row that tells of it; the latest label of a sample counts
    _int("undone"),
    Index("labels_by_sample", "sample", "seq"),
)

queue = _table(
    "queue",
    _text("sample", ForeignKey("samples.id"), key=True),
    _text("why"),
    _num("place"),  # smaller is asked first
    _num("served", null=True),  # when it was last shown
    _text("served_to", null=True),
    _text("answered", null=True),  # client id of the label
    Index("queue_by_place", "place"),
)

versions = _table(
    "versions",
    _text("id", key=True),
    _text("blob"),  # the manifest
    _text("parent", null=True),
    _int("n"),
    _num("at"),
    _int("redacted"),  # 1: an input was forgotten, so the manifest no longer hashes to the id
)

runs = _table(
    "runs",
    _int("number", key=True),
    Column("folder", Text, nullable=False, unique=True),  # "0007-train"
    _text("kind"),
    _text("version", ForeignKey("versions.id"), null=True),
    _text("plan", null=True),
    _text("status"),
    _text("metric", null=True),
    _num("started"),
    _num("ended", null=True),
)

artifacts = _table(
    "artifacts",
    _text("id", key=True),
    _text("run"),
    _text("format"),
    _text("blob"),
    _int("bytes"),
    _text("contract"),
    _text("parity"),
    _num("at"),
)

records = _table(
    "records",
    _text("id", key=True),
    _text("artifact"),
    _num("at"),
    _text("content"),
    _text("prediction", null=True),
    _num("probability", null=True),
    _num("doubt"),
    _text("source"),
    _text("truth", null=True),
    _int("bytes"),
    _text("salt"),
    Index("records_by_time", "at"),
    Index("records_by_content", "content"),
)

# blobs whose rows are gone and that are about to go, and journal rows of what was forgotten and may still be seen: what
# was killed in between is finished at the next opening
erasures = _table("erasures", _text("content", key=True))

pointers = _table("pointers", _text("name", key=True), _text("value"))

rolls = _table("rolls", _int("number", key=True), _text("stage"), _text("state"), _num("at"))
