"""A folder of pictures and annotation files, whoever wrote them, as samples with boxes.

All formats are tried; of a picture that several files mark, the one counts that holds all that the others say. Where
none does, the picture is left out and named. A picture that no file speaks of has no label yet.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from snowroll.base.errors import DataError
from snowroll.base.listing import few
from snowroll.base.nouns import Json, Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.decode import limited
from snowroll.prepare.layouts import count_formats, with_cases, with_declared, with_groups
from snowroll.prepare.manifest import TOO_LARGE, TWO_ROWS
from snowroll.prepare.masks import find_masks
from snowroll.prepare.pictures import format_of_name, size_of
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.shelf import Shelf
from snowroll.prepare.split_words import splits_of_folders
from snowroll.prepare.view import count
from snowroll.tasks.detect_objects.formats import (
    bdd100k,
    coco,
    cvat,
    json_lines,
    kitti,
    label_studio,
    labelme,
    mot,
    table,
    via,
    visdrone,
    voc,
    wider_face,
    yolo,
)
from snowroll.tasks.detect_objects.formats.marks import Marked, Told, in_pixels, is_of_any

READERS: tuple[Callable[[Folder], Told], ...] = (
    coco.read,
    voc.read,
    cvat.read,
    label_studio.read,
    labelme.read,
    yolo.read,
    table.read,
    kitti.read,
    visdrone.read,
    mot.read,
    via.read,
    wider_face.read,
    bdd100k.read,
    json_lines.read_crowdhuman,
    json_lines.read_hugging_face,
)
_FORMATS = {
    "coco": coco,
    "voc": voc,
    "yolo": yolo,
    "cvat": cvat,
    "label_studio": label_studio,
    "labelme": labelme,
    "csv": table,
}
_MEASURED = 100  # pictures whose size is compared with the one that is told
_SAME_PX = 1.5  # that two formats may differ in: VOC counts pixels from 1, others from 0


def read_boxes(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """The pictures with their objects, splits and groups; None where no file marks any, and no labels are named.

    Raises DataError where the only file that marks any is plainly for this, and cannot be used.
    """
    pictures = [entry.where for entry in folder.entries() if format_of_name(entry.where)]
    if not pictures:
        return None
    read = [reader(folder) for reader in READERS]
    # a format without any object is another task's file, or texts that happen to be called like pictures
    told = [found for found in read if any(one.objects for one in found.pictures)]
    if not told and not settings.labels:
        for where, (why, cure) in ((where, why) for one in read for where, why in one.refused.items()):
            raise DataError(why, where=where, cure=f"{cure}; or name another --task")
        return None
    skipped: dict[str, str] = {}
    marked, fuller = _resolved(told, pictures, skipped)
    if told and not marked:
        other = [(where, why) for where, why in skipped.items() if why.startswith(TWO_ROWS)]
        if other:
            where, why = other[0]
            raise DataError(
                f"{why.partition(': ')[2]}, and so it is with all {count(len(other), 'picture')} that are marked",
                where=where,
                cure="take the wrong annotation file away, or name another --task",
            )
        return None
    resized = _resized(folder, marked, settings)
    marked = _with_sizes(folder, marked, skipped, settings)
    splits = splits_of_folders(pictures)
    masks = {where: why for where, why in find_masks(folder, pictures).items() if where not in marked} if marked else {}
    found = []
    for where in pictures:
        if where in skipped or where in masks:
            continue
        one = marked.get(where)
        split = (one.split if one else None) or splits.get(where)
        group = one.group if one else None
        found.append(Found(where, None if one is None else list(one.objects), group, split))
    counts = Counter(row["class"] for one in marked.values() for row in one.objects if not is_of_any(row))
    evidence = [sentence for one in told for sentence in one.evidence[:4]]
    nothing = sum(not one.objects for one in marked.values())
    evidence.append(f"{count_formats(one.where for one in found)}; {counts.total():,} boxes of {len(counts):,} classes")
    if nothing:
        evidence.append(f"{nothing:,} pictures are marked as holding nothing")
    if fuller:
        evidence.append(f"{fuller:,} pictures are marked by a file that knows more of them than another: it is taken")
    evidence += [resized] if resized else []
    if settings.labels:
        evidence.append(f"labels to choose from: {few(settings.labels)}")
    named = " and ".join(one.format for one in told) or "pictures without labels"
    used = {*pictures, *(where for one in told for where in one.used)}
    others = {entry.where: "not a picture" for entry in folder.entries() if entry.where not in used}
    others |= {**masks, **folder.refused, **_spoken_of(read, told)}
    refused = {why for one in read for why, _ in one.refused.values()}
    evidence += [f"{where}: {why}" for where, why in others.items() if why.startswith(TOO_LARGE) or why in refused]
    layout = f"{named} boxes" if told else named
    reading = Reading(layout, tuple(evidence), tuple(found), {**others, **skipped})
    return with_groups(with_cases(with_declared(reading, folder, settings)), settings.group)


Row = tuple[str, Json, tuple[int, int], Split | None]  # where, target, width and height, split


def _writer(write: Callable[[Sequence[Marked]], dict[str, str]]) -> Callable[[Sequence[Row]], dict[str, str]]:
    def files(rows: Sequence[Row]) -> dict[str, str]:
        return write([Marked(where, tuple(target), "", size, split) for where, target, size, split in rows])

    return files


WRITERS = {name: _writer(part.write) for name, part in _FORMATS.items()}
WRITES_IGNORED = frozenset({"coco", "voc"})  # crowds, difficult ones, regions in which nothing counts
WRITES_SPLITS = frozenset({"coco", "voc", "yolo", "cvat", "csv"})


def unwritten(format: str, rows: Sequence[Row]) -> list[str]:
    """What of these rows a format has no place for, in words."""
    ignored = sum(bool(row.get("ignore")) for _, target, _, _ in rows for row in target)
    placed = sum(split is not None for *_, split in rows)
    lost = []
    if ignored and format not in WRITES_IGNORED:
        lost.append(f"{count(ignored, 'box', 'boxes')} to be ignored (crowds, difficult ones)")
    if placed and format not in WRITES_SPLITS:
        lost.append(f"the split of {count(placed, 'picture')}")
    return lost


def _spoken_of(read: Sequence[Told], told: Sequence[Told]) -> dict[str, str]:
    """What could not be used, of the formats that are here; and what was too large to see whose it is. What one format
    cannot use may be another's: texts of several look alike."""
    used = {where for one in told for where in one.used - one.skipped.keys()}
    plainly = {where: why for one in read for where, (why, _) in one.refused.items()}
    return plainly | {
        where: why
        for one in read
        for where, why in one.skipped.items()
        if (one in told and where not in used) or why.startswith(TOO_LARGE)
    }


