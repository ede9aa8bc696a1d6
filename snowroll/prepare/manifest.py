"""CSV, TSV and JSON-lines files that name pictures and say their label, split or group.

Columns are found by name, then by content, or named by the user. A path in a manifest is only compared with the
names of the files that are there; nothing is ever opened by it.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Split
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.several_labels import several_labels
from snowroll.prepare.shelf import TRIED, Shelf

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")
LISTS = (".txt", ".lst")  # lines that name files, perhaps with a label: train.txt, testing_list.txt
_NUMBER = re.compile(r"[-+]?\d+(\.\d*)?")
_FOLDED = "the one of"  # begins the name of a column that is made of several
_POINT = re.compile(r"-?\d*\.\d+")
_FRACTION = re.compile(r"-?\d*\.\d*[1-9]\d*")
_FLAGS = frozenset({"0", "1", "0.0", "1.0"})
_MOST_LISTS = 50  # more of them are no lists
_LARGEST = 256 << 20  # bytes; a manifest of ten million lines
_NAMES = {  # normalised: lower case, letters only
    "path": "path filepath filename file image imagepath imagefile imagename img imgpath imageid name picture photo "
    "audiofilepath audiopath audiofile audiofilename audio wav wavpath wavfile sound recording clip",
    "label": "label labels class category target classname labelname classid labelid categoryid y diagnosis dx finding "
    "findings findinglabel findinglabels species type",
    "split": "split subset set partition usage phase fold part dataset",
    "group": "group groupid patient patientid subject subjectid case caseid person speaker scene sceneid track trackid "
    "sequence session sessionid video machine lot batch participant site camera speakerid spk clientid lesion lesionid "
    "slide slideid wsi specimen study studyid exam examid animal animalid individual individualid user userid writer "
    "writerid seqid location locationid fold stratfold",
}
_SPLIT_WORDS: dict[Split, str] = {
    "train": "train training trainset trn",
    "val": "val valid validation validate valset dev",
    "test": "test testing testset tst",
}
_NUMBERED: dict[str, Split] = {"0": "train", "1": "val", "2": "test"}  # where a column that is called so has all three
FILLER = frozenset({"set", "data", "dataset", "image", "images", "img", "imgs", "pictures", "photos", "split", "part"})
SPLITS: dict[str, Split] = {word: split for split, words in _SPLIT_WORDS.items() for word in words.split()}


TWO_ROWS = "two rows that disagree"  # begins the reason why a file with such rows is left out
TWO_SPLITS = "two rows in different splits"  # likewise
SEVERAL = "several labels, where one class a picture is what can be learnt"  # the reason why such a row tells no label
TOO_LARGE = "a list that is too large to be read"  # likewise, of what may be a manifest


@dataclass(frozen=True, slots=True)
class Row:
    """What manifests say of one picture."""

    line: str  # "labels.csv line 17"
    label: str | None
    split: Split | None
    group: str | None


@dataclass(slots=True)
class Table:
    """All manifests together. `skipped`: path or line -> why it is left out."""

    rows: dict[str, Row] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    several: set[str] = field(default_factory=set)  # pictures with more than one label: their rows tell none
    evidence: list[str] = field(default_factory=list)
    classless: dict[str, str] = field(default_factory=dict)  # manifest -> why it names pictures and no class of theirs
    has_labels: bool = False
    used: set[str] = field(default_factory=set)  # the manifests themselves


@dataclass(frozen=True, slots=True)
class Lines:
    """One file's rows: (line number, column -> cell)."""

    where: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, str]], ...]


