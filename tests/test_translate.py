"""Translation: byte pairs, files of sentences, BLEU and chrF, the search, faults of pairs."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Batch, Fault, Sample
from snowroll.design.translator import END, PAD, Search, Translator
from snowroll.evaluate.bleu import bleu, bleu_counts, chrf, chrf_counts
from snowroll.prepare.bytepairs import BytePairs, counted, learn_merges, neat
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.texts import unpacked
from snowroll.prepare.view import View
from snowroll.project.opened import stream_of
from snowroll.tasks.translate import task
from snowroll.tasks.translate.faults import pair_faults
from snowroll.tasks.translate.floor import floors, lexicon
from snowroll.tasks.translate.formats import MOST_RECORDS, pieces, records_of
from snowroll.tasks.translate.looking import look
from snowroll.tasks.translate.options import TranslateOptions
from snowroll.tasks.translate.reading import read_corpus
from snowroll.tasks.translate.sentences import read_sentence, text_of, tokens_of
from snowroll.tasks.translate.training import FEWEST, PARTS, entropy, loss

PAIRS = [
    (f"{name} sees {n} {en}.", f"{name} sieht {n} {de}.")
    for name in ("Anna", "Bert", "Cleo")
    for n in range(10, 20)
    for en, de in (("dogs", "Hunde"), ("cats", "Katzen"))
]
WORDS = st.text("abc .,-12&;'\"ÄŁ猫\n", max_size=40)
ANY = st.text(st.characters(codec="utf-8"), max_size=60)


def read(folder: Path, **settings: object) -> object:
    return read_corpus(Folder(folder), PrepareSettings(**settings))  # type: ignore[arg-type]


def write_lines(path: Path, lines: list[str]) -> None:
    raw = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(raw) if path.name.endswith(".gz") else raw)


# byte pairs ---------------------------------------------------------------------------------------------------------


@given(ANY, st.lists(ANY, max_size=4), st.integers(0, 40))
def test_any_text_comes_back_from_its_tokens(text: str, learnt: list[str], most: int) -> None:
    pairs = BytePairs(learn_merges(counted(learnt), most))
    assert pairs.text(pairs.tokens(text)) == text


@given(st.lists(st.text("abcd ", max_size=30), max_size=6), st.randoms())
def test_merges_do_not_hang_on_the_order(texts: list[str], random: object) -> None:
    other = list(texts)
    random.shuffle(other)  # type: ignore[attr-defined]
    assert learn_merges(counted(texts), 30) == learn_merges(counted(other), 30)


def test_merges_are_those_of_counting_anew() -> None:
    """Against the plain algorithm (Sennrich et al. 2016, fig. 1), which counts all pairs for every merge."""
    counts = counted(["low lower lowest newer wider new low low newest widest"] * 2)
    words = {word: [chr(byte) if byte != 32 else "Ġ" for byte in word.encode()] for word in counts}
    expected = []
    for _ in range(12):
        pairs: dict[tuple[str, str], int] = {}
        for word, parts in words.items():
            for pair in pairwise(parts):
                pairs[pair] = pairs.get(pair, 0) + counts[word]
        most = max(pairs.values())
        expected.append(most)
        found = learn_merges(counts, len(expected))
        one, other = found[-1].split()
        assert pairs[one, other] == most
        for parts in words.values():
            place = 0
            while place < len(parts) - 1:
                if (parts[place], parts[place + 1]) == (one, other):
                    parts[place : place + 2] = [one + other]
                place += 1


def test_broken_merges_are_refused() -> None:
    with pytest.raises(ValueError, match="parts that there are not"):
        BytePairs(["abc d"])


# figures ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6))
def test_bleu_and_chrf_are_those_of_sacrebleu(pairs: list[tuple[str, str]]) -> None:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    said, truth = [one for one, _ in pairs], [[other for _, other in pairs]]
    mine = bleu(np.sum([bleu_counts(*pair) for pair in pairs], axis=0))
    assert 100 * mine == pytest.approx(BLEU().corpus_score(said, truth).score, abs=1e-9)
    letters = float(chrf(np.sum([chrf_counts(*pair) for pair in pairs], axis=0)))
    assert 100 * letters == pytest.approx(CHRF().corpus_score(said, truth).score, abs=1e-9)


# the network --------------------------------------------------------------------------------------------------------


def network(beams: int, penalty: float = 0.6, longest: int = 9) -> Translator:
    torch.manual_seed(0)
    model = Translator(12, 16, 2, 2, 16, 0.0, Search(beams, longest, penalty)).eval()
    for name, p in model.named_parameters():
        torch.nn.init.normal_(p, std=0.5 if "embed" in name else 0.3)
    return model


SOURCES = torch.tensor([[3, 4, 5, END, PAD], [6, 7, END, PAD, PAD], [8, 2, 3, 9, END]])


@torch.no_grad()
def log_probability(model: Translator, source: torch.Tensor, answer: list[int]) -> float:
    shares = model.logits(model.taught(source, torch.tensor([[END, *answer[:-1]]]))).log_softmax(dim=2)
    return float(shares[0, torch.arange(len(answer)), answer].sum())


@torch.no_grad()
def test_greedy_search_is_step_by_step_the_likeliest_token() -> None:
    model = network(beams=1)
    said = model(SOURCES)
    for row in range(3):
        answer: list[int] = []
        while len(answer) < 9 and answer[-1:] != [END]:
            states = model.taught(SOURCES[row : row + 1], torch.tensor([[END, *answer]]))
            logits = model.logits(states)[0, -1]
            logits[PAD] = -torch.inf
            answer.append(int(logits.argmax()))
        assert said.tokens[row, : len(answer)].tolist() == answer
        assert not said.tokens[row, len(answer) :].any()


@torch.no_grad()
def test_what_the_search_says_of_its_answer_is_so() -> None:
    """The cache that is never moved gives the probabilities of one pass over the answer; padded or not."""
    model = network(beams=4)
    said = model(SOURCES)
    for row in range(3):
        answer = said.tokens[row, : int(said.length[row])].tolist()
        assert float(said.log_probability[row]) == pytest.approx(
            log_probability(model, SOURCES[row : row + 1], answer), abs=1e-4
        )
        alone = model(SOURCES[row : row + 1, : int((SOURCES[row] != PAD).sum())])
        assert alone.tokens[0].tolist() == said.tokens[row].tolist()


@torch.no_grad()
def test_a_beam_of_everything_finds_the_likeliest_answer() -> None:
    """Against all answers of up to three tokens of a vocabulary of five."""
    torch.manual_seed(1)
    model = Translator(5, 8, 1, 2, 16, 0.0, Search(125, 3, 0.0)).eval()
    for p in model.parameters():
        torch.nn.init.normal_(p, std=0.7)
    source = torch.tensor([[2, 3, END]])
    whole = [[END], *[[a, END] for a in (2, 3, 4)], *[[a, b, END] for a in (2, 3, 4) for b in (2, 3, 4)]]
    best = max(whole, key=lambda answer: log_probability(model, source, answer))
    said = model(source)
    assert said.tokens[0, : int(said.length[0])].tolist() == best


def test_smoothed_loss_of_a_perfect_model_is_nothing() -> None:
    shares = torch.full((7,), 0.1 / 7)
    shares[2] += 0.9
    lost = torch.nn.functional.cross_entropy(shares.log()[None], torch.tensor([2]), label_smoothing=0.1)
    assert float(lost) == pytest.approx(entropy(0.1, 7), abs=1e-6)


def test_padding_of_targets_costs_nothing() -> None:
    model, options = network(beams=1), TranslateOptions(longest=9)
    wanted = torch.tensor([[4, 5, END], [6, END, PAD], [7, 8, END]])
    wide = torch.nn.functional.pad(wanted, (0, 5))
    one, other = (loss(model, Batch(SOURCES, some, torch.arange(3)), options) for some in (wanted, wide))
    torch.testing.assert_close(one, other)
    alone = loss(model, Batch(SOURCES[1:2], wanted[1:2], torch.arange(1)), options)
    torch.testing.assert_close(alone, one[1:2])


def test_pairs_of_about_one_length_go_together_and_none_is_told_otherwise() -> None:
    """What a batch of many lengths costs each pair is what the pair costs alone, in the batch's order."""
    model, options = network(beams=1), TranslateOptions(longest=9)
    sizes = torch.randint(1, 8, (2 * PARTS * FEWEST, 2, 1), generator=torch.Generator().manual_seed(1))
    tokens = torch.where(torch.arange(9) < sizes, 3 + torch.arange(9), torch.where(torch.arange(9) == sizes, END, PAD))
    sources, wanted = tokens.unbind(dim=1)
    together = loss(model, Batch(sources, wanted, torch.arange(len(tokens))), options)
    alone = [
        loss(model, Batch(sources[i, None], wanted[i, None], torch.arange(1)), options) for i in range(len(tokens))
    ]
    torch.testing.assert_close(together, torch.cat(alone))


