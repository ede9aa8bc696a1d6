"""Lists of what is said in recordings, a line each, wherever they lie; whose a recording is by its folders. No torch.

    84-121-0 GO ON                        the recording's name, then the text: AISHELL, Kaldi's `text`, VoxForge
    <s> GO ON </s> (an251-fash-b)         CMU Sphinx
    ( arctic_a0001 "Go on." )             Festival

Of Kaldi's folders `wav.scp` says which file an utterance is, and `utt2spk` who speaks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snowroll.base.nouns import Split
from snowroll.evaluate.edits import plain
from snowroll.prepare.class_folders import folder_levels
from snowroll.prepare.names import home_of
from snowroll.prepare.read import Folder
from snowroll.prepare.shelf import Shelf
from snowroll.prepare.split_words import SPLITS, split_of_folders, split_of_name

_ENDINGS = (".txt", ".text", ".lst", ".trans", ".transcript", ".transcription", ".data", ".scp")
_LARGEST = 256 << 20  # bytes
_MOST = 200  # files that may be lists: more are texts of something else
_TRIED = 200  # lines that decide whether a file is a list
_KALDI = ("wav.scp", "utt2spk", "spk2utt")  # tell something else of utterances
_SPHINX = re.compile(r"(?:<s>)?\s*(?P<text>.*?)\s*(?:</s>)?\s*\((?P<name>[^()\s]+)\)")
_FESTIVAL = re.compile(r"\(\s*(?P<name>\S+)\s+\"(?P<text>.*)\"\s*\)")
_PLAIN = re.compile(r"(?P<name>\S+)\s+(?P<text>.*)")


@dataclass(slots=True)
class Told:
    """What is known of recordings, by where they lie."""

    texts: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    splits: dict[str, Split] = field(default_factory=dict)
    evidence: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)  # files that are no recordings, and were read
    layout: str = ""


def read_lists(folder: Folder, recordings: Sequence[str]) -> Told | None:
    """None where no lists tell of half of the recordings what is said."""
    could = [entry.where for entry in folder.entries() if entry.size <= _LARGEST and _may_be_list(entry.where)]
    if not 0 < len(could) <= _MOST:
        return None
    files = {where: decoded(raw).splitlines() for where, raw in folder.stream(could)}
    paths = _pairs_in(files, "wav.scp")
    speakers = _pairs_in(files, "utt2spk")
    shelf = Shelf(recordings)
    told = Told(layout="lists of recordings and what is said in them")
    for where, lines in sorted(files.items()):
        if where.rpartition("/")[2] in _KALDI:
            told.used.add(where)
            continue
        named = [one for line in lines if (one := _parsed(line)) is not None]
        cells = [paths.get((home_of(where), name), name) for name, _ in named]
        if 2 * shelf.share(where, cells[:: max(1, len(cells) // _TRIED)]) < 1 or not _says_something(named):
            continue
        find, before = shelf.finder(where, cells), len(told.texts)
        split = split_of_name(f"{where}.x") or split_of_folders(where)
        for (name, text), cell in zip(named, cells, strict=True):
            there, why = find(cell)
            if there is None:
                told.skipped[f"{where}: {name}"] = f"a transcript, but {why}"
                continue
            if told.texts.setdefault(there, text) != text:
                told.skipped[f"{where}: {name}"] = "another list tells another text of it"
                continue
            if split:
                told.splits.setdefault(there, split)
            if speaker := speakers.get((home_of(where), name)):
                told.groups.setdefault(there, speaker)
        told.used.add(where)
        told.evidence.append(f"{where}: what is said in {len(told.texts) - before:,} recordings")
    if 2 * len(told.texts) < len(recordings):
        return None
    told.groups = told.groups or speakers_of(list(told.texts))
    return told


def speakers_of(recordings: Sequence[str]) -> dict[str, str]:
    """The lowest folders that differ, where there are three or more and they are no splits: speakers, or sessions."""
    levels = {where: folder_levels(where) for where in recordings}
    for at in range(-1, -1 - min(map(len, levels.values()), default=0), -1):
        names = {folders[at] for folders in levels.values()}
        if len(names) > 1:
            are_few = 2 < len(names) <= len(recordings) // 2
            is_split = any(name.lower() in SPLITS for name in names)
            return {where: folders[at] for where, folders in levels.items()} if are_few and not is_split else {}
    return {}


def splits_of(recordings: Sequence[str]) -> dict[str, Split]:
    """By folders with a word for a split in their name, such as train-clean-100, where several splits are told."""
    found: dict[str, Split] = {}
    for where in recordings:
        for name in folder_levels(where):
            told: set[Split] = {SPLITS[word] for word in re.findall(r"[^\W\d_]+", name.lower()) if word in SPLITS}
            if len(told) == 1:
                found[where] = told.pop()
                break
    return found if len(set(found.values())) > 1 else {}


def decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _may_be_list(where: str) -> bool:
    name = where.replace("!", "/").rpartition("/")[2].lower()
    return "." not in name or name.endswith(_ENDINGS)


def _parsed(line: str) -> tuple[str, str] | None:
    """(a recording's name, what is said in it)."""
    line = line.strip()
    match = _FESTIVAL.fullmatch(line) or _SPHINX.fullmatch(line) or _PLAIN.fullmatch(line)
    return (match["name"], plain(match["text"])) if match else None


def _pairs_in(files: Mapping[str, Sequence[str]], called: str) -> dict[tuple[str, str], str]:
    """(folder, utterance) -> what Kaldi's file of this name says of it."""
    found: dict[tuple[str, str], str] = {}
    for where, lines in files.items():
        if where.rpartition("/")[2] == called:
            split = (line.split(None, 1) for line in lines)
            found |= {(home_of(where), cells[0]): cells[1].strip() for cells in split if len(cells) == 2}
    return found


def _says_something(named: Sequence[tuple[str, str]]) -> bool:
    """Whether most lines hold words, and not paths or one speaker's name."""
    texts = [text for _, text in named]
    worded = sum(bool(re.search(r"[^\W\d_]", text)) and "/" not in text for text in texts)
    return 2 * worded > len(texts) and (len(set(texts)) > 1 or len(texts) == 1)
