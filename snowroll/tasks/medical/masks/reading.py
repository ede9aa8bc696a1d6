"""Scans and the masks that lie beside them as NIfTI: in folders of their own, or under names that go together.

imagesTr/a_0000.nii.gz and labelsTr/a.nii.gz; p1/t1.nii.gz, p1/t2.nii.gz and p1/seg.nii.gz; volume-3.nii and
segmentation-3.nii; a folder of DICOM slices with mask.nii.gz in it. What several files show of one case are channels.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.base.task import Found, Reading
from snowroll.prepare.decode import limited
from snowroll.prepare.layouts import with_declared, with_groups
from snowroll.prepare.mask_targets import BACKGROUND, FOREGROUND, IGNORED, all_classes
from snowroll.prepare.names import BUNDLE, Bundle, as_bundle_of, bundle_of, home_of
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import splits_of_folders
from snowroll.tasks.medical.masks.volumes import as_volume
from snowroll.tasks.medical.reading import NIFTI, files_of, find_scans, with_the_rest
from snowroll.tasks.medical.scans import MOST_CHANNELS

_MASK_WORDS = (
    "mask masks msk label labels labelstr labelsts seg segs segmentation segmentations annotation annotations gt truth "
    "groundtruth roi rois lesion lesions manual"
)
_MASKS = frozenset(_MASK_WORDS.split())
_FOLDERS = _MASKS - {"roi", "rois", "lesion", "lesions", "manual"}  # a folder may be called so after a class
# words that say what a file or folder is, and not whose
_KIND_WORDS = (
    "image images imagestr imagests img imgs vol volume volumes scan scans data raw orig original train training test "
    "testing val validation t1 t1w t1c t1ce t1gd t1n t2 t2w t2f flair pd dwi adc ct mr mri pet swi case nii"
)
_KINDS = _MASKS | frozenset(_KIND_WORDS.split())
CHANNELS = "scans of several channels, and masks"
_CHANNEL = re.compile(r"^\d{4}$")


@dataclass(frozen=True, slots=True)
class Labels:
    """One mask file as a child read it."""

    target: Json  # its classes are the numbers, spelled
    values: tuple[int, ...]


def read_masked_scans(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """The scans with their masks and groups; None where no masks lie beside scans and none are named."""
    scans = find_scans(folder, settings)
    if all(format_of_name(where) for where in scans.groups):
        return None  # pictures: their masks are another task's
    masks = [where for where in scans.groups if is_mask(where)]
    images, lacking = _cases([where for where in sorted(scans.groups) if where not in set(masks)], masks)
    pairs = pairs_of(images, masks)
    if not pairs and not settings.labels:
        return None
    seen: dict[str, Labels] = {}
    skipped = {**scans.skipped, **lacking}
    read = partial(open_labels, megapixels=settings.megapixels)
    for mask, result in limited(read, folder.stream(sorted(set(pairs.values()))), settings.workers):
        if isinstance(result, DataError):
            skipped |= {w: f"its mask {mask} cannot be used: {result.what}" for w, own in pairs.items() if own == mask}
        else:
            seen[mask] = result
    meaning = _meaning(seen.values(), _named(folder), settings.ignore)
    splits = splits_of_folders(images)
    found = []
    for where in images:
        if where in skipped:
            continue
        labels = seen.get(pairs.get(where, ""))
        target = None if labels is None else {**labels.target, "classes": [meaning[v] for v in labels.values]}
        found.append(Found(where, target, _group(where, scans.groups), splits.get(where)))
    classes = all_classes(one.target for one in found)
    n = sum(one.target is not None for one in found)
    bundles = (bundle for one in found if (bundle := bundle_of(one.where)) and not _are_slices(bundle))
    channels = Counter(len(bundle.files) for bundle in bundles)
    evidence = [
        f"{len(found):,} scans, {n:,} with a mask as NIfTI",
        f"{len(classes)} classes of voxels: {', '.join(classes[:12])}{' ...' if len(classes) > 12 else ''}",
        *[f"{cases:,} cases of {n} files each, taken as channels of one scan" for n, cases in channels.items()],
        *scans.evidence,
    ]
    is_used = files_of([*images, *pairs.values()])
    others = {entry.where: "not a scan" for entry in folder.entries() if not is_used(entry.where)}
    lonely = {mask: "a mask that goes with no scan" for mask in masks if mask not in pairs.values()}
    layout = (CHANNELS if channels else "scans and masks") if pairs else "scans without masks"
    reading = Reading(layout, tuple(evidence), tuple(found), {**others, **folder.refused, **skipped, **lonely})
    return with_groups(with_declared(reading, folder, settings), settings.group)


def scans_in(folder: Folder, settings: PrepareSettings) -> list[str]:
    """The scans of a folder without masks that lie beside them, and whatever else is there: each is told of."""
    wheres = sorted(find_scans(folder, settings).groups)
    masks = [where for where in wheres if is_mask(where)]
    cases, _ = _cases([where for where in wheres if where not in set(masks)], masks)
    return with_the_rest(folder, cases, masks)


def is_mask(where: str) -> bool:
    """By its name or its folder's: only NIfTI files are masks.

    >>> is_mask("labelsTr/a.nii.gz"), is_mask("p1/a_seg.nii"), is_mask("segmentation-3.nii"), is_mask("a/t1.nii")
    (True, True, True, False)
    """
    if not where.lower().endswith(NIFTI):
        return False
    *folders, name = where.replace("!", "/").split("/")
    return bool(_MASKS & set(_words(_stem(name))) or _FOLDERS & set(_words(folders[-1] if folders else "")))


def _stem(name: str) -> str:
    return re.sub(r"\.nii(\.gz)?$", "", name, flags=re.IGNORECASE)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s_.\-]+", text.lower()) if word]


def _key(where: str, is_channel: bool = False) -> tuple[str, ...]:
    """What is left of a path when words that say what a file is are taken out: whose it is. is_channel: without the
    number of a channel at its end, too.

    >>> _key("imagesTr/case_07_0000.nii.gz", True), _key("labelsTr/case_07.nii.gz"), _key("p1/seg.nii")
    (('07',), ('07',), ('p1',))
    """
    bundle = bundle_of(where)
    path = (bundle.home.rstrip("/") if _are_slices(bundle) else bundle.files[0]) if bundle else where
    parts = path.replace("!", "/").split("/")
    parts[-1] = _stem(parts[-1])
    words = [[word for word in _words(part) if word not in _KINDS] for part in parts]
    if is_channel and len(words[-1]) > 1 and _CHANNEL.match(words[-1][-1]):
        words[-1].pop()
    return tuple("-".join(part) for part in words if part)


def _are_slices(bundle: Bundle) -> bool:
    """Whether it is a series of DICOM files; else its files are channels."""
    return not bundle.files[0].lower().endswith(NIFTI)


def _cases(wheres: Sequence[str], masks: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """(files of one case in one folder as one scan of several channels and the rest as they are, files left out: of
    cases that have more or fewer of them than most)."""
    with_masks = {_key(mask) for mask in masks}
    by_case: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    found = []
    for where in wheres:
        if where.lower().endswith(NIFTI) and BUNDLE not in where:
            # a number at the end may be a channel's, unless a mask is called so
            by_case[home_of(where), _key(where, is_channel=_key(where) not in with_masks)].append(where)
        else:
            found.append(where)
    sizes = Counter(len(some) for some in by_case.values())
    usual = max(sizes, key=lambda size: (sizes[size], size), default=1)
    left: dict[str, str] = {}
    for some in by_case.values():
        if not 1 < usual <= MOST_CHANNELS:
            found += some
        elif len(some) == usual:
            found.append(as_bundle_of(some))
        else:
            left |= dict.fromkeys(some, f"of a case of {len(some)} files where most have {usual}, a channel each")
    return sorted(found), left


def pairs_of(images: Sequence[str], masks: Sequence[str]) -> dict[str, str]:
    """scan -> its mask: whose it is, or the one mask of its folder."""
    by_key: dict[tuple[str, ...], list[str]] = defaultdict(list)
    by_last: dict[str, list[str]] = defaultdict(list)
    for mask in masks:
        key = _key(mask)
        by_key[key].append(mask)
        by_last[key[-1] if key else ""].append(mask)
    lasts = Counter(key[-1] if (key := _key(where, is_channel=True)) else "" for where in images)
    found: dict[str, str] = {}
    for where in images:
        key = _key(where) if _key(where) in by_key else _key(where, is_channel=True)
        last = key[-1] if key else ""
        candidates = by_key.get(key, [])
        if not candidates and len(by_last.get(last, [])) == 1 and lasts[last] == 1:
            candidates = by_last[last]
        if not candidates:
            bundle = bundle_of(where)
            home = bundle.home if bundle else home_of(where)
            beside = [mask for mask in masks if home_of(mask) == home and home]
            candidates = beside if len(beside) == 1 else []
        if len(candidates) == 1:
            found[where] = candidates[0]
    return found


def open_labels(raw: bytes, megapixels: float = 100.0) -> Labels:
    """In a limited child. Raises DataError where the bytes are no mask."""
    from snowroll.tasks.medical import nifti

    places, spacing, values = nifti.open_labels(raw, megapixels)
    return Labels(as_volume(places, [str(value) for value in values], spacing), tuple(int(v) for v in values))


def _meaning(masks: Iterable[Labels], names: Mapping[int, str], ignored: Sequence[str]) -> dict[int, str]:
    """value -> class, "" for what is not judged."""
    values = sorted({value for labels in masks for value in labels.values})
    one_thing = len(values) <= 2 and 0 in values
    found = {}
    for value in values:
        plain = BACKGROUND if value == 0 else FOREGROUND if one_thing else str(value)
        name = names.get(value, "" if value in (-1, IGNORED) and not one_thing else plain)
        found[value] = "" if name in ignored or str(value) in ignored else name
    return found


def _named(folder: Folder) -> dict[int, str]:
    """Names of values in a dataset.json: {"0": "background"} (Decathlon) or {"background": 0} (nnU-Net)."""
    lists = [
        entry.where
        for entry in folder.entries()
        if entry.where.replace("!", "/").rpartition("/")[2].lower() == "dataset.json" and entry.size < 16 << 20
    ]
    for _, raw in folder.stream(lists):
        try:
            told = json.loads(raw).get("labels", {})
        except (ValueError, RecursionError, AttributeError):
            continue
        if isinstance(told, dict):
            pairs = [(k, v) if str(k).lstrip("-").isdecimal() else (v, k) for k, v in told.items()]
            return {int(value): str(name) for value, name in pairs if str(value).lstrip("-").isdecimal()}
    return {}


def _group(where: str, patients: Mapping[str, str | None]) -> str | None:
    """The patient as the file tells, or as a name does: sub-01 (BIDS), patient001/frame12.nii."""
    if known := patients.get(where):
        return known
    named = re.search(r"(?:^|/)(sub-[A-Za-z0-9]+|(?:subject|patient)[ _-]?\d+(?=/))", where, re.IGNORECASE)
    return named[1] if named else None
