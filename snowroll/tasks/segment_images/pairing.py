"""Which files are whose masks: told by what names have in common, and by folders; pixels must agree.

A file's kind is its folder and what its name shares with many others: `gt/*_labelIds.png`, `img/photo_*.jpg`. Files of
several kinds whose names are the same otherwise belong together, and a kind is of masks where some of its files, looked
at, hold few values. So no tool's way of naming has to be known.
"""

from __future__ import annotations

import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from itertools import takewhile

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.decode import limited
from snowroll.prepare.masks import has_few_values
from snowroll.prepare.packed_png import unpacked
from snowroll.prepare.pictures import sniff
from snowroll.prepare.read import Folder
from snowroll.prepare.split_words import SPLITS
from snowroll.tasks.segment_images.mask_files import open_mask
from snowroll.tasks.segment_images.parts import parts_of

_WORDS = ("mask", "label", "anno", "gt", "seg", "truth", "colo", "ids")  # in the path of masks; no class is called so
_THINGS = ("object", "instance")  # in the path of masks that number things, where others of them tell classes
_MOST_KINDS = 8
_LOOKED_AT = 8  # files of each kind that are decoded to see whether the kind is masks
_GRID = 16  # places across
_TELLING = 0.5  # share of the most telling kind's spread
_MANY = 20  # a word is a kind's where at least one file in so many has it
_FEWEST = 3  # ... and so many at all; as many folders must hold one picture each before folders tell
_WORD = r"[^ _.-]*[A-Za-z][^ _.-]*"
_ENDINGS = [re.compile(rf"[ _.-]+({_WORD}(?:[ _.-]+{_WORD}){{0,{more}}})(?:[ _.-]?\d+)?$") for more in range(4)]
_FIRST = re.compile(r"^([A-Za-z]+)[ _.-]*(?=\d)")


@dataclass(frozen=True, slots=True)
class Marked:
    """What marks one picture: a file; or several, each of which marks one thing, or (where `names` is) one class."""

    files: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pairing:
    pairs: Mapping[str, Marked]  # picture -> its masks
    masks: frozenset[str]  # all files that are masks, of other kinds and of no picture too
    passed: frozenset[str] = frozenset()  # pictures that have nothing but masks that others do not learn from


@dataclass(frozen=True, slots=True)
class Kind:
    """What was seen of a kind of masks."""

    values: int  # that one of them holds, at most
    spread: float  # how much they differ from one another, 0 to 1/2: the edge of a lens is the same in all


def pair(folder: Folder, pictures: Sequence[str], meant: Set[str] = frozenset(), megapixels: float = 100.0) -> Pairing:
    """The pictures that have masks among `pictures`, in whatever folders and under whatever names.

    meant: the masks to learn from, where the user says which; none: found by looking.
    """
    masks = partial(_mask_kinds, folder, meant=meant, megapixels=megapixels)
    found = _paired(pictures, meant, masks, is_learnt=False)
    left = len(pictures) - len(found.pairs) - len(found.masks)
    if not found.pairs or 4 * left > len(found.pairs):
        # what is left may be masks, too, whose names do not say so; of one picture those that tell more are meant
        other = _paired(pictures, meant, masks, is_learnt=True)
        is_more = other.pairs.keys() | other.passed == found.pairs.keys() and len(other.masks) > len(found.masks)
        found = other if is_more or not found.pairs else found
    looked_at = partial(_mask_kinds, folder, megapixels=megapixels)
    found = found if found.pairs else _by_folder(pictures, looked_at)
    return found if found.pairs else _by_parts(pictures, looked_at)


Masks = Callable[[Mapping[str, Sequence[str]]], dict[str, Kind]]  # some files of each kind -> the kinds that are masks


def _paired(pictures: Sequence[str], meant: Set[str], masks_of: Masks, is_learnt: bool) -> Pairing:
    """By names that are the same, or the same but for a word that says "mask", or (is_learnt) for any other."""
    found: dict[str, Marked] = {}
    by_name = _by_name(pictures, is_learnt)
    groups = {name: some for name, some in by_name.items() if 1 < len({kind for _, kind in some}) <= _MOST_KINDS}
    kinds = masks_of(_chosen(groups))
    marks = {
        name: [(where, kind) for where, kind in some if kind in kinds and (not meant or where in meant)]
        for name, some in groups.items()
    }
    classes = _classes(marks.values(), kinds)
    for name in sorted(groups, key=lambda name: -len({kind for _, kind in marks[name]})):
        of_masks = {where for where, _ in marks[name]}
        for where, kind in groups[name]:
            if kind not in kinds and of_masks and where not in of_masks:
                found.setdefault(where, _closest(where, marks[name], kinds, classes))
    passed = _passed_over(found, marks.values())
    masks = {where for some in by_name.values() for where, kind in some if kind in kinds} - found.keys()
    found = _of_own({picture: marked for picture, marked in found.items() if picture not in passed})
    return Pairing(found, frozenset(masks if found else ()), frozenset(passed))