def read_manifests(
    folder: Folder,
    pictures: Sequence[str],
    settings: PrepareSettings,
    label: str = "",
    is_text: bool = False,
    beside: Collection[str] = (),
) -> Table:
    """What the manifests in the folder say about its pictures.

    label: names of the column that holds the target ("": of classes). is_text: it holds sentences, whatever its name.
    beside: pictures that are not meant where a name is another's too, such as masks.
    """
    table, label = Table(), label or _NAMES["label"]
    found = [entry for entry in folder.entries() if entry.where.lower().endswith(ENDINGS)]
    names = ((entry, entry.where.lower()) for entry in folder.entries())
    lists = [entry for entry, name in names if name.endswith(LISTS) and not name.endswith(".trans.txt")]
    if len(lists) > _MOST_LISTS:  # texts of a picture or a class each; what is called after a split is a list still
        lists = [entry for entry in lists if (_words(entry.where) or [""])[0] in SPLITS]
    found += lists if len(lists) <= _MOST_LISTS else []
    forms = {entry.where for entry in found if "submission" in _stem(entry.where).lower()}
    table.skipped |= dict.fromkeys(forms, "a form for answers by its name: what stands in it is no label")
    found = [entry for entry in found if entry.where not in forms]
    wheres = [entry.where for entry in found if entry.size <= _LARGEST]
    for entry in found:
        if entry.size > _LARGEST:
            table.skipped[entry.where] = f"{TOO_LARGE} ({entry.size >> 20:,} of {_LARGEST >> 20:,} MiB)"
    if not wheres:
        return table
    shelf = Shelf(pictures, beside)
    parsed = [_folded(lines) for where, raw in folder.stream(wheres) if (lines := _parse(where, raw, shelf, table))]
    used = [
        (lines, columns)
        for lines in (parsed if is_text else _unnumbered(parsed))
        if (columns := _columns(lines, shelf, settings, label, is_text))
    ]
    table.classless = {lines.where: why for lines, columns in used if (why := _why_classless(lines, columns))}
    used = [(lines, columns) for lines, columns in used if table.classless.get(lines.where) != _RUN_LENGTHS]
    used = _of_one_table(_of_one_round(used, table), table)
    used = used if is_text else _of_one_labelling(used, shelf, table)
    declared: dict[str, Split | None] = {lines.where: split_of_name(lines.where) for lines, _ in used}
    labelled = any("label" in columns and declared[lines.where] for lines, columns in used)
    for lines, columns in used:
        split = declared[lines.where]
        lends = {"split", "group"} & columns.keys() or ("label" in columns and not labelled)
        if split is None and any(declared.values()) and not lends:
            table.skipped[lines.where] = "a manifest that is for no split, beside others that are"
            continue
        _add(table, lines, columns, shelf, split, is_text)
    return table


_RUN_LENGTHS = "a table of masks as run lengths, which is not read: write them as pictures beside the others"


def _why_classless(lines: Lines, columns: Mapping[str, str]) -> str | None:
    others = [name for name in lines.columns if name not in columns.values()]
    if any(_plain(name) in ("encodedpixels", "rle", "segmentation") for name in others):
        return _RUN_LENGTHS
    if "label" in columns or "split" in columns or not others:
        return None
    told = f"{', '.join(others[:6])}{' ...' * (len(others) > 6)}"
    return f"it names files and no class of theirs; if a column has it, --prepare.label_column names that: {told}"


Used = tuple[Lines, dict[str, str]]  # a manifest, and what its columns mean


def _of_one_round(used: Sequence[Used], table: Table) -> list[Used]:
    """Without the lists of further rounds: train1 and test1, train2 and test2 ... of which each splits all anew."""
    rounds: dict[str, int] = {}
    told: dict[int, dict[str, Split]] = defaultdict(dict)
    for lines, columns in used:
        split, numbers = split_of_name(lines.where), re.findall(r"\d+", _stem(lines.where))
        if split and numbers:
            rounds[lines.where] = int(numbers[-1])
            told[int(numbers[-1])] |= {cells[columns["path"]]: split for _, cells in lines.rows}
    first = min(told, default=0)
    others = {number for number, again in told.items() if _split_anew(told[first], again)}
    if others:
        table.evidence.append(f"lists of {len(others) + 1:,} rounds: the splits are those of round {first}")
    left = {where for where, number in rounds.items() if number in others}
    table.skipped |= dict.fromkeys(left, f"a list of another round than {first}")
    return [(lines, columns) for lines, columns in used if lines.where not in left]


