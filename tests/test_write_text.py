"""Writing: passages tile a text, codes and tokens round-trip, no model sees the future, memory changes no answer."""

from __future__ import annotations

from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Batch, Plan
from snowroll.deploy.steps import StepFile, export_step
from snowroll.design.char_rnn import CharRNN
from snowroll.design.gpt import GPT
from snowroll.design.runs import Runs
from snowroll.design.sampling import Taste, drawn_token, gone_on
from snowroll.design.writing import PAD, START, Writer, written
from snowroll.prepare.augment import CounterDraw
from snowroll.prepare.bytepairs import LETTERS as PRINTED
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.texts import BROKEN, marks, read_text
from snowroll.project import talking
from snowroll.tasks.write_text import task
from snowroll.tasks.write_text.deploying import Framed, step_of
from snowroll.tasks.write_text.going_on import MOST, generate, pieces
from snowroll.tasks.write_text.looking import look
from snowroll.tasks.write_text.model import build
from snowroll.tasks.write_text.options import WriteOptions
from snowroll.tasks.write_text.reading import FOLLOWS, in_splits, passages, read_texts
from snowroll.tasks.write_text.spelling import spelled_out
from snowroll.tasks.write_text.texts import codes_of, fault_of, text_of
from snowroll.train.foresight import no_foresight
from snowroll.train.trial import Trial
from snowroll.verbs.eval import _outside

LETTERS = "abc déf 雪球.\n"
SCHEMA = {"type": "text", "characters": "".join(sorted(set(LETTERS)))}
TINY = WriteOptions(width=16, depth=2, heads=2, context=8, length=24)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=300)


def models(dropout: float = 0.0) -> list[torch.nn.Module]:
    torch.manual_seed(0)
    made = [
        GPT(7, 16, 2, 2, 8, dropout),
        GPT(7, 16, 2, 2, 8, dropout, Runs(4, 7, 100, 16)),
        CharRNN(7, 16, 2, 8, "lstm"),
        CharRNN(7, 16, 2, 8, "gru"),
    ]
    for model in made:
        for p in model.parameters():
            if not p.detach().any():
                torch.nn.init.normal_(p, std=0.3)
    return [model.eval() for model in made]


# reading --------------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.text(max_size=600), st.integers(8, 200))
def test_passages_tile_a_text_and_cut_no_character(text: str, size: int) -> None:
    raw = text.encode("utf-8", "replace")
    found = list(passages(raw, 0, len(raw), size))
    assert all(a < b < c <= len(raw) for a, b, c in found)
    assert [b for _, b, _ in found[:-1]] == [a for a, _, _ in found[1:]]
    for a, b, c in found:
        raw[a:b].decode(), raw[b:c].decode()
        assert b - a <= max(size + 3, 2 * FOLLOWS + 3)
    if found:
        assert (found[0][0], found[-1][2]) == (0, len(raw))
    else:
        assert len(text.replace("\r\n", "\n")) < 2


@given(st.binary(max_size=400))
def test_passages_of_any_bytes_end(raw: bytes) -> None:
    assert all(0 <= a < b < c <= len(raw) for a, b, c in passages(raw, 0, len(raw), 32))


@given(st.binary(min_size=1, max_size=200), st.floats(0, 1), st.floats(0, 1))
def test_splits_are_stretches_in_order(raw: bytes, test: float, val: float) -> None:
    found = list(in_splits(raw, test, val))
    edges = [(start, stop) for _, start, stop in found]
    assert edges[0][0] == 0
    assert edges[-1][1] == len(raw)
    assert all(one[1] == other[0] for one, other in pairwise(edges))
    order = ["train", "val", "test"]
    assert [split for split, _, _ in found] == sorted((split for split, _, _ in found), key=order.index)


@given(texts)
def test_codes_round_trip(text: str) -> None:
    known = read_text(text.encode())
    for in_bytes in (False, True):
        assert text_of(codes_of(known, in_bytes), in_bytes) == known


@given(st.binary(max_size=200))
def test_foreign_bytes_are_text_or_end_in_words(raw: bytes) -> None:
    seen = look(raw)
    if seen.reason:
        with pytest.raises(DataError) as fault:
            read_text(raw)
        assert "\n" not in str(fault.value)
        assert seen.reason == fault.value.what
    else:
        assert read_text(raw)


