"""Leaks between splits that are no copies: one patient, machine or scene on both sides, declared or guessed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from snowroll.base.nouns import Fault, Fix
from snowroll.prepare.duplicates import scene_groups
from snowroll.prepare.features import grey, shape, shrink
from snowroll.prepare.likeness import Pairs
from snowroll.prepare.view import View, count

_SHARE = 0.05  # of the samples alike to another: below it, chance finds say nothing of how the data were taken
_FEWEST = 60  # pictures, below which names tell nothing
_GROUPS = 10  # groups that a name part must make at least
_NAMED = 0.3  # share of the files that lie in groups of two or more
_ASKED = 400  # groups whose members are compared
_DRAWN = 8  # of the same class, of which the first of another group is the stranger
_NEARER = 0.7  # of them, in which two members are nearer than one and a stranger of the same class. A guess
_PAUSE = 5.0  # times the usual time between two samples, that parts one thing from the next
_PART = r"[^/_\-. ]+"  # a word of a file's name
_SEP = r"[_\-. ]"
# The word at some place from the end or the start of the name, or the whole path but for its last few words
_PATTERNS = (
    *(rf"/?({_PART})(?:{_SEP}{_PART}){{{k}}}\.\w+$" for k in (0, 1, 2, 3)),
    *(rf"(?:^|/)(?:{_PART}{_SEP}){{{k}}}({_PART})[^/]*$" for k in (0, 1, 2)),
    *(rf"^(.+?)(?:{_SEP}{_PART}){{{k}}}\.\w+$" for k in (1, 2, 3)),
    r"^(.+)/[^/]+$",
)
# The name but for its last few words: one speaker's, over the folders of all words
_SPEAKERS = tuple(rf"(?:^|/)([^/]+?)(?:{_SEP}{_PART}){{{k}}}\.\w+$" for k in (1, 2))
_FEWEST_SOUNDS = 20  # recordings, below which names tell no speakers
_FEWEST_SPEAKERS = 3


@dataclass(frozen=True, slots=True)
class Hint:
    """What names, or the clock, say of what belongs together: it looks more alike than others of its class."""

    pattern: str  # of the names; "" where times tell
    groups: list[list[int]]  # rows, two or more each
    of_speakers: bool = False  # names of recordings that come again under several labels


def hinted_groups(view: View) -> Hint | None:
    """The part of the names, or the pauses between shots, that tells most groups; None where they are declared or
    nothing tells any.
    """
    rows = view.readable()
    if any(view.samples[row].group is not None for row in rows):
        return None
    if speakers := _speakers(view, rows):
        return speakers
    if len(rows) < _FEWEST:
        return None
    looks = shape(shrink(grey(view.thumbnails(rows)), 8))
    labels = [view.labels[row] for row in rows]
    keys = {pattern: _keys(pattern, [view.where(row) for row in rows]) for pattern in _PATTERNS}
    keys[""] = _bursts([view.times[row] for row in rows])
    found = [(pattern, _alike_by(told, labels, looks)) for pattern, told in keys.items()]
    pattern, groups = max(found, key=lambda pair: len(pair[1]))
    return Hint(pattern, [[rows[k] for k in group] for group in groups]) if groups else None


def group_faults(view: View, pairs: Pairs, hint: Hint | None) -> list[Fault]:
    of_scenes = [] if hint is not None and hint.of_speakers else _undeclared(view, pairs)
    undeclared = [*of_scenes, *_hinted(view, hint)]
    return [*_straddling(view), *_spelt_twice(view), *sorted(undeclared, key=lambda fault: -len(fault.paths))[:1]]


def _straddling(view: View) -> Iterator[Fault]:
    splits: dict[str, set[str]] = {}
    for sample, split in zip(view.samples, view.splits, strict=True):
        if sample.group is not None and split is not None:
            splits.setdefault(sample.group, set()).add(split)
    torn = {group for group, found in splits.items() if len(found) > 1}
    if torn:
        rows = [row for row, sample in enumerate(view.samples) if sample.group in torn]
        named = ", ".join(sorted(torn)[:3]) + (" ..." if len(torn) > 3 else "")
        message = (
            f"{count(len(torn), 'group')} of {len(splits):,} in more than one split ({named}): "
            "the test then measures memory"
        )
        cure = "move each group into one split, or remove the declared splits so that Snowroll splits by group"
        learned = [row for row in rows if view.splits[row] == "train"]
        yield view.fault("group_across_splits", "warn", rows, message, cure, fix=view.leave_out(learned))


def _spelt_twice(view: View) -> Iterator[Fault]:
    """Groups whose names differ in case, blanks or leading zeros only, and that lie apart: 'P123' and 'p0123'."""
    names: dict[str, dict[str, list[int]]] = {}
    for row, sample in enumerate(view.samples):
        if sample.group is not None:
            plain = re.sub(r"(?<!\d)0+(?=\d)", "", "".join(sample.group.casefold().split()))
            names.setdefault(plain, {}).setdefault(sample.group, []).append(row)
    torn = {plain: found for plain, found in names.items() if len(found) > 1 and _lie_apart(view, found.values())}
    if torn:
        rows = [row for found in torn.values() for some in found.values() for row in some]
        one, other, *_ = next(iter(torn.values()))
        is_split = any(view.splits[row] is not None for row in rows)
        where = "lie in more than one split" if is_split else "would be split as if they were strangers"
        message = (
            f"{count(len(torn), 'group seems', 'groups seem')} to have two names, such as '{one}' and '{other}', whose "
            f"samples {where}: the test then measures memory"
        )
        yield view.fault("groups_alike", "warn", rows, message, "give each group one name, or leave it if they differ")


def _lie_apart(view: View, some: Iterable[list[int]]) -> bool:
    """Whether the rows are in several splits, or not in any yet."""
    splits = {view.splits[row] for rows in some for row in rows}
    return len(splits) > 1 or splits == {None}


def _undeclared(view: View, pairs: Pairs) -> Iterator[Fault]:
    """Scenes that recur under no declared group: random splits would put one on both sides, or the folder's have."""
    scenes = [scene for scene in scene_groups(view, pairs) if _says_something(view, scene)]
    rows = [row for scene in scenes for row in scene]
    if len(rows) < _SHARE * len(view):
        return
    what = "split at random, the test would be easier than the world"
    if any(view.splits):
        scenes = [scene for scene in scenes if len({view.splits[row] for row in scene} - {None}) > 1]
        rows = [row for scene in scenes for row in scene]
        what = "they lie in more than one split, so the test is easier than the world"
    if len(scenes) < 3:
        return
    message = (
        f"{len(rows):,} of {len(view):,} {view.kind}s show the same scene as another ({count(len(scenes), 'scene')}): "
        f"{what}; for instance {view.names(scenes[0])}"
    )
    pattern = suggest_pattern([sample.where for sample in view.samples], pairs.a, pairs.b, view.labels)
    if pattern:  # then scenes that look less alike are known, too
        named = _apart_by(view, pattern)
        rows = sorted({*rows, *(row for group in named for row in group)})
        message += f"; by the names {count(len(named), 'group')} of {len(rows):,} files"
        cure, fix = (
            f"--prepare.group '{pattern}' (the names suggest it)",
            Fix("set", setting="prepare.group", value=pattern),
        )
    else:
        cure = "say which belong together: --prepare.group PATTERN, or --prepare.scenes true for those found here"
        fix = Fix("set", setting="prepare.scenes", value=True)
    yield view.fault("undeclared_groups", "warn", rows, message, cure, 0.9 if pattern else 0.7, fix)


