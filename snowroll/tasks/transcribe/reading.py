"""Folders of recordings: who said what, by manifests, by texts beside the recordings, or by folders called after words.

In falling order of trust. Nothing is opened by a path that a file names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from snowroll.base.listing import few
from snowroll.base.task import Found, Reading
from snowroll.evaluate.edits import plain
from snowroll.prepare.audio import kind_of_sound
from snowroll.prepare.class_folders import folder_levels
from snowroll.prepare.class_names import read_classes
from snowroll.prepare.layouts import with_declared, with_groups
from snowroll.prepare.manifest import Table, read_manifests
from snowroll.prepare.manifest_lines import ENDINGS
from snowroll.prepare.names import home_of
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import split_of_folders
from snowroll.tasks.transcribe.lists import Told, decoded, read_lists, speakers_of, splits_of

TEXT_COLUMNS = "text transcript transcription sentence normalizedtext utterance label word class target"
WORD_COLUMNS = "word label class keyword command target category text transcript transcription sentence"
_BESIDE = (".txt", ".lab")
_MICROPHONES = 4  # recordings of one text: a guess
_LONGEST = 1 << 20  # bytes of a text that is read beside a recording
_OF_CHAPTER = ".trans.txt"  # LibriSpeech: a line for each recording of the folder
FEW_WORDS = 64  # kinds of targets up to which they are classes: a guess
_HASHED = re.compile(r"(.+)_nohash_\d+$")  # Speech Commands: SPEAKER_nohash_NUMBER.wav in each word's folder
OFTEN = 5  # recordings of each kind on the average, from which on they are


def read_speech(folder: Folder, settings: PrepareSettings, columns: str) -> Reading | None:
    """The recordings with what is said in each; None where nothing says so. columns: names of a manifest's column."""
    entries = folder.entries()
    recordings = [entry.where for entry in entries if kind_of_sound(entry.where)]
    stems = {where.rpartition(".")[0] for where in recordings}
    strange = [e.where for e in entries if not e.where.lower().endswith(_BESIDE)]
    strange = [where for where in strange if kind_of_sound(where) or where.rpartition(".")[0] not in stems]
    if not recordings or 2 * len(recordings) < len(strange):
        return None
    table = read_manifests(folder, recordings, settings, columns, is_text=True)
    by_table = _by_manifest(folder, recordings, table)
    apart = None if by_table else _beside(folder, recordings) or read_lists(folder, recordings)
    declared = splits_of(recordings) if by_table or apart else {}
    told = by_table or apart or _by_folders(recordings, settings, table)
    if told is None:
        if not settings.labels:
            return None
        told = Told({}, layout="recordings without labels")
        told.evidence.append(f"labels to choose from: {few(settings.labels)}")
    found, skipped = [], {}
    for where in recordings:
        if told.layout == "recordings without labels":
            found.append(Found(where, None))
        elif where in told.texts:
            split = told.splits.get(where) or declared.get(where) or split_of_folders(where)
            found.append(Found(where, told.texts[where], told.groups.get(where), split))
        else:
            skipped.setdefault(where, "a recording of which nothing tells what is said")
    others = {e.where: "not a recording" for e in entries if not kind_of_sound(e.where) and e.where not in told.used}
    kinds = " and ".join(f"{n:,} {kind}" for kind, n in Counter(map(kind_of_sound, recordings)).most_common())
    speakers = sorted({one.group for one in found if one.group})
    evidence = [f"{kinds} recordings", *told.evidence]
    if speakers:
        evidence.append(f"{len(speakers):,} groups, speakers or what is named as one: no split takes one apart")
    whole = {**others, **folder.refused, **skipped, **told.skipped}
    reading = Reading(told.layout, tuple(evidence), tuple(found), whole)
    return with_groups(with_declared(reading, folder, settings) if apart else reading, settings.group)


def _by_manifest(folder: Folder, recordings: Sequence[str], table: Table) -> Told | None:
    rows = {where: row for where, row in table.rows.items() if row.label is not None and where not in table.skipped}
    if not rows or 2 * len(rows) < len(recordings):
        return None
    told = Told(layout="a manifest of recordings", evidence=list(table.evidence), skipped=dict(table.skipped))
    for where, row in rows.items():
        told.texts[where] = plain(str(row.label))
        if row.group:
            told.groups[where] = row.group
        if row.split:
            told.splits[where] = row.split
    told.used = {entry.where for entry in folder.entries() if entry.where.lower().endswith(ENDINGS)}
    return told


