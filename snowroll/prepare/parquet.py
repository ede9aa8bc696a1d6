"""Parquet as the characters of a CSV, read in a limited child: the library is C++ and the file a stranger's."""

from __future__ import annotations

import csv
import io
from typing import Any, BinaryIO

from snowroll.base.errors import DataError
from snowroll.prepare.archives import Limits
from snowroll.prepare.decode import Guarded
from snowroll.prepare.parquet_cells import reading_parquet
from snowroll.prepare.parquet_parts import NESTED

MOST_CELLS = 50_000_000


def as_csv(where: str, file: BinaryIO, size: int, limits: Limits) -> str:
    """Raises DataError for a damaged or swollen file, and where pyarrow is not installed."""
    if size > limits.file_mb << 20:
        raise DataError(f"is larger than {limits.file_mb:,} MiB", where=where, cure="split the table")
    try:
        text = Guarded(spelled, memory_mb=6 << 10, seconds_each=300)(file.read())
    except DataError as fault:
        raise DataError(fault.what, where=where, cure=fault.cure) from None
    if len(text) > limits.file_mb << 20:
        raise DataError(f"holds more than {limits.file_mb:,} MiB of text", where=where, cure="split the table")
    return str(text)


def spelled(raw: bytes) -> str:
    """Its rows as CSV with a header; nested values, which are no cells, are refused. In a limited child."""
    with reading_parquet() as (arrow, parquet):
        opened = parquet.ParquetFile(io.BytesIO(raw))
        columns, rows = opened.metadata.num_columns, opened.metadata.num_rows
        if columns * rows > MOST_CELLS:
            told = f"{rows:,} rows of {columns:,} columns: more than {MOST_CELLS:,} cells"
            raise DataError(told, cure="split the table")
        if nested := next((one.name for one in opened.schema_arrow if arrow.types.is_nested(one.type)), None):
            raise DataError(f"column '{nested}' {NESTED}", cure="flatten it")
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(opened.schema_arrow.names)
        for batch in opened.iter_batches(8_192, use_threads=False):
            writer.writerows(zip(*(map(_cell, column.to_pylist()) for column in batch.columns), strict=True))
    return out.getvalue()


def _cell(value: Any) -> Any:
    """A value as a CSV file would spell it: dates year first, nothing for none."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value).lower() if isinstance(value, bool) else value
