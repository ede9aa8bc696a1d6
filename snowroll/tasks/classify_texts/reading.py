"""Folders of labelled texts: tables, JSON, lines with a label each, a folder a class, and texts without labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.class_folders import read_class_folders
from snowroll.prepare.names import is_table
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import SPLITS, split_of_folders, split_of_name
from snowroll.prepare.tables import leading
from snowroll.tasks.classify_texts.class_files import LEAST, WORD, are_opposites, classes_of_files
from snowroll.tasks.classify_texts.columns import Roles, named
from snowroll.tasks.classify_texts.lines import NO_LINES, Line, labelled_lines, may_hold_lines, plain_lines
from snowroll.tasks.classify_texts.objects import holds_objects
from snowroll.tasks.classify_texts.sheets import Sheet, place_of, roles_of_sheet, sheets_in

EACH = 5  # files of a class, on average, for folders to be classes of texts
FEW_FILES = 5  # texts without labels: of fewer files every line is one
PER_NUMBER = 4.0  # words that a text must have for each column of numbers beside it, to be more than a side column
BY_FILE = "lines of texts, a file a class"
_NAMES = re.compile(r"(?:classes|class[_-]?names|labels|label[_-]?names|categories|topics|intents)\.(?:txt|lst)")
_OTHERS_DATA = (".npz", ".npy", ".wav", ".flac", ".mp3", ".ogg", ".dcm", ".nii", ".nii.gz", ".edf", ".hea", ".atr")
_TEXTS = (".txt", ".text", ".eml", ".html", ".htm", ".md")


@dataclass(slots=True)
class Read:
    """What was found so far."""

    layout: str = ""
    found: list[Found] = field(default_factory=list)
    evidence: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    roles: Roles | None = None


def read_labelled(folder: Any, settings: PrepareSettings) -> Reading | None:
    """Texts with their classes; None where there are none. Raises UsageError."""
    entries = folder.entries()
    if any(format_of_name(entry.where) or entry.where.lower().endswith(_OTHERS_DATA) for entry in entries):
        return None
    wheres = [entry.where for entry in entries]
    names = _class_names(folder, wheres)
    for way in (_of_sheets, _of_lines, _of_folders, _of_class_files, _without_labels):
        read = way(folder, wheres, settings)
        if read is not None and read.found:
            break
    else:
        return None
    found, told = _named(read.found, names)
    if settings.labels:
        found = [one if one.target in settings.labels else replace(one, target=None) for one in found]
    kinds = {one.target for one in found if one.target is not None}
    if len(kinds) < 2 and not settings.labels:
        return None
    files = {one.where.partition("#")[0].partition("///")[0] for one in found}
    others = {where: "no texts to be classified" for where in wheres if where not in files}
    roles = read.roles
    schema = (
        {} if roles is None else {"texts": list(roles.texts), "beside": roles.beside, "words": round(roles.words, 1)}
    )
    evidence = (*read.evidence[:6], *told)
    return Reading(read.layout, evidence, tuple(found), {**others, **read.skipped}, schema)


def particularity(reading: Reading) -> int:
    """A text that is a side column among many numbers leaves its table to whoever reads all columns."""
    words, beside = reading.schema.get("words", 0.0), reading.schema.get("beside", 0)
    if reading.layout == BY_FILE:
        return 1 if are_opposites({str(one.target) for one in reading.found}) else -3  # below a corpus
    return -6 if words < PER_NUMBER * beside else -1 if "class folders" in reading.layout else 1


def texts_in(folder: Any, settings: PrepareSettings) -> list[str]:
    """What of a folder is to be told: the texts of its tables and JSON, every other file as a whole.

    A model that learnt columns is told the same ones: what else stands in a table is no text to it.
    """
    wheres = [entry.where for entry in folder.entries()]
    found = []
    sheets, skipped = sheets_in(folder, wheres, settings)
    path_column = "" if "texts" in settings.asked else settings.path_column
    settings = replace(settings, path_column=path_column, label_column="", split_column="", group_column="")
    for sheet in sheets:
        try:
            roles = roles_of_sheet(sheet, settings)
        except UsageError as fault:
            folder.refused[sheet.where] = fault.what
            continue
        if roles is not None:
            found += [place_of(sheet, roles.texts, number) for number, _ in sheet.rows]
        else:
            folder.refused[sheet.where] = "no column of texts"
    read = {sheet.where for sheet in sheets} | skipped.keys()
    folder.refused.update(skipped)
    return [*found, *(where for where in wheres if where not in read)]


# tables and JSON ------------------------------------------------------------------------------------------------------


def _of_sheets(folder: Any, wheres: Sequence[str], settings: PrepareSettings) -> Read | None:
    sheets, skipped = sheets_in(folder, wheres, settings)
    if not sheets:
        return None
    roles = _roles_in(sheets, settings)
    if roles is None:
        largest = max(sheets, key=lambda sheet: (len(sheet), sheet.where))
        folder.refused.setdefault(largest.where, "no column of texts beside one of few classes")
        return None
    read = Read("rows of texts", roles=roles, skipped=skipped)
    for sheet in sheets:
        if not set(roles.texts) <= set(sheet.header):
            read.skipped[sheet.where] = f"no column '{next(n for n in roles.texts if n not in sheet.header)}'"
            continue
        _add_rows(read, sheet, roles)
    texts = " and ".join(f"'{name}'" for name in roles.texts)
    told = f"texts from {texts}" + (f", classes from '{roles.label}': {roles.why}" if roles.label else "")
    told += f"; split from '{roles.split}'" if roles.split else ""
    told += f"; group from '{roles.group}': no split takes one apart" if roles.group else ""
    read.evidence.append(told)
    return read


def _roles_in(sheets: Sequence[Sheet], settings: PrepareSettings) -> Roles | None:
    """Those of the sheet that leads; where none has labels but the user names the classes, of the largest of texts."""
    found: dict[str, Roles] = {}

    def target_of(sheet: Sheet) -> str:
        roles = roles_of_sheet(sheet, settings)
        if roles is None:
            return ""
        found[sheet.where] = roles
        said = (_whole(cells.get(roles.label, "").strip()) for _, cells in sheet.rows)
        is_meant = settings.label_column or not settings.labels or any(label in settings.labels for label in said)
        return roles.label if is_meant else ""

    main = leading(sheets, named(settings), target_of)
    if main is not None:
        return found[main.where]
    return next(iter(found.values()), None) if settings.labels else None


def _add_rows(read: Read, sheet: Sheet, roles: Roles) -> None:
    declared: Split | None = split_of_name(sheet.where) or split_of_folders(sheet.where)
    rows = list(sheet.rows)
    if not sheet.has_header and rows and _is_header(rows, roles):
        read.skipped[f"{sheet.where} line {rows[0][0]}"] = "the names of the columns, some of which have none"
        rows = rows[1:]
    for number, cells in rows:
        where = place_of(sheet, roles.texts, number)
        if not any(cells.get(name, "").strip() for name in roles.texts):
            read.skipped[f"{sheet.where} line {number}"] = "an empty text"
            continue
        label = _whole(cells.get(roles.label, "").strip()) or None
        group = cells.get(roles.group, "").strip() or None
        its_split: Split | None = SPLITS.get(cells.get(roles.split, "").strip().lower())
        read.found.append(Found(where, label, group, its_split or (declared if label is not None else None)))
    read.skipped |= {f"{sheet.where} line {line}": why for line, why in sheet.refused.items()}
    odd = f"; {len(sheet.refused):,} lines are no rows" if sheet.refused else ""
    read.evidence.append(f"{sheet.where}: {len(rows):,} rows ({sheet.how}){odd}")


def _is_header(rows: Sequence[tuple[int, Mapping[str, str]]], roles: Roles) -> bool:
    """Whether the first row of a table without a header is one: a class of its own, and one word as its text."""
    first = rows[0][1]
    labels = Counter(cells.get(roles.label, "") for _, cells in rows)
    alone = labels[first.get(roles.label, "")] == 1 and len(labels) > 2
    return alone and all(len(first.get(name, "").split()) < 2 for name in roles.texts)


def _whole(label: str) -> str:
    """
    >>> _whole("4.0"), _whole("4.5"), _whole("ham")
    ('4', '4.5', 'ham')
    """
    return re.sub(r"^(-?\d+)\.0+$", r"\1", label)


# lines ----------------------------------------------------------------------------------------------------------------


def _of_lines(folder: Any, wheres: Sequence[str], settings: PrepareSettings) -> Read | None:
    read = Read("lines of texts")
    names = [where for where in wheres if may_hold_lines(where) and not _NAMES.fullmatch(_last(where))]
    if len(names) > 50:  # files are texts then
        return None
    for where, raw in folder.stream(names):
        told = labelled_lines(raw)
        if told is None:
            read.skipped[where] = "no label in each line"
            continue
        read.evidence.append(f"{where}: {len(told.lines):,} {told.form}")
        read.found += _stretches(where, told.lines)
        read.skipped |= {f"{where} line {line}": why for line, why in told.refused.items()}
    return read


def _stretches(where: str, lines: Iterable[Line]) -> list[Found]:
    declared = _split_of_lines(where)
    return [
        Found(f"{where}#{line.start}-{line.stop}", line.label, None, declared if line.label else None) for line in lines
    ]


def _split_of_lines(where: str) -> Split | None:
    """cooking.train, test.txt, dev/a.txt"""
    ending = _last(where).rpartition(".")[2].lower()
    return SPLITS.get(ending) or SPLITS.get(_last(where).lower()) or split_of_name(where) or split_of_folders(where)


# files ----------------------------------------------------------------------------------------------------------------


def _of_folders(folder: Any, wheres: Sequence[str], settings: PrepareSettings) -> Read | None:
    texts = [where for where in wheres if _is_text(where)]
    if 2 * len(texts) < len(wheres):
        return None
    told = read_class_folders(texts, settings, lambda _: "texts")
    if told is None:
        return None
    classes = Counter(one.target for one in told.found if one.target is not None)
    if len(classes) < 2 or len(told.found) < EACH * len(classes):
        return None
    return Read(told.layout, list(told.found), list(told.evidence), dict(told.skipped))


def _of_class_files(folder: Any, wheres: Sequence[str], settings: PrepareSettings) -> Read | None:
    others = [where for where in wheres if is_table(where) or holds_objects(where)]
    texts = [where for where in wheres if not _last(where).lower().startswith(NO_LINES)]
    classes = {} if settings.labels or others else classes_of_files(texts)
    if not classes:
        return None
    read = Read(BY_FILE)
    for where, raw in folder.stream(list(classes)):
        lines = [] if b"\0" in raw else plain_lines(raw)
        spoken = sum(len(WORD.findall(raw[line.start : line.stop])) > 1 for line in lines)
        if len(lines) < LEAST or 2 * spoken < len(lines):
            return None
        read.evidence.append(f"{where}: {len(lines):,} lines of class '{classes[where]}'")
        read.found += _stretches(where, (replace(line, label=classes[where]) for line in lines))
    return read


def _without_labels(folder: Any, wheres: Sequence[str], settings: PrepareSettings) -> Read | None:
    """Texts whose classes the user names: whole files, or the lines of a few."""
    texts = [where for where in wheres if _is_text(where)]
    if not settings.labels or not texts:
        return None
    read = Read("texts without labels")
    if len(texts) >= FEW_FILES:
        read.found = [Found(where, None, None, None) for where in texts]
        return read
    for where, raw in folder.stream(texts):
        lines = plain_lines(raw)
        read.found += _stretches(where, lines)
        read.evidence.append(f"{where}: {len(lines):,} lines, each a text")
    return read


def _is_text(where: str) -> bool:
    """An ending of texts, or none that could be another kind's: 10000, 0001.2000-01-17.farmer.spam.txt, 00042.9e3f."""
    name = _last(where).lower()
    ending = name.rpartition(".")[2]
    return "." not in name or name.endswith(_TEXTS) or bool(re.fullmatch(r"[0-9a-f]{8,}|\d+", ending))