def _apart_by(view: View, pattern: str) -> list[list[int]]:
    """Rows of one key each, two or more, that lie in several splits, or in none yet."""
    found: dict[str, list[int]] = {}
    for row, sample in enumerate(view.samples):
        if match := re.search(pattern, sample.where):
            found.setdefault(match.group(1), []).append(row)
    return [group for group in found.values() if len(group) > 1 and _lie_apart(view, [group])]


def _hinted(view: View, hint: Hint | None) -> Iterator[Fault]:
    """Told where the groups are cut apart by the splits, or would be by random ones."""
    if hint is None:
        return
    torn = [group for group in hint.groups if len({view.splits[row] for row in group} - {None}) > 1]
    is_split = any(view.splits[row] is not None for row in view.readable())
    if is_split and not torn:
        return
    members = [row for group in (torn or hint.groups) for row in group]
    cut = f"{count(len(torn), 'of them is', 'of them are')} in more than one split" if torn else "none is declared"
    alike = "are called alike in several classes" if hint.of_speakers else "look alike beyond their class"
    message = (
        f"{'the names tell' if hint.pattern else 'by the clock there are'} {len(hint.groups):,} groups of files that "
        f"{alike}, and {cut}: the test then measures memory; for instance "
        f"{view.names(members[:3])}"
    )
    if hint.pattern:
        meant = "they are speakers" if hint.of_speakers else "the names mean that"
        cure = f"--prepare.group '{hint.pattern}', if {meant}"
        fix = Fix("set", setting="prepare.group", value=hint.pattern)
    else:
        cure, fix = "say in a manifest's column `group` which belong together: they were taken within seconds", None
    yield view.fault("undeclared_groups", "warn", members, message, cure, 0.8, fix)


