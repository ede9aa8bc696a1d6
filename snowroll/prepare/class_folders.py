"""Folders named after classes, at any depth, with or without split folders above or below them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from snowroll.base.listing import in_order
from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.names import bundle_of, take_apart, without_suffix
from snowroll.prepare.pictures import format_of_name
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import FILLER, SPLITS, split_called

_GENERIC = FILLER | {"input", "inputs", "raw", "all", "jpg", "jpeg", "png"}  # a single folder of this name is no class
_MAY_NAME = frozenset({"all", "raw", "part", "set", "split"})  # ALL is a leukaemia, raw a steak
NO_CLASSES = _GENERIC | {"mask", "masks", "label", "labels", "annotation", "annotations", "gt", "ground_truth"}
_CASES = 10  # folders from which on splits can be drawn of whole ones
# whose pictures lie in a folder: no class, unlike a person or a user whose face is to be told
_OF_ONE = re.compile(
    r"(patient|subject|case|participant|study|slide|specimen|animal|session|fold|subset)s?[ _.-]*\d", re.IGNORECASE
)
_FEWEST_GROUPS = 3
_OUTCOME = re.compile(
    rf"{_OF_ONE.pattern}*[ _.-]+(positive|negative|pos|neg|normal|abnormal|benign|malignant|healthy|ill)", re.IGNORECASE
)
_FEWEST = 5  # pictures of a class, on average, where coarser classes would do
_COUNTS_CLASSES = re.compile(r"(class|label|category|grade|level|type|stage)?[ _.-]*#", re.I)  # 0, 1, 2; Class 7
_UNLABELLED = frozenset({"unlabelled", "unlabeled", "unsup", "unsupervised"})
_SPLIT = "|".join(sorted(SPLITS, key=len, reverse=True))
# "train", "trainval", "trainingdata", "imagestr", "labelsval"
_HAS_SPLIT = re.compile(
    rf"({_SPLIT})+\d*$|({_SPLIT})(crop|{'|'.join(FILLER)})\d*$|(images?|labels?)(tr|ts|va|{_SPLIT})\d*$"
)
Levels = tuple[str, ...]  # the folders over one picture, from the top; an archive counts as a folder


def read_class_folders(
    pictures: Sequence[str],
    settings: PrepareSettings,
    kind_of: Callable[[str], str | None] = format_of_name,
) -> Reading | None:
    """The picture's class is the name of the folder that varies; None where no folder can be a class."""
    levels, twice = _without_second_copies({where: folder_levels(where) for where in pictures})
    skipped: dict[str, str] = {}
    splits: dict[str, Split] = {}
    depth, called = _split_level(list(levels.values()))
    if depth is not None:
        levels, splits, skipped = _take_split_out(levels, depth, called)
    levels, beside = _without_strays(levels)
    skipped |= beside
    levels, told_by = _outcomes_alone(levels)
    levels, groups = _take_groups_out(levels)
    at = _class_level(list(levels.values()), settings.labels)
    names = {folders[at] for folders in levels.values() if len(folders) > at} if at is not None else set[str]()
    if at is None or (groups and len(names) == 1 and not settings.labels):
        return None
    if depth is not None and at < depth and not _varying(list(levels.values())) and not settings.labels:
        return None  # what holds all split folders is no class
    generic = {name for name in names if name.lower() in _GENERIC - _MAY_NAME and not settings.labels}
    found: list[Found] = []
    for where, folders in levels.items():
        if len(folders) <= at:
            skipped[where] = "lies beside the class folders, so it has no class"
        elif folders[at] in generic < names:
            skipped[where] = f"lies in '{folders[at]}' beside the class folders, so it has no class"
        else:
            found.append(Found(where, _target(folders[at], settings.labels), groups.get(where), splits.get(where)))
    if {str(one.target).lower() for one in found} <= NO_CLASSES:
        return None
    reading = _told(found, skipped, list(levels.values()), at, kind_of)
    if reading is None:
        return None
    told = [f"'{name}' holds all again that lies beside it: its pictures are read as if beside them" for name in twice]
    if told_by:
        told.append(f"the classes stand behind the numbers of folders such as '{told_by}'")
    if groups:
        told.append(f"{len(set(groups.values())):,} groups by folders such as '{min(groups.values())}'")
    return replace(reading, evidence=(*reading.evidence, *told))


