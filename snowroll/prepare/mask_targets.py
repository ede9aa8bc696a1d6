"""Masks as they are kept: a target is {"mask": a grey PNG as base64, "classes": [...]}. numpy and PIL, never torch.

A pixel of value v is of classes[v], and where several values are of one class each is an instance of it; IGNORED is
neither asked for nor held against anybody. So a target is JSON, says by itself what its values mean, and costs a few
kilobytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from snowroll.base.errors import DataError, did_you_mean
from snowroll.base.nouns import Json, Prediction
from snowroll.prepare.packed_png import packed, unpacked

IGNORED = 255
MOST_CLASSES = 254
_MUCH_THE_SAME = 0.5  # of what is drawn, that copies have in common: 259 pairs of CamVid's frames have 0.64 to 0.97
_SOME_PIXELS = 0.02  # of a near copy's pixels; a guess
BACKGROUND, FOREGROUND = "background", "foreground"  # of masks whose values have no names


def as_target(mask: np.ndarray, classes: Sequence[str]) -> Json:
    """mask: [H, W] places in `classes`, or IGNORED."""
    return {"mask": packed(mask), "classes": list(classes)}


def mask_of(target: Json) -> np.ndarray:
    """uint8 [H, W]. Raises DataError in plain words where the target is no mask."""
    return unpacked(target.get("mask") if isinstance(target, Mapping) else None)


def numbered(target: Json, classes: Sequence[str]) -> np.ndarray:
    """uint8 [H, W]: the mask with places in `classes` for values. What the schema does not know is IGNORED."""
    place = {name: number for number, name in enumerate(classes)}
    table = np.full(256, IGNORED, np.uint8)
    for value, name in enumerate(target["classes"][:IGNORED]):
        table[value] = place.get(name, IGNORED)
    return table[mask_of(target)]


def numbered_at(target: Json, classes: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
    """`numbered` at a height and width, nearest values."""
    mask = numbered(target, classes)
    if mask.shape == shape:
        return mask
    from PIL import Image

    return np.asarray(Image.fromarray(mask).resize((shape[1], shape[0]), Image.Resampling.NEAREST))


def numbered_pairs(
    predictions: Sequence[Prediction], targets: Sequence[Json], classes: Sequence[str]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(what is there, what was said) of each, at the target's size, with places in `classes` for values."""
    for said, target in zip(predictions, targets, strict=True):
        truth = numbered(target, classes)
        yield truth, numbered_at(said.value, classes, truth.shape)


def shares(target: Json) -> Mapping[str, float]:
    """Class -> share of the pixels that are not ignored; classes without a pixel are left out."""
    counts = np.bincount(mask_of(target).ravel(), minlength=256)[: len(target["classes"])]
    total, found = max(1, int(counts.sum())), dict[str, float]()
    for name, n in zip(target["classes"], counts.tolist(), strict=True):
        if n:
            found[name] = found.get(name, 0.0) + n / total
    return found


