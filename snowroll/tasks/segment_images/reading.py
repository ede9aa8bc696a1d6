"""Pictures and the masks that lie beside them, in whatever folders, as samples.

A picture and its mask share a name: a.jpg and a.png, images/a.png and masks/a.png, train/a.jpg and
trainannot/a.png, a.png and a_mask.png, img/photo_7.jpg and gt/label_7.png; or a folder: 7/images/a.png, 7/masks/*.png.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import NamedTuple

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.listing import few, in_order
from snowroll.base.nouns import Json
from snowroll.base.task import Found, Reading
from snowroll.prepare.class_names import matched
from snowroll.prepare.decode import limited
from snowroll.prepare.layouts import count_formats, with_cases, with_declared, with_groups
from snowroll.prepare.manifest import TOO_LARGE
from snowroll.prepare.mask_targets import BACKGROUND, all_classes
from snowroll.prepare.names import home_of
from snowroll.prepare.packed_png import unpacked
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import splits_of_folders
from snowroll.tasks.segment_images.coco import read_coco
from snowroll.tasks.segment_images.kept_secret import without_secret
from snowroll.tasks.segment_images.mask_files import MOST_VALUES, Mask, Value, open_mask, together
from snowroll.tasks.segment_images.mask_values import Meaning, class_names, is_class_list, meaning_of
from snowroll.tasks.segment_images.pairing import Marked, pair
from snowroll.tasks.segment_images.polygons import read_labelme, read_yolo
from snowroll.tasks.segment_images.run_lengths import read_runs

APART = "pictures, and masks in folders of their own"
DRAWN = ("outlines in LabelMe files", "outlines in YOLO files")
_COMPARED = 20  # pictures of which several masks are compared with each other


class Marks(NamedTuple):
    """How the pictures of a folder are marked, before masks are opened: by files that tell outlines, or by masks."""

    listed: Mapping[str, Json]  # picture -> target
    spelled: str  # what the files are that tell them
    pairs: Mapping[str, Marked]  # picture -> its masks
    masks: Set[str]  # all files that are masks
    again: Sequence[str]  # masks that mark what others mark already

    @property
    def layout(self) -> str:
        if self.listed:
            return f"outlines in {self.spelled}"
        if self.pairs:
            return APART if _are_apart(self.pairs) else "pictures and masks"
        return "pictures without masks"


def read_masks(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """The pictures with their masks, splits and groups; None where no masks lie beside pictures and none are named."""
    pictures = [entry.where for entry in folder.entries() if format_of_name(entry.where)]
    skipped: dict[str, str] = {}
    marks = _marks(folder, pictures, skipped, settings)
    if not marks.pairs and not marks.listed and not settings.labels:
        return None
    seen = dict(_looked_at(folder, marks.pairs, skipped, settings))
    meaning = meaning_of(list(seen.values()), class_names(folder), settings.ignore)
    targets = {where: meaning.target(mask) for where, mask in seen.items()}
    targets |= {where: _without(target, settings.ignore) for where, target in marks.listed.items()}
    secret = {where for where, target in targets.items() if not any(target["classes"])}  # the masks of a test, say
    targets |= dict.fromkeys(secret)
    splits = splits_of_folders(pictures)
    samples = [where for where in pictures if where not in marks.masks and where not in skipped]
    found = [Found(where, targets.get(where), None, splits.get(where)) for where in samples]
    evidence = _evidence(found, marks, meaning, [where for where in samples if where in secret], settings)
    evidence += _joined(seen)
    evidence += [f"{where}: {why}" for where, why in skipped.items() if why.startswith(TOO_LARGE)]
    others = _not_read(folder, pictures, marks)
    reading = Reading(marks.layout, tuple(evidence), tuple(found), {**others, **folder.refused, **skipped})
    declared = without_secret(with_declared(reading, folder, settings))
    return with_groups(with_cases(declared), settings.group)


def _marks(folder: Folder, pictures: Sequence[str], skipped: dict[str, str], settings: PrepareSettings) -> Marks:
    """Outlines in files count before masks, and these before tables of run lengths, beside which they may lie."""
    listed, spelled = _outlined(folder, pictures, skipped, settings)
    if listed:
        return Marks(listed, spelled, {}, frozenset(), ())
    meant = matched(settings.masks, pictures, "prepare.masks").keys() if settings.masks else frozenset[str]()
    paired = pair(folder, pictures, meant, settings.megapixels)
    if paired.pairs:
        pairs, again = _drawn_once(folder, paired.pairs, settings)
        return Marks({}, "", pairs, paired.masks, again)
    listed = read_runs(folder, pictures, BACKGROUND, skipped, settings.workers, settings.megapixels)
    return Marks(listed, "tables of run lengths", {}, paired.masks, ())


def _evidence(
    found: Sequence[Found], marks: Marks, meaning: Meaning, secret: Sequence[str], settings: PrepareSettings
) -> list[str]:
    classes = in_order(all_classes(one.target for one in found))
    marked = f"{len(marks.listed):,} segmented in {marks.spelled}"
    if not marks.listed:
        marked = f"{sum(one.target is not None for one in found):,} with a mask"
    evidence = [
        f"{count_formats(one.where for one in found)}, {marked}",
        f"{len(classes)} classes of pixels: {', '.join(classes[:12])}{' ...' if len(classes) > 12 else ''}",
    ]
    if any(len(marked.files) > 1 for marked in marks.pairs.values()):
        is_named = any(marked.names for marked in marks.pairs.values())
        above = ": where they overlap, the smaller lies above" if is_named else ""
        evidence.append(f"a file for each {'class' if is_named else 'thing'} of a picture, joined into one mask{above}")
    if meaning.is_soft:
        evidence.append("greys at the borders of black and white masks: over 127 is foreground")
    if secret:
        evidence.append(f"{len(secret):,} masks hold nothing that is judged: they are no labels, as of {secret[0]}")
    if marks.again:
        told = "of several outlines of the same things one is learnt from, and not"
        evidence.append(f"{told} {few(marks.again)}; --prepare.masks says which")
    if settings.labels:
        evidence.append(f"labels to choose from: {few(settings.labels)}")
    if meaning.ignored:
        evidence.append(f"pixels of value {few(meaning.ignored)} are not judged")
    return evidence


def _joined(seen: Mapping[str, Mask]) -> list[str]:
    """Where more things are numbered than a mask can keep apart: said, so that nobody counts on them."""
    most = {where: mask.joined for where, mask in seen.items() if mask.joined}
    if not most:
        return []
    where = max(most, key=lambda name: most[name])
    pictures = "1 picture has" if len(most) == 1 else f"{len(most):,} pictures have"
    told = f"{pictures} more than {MOST_VALUES} numbered things, as {where} has {most[where]:,}"
    return [f"{told}: they are kept as one thing each; cut the pictures into parts to tell them apart"]


def _not_read(folder: Folder, pictures: Sequence[str], marks: Marks) -> dict[str, str]:
    """Files that are no samples and taught nothing -> why."""
    learnt = {file for marked in marks.pairs.values() for file in marked.files}
    told = dict.fromkeys(marks.masks - learnt, "a mask, and not the one that is learnt from")
    known = set(pictures)
    rest = [entry.where for entry in folder.entries() if entry.where not in known]
    return told | {where: "not a picture" for where in rest if not is_class_list(where)}


def _outlined(
    folder: Folder, pictures: Sequence[str], skipped: dict[str, str], settings: PrepareSettings
) -> tuple[dict[str, Json], str]:
    """(picture -> target where files tell outlines, what files these are)."""
    largest = settings.megapixels
    readers: dict[str, Callable[[dict[str, str]], dict[str, Json]]] = {
        "COCO files": lambda why: read_coco(folder, pictures, BACKGROUND, why, largest),
        "LabelMe files": lambda why: read_labelme(folder, pictures, BACKGROUND, why, largest),
        "YOLO files": lambda why: read_yolo(folder, BACKGROUND, why, settings.workers, largest),
    }
    known = set(pictures)
    for spelled, read in readers.items():
        why: dict[str, str] = {}
        if found := read(why):
            skipped |= why
            return found, spelled
        # what says nothing of any picture takes none away: its masks may lie beside it
        skipped |= {where: reason for where, reason in why.items() if where not in known}
    return {}, ""


def _are_apart(pairs: Mapping[str, Marked]) -> bool:
    """Whether masks have folders to themselves."""
    return not {home_of(where) for where in pairs} & {home_of(file) for mark in pairs.values() for file in mark.files}


def _without(target: Json, ignored: Sequence[str]) -> Json:
    return {**target, "classes": ["" if name in ignored else name for name in target["classes"]]}


# what a mask holds ---------------------------------------------------------------------------------------------------


def _looked_at(
    folder: Folder, pairs: Mapping[str, Marked], skipped: dict[str, str], settings: PrepareSettings
) -> Iterable[tuple[str, Mask]]:
    files = dict.fromkeys(file for marked in pairs.values() for file in marked.files)
    read = partial(open_mask, megapixels=settings.megapixels)
    opened = dict(limited(read, folder.stream(files), settings.workers))
    # where some pictures have several, a lone one marks one thing, or one class, too
    numbered = any(len(marked.files) > 1 for marked in pairs.values())
    for where, marked in pairs.items():
        masks = {file: opened.get(file, DataError(folder.refused.get(file, "cannot be read"))) for file in marked.files}
        broken = [(file, mask) for file, mask in masks.items() if isinstance(mask, DataError)]
        whole = [
            replace(mask, values=tuple(map(_hashable, mask.values)))
            for mask in masks.values()
            if isinstance(mask, Mask)
        ]
        try:
            if broken:
                raise broken[0][1]
            is_told_by_values = not marked.names and len(whole) == 1 and len(whole[0].values) > 2
            yield where, together(whole, marked.names) if numbered and not is_told_by_values else whole[0]
        except DataError as fault:
            at = broken[0][0] if broken else marked.files[0]
            skipped[where] = f"its mask {at} cannot be used: {fault.what}"


def _drawn_once(
    folder: Folder, pairs: Mapping[str, Marked], settings: PrepareSettings
) -> tuple[Mapping[str, Marked], list[str]]:
    """(the pairs without files of what is marked already, what these are called): two people who outline the same
    differ everywhere; of classes one lies in the other, or beside it."""
    several = [marked for marked in pairs.values() if len(marked.names) > 1][:_COMPARED]
    files = dict.fromkeys(file for marked in several for file in marked.files)
    if not files:
        return pairs, []
    read = partial(open_mask, megapixels=settings.megapixels)
    opened = {
        file: unpacked(mask.png) > 0
        for file, mask in limited(read, folder.stream(files), settings.workers)
        if isinstance(mask, Mask)
    }
    votes: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for marked in several:
        told = [(name, opened[file]) for name, file in zip(marked.names, marked.files, strict=True) if file in opened]
        for (one, first), (other, second) in combinations(told, 2):
            if first.shape == second.shape and first.any() and second.any():
                votes[one, other].append(_are_the_same(first, second))
    again = sorted({other for (_, other), said in votes.items() if len(said) > 2 and sum(said) > 0.8 * len(said)})
    if not again:
        return pairs, []
    kept = {where: _without_names(marked, again) for where, marked in pairs.items()}
    if len({name for marked in kept.values() for name in marked.names}) == 1:  # one thing: it needs no name
        kept = {where: Marked(marked.files) for where, marked in kept.items()}
    return {where: marked for where, marked in kept.items() if marked.files}, again


def _are_the_same(one: np.ndarray, other: np.ndarray) -> bool:
    both, either = (one & other).sum(), (one | other).sum()
    return bool(both > 0.3 * either and both < 0.97 * min(one.sum(), other.sum()))


def _without_names(marked: Marked, names: Sequence[str]) -> Marked:
    left = [(file, name) for file, name in zip(marked.files, marked.names, strict=False) if name not in names]
    return Marked(tuple(file for file, _ in left), tuple(name for _, name in left)) if marked.names else marked


def _hashable(value: Value | list[int]) -> Value:
    """Colours come from a child as lists."""
    return (value[0], value[1], value[2]) if isinstance(value, list) else value  # type: ignore[arg-type]
