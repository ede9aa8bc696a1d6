"""Folders of recordings: which files are one, what is a sample of them, and whose it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from snowroll.base.errors import DataError
from snowroll.base.listing import few
from snowroll.base.task import Found, Reading
from snowroll.prepare import edf, wfdb
from snowroll.prepare.bundles import unbundled
from snowroll.prepare.class_names import read_classes
from snowroll.prepare.decode import limited
from snowroll.prepare.disk import Entry
from snowroll.prepare.layouts import overlaid, with_groups
from snowroll.prepare.manifest import TWO_ROWS, read_manifests
from snowroll.prepare.manifest_lines import ENDINGS
from snowroll.prepare.names import BUNDLE, PIECE, bundle_of, home_of
from snowroll.prepare.read import Folder
from snowroll.prepare.series import kind_of_series, open_series
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.heartbeat.beats import AAMI, Record, class_of, is_wfdb
from snowroll.tasks.heartbeat.windows import read_windows, windows_in

_SERIES = (".csv", ".tsv", ".npy", ".npz", ".edf")
_ANNOTATORS = ("atr", "ecg", "ari", "man", "qrs", "st", "stf", "pwave", "ann")  # the first that is there is the truth
_TWO_OF_ONE = ("201", "202")  # records of one patient in the MIT-BIH Arrhythmia Database (its directory, 1997)
MOST_VALUES = 1e8
_NOTES = "an EDF+ of annotations alone, which are not read"


@dataclass(frozen=True, slots=True)
class Brief:
    """What a recording says of itself, as a decoding child tells it."""

    rate_hz: float
    length: int
    channels: int
    frames: tuple[int, ...] = ()  # of its beats
    symbols: tuple[str, ...] = ()
    is_excerpt: bool = False  # about one beat already
    notes: int = 0  # annotations of an EDF+, which are not read
    slower: tuple[str, ...] = ()  # channels that are brought to this rate, with their own


@dataclass(frozen=True, slots=True)
class Recordings:
    """The recordings of a folder by where they lie."""

    briefs: Mapping[str, Brief]
    skipped: Mapping[str, str]
    used: frozenset[str]  # files that are part of one


def find_recordings(folder: Folder, settings: PrepareSettings) -> Recordings:
    """WFDB records, and files of numbers over time. What is broken is skipped with the reason."""
    entries = folder.entries()
    records, skipped = _records(folder, entries)
    used = {file for where in records for file in _files_of(where)}
    plain = [entry.where for entry in entries if entry.where.lower().endswith(_SERIES) and entry.where not in used]
    briefs: dict[str, Brief] = {}
    for where, found in limited(brief, folder.stream([*records, *plain]), settings.workers):
        if isinstance(found, Brief):
            briefs[where] = found
        elif where in records or not where.lower().endswith(ENDINGS):  # other tables may be manifests
            skipped[where] = found.what
    return Recordings(dict(sorted(briefs.items())), skipped, frozenset(used | set(briefs)))


def brief(raw: bytes) -> Brief:
    """In a limited child. Raises DataError."""
    if not is_wfdb(raw):
        notes, is_nothing_else = edf.notes_of(raw) if edf.is_edf(raw) else (0, False)
        if is_nothing_else:
            raise DataError(_NOTES, cure="keep it beside its recording")
        series = open_series(raw, MOST_VALUES)
        length, channels = series.signal.shape
        frames = np.rint(series.beats_s * series.rate_hz).astype(int).tolist() if series.rate_hz else []
        is_excerpt = series.beat_s is not None
        named = series.symbols if len(series.symbols) == len(frames) else ("?",) * len(frames)
        beats = () if is_excerpt else tuple(frames)
        return Brief(series.rate_hz, length, channels, beats, named, is_excerpt, notes, series.slower)
    files = unbundled(raw)
    header = wfdb.read_header(files[0])
    record = Record(raw, MOST_VALUES)
    return Brief(
        record.rate_hz, record.length, len(header.channels), tuple(record.frames.tolist()), tuple(record.symbols)
    )


def _records(folder: Folder, entries: Sequence[Entry]) -> tuple[list[str], dict[str, str]]:
    """(records as bundles of their header, signals and annotations; headers that are none)."""
    heads = [entry.where for entry in entries if entry.where.lower().endswith(".hea")]
    there = {entry.where for entry in entries}
    found: list[str] = []
    skipped: dict[str, str] = {}
    for where, raw in folder.stream(heads):
        try:
            names = wfdb.read_header(raw).files
        except DataError as fault:
            skipped[where] = fault.what
            continue
        stem, home = where[: -len(".hea")], home_of(where)
        absent = [name for name in names if home + name not in there]
        strange = [name for name in names if not (home + name).startswith(stem) or home + name == stem]
        if absent or strange:
            skipped[where] = (
                f"{wfdb.ABSENT}: '{absent[0]}'"
                if absent
                else f"its signals lie in '{strange[0]}', which is not called after it"
            )
            continue
        notes = next((f".{ending}" for ending in _ANNOTATORS if f"{stem}.{ending}" in there), "")
        parts = [where[len(stem) :], *[(home + name)[len(stem) :] for name in names], *([notes] if notes else [])]
        found.append(stem + "".join(BUNDLE + part for part in parts))
    return sorted(found), skipped


def _files_of(where: str) -> tuple[str, ...]:
    bundle = bundle_of(where)
    return (where.partition(PIECE)[0],) if bundle is None else bundle.files


def name_of(where: str) -> str:
    """What people call a recording.

    >>> name_of("set.zip!mitdb/101//.hea//.dat//.atr"), name_of("a/7.csv")
    ('101', '7')
    """
    last = where.partition(BUNDLE)[0].replace("!", "/").rpartition("/")[2]
    return last.rpartition(".")[0] or last


def read_recordings(folder: Folder, settings: PrepareSettings) -> Reading | None:
    """Files of labelled windows; else recordings with a label each, by a manifest or by folders; else the annotated
    beats of records; else by hand."""
    if (reading := read_windows(folder, settings)) is not None:
        return with_groups(reading, settings.group)
    found = find_recordings(folder, settings)
    if not _worth(folder, found):
        return None
    wheres = list(found.briefs)
    lead = {_files_of(where)[0]: where for where in wheres}
    table = read_manifests(_Lists(folder, found.used), list(lead), settings)  # type: ignore[arg-type]
    table.rows = {lead[file]: row for file, row in table.rows.items()}
    table.skipped = {lead.get(file, file): why for file, why in table.skipped.items()}
    named = {where: row for where, row in table.rows.items() if row.label}
    folders = read_classes(wheres, settings, kind_of_series)
    annotated = {where: told for where, told in found.briefs.items() if told.frames}
    if named and len(named) * 2 >= len(wheres):
        rows = tuple(Found(where, row.label, row.group, row.split) for where, row in named.items())
        left = {_files_of(where)[0]: "not named in the manifest" for where in wheres if where not in named}
        reading = Reading("a manifest of recordings", (), rows, left)
    elif len(annotated) * 2 >= len(wheres):
        reading = _beats(annotated, settings)
        table.skipped = {where: why for where, why in table.skipped.items() if not why.startswith(TWO_ROWS)}
    elif folders is not None and len({one.target for one in folders.found}) > 1:
        told_of_notes = [f"{where}: {why}" for where, why in _of_notes(found).items()]
        reading = replace(folders, evidence=(*told_of_notes, *folders.evidence))
    elif settings.labels:
        told = f"{len(wheres):,} recordings without labels; labels to choose from: {few(settings.labels)}"
        reading = Reading("recordings without labels", (told,), tuple(Found(where, None) for where in wheres))
    else:
        for told in table.evidence:  # PTB-XL: what it says of recordings is no class
            where = told.partition(": ")[0]
            why = f"it names {len(table.rows):,} recordings, and no column of it offers itself as their class"
            folder.refused.setdefault(where, f"{why}: --prepare.label_column names one")
        folder.refused = {**_of_notes(found), **folder.refused}
        return None
    left = {entry.where: "not a recording" for entry in folder.entries() if entry.where not in found.used}
    listed = {file for file in left if file.lower().endswith(ENDINGS) and table.evidence}
    left = {where: why for where, why in left.items() if where not in listed}
    skipped = {**left, **folder.refused, **found.skipped, **table.skipped, **reading.skipped}
    evidence = (*reading.evidence, *table.evidence, *_of_rates(found.briefs))
    return with_groups(overlaid(replace(reading, evidence=evidence, skipped=skipped), table), settings.group)


def _of_notes(found: Recordings) -> dict[str, str]:
    """A file that holds annotations -> that these are not read, and what to do; nothing where none does."""
    alone = [where for where, why in found.skipped.items() if why == _NOTES]
    within = [where for where, told in found.briefs.items() if told.notes]
    if not alone and not within:
        return {}
    cure = "cut the recordings into windows, a file each, and name these in a list with their labels"
    n = len(alone or within)
    return {min(alone or within): f"annotations of EDF+ are not read, and {n:,} files here hold some: {cure}"}


def _worth(folder: Folder, found: Recordings) -> bool:
    """Whether the folder is one of recordings: an array or two beside a thousand pictures do not make it one."""
    if any(BUNDLE in where or where.lower().endswith(".edf") for where in found.briefs):
        return True
    return len(found.briefs) >= 2 and 2 * len(found.used) >= len(folder.entries())


@dataclass(frozen=True)
class _Lists:
    """A folder's tables that are no recordings themselves."""

    folder: Folder
    used: frozenset[str]

    def entries(self) -> list[Entry]:
        return [entry for entry in self.folder.entries() if entry.where not in self.used]

    def stream(self, wheres: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        return self.folder.stream(wheres)


def _beats(annotated: Mapping[str, Brief], settings: PrepareSettings) -> Reading:
    """A sample for each annotated beat, all of a record in one group."""
    found: list[Found] = []
    skipped: dict[str, str] = {}
    symbols: Counter[str] = Counter()
    others: Counter[str] = Counter()
    names = [name_of(where) for where in annotated]
    groups = _patients(annotated, names)
    for where, told in annotated.items():
        seen: set[int] = set()
        for frame, symbol in zip(told.frames, told.symbols, strict=True):
            piece = f"{where}{PIECE}{frame}"
            target = class_of(symbol, settings.labels, settings.ignore)
            if frame >= told.length or frame < 0:
                skipped[piece] = "annotated beyond the end of its record"
            elif frame in seen:
                skipped[piece] = "a second annotation at the same moment"
            elif target is None:
                others[symbol] += 1
            else:
                seen.add(frame)
                symbols[symbol] += 1
                found.append(Found(piece, target, groups[where]))
    own = bool(settings.labels) and not set(settings.labels) <= set(AAMI.values())
    by = "as annotated" if own else "in AAMI's classes (N, S, V, F, Q)"
    few = ", ".join(f"{symbol} {n:,}" for symbol, n in symbols.most_common(12))
    evidence = [
        f"{len(found):,} annotated beats in {len(annotated):,} records, {by}: {few}",
        f"each record is a group ({len(set(groups.values())):,}): no split takes a patient apart",
    ]
    if others:
        told_of = ", ".join(f"{symbol} {n:,}" for symbol, n in others.most_common(6))
        evidence.append(f"{others.total():,} beats of no class that is asked for are left out: {told_of}")
    if "201" in groups.values() and set(_TWO_OF_ONE) <= set(names) and len(names) >= 20:
        evidence.append("records 201 and 202 are one patient's (MIT-BIH Arrhythmia Database): one group")
    return Reading("annotated records", tuple(evidence), tuple(found), skipped)


def _patients(annotated: Mapping[str, Brief], names: Sequence[str]) -> dict[str, str]:
    """Record -> group: its own name, with its folder where two are called alike."""
    twice = {name for name, n in Counter(names).items() if n > 1}
    is_mitbih = set(_TWO_OF_ONE) <= set(names) and len(names) >= 20
    groups: dict[str, str] = {}
    for where, name in zip(annotated, names, strict=True):
        own = _files_of(where)[0].rpartition(".")[0] if name in twice else name
        groups[where] = _TWO_OF_ONE[0] if is_mitbih and name == _TWO_OF_ONE[1] else own
    return groups


def _of_rates(briefs: Mapping[str, Brief]) -> list[str]:
    rates = Counter(told.rate_hz for told in briefs.values())
    told = ", ".join(f"{rate:g} Hz {n:,}" if rate else f"not told {n:,}" for rate, n in rates.most_common(5))
    return [f"sampling rates: {told}" + (" (resampled to one)" if len(rates) > 1 else ""), *_of_slower(briefs)]


def _of_slower(briefs: Mapping[str, Brief]) -> list[str]:
    slower = Counter(name for told in briefs.values() for name in told.slower)
    if not slower:
        return []
    files = sum(bool(told.slower) for told in briefs.values())
    names = few([name for name, _ in slower.most_common()])
    return [f"slower channels are brought to the highest rate of their recording, in {files:,} recordings: {names}"]


def samples_in(folder: Folder, settings: PrepareSettings) -> list[str]:
    """What of a folder is to be answered: each beat of a WFDB record, annotated or found; each other recording whole.

    What is neither comes too, so that it is told what is wrong with it. Of files like those that windows were learnt
    from, each window.
    """
    if "windows" in settings.asked:
        return windows_in(folder, settings)
    records, _ = _records(folder, folder.entries())
    used = {file for where in records for file in _files_of(where)}
    beats: dict[str, list[int]] = defaultdict(list)
    for where, frames in limited(_frames, folder.stream(records), settings.workers):
        beats[where] = [] if isinstance(frames, DataError) else list(frames)
    pieces = [f"{where}{PIECE}{frame}" for where in records for frame in beats[where]]
    silent = [where for where in records if not beats[where]]
    return [*pieces, *silent, *(entry.where for entry in folder.entries() if entry.where not in used)]


def _frames(raw: bytes) -> Any:
    """In a limited child: where the beats of a record lie."""
    record = Record(raw, MOST_VALUES)
    if not len(record.frames):
        record.find_beats()
    return [int(frame) for frame in record.frames if 0 <= frame < record.length]
