"""How a folder of pictures says which class each one is, found by looking at it.

In falling order of trust: the user's pattern; tables of pictures, where those hold most of them; a manifest that labels
at least half of the pictures; a label beside each of them; a list of as many numbers; folders named after classes, with
or without train, val and test folders above or below them; words that names begin with; an .npz of images and labels;
files of many pictures; no labels at all, where the user has given the names. Whatever is left out is named with the
reason. No rule knows any data set by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from snowroll.base.listing import few
from snowroll.base.task import Found, Reading
from snowroll.prepare.class_folders import case_folders
from snowroll.prepare.class_names import matched, read_classes
from snowroll.prepare.disk import Entry
from snowroll.prepare.image_arrays import read_image_arrays
from snowroll.prepare.labels_beside import read_labels_beside
from snowroll.prepare.manifest import SEVERAL, TOO_LARGE, TWO_ROWS, Table, read_manifests
from snowroll.prepare.masks import find_masks
from snowroll.prepare.names import packed_of, take_apart, whole_of
from snowroll.prepare.numbered import read_numbered
from snowroll.prepare.parquet_pictures import read_picture_tables
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.shard_sets import read_shards
from snowroll.prepare.split_words import splits_of_folders
from snowroll.prepare.unread import unread_beside

BY_NAMES = ("class folders", "classes in the names of files")  # how layouts end that folders and names tell alone


def read_images(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """The pictures of a folder with their classes, splits and groups; None where nothing says what they are.

    Raises UsageError where a setting does not fit the data, DataError where the folder cannot be read.
    """
    entries = folder.entries()
    pictures = [entry.where for entry in entries if format_of_name(entry.where)]
    masks = find_masks(folder, pictures)
    table = read_manifests(folder, pictures, settings, beside=masks)
    masks = {where: why for where, why in masks.items() if where not in table.rows}
    samples = [where for where in pictures if where not in masks]
    reading = _labelled(folder, samples, table, settings)
    if reading and _are_groups(reading, table, settings):
        told = {where: f"the folders are groups by it, no classes: {why}" for where, why in table.classless.items()}
        folder.refused = {**told, **folder.refused}
        return None
    reading = reading or read_image_arrays(folder, entries)
    reading = reading or read_shards(folder, entries) or _unlabelled(samples, settings)
    if reading is None:
        folder.refused = {**table.classless, **folder.refused}
        return None
    reading = with_groups(reading, settings.group)
    used = {found.where for found in reading.found} | {take_apart(found.where).file for found in reading.found}
    used |= table.used | {one.of for found in reading.found if (one := packed_of(found.where))}
    left = [entry for entry in entries if entry.where not in used]
    others = {entry.where: "not a picture" for entry in left}
    told = [f"{len(masks):,} masks beside them are left out, such as {min(masks)}"] if masks else []
    if len({found.target for found in reading.found}) < 2:
        told += [f"{where}: {why}" for where, why in table.classless.items()]
    skipped = {**others, **folder.refused, **masks, **table.skipped, **reading.skipped}
    unread = _unread(reading, left, table, settings)
    return replace(reading, evidence=(*unread, *reading.evidence, *told), skipped=skipped)


def _labelled(folder: Folder, samples: Sequence[str], table: Table, settings: PrepareSettings) -> Reading | None:
    """Tables of pictures where they hold most; labels in files beside the pictures; manifests, folders and names."""
    if settings.label:
        return _choose(samples, table, settings)
    packed = read_picture_tables(folder, folder.entries(), settings)
    if packed and len(packed.found) > len(samples):
        return packed
    beside: Reading | None = None
    if not table.has_labels:
        beside = read_labels_beside(folder, samples, table, settings) or read_numbered(folder, samples)
    return (overlaid(beside, table) if beside else _choose(samples, table, settings)) or packed


def _are_groups(reading: Reading, table: Table, settings: PrepareSettings) -> bool:
    """Whether a list that says more of the pictures, and not which class they are, says that the folders are groups."""
    if table.has_labels or not table.classless or settings.label or settings.labels:
        return False
    rows = ((one, table.rows.get(one.where)) for one in reading.found)
    return 2 * sum(row is not None and row.group == one.target for one, row in rows) > len(reading.found)


def _unread(reading: Reading, left: Sequence[Entry], table: Table, settings: PrepareSettings) -> list[str]:
    """What is to be told first where folders or names are taken for classes and files that may say more are not read:
    not where the user said what the classes are."""
    if table.has_labels or settings.label or settings.labels or not reading.layout.endswith(BY_NAMES):
        return []
    known = {where for where, why in table.skipped.items() if not why.startswith(TOO_LARGE)}
    others = [one for one in left if not format_of_name(one.where) and one.where not in known]
    return unread_beside([found.where for found in reading.found], others)


def count_formats(wheres: Iterable[str]) -> str:
    """
    >>> count_formats(["a.jpg", "b.JPEG", "c.png"])
    '2 JPEG and 1 PNG'
    """
    counts = Counter(format_of_name(where) or "other" for where in wheres).most_common()
    return " and ".join(f"{n:,} {kind}" for kind, n in counts)


def _choose(pictures: Sequence[str], table: Table, settings: PrepareSettings) -> Reading | None:
    """Manifest or folders (or names); each adds what the other does not say. The user's pattern is asked first."""
    folders = read_classes(pictures, settings)
    if settings.label and folders is not None:
        return overlaid(folders, table)
    named = [where for where in pictures if where in table.rows and table.rows[where].label is not None]
    listed = len(named) + len(table.several)
    if table.has_labels and (listed * 2 >= len(pictures) or folders is None):
        return _by_manifest(pictures, table, {found.where: found for found in folders.found} if folders else {})
    if folders is None:
        return None
    told = [*folders.evidence, *table.evidence]
    if table.has_labels:
        told.append(
            f"the manifest labels only {len(named):,} of {len(pictures):,} pictures, so the folders are followed"
        )
    if lent := _classes_lent(folders, table):
        told.append(f"{len(lent):,} pictures in no class folder have their classes from it")
    left = {where: why for where, why in folders.skipped.items() if where not in {one.where for one in lent}}
    return replace(folders, found=(*overlaid(folders, table).found, *lent), evidence=tuple(told), skipped=left)


