"""The same picture twice: byte for byte or near enough, within and across splits, with equal or other labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.nouns import Fault, Fix
from snowroll.prepare.likeness import Pairs, find_pairs, groups
from snowroll.prepare.view import View, count

_APART = 20  # groups that get a Fault of their own; the rest share one
_OFTEN = 4  # times that one picture lies there before it may be a placeholder
_ONE_TONE = 0.5  # share of a drawn picture in its commonest tone. A guess
_SAME_LEVELS = 20  # of 255, at most, anywhere in a thumbnail that was only saved again (16); a film's next frame: 22+
Group = list[int]
Clash = tuple[Group, str]  # rows whose targets contradict each other, and how


def pairs_of(view: View) -> Pairs:
    """Near-identical pairs among the readable pictures, as rows of the view. Exact copies are paired as well.

    Of what is no picture (its thumbnail is a drawing) none is paired by its looks.
    """
    rows = np.array(view.readable(), np.int64)
    # one picture for each content, so that a file copied a hundred times does not crowd out its neighbours
    _, first = np.unique([view.samples[row].content for row in rows], return_index=True)
    rows = rows[np.sort(first)] if len(rows) else rows
    contrast = np.array([seen.contrast if (seen := view.looks[row]) else 0.0 for row in rows])
    shown = np.array([not seen.drawn if (seen := view.looks[row]) else False for row in rows], bool)
    rows = rows[(contrast > 0.02) & shown] if len(rows) else rows  # blank ones are all alike, and that is another fault
    sides = np.array([min(seen.width, seen.height) if (seen := view.looks[row]) else 0 for row in rows])
    near = find_pairs(view.thumbnails(rows.tolist()), sides)
    return Pairs(rows[near.a], rows[near.b], near.detail, near.copy)


def exact_groups(view: View) -> list[Group]:
    """Rows that hold the same bytes, two or more. Unreadable files are told as that: two empty ones are no copies."""
    by_content: dict[str, Group] = {}
    for row, (sample, seen) in enumerate(zip(view.samples, view.looks, strict=True)):
        if seen is not None and seen.reason:
            continue
        by_content.setdefault(sample.content, []).append(row)
    return [rows for rows in by_content.values() if len(rows) > 1]


def copy_groups(view: View, pairs: Pairs) -> list[Group]:
    """Rows that show the same picture, exact and near copies together. A split must not cut through one."""
    return _joined(view, pairs, pairs.copy)


def scene_groups(view: View, pairs: Pairs) -> list[Group]:
    """Rows that show the same scene: copies, bursts, exposure series."""
    return _joined(view, pairs, np.ones(len(pairs.a), bool))


def duplicate_faults(view: View, pairs: Pairs) -> list[Fault]:
    copied = copy_groups(view, pairs)
    stock = [group for group in copied if _stands_in(view, group)]
    told = {row for group in stock for row in group}
    exact = [group for group in exact_groups(view) if told.isdisjoint(group)]
    near = [group for group in copied if told.isdisjoint(group) and not _is_one_content(view, group)]
    exact_clashes = [clash for group in exact if (clash := _clash(view, group)) is not None]
    near_clashes = _near_clashes(view, near, pairs)
    return [
        *_placeholders(view, stock),
        *_conflicts(view, exact_clashes, near_clashes),
        *_across(view, exact, near),
        *_within(view, _without(exact, exact_clashes), _without(near, near_clashes)),
    ]


def _joined(view: View, pairs: Pairs, chosen: np.ndarray) -> list[Group]:
    exact = [(group[0], other) for group in exact_groups(view) for other in group[1:]]
    a = np.concatenate([pairs.a[chosen], np.array([one for one, _ in exact], np.int64)])
    b = np.concatenate([pairs.b[chosen], np.array([other for _, other in exact], np.int64)])
    return groups(len(view), a, b)


def _is_one_content(view: View, group: Group) -> bool:
    return len({view.samples[row].content for row in group}) == 1


def _stands_in(view: View, group: Group) -> bool:
    """Whether one picture lies there so often, for so much, that it shows nothing: 'image not available'.

    A text may well be said often, and the frames of a film are much alike: each shows what its own mask says.
    """
    if len(group) < _OFTEN or (seen := view.looks[group[0]]) is None or seen.format == "text":
        return False
    if not _is_one_picture(view, group):
        return False
    labels = _labels(view, group)
    if view.clash is not None and labels:
        return (clash := _clash(view, group)) is not None and len(clash[0]) > 2
    _, counts = np.unique(seen.thumbnail.reshape(-1, 3) // 8, axis=0, return_counts=True)
    return bool(counts.max() >= _ONE_TONE * counts.sum()) or len(labels) > 2


def _is_one_picture(view: View, group: Group) -> bool:
    """Whether nothing moved between them, as it does in a film."""
    thumbnails = view.thumbnails(group).astype(np.int16)
    return not len(thumbnails) or int(np.abs(thumbnails - thumbnails[0]).max()) <= _SAME_LEVELS


def _placeholders(view: View, found: list[Group]) -> Iterator[Fault]:
    for group in found:
        labels = "" if view.clash is not None else f" ({', '.join(_labels(view, group)[:4])})"
        message = (
            f"one {view.kind} lies there {len(group):,} times{labels}, as a placeholder for what was missing: "
            f"{view.names(group)}"
        )
        cure = f"look at it, and get the {view.kind}s it stands for"
        yield view.fault("placeholder_picture", "warn", group, message, cure, 0.8, view.leave_out(group))


def _labels(view: View, group: Group) -> list[str]:
    return sorted({label for row in group if (label := view.labels[row]) is not None})


def _clash(view: View, group: Group, is_one_file: bool = True) -> Clash | None:
    """Those of a group whose targets contradict the first one's, and how."""
    told = [row for row in group if view.labels[row] is not None]
    if view.clash is None:
        return (group, " and ".join(labels)) if len(labels := _labels(view, told)) > 1 else None
    against = [(row, how) for row in told[1:] if (how := _contradiction(view, told[0], row, is_one_file))]
    return ([told[0], *(row for row, _ in against)], against[0][1]) if against else None


