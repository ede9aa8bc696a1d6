"""What the values of masks mean: classes by number or colour, named by a list that lies beside them, or things that
are numbered, or a border that was smoothed.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from snowroll.base.nouns import Json
from snowroll.prepare.mask_targets import BACKGROUND, FOREGROUND, as_target
from snowroll.prepare.packed_png import unpacked
from snowroll.prepare.read import Folder
from snowroll.tasks.segment_images.mask_files import Mask, Value

_CORRECTED = 0.1  # share of masks with gaps among their numbers
_ENDS = 4  # different highest numbers: classes within classes (an organ, its tumour) have one or two
_SOFT = 16  # greys from which on they are taken for a smoothed border
_NAMED = (
    *("class_dict.csv", "label_class_dict.csv", "classes.csv", "labels.csv"),
    *("classes.txt", "labels.txt", "label_colors.txt", "codes.txt"),
)
UNNAMED = "value "  # begins the class of a value that the list of classes lacks
_VOID = ("void", "unlabelled", "unlabeled", "ignore", "ignored", "unknown")  # names of what is not to be judged


@dataclass(frozen=True, slots=True)
class Meaning:
    """Of all values of a folder's masks."""

    classes: Mapping[Value, str]  # "" for what is not judged
    is_soft: bool  # greys are the smoothed border of black and white

    @property
    def ignored(self) -> list[str]:
        """How the values are spelled that are not judged."""
        return sorted({_spelled(value) for value, name in self.classes.items() if not name})

    def target(self, mask: Mask) -> Json:
        """As mask_targets.py has it. Of soft edges one value a class is left: several would be taken for things that
        are numbered.
        """
        classes = [self.classes[value] for value in mask.values]
        if not self.is_soft:
            return {"mask": mask.png, "classes": classes}
        kinds = sorted(set(classes))
        places = np.array([kinds.index(name) for name in classes], np.uint8)
        return as_target(places[unpacked(mask.png)], kinds)


def meaning_of(masks: Sequence[Mask], names: Mapping[Value, str], ignored: Sequence[str]) -> Meaning:
    """names: of values, from a list of classes; ignored: names and values of classes that are not to be judged."""
    names = {_plain(value): name for value, name in names.items()}
    is_soft = not names and _has_soft_edges(masks)
    values = {value for mask in masks for value in mask.values}
    if _number_things(masks, names):
        return Meaning({value: BACKGROUND if value == 0 else FOREGROUND for value in values}, is_soft)
    classes = _classes(values, names, is_soft)
    unjudged = {
        value
        for value, name in classes.items()
        if name in ignored or _spelled(value) in ignored or name.lower() in _VOID
    }
    return Meaning(classes | dict.fromkeys(unjudged, ""), is_soft)


def class_names(folder: Folder) -> dict[Value, str]:
    """From a list of classes: 'name,r,g,b' or 'r g b name', else a name a line, counted from 0."""
    lists = [entry.where for entry in folder.entries() if is_class_list(entry.where) and entry.size < 1 << 20]
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


def is_class_list(where: str) -> bool:
    """Whether a file is called as lists of classes are."""
    return where.replace("!", "/").rpartition("/")[2].lower() in _NAMED


def _classes(values: Set[Value], names: Mapping[Value, str], is_soft: bool) -> dict[Value, str]:
    """value -> class. names: by plain values."""
    # where some masks have colours, what is black in another is black, and no number
    told = {_plain(value) for value in values if not isinstance(value, str)}
    is_thing = any(told <= {0, most} for most in (1, 255, 65535))
    is_coloured = any(isinstance(value, tuple) for value in told)
    begin = UNNAMED if names else ""
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
            found[value] = begin + _spelled((plain, plain, plain) if isinstance(plain, int) else value)
        elif value == 255:
            found[value] = ""  # what VOC calls void
        else:
            found[value] = begin + _spelled(value)
    return found


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
    return first in (0, 1) and tuple(values) == tuple(range(int(first), int(first) + len(values)))


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
