"""Folders of scans: which files are one scan, whose it is, and what class it has."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from snowroll.base.errors import DataError
from snowroll.base.listing import few
from snowroll.base.task import Found, Reading
from snowroll.prepare.class_names import read_classes
from snowroll.prepare.decode import limited
from snowroll.prepare.layouts import overlaid, read_images, with_groups
from snowroll.prepare.manifest import SEVERAL, read_manifests
from snowroll.prepare.names import BUNDLE, as_bundle_of, bundle_of, home_of
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.medical import dicom
from snowroll.tasks.medical.dicom import Header
from snowroll.tasks.medical.other_scans import why_unread
from snowroll.tasks.medical.ways import with_ways_told

_DICOM = (".dcm", ".dicom", ".ima", ".img.dcm")
NIFTI = (".nii", ".nii.gz")


@dataclass(frozen=True, slots=True)
class Scans:
    """The scans of a folder by where they lie, and what was seen on the way."""

    groups: Mapping[str, str | None]  # where -> patient, where the file tells
    skipped: Mapping[str, str]
    evidence: Sequence[str] = ()


def find_scans(folder: Folder, settings: PrepareSettings) -> Scans:
    """DICOM files (slices of one volume as one scan), NIfTI files and pictures."""
    entries = folder.entries()
    names = [entry.where for entry in entries]
    folder.refused |= why_unread(names)
    found: dict[str, str | None] = {w: None for w in names if w.lower().endswith(NIFTI) or format_of_name(w)}
    candidates = [entry.where for entry in entries if entry.size > 132 and may_be_dicom(entry.where)]
    heads: dict[str, Header] = {}
    skipped: dict[str, str] = {}
    for where, head in limited(_head, folder.stream(candidates), settings.workers):
        if isinstance(head, DataError):
            skipped[where] = head.what
        elif head.reason:
            skipped[where] = head.reason if head.reason != _NONE else "not a picture or scan"
        else:
            heads[where] = head
    scans, lonely = _by_series(heads, _too_large(folder))
    told: list[str] = []
    if heads:
        usual = Counter(head.modality for head in heads.values())
        kinds = ", ".join(f"{kind or 'of no modality'} {n:,}" for kind, n in usual.most_common(6))
        volumes = sum(BUNDLE in where for where in scans)
        told.append(f"{len(heads):,} DICOM files ({kinds}): {volumes:,} volumes, {len(scans) - volumes:,} single files")
        n = len({head.patient for head in heads.values() if head.patient})
        told.append(f"{n:,} patients by their tags, known here by hashes; no split takes one apart")
    return Scans(found | scans, skipped | lonely, told)


def _too_large(folder: Folder) -> set[str]:
    """Folders whose files cannot be read as one sample: the series in them must be named slice by slice."""
    sizes: dict[str, int] = defaultdict(int)
    for entry in folder.entries():
        sizes[home_of(entry.where)] += entry.size
    return {home for home, size in sizes.items() if size > folder.limits.file_mb << 20}


def _by_series(heads: Mapping[str, Header], too_large: Set[str]) -> tuple[dict[str, str | None], dict[str, str]]:
    """(DICOM scans with their patients, files left out): slices of one series in one folder are one scan."""
    by_series: dict[tuple[str, str], list[str]] = defaultdict(list)
    for where, head in heads.items():
        by_series[home_of(where), head.series].append(where)
    longest: dict[str, int] = Counter()
    for (home, _), wheres in by_series.items():
        longest[home] = max(longest[home], len(wheres))
    found: dict[str, str | None] = {}
    lonely: dict[str, str] = {}
    for (home, _), wheres in sorted(by_series.items()):
        slices = [heads[where] for where in wheres]
        patient = slices[0].patient or None
        if len(wheres) > 1 and not dicom.are_pictures(slices):
            whole = f"{home.rstrip('/')}{BUNDLE}{min(wheres)[len(home) :]}"
            found[as_bundle_of(sorted(wheres)) if home in too_large else whole] = patient
        elif longest[home] > 3 and len(wheres) == 1 and not dicom.are_pictures(slices):
            lonely[wheres[0]] = "a single slice of another orientation or size than the series beside it"
        else:
            found |= {where: heads[where].patient or None for where in wheres}
    return found, lonely


_NONE = "no DICOM"


def _head(raw: bytes) -> Header:
    """In a limited child; most files of a folder may be anything."""
    return dicom.header(raw) if dicom.is_dicom(raw) else Header(_NONE)


def may_be_dicom(where: str) -> bool:
    """By its name: DICOM's own endings, or none."""
    name = where[len(home_of(where)) :].lower()
    ending = name.rpartition(".")[2] if "." in name else ""
    return name.endswith(_DICOM) or not ending or ending.isdecimal() or len(ending) > 5