def _resolved(told: Sequence[Told], pictures: Sequence[str], skipped: dict[str, str]) -> tuple[dict[str, Marked], int]:
    """(path of the picture -> what is said of it; of how many one file knows more than another). What cannot be found,
    and what is contradicted, goes to `skipped`."""
    shelf, said = Shelf(pictures), defaultdict[str, list[Marked]](list)
    by_file: dict[str, list[Marked]] = {}
    for one in (one for part in told for one in part.pictures):
        home = one.line if one.line.lower().endswith((".xml", ".txt")) else one.line.partition(" task ")[0]
        by_file.setdefault(home, []).append(one)
    known = set(pictures)
    for home, some in by_file.items():
        find = shelf.finder(home, [one.picture for one in some])
        for one in some:
            where, why = (one.picture, "") if one.picture in known else find(one.picture)
            if where is None and one.also:
                where = find(one.also)[0]
            if where is None:
                skipped[one.picture or one.line] = f"named in {one.line}, but {why}"
            else:
                said[where].append(one)
    marked, fuller = dict[str, Marked](), 0
    for where, some in said.items():
        some = _alike(some)
        most = max(some, key=lambda one: len(one.objects))
        other = next((one for one in some if not _holds(most, one)), None)
        if other is not None:
            skipped[where] = f"{TWO_ROWS}: {most.line} and {other.line} mark other objects"
            continue
        split, size = ((one.split for one in some if one.split), (one.size for one in some if one.size))
        marked[where] = replace(most, split=most.split or next(split, None), size=most.size or next(size, None))
        fuller += any(len(one.objects) < len(most.objects) for one in some)
    return marked, fuller