def test_broken_utf8_is_told_with_its_place(tmp_path: Path) -> None:
    good = b"a line of a text\n" * 100
    (tmp_path / "t.txt").write_bytes(good + b"\xff" + good)
    (tmp_path / "wide.txt").write_bytes("two bytes each".encode("utf-16"))
    (tmp_path / "none.txt").write_bytes(b"")
    reading = read_texts(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert reading.skipped["t.txt line 101"] == BROKEN
    assert reading.skipped["none.txt"] == "an empty file"
    assert "UTF-16" in reading.skipped["wide.txt"]


def test_few_texts_are_split_by_place_and_many_by_text(tmp_path: Path) -> None:
    for number in range(24):
        (tmp_path / f"{number}.txt").write_text("the same words again and again\n" * 60)
    many = read_texts(Folder(tmp_path), PrepareSettings())
    assert many is not None
    assert all(found.split is None and found.group == found.where.partition("#")[0] for found in many.found)
    one = read_texts(Folder(tmp_path / "0.txt"), PrepareSettings())
    assert one is not None
    assert [found.split for found in one.found] == sorted(
        (found.split for found in one.found), key=["train", "val", "test"].index
    )
    assert {found.group for found in one.found} == {None}


def test_corpora_are_read_whatever_they_are_called(tmp_path: Path) -> None:
    """As WikiText, the Penn Treebank and enwik8 are called."""
    text = "the same words again and again\n" * 60
    for name in ("wiki.train.tokens", "wiki.valid.tokens", "ptb.test.txt", "enwik8"):
        (tmp_path / name).write_text(text)
    (tmp_path / "codes").write_bytes(bytes(range(256)) * 4)
    reading = read_texts(Folder(tmp_path), PrepareSettings(test=0.2, val=0.0))
    assert reading is not None
    splits = {(one.where.partition("#")[0], one.split) for one in reading.found}
    assert {("wiki.train.tokens", "train"), ("wiki.valid.tokens", "val"), ("ptb.test.txt", "test")} < splits
    assert {split for where, split in splits if where == "enwik8"} == {"train", "test"}
    assert "codes" in reading.skipped


def test_tables_of_numbers_are_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("  2.8858451e-001 -2.0294171e-002\n" * 90)
    (tmp_path / "features.txt").write_text("1 tBodyAcc-mean()-X\n" * 60)
    assert read_texts(Folder(tmp_path), PrepareSettings()) is None
    (tmp_path / "x.txt").write_text("".join(f"{n % 9}+{n % 7}={n % 9 + n % 7}\n" for n in range(600)))
    assert read_texts(Folder(tmp_path), PrepareSettings()) is not None


def test_pictures_with_a_note_are_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG" + bytes(5_000))
    (tmp_path / "notes.txt").write_text("taken in spring\n" * 20)
    assert read_texts(Folder(tmp_path), PrepareSettings()) is None


def test_near_copies_share_their_marks() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgh"), 6)) for _ in range(400)]
    one, other = " ".join(words[:80]), " ".join(words[200:280])
    changed = one.replace(words[7], "changed")
    assert (marks(one) == marks(changed)).mean() > 0.7
    assert (marks(one) == marks(other)).mean() < 0.3


def test_what_no_text_is_is_no_target() -> None:
    assert fault_of("and so on\n") is None
    assert fault_of({"follows": "x", "letters": "ab"}) is None
    for target in ("", 3, None, {"follows": "x"}, {"follows": 1, "letters": ""}, "a\0b", "\ud800", "x" * 200_000):
        assert fault_of(target)


# models ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", range(4))
def test_memory_changes_no_answer(which: int) -> None:
    """However the text is cut into steps, logits are those of one pass."""
    model = models()[which]
    tokens = torch.randint(0, 7, (2, 8), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole = model(tokens)
        for cuts in ([1] * 8, [3, 5], [8], [2, 1, 4, 1]):
            memory, told = model.begin(2), []  # type: ignore[operator]
            for part in tokens.split(cuts, dim=1):
                logits, memory = model.step(part, memory)  # type: ignore[operator]
                told.append(logits)
            torch.testing.assert_close(torch.cat(told, dim=1), whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("which", range(4))
def test_no_model_sees_the_future(which: int) -> None:
    """Through windows and tables, too: what comes later moves no earlier logits."""
    model = Writer(models()[which], list(range(97, 103)), 8).eval()
    codes = torch.randint(97, 103, (1, 21), generator=torch.Generator().manual_seed(2))
    codes[0, 0] = START
    with torch.inference_mode():
        whole = model(codes).logits
        for cut in (1, 7, 8, 9, 20):
            other = codes.clone()
            other[:, cut:] = 97 + (other[:, cut:] - 96) % 6
            torch.testing.assert_close(model(other).logits[:, :cut], whole[:, :cut])
            assert not torch.equal(model(other).logits[:, cut:], whole[:, cut:])


def test_runs_have_vectors_of_their_own() -> None:
    """What stands further back than the longest run changes nothing; what stands within it does."""
    runs = Runs(3, 7, 50_000, 8)
    for table in runs.tables:
        torch.nn.init.normal_(table.weight)
    tokens = torch.randint(0, 7, (1, 6), generator=torch.Generator().manual_seed(3))
    told = runs(tokens)
    for back in range(4):
        other = tokens.clone()
        other[0, 5 - back] = (other[0, 5 - back] + 1) % 7
        assert torch.equal(runs(other)[0, 5], told[0, 5]) == (back == 3)
    every = torch.cartesian_prod(*[torch.arange(8)] * 3)
    assert len(runs(every)[:, 2].unique(dim=0)) == 8**3, "two runs share a vector, though the table has room for all"


class Peeking(torch.nn.Module):
    """Tells what follows by looking at it."""

    def __init__(self, ahead: int) -> None:
        super().__init__()
        self.embed, self.ahead = torch.nn.Embedding(10, 4), ahead

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.embed(tokens).roll(-self.ahead, 1)


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_the_gate_finds_who_looks_ahead(ahead: int) -> None:
    tokens = torch.randint(0, 10, (4, 16), generator=torch.Generator().manual_seed(3))
    batch = Batch(tokens, tokens, torch.arange(4))
    trial = Trial(
        plan=Plan(None),
        make=lambda: Peeking(ahead),
        batches=lambda _: batch,
        plain=lambda _: batch,
        objective=lambda model, seen: model(seen.inputs).mean(dim=(1, 2)),
        truth=lambda ids: [],
        credit=lambda model, seen: 1.0,
        show=lambda seen, row: None,  # type: ignore[arg-type, return-value]
        in_order=True,
    )
    assert no_foresight(trial).holds == (ahead == 0)


def test_with_nothing_to_learn_from_every_passage_is_judged(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("so it goes on and on\n" * 3_000)
    reading = read_texts(Folder(tmp_path), PrepareSettings(workers=1, test=1.0, val=0.0))
    assert reading is not None
    assert {one.split for one in reading.found} == {"test"}
    assert len(reading.found) > 110


def test_an_outside_text_is_judged_whole(tmp_path: Path) -> None:
    """By the verb: the settings that a task is asked with."""
    asked = []

    class Folded(type(task)):  # type: ignore[misc]
        def recognise(self, folder: object, settings: PrepareSettings) -> None:
            asked.append((settings.test, settings.val))

    opened = SimpleNamespace(task=Folded(), as_learnt=lambda *_: SimpleNamespace(prepare=PrepareSettings()))
    trained = SimpleNamespace(schema={}, plan=SimpleNamespace(task=None))
    with pytest.raises(DataError, match="nothing here"):
        _outside(opened, trained, tmp_path, print)  # type: ignore[arg-type]
    assert asked == [(1.0, 0.0)]


def test_each_line_typed_is_answered_with_a_seed_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []

    def closing(model: object, line: str, schema: object, options: object, seed: int) -> list[str]:
        seeds.append(seed)
        return [line]

    trained = SimpleNamespace(model=None, schema={}, plan=SimpleNamespace(task=None, seed=5))
    monkeypatch.setattr(talking, "load_model", lambda *_: trained)
    told: list[str] = []
    opened = SimpleNamespace(task=SimpleNamespace(closing=closing))
    talking.talk(opened, 1, ["so\n", "it\n", "\n", "goes\n"], told.append)  # type: ignore[arg-type]
    assert seeds == [5, 6]


def test_what_follows_is_told_from_the_last_context() -> None:
    """Whether a text is padded or not, and wherever windows end in it."""
    model = Writer(models()[0], list(range(97, 103)), 8).eval()
    with torch.inference_mode():
        for count in range(1, 20):
            codes = torch.full((1, 24), PAD)
            codes[0, 0] = START
            codes[0, 1 : count + 1] = torch.randint(97, 103, (count,), generator=torch.Generator().manual_seed(count))
            known = codes[:, : count + 1]
            expected = model.tokens(model.ids(known)[:, -8:])[:, -1]
            torch.testing.assert_close(model(codes).last, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tokens", ["characters", "bytes", "pairs"])
def test_own_characters_are_counted(tokens: str) -> None:
    merges = ("a b", "ab c", f"{PRINTED[0xE9]} {PRINTED[0x9B]}") if tokens == "pairs" else ()
    options = WriteOptions(width=16, depth=1, heads=2, context=8, length=24, tokens=tokens, merges=merges)  # type: ignore[arg-type]
    model = build(options, task.completed_schema(SCHEMA, options)).eval()
    text = "abc déf 雪z"  # z is unknown
    raw = torch.from_numpy(next(iter(task.encode(text.encode(), options, 100).values())))[None].long()
    with torch.inference_mode():
        heard = model(raw)
    assert heard.characters.item() == len(text)
    assert heard.strange.item() == (tokens == "characters")
    outputs = task.postprocess(heard, options)
    assert outputs["tokens"].item() == {"characters": 10, "bytes": 13, "pairs": 10}[tokens]


def test_loss_starts_at_the_uniform_guess() -> None:
    for model in ("gpt", "lstm", "gru"):
        options = WriteOptions(width=16, depth=2, heads=2, context=8, length=24, model=model)  # type: ignore[arg-type]
        network = build(options, SCHEMA)
        codes = task.encode(LETTERS.encode(), options, 100)
        targets = spelled_out(["abc"], SCHEMA, {name: value[None] for name, value in codes.items()})
        columns = {name: torch.from_numpy(np.asarray(value)) for name, value in targets.items()}
        columns |= {name: torch.from_numpy(value)[None] for name, value in codes.items()}
        loss = task.loss(network, task.batch(columns, torch.arange(1)), options)
        assert float(loss.detach()[0]) == pytest.approx(task.loss_at_init(SCHEMA, options), abs=0.1)


@settings(max_examples=40)
@given(st.text("abc déf雪", min_size=1, max_size=40), st.text("abc ", min_size=1, max_size=12), st.integers(0, 5))
def test_crops_are_stretches_of_the_text_and_what_follows(text: str, after: str, seed: int) -> None:
    """Each code's target is the code after it; sooner or later every one of them is learnt."""
    codes = task.encode(text.encode(), TINY, 100)
    columns = {"codes": codes["codes"][None]}
    columns |= spelled_out([after], SCHEMA, columns)
    batch = task.batch({name: torch.from_numpy(value) for name, value in columns.items()}, torch.arange(1))
    whole = (text[-TINY.length :] + after)[: len(text[-TINY.length :]) + len(after)]
    crop = task.augment(batch, CounterDraw(seed, 0, batch.ids), TINY)
    inputs = crop.inputs[0].tolist()
    known = sorted(map(ord, SCHEMA["characters"]))
    follows = [known[token] for token in crop.targets.follows[0].tolist() if token >= 0]
    assert len(inputs) == TINY.context
    begin = "" if inputs[0] == START else chr(inputs[0])
    seen = begin + "".join(map(chr, follows))
    assert seen in whole
    assert len(follows) == min(TINY.context, len(whole))
    assert [c for c in inputs[1:] if c != PAD][: len(follows) - 1] == follows[: len(follows) - 1]


# writing --------------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12), st.integers(0, 99), st.integers(0, 4), st.floats(0.01, 1))
def test_draws_are_of_the_likeliest(logits: list[float], seed: int, top_k: int, top_p: float) -> None:
    values = np.array(logits)
    taste = Taste(0.7, top_k, top_p, seed)
    token = drawn_token(values, taste, 3)
    assert token == drawn_token(values, taste, 3)
    rank = int((values > values[token]).sum())
    assert not top_k or rank < top_k
    shares = np.exp(values / 0.7 - (values / 0.7).max())
    shares /= shares.sum()
    assert shares[values > values[token]].sum() < top_p + 1e-9
    assert drawn_token(values, Taste(0), 0) == int(values.argmax())


def test_draws_follow_their_shares() -> None:
    logits = np.log([0.5, 0.3, 0.2])
    drawn = np.bincount([drawn_token(logits, Taste(1.0, seed=1), place) for place in range(4_000)], minlength=3)
    assert np.abs(drawn / 4_000 - [0.5, 0.3, 0.2]).max() < 0.03


def test_taste_is_bounded() -> None:
    for wrong in ({"temperature": -1.0}, {"top_p": 1.5}, {"top_k": -1}, {"temperature": float("nan")}):
        with pytest.raises(UsageError):
            Taste(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("which", range(4))
def test_writing_is_repeatable_and_goes_beyond_its_context(which: int) -> None:
    model = models()[which]
    once, again = (list(islice(written(model, [7, 1, 2], Taste(seed=5), [3]), 40)) for _ in range(2))
    assert once == again
    assert 3 not in once
    assert set(once) <= set(range(7))
    assert once != list(islice(written(model, [7, 1, 2], Taste(seed=6), [3]), 40))


@pytest.mark.slow
@pytest.mark.parametrize("which", range(5))
def test_the_file_that_remembers_writes_what_the_network_writes(which: int, tmp_path: Path) -> None:
    model = [*models(), GPT(7, 16, 2, 2, 3).eval()][which]
    step = step_of(model)
    assert step is not None
    export_step(step, tmp_path / "step.onnx", {})
    file = StepFile((tmp_path / "step.onnx").read_bytes())
    for start in ([7], [7, 1, 2], [7, *range(7), 3, 4]):
        mine = list(islice(written(model, start, Taste(seed=5), [3]), 30))
        assert list(islice(gone_on(file, start, Taste(seed=5), [3]), 30)) == mine


def test_writing_within_its_context_is_that_of_whole_passes() -> None:
    model = models()[0]
    tokens = [7, 1]
    for place in range(6):
        with torch.inference_mode():
            logits = model(torch.tensor([tokens]))[0, -1].numpy()
        tokens.append(drawn_token(logits, Taste(seed=2), place))
    assert tokens[2:] == list(islice(written(model, [7, 1], Taste(seed=2)), 6))


def test_pieces_of_bytes_are_whole_characters() -> None:
    assert "".join(pieces([bytes([byte]) for byte in "é雪a".encode()])) == "é雪a"
    assert list(pieces([b"\xe9", b"a"])) == ["\ufffda"]
    assert list(pieces([b"\0"])) == ["\ufffd"]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"prompt": ""},
        {"prompt": 3},
        {"prompt": "a", "characters": 0},
        {"prompt": "a", "characters": MOST + 1},
        {"prompt": "a", "characters": True},
        {"prompt": "a", "seed": 1.5},
        {"prompt": "a", "top_p": 2},
        {"prompt": "a", "temperature": "hot"},
        {"prompt": "a", "top_k": 10**30},
        {"prompt": "a\0b"},
        {"prompt": "a", "lenght": 3},
    ],
)
def test_what_cannot_be_generated_is_told_at_the_door(asked: dict) -> None:
    with pytest.raises(DataError) as fault:
        generate(None, asked, SCHEMA, TINY)  # type: ignore[arg-type]
    assert "\n" not in str(fault.value)


@given(st.lists(st.integers(0, 0x10FFFF), min_size=1, max_size=60))
def test_the_exported_frame_is_the_packs(codes: list[int]) -> None:
    framed = Framed(24)(torch.tensor(codes, dtype=torch.int32))[0].tolist()
    tail = codes[-24:]
    assert framed == [START, *tail, *[PAD] * (24 - len(tail))]
