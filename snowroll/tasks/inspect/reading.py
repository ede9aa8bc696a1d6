"""Folders of good and faulty parts: class folders or a manifest, one class of which is good; masks of faults beside.

train/good, test/good, test/scratch and ground_truth/scratch is such a folder; so is ok/ beside ng/, and good/ alone.
"""

from __future__ import annotations

import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Json
from snowroll.base.task import Found, Reading
from snowroll.prepare.decode import limited
from snowroll.prepare.layouts import read_images
from snowroll.prepare.masks import has_few_values
from snowroll.prepare.packed_png import packed
from snowroll.prepare.pictures import format_of_name, open_rgb, sniff
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import SPLITS
from snowroll.tasks.inspect.parts import GOOD, is_praise

_SOFT = 16  # values from which on those between black and white are a smoothed border; fewer are kinds of faults
_KIND = re.compile(rf"(?:^|/)(?i:{'|'.join(sorted(SPLITS, key=len, reverse=True))})/([^/]+)/[^/]+$")
_ENDING = re.compile(r"[ _.-]+(mask|masks|gt|label|seg|segmentation|groundtruth)$", re.IGNORECASE)


def read_parts(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """The pictures with the kinds of their parts; None where no class, or more than one, is of good parts.

    Raises UsageError where prepare.good names no class of the folder.
    """
    reading = read_images(folder, settings)
    if reading is None:
        return None
    good = _good(reading, settings)
    if good is None and (of_products := _of_several_products(folder, settings)) is not None:
        reading, good = of_products, _good(of_products, settings)
    if good is None:
        return None
    if len(settings.labels) == 1 and all(found.target is None for found in reading.found):  # it is that of all of them
        found = [replace(one, target=GOOD) for one in reading.found]
    else:
        found = [replace(one, target=GOOD if one.target in good else one.target) for one in reading.found]
    marks = list(_masks(folder, found, reading.skipped, settings))
    masks, used = {where: mark for where, _, mark in marks}, {mask for _, mask, _ in marks}
    marked = [replace(one, target=_marked(one.target, masks.get(one.where))) for one in found]
    n = sum(one.target == GOOD for one in found)
    labelled = sum(one.target is not None for one in found)
    told = [f"{n:,} good parts ('{', '.join(sorted(good))}') and {labelled - n:,} faulty ones"]
    if masks:
        told.append(f"the faults of {len(masks):,} are marked by masks")
    skipped = {where: why for where, why in reading.skipped.items() if where not in used}
    return replace(reading, found=tuple(marked), evidence=(*reading.evidence, *told), skipped=skipped)


def _of_several_products(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """bottle/train/good, cable/train/good, cable/test/bent: splits over kinds of parts, each product in a folder."""
    named = [entry.where for entry in folder.entries() if format_of_name(entry.where)]
    kinds = {where: match for where in named if (match := _KIND.search(where))}
    good = {match[1] for match in kinds.values() if is_praise(match[1])}
    learnt = {match[1] for match in kinds.values() if SPLITS[match[0].strip("/").split("/")[0].lower()] == "train"}
    products = sorted({where[: match.start()].rpartition("/")[2] for where, match in kinds.items()})
    if settings.label or settings.labels or len(products) < 2 or len(good) != 1 or learnt != good:
        return None
    reading = read_images(folder, replace(settings, label=_KIND.pattern))
    if reading is None:
        return None
    told = f"{len(products):,} products ({', '.join(products[:6])}{' ...' * (len(products) > 6)}), learnt together"
    told += ": --data on the folder of one makes a model of its own"
    return replace(reading, layout="products over splits over kinds of parts", evidence=(*reading.evidence[1:], told))


def _good(reading: Reading, settings: PrepareSettings) -> set[str] | None:
    names = {str(found.target) for found in reading.found if found.target is not None} or set(settings.labels)
    if settings.good:
        if missing := set(settings.good) - names:
            cure = f"its classes are {', '.join(sorted(names))}"
            raise UsageError(f"no part is of class '{min(missing)}'", where="prepare.good", cure=cure)
        return set(settings.good)
    good = {name for name in names if is_praise(name)}
    return good if len(good) == 1 else None


def is_one_sided(reading: Reading) -> bool:
    """Whether nothing but good parts is there to learn from: then no classifier is meant."""
    declared = [found for found in reading.found if found.split in ("train", None)]
    return bool(declared) and all(found.target in (GOOD, None) for found in declared)


def _marked(kind: Json, mask: str | None) -> Json:
    return kind if mask is None or kind == GOOD else {"class": kind, "mask": mask}


# which file marks whose fault -----------------------------------------------------------------------------------------


def _masks(
    folder: Folder, found: Sequence[Found], skipped: Mapping[str, str], settings: PrepareSettings
) -> Iterator[tuple[str, str, str]]:
    """(picture, its mask, that as a packed PNG), of what is no sample itself but has a sample's name."""
    by_name: dict[str, list[str]] = defaultdict(list)
    for where in skipped:
        if format_of_name(where):
            by_name[_plain(where)].append(where)
    pairs: dict[str, list[str]] = defaultdict(list)  # mask -> pictures
    for one in found:
        candidates = by_name.get(_plain(one.where), []) if one.target not in (GOOD, None) else []
        shared = Counter({where: len(_parts(where) & _parts(one.where)) for where in candidates})
        best = shared.most_common(2)
        if len(best) == 1 or (len(best) == 2 and best[0][1] > best[1][1]):  # or nothing says which
            pairs[best[0][0]].append(one.where)
    for mask, answer in limited(open_mark, folder.stream(list(pairs)), settings.workers):
        if not isinstance(answer, DataError):
            for where in pairs[mask]:
                yield where, mask, answer


def open_mark(raw: bytes) -> str:
    """A mask's bytes as a packed PNG, 255 where it marks a fault, whatever its values and edges; in a limited child.

    Raises DataError where the bytes are no mask.
    """
    if not has_few_values(raw):
        raise DataError("no mask: it has many values", cure="save 0 where the part is good and 255 where it is not")
    grey = _greys(raw)
    is_soft = sniff(raw) == "JPEG" or len(np.unique(grey)) >= _SOFT
    return packed(np.where(grey > (int(grey.max()) / 2 if is_soft else 0), 255, 0).astype(np.uint8))


def _greys(raw: bytes) -> np.ndarray:
    """[H, W], the numbers of 16 bits as they are: as a picture of 8 bits small ones would be black."""
    from PIL import Image

    image = Image.open(io.BytesIO(raw))
    return np.asarray(image) if image.mode.startswith("I") else open_rgb(raw).max(axis=2)


def _parts(where: str) -> set[str]:
    return set(where.replace("!", "/").lower().split("/")[:-1])


def _plain(where: str) -> str:
    stem = where.replace("!", "/").rpartition("/")[2].rpartition(".")[0]
    return _ENDING.sub("", stem).lower()