def fitted(mask: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """The mask as the picture lies in the frame (prepare.pictures.geometry, "pad"), nearest values, IGNORED around."""
    from PIL import Image

    from snowroll.prepare.pictures import geometry

    (_, dest) = geometry(mask.shape[1], mask.shape[0], frame, "pad")
    left, top, right, bottom = dest
    framed = np.full((frame[1], frame[0]), IGNORED, np.uint8)
    small = Image.fromarray(mask).resize((right - left, bottom - top), Image.Resampling.NEAREST)
    framed[top:bottom, left:right] = np.asarray(small)
    return framed


def unfitted(framed: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What lies in the frame at the picture's own size (width, height)."""
    from PIL import Image

    from snowroll.prepare.pictures import geometry

    left, top, right, bottom = geometry(*size, (framed.shape[1], framed.shape[0]), "pad").dest
    return np.asarray(Image.fromarray(framed[top:bottom, left:right]).resize(size, Image.Resampling.NEAREST))


def problem(target: Json, classes: Sequence[str]) -> str | None:
    """What is wrong with a target, in words."""
    if not isinstance(target, Mapping) or not isinstance(target.get("classes"), list):
        return 'a target is {"mask", "classes"}'
    unknown = [name for name in target["classes"] if name and name not in classes]
    if unknown:
        return f"class '{unknown[0]}' is not in the schema; {did_you_mean(str(unknown[0]), list(classes))}"
    try:
        mask_of(target)
    except DataError as fault:
        return fault.what
    return None


def all_classes(targets: Iterable[Json]) -> list[str]:
    """Names given by the user (words) and by targets; "" is no class."""
    names: Counter[str] = Counter()
    for target in targets:
        names.update([target] if isinstance(target, str) else target["classes"] if target is not None else ())
    return sorted(name for name in names if name)


def classes_shown(targets: Sequence[Json]) -> list[list[str]]:
    """Of each target the classes it shows, sorted."""
    return [sorted(name for name in shares(target) if name) for target in targets]


def rarest_shown(targets: Sequence[Json]) -> list[str]:
    """[n] the rarest class that each shows, or "nothing"."""
    shown = classes_shown(targets)
    counts = Counter(name for names in shown for name in names)
    return [min(names, key=lambda name: (counts[name], name), default="nothing") for names in shown]


def thinnest_px(targets: Sequence[Json], looked_at: int = 200) -> float | None:
    """How thick the thinnest tenth is of what is to be found: four times its area over the length of its border, the
    side of a square or twice the width of a line. None where all pictures show one thing.
    """
    found = [
        thickness for target in targets[:: max(1, len(targets) // looked_at)] for thickness in _thicknesses(target)
    ]
    return round(float(np.quantile(found, 0.1)), 1) if found else None


def _thicknesses(target: Json) -> Iterator[float]:
    """Of each class but the picture's commonest."""
    names = sorted({name for name in target["classes"] if name})
    mask = numbered(target, names)
    counts = np.bincount(mask.ravel(), minlength=256)[: len(names)]
    if not counts.any():
        return
    borders = np.zeros(256, np.int64)
    for one, other in ((mask[1:], mask[:-1]), (mask[:, 1:], mask[:, :-1])):
        meets = (one != other) & (one != IGNORED) & (other != IGNORED)
        borders += np.bincount(one[meets], minlength=256) + np.bincount(other[meets], minlength=256)
    for number in np.flatnonzero(counts):
        if number != counts.argmax() and borders[number]:
            yield 4.0 * int(counts[number]) / int(borders[number])


def gist(target: Json) -> str:
    """Which classes, in tenths of the picture: what two copies of a picture should agree on."""
    found = {name: round(10 * share) for name, share in shares(target).items() if name}
    return ", ".join(f"{name} {tenths}" for name, tenths in sorted(found.items()) if tenths) or "nothing"


def clash(one: Json, other: Json, is_one_file: bool) -> str | None:
    """How the masks of two copies of a picture contradict each other, in words; None where they tell much the same.

    What is looked at is all but the class that covers most, of which nearly all is always the same. A copy may lie
    mirrored, so it may fit either way round; its edges may have been cut, so a few pixels tell nothing.
    """
    names = sorted({name for target in (one, other) for name in target["classes"] if name})
    first = numbered(one, names)
    second = numbered_at(other, names, first.shape)
    ways = [second] if is_one_file else [second, second[:, ::-1]]
    overlap, differ = max((_in_common(first, way) for way in ways), key=lambda told: told[0])
    if overlap >= _MUCH_THE_SAME or (not is_one_file and differ < _SOME_PIXELS):
        return None
    return f"their masks differ in {differ:.1%} of the pixels, and have {overlap:.0%} of what is drawn in common"


def _in_common(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """(intersection over union of all but the commonest class together, share of the judged pixels that differ)."""
    judged = (one != IGNORED) & (other != IGNORED)
    one, other = one[judged], other[judged]
    if not len(one):
        return 1.0, 0.0
    commonest = int(np.bincount(np.concatenate([one, other])).argmax())
    drawn = int(((one != commonest) | (other != commonest)).sum())
    both = int(((one == other) & (one != commonest)).sum())
    return (both / drawn if drawn else 1.0), float((one != other).mean())


def words(value: Json) -> str:
    """'road 41 %, sky 22 %, ...' as people read it in a report."""
    found = sorted(((share, name) for name, share in shares(value).items() if name), reverse=True)
    return ", ".join(f"{name} {share:.0%}" for share, name in found[:3]) or "nothing"


def same(one: Prediction, other: Prediction) -> float:
    """Share of the pixels that two answers to one picture have in common."""
    mine, theirs = mask_of(one.value), mask_of(other.value)
    return float((mine == theirs).mean()) if mine.shape == theirs.shape else 0.0
