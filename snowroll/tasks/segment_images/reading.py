"""Pictures and the masks that lie beside them, in whatever folders, as samples.

A picture and its mask share a name: a.jpg and a.png, images/a.png and masks/a.png, train/a.jpg and
trainannot/a.png, a.png and a_mask.png, img/photo_7.jpg and gt/label_7.png; or a folder: 7/images/a.png, 7/masks/*.png.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.listing import few, in_order
from snowroll.base.nouns import Json
from snowroll.base.task import Found, Reading
from snowroll.prepare.class_names import matched
from snowroll.prepare.decode import limited
from snowroll.prepare.layouts import count_formats, with_cases, with_declared, with_groups
from snowroll.prepare.manifest import TOO_LARGE
from snowroll.prepare.mask_targets import BACKGROUND, FOREGROUND, all_classes, as_target
from snowroll.prepare.names import home_of
from snowroll.prepare.packed_png import unpacked
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import splits_of_folders
from snowroll.tasks.segment_images.coco import read_coco
from snowroll.tasks.segment_images.kept_secret import without_secret
from snowroll.tasks.segment_images.mask_files import Mask, Value, open_mask, together
from snowroll.tasks.segment_images.pairing import Marked, Pairing, pair
from snowroll.tasks.segment_images.polygons import read_labelme, read_yolo
from snowroll.tasks.segment_images.run_lengths import read_runs

APART = "pictures, and masks in folders of their own"
DRAWN = ("outlines in LabelMe files", "outlines in YOLO files")
_CORRECTED = 0.1  # share of masks with gaps among their numbers
_ENDS = 4  # different highest numbers: classes within classes (an organ, its tumour) have one or two
_COMPARED = 20  # pictures of which several masks are compared with each other
_SOFT = 16  # greys from which on they are taken for a smoothed border
_NAMED = (
    *("class_dict.csv", "label_class_dict.csv", "classes.csv", "labels.csv"),
    *("classes.txt", "labels.txt", "label_colors.txt", "codes.txt"),
)
_VOID = ("void", "unlabelled", "unlabeled", "ignore", "ignored", "unknown")  # names of what is not to be judged


def read_masks(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """The pictures with their masks, splits and groups; None where no masks lie beside pictures and none are named."""
    pictures = [entry.where for entry in folder.entries() if format_of_name(entry.where)]
    skipped: dict[str, str] = {}
    listed, spelled = _outlined(folder, pictures, skipped, settings)
    meant = matched(settings.masks, pictures, "prepare.masks").keys() if settings.masks else frozenset[str]()
    paired = pair(folder, pictures, meant, settings.megapixels) if not listed else Pairing({}, frozenset())
    pairs = paired.pairs
    if not pairs and not listed:  # a table of them may lie beside the masks themselves
        listed = read_runs(folder, pictures, BACKGROUND, skipped, settings.workers, settings.megapixels)
        spelled = "tables of run lengths"
    if not pairs and not listed and not settings.labels:
        return None
    masks = paired.masks
    pairs, again = _drawn_once(folder, pairs, settings)
    seen = dict(_looked_at(folder, pairs, skipped, settings))
    names = _names(folder)
    meaning = _meaning(list(seen.values()), names, settings.ignore)
    is_soft = not names and _has_soft_edges(list(seen.values()))
    splits = splits_of_folders(pictures)
    found, empty = [], list[str]()
    for where in pictures:
        if where in masks or where in skipped:
            continue
        mask = seen.get(where)
        target = None if mask is None else _target(mask, meaning, is_soft)
        target = _without(listed[where], settings.ignore) if where in listed else target
        if target and not any(target["classes"]):  # the masks of a test, kept secret
            target, empty = None, [*empty, where]
        found.append(Found(where, target, None, splits.get(where)))
    classes = in_order(all_classes(one.target for one in found))
    marked = f"{len(listed):,} segmented in {spelled}" if listed else f"{len(seen) - len(empty):,} with a mask"
    evidence = [
        f"{count_formats(f.where for f in found)}, {marked}",
        f"{len(classes)} classes of pixels: {', '.join(classes[:12])}{' ...' if len(classes) > 12 else ''}",
    ]
    if any(len(marked.files) > 1 for marked in pairs.values()):
        is_named = any(marked.names for marked in pairs.values())
        above = ": where they overlap, the smaller lies above" if is_named else ""
        evidence.append(f"a file for each {'class' if is_named else 'thing'} of a picture, joined into one mask{above}")
    if is_soft:
        evidence.append("greys at the borders of black and white masks: over 127 is foreground")
    if empty:
        evidence.append(f"{len(empty):,} masks hold nothing that is judged: they are no labels, as of {empty[0]}")
    if again:
        told = "of several outlines of the same things one is learnt from, and not"
        evidence.append(f"{told} {few(again)}; --prepare.masks says which")
    if settings.labels:
        evidence.append(f"labels to choose from: {few(settings.labels)}")
    if ignored := sorted({_spelled(value) for value, name in meaning.items() if not name}):
        evidence.append(f"pixels of value {few(ignored)} are not judged")
    evidence += [f"{where}: {why}" for where, why in skipped.items() if why.startswith(TOO_LARGE)]
    used = {*pictures}
    used_masks = {file for marked in pairs.values() for file in marked.files}
    others = dict.fromkeys(masks - used_masks, "a mask, and not the one that is learnt from")
    others |= {
        entry.where: "not a picture"
        for entry in folder.entries()
        if entry.where not in used and not _is_list(entry.where)
    }
    layout = "pictures without masks"
    if pairs or listed:
        layout = f"outlines in {spelled}" if listed else APART if _are_apart(pairs) else "pictures and masks"
    reading = Reading(layout, tuple(evidence), tuple(found), {**others, **folder.refused, **skipped})
    declared = without_secret(with_declared(reading, folder, settings))
    return with_groups(with_cases(declared), settings.group)


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
    return (value[0], value[1], value[2]) if isinstance(value, list) else value


def _meaning(masks: Sequence[Mask], names: Mapping[Value, str], ignored: Sequence[str]) -> dict[Value, str]:
    """value -> class, "" for what is not judged."""
    values = {value for mask in masks for value in mask.values}
    names = {_plain(value): name for value, name in names.items()}
    if _number_things(masks, names):
        return {value: BACKGROUND if value == 0 else FOREGROUND for value in values}  # instances, numbered
    # where some masks have colours, what is black in another is black, and no number
    told = {_plain(value) for value in values if not isinstance(value, str)}
    is_thing = any(told <= {0, most} for most in (1, 255, 65535))
    is_coloured = any(isinstance(value, tuple) for value in told)
    is_soft = not names and _has_soft_edges(masks)
    found: dict[Value, str] = {}
    for value in values:
        plain = _plain(value)
        if isinstance(value, str):
            found[value] = value
        elif plain in names:
            found[value] = names[plain]
        elif is_soft and isinstance(value, int):
            found[value] = FOREGROUND if value > 127 else BACKGROUND
        elif is_thing or (is_coloured and len(told - {0}) == 1):  # a thing and the rest
            found[value] = BACKGROUND if plain == 0 else FOREGROUND
        elif is_coloured:
            found[value] = _spelled((plain, plain, plain) if isinstance(plain, int) else value)
        elif value == 255:
            found[value] = ""  # what VOC calls void
        else:
            found[value] = _spelled(value)
    return {
        value: "" if name in ignored or _spelled(value) in ignored or name.lower() in _VOID else name
        for value, name in found.items()
    }


def _target(mask: Mask, meaning: Mapping[Value, str], is_soft: bool) -> Json:
    """Of soft edges one value a class is left: several would be taken for things that are numbered."""
    classes = [meaning[value] for value in mask.values]
    if not is_soft:
        return {"mask": mask.png, "classes": classes}
    kinds = sorted(set(classes))
    places = np.array([kinds.index(name) for name in classes], np.uint8)
    return as_target(places[unpacked(mask.png)], kinds)


def _plain(value: Value) -> Value:
    """A grey that is written as a colour, as a number."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _has_soft_edges(masks: Sequence[Mask]) -> bool:
    """Black and white with greys between them where a tool smoothed the border: many, and fewer pixels than the white.

    Classes in numbers are few where 255 is one of the values, or have more pixels than that (VOC: 1 to 20, void 255).
    """
    pixels: Counter[Value] = Counter()
    for mask in masks:
        pixels.update(dict(zip(mask.values, mask.counts, strict=True)))
    between = [count for value, count in pixels.items() if isinstance(value, int) and 0 < value < 255]
    return max(pixels, default=0, key=_as_number) == 255 and len(between) >= _SOFT and sum(between) < pixels[255]