def _classes_lent(folders: Reading, table: Table) -> list[Found]:
    """Pictures that lie in no class folder, and that a list gives one of the folders' classes: train/cat/1.jpg beside
    val/1.jpg and val_labels.txt."""
    names: dict[str | None, str] = {str(one.target): str(one.target) for one in folders.found if one.target is not None}
    padded = {name: str(int(name)) for name in names.values() if name.isascii() and name.isdecimal()}  # 00007
    if len({*padded.values()}) == len(padded):
        names = {**{number: name for name, number in padded.items()}, **names}
    rows = ((where, row) for where, row in table.rows.items() if where in folders.skipped and row.label in names)
    splits = splits_of_folders([*(one.where for one in folders.found), *folders.skipped])
    return [
        Found(where, names[row.label], row.group, row.split or splits.get(where), row.annotator)
        for where, row in rows
        if where not in table.skipped
    ]


def overlaid(reading: Reading, table: Table) -> Reading:
    """With the splits and groups that the table tells, of pieces by what they are cut from; without the samples about
    which its rows disagree."""
    found: list[Found] = []
    for one in reading.found:
        whole, _ = whole_of(one.where)
        row = table.rows.get(whole)
        if whole not in table.skipped:
            split, group, who = (row.split, row.group, row.annotator) if row else (None, None, None)
            found.append(replace(one, split=split or one.split, group=group or one.group, annotator=who))
    return replace(reading, found=tuple(found))