def _passed_over(found: Mapping[str, Marked], marks: Iterable[Sequence[tuple[str, str]]]) -> set[str]:
    """The pictures that have nothing but what others have, too, and do not learn from: of test pictures whose vessels
    are kept secret the edge of the lens is no vessel."""
    taken, passed, lone = set[str](), set[str](), dict[str, str]()
    used = {file for marked in found.values() for file in marked.files}
    for some in marks:
        told = {file: _in_any_split(kind) for file, kind in some}
        here = {kind for file, kind in told.items() if file in used}
        if len(set(told.values())) > 1:
            taken |= here
            passed |= set(told.values()) - here
        else:
            lone |= told
    left = {file for file, kind in lone.items() if kind in passed - taken}
    return {picture for picture, marked in found.items() if not left.isdisjoint(marked.files)}


def _in_any_split(kind: str) -> str:
    """
    >>> _in_any_split("test/mask/*_test_mask.gif"), _in_any_split("training/mask/*_training_mask.gif")
    ('mask/*_mask.gif', 'mask/*_mask.gif')
    """
    plain = re.sub(r"[A-Za-z]+", lambda word: "" if word[0].lower() in SPLITS else word[0], kind)
    return re.sub(r"([ _./-])[ _./-]+", r"\1", plain).strip("/")


def _of_own(found: Mapping[str, Marked]) -> dict[str, Marked]:
    """Without the pictures whose masks are those of others that lie nearer to them and have the same name: a film's
    first frame is not marked by another film's mask."""
    owners: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for picture, marked in found.items():
        for file in marked.files:
            owners[file].append((_near(picture, file)[0], picture))
    most = {file: max(some)[0] for file, some in owners.items()}
    return {
        picture: marked
        for picture, marked in found.items()
        if all(_near(picture, file)[0] == most[file] for file in marked.files)
    }