def _as_number(value: Value) -> int:
    return value if isinstance(value, int) else 256


def _number_things(masks: Sequence[Mask], names: Mapping[Value, str]) -> bool:
    """All count up without a gap, in 16 bits; or in 8, to so many different ends that no classes would.

    Somebody may have taken things away: a few masks may have gaps, where most others end at numbers of their own.
    """
    ends = Counter(mask.values[-1] for mask in masks if mask.values and mask.values[-1] != 0)
    with_gaps = [mask.values for mask in masks if not _counts_up(mask.values)]
    if not masks or not all(_counts_with_gaps(values) for values in with_gaps):
        return False
    if with_gaps and (len(with_gaps) > _CORRECTED * len(masks) or 2 * max(ends.values()) > len(masks)):
        return False
    return (not with_gaps and all(mask.is_wide for mask in masks)) or (len(ends) >= _ENDS and not names)


def _counts_up(values: Sequence[Value]) -> bool:
    """0 or 1, and from there on without a gap: that is how instances are numbered."""
    first = values[0] if values else 0
    return first in (0, 1) and tuple(values) == tuple(range(int(first), int(first) + len(values)))  # type: ignore[arg-type]


def _counts_with_gaps(values: Sequence[Value]) -> bool:
    """Most numbers up to the last are there."""
    whole = [value for value in values if isinstance(value, int)]
    return len(whole) == len(values) and 2 * len(whole) > max(whole)


