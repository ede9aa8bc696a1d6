"""JSON with a text in each object, packed or not: lines of objects, or one list of them. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from snowroll.base.errors import DataError
from snowroll.prepare.names import PIECE
from snowroll.prepare.texts import read_text, unpacked

ENDINGS = (".jsonl", ".ndjson", ".json")
Row = dict[str, str]


def holds_objects(name: str) -> bool:
    """
    >>> holds_objects("a.jsonl"), holds_objects("a.json.gz"), holds_objects("a.txt")
    (True, True, False)
    """
    return name.lower().removesuffix(".gz").endswith(ENDINGS)


def rows_of(raw: bytes) -> tuple[list[tuple[int, Row]], dict[int, str]]:
    """((number from 1, its plain cells) of every object, number -> why it is none). Raises DataError."""
    text = read_text(unpacked(raw))
    refused: dict[int, str] = {}
    if text.lstrip()[:1] == "[":
        try:
            objects = list(enumerate(json.loads(text), 1))
        except (ValueError, RecursionError):
            raise DataError("broken JSON", cure="write one JSON object a line") from None
    else:
        objects = []
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    objects.append((number, json.loads(line)))
                except (ValueError, RecursionError):
                    refused[number] = "no JSON"
    rows = []
    for number, told in objects:
        if isinstance(told, dict):
            rows.append((number, {str(key)[:80]: _plain(value) for key, value in told.items() if _is_plain(value)}))
        else:
            refused[number] = "no JSON object"
    return rows, refused


def where_of(file: str, columns: Sequence[str], number: int) -> str:
    """How a text of these columns is named."""
    return f"{file}{PIECE}{'+'.join(quote(name, safe='') for name in columns)}/{number}"


def pieces(raw: bytes, names: Sequence[str]) -> Mapping[str, bytes]:
    """name (as of `where_of`) -> the text, a line for each column that says something."""
    rows, _ = rows_of(raw)
    known = dict(rows)
    found = {}
    for name in names:
        columns, _, number = name.rpartition("/")
        row = known.get(int(number)) if number.isdecimal() else None
        if row is not None:
            told = (row.get(unquote(column), "").strip() for column in columns.split("+"))
            found[name] = "\n".join(word for word in told if word).encode("utf-8", "surrogatepass")
    return found


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