def _of_one_table(used: Sequence[Used], table: Table) -> list[Used]:
    """Without the tables that split anew what one before them splits: 1cls.csv, 2cls_fewshot.csv ..."""
    told = {
        lines.where: {cells[columns["path"]]: cells[columns["split"]] for _, cells in lines.rows}
        for lines, columns in used
        if "split" in columns
    }
    left: set[str] = set()
    for at, (where, again) in enumerate(told.items()):
        for before, first in list(told.items())[:at]:
            if before not in left and _tells_others(again, first):
                left.add(where)
                table.skipped[where] = f"it splits anew what {before} splits: take that away to use it"
    return [(lines, columns) for lines, columns in used if lines.where not in left]


def _of_one_labelling(used: Sequence[Used], shelf: Shelf, table: Table) -> list[Used]:
    """With the labels of those files alone that tell most: makers, families and variants may be told of each picture,
    each by lists of its own. What the others say of splits and groups is kept."""
    families: dict[str, dict[str, str]] = defaultdict(dict)
    for lines, columns in used:
        if "label" in columns:
            families[_family(lines.where)]
    if len(families) < 2:
        return list(used)
    for lines, columns in used:
        if "label" in columns:
            families[_family(lines.where)] |= _labels_told(lines, columns, shelf)
    order = sorted(families, key=lambda name: (len(families[name]), len(set(families[name].values()))), reverse=True)
    passed: set[str] = set()
    for at, name in enumerate(order):
        others = [families[before] for before in order[:at] if before not in passed]
        if any(
            _tells_others(families[name], other) and {*families[name].values()} - {*other.values()} for other in others
        ):
            passed.add(name)
    kept: list[Used] = []
    for lines, columns in used:
        if "label" in columns and _family(lines.where) in passed:
            columns = {meaning: name for meaning, name in columns.items() if meaning != "label"}
            table.evidence.append(
                f"{lines.where} has other labels for the same pictures: take the rest away to use them"
            )
        kept.append((lines, columns))
    return kept


def _family(where: str) -> str:
    """What files of one kind are called: without splits and numbers."""
    return " ".join(word for word in _words(where) if word not in SPLITS)


def _labels_told(lines: Lines, columns: Mapping[str, str], shelf: Shelf) -> dict[str, str]:
    path, label = columns["path"], columns["label"]
    find = shelf.finder(lines.where, [cells[path] for _, cells in lines.rows])
    several = several_labels({cells[label] for _, cells in lines.rows})
    found = ((find(cells[path])[0], cells[label]) for _, cells in lines.rows)
    return {where: label for where, label in found if where and label and label not in several}


