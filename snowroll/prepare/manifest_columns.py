"""Which column of a manifest is what: the path, the label, the split, the group, who labelled; by name, then by
content.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from snowroll.base.errors import UsageError, did_you_mean
from snowroll.base.nouns import Split
from snowroll.prepare.manifest_lines import FLAGS, FOLDED, LISTS, NUMBER, Lines
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.shelf import TRIED, Shelf
from snowroll.prepare.split_words import SPLITS

NAMES = {  # normalised: lower case, letters only
    "path": "path filepath filename file image imagepath imagefile imagename img imgpath imageid name picture photo "
    "audiofilepath audiopath audiofile audiofilename audio wav wavpath wavfile sound recording clip",
    "label": "label labels class cls category target classname labelname classid labelid categoryid y diagnosis dx "
    "finding findings findinglabel findinglabels species type",
    "split": "split subset set partition usage phase fold part dataset",
    "group": "group groupid patient patientid subject subjectid case caseid person speaker scene sceneid track trackid "
    "sequence session sessionid video machine lot batch participant site camera speakerid spk clientid lesion lesionid "
    "slide slideid wsi specimen study studyid exam examid animal animalid individual individualid user userid writer "
    "writerid seqid location locationid fold stratfold",
    "annotator": "annotator annotatorid annotatedby labeler labelerid labeller labellerid labeledby labelledby worker "
    "workerid rater raterid reader readerid",
}
NUMBERED: dict[str, Split] = {"0": "train", "1": "val", "2": "test"}  # where a column that is called so has all three
RUN_LENGTHS = "a table of masks as run lengths: segment_images reads those that count column by column from 1"
_POINT = re.compile(r"-?\d*\.\d+")
_FRACTION = re.compile(r"-?\d*\.\d*[1-9]\d*")


def columns_of(
    lines: Lines, shelf: Shelf, settings: PrepareSettings, label: str, is_text: bool
) -> dict[str, str] | None:
    """meaning -> column, or None where no column names pictures."""
    wanted = {"path": settings.path_column, "label": settings.label_column}
    wanted |= {"split": settings.split_column, "group": settings.group_column}
    wanted |= {} if is_text else {"annotator": ""}  # a reader of sentences is their speaker
    found = {meaning: name for meaning, name in wanted.items() if name in lines.columns and name}
    tried = [cells for _, cells in lines.rows[:: max(1, len(lines.rows) // TRIED)]][:TRIED]
    if "path" not in found:
        share = {name: shelf.share(lines.where, [cells[name] for cells in tried]) for name in lines.columns}
        path = max(share, key=lambda name: (share[name], by_name(NAMES["path"], [name]) is not None), default=None)
        named = by_name(NAMES["path"], lines.columns)
        if path is None or share[path] < 0.5:
            path = named if named and any(format_of_name(cells[named]) for cells in tried) else None
        if path is None:
            return None
        found = {"path": path, **found}
    found = meanings_of(lines.where, lines.columns, tried, found, wanted, label, is_text)
    if "label" in found and not settings.label_column:
        left = [column for column in lines.columns if column not in found.values()]
        found["label"] = _in_words(found["label"], left, lines)
    return found


def meanings_of(
    where: str,
    columns: Sequence[str],
    tried: Sequence[Mapping[str, str]],
    found: Mapping[str, str],
    wanted: Mapping[str, str],
    label: str,
    is_text: bool = False,
) -> dict[str, str]:
    """What is found so far, with the other meanings that are told. wanted: by the user, "" for whatever is found."""
    found = dict(found)
    for meaning, name in wanted.items():
        if name and name not in columns and not where.lower().endswith(LISTS):  # no names are in lists
            raise UsageError(f"there is no column '{name}'", where=where, cure=did_you_mean(name, list(columns)))
        left = [column for column in columns if column not in found.values()]
        if meaning not in found and (column := name if name in left else _find(meaning, left, tried, label)):
            found[meaning] = column
    left = [column for column in columns if column not in found.values()]
    if "label" not in found and (folded := [name for name in left if name.startswith(FOLDED)]):
        found["label"] = folded[0]
    by_content = _text_by_content if is_text else _label_by_content
    if "label" not in found and (column := by_content(left, tried)):
        found["label"] = column
    return found


def why_classless(lines: Lines, columns: Mapping[str, str]) -> str | None:
    others = [name for name in lines.columns if name not in columns.values()]
    if column_of_runs(others):
        return RUN_LENGTHS
    if "label" in columns or "split" in columns or not others:
        return None
    told = f"{', '.join(others[:6])}{' ...' * (len(others) > 6)}"
    return f"it names files and no class of theirs; if a column has it, --prepare.label_column names that: {told}"


def column_of_runs(columns: Sequence[str]) -> str | None:
    """The column of masks as run lengths."""
    return by_name("encodedpixels rle segmentation", columns)


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
        return by_name(label, [name for name in columns if not _is_measured(name, columns, cells[name])])
    if meaning != "split":
        return by_name(NAMES[meaning], columns)
    fits = [name for name in columns if cells[name] and all(cell.lower() in SPLITS for cell in cells[name])]
    numbered = [name for name in columns if set(cells[name]) == NUMBERED.keys()]
    return by_name(NAMES[meaning], fits) or (fits[0] if fits else by_name(NAMES[meaning], numbered))


def _is_measured(name: str, columns: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether it is no class, whatever its name: numbers with fractions, the place beside one that is called x, or a
    length beside dy."""
    is_number = all(_FRACTION.fullmatch(cell) or NUMBER.fullmatch(cell) for cell in cells)
    if is_number and any(_FRACTION.fullmatch(cell) for cell in cells):
        return True
    others = [_plain(other) for other in columns]
    if _plain(name) == "dx":
        return is_number and "dy" in others
    return _plain(name) == "y" and any(other.endswith("x") for other in others)


def _label_by_content(columns: Sequence[str], tried: Sequence[Mapping[str, str]]) -> str | None:
    """The only column of words or whole numbers that come many times each: a measurement takes too many values."""
    others = NAMES["split"].split()
    fits = [
        name for name in columns if _plain(name) not in others and _is_choice([row[name] for row in tried if row[name]])
    ]
    return fits[0] if len(fits) == 1 else None


def _text_by_content(columns: Sequence[str], tried: Sequence[Mapping[str, str]]) -> str | None:
    """The last column of several words each: where a text stands twice, the second time it is spelled out."""
    fits = [name for name in columns if sum(" " in row[name] for row in tried) > len(tried) / 2]
    return fits[-1] if fits else None


def _is_choice(cells: Sequence[str]) -> bool:
    kinds = set(cells)
    if not 2 <= len(kinds) <= max(2, len(cells) // 4):
        return False
    is_flag = kinds <= FLAGS | {"-1", "-1.0"}  # -1: not told, or no
    return is_flag or not any(_POINT.fullmatch(cell) for cell in kinds)


def by_name(names: str, columns: Sequence[str]) -> str | None:
    plain = {_plain(name): name for name in reversed(columns)}
    return next((plain[name] for name in names.split() if name in plain), None)


def _plain(name: str) -> str:
    """Without case and what stands between words. With its numbers: 'y_1' is no 'y'."""
    return re.sub(r"[\W_]", "", name.lower())
