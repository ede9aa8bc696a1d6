"""Folders of tables: which columns there are, which of them is the target, and what stands in every row.

What a target is, a class or a number, is for the task to say: `Wanted`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from snowroll.base.errors import DataError, UsageError, did_you_mean
from snowroll.base.nouns import Json, Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.names import is_table, row_of_table
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import SPLITS, split_of_folders, split_of_name
from snowroll.prepare.tables import Table, cell_of, leading
from snowroll.tasks.tabular.columns import LEARNT, NEARLY, Column, Seen, judge_columns, spelled

MOST_CLASSES = 100  # of a target that nobody named
LAST = "the last column; another with --prepare.label_column"
_TARGETS = ["label", "class", "target", "y", "outcome", "classification", "category", "response", "income", "diagnosis"]
_PIXELS = "cells that are rows of numbers each"
_SPLITS = ("split", "subset", "partition", "fold", "usage")
_GROUPS = ("group", "groupid", "patient", "patientid", "subject", "subjectid", "customerid", "personid", "userid")
_ENDINGS: Mapping[str, Split] = {"tra": "train", "trn": "train", "test": "test", "tes": "test", "tst": "test"}
_OTHERS_DATA = (
    *(".npz", ".npy", ".wav", ".flac", ".mp3", ".ogg", ".edf", ".hea", ".atr"),
    *(".dcm", ".nii", ".nii.gz", ".hdr", ".mhd", ".mha", ".nrrd", ".nhdr", ".mgz", ".mgh"),
)


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column is what; "" for none."""

    target: str
    split: str
    group: str
    why: str  # how the target was found


Read = Callable[[str, str], Json]  # (a cell as it is written, the delimiter) -> target; DataError where it is none


class Wanted(Protocol):
    """What a column must hold to be a target, and how its cells are read."""

    layout: str  # said after "rows of a table"

    def accepts(self, table: Table, column: Seen) -> str | None:
        """Why the column that the user named cannot be the target, or None. Raises UsageError where no task could."""
        ...

    def proposed(self, seen: Sequence[Seen], is_named: bool) -> tuple[str, str]:
        """(column, why) of a table in which nobody named one; ("", "") where none offers itself."""
        ...

    def refusal(self, last: Seen) -> str:
        """Why nothing was proposed."""
        ...

    def reader(self, tables: Sequence[Table], target: str) -> tuple[Read, Mapping[str, Json]]:
        """(how a cell is read; what the schema is to tell of the column). Its "spelling", if any, is evidence."""
        ...


def read_tables(folder: Folder, settings: PrepareSettings, wanted: Wanted | None = None) -> Reading | None:
    """The rows of a folder's tables, one target each; None where no column is a target, or other data is there.

    wanted: what a target is; None: a class. Raises UsageError where a setting names a column that there is not.
    """
    entries = folder.entries()
    others = [entry.where for entry in entries if not is_table(entry.where)]
    if any(format_of_name(where) or where.lower().endswith(_OTHERS_DATA) for where in others):
        return None
    tables, skipped = _tables(folder)
    if not tables:
        folder.refused = {**skipped, **folder.refused}
        return None
    wanted = wanted or Classes()
    led = _leading(folder, tables, settings, wanted)
    if led is None:
        return None
    main, seen, roles = led
    alike, told = [], []
    for table in tables:
        if set(table.header) - {roles.target, roles.split} == set(main.header) - {roles.target, roles.split}:
            alike.append(table)
        else:
            gap = sorted(set(table.header) ^ set(main.header))[0]
            skipped[table.where] = f"other columns than {main.where}: '{gap}' is in one of them only"
    for table in alike:
        skipped |= {f"{table.where} line {line}": why for line, why in table.refused.items()}
        if table is not main:
            for _, row in table.rows():
                for name, cell in zip(table.header, row, strict=True):
                    seen[name].add(cell)
        told.append(_evidence(table))
    read, of_target = wanted.reader(alike, roles.target)
    found = [one for table in alike for one in _rows_of(table, roles, read, skipped)]
    rest = [column for column in seen.values() if column.name not in (roles.target, roles.split, roles.group)]
    words = settings.asked.get("categories", ())
    columns = [column.judged(are_words=column.name in words) for column in rest]
    columns = _without_copies(columns, main, words)
    told += _evidence_of_roles(roles, columns)
    told += [str(of_target["spelling"])] if "spelling" in of_target else []
    skipped |= dict.fromkeys(others, "not a table") | folder.refused
    schema = {"target": roles.target, "columns": [column.as_json() for column in columns], **of_target}
    layout = "rows of a table" if len(alike) == 1 else f"rows of {len(alike)} tables"
    return Reading(f"{layout}{wanted.layout}", tuple(told), tuple(found), skipped, schema)


def rows_in(folder: Folder) -> list[str]:
    """Every row of every table, with all of its cells; and the files that are none."""
    tables, _ = _tables(folder)
    rows = [row_of_table(table.where, "", line) for table in tables for line in table.lines.tolist()]
    read = {table.where for table in tables}
    return [*rows, *(entry.where for entry in folder.entries() if entry.where not in read)]


