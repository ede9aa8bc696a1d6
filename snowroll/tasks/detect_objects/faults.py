"""What can be wrong with boxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from snowroll.base.nouns import Fault, Json
from snowroll.prepare.view import View, count
from snowroll.tasks.detect_objects.formats.marks import is_of_any
from snowroll.tasks.detect_objects.scoring import overlaps

_COMPARED = 500  # boxes at least, from left to right, among which one that lies alike is looked for
_TWICE = 0.9  # overlap from which two boxes are one
_BY_A_PIXEL = 1.5  # that boxes may pass the border where a tool counts pixels from 1
_UNSEEN_PX = 3  # sides below which nothing can be seen in an object
_IN_FEW, _MANY = 5, 20  # pictures that show a class, where there are many: fewer cannot be split three ways
_BELIEVED = 0.8  # share of what networks tell that people marked, from which they are believed of the rest; a guess
_RIGHT, _APART = 0.5, 0.2  # overlap from which two boxes are of one thing, and below which they are of two
_NAMED = 5  # objects that are told with their places
_RARE, _FEW = 0.02, 50  # a picture without any object is odd where nearly all others have some


def box_faults(view: View) -> Iterator[Fault]:
    """Boxes outside their picture, drawn before it was turned, without an area, told twice, too small to be seen;
    pictures that nobody marked."""
    lying = dict.fromkeys(_lying(view))
    yield from _each(
        view,
        "empty_box",
        lambda boxes, row, size: [tuple(box) for box in boxes if box[2] <= box[0] or box[3] <= box[1]],
        "{n} without an area (its sides are equal, or the wrong way round)",
        "pictures with such boxes are not learnt from: draw them again",
    )
    yield from _each(
        view,
        "box_outside",
        lambda boxes, row, size: [tuple(box) for box in boxes if row not in lying and _passes(box, size) > _BY_A_PIXEL],
        "{n} reaching beyond the picture by more than a pixel",
        "they are cut at the border; where many are, the sizes or the format of the coordinates may be mistaken",
    )
    yield from _each(
        view,
        "box_off_by_one",
        lambda boxes, row, size: [tuple(box) for box in boxes if 0 < _passes(box, size) <= _BY_A_PIXEL],
        "{n} passing the border by a pixel: the tool counts pixels from 1, or includes the last",
        "nothing, if that is so: they are cut at the border",
        severity="note",
    )
    yield from _each(
        view,
        "tiny_box",
        lambda boxes, row, size: [
            tuple(box) for box in boxes if 0 < min(box[2] - box[0], box[3] - box[1]) < _UNSEEN_PX
        ],
        f"{{n}} with a side under {_UNSEEN_PX} pixels: a slip of the mouse?",
        "look at them, and remove what marks nothing",
    )
    yield from _each(
        view,
        "box_twice",
        lambda boxes, row, size: _pairs(view, row, boxes, same_class=True),
        "{n} drawn twice over one object",
        "keep one of each two",
    )
    yield from _each(
        view,
        "box_of_two_classes",
        lambda boxes, row, size: _pairs(view, row, boxes, same_class=False),
        "{n} over an object that has another class, too",
        "keep the right class of each",
    )
    if lying:
        turned = sum(seen is not None and seen.turned for seen in view.looks)
        message = (
            f"{count(len(lying), 'picture')} whose boxes fit only what the file stores, before EXIF turns it (as it "
            f"turns {turned:,} here): {view.names([*lying])}"
        )
        cure = "export the boxes from a tool that turns pictures, or save all these pictures upright without EXIF"
        yield view.fault("unturned_boxes", "warn", [*lying], message, cure, fix=view.leave_out([*lying]))
    yield from _unmarked(view)
    yield from _rare(view)
    yield from _spelt_twice(view)


Find = Callable[[np.ndarray, int, tuple[int, int] | None], Sequence[object]]


def _each(view: View, code: str, find: Find, words: str, cure: str, severity: str = "warn") -> Iterator[Fault]:
    """One fault over all pictures in which `find` returns something."""
    rows, boxes = [], 0
    for row, sample in enumerate(view.samples):
        if sample.target:
            found = find(np.array([one["box"] for one in sample.target], float), row, _size(view, row))
            if found:
                rows.append(row)
                boxes += len(found)
    if rows:
        message = f"{words.format(n=count(boxes, 'box', 'boxes'))}, in {view.names(rows)}"
        yield view.fault(code, severity, rows, message, cure, fix=view.ask(rows))  # type: ignore[arg-type]


def _size(view: View, row: int) -> tuple[int, int] | None:
    """Width and height as the picture is seen."""
    seen = view.looks[row]
    return None if seen is None or seen.reason else seen.upright


def _lying(view: View) -> list[int]:
    """Rows of turned pictures whose boxes pass the border, and would not if the picture were not turned."""
    found = []
    for row, sample in enumerate(view.samples):
        seen, boxes = view.looks[row], np.array([one["box"] for one in sample.target or ()], float)
        if seen is not None and not seen.reason and seen.turned and len(boxes):
            passed, as_stored = (
                max(_passes(box, size) for box in boxes) for size in (seen.upright, (seen.width, seen.height))
            )
            found += [row] if passed > _BY_A_PIXEL >= as_stored else []
    return found


def _passes(box: np.ndarray, size: tuple[int, int] | None) -> float:
    """By how many pixels a box reaches beyond the border."""
    if size is None:
        return 0.0
    return float(max(-box[0], -box[1], box[2] - size[0], box[3] - size[1], 0.0))


def _pairs(view: View, row: int, boxes: np.ndarray, same_class: bool) -> list[tuple[int, int]]:
    target = view.samples[row].target or ()
    names = [one["class"] for one in target]
    of_any = [is_of_any(one) for one in target]  # they lie over whatever they excuse
    return [
        (a, b) for a, b in lying_alike(boxes) if (names[a] == names[b]) == same_class and not (of_any[a] or of_any[b])
    ]


def lying_alike(boxes: np.ndarray) -> list[tuple[int, int]]:
    """Pairs a < b of boxes [N, 4] that overlap as if drawn twice.

    Each is compared with the _COMPARED next ones from left to right alone: a picture may hold any number of boxes.
    """
    order = np.argsort(boxes[:, 0], kind="stable")
    found = []
    for start in range(0, len(boxes), _COMPARED):
        rows, others = order[start : start + _COMPARED], order[start : start + 2 * _COMPARED]
        fits = np.triu(overlaps(boxes[rows], boxes[others]), 1)
        found += [(min(rows[a], others[b]), max(rows[a], others[b])) for a, b in np.argwhere(fits > _TWICE).tolist()]
    return sorted((int(a), int(b)) for a, b in found)


def _unmarked(view: View) -> Iterator[Fault]:
    """Pictures marked as holding nothing, where hardly any other is: forgotten rather than empty?"""
    marked = [row for row, sample in enumerate(view.samples) if sample.target is not None]
    empty = [row for row in marked if not view.samples[row].target]
    if empty and len(marked) >= _FEW and len(empty) <= _RARE * len(marked):
        message = f"{count(len(empty), 'picture')} marked as holding nothing, of {len(marked):,}: {view.names(empty)}"
        yield view.fault(
            "unmarked_picture", "warn", empty, message, "look at them; mark what is there", 0.5, view.ask(empty)
        )


def _rare(view: View) -> Iterator[Fault]:
    """Classes that can be neither learnt nor measured."""
    shown: dict[str, list[int]] = {}
    for row, sample in enumerate(view.samples):
        for name in {one["class"] for one in sample.target or () if not is_of_any(one)}:
            shown.setdefault(name, []).append(row)
    if sum(sample.target is not None for sample in view.samples) < _MANY:
        return
    for name, rows in sorted(shown.items()):
        if len(rows) < _IN_FEW:
            told = f"class '{name}' is in {count(len(rows), 'picture')} only: {view.names(rows)}"
            yield view.fault("rare_class", "warn", rows, told, "label more of it, or give it to another class")


def _spelt_twice(view: View) -> Iterator[Fault]:
    """Classes whose names differ in case or blanks only."""
    counts: Counter[str] = Counter(_names(view))
    alike: dict[str, list[str]] = {}
    for name in counts:
        alike.setdefault("".join(name.casefold().split()).replace("_", "").replace("-", ""), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            rows = [
                row
                for row, sample in enumerate(view.samples)
                if any(one["class"] in names[1:] for one in sample.target or ())
            ]
            told = " and ".join(f"'{name}' ({counts[name]:,})" for name in names)
            yield view.fault(
                "class_spelt_twice", "warn", rows, f"{told} look like one class spelt twice", "give both one name"
            )


def _names(view: View) -> Iterator[str]:
    for sample in view.samples:
        for one in sample.target or ():
            yield one["class"]


def doubted_boxes(view: View) -> Iterator[Fault]:
    """Objects that nobody marked, and boxes of another class, by networks that did not learn from the pictures.

    They are believed from the score on at which most of what they tell was marked by people, too.
    """
    told: list[tuple[float, str, int, Json]] = []  # score, verdict, row, the object told
    for row, sample in enumerate(view.samples):
        said = (view.said or ())[row]
        if sample.target is not None and said is not None:
            told += [(float(one["score"]), verdict, row, one) for verdict, one in beside_marked(said, sample.target)]
    told.sort(key=lambda one: -one[0])
    for verdict, beside, code, words, cure in (
        ("missing", ("same", "other"), "unlabelled_objects", "where nothing is marked", "draw what was forgotten"),
        ("other", ("same",), "suspect_classes", "over a box of another class", "correct what is wrong"),
    ):
        heard = [one for one in told if one[1] in (verdict, *beside)]
        right = np.cumsum([one[1] in beside for one in heard])
        believed = np.flatnonzero(right >= _BELIEVED * np.arange(1, len(heard) + 1))
        found = [one for one in heard[: int(believed[-1]) + 1] if one[1] == verdict] if len(believed) else []
        if found:
            rows = list(dict.fromkeys(row for _, _, row, _ in found))
            surest = ", ".join(_told(view, row, one) for _, _, row, one in found[:_NAMED])
            more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
            message = (
                f"{count(len(found), 'object')} seen {words}, in {count(len(rows), 'picture')}, by networks that did "
                f"not learn from them; surest first: {surest}{more}"
            )
            look = f"look at them and {cure}; nothing is changed for you"
            yield view.fault(code, "warn", rows, message, look, 0.5, view.ask(rows))


def beside_marked(said: Sequence[Json], target: Sequence[Json]) -> list[tuple[str, Json]]:
    """Each object that networks told of a picture, one a place, with a verdict: see `_verdicts`."""
    said = _of_one_class(said)
    return [*zip(_verdicts(said, target), said, strict=True)]


def _told(view: View, row: int, one: Json) -> str:
    at = ", ".join(f"{side:.0f}" for side in one["box"])
    return f"'{one['class']}' at {at} of {view.where(row)} ({one['score']:.0%} sure)"


def _of_one_class(said: Sequence[Json]) -> list[Json]:
    """What was told, one object a place: the surest of those that lie over each other."""
    kept: list[Json] = []
    for one in sorted(said, key=lambda one: -one["score"]):
        box = np.array([one["box"]], float)
        if not kept or overlaps(box, np.array([other["box"] for other in kept], float)).max() < _RIGHT:
            kept.append(one)
    return kept


def _verdicts(said: Sequence[Json], target: Sequence[Json]) -> list[str]:
    """Of each object that was told, what people marked there: the "same", an "other" class, or it is "missing"; or "",
    where none of these is clear.

    A marked object that another one fits better is that one's: things that touch have boxes that overlap.
    """
    if not target or not said:
        return ["missing"] * len(said)
    boxes = np.array([row["box"] for row in target], float)
    is_region = np.array([bool(row.get("ignore")) for row in target])
    fits = overlaps(np.array([one["box"] for one in said], float), boxes, is_region)
    is_anothers = (fits < fits.max(axis=0)) & (fits.max(axis=0) >= _RIGHT) & ~is_region
    verdicts = []
    for one, fit, taken in zip(said, fits, is_anothers, strict=True):
        same = np.array([row["class"] == one["class"] or bool(row.get("ignore")) for row in target])
        if (fit[same] >= _RIGHT).any():
            verdicts.append("same")
        elif (fit >= _RIGHT).any():
            verdicts.append("other")
        else:
            verdicts.append("missing" if (taken | (fit < _APART)).all() else "")
    return verdicts


def gist(target: Json) -> str:
    """Which objects, wherever: what two copies of a picture should agree on, were they resized or cropped a little."""
    counts = Counter(one["class"] for one in target)
    return ", ".join(f"{n} {name}" for name, n in sorted(counts.items())) or "nothing"


def clash(one: Json, other: Json, is_one_file: bool) -> str | None:
    """How the objects of two copies of a picture contradict each other, in words. Where the copies are not the same
    bytes (frames of a film, say), one object more or less does not: only where less than half are of the same class.
    """
    first, second = (Counter(row["class"] for row in target) for target in (one, other))
    in_common, most = (first & second).total(), max(first.total(), second.total())
    if first == second or (not is_one_file and 2 * in_common >= most):
        return None
    return f"{gist(one)} in one, {gist(other)} in the other"