def _speakers(view: View, rows: Sequence[int]) -> Hint | None:
    """Recordings of a few words whose names begin alike under several of them, as WORD/SPEAKER_NUMBER.wav."""
    if view.kind != "recording" or len(view.classes) < 2 or len(rows) < _FEWEST_SOUNDS:
        return None
    for pattern in _SPEAKERS:
        found: dict[str, list[int]] = {}
        for row, key in zip(rows, _keys(pattern, [view.where(row) for row in rows]), strict=True):
            if key is not None:
                found.setdefault(key, []).append(row)
        groups = [group for group in found.values() if len({view.labels[row] for row in group}) > 1]
        if len(groups) >= _FEWEST_SPEAKERS and 2 * sum(map(len, groups)) > len(rows) >= 2 * max(map(len, groups)):
            return Hint(pattern, groups, of_speakers=True)
    return None


def _keys(pattern: str, wheres: Sequence[str]) -> list[str | None]:
    return [match.group(1) if (match := re.search(pattern, where)) else None for where in wheres]


def _bursts(times: Sequence[float]) -> list[str | None]:
    """A key for each stretch of samples between pauses of five times the usual; none without times of their own.

    >>> _bursts([100, 103, 105, 400, 404, 0, 900])
    [None, None, None, None, None, None, None]
    >>> _bursts([100, 103, 105, 400, 404, 407, 900])
    ['0', '0', '0', '1', '1', '1', '2']
    """
    known = np.asarray(times, np.float64)
    if not len(known) or not known.all() or len(np.unique(known)) < 0.9 * len(known):
        return [None] * len(known)
    order = np.argsort(known, kind="stable")
    gaps = np.diff(known[order])
    burst = np.zeros(len(known), np.int64)
    burst[order[1:]] = np.cumsum(gaps > _PAUSE * np.median(gaps))
    return [str(one) for one in burst]


def _alike_by(keys: Sequence[str | None], labels: Sequence[str | None], looks: np.ndarray) -> list[list[int]]:
    """Rows with one key, two or more, where such rows look more alike than others of their label; else none."""
    by_key: dict[str, list[int]] = {}
    for row, key in enumerate(keys):
        if key is not None:
            by_key.setdefault(key, []).append(row)
    groups = [group for group in by_key.values() if len(group) > 1]
    inside = sum(map(len, groups))
    if len(groups) < _GROUPS or inside < _NAMED * len(keys) or max(map(len, groups)) > len(keys) / _GROUPS:
        return []
    rng = np.random.default_rng(0)
    of_label: dict[str | None, list[int]] = {}
    for row, label in enumerate(labels):
        of_label.setdefault(label, []).append(row)
    near, far = [], []
    for k in rng.permutation(len(groups))[:_ASKED]:
        one, other = rng.choice(groups[k], 2, replace=False)
        drawn = rng.choice(of_label[labels[one]], _DRAWN)
        strangers = [row for row in drawn if keys[row] != keys[one]]
        if labels[one] == labels[other] and strangers:
            near.append(float(np.linalg.norm(looks[one] - looks[other])))
            far.append(float(np.linalg.norm(looks[one] - looks[strangers[0]])))
    if len(near) < _GROUPS:
        return []
    nearer = np.mean(np.array(near) < np.array(far))
    return groups if nearer - 3 * (0.25 / len(near)) ** 0.5 > 0.5 and nearer > _NEARER else []


def _says_something(view: View, scene: list[int]) -> bool:
    """Not copies of one file, and not declared as one group already."""
    declared = {view.samples[row].group for row in scene}
    return len({view.samples[row].content for row in scene}) > 1 and (len(declared) > 1 or None in declared)


def suggest_pattern(
    wheres: list[str], a: np.ndarray, b: np.ndarray, labels: Sequence[str | None] | None = None
) -> str | None:
    """The pattern whose first group agrees within the alike pairs (a, b) and differs between others, if there is one.

    A pattern that only gives the label back (the class folder) is none.

    >>> wheres = [f"x/shot{k}_tile{k // 2}.png" for k in range(20)]
    >>> suggest_pattern(wheres, np.arange(0, 20, 2), np.arange(1, 20, 2))
    '/?([^/_\\\\-. ]+)(?:[_\\\\-. ][^/_\\\\-. ]+){0}\\\\.\\\\w+$'
    """
    best, best_gain = None, 0.5
    for pattern in _PATTERNS:
        keys = [found.group(1) if (found := re.search(pattern, where)) else None for where in wheres]
        if None in keys or len(set(keys)) in (1, len(keys)):
            continue
        if labels and len(set(zip(keys, labels, strict=True))) <= len(set(labels)):
            continue
        codes = np.unique(np.array(keys), return_inverse=True)[1]
        within = float(np.mean(codes[a] == codes[b]))
        sizes = np.bincount(codes)
        by_chance = float((sizes * (sizes - 1)).sum() / (len(codes) * (len(codes) - 1)))
        gain = within - 4 * by_chance  # a key that half the folder shares explains nothing
        if gain > best_gain:
            best, best_gain = pattern, gain
    return best