def _spelled(value: Value) -> str:
    """
    >>> _spelled(3), _spelled((255, 0, 16))
    ('3', '#ff0010')
    """
    return str(value) if isinstance(value, int | str) else "#{:02x}{:02x}{:02x}".format(*value)


def _is_list(where: str) -> bool:
    return where.replace("!", "/").rpartition("/")[2].lower() in _NAMED


def _names(folder: Folder) -> dict[Value, str]:
    """From a list of classes: 'name,r,g,b' or 'r g b name', else a name a line, counted from 0."""
    lists = [entry.where for entry in folder.entries() if _is_list(entry.where) and entry.size < 1 << 20]
    for _, raw in folder.stream(lists):
        lines = [line.strip() for line in raw.decode("utf-8-sig", "replace").splitlines() if line.strip()]
        rows = list(csv.reader(lines))
        is_table = bool(rows) and len(rows[0]) > 1
        if colours := dict(told for row in rows if (told := _colour(row if is_table else _apart(row[0])))):
            return dict(colours)
        # "3 road" and "3: road" may count from anywhere: such lists are not read
        is_numbered = all(re.match(r"\d+[:\s]", line) for line in lines)
        if all(len(row) == 1 for row in rows) and not is_numbered:
            return dict(enumerate(row[0] for row in rows))
    return {}


def _apart(line: str) -> list[str]:
    """The numbers of a line, and what else stands in it as one name.

    >>> _apart("128 64 0 traffic light")
    ['128', '64', '0', 'traffic light']
    """
    cells = line.split()
    return [cell for cell in cells if cell.isdecimal()] + [" ".join(cell for cell in cells if not cell.isdecimal())]


def _colour(row: Sequence[str]) -> tuple[Value, str] | None:
    numbers = [int(cell) for cell in row if cell.strip().isdecimal()]
    words = [cell.strip() for cell in row if not cell.strip().isdecimal() and cell.strip()]
    if len(numbers) == 3 and len(words) == 1 and max(numbers) < 256:
        return (numbers[0], numbers[1], numbers[2]), words[0]
    return None