def kind_of(where: str) -> str | None:
    """
    >>> kind_of("a/1.nii.gz"), kind_of("ct/p1//001"), kind_of("x.png")
    ('NIfTI', 'DICOM', 'PNG')
    """
    if where.lower().endswith(NIFTI):
        return "NIfTI"
    return format_of_name(where) or "DICOM"


def read_scans(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """The scans of a folder, one class each: as for pictures, by a manifest or by folders; by hand with names given."""
    scans = find_scans(folder, settings)
    if all(format_of_name(where) for where in scans.groups):
        return read_images(folder, settings)
    masks = masks_beside(scans)
    wheres = sorted(scans.groups.keys() - masks)
    table = read_manifests(folder, wheres, settings)
    named = {where: row for where in wheres if (row := table.rows.get(where)) and row.label}
    folders = read_classes(wheres, settings, kind_of)
    if named and len(named) * 2 >= len(wheres):
        found = tuple(Found(where, row.label, row.group, row.split) for where, row in named.items())
        lacking = [where for where in wheres if where not in named]
        left = {where: SEVERAL if where in table.several else "not named in the manifest" for where in lacking}
        reading = Reading("a manifest of scans", (), found, left)
    elif folders is not None and _are_classes(folders, scans):
        reading = folders
    elif settings.labels:
        told = f"{len(wheres):,} scans without labels; labels to choose from: {few(settings.labels)}"
        reading = Reading("scans without labels", (told,), tuple(Found(where, None) for where in wheres))
    else:
        return None
    found = tuple(
        replace(one, group=one.group or scans.groups.get(one.where)) for one in overlaid(reading, table).found
    )
    is_used = files_of(one.where for one in found)
    others = {entry.where: "not a scan" for entry in folder.entries() if not is_used(entry.where)}
    others = {where: why for where, why in others.items() if where not in table.used}
    beside = dict.fromkeys(sorted(masks), "the mask of a scan beside it")
    skipped = {**others, **folder.refused, **beside, **scans.skipped, **table.skipped, **reading.skipped}
    told = (*reading.evidence, *table.evidence, *scans.evidence)
    whole = replace(reading, found=found, evidence=told, skipped=skipped)
    whole = with_ways_told(whole, [*others]) if reading is folders and not settings.label else whole
    return with_groups(whole, settings.group)


def masks_beside(scans: Scans) -> set[str]:
    """NIfTI files that mark what another one shows: no samples of their own."""
    from snowroll.tasks.medical.masks.reading import is_mask, pairs_of

    masks = [where for where in scans.groups if is_mask(where)]
    return set(pairs_of([where for where in scans.groups if where not in set(masks)], masks).values())


def _are_classes(reading: Reading, scans: Scans) -> bool:
    """Whether folders are kinds of scans, and not a patient or case each: case_001, or one patient by the tags."""
    by_class: dict[str, set[str | None]] = defaultdict(set)
    for one in reading.found:
        if one.target is not None:
            by_class[str(one.target)].add(scans.groups.get(one.where))
    patients = [next(iter(some)) for some in by_class.values() if len(some) == 1 and None not in some]
    are_patients = len(patients) == len(set(patients)) == len(by_class) > 2
    are_numbered = len({re.sub(r"\d+", "#", name) for name in by_class}) == 1 and any(
        re.search(r"\d{3}", name) for name in by_class
    )
    return len(by_class) > 1 and not are_patients and not are_numbered


def with_the_rest(folder: Folder, scans: Sequence[str], beside: Sequence[str] = ()) -> list[str]:
    """The scans, and every file that is no part of one and lies beside none: who answers says what is wrong with it."""
    is_used = files_of([*scans, *beside])
    return [*scans, *(entry.where for entry in folder.entries() if not is_used(entry.where))]


def meant_for_doctors(reading: Reading, rank: int) -> int:
    """`rank` where there are scans; of plain pictures every other task is meant rather, labelled or not."""
    if any(format_of_name(one.where) is None and one.where.partition("#")[0] == one.where for one in reading.found):
        return rank
    return -9 if any(one.target is not None for one in reading.found) else 9


def files_of(wheres: Iterable[str]) -> Callable[[str], bool]:
    """Whether a file is one of these scans, or a slice of one."""
    told = [(where, bundle_of(where)) for where in wheres]
    homes = {bundle.home for _, bundle in told if bundle and bundle.is_whole}
    files = {file for where, bundle in told for file in (bundle.files if bundle else (where,))}
    return lambda where: where in files or home_of(where) in homes
