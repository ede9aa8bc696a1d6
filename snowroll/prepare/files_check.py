"""Faults of single files: unreadable, misnamed, made from others. Of what they show: pictures_check.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from snowroll.base.nouns import Fault
from snowroll.prepare import pictures
from snowroll.prepare.look import Look
from snowroll.prepare.view import View, count

_WORD_MORE = re.compile(r"(.+?)[-_. ]+([^\W\d_]{2,})")  # a name, and a word after it
_REASONS = 5  # why files cannot be read, that one line tells
_DERIVED = 5  # files with the same word more


def file_faults(view: View) -> list[Fault]:
    """Faults of each file as a file, one Fault a family."""
    return [*_unreadable(view), *_names(view), *_derived(view)]


def _unreadable(view: View) -> Iterator[Fault]:
    failed = [(row, seen) for row, seen in enumerate(view.looks) if seen is not None and seen.reason]
    looked_at = sum(seen is not None for seen in view.looks)
    families: dict[tuple[str, str], list[int]] = {}
    for row, seen in failed:
        family = (_why_unreadable(seen), seen.cure or "replace or delete these files")
        families.setdefault(family, []).append(row)
    said = {"empty_file": "without a single byte", "truncated_file": "cut off before the end"}
    for (code, cure), rows in families.items():
        told = f"{said[code]}: {view.names(rows)}" if code in said else f"cannot be read {_by_reason(view, rows)}"
        yield view.fault(
            code, "warn", rows, f"{count(len(rows), 'file')} {told}", f"{cure}; until then they are left out"
        )
    if len(failed) * 2 > looked_at:
        rows = [row for row, _ in failed]
        message = f"{len(rows):,} of {looked_at:,} files cannot be read as {view.kind}s"
        yield view.fault("mostly_unreadable", "block", rows, message, "check that this is the right folder")


def _by_reason(view: View, rows: Sequence[int]) -> str:
    """'(damaged): a.wav, b.wav; (no sound in it): c.wav', the commonest first; numbers make no other reason."""
    families: dict[str, list[int]] = {}
    for row in rows:
        seen = view.looks[row]
        families.setdefault(re.sub(r"\d[\d,.]*", "#", seen.reason if seen else ""), []).append(row)
    common = sorted(families.values(), key=lambda family: -len(family))
    told = [(view.looks[family[0]], family) for family in common[:_REASONS]]
    shown = "; ".join(f"({seen.reason}): {view.names(family)}" for seen, family in told if seen)
    return shown + (f"; and {len(common) - _REASONS:,} more reasons" if len(common) > _REASONS else "")


def _why_unreadable(seen: Look) -> str:
    if seen.bytes == 0:
        return "empty_file"
    if seen.too_large:
        return "oversized_picture"
    return "truncated_file" if seen.cut_off else "unreadable_file"


def _names(view: View) -> Iterator[Fault]:
    rows = []
    for row, seen in view.seen():
        promised = pictures.format_of_name(view.where(row))
        if promised and seen.format and promised != seen.format and "#" not in view.where(row):
            rows.append(row)
    if rows:
        first = view.looks[rows[0]]
        assert first is not None
        message = (
            f"{count(len(rows), 'file')} of another format than the name says: {view.where(rows[0])} is {first.format}"
        )
        cure = "rename them for other tools' sake; Snowroll goes by the content"
        yield view.fault("wrong_extension", "warn", rows, message, cure)


def _derived(view: View) -> Iterator[Fault]:
    """Files called as another one beside them and a word more: heat maps, thumbnails, mirrored versions of samples."""
    places = {}
    for row, sample in enumerate(view.samples):
        path = PurePosixPath(sample.where)
        places[path.parent, path.stem] = row
    by_word: dict[str, list[int]] = {}
    for (folder, stem), row in places.items():
        if (found := _WORD_MORE.fullmatch(stem)) and (folder, found[1]) in places:
            by_word.setdefault(found[2].lower(), []).append(row)
    for word, rows in by_word.items():
        if len(rows) >= _DERIVED and 2 * len(rows) <= len(view):
            message = (
                f"{count(len(rows), 'file')} called as another beside it and '{word}': {view.names(rows)}; "
                "what was made from a sample is no sample of its own"
            )
            cure = (
                "move them out of the folder; until then leave them out, or keep each beside its original in one split"
            )
            yield view.fault("derived_files", "warn", rows, message, cure, 0.8, view.leave_out(rows))
