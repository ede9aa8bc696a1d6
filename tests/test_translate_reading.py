"""Parallel files, tables, memories and tests in XML: read as pairs, or refused in words."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pairs_kit import ANY, PAIRS

from snowroll.base.errors import DataError, UsageError
from snowroll.prepare.bytepairs import neat
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.texts import BROKEN, unpacked
from snowroll.project.opened import stream_of
from snowroll.tasks.translate import task
from snowroll.tasks.translate.formats import MOST_RECORDS, pieces, records_of
from snowroll.tasks.translate.looking import look
from snowroll.tasks.translate.options import TranslateOptions
from snowroll.tasks.translate.reading import read_corpus
from snowroll.tasks.translate.sentences import read_sentence, text_of, tokens_of


def read(folder: Path, **settings: object) -> object:
    return read_corpus(Folder(folder), PrepareSettings(**settings))  # type: ignore[arg-type]


def write_lines(path: Path, lines: list[str]) -> None:
    raw = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(raw) if path.name.endswith(".gz") else raw)


def test_a_broken_line_is_named_and_its_pair_left_out(tmp_path: Path) -> None:
    for name, side in (("a.en", 0), ("a.de", 1)):
        write_lines(tmp_path / name, [pair[side] for pair in PAIRS])
    lines = (tmp_path / "a.de").read_bytes().split(b"\n")
    (tmp_path / "a.de").write_bytes(b"\n".join([*lines[:29], b"Gr\xfc\xdfe", *lines[30:]]))
    reading = read(tmp_path, workers=1)
    assert len(reading.found) == len(PAIRS) - 1  # type: ignore[attr-defined]
    assert reading.skipped["a.de line 30"] == BROKEN  # type: ignore[attr-defined]


def test_a_language_in_another_encoding_is_refused_by_its_name(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.en", [one for one, _ in PAIRS])
    (tmp_path / "a.de").write_bytes("\n".join(f"Grüße: {other}" for _, other in PAIRS).encode("latin-1"))
    with pytest.raises(DataError, match=r"line 1: not UTF-8: byte 0xfc") as told:
        read(tmp_path, workers=1)
    assert told.value.where == "a.de"


def test_an_empty_line_is_answered_too(tmp_path: Path) -> None:
    write_lines(tmp_path / "new.txt", ["Anna sees dogs.", "", "Bert sees cats."])
    folder = Folder(tmp_path)
    wheres = task.samples_in(folder, PrepareSettings(workers=1))
    assert wheres == [f"new.txt///{number}" for number in (1, 2, 3)]
    raws = dict(stream_of(task, folder, wheres, 1))
    with pytest.raises(DataError, match="empty"):
        read_sentence(raws["new.txt///2"])


@pytest.mark.parametrize(
    "names", [("train.en", "train.de"), ("a.en.gz", "a.de.gz"), ("x_en.txt", "x_de.txt"), ("t.src", "t.tgt")]
)
def test_parallel_files_are_read(tmp_path: Path, names: tuple[str, str]) -> None:
    for name, side in zip(names, range(2), strict=True):
        write_lines(tmp_path / name, [pair[side] for pair in PAIRS])
    reading = read(tmp_path)
    assert reading is not None
    found = {one.where: one.target for one in reading.found}  # type: ignore[attr-defined]
    assert found[f"{names[0]}///3"] == PAIRS[2][1]
    assert len(found) == len(PAIRS)
    raw = pieces((tmp_path / names[0]).read_bytes(), ["3", "99", "x"])
    assert raw == {"3": PAIRS[2][0].encode()}


def test_folders_of_languages_and_splits_by_name(tmp_path: Path) -> None:
    for language, side in (("en", 0), ("de", 1)):
        (tmp_path / language).mkdir()
        for split, some in (("train", PAIRS[:40]), ("dev", PAIRS[40:50]), ("test", PAIRS[50:])):
            write_lines(tmp_path / language / f"{split}.txt", [pair[side] for pair in some])
    found = read(tmp_path).found  # type: ignore[attr-defined]
    assert {one.split for one in found} == {"train", "val", "test"}
    assert {one.where.split("/")[0] for one in found} == {"en"}


def test_talks_with_lines_about_them_and_test_sets_in_xml(tmp_path: Path) -> None:
    """As IWSLT has them: no line about a talk is a sentence."""
    said = {
        "en": ["the dog barks", "go &amp; see", "we sleep"],
        "de": ["der Hund bellt", "geh &amp; sieh", "wir ruhen"],
    }
    for language, lines in said.items():
        about = f"<url>http://x/{language}</url>\n<keywords>dogs, {language}</keywords>\n<transcript>\n"
        (tmp_path / f"train.tags.de-en.{language}").write_text(f"{about} {lines[0]} \n {lines[2]} \n</transcript>\n")
        segments = "".join(f'<seg id="{n}"> {line} </seg>\n' for n, line in enumerate(lines, 1))
        xml = f'<?xml version="1.0"?>\n<mteval>\n<doc docid="1">\n<title>Of dogs</title>\n{segments}</doc>\n</mteval>\n'
        (tmp_path / f"TED.dev2010.de-en.{language}.xml").write_text(xml)
        (tmp_path / f"other.{language}.xml").write_text('<?xml version="1.0"?>\n<a>\n<b>x</b>\n</a>\n')
    reading: Any = read(tmp_path, label_column="en")
    pairs = [(one.target, one.split) for one in reading.found]
    assert sorted(pairs) == [
        ("go & see", "val"), ("the dog barks", "train"), ("the dog barks", "val"), ("we sleep", "train"),
        ("we sleep", "val"),
    ]  # fmt: skip
    assert "neither a translation memory" in reading.skipped["other.de.xml"]


def test_of_three_languages_two_are_chosen_and_may_be(tmp_path: Path) -> None:
    for language in ("en", "de", "fr"):
        write_lines(tmp_path / f"a.{language}", [f"{language} {n}" for n in range(9)])
    assert read(tmp_path).schema["target"] == "de"  # type: ignore[attr-defined]
    chosen = read(tmp_path, path_column="fr", label_column="en")
    assert chosen.found[0].target == "en 0"  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="no language or column 'xx'"):
        read(tmp_path, label_column="xx")


def test_lines_that_do_not_correspond_are_refused_with_both_counts(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.en", ["one", "two", "three"])
    write_lines(tmp_path / "a.de", ["eins", "zwei"])
    with pytest.raises(DataError, match=r"a\.en.*3 lines, and a\.de has 2"):
        read(tmp_path)


def test_empty_lines_are_passed_over_by_name(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.en", ["one", "", "three", "four"])
    write_lines(tmp_path / "a.de", ["eins", "zwei", " ", "vier"])
    reading = read(tmp_path)
    assert [one.where for one in reading.found] == ["a.en///1", "a.en///4"]  # type: ignore[attr-defined]
    assert reading.skipped["a.en///2"] == "an empty sentence"  # type: ignore[attr-defined]
    assert reading.skipped["a.en///3"] == "its translation is empty"  # type: ignore[attr-defined]


def test_sentences_without_a_translation_wait_for_one(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.en", [one for one, _ in PAIRS])
    write_lines(tmp_path / "a.de", [other for _, other in PAIRS])
    write_lines(tmp_path / "new.en", ["A new one."])
    found = {one.where: one.target for one in read(tmp_path).found}  # type: ignore[attr-defined]
    assert found["new.en///1"] is None


def test_tables_json_lines_and_memories_are_read(tmp_path: Path) -> None:
    unit = '<tu><tuv xml:lang="EN"><seg>{}</seg></tuv><tuv xml:lang="de"><seg>{}</seg></tuv></tu>'
    files = {
        "a.tsv": "en\tde\n" + "".join(f"{en}\t{de}\n" for en, de in PAIRS),
        "a.jsonl": "".join(json.dumps({"translation": {"en": en, "de": de}}) + "\n" for en, de in PAIRS),
        "b.jsonl": "".join(json.dumps({"source": en, "target": de}) + "\n" for en, de in PAIRS),
        "a.tmx": f'<tmx version="1.4"><body>{"".join(unit.format(*pair) for pair in PAIRS)}</body></tmx>',
    }
    for name, text in files.items():
        home = tmp_path / name.replace(".", "_")
        home.mkdir()
        (home / name).write_text(text)
        reading = read(home)
        assert reading is not None, name
        assert [one.target for one in reading.found] == [other for _, other in PAIRS], name  # type: ignore[attr-defined]
        first = reading.found[0].where  # type: ignore[attr-defined]
        if "///" in first:
            raw = pieces((home / name).read_bytes(), [first.partition("///")[2]])
            assert next(iter(raw.values())).decode() == PAIRS[0][0]
        else:
            assert read_sentence(Folder(home).read(first), "en") == PAIRS[0][0]


@pytest.mark.parametrize(
    ("name", "mark", "header"),
    [
        ("deu.txt", "\t", None),
        ("pairs.tsv", "\t", None),
        ("pairs.csv", ",", "English sentences,German sentences"),
        ("pairs.csv", ",", "question,answer"),
    ],
)
def test_two_columns_of_sentences_are_pairs(name: str, mark: str, header: str | None, tmp_path: Path) -> None:
    origin = f"{mark}by nobody" if header is None else ""
    lines = [
        f"the {word} runs home.{mark}der {word} rennt heim.{origin}"
        for word in ["ant", "bat", "cow", "dog", "eel", "fox"]
    ]
    write_lines(tmp_path / name, [header, *lines] if header else lines)
    reading = read(tmp_path)
    assert [one.target for one in reading.found][:2] == ["der ant rennt heim.", "der bat rennt heim."]
    first = reading.found[0].where
    raw = dict(stream_of(task, Folder(tmp_path), [first], 1))[first]
    assert b"the ant runs home" in raw
    assert b"rennt" not in raw


def test_columns_that_hold_no_sentences_are_no_pairs(tmp_path: Path) -> None:
    write_lines(tmp_path / "spam.txt", [f"{'ham' if n % 2 else 'spam'}\tcall me on {n} now" for n in range(20)])
    write_lines(tmp_path / "notes.txt", ["a line of a text", "and one\twith a tab"])
    cases = [f"{n % 2},{n % 3 % 2},{n}" for n in range(20)]  # neither Icelandic, nor Norwegian, nor Indonesian
    write_lines(tmp_path / "cases.csv", ["is_married,no_show,id", *cases])
    assert read(tmp_path) is None


def test_a_folder_of_other_texts_is_none(tmp_path: Path) -> None:
    (tmp_path / "story.txt").write_text("Once upon a time.\n" * 100)
    (tmp_path / "rows.csv").write_text("age,income\n1,2\n3,4\n")
    assert read(tmp_path) is None


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"one\ntw\xff\n", "line 2: not UTF-8"),
        (b"", "empty"),
        (b"a\0b", "line 1: no text"),
        (b'{"a": 1}\n{"a"\n', "line 2: no JSON"),
        (b'<!DOCTYPE tmx [<!ENTITY a "aaaa">]><tmx>&a;</tmx>', "declares entities"),
        (b"<tmx><body><tu></body></tmx>", "line 1: broken XML"),
        (b"<tmx>" + b"<a>" * 100, "nested"),
        (gzip.compress(b"text " * 500)[:-20], "gzip"),
    ],
)
def test_hostile_files_end_in_words(raw: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told) as fault:
        records_of(raw)
    assert "\n" not in str(fault.value)


def test_what_unpacks_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("snowroll.prepare.texts.MOST_BYTES", 1 << 20)
    with pytest.raises(DataError, match="more than 1 MiB"):
        unpacked(gzip.compress(b"\0" * (1 << 26)))
    assert unpacked(gzip.compress(b"a") + gzip.compress(b"b")) == b"ab"
    assert MOST_RECORDS > 0


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    for way in (records_of, read_sentence):
        with suppress(DataError):
            way(raw)
    assert look(raw).bytes == len(raw)


@given(ANY)
def test_a_target_comes_back_from_its_tokens(text: str) -> None:
    if task.problem(text, {}) is None:
        assert text_of(np.array(tokens_of(text, ())), ()) == neat(text).strip()


def test_a_request_may_be_json() -> None:
    assert read_sentence(b'{"en": "Hi there", "id": "7"}', "en") == "Hi there"
    assert read_sentence(b"{well}", "en") == "{well}"
    with pytest.raises(DataError, match="none is called 'en'"):
        read_sentence(b'{"a": "x", "b": "y"}', "en")
    with pytest.raises(DataError, match="tokens, and 8 are the most"):
        task.encode(b"a sentence that is too long", TranslateOptions(length=8), 100)


def test_a_file_of_lines_is_many_sentences(tmp_path: Path) -> None:
    write_lines(tmp_path / "new.txt", ["One.", "", "Three."])
    folder = Folder(tmp_path / "new.txt")
    wheres = task.samples_in(folder, PrepareSettings())
    assert wheres == ["new.txt///1", "new.txt///2", "new.txt///3"]
    assert dict(stream_of(task, folder, wheres, 1)) == dict(zip(wheres, (b"One.", b"", b"Three."), strict=True))
    assert task.holds_samples("new.txt")
    assert not task.holds_samples("new.png")