def _tables(folder: Folder) -> tuple[list[Table], dict[str, str]]:
    tables, skipped = [], {}
    for entry in folder.entries():
        if is_table(entry.where) and "!" not in entry.where:
            try:
                table = folder.table(entry.where)
            except DataError as fault:
                skipped[entry.where] = fault.what
                continue
            if len(table):
                tables.append(table)
            else:
                skipped[entry.where] = "a table without rows"
        elif is_table(entry.where):
            skipped[entry.where] = "a table within an archive: unpack it"
    return tables, skipped


def _rows_of(table: Table, roles: Roles, read: Read, skipped: dict[str, str]) -> Iterator[Found]:
    """Rows whose target cannot be read go into `skipped`, with their line."""
    place = {name: number for number, name in enumerate(table.header)}
    ending = table.where.lower().removesuffix(".gz").rpartition(".")[2]
    declared = split_of_name(table.where) or split_of_folders(table.where) or _ENDINGS.get(ending)
    target, split, group = (place.get(name) for name in (roles.target, roles.split, roles.group))

    def said(row: Sequence[str], column: int | None) -> str | None:
        cell = None if column is None else cell_of(row[column], table.delimiter)
        return None if cell is None else spelled(cell)

    for line, row in table.words():
        try:
            label = None if target is None or said(row, target) is None else read(row[target], table.delimiter)
        except DataError as fault:
            skipped[f"{table.where} line {line}"] = fault.what
            continue
        its_split: Split | None = SPLITS.get((said(row, split) or "").lower())
        yield Found(
            row_of_table(table.where, roles.target, line),
            label,
            said(row, group),
            its_split or (declared if label is not None else None),
        )


# which column is what -------------------------------------------------------------------------------------------------


def _leading(
    folder: Folder, tables: Sequence[Table], settings: PrepareSettings, wanted: Wanted
) -> tuple[Table, dict[str, Seen], Roles] | None:
    """The table that tells which column is what, and what was seen of them; None, and why in `folder.refused`."""
    offers: dict[str, tuple[dict[str, Seen], Roles]] = {}
    refusals: dict[str, str] = {}

    def target_of(table: Table) -> str:
        seen = {column.name: column for column in judge_columns(table.header, (row for _, row in table.rows()))}
        is_part = any(set(table.header) < set(other.header) for other in tables)
        if is_part and not _teaches(seen.values(), settings):  # answers alone, the rows they belong to lie beside them
            refusals[table.where] = "no column to learn the target from"
            return ""
        roles, refusal = _roles(table, list(seen.values()), settings, wanted, tables)
        if roles is None:
            refusals[table.where] = refusal
            return ""
        offers[table.where] = (seen, roles)
        return roles.target

    main = leading(tables, _named(settings), target_of)
    if main is None:
        told = {where: why for where, why in refusals.items() if where not in folder.refused or why.startswith(_PIXELS)}
        folder.refused.update(told)
        return None
    return main, *offers[main.where]


def _named(settings: PrepareSettings) -> list[str]:
    """The columns that the user names."""
    return [name for name in (settings.label_column, settings.split_column, settings.group_column) if name]


def _teaches(seen: Iterable[Seen], settings: PrepareSettings) -> bool:
    """Whether there is a column to learn from beside the target."""
    words = settings.asked.get("categories", ())
    free = [one for one in seen if one.name not in _named(settings)]
    learnt = [one for one in free if one.judged(are_words=one.name in words).kind in LEARNT]
    return len(learnt) > (0 if settings.label_column else 1)


def _lacked(whole: Table, part: Table) -> str:
    """The only column of `whole` that `part` has not, where all others are theirs alike: what is to be predicted. Not
    so where what `part` ends with is called like a target: then something was measured later.
    """
    gap = set(whole.header) - set(part.header)
    is_less = len(gap) == 1 and set(part.header) < set(whole.header) and plain(part.header[-1]) not in _TARGETS
    return gap.pop() if is_less and len(part.header) > 1 and whole.has_header else ""


def _roles(
    table: Table, seen: Sequence[Seen], settings: PrepareSettings, wanted: Wanted, tables: Sequence[Table]
) -> tuple[Roles | None, str]:
    """Or None and why."""
    names = list(table.header)
    for setting in _named(settings):
        if setting not in names:
            raise UsageError(f"there is no column '{setting}'", where=table.where, cure=did_you_mean(setting, names))
    by_name = {column.name: column for column in seen}
    split = settings.split_column or next((name for name in names if _is_split(by_name[name])), "")
    group = settings.group_column or next((n for n in names if plain(n) in _GROUPS and _repeats(by_name[n])), "")
    if settings.label_column:
        target, why = settings.label_column, "as you say"
        if (refusal := wanted.accepts(table, by_name[target])) is not None:
            return None, refusal
    elif rows := [column.name for column in seen if column.holds_rows]:
        return None, f"{_PIXELS}: write pictures out as files, a folder a class; they are in '{rows[0]}'"
    else:
        left = [by_name[name] for name in names if name not in (split, group)]
        lacked = {name: other.where for other in tables if (name := _lacked(table, other)) not in ("", split, group)}
        if len(lacked) == 1:  # as in train.csv and test.csv
            left = [by_name[name] for name in lacked]
        target, why = wanted.proposed(left, table.has_header)
        if target in lacked:
            why = f"the only column that {lacked[target]} has not; another with --prepare.label_column"
    if not target:
        return None, wanted.refusal(by_name[names[-1]])
    return Roles(target, split, group, why), ""


