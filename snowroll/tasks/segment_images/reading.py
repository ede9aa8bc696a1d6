"""Pictures and the masks that lie beside them, in whatever folders, as samples.

A picture and its mask share a name: a.jpg and a.png, images/a.png and masks/a.png, train/a.jpg and
trainannot/a.png, a.png and a_mask.png. Which of two kinds of files are the masks is seen by looking at some of each:
they hold few values.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

from snowroll.base.errors import DataError
from snowroll.base.nouns import Json
from snowroll.base.task import Found, Reading
from snowroll.prepare.decode import limited
from snowroll.prepare.layouts import count_formats, with_groups
from snowroll.prepare.manifest import split_of_folders
from snowroll.prepare.mask_targets import BACKGROUND, FOREGROUND, all_classes
from snowroll.prepare.masks import has_few_values
from snowroll.prepare.pictures import format_of_name, sniff
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.segment_images.coco import read_coco
from snowroll.tasks.segment_images.mask_files import Mask, Value, open_mask

_WORDS = ("mask", "label", "annot", "gt", "seg", "truth")  # in the path of masks
_MOST_KINDS = 6
_SOFT = 16  # greys from which on they are taken for a smoothed border
_LOOKED_AT = 8  # files of each kind that are decoded to see whether the kind is masks
_ENDING = re.compile(
    r"[ _.-]+(mask|masks|gt|label|labels|labelids|seg|segmentation|annotation|groundtruth|l)([ _-]?\d+)?$",
    re.IGNORECASE,
)
_NAMED = ("class_dict.csv", "classes.csv", "labels.csv", "classes.txt", "labels.txt", "label_colors.txt", "codes.txt")
_VOID = ("void", "unlabelled", "unlabeled", "ignore", "ignored", "unknown")  # names of what is not to be judged


def read_masks(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """The pictures with their masks, splits and groups; None where no masks lie beside pictures and none are named."""
    pictures = [entry.where for entry in folder.entries() if format_of_name(entry.where)]
    skipped: dict[str, str] = {}
    listed = read_coco(folder, pictures, BACKGROUND, skipped)
    pairs = {} if listed else _pairs(folder, pictures)
    if not pairs and not listed and not settings.labels:
        return None
    masks = set(pairs.values())
    seen = dict(_looked_at(folder, pairs, skipped, settings))
    names = _names(folder)
    meaning = _meaning(list(seen.values()), names, settings.ignore)
    found = []
    for where in pictures:
        if where in masks or where in skipped:
            continue
        mask = seen.get(where)
        target = None if mask is None else {"mask": mask.png, "classes": [meaning[value] for value in mask.values]}
        target = _without(listed[where], settings.ignore) if where in listed else target
        found.append(Found(where, target, None, split_of_folders(where)))
    classes = all_classes(one.target for one in found)
    marked = f"{len(listed):,} segmented in COCO files" if listed else f"{len(seen):,} with a mask of the same name"
    evidence = [
        f"{count_formats(f.where for f in found)}, {marked}",
        f"{len(classes)} classes of pixels: {', '.join(classes[:12])}{' ...' if len(classes) > 12 else ''}",
    ]
    if not names and _has_soft_edges(list(seen.values())):
        evidence.append("greys at the borders of black and white masks: over 127 is foreground")
    if settings.labels:
        evidence.append(f"labels to choose from: {', '.join(settings.labels)}")
    if ignored := sorted({_spelled(value) for value, name in meaning.items() if not name}):
        evidence.append(f"pixels of value {', '.join(ignored)} are not judged")
    used = {*pictures}
    others = {
        entry.where: "not a picture"
        for entry in folder.entries()
        if entry.where not in used and not _is_list(entry.where)
    }
    layout = "pictures and masks" if pairs else "COCO segmentations" if listed else "pictures without masks"
    reading = Reading(layout, tuple(evidence), tuple(found), {**others, **folder.refused, **skipped})
    return with_groups(reading, settings.group)


def _without(target: Json, ignored: Sequence[str]) -> Json:
    return {**target, "classes": ["" if name in ignored else name for name in target["classes"]]}


# which file is whose mask --------------------------------------------------------------------------------------------


def _pairs(folder: Folder, pictures: Sequence[str]) -> dict[str, str]:
    """picture -> its mask."""
    by_name: dict[str, list[tuple[str, str]]] = defaultdict(list)  # shared name -> [(where, kind)]
    for where in pictures:
        home, _, name = where.replace("!", "/").rpartition("/")
        stem, _, ending = name.rpartition(".")
        plain = _ENDING.sub("", stem)
        for shared in {plain, stem} - {""}:
            by_name[shared].append((where, f"{home}/{'*' if shared == stem else '*_mask'}.{ending.lower()}"))
    kinds = {name: {kind for _, kind in some} for name, some in by_name.items()}
    # more kinds than pictures and masks of three splits: class folders that number their pictures alike
    groups = {name: some for name, some in by_name.items() if 1 < len(kinds[name]) <= _MOST_KINDS}
    masks = _mask_kinds(folder, groups)
    found: dict[str, str] = {}
    for some in groups.values():
        candidates = [where for where, kind in some if kind in masks]
        for where, kind in some:
            if kind not in masks and candidates and where not in candidates:
                found.setdefault(where, max(candidates, key=lambda mask: (_alike(where, mask), mask)))
    return found


def _alike(one: str, other: str) -> int:
    """How long two paths go the same way: train/a.jpg goes with trainannot/a.png, not with valannot/a.png."""
    pairs = zip(one.lower(), other.lower(), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _mask_kinds(folder: Folder, groups: Mapping[str, Sequence[tuple[str, str]]]) -> set[str]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for some in groups.values():
        for where, kind in some:
            by_kind[kind].append(where)
    chosen = {w: kind for kind, some in by_kind.items() for w in some[:: max(1, len(some) // _LOOKED_AT)][:_LOOKED_AT]}
    votes: dict[str, list[bool]] = defaultdict(list)
    fault: DataError | None = None
    if chosen:
        for where, answer in limited(_is_mask, folder.stream(list(chosen)), workers=1):
            if isinstance(answer, DataError):
                fault = answer
            else:
                votes[chosen[where]].append(answer)
    if fault is not None and not votes:  # a machine that lets no child live must not look like a folder without masks
        raise fault
    shares = {kind: sum(cast) / len(cast) for kind, cast in votes.items()}
    masks = {kind for kind, share in shares.items() if share >= 0.9}
    if any(0.1 < share < 0.9 for share in shares.values()):  # drawings, some of few values: only names tell
        return {kind for kind in masks if any(word in kind.lower() for word in _WORDS)}
    return masks


def _is_mask(raw: bytes) -> bool:
    from PIL import Image

    if sniff(raw) == "PNG":
        mode = Image.open(io.BytesIO(raw)).mode
        if mode == "P" or mode.startswith("I;16"):
            return True
    return has_few_values(raw)


# what a mask holds ---------------------------------------------------------------------------------------------------


def _looked_at(
    folder: Folder, pairs: Mapping[str, str], skipped: dict[str, str], settings: PrepareSettings
) -> Iterable[tuple[str, Mask]]:
    pictures: dict[str, list[str]] = defaultdict(list)
    for where, mask in pairs.items():
        pictures[mask].append(where)
    for mask, result in limited(open_mask, folder.stream(list(pictures)), settings.workers):
        for where in pictures[mask]:
            if isinstance(result, DataError):
                skipped[where] = f"its mask {mask} cannot be used: {result.what}"
            else:
                yield where, replace(result, values=tuple(_hashable(value) for value in result.values))


def _hashable(value: Value | list[int]) -> Value:
    """Colours come from a child as lists."""
    return (value[0], value[1], value[2]) if isinstance(value, list) else value


def _meaning(masks: Sequence[Mask], names: Mapping[Value, str], ignored: Sequence[str]) -> dict[Value, str]:
    """value -> class, "" for what is not judged."""
    values = {value for mask in masks for value in mask.values}
    if masks and all(mask.is_wide and _counts_up(mask.values) for mask in masks):
        return {value: BACKGROUND if value == 0 else FOREGROUND for value in values}  # instances, numbered
    numbers = {value for value in values if isinstance(value, int)}
    is_soft = not names and _has_soft_edges(masks)
    found: dict[Value, str] = {}
    for value in values:
        if value in names:
            found[value] = names[value]
        elif is_soft and isinstance(value, int):
            found[value] = FOREGROUND if value > 127 else BACKGROUND
        elif numbers <= {0, 255} or numbers <= {0, 1}:  # a thing and the rest
            found[value] = BACKGROUND if value == 0 else FOREGROUND
        elif value == 255:
            found[value] = ""  # what VOC calls void
        else:
            found[value] = _spelled(value)
    return {
        value: "" if name in ignored or _spelled(value) in ignored or name.lower() in _VOID else name
        for value, name in found.items()
    }


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


def _counts_up(values: Sequence[Value]) -> bool:
    """0 or 1, and from there on without a gap: that is how instances are numbered."""
    first = values[0] if values else 0
    return first in (0, 1) and tuple(values) == tuple(range(int(first), int(first) + len(values)))  # type: ignore[arg-type]


def _spelled(value: Value) -> str:
    """
    >>> _spelled(3), _spelled((255, 0, 16))
    ('3', '#ff0010')
    """
    return str(value) if isinstance(value, int) else "#{:02x}{:02x}{:02x}".format(*value)


def _is_list(where: str) -> bool:
    return where.replace("!", "/").rpartition("/")[2].lower() in _NAMED


def _names(folder: Folder) -> dict[Value, str]:
    """From a list of classes: 'name,r,g,b' or 'r g b name', else a name a line, counted from 0."""
    lists = [entry.where for entry in folder.entries() if _is_list(entry.where) and entry.size < 1 << 20]
    for _, raw in folder.stream(lists):
        text = raw.decode("utf-8-sig", "replace")
        rows = [row for row in csv.reader(text.splitlines()) if row]
        if rows and len(rows[0]) == 1:
            rows = [re.split(r"\s+", row[0].strip()) for row in rows]
        colours = {colour: name for row in rows if (told := _colour(row)) for colour, name in [told]}
        if colours:
            return dict(colours)
        plain = [row[0] for row in rows if len(row) == 1]
        if plain and len(plain) == len(rows):
            return dict(enumerate(plain))
    return {}


def _colour(row: Sequence[str]) -> tuple[Value, str] | None:
    numbers = [int(cell) for cell in row if cell.strip().isdecimal()]
    words = [cell.strip() for cell in row if not cell.strip().isdecimal() and cell.strip()]
    if len(numbers) == 3 and len(words) == 1 and max(numbers) < 256:
        return (numbers[0], numbers[1], numbers[2]), words[0]
    return None