def _last(where: str) -> str:
    return where.replace("!", "/").rpartition("/")[2]


# names of classes -----------------------------------------------------------------------------------------------------


def _class_names(folder: Any, wheres: Sequence[str]) -> tuple[str, list[str]]:
    """(a file that lists the classes' names line by line, the names); nothing where there is none."""
    for where in wheres:
        if _NAMES.fullmatch(_last(where).lower()):
            for _, raw in folder.stream([where]):
                return where, [line.strip() for line in raw.decode("utf-8", "replace").splitlines() if line.strip()]
    return "", []


def _named(found: list[Found], names: tuple[str, list[str]]) -> tuple[list[Found], list[str]]:
    """Numbered classes by their names, where a file beside them has as many: from 0 or from 1."""
    where, words = names
    kinds = {str(one.target) for one in found if one.target is not None}
    if not words or not all(kind.isdecimal() for kind in kinds) or not kinds:
        return found, []
    numbers = {int(kind) for kind in kinds}
    first = 1 if max(numbers) == len(words) and 0 not in numbers else 0
    if not 0 <= max(numbers) - first < len(words) or len(set(words)) < len(words):
        return found, []
    named = [one if one.target is None else replace(one, target=words[int(str(one.target)) - first]) for one in found]
    return named, [f"names of the classes from {where}, counted from {first}"]