# files --------------------------------------------------------------------------------------------------------------


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


# faults, floors -----------------------------------------------------------------------------------------------------


def faults_of(pairs: list[tuple[str, str]], splits: list[str] | None = None) -> dict[str, Fault]:
    samples, looks = [], {}
    for number, (source, target) in enumerate(pairs):
        where = f"a.en///{number}"
        split = splits[number] if splits else "train"
        sample = Sample(where, where, source, "sentence", target, split=split)  # type: ignore[arg-type]
        samples.append(sample)
        looks[where] = look(source.encode())
    return {fault.code: fault for fault in pair_faults(View.of(samples, looks, {"type": "translation"}))}


def test_sound_pairs_have_no_fault() -> None:
    assert not faults_of(PAIRS)


@pytest.mark.parametrize(
    ("code", "pair"),
    [
        ("not_translated", ("Anna sees the dogs.", "anna sees the dogs")),
        (
            "lengths_apart",
            ("Anna sees 12 dogs.", "Anna sieht 12 Hunde und noch viele andere Tiere, die niemand kennt."),
        ),
        ("numbers_lost", ("Bert sees 12 dogs.", "Bert sieht 13 Hunde.")),
        ("rare_script_translation", ("Bert sees 12 dogs.", "Берт видит 12 собак.")),
        ("mixed_scripts_translation", ("Bert sees dogs.", "Bert sieht Ηунδε.")),
        ("control_characters", ("Bert sees dogs.", "Bert sieht \x07 Hunde.")),
    ],
)
def test_a_planted_fault_is_named_with_its_line(code: str, pair: tuple[str, str]) -> None:
    found = faults_of([*PAIRS, pair])
    assert found[code].paths == (f"a.en///{len(PAIRS)}",)


