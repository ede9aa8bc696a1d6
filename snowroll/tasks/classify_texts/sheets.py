"""Tables and files of JSON as sheets: their rows as words by column, whichever they are. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowroll.base.errors import DataError
from snowroll.prepare.decode import limited
from snowroll.prepare.names import is_table, text_of_table
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.classify_texts.columns import Roles, Seen, roles_of
from snowroll.tasks.classify_texts.objects import holds_objects, rows_of, where_of


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table or a file of JSON: its rows as words by column."""

    where: str
    header: tuple[str, ...]
    rows: Sequence[tuple[int, Mapping[str, str]]]
    how: str
    is_json: bool
    has_header: bool = True
    refused: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)


def roles_of_sheet(sheet: Sheet, settings: PrepareSettings) -> Roles | None:
    """Which columns hold the texts, classes, splits and groups; None where none holds texts."""
    seen = {name: Seen(name) for name in sheet.header}
    for _, cells in sheet.rows:
        for name, cell in cells.items():
            seen[name].add(cell)
    return roles_of(list(seen.values()), settings, sheet.where)


def sheets_in(folder: Any, wheres: Sequence[str], settings: PrepareSettings) -> tuple[list[Sheet], dict[str, str]]:
    """(the sheets among these files, file -> why it cannot be read as the one it is called)."""
    sheets, skipped = [], {}
    for where in wheres:
        if is_table(where) and "!" in where:
            skipped[where] = "a table within an archive: unpack it"
        elif is_table(where):
            try:
                table = folder.table(where)
            except DataError as fault:
                skipped[where] = fault.what
                continue
            how = table.encoding if table.has_header else f"{table.encoding}, no header"
            if len(table):
                rows = list(table.named_words())
                sheets.append(Sheet(where, table.header, rows, how, False, table.has_header, table.refused))
    named = [where for where in wheres if holds_objects(where)]
    for where, told in limited(rows_of, folder.stream(named), settings.workers):
        if isinstance(told, DataError):
            skipped[where] = told.what
        elif told[0]:
            header = tuple(dict.fromkeys(name for _, cells in told[0] for name in cells))
            sheets.append(Sheet(where, header, told[0], "JSON", True, True, told[1]))
    return sheets, skipped


def place_of(sheet: Sheet, texts: Sequence[str], number: int) -> str:
    """The `where` of a row's text in these columns."""
    return (where_of if sheet.is_json else text_of_table)(sheet.where, texts, number)
