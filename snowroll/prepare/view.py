"""What the data checks look at: the samples with their labels and splits, and what was seen of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from snowroll.base.nouns import Fault, Fix, Json, Sample, Severity, Split, canonical
from snowroll.prepare.features import TEXTURE
from snowroll.prepare.look import Look

_NAMED = 3  # files that a sentence names before it says how many more there are


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Columns over the same rows. `splits`: as the folder declares them, or as the version assigned them."""

    samples: tuple[Sample, ...]
    looks: tuple[Look | None, ...]  # None: not a picture, or not looked at
    splits: tuple[Split | None, ...]
    labels: tuple[str | None, ...]
    classes: tuple[str, ...] = ()  # empty where a target is not a choice among classes
    times: tuple[float, ...] = ()  # seconds since 1970: when it was taken, or when its file was written; 0: not known
    opinions: np.ndarray | None = None  # [n, C] by networks that never saw the row's label; a row they skipped is NaN
    schema: Mapping[str, Json] = field(default_factory=dict)
    options: Any = None  # the task's, as far as the user settled them; nothing is planned yet
    said: tuple[Json, ...] | None = None  # [n] predictions likewise, where a target is no choice; None: nothing said
    clash: Callable[[Json, Json, bool], str | None] | None = None  # the task's; None: targets that differ clash
    annotators: tuple[str | None, ...] = ()  # [n] who gave the label; empty where nothing is known

    @staticmethod
    def of(
        samples: Sequence[Sample],
        looks: Mapping[str, Look],
        schema: Mapping[str, Json] | None = None,
        splits: Mapping[str, Split] | None = None,
        opinions: np.ndarray | None = None,
        written: Mapping[str, float] | None = None,
        gist: Callable[[Json], str] | None = None,
        said: Sequence[Json] | None = None,
        options: Any = None,
        clash: Callable[[Json, Json, bool], str | None] | None = None,
        annotators: Mapping[str, str] | None = None,
    ) -> View:
        """`looks`, `splits` and `annotators` by sample id; `written` (seconds since 1970) by where samples lie.

        gist: a target in a spelling that copies of one picture share, were they resized; None: all of it.
        clash: how two targets contradict each other, in words, or None (base.parts.Parts.clash).
        """
        seen = [looks.get(sample.id) for sample in samples]
        taken = [look.taken_at if look else 0.0 for look in seen]
        known, schema, spell = written or {}, schema or {}, gist or label_of
        targets = [sample.target for sample in samples]
        return View(
            tuple(samples),
            tuple(seen),
            tuple(splits[sample.id] if splits and sample.id in splits else sample.split for sample in samples),
            tuple(None if target is None else spell(target) for target in targets),
            tuple(schema.get("classes", ())) if schema.get("type", "choice") == "choice" else (),
            tuple(at or known.get(sample.where, 0.0) for at, sample in zip(taken, samples, strict=True)),
            opinions,
            schema,
            options,
            None if said is None else tuple(said),
            clash,
            tuple(annotators.get(sample.id) for sample in samples) if annotators else (),
        )

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def kind(self) -> str:
        """What one sample is called: picture, scan, row, passage, ..."""
        kind = self.samples[0].kind if self.samples else "sample"
        return {"image": "picture", "sound": "recording"}.get(kind, kind)

    @property
    def file(self) -> str:
        """What of the folder a sample is: a file, or what lies within one."""
        return self.kind if any("#" in sample.where for sample in self.samples) else "file"

    def where(self, row: int) -> str:
        return self.samples[row].where

    def readable(self) -> list[int]:
        """Rows whose picture was decoded."""
        return [row for row, _ in self.seen()]

    def seen(self) -> list[tuple[int, Look]]:
        """The same, with what was seen."""
        return [(row, look) for row, look in enumerate(self.looks) if look is not None and not look.reason]

    def thumbnails(self, rows: Sequence[int]) -> np.ndarray:
        """[n, 32, 32, 3] uint8"""
        kept = [seen.thumbnail for row in rows if (seen := self.looks[row]) is not None]
        return np.stack(kept) if kept else np.zeros((0, 32, 32, 3), np.uint8)

    def textures(self, rows: Sequence[int]) -> np.ndarray:
        """[n, 177] uint8"""
        kept = [seen.texture for row in rows if (seen := self.looks[row]) is not None]
        return np.stack(kept) if kept else np.zeros((0, TEXTURE), np.uint8)

    def names(self, rows: Sequence[int]) -> str:
        """'a.jpg, b.jpg and 3 more'"""
        shown = ", ".join(self.where(row) for row in rows[:_NAMED])
        return shown if len(rows) <= _NAMED else f"{shown} and {len(rows) - _NAMED:,} more"

    def fault(
        self,
        code: str,
        severity: Severity,
        rows: Sequence[int],
        message: str,
        cure: str,
        confidence: float = 1.0,
        fix: Fix | None = None,
    ) -> Fault:
        paths = tuple(self.where(row) for row in rows)
        return Fault(code, severity, paths, message, cure, round(confidence, 3), self.ids(rows), fix)

    def ids(self, rows: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.samples[row].id for row in rows)

    def leave_out(self, rows: Sequence[int]) -> Fix:
        return Fix("leave out", self.ids(rows))

    def ask(self, rows: Sequence[int]) -> Fix:
        return Fix("ask", self.ids(rows))

    def all_but_one(self, groups: Sequence[Sequence[int]]) -> list[int]:
        """The rows to leave out so that one of each group stays: the one that is judged on, if there is one."""
        order = {"test": 0, "val": 1, "train": 2, None: 3}
        return [row for group in groups for row in sorted(group, key=lambda row: order[self.splits[row]])[1:]]


def label_of(target: Json | None) -> str | None:
    """One spelling for a target, so that targets of any task can be compared and counted."""
    return target if target is None or isinstance(target, str) else canonical(target)


def count(n: int, one: str, many: str = "") -> str:
    """
    >>> count(1, "file"), count(2_000, "file"), count(2, "copy", "copies")
    ('1 file', '2,000 files', '2 copies')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"