def _alike(some: Sequence[Marked]) -> Sequence[Marked]:
    """Of one picture, in pixels wherever one of them knows its size."""
    size = next((one.size for one in some if one.size and all(one.size)), None)
    if size is None or len(some) < 2:
        return some
    try:
        return [in_pixels(one, size) for one in some]
    except ValueError:  # told with the picture, when its own size is known
        return some


def _holds(most: Marked, other: Marked) -> bool:
    """Whether the one marks all objects of the other. Shares of sides cannot be compared with pixels: of them each
    class is counted."""
    if most.relative != other.relative or most.relative:
        return Counter(row["class"] for row in other.objects) <= Counter(row["class"] for row in most.objects)
    left = list(most.objects)
    for row in other.objects:
        twin = next((place for place, there in enumerate(left) if _same(row, there)), None)
        if twin is None:
            return False
        del left[twin]
    return True


def _same(one: Json, other: Json) -> bool:
    near = all(abs(a - b) <= _SAME_PX for a, b in zip(one["box"], other["box"], strict=True))
    return one["class"] == other["class"] and near


def _with_sizes(
    folder: Folder, marked: Mapping[str, Marked], skipped: dict[str, str], settings: PrepareSettings
) -> dict[str, Marked]:
    """Boxes that are shares become pixels: the size is read from the picture's header, in a limited child."""
    wanted = [where for where, one in marked.items() if one.relative]
    if not wanted:
        return dict(marked)
    found = dict(marked)
    look = partial(size_of, megapixels=settings.megapixels)
    for where, size in limited(look, folder.stream(wanted), settings.workers):
        if isinstance(size, DataError):  # the picture is named as unreadable when it is looked at
            found[where] = replace(marked[where], objects=(), relative=False)
            continue
        try:
            found[where] = in_pixels(marked[where], size)
        except ValueError as fault:
            skipped[f"{found.pop(where).line} ({where})"] = f"boxes that cannot be used ({fault})"
    return found


def _resized(folder: Folder, marked: Mapping[str, Marked], settings: PrepareSettings) -> str:
    """A sentence where pictures have another size than their labels tell, by some of them; "" where they have it."""
    told = {where: one.size for where, one in marked.items() if one.size and one.objects and not one.relative}
    some = [*told][:: max(1, len(told) // _MEASURED)][:_MEASURED]
    look = partial(size_of, megapixels=settings.megapixels)
    sizes = limited(look, folder.stream(some), settings.workers) if some else ()
    found = {where: tuple(size) for where, size in sizes if not isinstance(size, DataError)}
    other = [where for where in some if found.get(where, told[where]) != told[where]]
    if not other:
        return ""
    has, tells = (f"{wide:,} x {high:,}" for wide, high in (found[other[0]], told[other[0]]))
    return (
        f"{len(other):,} of {len(some):,} pictures looked at have another size than their labels tell, so boxes may "
        f"lie elsewhere: {other[0]} has {has} pixels as it is seen, and is told as {tells}"
    )


def all_classes(targets: Iterable[Json]) -> list[str]:
    """Names given by the user (words) and by targets (lists of objects)."""
    names: set[str] = set()
    for target in targets:
        if isinstance(target, str):
            names.add(target)
        elif target is not None:
            names.update(str(row["class"]) for row in target if not is_of_any(row))
    return sorted(names)
