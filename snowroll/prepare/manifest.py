"""CSV, TSV and JSON-lines files that name pictures and say their label, split or group.

Columns are found by name, then by content, or named by the user. A path in a manifest is only compared with the
names of the files that are there; nothing is ever opened by it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from snowroll.base.nouns import Split
from snowroll.prepare.keyed_lists import Keyed, joined, keyed
from snowroll.prepare.longer_names import with_whole_names
from snowroll.prepare.manifest_columns import NAMES, NUMBERED, RUN_LENGTHS, columns_of, why_classless
from snowroll.prepare.manifest_lines import (
    ENDINGS,
    LISTS,
    Lines,
    folded,
    has_ending,
    is_delimited,
    lines_of,
    unnumbered,
)
from snowroll.prepare.manifest_rivals import of_one_labelling, of_one_round, of_one_split
from snowroll.prepare.names import is_idx
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.several_labels import several_labels
from snowroll.prepare.shelf import Shelf
from snowroll.prepare.split_words import SPLITS, learns_from, split_of_name, stem_of, words_of

_MOST_LISTS = 50  # more of them are no lists
_LARGEST = 256 << 20  # bytes; a manifest of ten million lines
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
    annotator: str | None = None


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
    twice: list[tuple[str, str]] = field(default_factory=list)  # labels that two annotators gave one picture


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
    table, label = Table(), label or NAMES["label"]
    wheres = _may_tell(folder, table.skipped)
    if not wheres:
        return table
    shelf = Shelf(pictures, beside)
    streamed = ((where, raw) for where, raw in folder.stream(wheres) if has_ending(where) or is_delimited(raw))
    by_key: dict[str, Keyed] = {}
    parsed: list[Lines] = []
    for where, raw in streamed:
        if where.lower().endswith(LISTS) and not is_text and (told := keyed(raw)):
            by_key[where] = told
        if lines := lines_of(where, raw, shelf, table.skipped):
            parsed.append(with_whole_names(folded(lines), pictures))
    if both := joined(by_key, shelf):
        parsed = [lines for lines in parsed if lines.where not in both.lists] + [both.lines]
        table.used |= {*both.lists}
        table.evidence.append(both.evidence)
    used = [
        (lines, columns)
        for lines in (parsed if is_text else unnumbered(parsed))
        if (columns := columns_of(lines, shelf, settings, label, is_text))
    ]
    table.classless = {lines.where: why for lines, columns in used if (why := why_classless(lines, columns))}
    used = [(lines, columns) for lines, columns in used if table.classless.get(lines.where) != RUN_LENGTHS]
    used = of_one_split(of_one_round(used, table.skipped, table.evidence), table.skipped)
    used = used if is_text else of_one_labelling(used, shelf, table.evidence)
    declared: dict[str, Split | None] = {lines.where: split_of_name(lines.where) for lines, _ in used}
    labelled = any("label" in columns and declared[lines.where] for lines, columns in used)
    for_both = {lines.where for lines, _ in used if declared[lines.where] is None and learns_from(lines.where)}
    for lines, columns in sorted(used, key=lambda one: one[0].where in for_both):  # train.txt and val.txt tell more
        split = "train" if lines.where in for_both else declared[lines.where]
        lends = {"split", "group"} & columns.keys() or ("label" in columns and not labelled)
        if split is None and any(declared.values()) and not lends:
            table.skipped[lines.where] = "a manifest that is for no split, beside others that are"
            continue
        _add(table, lines, columns, shelf, split, is_text, lines.where in for_both)
    if table.twice:
        table.evidence.append(agreement(table.twice))
    return table


def _may_tell(folder: Folder, skipped: dict[str, str]) -> list[str]:
    """The files that may be manifests, by their names and sizes."""
    names = {entry.where: entry.where.lower() for entry in folder.entries()}
    lists = [where for where, name in names.items() if name.endswith(LISTS) and not name.endswith(".trans.txt")]
    if len(lists) > _MOST_LISTS:  # texts of a picture or a class each; what is called after a split is a list still
        lists = [where for where in lists if (words_of(where) or [""])[0] in SPLITS]
    found = {where for where, name in names.items() if name.endswith(ENDINGS)}
    found |= set(lists) if len(lists) <= _MOST_LISTS else set()
    bare = {where for where in names if not has_ending(where) and not is_idx(where)}
    found |= bare if len(bare) <= _MOST_LISTS else set()  # a table may have lost its ending
    wheres = []
    for entry in folder.entries():
        if entry.where not in found:
            continue
        if "submission" in stem_of(entry.where).lower():
            skipped[entry.where] = "a form for answers by its name: what stands in it is no label"
        elif entry.size > _LARGEST:
            skipped[entry.where] = f"{TOO_LARGE} ({entry.size >> 20:,} of {_LARGEST >> 20:,} MiB)"
        else:
            wheres.append(entry.where)
    return wheres


def _add(
    table: Table,
    lines: Lines,
    columns: Mapping[str, str],
    shelf: Shelf,
    split: Split | None,
    is_text: bool,
    is_for_both: bool,
) -> None:
    """is_for_both: it does not tell training from validation."""
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
        known = table.rows.get(where)
        usual = known.split if is_for_both and known and known.split == "val" else split
        its_split: Split | None = SPLITS.get(told) or NUMBERED.get(told) or usual
        annotator = cells.get(columns.get("annotator", "")) or None
        its_group = f"{label}/{group}" if group and qualify else group
        _join(table, where, Row(line, label, its_split, its_group, annotator))
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


def _join(table: Table, where: str, row: Row) -> None:
    """What an earlier line says stays; where both say something else the sample is skipped."""
    before = table.rows.get(where) or row
    if _differ(before.annotator, row.annotator) and before.label is not None and row.label is not None:
        table.twice.append((before.label, row.label))
    if _differ(before.split, row.split):
        table.skipped[where] = f"{TWO_SPLITS}: '{before.split}' ({before.line}) and '{row.split}' ({row.line})"
    elif _differ(before.label, row.label):
        table.skipped[where] = f"{TWO_ROWS}: labels '{before.label}' ({before.line}) and '{row.label}' ({row.line})"
    who = row.annotator if before.label is None else before.annotator
    table.rows[where] = Row(
        before.line, before.label or row.label, before.split or row.split, before.group or row.group, who
    )


def agreement(pairs: Sequence[tuple[str, str]]) -> str:
    """How far two annotators agree on what both labelled, with Cohen's kappa (1960, eq. 1).

    >>> agreement([("a", "a"), ("a", "a"), ("b", "b"), ("b", "a")])
    '4 labels of two annotators for one file each: 75% are the same, kappa 0.50'
    """
    n = len(pairs)
    same = sum(one == other for one, other in pairs) / n
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    chance = sum(first[label] * second[label] for label in first) / n**2
    kappa = f", kappa {(same - chance) / (1 - chance):.2f}" if chance < 1 else ""
    return f"{n:,} labels of two annotators for one file each: {same:.0%} are the same{kappa}"


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


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
