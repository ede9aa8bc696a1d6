"""Labels in files beside the pictures, one for each: 000001.jpg and 000001.cls, as WebDataset's tars hold them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from snowroll.base.task import Found, Reading
from snowroll.prepare.manifest import SEVERAL, Table
from snowroll.prepare.manifest_columns import NAMES, by_name, meanings_of
from snowroll.prepare.names import home_of, take_apart
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.several_labels import several_labels
from snowroll.prepare.shelf import TRIED
from snowroll.prepare.split_words import SPLITS, splits_of_files, splits_of_folders

Cells = Mapping[str, str]
_ENDINGS = (".cls", ".json", ".txt")  # a class; an object, of which one value may be; a text, which may be one
_LONGEST = {".cls": 200, ".json": 1 << 20, ".txt": 60}  # bytes of a file that may tell a class
_NUMBERS = re.compile(r"[-\d.]+(\s+[-\d.]+)+")  # a box
_LISTS = frozenset({"classes.txt", "classnames.txt", "class_names.txt"})  # a name a line, from 0


def read_labels_beside(
    folder: Folder, pictures: Sequence[str], table: Table, settings: PrepareSettings
) -> Reading | None:
    """None where less than half of the pictures have such a file, or these tell no classes. What was of use is added to
    those of the table.

    Texts are asked within archives alone: in folders they are captions or boxes.
    """
    sizes = {entry.where: entry.size for entry in folder.entries()}
    for ending in _ENDINGS:
        files = {where: file for where in pictures if (file := _beside(where, ending, sizes)) is not None}
        if ending == ".txt":
            files = {where: file for where, file in files.items() if take_apart(file).member is not None}
        files = {where: file for where, file in files.items() if sizes[file] <= _LONGEST[ending]}
        if not files or 2 * len(files) < len(pictures):
            continue
        some = [*dict.fromkeys(files.values())]
        tried = [*_cells(folder, some[:: max(1, len(some) // TRIED)][:TRIED], ending).values()]
        if meant := _meanings(tried, ending, settings, some[0]):
            rows = _cells(folder, some, ending, {*meant.values()})
            table.used |= rows.keys()
            return _reading(folder, pictures, files, rows, meant, settings)
    return None


def labels_of_pictures(wheres: Sequence[str]) -> set[str]:
    """The files that may be labels of pictures beside them.

    >>> labels_of_pictures(["a.tar!1.jpg", "a.tar!1.cls", "a.tar!2.cls"])
    {'a.tar!1.cls'}
    """
    known = {*wheres}
    pictures = [where for where in wheres if format_of_name(where)]
    return {file for where in pictures for ending in _ENDINGS if (file := _beside(where, ending, known)) is not None}


def _beside(where: str, ending: str, known: Collection[str]) -> str | None:
    """The file of that ending that goes with a picture: of 'a/7.left.png' 'a/7.left.cls', or else 'a/7.cls'."""
    home, name = home_of(where), where[len(home_of(where)) :]
    could = (home + name.rpartition(".")[0] + ending, home + name.partition(".")[0] + ending)
    return next((file for file in could if file in known), None)


def _cells(folder: Folder, files: Iterable[str], ending: str, wanted: Set[str] = frozenset()) -> dict[str, Cells]:
    """file -> the values in it by their names. wanted: of an object those alone."""
    found: dict[str, Cells] = {}
    for file, raw in folder.stream(files):
        text = raw.decode("utf-8-sig", "replace").strip()
        if ending == ".json":
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                plain = {key: item for key, item in value.items() if isinstance(item, str | int | float)}
                found[file] = {key: str(item).strip() for key, item in plain.items() if key in (wanted or plain)}
        else:
            found[file] = {ending: text}
    return found


def _meanings(tried: Sequence[Cells], ending: str, settings: PrepareSettings, where: str) -> dict[str, str]:
    """meaning -> value; nothing where none is a class: one that is called so and is not always the same, or a text that
    comes again and again."""
    if ending == ".cls":
        return {"label": ending}
    if ending == ".txt":
        is_other = any("\n" in cells[ending] or _NUMBERS.fullmatch(cells[ending]) for cells in tried)
        return {} if is_other else meanings_of(where, [ending], tried, {}, {}, "")
    columns = [*dict.fromkeys(name for cells in tried for name in cells)]
    asked = {"label": settings.label_column, "split": settings.split_column, "group": settings.group_column}
    asked = {meaning: name if name in columns else "" for meaning, name in asked.items()}
    rows = [{name: cells.get(name, "") for name in columns} for cells in tried]
    meant = meanings_of(where, columns, rows, {}, asked, NAMES["label"])
    label = meant.get("label", "")
    is_called_so = asked["label"] or by_name(NAMES["label"], [label])
    return meant if is_called_so and len({row[label] for row in rows}) > 1 else {}


def _reading(
    folder: Folder,
    pictures: Sequence[str],
    files: Mapping[str, str],
    rows: Mapping[str, Cells],
    meant: Mapping[str, str],
    settings: PrepareSettings,
) -> Reading:
    labels = {file: cells.get(meant["label"], "") for file, cells in rows.items()}
    several = several_labels({*labels.values()})
    names = _class_names(folder, {*labels.values()})
    by_folder, by_file = splits_of_folders(pictures), splits_of_files({take_apart(where).file for where in pictures})
    often = Counter(files.values())
    found: list[Found] = []
    skipped: dict[str, str] = {}
    for where in pictures:
        file = files.get(where, "")
        if file not in rows:
            skipped[where] = "there is no label beside it"
        elif labels[file] in several:
            skipped[where] = SEVERAL
        else:
            cells, label = rows[file], names.get(labels[file], labels[file]) or None
            split = SPLITS.get(cells.get(meant.get("split", ""), "").lower()) or by_folder.get(where)
            archive = take_apart(where)
            split = split or (by_file[archive.file] if archive.member is not None else None)
            group = cells.get(meant.get("group", "")) or (file if often[file] > 1 else None)
            found.append(
                Found(where, None if settings.labels and label not in settings.labels else label, group, split)
            )
    counts = Counter(str(one.target) for one in found if one.target is not None)
    columns = ", ".join(f"{meaning} from '{name}'" for meaning, name in meant.items())
    told = f"{len(found):,} of {len(pictures):,} pictures have a file of their name beside them, such as {min(rows)}"
    return Reading(
        "a label beside each picture", (f"{told}: {columns}, {len(counts):,} classes",), tuple(found), skipped
    )


def _class_names(folder: Folder, labels: Collection[str]) -> dict[str, str]:
    """number -> name, where a list lies there that names all the numbers."""
    lists = [entry.where for entry in folder.entries() if entry.where[len(home_of(entry.where)) :].lower() in _LISTS]
    if len(lists) != 1 or not all(label.isdecimal() for label in labels):
        return {}
    lines = [line.strip() for line in folder.read(lists[0]).decode("utf-8-sig", "replace").strip().splitlines()]
    is_whole = len({*lines}) == len(lines) > max(map(int, labels), default=0)
    return {str(number): name for number, name in enumerate(lines)} if is_whole else {}
