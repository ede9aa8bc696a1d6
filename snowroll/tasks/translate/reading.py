"""Folders of sentences and their translations: parallel files, tables, JSON lines, translation memories."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snowroll.base.errors import DataError, UsageError, did_you_mean
from snowroll.base.nouns import Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.bytepairs import counted, learn_merges, neat
from snowroll.prepare.decode import limited
from snowroll.prepare.names import PIECE, is_table, row_of_table
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.split_words import split_of_folders, split_of_name
from snowroll.prepare.texts import BROKEN
from snowroll.tasks.translate.formats import Record, is_broken, records_of
from snowroll.tasks.translate.sentences import fault_of

# ISO 639-1, and what toolkits call the two sides
_CODES = frozenset(
    re.findall(
        "..",
        "afamarasazbebgbnbobrbscacocscydadeeleneoeseteufafifofrfygagdglguhahehihrhthuhyidigisitjajvkakkkmknkokukylalblolt"
        "lvmgmimkmlmnmrmsmtmynbnenlnnnonyorpaplpsptrmrorurwsdsiskslsmsnsosqsrstsusvswtatetgthtitktltrttugukuruzviwoxhyiyo"
        "zhzu",
    )
)
_NAMES = frozenset(
    re.findall(
        "[a-z]+",
        "arabic basque bengali bulgarian catalan chinese croatian czech danish dutch english esperanto estonian "
        "finnish french georgian german greek hebrew hindi hungarian icelandic indonesian irish italian japanese "
        "korean latin latvian lithuanian malay norwegian persian polish portuguese romanian russian serbian slovak "
        "slovenian spanish swahili swedish tamil thai turkish ukrainian urdu vietnamese welsh",
    )
)
_SIDES = ("source", "src", "target", "tgt", "trg")
_TEXTS = (".txt", ".text")
_NAMED = (".jsonl", ".ndjson", ".tmx")
LINES = 2  # the least that are a corpus
_FEW = 8  # texts of a folder that are looked at for tabs between two languages
_TRIED = 500  # cells of a column
# of a folder: as many tokens as a small table holds, or as few as its words bear out
MOST_MERGES, WORDS_EACH = 5_000, 100
LEARNT = 400_000  # sentences that byte pairs are learnt from, at most


@dataclass(frozen=True, slots=True)
class Side:
    """The sentences of one file in one language, by their places in it."""

    where: str
    language: str
    texts: Mapping[str, str]  # where of each sample -> its text


@dataclass(slots=True)
class Corpus:
    """Sentences side by side: key -> language -> file. A key is what the names of parallel files share."""

    sides: dict[str, dict[str, Side]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    broken: list[DataError] = field(default_factory=list)  # of files beside which their other language lies


def read_corpus(folder: Any, settings: PrepareSettings) -> Reading | None:
    """Pairs of sentences; None where the folder holds no text in two languages.

    Raises UsageError where a setting names a language that there is not, DataError where lines do not correspond.
    """
    corpus = _corpus(folder, settings)
    if not any(len(sides) > 1 for sides in corpus.sides.values()):
        if corpus.broken:
            raise corpus.broken[0]
        return None
    source, target, why = _languages(corpus, settings)
    found: list[Found] = []
    evidence: list[str] = []
    for key, sides in sorted(corpus.sides.items()):
        if source not in sides:
            continue
        asked, answered = sides[source], sides.get(target)
        split = _declared(key, asked.where)
        some, passed_over = _pairs(asked, answered, split)
        found += some
        corpus.skipped |= passed_over
        files = asked.where if answered is None or answered.where == asked.where else f"{asked.where}, {answered.where}"
        evidence.append(f"{files}: {len(some):,} {'sentences to be translated' if answered is None else 'pairs'}")
    used = {side.where for sides in corpus.sides.values() for side in sides.values()}
    rest = {entry.where: "no sentences in two languages" for entry in folder.entries() if entry.where not in used}
    pairs = [one for one in found if one.target is not None]
    if len(pairs) < LINES:
        return None
    is_declared = any(one.split == "train" for one in pairs)
    learnt = [one for one in pairs if one.split == "train" or not is_declared][:LEARNT]
    texts = {
        where: text for sides in corpus.sides.values() if source in sides for where, text in sides[source].texts.items()
    }
    merges = _merges([*(texts[one.where] for one in learnt), *(str(one.target) for one in learnt)])
    told = (f"from {source} to {target}: {why}", *evidence[:6])
    schema = {"source": source, "target": target, "merges": list(merges)}
    return Reading(f"sentences in {source} and {target}", told, tuple(found), {**rest, **corpus.skipped}, schema)


def sentences_in(folder: Any, settings: PrepareSettings) -> list[str]:
    """What of a folder is to be translated: its sources where it is a corpus, else every line of every text."""
    try:
        reading = read_corpus(folder, settings)
    except (UsageError, DataError):
        reading = None
    if reading is not None:
        return [one.where for one in reading.found]
    wheres: list[str] = []
    entries = [entry.where for entry in folder.entries()]
    texts = [where for where in entries if holds_lines(where)]
    for where, told in _records(folder, texts, settings):
        if isinstance(told, DataError):
            wheres.append(where)  # whoever encodes it says what is wrong with it
            continue
        for number, record in told:
            language = next((name for name in ("source", "src", "") if name in record), next(iter(record), ""))
            if language in record:  # an empty one is answered by what is wrong with it: each line has an answer
                wheres.append(f"{where}{PIECE}{language}/{number}" if language else f"{where}{PIECE}{number}")
    return wheres + [where for where in entries if where not in texts]


def holds_lines(name: str) -> bool:
    """Whether a file of this name holds sentences, one a line or a record.

    >>> holds_lines("new.txt"), holds_lines("test.en.gz"), holds_lines("a.png")
    (True, True, False)
    """
    plain = name.lower().removesuffix(".gz")
    return plain.endswith((*_TEXTS, *_NAMED)) or language_of(name) is not None


def language_of(where: str) -> tuple[str, str] | None:
    """(what the names of parallel files share, the language), as a file's name says it; None where it says none.

    >>> language_of("train.en.gz"), language_of("a/news_de.txt"), language_of("de/dev.txt"), language_of("notes.txt")
    (('train.', 'en'), ('a/news_', 'de'), ('/dev.txt', 'de'), None)
    """
    plain = re.sub(r"\.gz$", "", where, flags=re.I)
    stem = re.sub(r"\.(txt|text|xml)$", "", plain, flags=re.I)
    match = re.fullmatch(r"(.*?)([A-Za-z]{2,6}(?:[-_][A-Za-z]{2,4})?)", stem, re.S)
    while match:
        before, code = match[1], match[2]
        if is_language(code) and (not before or before[-1] in "._-/!"):
            return before, code.lower()
        match = re.fullmatch(r"(.*?[-_])([A-Za-z]{2,6})", stem, re.S) if ("-" in code or "_" in code) else None
    if stem == plain:
        return None
    *folders, name = plain.replace("!", "/").split("/")
    for place in range(len(folders) - 1, -1, -1):
        if is_language(folders[place]):
            return "/".join([*folders[:place], "", name]), folders[place].lower()
    return None


def is_language(code: str) -> bool:
    """
    >>> is_language("en"), is_language("pt-br"), is_language("English sentences"), is_language("price")
    (True, True, True, False)
    """
    first = re.split("[-_ ]", code.lower())[0]
    return first in _CODES | _NAMES or code.lower() in _SIDES


def _corpus(folder: Any, settings: PrepareSettings) -> Corpus:
    corpus = Corpus()
    named: dict[str, tuple[str, str]] = {}
    mixed: list[str] = []
    texts: list[str] = []
    for entry in folder.entries():
        plain = entry.where.lower().removesuffix(".gz")
        if plain.endswith(_NAMED):
            mixed.append(entry.where)
        elif is_table(entry.where) and "!" not in entry.where:
            _add_table(corpus, folder, entry.where, settings)
        elif told := language_of(entry.where):
            named[entry.where] = told
        elif plain.endswith(_TEXTS):
            texts.append(entry.where)
    keys = Counter(key for key, _ in named.values())
    if max(keys.values(), default=0) < 2 and not mixed and not corpus.sides:
        named = {}
        mixed = texts if len(texts) <= _FEW else []
    unread: dict[str, DataError] = {}
    for where, told in _records(folder, [*named, *mixed], settings):
        if isinstance(told, DataError):
            corpus.skipped[where] = told.what
            unread[where] = told
        elif where in texts:
            if _are_sentences([record.get("source", "") for _, record in told]) and _are_sentences(
                [record.get("target", "") for _, record in told]
            ):
                _add_records(corpus, where, told)
        elif where in named:
            key, language = named[where]
            lines = {f"{where}{PIECE}{number}": record[""] for number, record in told if "" in record}
            corpus.sides.setdefault(key, {})[language] = Side(where, language, lines)
        else:
            _add_records(corpus, where, told)
    for where, fault in unread.items():
        if where in named and named[where][0] in corpus.sides:
            corpus.broken.append(DataError(fault.what, where=where, cure=fault.cure))
    return corpus


def _records(
    folder: Any, wheres: Sequence[str], settings: PrepareSettings
) -> Iterator[tuple[str, list[tuple[int, Record]] | DataError]]:
    """Parsed in limited children."""
    return limited(records_of, folder.stream(wheres), settings.workers)


def _add_records(corpus: Corpus, where: str, records: Sequence[tuple[int, Record]]) -> None:
    languages = Counter(name for _, record in records for name in record if is_language(name))
    for language, _ in languages.most_common(8):
        texts = {f"{where}{PIECE}{language}/{number}": record.get(language, "") for number, record in records}
        corpus.sides.setdefault(where, {})[language] = Side(where, language, texts)


def _add_table(corpus: Corpus, folder: Any, where: str, settings: PrepareSettings) -> None:
    """The columns of a table that are called after languages, or as the settings say."""
    try:
        table = folder.table(where)
    except DataError:
        return
    asked = {settings.path_column, settings.label_column} - {""}
    columns = [name for name in table.header if is_language(name) or name in asked]
    is_bare = len(columns) < 2 and (len(table.header) == 2 or not table.has_header)
    columns = list(table.header[:2]) if is_bare else columns
    if len(columns) < 2 or not len(table):
        return
    places = {name: table.header.index(name) for name in columns}
    rows = list(table.rows())
    for name, place in places.items():
        if name not in asked and not _are_sentences([_cell(row[place]) for _, row in rows], is_named=not is_bare):
            return
    for name in columns:
        others = next(other for other in columns if other != name)
        # the row is read without its translation
        texts = {row_of_table(where, others, line): _cell(row[places[name]]) for line, row in rows}
        corpus.sides.setdefault(where, {})[name] = Side(where, name, texts)


def _are_sentences(cells: Sequence[str], is_named: bool = False) -> bool:
    """Several words each, and hardly one like another: no labels, and no numbers.

    is_named: after a language, where single words will do. `is_married` and `no` begin like Icelandic and Norwegian.
    """
    some = [cell for cell in cells[:: max(1, len(cells) // _TRIED)][:_TRIED] if cell.strip()]
    is_spoken = sum(len(re.findall(r"[^\W\d_]+", cell)) > (not is_named) for cell in some) > len(some) / 2
    return is_spoken and 2 * len(set(some)) > len(some)


def _cell(cell: object) -> str:
    return "" if cell is None else str(cell)


def _languages(corpus: Corpus, settings: PrepareSettings) -> tuple[str, str, str]:
    """(from, to, why)."""
    counts = Counter(language for sides in corpus.sides.values() if len(sides) > 1 for language in sides)
    known = list(counts)  # as they stand: of two columns the first is translated
    for name, setting in ((settings.path_column, "path_column"), (settings.label_column, "label_column")):
        if name and name not in counts:
            told = f"there is no language or column '{name}'"
            raise UsageError(told, where=f"prepare.{setting}", cure=did_you_mean(name, known))
    source, target = settings.path_column, settings.label_column
    if source and source == target:
        raise UsageError(
            f"'{source}' cannot be translated into itself",
            where="prepare.label_column",
            cure=f"use one of {', '.join(known)}",
        )
    often = sorted(known, key=lambda language: (-counts[language], known.index(language)))
    first = [side for side in _SIDES[:2] if side in counts] + ["en"] * ("en" in counts) + often
    last = [side for side in _SIDES[2:] if side in counts] + often
    source = source or next(language for language in first if language != target)
    target = target or next(language for language in last if language != source)
    if settings.label_column:
        return source, target, "as the settings say"
    others = [language for language in known if language not in (source, target)]
    if not others:
        return source, target, "the two there are"
    return (
        source,
        target,
        f"{', '.join(others)} are there too: choose with --prepare.path_column and --prepare.label_column",
    )


def _pairs(asked: Side, answered: Side | None, split: Split | None) -> tuple[list[Found], dict[str, str]]:
    if answered is not None and len(asked.texts) != len(answered.texts):
        told = (
            f"{len(asked.texts):,} lines, and {answered.where} has {len(answered.texts):,}: which sentences "
            "belong together is not known"
        )
        raise DataError(told, where=asked.where, cure="give both the same lines, or move them out of the folder")
    found, skipped = [], {}
    others: Iterable[str | None] = [None] * len(asked.texts) if answered is None else answered.texts.values()
    for (where, text), other in zip(asked.texts.items(), others, strict=True):
        if is_broken(text) or (other is not None and is_broken(other)):
            file = asked.where if answered is None or is_broken(text) else answered.where
            skipped[f"{file} line {where.rpartition(PIECE)[2].rpartition('/')[2]}"] = BROKEN
        elif not text.strip():
            skipped[where] = "an empty sentence"
        elif other is not None and not other.strip():
            skipped[where] = "its translation is empty"
        elif other is not None and (why := fault_of(other.strip())):
            skipped[where] = why
        else:
            found.append(Found(where, None if other is None else other.strip(), None, split))
    return found, skipped


def _declared(key: str, where: str) -> Split | None:
    return split_of_name(f"{key.rstrip('._-')}.x") or split_of_folders(where)


def _merges(texts: Sequence[str]) -> tuple[str, ...]:
    counts = counted(map(neat, texts))
    return learn_merges(counts, min(MOST_MERGES, max(200, sum(counts.values()) // WORDS_EACH)))