def test_exchanged_sides_and_copies_but_for_case_are_named() -> None:
    other = ("die Ziege und der Kauz mit Dingen", "the yak and the owl with things")
    english = [
        f"the {a} and the {b} with three things" for a in ("owl", "cow", "hen", "fox") for b in ("bee", "eel", "yak")
    ]
    german = [
        f"der {a} und die {b} mit drei Dingen"
        for a in ("Kauz", "Ochs", "Hahn", "Fuchs")
        for b in ("Biene", "Schlange", "Ziege")
    ]
    pairs = [*zip(english * 5, german * 5, strict=True)]
    assert faults_of([*pairs, other])["other_language_translation"].paths == (f"a.en///{len(pairs)}",)
    splits = ["train"] * len(PAIRS) + ["test"]
    found = faults_of([*PAIRS, ("ANNA sees 10 dogs", "Anna sieht 10 Hunde.")], splits)
    assert found["copies_but_for_case"].paths == ("a.en///0",)


def test_words_are_learnt_from_sentences() -> None:
    words = lexicon([one for one, _ in PAIRS], [other for _, other in PAIRS])
    assert (words["dogs"], words["cats"], words["sees"], words["Anna"]) == ("Hunde", "Katzen", "sieht", "Anna")
    found = floors(
        [one for one, _ in PAIRS[:50]],
        [other for _, other in PAIRS[:50]],
        ["Anna sees 11 cats."],
        ["Anna sieht 11 Katzen."],
    )
    assert max(found.values()) == pytest.approx(1.0)


def test_a_file_of_lines_is_many_sentences(tmp_path: Path) -> None:
    write_lines(tmp_path / "new.txt", ["One.", "", "Three."])
    folder = Folder(tmp_path / "new.txt")
    wheres = task.samples_in(folder, PrepareSettings())
    assert wheres == ["new.txt///1", "new.txt///3"]
    assert dict(stream_of(task, folder, wheres, 1)) == {wheres[0]: b"One.", wheres[1]: b"Three."}
    assert task.holds_samples("new.txt")
    assert not task.holds_samples("new.png")
