"""Faults of the labels as such: unknown ones, too few, too uneven, one class only. Wrong ones: suspects.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from snowroll.base.errors import did_you_mean
from snowroll.base.nouns import Fault
from snowroll.prepare.view import View, count

_FEW = 10  # below it, validation and test together hold about three of a class: no statement can be made
_UNEVEN = 10  # the largest class over the smallest


def label_faults(view: View) -> list[Fault]:
    """Only for targets that are a choice among classes; other targets are their task's business."""
    if not view.classes:
        return []
    return [*_unknown(view), *_one_class(view), *_few(view), *_uneven(view)]


def _rows_by_label(view: View) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(view.labels):
        if label is not None:
            rows.setdefault(label, []).append(row)
    return rows


def _unknown(view: View) -> Iterator[Fault]:
    for label, rows in _rows_by_label(view).items():
        if label not in view.classes:
            message = (
                f"{count(len(rows), 'sample')} labelled '{label}', which is none of the {len(view.classes)} classes"
            )
            cure = did_you_mean(label, list(view.classes))
            yield view.fault("unknown_label", "block", rows, message, cure, fix=view.leave_out(rows))


def _one_class(view: View) -> Iterator[Fault]:
    present = _rows_by_label(view)
    if len(present) == 1:
        (label, rows), *_ = present.items()
        message = f"all {len(rows):,} labelled samples are of one class, '{label}': there is nothing to tell apart"
        yield view.fault(
            "one_class", "block", rows[:1], message, "add a folder of pictures of at least one other class"
        )


def _few(view: View) -> Iterator[Fault]:
    present = _rows_by_label(view)
    small = {label: len(present.get(label, ())) for label in view.classes if len(present.get(label, ())) < _FEW}
    if small and present:
        rows = [row for label in small for row in present.get(label, ())]
        named = ", ".join(f"{label} ({n})" for label, n in sorted(small.items(), key=lambda item: item[1]))
        message = f"{count(len(small), 'class has', 'classes have')} fewer than {_FEW} samples: {named}"
        yield view.fault("few_in_class", "warn", rows, message, f"collect or label at least {_FEW} of each")


def _uneven(view: View) -> Iterator[Fault]:
    counts = Counter(label for label in view.labels if label in view.classes)
    if len(counts) < 2:
        return
    (most, n_most), (least, n_least) = counts.most_common()[0], counts.most_common()[-1]
    if n_most > _UNEVEN * n_least:
        share = n_most / sum(counts.values())
        message = (
            f"'{most}' has {n_most:,} samples and '{least}' {n_least:,}, {n_most / n_least:.0f} times fewer: "
            f"always answering '{most}' is right {share:.0%} of the time"
        )
        cure = f"judge by balanced accuracy, and collect more of '{least}'"
        yield view.fault("class_imbalance", "warn", [], message, cure)
