"""Tables with a column of pictures, as Hugging Face's hub keeps them: data/train-00000-of-00002.parquet.

The columns beside the pictures are read as a manifest's are: label, split and group by their names, then by content.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from snowroll.base.errors import DataError
from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.class_folders import folder_levels
from snowroll.prepare.disk import Entry
from snowroll.prepare.manifest import SEVERAL
from snowroll.prepare.manifest_columns import NAMES, NUMBERED, by_name, meanings_of
from snowroll.prepare.names import is_parquet
from snowroll.prepare.parquet_parts import Parquet
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.several_labels import several_labels
from snowroll.prepare.split_words import SPLITS, split_called, splits_of_files

Tables = dict[str, Parquet]


def read_picture_tables(folder: Folder, entries: Sequence[Entry], settings: PrepareSettings) -> Reading | None:
    """Every picture in the tables of one set is a sample; None where nothing says what they are."""
    skipped: dict[str, str] = {}
    sets: dict[tuple[str, ...], Tables] = defaultdict(dict)
    for entry in entries:
        if is_parquet(entry.where):
            try:
                if (table := folder.parquet(entry.where)).pictures:
                    home = tuple(name for name in folder_levels(entry.where) if split_called(name) is None)
                    sets[home][entry.where] = table
            except DataError as fault:
                skipped[entry.where] = str(fault)
    if len(sets) > 1:
        why = f"several sets lie side by side ({', '.join('/'.join(home) or 'the top' for home in sorted(sets))})"
        told = f"{why}: give --data on the folder of one"
        folder.refused.update({where: told for tables in sets.values() for where in tables})
        return None
    reading = _read(next(iter(sets.values())), settings, skipped) if sets else None
    if reading is None:
        folder.refused = {**skipped, **folder.refused}
    return reading


def _read(tables: Tables, settings: PrepareSettings, skipped: dict[str, str]) -> Reading | None:
    meant = _meanings(tables, settings)
    splits = splits_of_files(tables)
    found: list[Found] = []
    for where, table in tables.items():
        try:
            found += _rows(where, table, meant, settings, splits[where], skipped)
        except DataError as fault:
            skipped[where] = str(fault)
    labelled = {one.where.rpartition("#")[0] for one in found if one.target is not None}
    if not labelled and not settings.labels:
        skipped |= dict.fromkeys(tables, _why_unlabelled(tables))
        return None
    if labelled and not settings.labels:  # the hub's tests often lie there without their labels
        skipped |= dict.fromkeys(tables.keys() - labelled - skipped.keys(), "pictures without labels")
        found = [one for one in found if one.where.rpartition("#")[0] in labelled]
    return Reading("tables of pictures", _evidence(tables, meant, found), tuple(found), skipped)


def _meanings(tables: Tables, settings: PrepareSettings) -> dict[str, str]:
    """meaning -> column. Of several whose numbers have names the one that is called so, else the finest."""
    first, *_ = tables
    columns = [*dict.fromkeys(name for table in tables.values() for name in table.columns)]
    tried = [row for table in tables.values() for row in _peeked(table, columns)]
    found: dict[str, str] = {}
    named = [name for name in columns if any(name in table.told.names for table in tables.values())]
    if named and not settings.label_column:
        label = by_name(NAMES["label"], named) or _finest(tables, named)
        if label is None:
            columns = [name for name in columns if name not in named]
        else:
            found = {"label": label}
    wanted = {"label": settings.label_column, "split": settings.split_column, "group": settings.group_column}
    meant = meanings_of(first, columns, tried, found, wanted, NAMES["label"])
    if named and meant.get("label") not in {*named, settings.label_column}:
        meant.pop("label", None)
    return meant


def _finest(tables: Tables, columns: Sequence[str]) -> str | None:
    """The one that decides what all others say: fine_label beside coarse_label."""
    cells: dict[str, list[str]] = {name: [] for name in columns}
    for table in tables.values():
        if {*columns} <= {*table.columns}:
            for name, some in table.cells(columns).items():
                cells[name] += some
    kinds = {name: len({*some}) for name, some in cells.items()}
    for name in columns:
        others = [other for other in columns if other != name]
        if all(len({*zip(cells[name], cells[other], strict=True)}) == kinds[name] > kinds[other] for other in others):
            return name
    return None


def _peeked(table: Parquet, columns: Sequence[str]) -> list[dict[str, str]]:
    there = [name for name in columns if name in table.columns]
    rows = zip(*table.peek(there).values(), strict=True)
    return [
        dict.fromkeys(columns, "") | {name: cell or "" for name, cell in zip(there, row, strict=True)} for row in rows
    ]


def _rows(
    where: str,
    table: Parquet,
    meant: Mapping[str, str],
    settings: PrepareSettings,
    split: Split | None,
    skipped: dict[str, str],
) -> list[Found]:
    """One file's. split: what its name tells, where no column does."""
    wheres = table.every(where)
    cells = table.cells([name for name in meant.values() if name in table.columns])
    none = [None] * len(wheres)
    labels, splits, groups = (cells.get(meant.get(meaning, ""), none) for meaning in ("label", "split", "group"))
    if names := table.told.names.get(meant.get("label", "")):
        labels = [_class_name(label, names) for label in labels]
    several = set[str]() if names else several_labels({label for label in labels if label})
    found = []
    for picture, label, told, group in zip(wheres, labels, splits, groups, strict=True):
        if label in several:
            skipped[picture] = SEVERAL
            continue
        target = None if settings.labels and label not in settings.labels else label or None
        found.append(
            Found(picture, target, group or None, SPLITS.get((told or "").lower()) or NUMBERED.get(told or "") or split)
        )
    return found


def _class_name(label: str | None, names: Sequence[str]) -> str | None:
    """-1 stands where the class is not told."""
    if label is None or not label.lstrip("-").isdecimal():
        return label if label in names else None
    number = int(label)
    if number >= len(names):
        raise DataError(f"label {number}, and there are names of {len(names):,} classes", cure="mend the table's note")
    return names[number] if number >= 0 else None


def _why_unlabelled(tables: Tables) -> str:
    columns = sorted({name for table in tables.values() for name in table.told.plain})
    cure = f"if a column has it, --prepare.label_column names that: {', '.join(columns[:8])}" if columns else ""
    return f"pictures without a class; {cure or '--labels a,b begins without'}"


def _evidence(tables: Tables, meant: Mapping[str, str], found: Sequence[Found]) -> tuple[str, ...]:
    first, *_ = tables
    column, n = tables[first].pictures.removesuffix(".bytes"), len(tables)
    columns = ", ".join(f"{meaning} from '{name}'" for meaning, name in meant.items()) or "without labels"
    told = [f"{len(found):,} pictures in column '{column}' of {n:,} file{'s' * (n > 1)} such as {first}: {columns}"]
    if others := [
        name for name in tables[first].told.names if name in tables[first].columns and name != meant.get("label")
    ]:
        told.append(f"{', '.join(others)} name classes too: --prepare.label_column says which are meant")
    return tuple(told)