class Classes:
    """A target is the word, or the number of few different ones, that stands in a column."""

    layout = ""

    def accepts(self, table: Table, column: Seen) -> str | None:
        known = column.n - column.missing
        if len(column.counts) >= 2 and column.is_counted and len(column.counts) <= max(2, known // 2):
            return None
        told = f"column '{column.name}' has {len(column.counts):,} different values in {known:,} rows: no classes"
        if len(column.counts) >= 2 and column.numbers >= NEARLY * known:
            return f"{told}, and numbers are for task 'tabular_values'"
        raise UsageError(told, where=table.where, cure="name a column of few values with --prepare.label_column")

    def proposed(self, seen: Sequence[Seen], is_named: bool) -> tuple[str, str]:
        """One that is called so, else the last, where it holds few classes; without names the first, too, or the only
        one of words.
        """
        for wanted in _TARGETS:
            for column in seen:
                if plain(column.name) == wanted and _holds_classes(column):
                    return column.name, "for its name; another with --prepare.label_column"
        if seen and _holds_classes(seen[-1]):
            return seen[-1].name, LAST
        if seen and not is_named and _holds_classes(seen[0]):
            return seen[0].name, "the first column; another with --prepare.label_column"
        worded = [column for column in seen if column.numbers == 0]
        if not is_named and len(worded) == 1 and _holds_classes(worded[0]):
            return worded[0].name, "the only column of words; another with --prepare.label_column"
        return "", ""

    def refusal(self, last: Seen) -> str:
        told = f"no column of few values to be told; '{last.name}', the last, has {len(last.counts):,} different ones"
        return f"{told}: --prepare.label_column names the column to predict"

    def reader(self, tables: Sequence[Table], target: str) -> tuple[Read, Mapping[str, Json]]:
        return lambda text, delimiter: spelled(cell_of(text, delimiter)), {}


def _holds_classes(column: Seen) -> bool:
    known = column.n - column.missing
    kinds = len(column.counts)
    is_few = 2 <= kinds <= min(MOST_CLASSES, max(2, known // 10)) and column.is_counted
    return is_few and column.whole == column.numbers  # no fractions


def _is_split(column: Seen) -> bool:
    words = {spelled(cell).lower() for cell in column.counts}
    return plain(column.name) in _SPLITS and bool(words) and column.is_counted and words <= SPLITS.keys()


def _repeats(column: Seen) -> bool:
    return column.is_counted and 1 < len(column.counts) < column.n - column.missing


def plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _without_copies(columns: Sequence[Column], table: Table, named: Collection[str]) -> list[Column]:
    """Columns that say in every row what an earlier one says are left out, but for those that the user names."""
    place = {name: number for number, name in enumerate(table.header)}
    first: dict[int, str] = {}
    prints: dict[str, int] = {column.name: 0 for column in columns}
    for _, row in table.rows():
        for name in prints:
            prints[name] = hash((prints[name], row[place[name]]))
    kept = []
    for column in columns:
        same = first.setdefault(prints[column.name], column.name)
        if same != column.name and column.name not in named and column.kind not in ("constant", "id", "secret"):
            column = Column(column.name, "copy", missing=column.missing, why=f"the same as '{same}' in every row")
        kept.append(column)
    return kept


def _evidence(table: Table) -> str:
    marks = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
    header = "" if table.has_header else ", no header"
    refused = f"; {len(table.refused):,} lines are no rows" if table.refused else ""
    how = (
        table.spelled if table.spelled == "Parquet" else f"{table.spelled or marks[table.delimiter]}, {table.encoding}"
    )
    return f"{table.where}: {len(table):,} rows of {len(table.header)} columns ({how}{header}){refused}"


def _evidence_of_roles(roles: Roles, columns: Sequence[Column]) -> list[str]:
    told = [f"target: '{roles.target}', {roles.why}"]
    told += [f"split from '{roles.split}'"] if roles.split else []
    told += [f"group from '{roles.group}': no split takes one apart"] if roles.group else []
    kinds = Counter(column.kind for column in columns)
    words = {"number": "numbers", "date": "dates", "category": "categories", "flag": "flags"}
    told.append("columns: " + ", ".join(f"{kinds[kind]} {word}" for kind, word in words.items() if kinds[kind]))
    left = [f"'{column.name}' ({column.why})" for column in columns if column.kind not in words]
    if left:
        more = f" and {len(left) - 6} more" if len(left) > 6 else ""
        told.append(f"left out: {', '.join(left[:6])}{more}")
    return told