def with_declared(reading: Reading, folder: Folder, settings: PrepareSettings) -> Reading:
    """With the splits and groups that manifests and lists tell of samples whose targets stand elsewhere."""
    known = [*(one.where for one in reading.found), *reading.skipped]
    table = read_manifests(folder, known, replace(settings, label_column=""), beside=reading.skipped)
    told = [row for one in reading.found if (row := table.rows.get(one.where)) and (row.split or row.group)]
    if not told:
        return reading
    ours = {one.where for one in reading.found}
    files = {entry.where for entry in folder.entries()} - ours - reading.skipped.keys()  # what was of use already
    table.skipped = {
        where: why for where, why in table.skipped.items() if where not in files and not why.startswith(TWO_ROWS)
    }
    n, groups = sum(row.split is not None for row in told), {row.group for row in told} - {None}
    by = sorted({row.line.rpartition(" line ")[0] for row in told})
    evidence = f"the splits of {n:,} samples and {len(groups):,} groups by {', '.join(by[:3])}{' ...' * (len(by) > 3)}"
    skipped = {where: why for where, why in reading.skipped.items() if where not in table.used}
    whole = replace(reading, evidence=(*reading.evidence, evidence), skipped={**table.skipped, **skipped})
    return overlaid(whole, table)


def _by_manifest(pictures: Sequence[str], table: Table, folders: Mapping[str, Found]) -> Reading:
    names = _readable_names(table, folders)
    splits = splits_of_folders(pictures)  # train/metadata.csv says nothing of them
    found: list[Found] = []
    skipped: dict[str, str] = {}
    for where in pictures:
        row = table.rows.get(where)
        if row is None:
            skipped[where] = "not named in the manifest"
        elif where in table.several:
            skipped[where] = SEVERAL
        elif where not in table.skipped:
            lies = folders.get(where)
            label = None if row.label is None else names.get(row.label, row.label)
            split = row.split or (lies.split if lies else splits.get(where))
            found.append(Found(where, label, row.group, split, row.annotator))
    told = [*table.evidence]
    if names:
        told.append("its numbers and the class folders are one to one, so the folders' names are used")
    classes = len({f.target for f in found if f.target is not None})
    counted = f"{len(found):,} of {len(pictures):,} pictures are named in a manifest, {classes:,} classes"
    return Reading("a manifest of pictures", (counted, *told), tuple(found), skipped)


def _readable_names(table: Table, folders: Mapping[str, Found]) -> dict[str, str]:
    """number -> folder name, where the manifest numbers what the folders name and the two are one to one."""
    pairs = {
        (row.label, str(folders[where].target))
        for where, row in table.rows.items()
        if row.label is not None and where in folders
    }
    numbers, names = {number for number, _ in pairs}, {name for _, name in pairs}
    one_to_one = len(pairs) == len(numbers) == len(names) == len({row.label for row in table.rows.values()})
    if not one_to_one or not all(number.isdecimal() for number in numbers) or any(n.isdecimal() for n in names):
        return {}
    return dict(pairs)


def _unlabelled(pictures: Sequence[str], settings: PrepareSettings) -> Reading | None:
    if not settings.labels or not pictures:
        return None
    told = (f"{count_formats(pictures)} without labels", f"labels to choose from: {few(settings.labels)}")
    return Reading("pictures without labels", told, tuple(Found(where, None) for where in pictures))


def with_cases(reading: Reading) -> Reading:
    """With a group for each patient's, case's or film's folder, where nothing else tells groups and folders name no
    classes.
    """
    cases = case_folders([one.where for one in reading.found])
    if not cases or any(one.group is not None for one in reading.found):
        return reading
    found = tuple(replace(one, group=cases.get(one.where)) for one in reading.found)
    names = sorted({*cases.values()})
    evidence = f"{len(names):,} folders such as {names[0]} are taken for cases, each stays within one split; "
    return replace(reading, found=found, evidence=(*reading.evidence, evidence + "prepare.group says otherwise"))


def with_groups(reading: Reading, pattern: str) -> Reading:
    """Groups from the user's pattern on the path; they win over a manifest's."""
    if not pattern:
        return reading
    told = matched(pattern, [each.where for each in reading.found], "prepare.group")
    found = tuple(replace(each, group=told.get(each.where, each.group)) for each in reading.found)
    n, groups = sum(each.group is not None for each in found), {each.group for each in found} - {None}
    evidence = f"{len(groups):,} groups by '{pattern}' over {n:,} of {len(found):,} samples"
    if len(groups) == n:
        evidence += ", so no two samples share one: it keeps nothing together"
    return replace(reading, found=found, evidence=(*reading.evidence, evidence))
