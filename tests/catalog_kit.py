"""What tests alone do with a catalog: an answer without a page, and all that was ever answered."""

from __future__ import annotations

from sqlalchemy import select

from snowroll.store import changes, tables
from snowroll.store.catalog import Catalog
from snowroll.store.rows import Label, noun


def add_label(catalog: Catalog, label: Label) -> bool:
    """Keep an answer. False if it was known already."""
    return catalog.write(lambda conn: changes.put_label(conn, label))


def label_history(catalog: Catalog, sample: str | None = None) -> list[Label]:
    """Every label not taken back, of one sample or of all, oldest first."""
    query = select(tables.labels).where(tables.labels.c.undone == 0).order_by(tables.labels.c.seq)
    if sample is not None:
        query = query.where(tables.labels.c.sample == sample)
    return catalog.read(lambda conn: [noun(Label, row._mapping) for row in conn.execute(query)])


def version_ids(catalog: Catalog) -> list[str]:
    """Of all versions, oldest first."""
    query = select(tables.versions.c.id).order_by(tables.versions.c.at)
    return catalog.read(lambda conn: list(conn.execute(query).scalars()))