def _tells_others(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether it says something else of a tenth of the pictures of which both speak: errors are fewer."""
    both = one.keys() & other.keys()
    return sum(one[where] != other[where] for where in both) > 0.1 * len(both)


def _split_anew(first: Mapping[str, Split], again: Mapping[str, Split]) -> bool:
    """Whether much the same files are split in another way, and not further ones."""
    both = first.keys() & again.keys()
    return 2 * len(both) >= min(len(first), len(again)) and any(first[name] != again[name] for name in both)


def _stem(where: str) -> str:
    return where.replace("!", "/").rpartition("/")[2].rpartition(".")[0]


def _words(where: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", _stem(where).lower())


def split_of_name(where: str) -> Split | None:
    """The split that a manifest's file name declares: 'train.csv', 'Test_labels.csv'."""
    found: set[Split] = {SPLITS[word] for word in _words(where) if word in SPLITS}
    return next(iter(found)) if len(found) == 1 else None


def split_of_folders(where: str) -> Split | None:
    """The split that a folder over a file is called after.

    >>> split_of_folders("set/Train/a.png"), split_of_folders("trainannot/a.png")
    ('train', None)
    """
    folders = where.replace("!", "/").lower().split("/")[:-1]
    return next((SPLITS[name] for name in folders if name in SPLITS), None)


def splits_of_folders(wheres: Iterable[str]) -> dict[str, Split]:
    """Which of these files lie in folders that are called after a split; 'train2017' is one where there is a 'val2017'.

    >>> splits_of_folders(["train2017/a.png", "val2017/b.png", "c.png"]), splits_of_folders(["test 1/a", "test 2/b"])
    ({'train2017/a.png': 'train', 'val2017/b.png': 'val'}, {})
    """
    folders = {where: where.replace("!", "/").split("/")[:-1] for where in wheres}
    called: dict[str, Split | None] = {name: split_called(name) for names in folders.values() for name in names}
    if len(set(called.values()) - {None}) < 2:
        called = {name: SPLITS.get(name.lower()) for name in called}
    found: dict[str, Split] = {}
    for where, names in folders.items():
        for name in names:
            if split := called[name]:
                found.setdefault(where, split)
    return found


def split_called(name: str, shared: Set[str] = frozenset()) -> Split | None:
    """The split that is in a name, besides numbers and words that say nothing or that are `shared`.

    >>> split_called("Train_Images"), split_called("val2017"), split_called("seg_test", {"seg"})
    ('train', 'val', 'test')
    """
    left = set(re.findall(r"[^\W\d_]+", name.lower())) - (shared - SPLITS.keys()) - FILLER
    return SPLITS.get(left.pop()) if len(left) == 1 else None


def _add(
    table: Table, lines: Lines, columns: Mapping[str, str], shelf: Shelf, split: Split | None, is_text: bool
) -> None:
    cells_of_labels = {cells[columns["label"]] for _, cells in lines.rows} if "label" in columns and not is_text else ()
    several = several_labels(set(cells_of_labels))
    find = shelf.finder(lines.where, [cells[columns["path"]] for _, cells in lines.rows])
    labels: Counter[str] = Counter()
    qualify = _restarts(lines, columns)
    absent = 0
    for number, cells in lines.rows:
        named, line = cells[columns["path"]], f"{lines.where} line {number}"
        where, why = find(named)
        if where is None:
            absent += 1
            table.skipped[named or line] = f"named in {line}, but {why}"
            continue
        label = cells.get(columns.get("label", "")) or None
        if label in several:
            table.several.add(where)
            label = None
        group = cells.get(columns.get("group", "")) or None
        told = cells.get(columns.get("split", ""), "").lower()
        its_split: Split | None = SPLITS.get(told) or _NUMBERED.get(told) or split
        row = Row(line, label, its_split, f"{label}/{group}" if group and qualify else group)
        before = table.rows.get(where, row)
        if _differ(before.split, its_split):
            table.skipped[where] = f"{TWO_SPLITS}: '{before.split}' ({before.line}) and '{its_split}' ({line})"
        elif _differ(before.label, label):
            table.skipped[where] = f"{TWO_ROWS}: labels '{before.label}' ({before.line}) and '{label}' ({line})"
        table.rows[where] = Row(
            before.line, before.label or label, before.split or its_split, before.group or row.group
        )
        labels.update([label] if label else [])
    table.used.add(lines.where)
    table.has_labels = table.has_labels or bool(labels)
    told = ", ".join(f"{meaning} from '{name}'" for meaning, name in columns.items())
    counted = f"; {len(labels):,} labels" if labels else ""
    table.evidence.append(f"{lines.where}: {len(lines.rows):,} rows, {told}{counted}")
    if several:
        n = sum(cells[columns["label"]] in several for _, cells in lines.rows)
        table.evidence.append(f"{n:,} rows tell several labels, such as '{min(several)}': left out, a class is one")
    if absent:
        table.evidence.append(f"{absent:,} rows name files that cannot be found")
    if qualify:
        table.evidence.append(
            f"{lines.where}: '{columns['group']}' is counted anew in each class, so it is read with it"
        )


def _differ(one: str | None, other: str | None) -> bool:
    """Whether both say something, and not the same."""
    return None not in (one, other) and one != other


def _restarts(lines: Lines, columns: Mapping[str, str]) -> bool:
    """Whether groups are numbered anew within every class, so that group 3 of two classes is not one group.

    Said only of three classes or more of which each counts 0..k (or 1..k) without a gap, to different ends: people
    who take part in several classes do not leave that pattern.
    """
    if not {"group", "label"} <= columns.keys():
        return False
    seen: dict[str, set[str]] = defaultdict(set)
    for _, cells in lines.rows:
        seen[cells[columns["label"]]].add(cells[columns["group"]])
    if len(seen) < 3 or not all(value.isdecimal() for values in seen.values() for value in values):
        return False
    counts = [sorted(int(value) for value in values) for values in seen.values()]
    start = counts[0][0]
    gapless = all(start in (0, 1) and have == list(range(start, start + len(have))) for have in counts)
    return gapless and len({len(have) for have in counts}) >= 3


# which column is what ---------------------------------------------------------------------------------------------


def _columns(lines: Lines, shelf: Shelf, settings: PrepareSettings, label: str, is_text: bool) -> dict[str, str] | None:
    """meaning -> column, or None where no column names pictures."""
    wanted = {"path": settings.path_column, "label": settings.label_column}
    wanted |= {"split": settings.split_column, "group": settings.group_column}
    found = {meaning: name for meaning, name in wanted.items() if name in lines.columns and name}
    tried = [cells for _, cells in lines.rows[:: max(1, len(lines.rows) // TRIED)]][:TRIED]
    if "path" not in found:
        share = {name: shelf.share(lines.where, [cells[name] for cells in tried]) for name in lines.columns}
        path = max(share, key=lambda name: (share[name], _by_name(_NAMES["path"], [name]) is not None), default=None)
        named = _by_name(_NAMES["path"], lines.columns)
        if path is None or share[path] < 0.5:
            path = named if named and any(format_of_name(cells[named]) for cells in tried) else None
        if path is None:
            return None
        found = {"path": path, **found}
    for meaning, name in wanted.items():
        if name and name not in lines.columns and not lines.where.lower().endswith(LISTS):  # no names are in lists
            cure = did_you_mean(name, list(lines.columns))
            raise UsageError(f"there is no column '{name}'", where=lines.where, cure=cure)
        left = [column for column in lines.columns if column not in found.values()]
        if meaning not in found and (column := _find(meaning, left, tried, label)):
            found[meaning] = column
    left = [column for column in lines.columns if column not in found.values()]
    if "label" not in found and (folded := [name for name in left if name.startswith(_FOLDED)]):
        found["label"] = folded[0]
    by_content = _text_by_content if is_text else _label_by_content
    if "label" not in found and (column := by_content(left, tried)):
        found["label"] = column
    if "label" in found and not settings.label_column:
        left = [column for column in lines.columns if column not in found.values()]
        found["label"] = _in_words(found["label"], left, lines)
    return found


def _in_words(label: str, columns: Sequence[str], lines: Lines) -> str:
    """Where classes are numbers, the column that has a word for each of them."""
    kinds = {cells[label] for _, cells in lines.rows}
    if not all(kind.isdecimal() for kind in kinds):
        return label
    for name in columns:
        pairs = {(cells[label], cells[name]) for _, cells in lines.rows}
        words = {word for _, word in pairs}
        if len(pairs) == len(words) == len(kinds) > 1 and all(re.search(r"[^\W\d_]", word) for word in words):
            return name
    return label


def _find(meaning: str, columns: Sequence[str], tried: Sequence[Mapping[str, str]], label: str) -> str | None:
    cells = {name: [row[name] for row in tried if row[name]] for name in columns}
    if meaning == "label":
        return _by_name(label, [name for name in columns if not _is_measured(name, columns, cells[name])])
    if meaning != "split":
        return _by_name(_NAMES[meaning], columns)
    fits = [name for name in columns if cells[name] and all(cell.lower() in SPLITS for cell in cells[name])]
    numbered = [name for name in columns if set(cells[name]) == _NUMBERED.keys()]
    return _by_name(_NAMES[meaning], fits) or (fits[0] if fits else _by_name(_NAMES[meaning], numbered))


def _is_measured(name: str, columns: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether it is no class, whatever its name: numbers with fractions, or the place beside one that is called x."""
    is_number = all(_FRACTION.fullmatch(cell) or _NUMBER.fullmatch(cell) for cell in cells)
    if is_number and any(_FRACTION.fullmatch(cell) for cell in cells):
        return True
    return _plain(name) == "y" and any(_plain(other).endswith("x") for other in columns)


def _label_by_content(columns: Sequence[str], tried: Sequence[Mapping[str, str]]) -> str | None:
    """The only column of words or whole numbers that come many times each: a measurement takes too many values."""
    others = _NAMES["split"].split()
    fits = [
        name for name in columns if _plain(name) not in others and _is_choice([row[name] for row in tried if row[name]])
    ]
    return fits[0] if len(fits) == 1 else None


def _folded(lines: Lines) -> Lines:
    """Columns of zeros and ones of which each row has one 1 are one column, of their names: 'MEL', 'NV', 'BCC'."""
    flags = [name for name in lines.columns if all(cells[name] in _FLAGS for _, cells in lines.rows)]
    marked = [[name for name in flags if float(cells[name])] for _, cells in lines.rows]
    if len(flags) < 2 or any(len(names) > 1 for names in marked) or sum(map(bool, marked)) < 0.9 * len(marked):
        return lines
    name = f"{_FOLDED} {len(flags)} columns that is 1"
    rows = [
        (number, {**{key: cell for key, cell in cells.items() if key not in flags}, name: "".join(names)})
        for (number, cells), names in zip(lines.rows, marked, strict=True)
    ]
    return Lines(lines.where, (*(key for key in lines.columns if key not in flags), name), tuple(rows))


def _text_by_content(columns: Sequence[str], tried: Sequence[Mapping[str, str]]) -> str | None:
    """The last column of several words each: where a text stands twice, the second time it is spelled out."""
    fits = [name for name in columns if sum(" " in row[name] for row in tried) > len(tried) / 2]
    return fits[-1] if fits else None


def _is_choice(cells: Sequence[str]) -> bool:
    kinds = set(cells)
    if not 2 <= len(kinds) <= max(2, len(cells) // 4):
        return False
    is_flag = kinds <= _FLAGS | {"-1", "-1.0"}  # -1: not told, or no
    return is_flag or not any(_POINT.fullmatch(cell) for cell in kinds)


def _by_name(names: str, columns: Sequence[str]) -> str | None:
    plain = {_plain(name): name for name in reversed(columns)}
    return next((plain[name] for name in names.split() if name in plain), None)


def _plain(name: str) -> str:
    """Without case and what stands between words. With its numbers: 'y_1' is no 'y'."""
    return re.sub(r"[\W_]", "", name.lower())


# reading a file's rows --------------------------------------------------------------------------------------------


def _parse(where: str, raw: bytes, shelf: Shelf, table: Table) -> Lines | None:
    try:
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if where.lower().endswith(LISTS):
        rows = _list_lines(where, text, shelf)
    elif where.lower().endswith(("jsonl", "ndjson")):
        rows = _json_lines(where, text, table)
    else:
        try:
            rows = list(_csv_lines(where, text, shelf))
        except csv.Error as fault:
            table.skipped[where] = f"not a table that can be read ({fault})"
            return None
    if not rows:
        return None
    columns = tuple(dict.fromkeys(name for _, cells in rows for name in cells))
    return Lines(where, columns, tuple((n, {name: cells.get(name, "") for name in columns}) for n, cells in rows))


def _csv_lines(where: str, text: str, shelf: Shelf) -> Iterator[tuple[int, dict[str, str]]]:
    head = text[:65536].splitlines()[:20]
    mark = max("\t,;|", key=lambda mark: (min((line.count(mark) for line in head), default=0), mark == ","))
    quoting = csv.QUOTE_NONE if mark == "|" else csv.QUOTE_MINIMAL  # LJ Speech: quotes are part of what is said
    reader = csv.reader(text.splitlines(keepends=True), delimiter=mark, strict=True, quoting=quoting)
    first = next(reader, [])
    if any(shelf.share(where, [cell]) or format_of_name(cell) for cell in first):  # no header: it names a picture
        widest = max(line.count(mark) for line in text.splitlines()) + 1
        names = [f"column {i}" for i in range(1, max(widest, len(first)) + 1)]
        yield 1, dict(zip(names, (cell.strip() for cell in first), strict=False))
    else:
        names = [name.strip() or f"column {i}" for i, name in enumerate(first, 1)]
    for cells in reader:
        if cells:
            yield reader.line_num, dict(zip(names, (cell.strip() for cell in cells), strict=False))


def _list_lines(where: str, text: str, shelf: Shelf) -> list[tuple[int, dict[str, str]]]:
    """Lines that name a file, or a file and its label after it; none where they name none."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    tried = [line for _, line in lines[:: max(1, len(lines) // TRIED)]][:TRIED]
    if shelf.share(where, tried) >= 0.5:
        return [(number, {"file": line}) for number, line in lines]
    last = _cut(lines, r"(.*[^\s,;|])[\s,;|]+([^\s,;|]+)")  # a name may have blanks
    first = _cut(lines, r"([^\s,;|]+)[\s,;|]+(.+)")  # and so may a label
    by_last, by_first = (shelf.share(where, [cells["file"] for _, cells in cut][:TRIED]) for cut in (last, first))
    if by_last >= 0.5 and by_last >= by_first:
        return last
    if by_first < 0.5:
        return []
    apart = [(number, re.split(r"[\s,;|]+", line)) for number, line in lines]
    widths = {len(cells) for _, cells in apart}
    numbers = [at for at in range(1, min(widths)) if all(_NUMBER.fullmatch(cells[at]) for _, cells in apart)]
    if len(widths) > 1 or not numbers:  # words alone: are they the names of classes, or sentences?
        return first if 2 * len({cells.get("label") for _, cells in first}) <= len(first) else []
    words = [at for at in range(1, min(widths)) if at not in numbers]
    meanings = {"file": 0, **({"label": words[0]} if len(words) == 1 else {})}  # it may stand beside the sides of a box
    return [(number, {name: cells[at] for name, at in meanings.items()}) for number, cells in apart]


def _cut(lines: Sequence[tuple[int, str]], pattern: str) -> list[tuple[int, dict[str, str]]]:
    """Lines as a file and its label."""
    cut = ((number, re.fullmatch(pattern, line), line) for number, line in lines)
    return [(number, {"file": of[1], "label": of[2]} if of else {"file": line}) for number, of, line in cut]


def _unnumbered(parsed: Sequence[Lines]) -> list[Lines]:
    """Lists without their last column where that is a running number and no label: a whole number that is another one
    in each row, and not only of those that another list gives to many."""
    lists = {
        lines.where: [cells["label"] for _, cells in lines.rows if cells["label"]]
        for lines in parsed
        if lines.where.lower().endswith(LISTS) and "label" in lines.columns
    }
    known = {label for labels in lists.values() if len(set(labels)) < len(labels) for label in labels}
    return [
        Lines(lines.where, ("file",), lines.rows) if _is_running(lists.get(lines.where, ()), known) else lines
        for lines in parsed
    ]


def _is_running(labels: Sequence[str], known: Set[str]) -> bool:
    are_whole = all(label.isdecimal() for label in labels)
    return len(labels) > 2 and are_whole and len(set(labels)) == len(labels) and not set(labels) <= known


def _json_lines(where: str, text: str, table: Table) -> list[tuple[int, dict[str, str]]]:
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, parse_constant=_refuse)
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            plain = {key: item for key, item in value.items() if isinstance(item, str | int | float)}
            rows.append((number, {key: str(item).strip() for key, item in plain.items()}))
        else:
            table.skipped[f"{where}:{number}"] = "not one JSON object on a line"
    return rows


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