def _beside(folder: Folder, recordings: Sequence[str]) -> Told | None:
    """Texts in files: one for each recording under its name, or one for a folder of them."""
    entries = [entry for entry in folder.entries() if entry.size <= _LONGEST]
    chapters = [entry.where for entry in entries if entry.where.lower().endswith(_OF_CHAPTER)]
    stems = {where.rpartition(".")[0]: where for where in recordings}
    told = Told()
    if chapters:
        told.layout = "speaker and chapter folders with transcripts (LibriSpeech)"
        for where, raw in folder.stream(chapters):
            told.used.add(where)
            for name, text in _lines(raw):
                there = stems.get(home_of(where) + name)
                if there is None:
                    told.skipped[f"{where}: {name}"] = "a transcript without its recording"
                else:
                    told.texts[there] = text
                    told.groups[there] = _speaker(there)
        told.evidence.append(f"{len(chapters):,} files of transcripts, such as {min(chapters)}")
    else:
        told.layout = "recordings with texts beside them"
        texts = sorted(e.where for e in entries if e.where.lower().endswith(_BESIDE))
        pairs = _pairs(recordings, texts)
        if 2 * len(pairs) < len(recordings):
            return None
        told.used = set(pairs.values())
        read = _untimed({where: plain(decoded(raw)) for where, raw in folder.stream(sorted(told.used))})
        told.texts = {where: read[text] for where, text in pairs.items() if text in read}
        told.groups = speakers_of(list(told.texts))
        lone = [where for where in texts if where not in told.used]
        told.skipped.update(dict.fromkeys(lone, "a transcript without its recording"))
        told.evidence.append(f"{len(told.used):,} texts of the recordings' names, such as {min(told.used)}")
    return told if 2 * len(told.texts) >= len(recordings) else None


def _pairs(recordings: Sequence[str], texts: Sequence[str]) -> dict[str, str]:
    """Recording -> its text: of the same name beside it; else of the same name elsewhere, or of the name without what
    stands behind its last `_`: which microphone it was."""
    beside: dict[str, str] = {}
    for text in texts:  # a.normalized.txt before a.original.txt
        stem = text.rpartition(".")[0]
        beside.setdefault(stem, text)
        beside.setdefault(stem.rpartition(".")[0], text)
    pairs = {where: beside[stem] for where in recordings if (stem := where.rpartition(".")[0]) in beside}
    if 2 * len(pairs) >= len(recordings):
        return pairs
    names = Counter(map(_name, texts))
    alone = {_name(text): text for text in texts if names[_name(text)] == 1}
    of_one = {where: alone[_name(where)] for where in recordings if _name(where) in alone}
    if 2 * len(of_one) >= len(recordings):
        return of_one if len(set(of_one.values())) == len(of_one) else {}
    short = {where: re.sub(r"[_.-][^_.-]*$", "", _name(where)) for where in recordings}
    of_several = {where: alone[name] for where, name in short.items() if name in alone}
    # more recordings of each are a speaker's, and the texts are notes about speakers
    return of_several if len(of_several) <= _MICROPHONES * len(set(of_several.values())) else {}


def _name(where: str) -> str:
    return where.replace("!", "/").rpartition("/")[2].rpartition(".")[0].lower()


def _untimed(texts: dict[str, str]) -> dict[str, str]:
    """Without the first and the last sample that stand before the words, where all texts begin so: 0 46797 She had"""
    timed = [re.match(r"0 \d+ ", text) for text in texts.values()]
    return {where: text.split(" ", 2)[2] for where, text in texts.items()} if all(timed) else texts


def _lines(raw: bytes) -> Iterator[tuple[str, str]]:
    """(a recording's name, what is said in it)"""
    for line in decoded(raw).splitlines():
        name, _, text = line.strip().partition(" ")
        if name:
            yield name, plain(text)


def _speaker(where: str) -> str:
    """LibriSpeech: SPEAKER/CHAPTER/SPEAKER-CHAPTER-NUMBER.flac"""
    levels = folder_levels(where)
    return levels[-2] if len(levels) > 1 else where.rpartition("/")[2].partition("-")[0]


def _by_folders(recordings: Sequence[str], settings: PrepareSettings, table: Table) -> Told | None:
    """A folder called after each word, as in Speech Commands, and its lists of what is for testing and validation;
    '_background_noise_' and its like are no words."""
    folders = read_classes(recordings, settings, kind_of_sound)
    if folders is None:
        return None
    told = Told(layout=folders.layout, evidence=[*folders.evidence, *table.evidence], skipped=dict(folders.skipped))
    for one in folders.found:
        if one.target is not None and not (str(one.target).startswith("_") and str(one.target).endswith("_")):
            told.texts[one.where] = str(one.target)
            if speaker := _HASHED.match(_name(one.where)):
                told.groups[one.where] = speaker[1]
            row = table.rows.get(one.where)
            if split := (row.split if row else None) or one.split:
                told.splits[one.where] = split
        else:
            told.skipped[one.where] = f"lies in '{one.target}', which is no word" if one.target else "no word is told"
    return told if len(set(told.texts.values())) > 1 else None


def are_words(found: Sequence[Found]) -> bool:
    """Whether targets are a few words that come again and again, and not sentences."""
    targets = [str(one.target) for one in found if one.target is not None]
    kinds = set(targets)
    most = max((len(kind.split()) for kind in kinds), default=9)
    return 2 <= len(kinds) <= FEW_WORDS and OFTEN * len(kinds) <= len(targets) and most <= 3
