"""The data checks: every fault of a folder, named with files, cause and cure, before any training.

    looks = {sample.id: look(raw), ...}           one streaming decode pass, in limited children
    view = View.of(samples, looks, schema)
    faults = check(view)

Nothing is ever changed or deleted: `left_out` says what a version leaves aside, and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowroll.base.nouns import Fault
from snowroll.prepare.duplicates import duplicate_faults, pairs_of, scene_groups
from snowroll.prepare.files_check import file_faults
from snowroll.prepare.groups_check import Hint, group_faults, hinted_groups
from snowroll.prepare.label_check import label_faults
from snowroll.prepare.likeness import Pairs
from snowroll.prepare.meanings import meaning_faults
from snowroll.prepare.pictures_check import picture_faults
from snowroll.prepare.probe import Glances
from snowroll.prepare.shortcuts import Columns, measures, shift_faults, shortcut_faults
from snowroll.prepare.suspects import suspect_faults
from snowroll.prepare.view import View

_ORDER = {"block": 0, "warn": 1, "note": 2}
_NEVER_USED = ("empty_file", "truncated_file", "unreadable_file", "oversized_picture")
LEAVES_TRAINING = ("copies_across_splits", "near_copies_across_splits")  # faults of training's own copies


@dataclass(frozen=True, slots=True)
class SplitFree:
    """What does not depend on how the samples were split, and most of what takes long to find."""

    pairs: Pairs
    hint: Hint | None
    seen: tuple[Fault, ...]  # of files and pictures
    told: tuple[Fault, ...]  # what tells labels that should not; wrong labels; classes that are another in one split
    measured: Columns


def split_free(view: View) -> SplitFree:
    """Every sample with those like it, and every label with what the others would say."""
    pairs, hint = pairs_of(view), hinted_groups(view)
    alike = [*scene_groups(view, pairs), *(hint.groups if hint else ())]
    glances = Glances(view)
    of_labels = (*meaning_faults(view, alike, glances), *suspect_faults(view, alike, glances))
    of_files = (*file_faults(view), *picture_faults(view))
    return SplitFree(pairs, hint, of_files, (*shortcut_faults(view), *of_labels), measures(view))


def check(view: View, known: SplitFree | None = None) -> list[Fault]:
    """All faults, gravest first. `known`: from `split_free`, on a view of the same samples in any splits."""
    known = known or split_free(view)
    faults = [
        *known.seen,
        *label_faults(view),
        *duplicate_faults(view, known.pairs),
        *group_faults(view, known.pairs, known.hint),
        *shift_faults(view, known.measured),
        *known.told,
    ]
    return gravest_first(faults)


def gravest_first(faults: Sequence[Fault]) -> list[Fault]:
    """What blocks, then what warns, then what is worth a note; otherwise in their order."""
    return sorted(faults, key=lambda fault: _ORDER[fault.severity])


def left_out(faults: Sequence[Fault], view: View) -> dict[str, str]:
    """Sample id -> code of the fault that keeps it out: unreadable files, and training's copies of val and test."""
    splits = {sample.id: split for sample, split in zip(view.samples, view.splits, strict=True)}
    out: dict[str, str] = {}
    for fault in faults:
        if fault.code in _NEVER_USED:
            out.update(dict.fromkeys(fault.samples, fault.code))
        elif fault.code in LEAVES_TRAINING:
            out.update({sample: fault.code for sample in fault.samples if splits[sample] == "train"})
    return out