def _contradiction(view: View, one: int, other: int, is_one_file: bool) -> str | None:
    assert view.clash is not None
    try:
        return view.clash(view.samples[one].target, view.samples[other].target, is_one_file)
    except DataError:
        return None  # a mask that cannot be read is told as that


def _near_clashes(view: View, near: list[Group], pairs: Pairs) -> list[Clash]:
    """Within a group that hangs together link by link (a film) only what is a copy of one another is compared."""
    if view.clash is None:
        return [found for group in near if (found := _clash(view, group, False)) is not None]
    links = zip(pairs.a[pairs.copy].tolist(), pairs.b[pairs.copy].tolist(), strict=True)
    inside = {row for group in near for row in group}
    found = [_clash(view, [a, b], False) for a, b in links if a in inside]
    return [clash for clash in found if clash is not None]


def _without(groups: list[Group], clashes: list[Clash]) -> list[Group]:
    """Groups of which no row clashes."""
    told = {row for rows, _ in clashes for row in rows}
    return [group for group in groups if told.isdisjoint(group)]


def _conflicts(view: View, exact: list[Clash], near: list[Clash]) -> Iterator[Fault]:
    how = {tuple(rows): words for rows, words in (*exact, *near)}

    def identical(group: Group) -> str:
        return f"identical {view.file}s with different labels ({how[tuple(group)]}): {view.names(group)}"

    def alike(group: Group) -> str:
        return f"copies of one {view.kind} with different labels ({how[tuple(group)]}): {view.names(group)}"

    cure = "at least one label is wrong: correct it, or delete all but one of them"
    yield from _told(view, "conflicting_labels", [rows for rows, _ in exact], identical, cure, fix=view.ask)
    # a group whose clash is between identical files has been told already
    told = {row for rows, _ in exact for row in rows}
    clash = [rows for rows, _ in near if not told.issuperset(rows)]
    if view.clash is None:
        clash = [rows for rows in clash if len(_labels(view, [row for row in rows if row not in told] or rows)) > 1]
    yield from _told(view, "conflicting_labels_near", clash, alike, cure, 0.9, view.ask)


def _across(view: View, exact: list[Group], near: list[Group]) -> Iterator[Fault]:
    cure = "nothing needs doing for training, which leaves out its copy; delete one of them to make it last"

    def message(group: Group) -> str:
        named = ", ".join(f"{view.where(row)} ({view.splits[row]})" for row in group[:4])
        return f"the same {view.kind} in different splits: {named}{' ...' if len(group) > 4 else ''}"

    yield from _told(view, "copies_across_splits", _straddling(view, exact), message, cure)
    straddling = [group for group in _straddling(view, near) if not _told_already(view, group)]
    yield from _told(view, "near_copies_across_splits", straddling, message, cure, 0.9)


def _told_already(view: View, group: Group) -> bool:
    """Whether the identical files within the group account for every split it touches twice."""
    contents: dict[str, set[str | None]] = {}
    for row in group:
        contents.setdefault(view.samples[row].content, set()).add(view.splits[row])
    return all(len(splits) > 1 for splits in contents.values())


def _straddling(view: View, found: list[Group]) -> list[Group]:
    return [group for group in found if len({view.splits[row] for row in group} - {None}) > 1]


def _within(view: View, exact: list[Group], near: list[Group]) -> Iterator[Fault]:
    same = [group for group in exact if view.clash is not None or len(_labels(view, group)) < 2]
    if same:
        rows = [row for group in same for row in group]
        extra = len(rows) - len(same)
        message = (
            f"{count(len(same), 'group')} of identical {view.file}s, {extra:,} more than needed; "
            f"for instance {view.names(same[0])}"
        )
        cure = "delete all but one of each; until then each group stays within one split"
        yield view.fault("identical_files", "note", rows, message, cure, fix=view.leave_out(view.all_but_one(same)))
    alike = [group for group in near if len(_labels(view, group)) < 2 or (view.clash and _is_one_picture(view, group))]
    if alike:
        rows = [row for group in alike for row in group]
        how = " (re-encoded, resized, cropped or brightened)" if view.kind == "picture" else ""
        message = (
            f"{count(len(alike), 'group')} of {view.kind}s that are copies of one another{how}, "
            f"{len(rows):,} in all; for instance {view.names(alike[0])}"
        )
        cure = "delete all but one of each; until then each group stays within one split"
        yield view.fault("near_copies", "note", rows, message, cure, 0.9, view.leave_out(view.all_but_one(alike)))


def _told(
    view: View,
    code: str,
    found: list[Group],
    message: Callable[[Group], str],
    cure: str,
    confidence: float = 1.0,
    fix: Callable[[Group], Fix | None] = lambda rows: None,
) -> Iterator[Fault]:
    """One Fault a group while they are few; the rest in one, so that a thousand groups make no thousand lines."""
    for group in found[:_APART]:
        yield view.fault(code, "warn", group, message(group), cure, confidence, fix(group))
    rest = found[_APART:]
    if rest:
        rows = [row for group in rest for row in group]
        text = f"{count(len(rest), 'more group')} like these; for instance {message(rest[0])}"
        yield view.fault(code, "warn", rows, text, cure, confidence, fix(rows))
