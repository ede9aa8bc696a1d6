"""Translation: byte pairs, BLEU and chrF, the search, faults of pairs."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pairs_kit import ANY, PAIRS

from snowroll.base.nouns import Batch, Fault, Sample
from snowroll.design.translator import END, PAD, Search, Translator
from snowroll.evaluate.bleu import bleu, bleu_counts, chrf, chrf_counts
from snowroll.prepare.bytepairs import BytePairs, counted, learn_merges
from snowroll.prepare.view import View
from snowroll.tasks.translate import task
from snowroll.tasks.translate.faults import pair_faults
from snowroll.tasks.translate.floor import floors, lexicon
from snowroll.tasks.translate.looking import look
from snowroll.tasks.translate.options import TranslateOptions
from snowroll.tasks.translate.training import FEWEST, PARTS, entropy, loss

WORDS = st.text("abc .,-12&;'\"ÄŁ猫\n", max_size=40)


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


@pytest.mark.parametrize(("by", "words"), [(1, "1 line further down"), (-1, "1 line further up")])
def test_shifted_lines_are_named_with_the_line_where_they_begin(by: int, words: str) -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(3, 25, 300)
    sources = [" ".join(rng.choice(["a", "cat", "dogs", "sleeping"], size)) for size in sizes]
    meant = [" ".join(rng.choice(["ein", "Kater", "Hunde", "schlafen"], size)) for size in sizes]
    moved = [*meant[:100], "zu viel", *meant[100:-1]] if by > 0 else [*meant[:100], *meant[101:], "fertig"]
    assert "lines_shifted" not in faults_of([*zip(sources, meant, strict=True)])
    found = faults_of([*zip(sources, moved, strict=True)])["lines_shifted"]
    assert words in found.message
    assert int(re.findall(r"about line (\d+)", found.message)[0]) == pytest.approx(100, abs=5)


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


def test_the_floor_names_both_ways() -> None:
    schema = {"merges": []}
    columns = {"source": task.encode_targets([one for one, _ in PAIRS], schema, {})["target"]}
    targets = task.encode_targets([other for _, other in PAIRS], schema, columns)
    rows = {"train": np.arange(50), "test": np.arange(50, len(PAIRS))}
    value, what = task.floor(columns, targets, rows, schema)
    assert 0 < value <= 1
    assert "word by word" in what
    assert "nearest sentence" in what


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