def _by_name(pictures: Sequence[str], is_learnt: bool) -> dict[str, list[tuple[str, str]]]:
    """What names share -> (file, its kind); names that are the same as they stand come first.

    is_learnt: whatever word many names begin or end with may tell kinds apart, not only one that says "mask".
    """
    told = [(where, *_taken_apart(where)) for where in pictures]
    words = Counter(word.lower() for _, _, stem, _ in told for word in {*_endings(stem), *_beginnings(stem)})
    enough = max(_FEWEST, len(told) // _MANY)
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for where, home, stem, ending in told:
        found[stem].append((where, f"{home}/*.{ending}"))
    for where, home, stem, ending in told:
        for (word, shared), pattern in [
            *((each, "*_{}") for each in _endings(stem).items()),
            *((each, "{}_*") for each in _beginnings(stem).items()),
        ]:
            if _says_mask(word) or (is_learnt and words[word.lower()] >= enough):
                found[shared].append((where, f"{home}/{pattern.format(word)}.{ending}"))
    return {key: part for name, some in found.items() for key, part in _told_apart(name, some).items()}


def _told_apart(name: str, some: list[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Files of one name in very many folders, films that each begin with frame 0, by the folder that tells their film:
    img/bear/0.jpg and gt/bear/0.png, bear/img/0.jpg and bear/gt/0.png, bear/0.jpg and bear/0_mask.png.
    """
    if len({kind for _, kind in some}) <= _MOST_KINDS:
        return {name: some}
    for part_of in (lambda home: home.rpartition("/")[2], lambda home: home.rpartition("/")[0], str):
        films: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for where, kind in some:
            films[f"{name} of {part_of(_taken_apart(where)[0])}"].append((where, kind))
        sizes = [len({kind for _, kind in film}) for film in films.values()]
        if sum(1 < size <= _MOST_KINDS for size in sizes) >= 0.9 * len(sizes):
            return films
    return {name: some}


def _taken_apart(where: str) -> tuple[str, str, str]:
    """
    >>> _taken_apart("set.zip!a/b.PNG")
    ('set.zip/a', 'b', 'png')
    """
    home, _, name = where.replace("!", "/").rpartition("/")
    stem, _, ending = name.rpartition(".")
    return home, stem, ending.lower()


def _endings(stem: str) -> dict[str, str]:
    """The last word of a name, the last two, three and four -> what stands before; a number after them counts files of
    one kind.

    >>> _endings("aachen_19_gtFine_labelIds"), _endings("a (1)_mask_1")
    ({'labelIds': 'aachen_19_gtFine', 'gtFine_labelIds': 'aachen_19'}, {'mask': 'a (1)'})
    """
    found = (pattern.search(stem) for pattern in _ENDINGS)
    return {match[1]: stem[: match.start()] for match in found if match and match.start()}


def _beginnings(stem: str) -> dict[str, str]:
    """
    >>> _beginnings("mask_001"), _beginnings("001")
    ({'mask': '001'}, {})
    """
    match = _FIRST.search(stem)
    return {match[1]: stem[match.end() :]} if match else {}


def _chosen(groups: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, list[str]]:
    """Some files of each kind, from all over the folder."""
    by_kind: dict[str, list[str]] = defaultdict(list)
    for some in groups.values():
        for where, kind in some:
            by_kind[kind].append(where)
    return {kind: some[:: max(1, len(some) // _LOOKED_AT)][:_LOOKED_AT] for kind, some in by_kind.items()}


def _mask_kinds(
    folder: Folder, chosen: Mapping[str, Sequence[str]], megapixels: float, meant: Set[str] = frozenset()
) -> dict[str, Kind]:
    """The kinds that are of masks. Of those that the user means, only a tenth of the files need look so."""
    files = sorted({where for some in chosen.values() for where in some})
    seen: dict[str, tuple[int, bytes]] = {}
    fault: DataError | None = None
    if files:
        for where, answer in limited(partial(look, megapixels=megapixels), folder.stream(files), workers=1):
            if isinstance(answer, DataError):
                fault = answer
            else:
                seen[where] = answer
    if fault is not None and not seen:  # a machine that lets no child live must not look like a folder without masks
        raise fault
    told = {kind: [seen[where] for where in some if where in seen] for kind, some in chosen.items()}
    shares = {kind: sum(values > 0 for values, _ in some) / len(some) for kind, some in told.items() if some}
    said = {kind for kind, some in chosen.items() if not meant.isdisjoint(some)}
    masks = {kind: _kind_of(told[kind]) for kind, share in shares.items() if share >= (0.1 if kind in said else 0.9)}
    if not meant and any(
        0.1 < share < 0.9 for share in shares.values()
    ):  # drawings, some of few values: only names tell
        return {kind: each for kind, each in masks.items() if _says_mask(kind)}
    return masks


def _kind_of(looks: Sequence[tuple[int, bytes]]) -> Kind:
    small = np.stack([np.frombuffer(pixels, np.uint8) for values, pixels in looks if values]) / 255
    return Kind(max(values for values, _ in looks), float(small.std(axis=0).mean()))


def look(raw: bytes, megapixels: float = 100.0) -> tuple[int, bytes]:
    """(how many values a mask holds, where it is not 0 as uint8 [_GRID, _GRID]); (0, b"") for a picture.

    In a limited child. Raises DataError where it is neither.
    """
    from PIL import Image

    is_indexed = False
    if sniff(raw) == "PNG":
        mode = Image.open(io.BytesIO(raw)).mode
        is_indexed = mode == "P" or mode.startswith("I;16")
    if not is_indexed and not has_few_values(raw, megapixels):
        return 0, b""
    try:
        mask = open_mask(raw, megapixels)
    except DataError:  # an indexed picture of many colours
        return 0, b""
    marks = Image.fromarray((unpacked(mask.png) > 0).astype(np.uint8) * 255)
    return max(1, len(mask.values)), marks.resize((_GRID, _GRID), Image.Resampling.BOX).tobytes()


def _classes(marks: Iterable[Sequence[tuple[str, str]]], kinds: Mapping[str, Kind]) -> dict[str, str]:
    """Kind of masks -> the class that it marks; none where kinds are no classes.

    They are where a picture has several, each of two values and called after something of its own.
    """
    told = {kind: _class_of(kind) for kind, seen in kinds.items() if seen.values <= 2}
    together = [{kind for _, kind in some} for some in marks]
    several = [some for some in together if len(some) > 1 and all(told.get(kind) for kind in some)]
    is_each = any(len({told[kind] for kind in some}) == len(some) for some in several)
    return {kind: name for kind, name in told.items() if name} if is_each else {}


def _closest(
    picture: str, marks: Sequence[tuple[str, str]], kinds: Mapping[str, Kind], classes: Mapping[str, str]
) -> Marked:
    """Every file of a picture where each is a class; else those of one kind.

    That is the one that lies nearest: train/a.jpg goes with trainannot/a.png, not with valannot/a.png, and
    photos/bear/1.jpg with masks/bear/1.png. Of several, one that hardly differs from picture to picture tells little,
    and one that numbers the things of a picture does not say what they are.
    """
    by_kind: dict[str, list[str]] = defaultdict(list)
    for where, kind in marks:
        by_kind[kind].append(where)
    if classes.keys() >= by_kind.keys():
        files = [(file, classes[kind]) for kind in sorted(by_kind) for file in sorted(by_kind[kind])]
        return Marked(tuple(file for file, _ in files), tuple(name for _, name in files))
    near = {kind: max(_near(picture, mask) for mask in files) for kind, files in by_kind.items()}
    whole = [kind for kind in near if kinds[kind].values > 2]
    if whole and len(near) - len(whole) > 1:  # all classes in one, and a file for each of them beside
        near = {kind: near[kind] for kind in whole}
    in_folder = [kind for kind in near if near[kind][0] == max(near.values())[0]]
    of_classes = [kind for kind in in_folder if _says_things(kind) == min(map(_says_things, in_folder))]
    nearest = [kind for kind in of_classes if near[kind] == max(near[kind] for kind in of_classes)]
    most = max(kinds[kind].spread for kind in nearest)
    telling = [kind for kind in nearest if kinds[kind].spread >= _TELLING * most]
    best = max(telling)
    ordered = sorted(by_kind[best])
    return Marked(tuple(ordered) if kinds[best].values <= 2 else (max(ordered, key=lambda mask: _near(picture, mask)),))


def _class_of(kind: str) -> str:
    """What a kind of masks is called after, "" where that only says that they are masks, or of which split.

    >>> _class_of("gt/*_vessel_mask.png"), _class_of("all/2. Haemorrhages/*_HE.tif"), _class_of("gt/*_mask.png")
    ('vessel', 'HE', '')
    """
    home, _, pattern = kind.rpartition("/")
    word = pattern.rpartition(".")[0].replace("*", "").strip("_") or home.rpartition("/")[2]
    return " ".join(part for part in re.split(r"[ _.-]+", word) if not _says_mask(part) and part.lower() not in SPLITS)


def _says_mask(words: str) -> bool:
    return any(word in words.lower() for word in _WORDS)


def _says_things(words: str) -> int:
    """How often."""
    return sum(words.lower().count(word) for word in _THINGS)


def _near(picture: str, mask: str) -> tuple[int, int]:
    """(how many folders two paths share in their order, how many characters they begin with alike)

    >>> _near("photos/bear/1.jpg", "masks/bear/1.png"), _near("train/a.jpg", "trainannot/a.png")
    ((1, 0), (0, 5))
    """
    one, other = (_taken_apart(where)[0].lower().split("/") for where in (picture, mask))
    shared = SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return sum(block.size for block in shared), _alike(picture, mask)


def _alike(one: str, other: str) -> int:
    """How many characters two paths begin with alike."""
    pairs = zip(one.lower(), other.lower(), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _by_folder(pictures: Sequence[str], masks_of: Masks) -> Pairing:
    """Folders of one picture each, with the masks of its things in a folder beside: 7/images/a.png, 7/masks/*.png."""
    marks, others = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for where in pictures:
        home = _taken_apart(where)[0]
        case, _, last = home.rpartition("/")
        is_mark = _says_mask(last)
        (marks if is_mark else others)[case].append(where)
        if not is_mark:
            others[home].append(where)
    cases = {case: sorted(files) for case, files in marks.items() if len(others[case]) == 1}
    chosen = {"masks": [cases[case][0] for case in sorted(cases)[:: max(1, len(cases) // _LOOKED_AT)][:_LOOKED_AT]]}
    if len(cases) < _FEWEST or not masks_of(chosen):
        return Pairing({}, frozenset())
    pairs = {others[case][0]: Marked(tuple(files)) for case, files in cases.items()}
    return Pairing(pairs, frozenset(file for files in cases.values() for file in files))


def _by_parts(pictures: Sequence[str], masks_of: Masks) -> Pairing:
    """Pictures whose parts are masked in a file each."""

    def of_two_values(chosen: Mapping[str, Sequence[str]]) -> set[str]:
        kinds = masks_of({f"*_{part}": files for part, files in chosen.items()})
        return {part for part in chosen if f"*_{part}" in kinds and kinds[f"*_{part}"].values <= 2}

    found = parts_of(pictures, of_two_values)
    is_one = len({part for masks in found.values() for part in masks.values()}) == 1  # a thing: it needs no name
    pairs = {
        picture: Marked(tuple(sorted(masks)), () if is_one else tuple(masks[mask] for mask in sorted(masks)))
        for picture, masks in found.items()
    }
    return Pairing(pairs, frozenset(mask for masks in found.values() for mask in masks) - pairs.keys())