def name_classes(wheres: Sequence[str], settings: PrepareSettings) -> bool:
    """Whether the folders that these files lie in name classes: then masks beside them are an extra.

    A folder for each file is no class, nor are names most of which differ in their numbers alone ('TCGA_CS_4941',
    'TCGA_DU_5855'): those are patients or cases; nor names of splits: imagesTr and imagesTs, traincrop and testcrop.
    """
    folders = read_class_folders(wheres, settings)
    sizes = Counter(str(found.target) for found in folders.found) if folders else Counter[str]()
    names = {left for name in sizes if (left := _without_split(name))}
    return not _are_cases(names) and max(sizes.values()) > 1


def _without_split(name: str) -> str:
    """What a folder's name says besides a split.

    >>> [_without_split(name) for name in ("imagesTs", "TrainVal_images", "Benign_train", "raw")]
    ['', '', 'benign', 'raw']
    """
    words = re.findall(r"[^\W_]+", name.lower())
    left = [word for word in words if not _HAS_SPLIT.match(word)]
    if len(left) == len(words):
        return name.lower()
    return " ".join(word for word in left if word not in FILLER)


def case_folders(wheres: Sequence[str]) -> dict[str, str]:
    """where -> the folder of its patient, case or film; nothing where folders tell none: ten of them at least, several
    files in most.
    """
    levels = {where: folder_levels(where) for where in wheres}
    for depth in _varying(list(levels.values())):
        sizes = Counter(folders[depth] for folders in levels.values() if len(folders) > depth)
        if len(sizes) >= _CASES and _are_cases(sizes) and sorted(sizes.values())[len(sizes) // 2] > 1:
            return {where: "/".join(folders[: depth + 1]) for where, folders in levels.items() if len(folders) > depth}
    return {}


def _are_cases(names: Collection[str]) -> bool:
    """Whether most of them differ in their numbers alone."""
    return len(_without_numbers(names)) <= max(1, len(names) // 2)


def folder_levels(where: str) -> Levels:
    """
    >>> folder_levels("parts/train.zip!cat/1.jpg")
    ('parts', 'train', 'cat')
    >>> folder_levels("tumour/p1//a.dcm")
    ('tumour', 'p1')
    """
    several = bundle_of(where)
    if several is not None:
        where = several.files[0]
    place = take_apart(where)
    if place.member is None:
        return tuple(place.file.split("/")[:-1])
    *folders, archive = place.file.split("/")
    return (*folders, without_suffix(archive), *place.member.split("/")[:-1])


def split_names(names: Collection[str]) -> dict[str, Split]:
    """Which of the folders on one level are split folders; what all names share ('seg_train', 'seg_test') is ignored.

    >>> split_names(["seg_train", "seg_test", "seg_pred"])
    {'seg_train': 'train', 'seg_test': 'test'}
    """
    words = [set(re.findall(r"[^\W\d_]+", name.lower())) for name in names]
    shared: set[str] = set.intersection(*words) if len(words) > 1 else set()
    told: list[set[Split]] = [{SPLITS[word] for word in some if word in SPLITS} for some in words]
    if all(len(some) == 1 for some in told) and len(set[Split]().union(*told)) > 1:  # train_mini beside val
        return {name: some.pop() for name, some in zip(names, told, strict=True)}
    return {name: split for name in names if (split := split_called(name, shared))}


def _split_level(levels: Sequence[Levels]) -> tuple[int | None, dict[str, Split]]:
    """(depth, folder -> split). Two different splits make a level one, whatever lies beside them; a lone 'train' or
    'test' counts only where every picture is under it and there are class folders besides."""
    lone: tuple[int | None, dict[str, Split]] = (None, {})
    for depth in range(max(map(len, levels), default=0)):
        names = Counter(folders[depth] for folders in levels if len(folders) > depth)
        splits = split_names(names)
        under = sum(n for name, n in names.items() if name in splits)
        if len(set(splits.values())) > 1 and under * 2 > len(levels):
            return depth, splits
        if lone[0] is None and splits and under == len(levels):
            rest = [folders[:depth] + folders[depth + 1 :] for folders in levels]
            lone = (depth, splits) if _varying(rest) else lone
    return lone


def _take_split_out(
    levels: dict[str, Levels], depth: int, names: dict[str, Split]
) -> tuple[dict[str, Levels], dict[str, Split], dict[str, str]]:
    kept: dict[str, Levels] = {}
    splits: dict[str, Split] = {}
    skipped: dict[str, str] = {}
    told = "|".join(sorted(names))
    for where, folders in levels.items():
        if len(folders) > depth and (split := names.get(folders[depth])):
            splits[where] = split
            # 'seg_train/seg_train': unpacked into a folder of its own name
            twice = len(folders) > depth + 1 and folders[depth + 1] == folders[depth]
            kept[where] = folders[:depth] + folders[depth + 1 + twice :]
        else:
            skipped[where] = f"lies beside the split folders {told}"
    return kept, splits, skipped


def _without_second_copies(levels: dict[str, Levels]) -> tuple[dict[str, Levels], list[str]]:
    """Without the folders that hold again what lies beside them, such as an archive unpacked within its own folder:
    cells/ill, cells/well, cells/cells/ill, cells/cells/well. Returns their names, too."""
    inner: dict[Levels, set[str]] = defaultdict(set)
    for folders in set(levels.values()):
        for depth, name in enumerate(folders):
            inner[folders[:depth]].add(name)
    twice = {
        (*above, name)
        for above, names in list(inner.items())
        for name in names
        if len(names) > 2 and names - {name} <= inner.get((*above, name), set())
    }
    for path in sorted(twice, key=len, reverse=True):
        at = len(path)
        levels = {w: (*one[: at - 1], *one[at:]) if one[:at] == path else one for w, one in levels.items()}
    return levels, sorted(path[-1] for path in twice)


def _outcomes_alone(levels: dict[str, Levels]) -> tuple[dict[str, Levels], str]:
    """Where one level numbers studies or cases and says how each came out, 'study1_positive': only that and whose they
    are. Returns one of these names, too."""
    for depth in _varying(list(levels.values())):
        told = {
            folders[depth]: _OUTCOME.fullmatch(folders[depth]) for folders in levels.values() if len(folders) > depth
        }
        kinds = {match[2].lower() for match in told.values() if match}
        if len(kinds) > 1 and all(told.values()):
            kept: dict[str, Levels] = {}
            for where, folders in levels.items():
                match = told[folders[depth]] if len(folders) > depth else None
                whose = tuple(name for name in folders[:depth] if _OF_ONE.match(name))
                whose = whose or (" in ".join(folders[depth::-1]),)
                kept[where] = (*whose, match[2].lower()) if match else ()
            return kept, min(told)
    return levels, ""


def _take_groups_out(levels: dict[str, Levels]) -> tuple[dict[str, Levels], dict[str, str]]:
    """Folders that are called after whom or what they come from, and numbered, are groups: patient_012, fold3. Of
    several such levels the highest is."""
    groups: dict[str, str] = {}
    while True:
        some = list(levels.values())
        for depth in _varying(some):
            names = {folders[depth] for folders in some if len(folders) > depth}
            if len(names) >= _FEWEST_GROUPS and all(_OF_ONE.match(name) for name in names):
                for where, folders in levels.items():
                    if len(folders) > depth:
                        groups.setdefault(where, folders[depth])
                levels = {where: folders[:depth] + folders[depth + 1 :] for where, folders in levels.items()}
                break
        else:
            return levels, groups


def _without_strays(levels: dict[str, Levels]) -> tuple[dict[str, Levels], dict[str, str]]:
    """Leave out a few pictures of a documentation folder that lies beside the one folder that holds all classes."""
    for depth in _varying(list(levels.values())):
        deeper = {folders[depth] for folders in levels.values() if len(folders) > depth + 1}
        inside = [where for where, folders in levels.items() if len(folders) > depth + 1]
        if len(deeper) == 1 and len(inside) >= 0.8 * len(levels) and _varying([levels[where] for where in inside]):
            name = next(iter(deeper))
            beside = levels.keys() - inside
            kept = {where: levels[where] for where in inside}
            return kept, dict.fromkeys(sorted(beside), f"lies beside the folder '{name}' that holds the classes")
        return levels, {}
    return levels, {}


def _class_level(levels: Sequence[Levels], labels: Sequence[str]) -> int | None:
    deepest = max(map(len, levels), default=0)
    if labels:
        known = set(labels)
        hits = [sum(len(f) > depth and f[depth] in known for f in levels) for depth in range(deepest)]
        return hits.index(max(hits)) if any(hits) else None
    varying = _varying(levels)
    if not varying:
        return _lone_class(levels)
    top = varying[0]
    for depth in reversed(varying[1:]):
        if _is_crossed(levels, top, depth):
            return depth
    return next((depth for depth in reversed(varying[1:]) if _is_finer(levels, top, depth)), top)


def _is_finer(levels: Sequence[Levels], top: int, depth: int) -> bool:
    """Whether the folders are kinds of the upper ones, 'bird/robin', and not whom their pictures come from: words, each
    with pictures enough under one upper folder alone, and nothing lies beside them."""
    below = [folders for folders in levels if len(folders) > depth]
    names, pairs = {folders[depth] for folders in below}, {(folders[top], folders[depth]) for folders in below}
    is_tree = len(pairs) == len(names) > len({folders[top] for folders in levels}) and len(below) == len(levels)
    return is_tree and len(levels) >= _FEWEST * len(names) and 2 * len(_without_numbers(names)) > len(names)


def _without_numbers(names: Collection[str]) -> set[str]:
    return {re.sub(r"\d+", "#", name) for name in names}


def _is_crossed(levels: Sequence[Levels], top: int, depth: int) -> bool:
    """Whether the classes are the lower of two varying levels: 'patient/class', 'site/class'.

    Nearly every upper folder then holds nearly every lower name, and either there are more lower names than upper
    ones, or so many upper ones (20, and 5 times the lower) that they are things and not kinds.
    """
    paths = {folders[: depth + 1] for folders in levels if len(folders) > depth}
    uppers, lowers = {path[:-1] for path in paths}, {path[-1] for path in paths}
    if len(paths) < 0.8 * len(uppers) * len(lowers) or len(uppers) < 2:
        return False
    kinds = _without_numbers(lowers)
    if len(kinds) == 1 < len(lowers) and not _COUNTS_CLASSES.fullmatch(min(kinds)):
        return False  # 40X, 100X: how, and not what
    above = len({path[top] for path in paths})
    return len(lowers) > above or (above >= 20 and above > 5 * len(lowers))


def _lone_class(levels: Sequence[Levels]) -> int | None:
    """One folder for everything: a class that is alone (and will be refused as such), unless its name says nothing."""
    if not levels or not all(levels):
        return None
    at = min(map(len, levels)) - 1
    name = levels[0][at].lower()
    return None if name in _GENERIC | SPLITS.keys() or name.isdecimal() else at


def _varying(levels: Sequence[Levels]) -> list[int]:
    deepest = max(map(len, levels), default=0)
    return [d for d in range(deepest) if len({folders[d] for folders in levels if len(folders) > d}) > 1]


def _target(name: str, labels: Sequence[str]) -> str | None:
    return None if name.lower() in _UNLABELLED or (labels and name not in labels) else name


def _told(
    found: list[Found],
    skipped: dict[str, str],
    levels: Sequence[Levels],
    at: int,
    kind_of: Callable[[str], str | None],
) -> Reading | None:
    classes = Counter(str(each.target) for each in found if each.target is not None)
    if not classes:
        return None
    splits = [name for name in ("train", "val", "test") if any(each.split == name for each in found)]
    under = f"under {'|'.join(splits)} " if splits else ""
    few = ", ".join(f"{name} {classes[name]:,}" for name in in_order(sorted(classes))[:12])
    few += ", ..." * (len(classes) > 12)
    counts = Counter(kind_of(each.where) for each in found).most_common()
    formats = " and ".join(f"{n:,} {kind}" for kind, n in counts)
    evidence = [f"{formats} {under}over {len(classes):,} class folder{'s' * (len(classes) != 1)}: {few}"]
    for depth in _varying(levels):
        if depth < at and _is_finer(levels, depth, at):
            n = len({folders[depth] for folders in levels})
            evidence.append(f"the {n:,} folders above are coarser classes: a pattern as prepare.label tells those")
        elif depth != at:
            n = len({folders[depth] for folders in levels if len(folders) > depth})
            place = "above" if depth < at else "below"
            evidence.append(
                f"the folders {place} the classes vary too ({n:,} names): if they are patients, machines or scenes, "
                "set prepare.group, so that none straddles two splits"
            )
    layout = f"{'|'.join(splits)} folders over class folders" if splits else "class folders"
    return Reading(layout, tuple(evidence), tuple(found), skipped)
