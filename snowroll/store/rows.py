"""The store's own nouns, and how a noun becomes a row and comes back."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from snowroll.base.errors import StoreError
from snowroll.base.nouns import Json, canonical

T = TypeVar("T")
Row = dict[str, Any]
Move = tuple[str, str, Json]  # a pointer's name, where it goes, and the event that tells why
Status = Literal["new", "running", "done", "failed", "stopped"]

AS_JSON = {
    "target",
    "plan",
    "prediction",
    "truth",
    "contract",
    "parity",
    "state",
    "metric",
}  # columns kept as JSON text
AS_TRUTH = {"blind", "for_test"}


@dataclass(frozen=True, slots=True)
class Label:
    """One answer of one person. Never changed: a later one outweighs it, `undo_label` takes it back."""

    client_id: str  # made by the client before it sends: sent twice is stored once
    sample: str
    target: Json | None  # None: looked at, cannot tell
    by: str
    at: float  # UTC seconds by the client's clock, informational
    ms: float = 0.0  # how long the person looked
    blind: bool = False  # no suggestion was shown
    for_test: bool = False  # belongs to the locked test set


# why a sample is queued: the data check asks about it (a finding's code follows), or models will be judged on it
FOR_CHECK = "the data check doubts its label:"
FOR_TEST = "for the locked test set: drawn at random, answered without a suggestion"


@dataclass(frozen=True, slots=True)
class Queued:
    """A sample that waits for a person, and why it is worth their time."""

    sample: str
    why: str
    place: float  # smaller is asked first


@dataclass(frozen=True, slots=True)
class Run:
    """One training run as the catalog knows it; its folder holds the rest."""

    number: int
    kind: str
    folder: str  # "0007-train", under runs/
    version: str | None
    plan: Json | None
    status: Status
    metric: Json | None
    started: float
    ended: float | None


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run keeps its files: runs/0007-train."""

    number: int
    path: Path


@dataclass(frozen=True, slots=True)
class Roll:
    """One turn of the loop: the last stage that was finished, and what the next one needs to know."""

    number: int
    stage: str
    state: Json
    at: float


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an erasure took."""

    records: tuple[str, ...]  # all that held the same input
    runs: tuple[int, ...]  # that learned from it, or were judged by it
    pictures: int  # reports and contact sheets that may have shown it


def as_row(noun: Any) -> Row:
    """A noun's fields as column values. Raises StoreError for NaN and infinities, which SQLite would turn to NULL."""
    row: Row = {}
    for f in fields(noun):
        value = getattr(noun, f.name)
        if f.name in AS_JSON:
            value = None if value is None else as_json(value, f.name)
        elif f.name in AS_TRUTH:
            value = int(value)
        elif f.type in ("float", "float | None") and value is not None:
            value = float(value)  # 1 and 1.0 must seal alike
            if not math.isfinite(value):
                where, cure = type(noun).__name__, "only finite numbers are stored"
                raise StoreError(f"{f.name} is {value}", where=where, cure=cure)
        if isinstance(value, str):
            _refuse_undecodable(value, f.name)
        row[f.name] = value
    return row


def as_json(value: Json, name: str) -> str:
    """The canonical JSON text of a value. Raises StoreError if it is not plain JSON."""
    try:
        return canonical(value)
    except (ValueError, TypeError) as fault:
        raise StoreError(f"{name} cannot be stored: {fault}", cure="store finite numbers and plain JSON") from None


def _refuse_undecodable(value: str, name: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise StoreError(f"{name} {value!a} is not valid Unicode", cure="rename the file to a readable name") from None


def noun(kind: type[T], row: Mapping[Any, Any]) -> T:
    """The noun a row holds; columns it does not know are left out."""
    values = {}
    for f in fields(kind):  # type: ignore[arg-type]
        value = row[f.name]
        if f.name in AS_JSON and value is not None:
            value = json.loads(value)
        elif f.name in AS_TRUTH:
            value = bool(value)
        values[f.name] = value
    return kind(**values)


def seal(salt: str, value: Json) -> str:
    """A salted hash that proves a row unchanged. The salt lives in the row: once erased, nothing can be guessed."""
    return hashlib.sha256((salt + canonical(value)).encode("utf-8", "surrogateescape")).hexdigest()
