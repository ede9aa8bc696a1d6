"""Texts and their classes: read as they lie, hashed alike wherever they stand, told exactly, checked."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from house_kit import MACHINE, snowroll

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Sample
from snowroll.base.task import Reading, find_task
from snowroll.design.ngrams import SHORTEST, Bag, Grams, Ordered
from snowroll.prepare.check import check
from snowroll.prepare.decode import limited
from snowroll.prepare.folded import codes_of, words_of, words_of_codes
from snowroll.prepare.pieces import stream_pieces
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.view import View
from snowroll.project.opened import open_project
from snowroll.tasks.classify_texts.faults import text_faults
from snowroll.tasks.classify_texts.floor import naive_bayes
from snowroll.tasks.classify_texts.looking import look
from snowroll.tasks.classify_texts.model import word_votes
from snowroll.tasks.classify_texts.texts import read_sample

TASK = find_task("classify_texts")
SAID = {"good": "we loved the soup on day", "bad": "they lost our parcel on day"}
ROWS = [(f"{SAID[label]} {number}, again", label) for number in range(12) for label in SAID]


# what is read ---------------------------------------------------------------------------------------------------------


def table(separator: str, header: str = "") -> str:
    return header + "".join(f'"{text}"{separator}{label}\n' for text, label in ROWS)


LAYOUTS: dict[str, Mapping[str, str | bytes]] = {
    "CSV": {"a.csv": table(",", "text,label\n")},
    "CSV without a header": {"a.csv": table(",")},
    "TSV": {"a.tsv": table("\t", "sentence\tclass\n")},
    "a byte order mark": {"a.csv": "\ufeff" + table(",", "text,label\n")},
    "quotes, and lines within them": {"a.csv": "text,label\n" + "".join(f'"{t}\n""so""",{c}\n' for t, c in ROWS)},
    "JSON lines": {"a.jsonl": "".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in ROWS)},
    "JSON lines, packed": {
        "a.json.gz": gzip.compress("".join(json.dumps({"text": t, "label": c}) + "\n" for t, c in ROWS).encode())
    },
    "a JSON list": {"a.json": json.dumps([{"id": n, "text": t, "intent": c} for n, (t, c) in enumerate(ROWS)])},
    "fastText": {"a.txt": "".join(f"__label__{c} {t}\n" for t, c in ROWS)},
    "a label, a tab": {"Collection": "".join(f"{c}\t{t}\n" for t, c in ROWS)},
    "a header over tabs": {"Collection": "Label\tText\n" + "".join(f"{c}\t{t}\n" for t, c in ROWS)},
    "a tab, a label": {"a_labelled.txt": "".join(f"{t}\t{c}\n" for t, c in ROWS)},
    "a file a class": {f"x.{c}": "".join(f"{t}\n" for t, label in ROWS if label == c) for c in ("good", "bad")},
    "folders": {f"{c}/{n}.txt": t for n, (t, c) in enumerate(ROWS)},
    "folders, names without endings": {f"{c}/{10_000 + n}": t for n, (t, c) in enumerate(ROWS)},
    "labels in words beside their numbers": {
        "a.csv": "text,label,label_text\n" + "".join(f'"{t}",{int(c == "good")},{c}\n' for t, c in ROWS)
    },
    "names in a file beside the numbers": {
        "a.csv": "".join(f'"{1 + (c == "good")}","{t}"\n' for t, c in ROWS),
        "classes.txt": "bad\ngood\n",
    },
    "columns without names at the end": {"a.csv": "v1,v2,,\n" + "".join(f'{c},"{t}",,\n' for t, c in ROWS)},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_reads_texts_as_they_lie(layout: str, tmp_path: Path) -> None:
    reading, texts = read(written(tmp_path, LAYOUTS[layout]))
    told = [(text.replace('\n"so"', ""), str(found.target)) for text, found in zip(texts, reading.found, strict=True)]
    assert sorted(told) == sorted(ROWS)


def test_splits_and_groups_are_those_that_are_told(tmp_path: Path) -> None:
    rows = "".join(f'"{t}",{c},{"test" if n % 3 else "train"},u{n % 4}\n' for n, (t, c) in enumerate(ROWS))
    reading, _ = read(written(tmp_path / "column", {"a.csv": "text,label,split,author\n" + rows}))
    assert {found.split for found in reading.found} == {"train", "test"}
    assert {found.group for found in reading.found} == {"u0", "u1", "u2", "u3"}
    files = {
        f"{name}.csv": "text,label\n" + "".join(f'"{t} {name}",{c}\n' for t, c in ROWS) for name in ("train", "test")
    }
    reading, _ = read(written(tmp_path / "files", files))
    assert all(found.where.startswith(f"{found.split}.csv") for found in reading.found)
    folders = {f"aclImdb/{s}/{c}/{n}_7.txt": f"{t} {s}" for n, (t, c) in enumerate(ROWS) for s in ("train", "test")}
    folders |= {f"aclImdb/train/unsup/{n}_0.txt": f"{t} unlabelled" for n, (t, _) in enumerate(ROWS)}
    reading, _ = read(written(tmp_path / "imdb", folders))
    assert {(f.split, f.target) for f in reading.found if f.target} == {
        (split, label) for split in ("train", "test") for label in ("bad", "good")
    }
    assert sum(found.target is None for found in reading.found) == len(ROWS)


def test_several_columns_of_text_are_one_text(tmp_path: Path) -> None:
    rows = "".join(f'{n % 2 + 1},"Title of number {n}","{t}, and so on"\n' for n, (t, _) in enumerate(ROWS))
    reading, texts = read(written(tmp_path, {"train.csv": rows}))
    assert texts[0].startswith("Title of number 0\nwe loved")
    assert len(reading.found) == len(ROWS)


@pytest.mark.parametrize("learnt", [["text"], ["text", "product"]])
def test_a_row_to_be_told_is_read_by_the_columns_that_were_learnt(learnt: list[str], tmp_path: Path) -> None:
    """Whatever a table of few rows looks like: in one of a single row nothing repeats, in another all products do."""
    files = {
        "one.csv": "text,product\nwe loved the soup,Acme Phone Pro\n",
        "two.csv": "text,product\nwe loved it all,Acme Phone Pro\nthey lost it again,Acme Phone Pro\n",
        "less.csv": "note,product\nwe loved the soup,Acme Phone Pro\n",
        "note.txt": "a whole file",
    }
    folder = Folder(written(tmp_path, files))
    told = TASK.samples_in(folder, PrepareSettings(workers=1, path_column="note", asked={"texts": learnt}))  # type: ignore[attr-defined]
    columns = "+".join(learnt)
    assert told == [f"one.csv#={columns}/2", f"two.csv#={columns}/2", f"two.csv#={columns}/3", "note.txt"]
    assert folder.refused == {"less.csv": "there is no column 'text'"}


@pytest.mark.slow
def test_a_project_reads_the_columns_that_it_learnt(tmp_path: Path) -> None:
    def rows(items: Sequence[str], first: int = 0) -> str:
        return "".join(f'"{t} {first}",{items[n % len(items)]},{c}\n' for n, (t, c) in enumerate(ROWS))

    project, header = tmp_path / "project", "text,item,label\n"
    few = ["Acme Phone Pro", "Acme Lamp Max", "Acme Pot Mini"]
    written(project / "data", {"a.csv": header + rows(few)})
    flags = (*MACHINE, "--train.steps", "30", "--prepare.test", "0.25", "--prepare.val", "0.25")
    assert snowroll("init", project, *flags).code == 0
    assert snowroll("train", project).code == 0
    written(tmp_path / "new", {"a.csv": "text,item\nwe loved the soup,Acme Phone Pro\n", "b.txt": "we loved the soup"})
    said = snowroll("predict", project, tmp_path / "new")
    one, other = sorted((json.loads(line) for line in said.out.splitlines()), key=lambda row: row["path"])
    assert "#=text/2" in one["path"]
    assert one["probability"] == other["probability"]
    earlier = sample_ids(project)
    many = [f"Acme Thing {n}" for n in range(len(ROWS))]
    written(
        project / "data",
        {"a.csv": header + rows(few), "b.csv": header + rows(many, 1), "c.csv": header + rows(many, 2)},
    )
    assert snowroll("check", project).code == 0
    assert earlier < sample_ids(project)


def sample_ids(project: Path) -> set[str]:
    opened = open_project(project, {})
    return set(opened.store.catalog.samples())


def test_columns_that_could_be_the_class_as_well_are_named(tmp_path: Path) -> None:
    rows = [f'{n},"{text}",{n % 2},{n % 3 % 2},{n % 5 % 2}' for n, (text, _) in enumerate(ROWS)]
    written(tmp_path, {"train.csv": "\n".join(["id,comment,toxic,obscene,insult", *rows])})
    told = " ".join(read(tmp_path)[0].evidence)
    assert "'insult': one of 3 columns of few values (toxic, obscene, insult), the last" in told


def test_western_bytes_are_read_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("".join(f"{c}\tthe café, {t}\n" for t, c in ROWS).encode("cp1252"))
    _, texts = read(tmp_path)
    assert all(text.startswith("the café, ") for text in texts)
    assert read_sample("café".encode("cp1252")) == ("café", "cp1252")
    assert look("café".encode("cp1252")).own["western"] == 1
    for raw in (b"", b"\0", b" \n", "hello".encode("utf-16"), b"\x81\x8d"):
        with pytest.raises(DataError):
            read_sample(raw)


def test_texts_without_labels_wait_for_them(tmp_path: Path) -> None:
    written(tmp_path, {"a.txt": "".join(f"{t}\n" for t, _ in ROWS)})
    reading, texts = read(tmp_path, labels=("good", "bad"))
    assert sorted(texts) == sorted(t for t, _ in ROWS)
    assert all(found.target is None for found in reading.found)


@pytest.mark.parametrize("settings", [{}, {"label_column": "label"}, {"labels": ("good", "bad")}])
def test_the_labelled_table_leads_however_many_rows_wait(settings: dict, tmp_path: Path) -> None:
    """Beside 24 labelled rows, 200 without the label; another column of few values is in both."""
    new = "".join(f'"a new text of the day number {n}",{"xyz"[n % 3]}\n' for n in range(200))
    files = {
        "train.csv": "text,shop,label\n" + "".join(f'"{t}",{"xyz"[n % 3]},{c}\n' for n, (t, c) in enumerate(ROWS)),
        "new.csv": "text,shop\n" + new,
        "sample_submission.csv": "id,label\n" + "".join(f"{n},good\n" for n in range(200)),
    }
    reading, _ = read(written(tmp_path, files), **settings)
    assert [one.target for one in reading.found if one.target] == [label for _, label in ROWS]
    assert sum(one.target is None for one in reading.found) == 200


def test_without_any_label_the_largest_table_of_texts_leads(tmp_path: Path) -> None:
    files = {
        "few.csv": "id,text\n1,a short one here\n2,and another one\n",
        "many.csv": "id,note\n" + "".join(f"{n},what was said at the time {n}\n" for n in range(30)),
    }
    reading, _ = read(written(tmp_path, files), labels=("good", "bad"))
    assert len(reading.found) == 30


def test_a_column_that_is_not_there_is_refused(tmp_path: Path) -> None:
    written(tmp_path, LAYOUTS["CSV"])
    with pytest.raises(UsageError, match="there is no column 'lable'; did you mean 'label'"):
        read(tmp_path, label_column="lable")


PASSENGERS = "id,name,age,fare,siblings,parents,class,survived\n" + "".join(
    f'{n},"Braund, Mr. Owen {n}",{20 + n % 50},{n * 1.7:.2f},{n % 5},{n % 3},{n % 3 + 1},{n % 2}\n' for n in range(60)
)
FOLDERS: dict[str, tuple[str, Mapping[str, str | bytes]]] = {
    "texts": ("classify_texts", LAYOUTS["CSV"]),
    "a name beside many numbers": ("tabular", {"titanic.csv": PASSENGERS}),
    "numbers alone": ("tabular", {"a.csv": "x,y,label\n" + "".join(f"{n},{n * 7 % 13},{n % 2}\n" for n in range(60))}),
    "series with a class before each, no texts": (
        "tabular",
        {"A_TRAIN.tsv": "".join(f"{n % 2 + 1}\t{n * 0.7 % 3:.4f}\t{n * 1.3 % 2:.4f}\n" for n in range(60))},
    ),
    "tables of numbers in .txt": (
        "forecast",
        {
            f"{part}/a.txt": "".join(f"{n % 24 / 24:.4f},{n * 2 % 24}\n" for n in range(200))
            for part in ("train", "test")
        },
    ),
    "sentences in two languages": (
        "translate",
        {"a.tsv": "".join(f"the dog number {n} barks\tder Hund Nummer {n} bellt\n" for n in range(40))},
    ),
    "a corpus": ("write_text", {"a.txt": "It was the best of times, it was the worst of times.\n" * 40}),
    "texts beside two numbers": (
        "classify_texts",
        {
            "a.csv": "stars,likes,text,label\n"
            + "".join(f'{n % 9},{n},"{t} {n}",{c}\n' for n, (t, c) in enumerate(ROWS))
        },
    ),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_init_knows_texts_from_what_looks_like_them(kind: str, tmp_path: Path) -> None:
    task, files = FOLDERS[kind]
    written(tmp_path / "data", files)
    assert snowroll("init", tmp_path / "p", "--data", tmp_path / "data", "--json").json["task"] == task


def test_pixels_in_a_cell_are_no_text_and_no_table(tmp_path: Path) -> None:
    """As faces come: emotion,pixels,Usage."""
    rows = (f"{n % 4},{' '.join(str(n * k % 251) for k in range(64))},{('Training', 'Test')[n % 2]}" for n in range(60))
    written(tmp_path / "data", {"faces.csv": "\n".join(["emotion,pixels,Usage", *rows])})
    ended = snowroll("init", tmp_path / "p", "--data", tmp_path / "data")
    assert ended.code == 1
    assert "cells that are rows of numbers each: write pictures out as files" in ended.err


# what is learnt -------------------------------------------------------------------------------------------------------


def test_words_are_folded_in_any_script() -> None:
    assert words_of("Ｔhe CAFÉ: 雪球!") == ["the", "café", ":", "雪", "球", "!"]
    for text in ("To be, or not to be", "雪球越滚越大", "كرة الثلج", "a" * 200):
        assert words_of_codes(np.pad(codes_of(text, 500), (0, 9))) == words_of(text)
    assert words_of_codes(codes_of("one two three", 9)) == ["one", "two"]  # no word is cut


def test_grams_are_all_runs_and_know_no_place() -> None:
    grams = Grams(2**16, 2, 5, 200)
    texts = ["the cat sat", "a big cat sat down", "雪球 x", "!"]
    found = [grams(as_codes(text)) for text in texts]
    for text, one in zip(texts, found, strict=True):
        words = words_of(text)
        runs = sum(max(0, len(word) + 2 - n + 1) for word in words for n in range(SHORTEST, 6))
        assert int(one.known.sum()) == 2 * len(words) - 1 + runs
        padded = grams(torch.nn.functional.pad(as_codes(text), (0, 30)))
        assert rows(padded) == rows(one)
    of_sat = rows(grams(as_codes("cat sat")))
    assert of_sat <= rows(found[0])
    assert of_sat <= rows(found[1])
    assert len(rows(found[0]) & rows(found[2])) == 0


def test_votes_of_a_bag_are_all_that_it_says() -> None:
    torch.manual_seed(0)
    for width in (0, 8):
        bag = Bag(Grams(2**12, 2, 5, 100), 3, width)
        torch.nn.init.normal_(bag.embed.weight)
        bag.begin(as_codes("a cat sat"), torch.tensor([0, 1, 1, 2]))
        codes = as_codes("the cat sat on the mat")
        found, votes = bag.votes(codes)
        torch.testing.assert_close((votes * found.known[..., None]).sum(dim=1) + bag.head.bias, bag(codes))
        apart = bag(codes)[0] - bag.head.bias
        told = word_votes(bag, codes, (0, 2))
        assert told.shape == (6,)
        torch.testing.assert_close(told.sum(), apart[0] - apart[2])


def test_an_encoder_knows_the_order_of_words_and_a_bag_of_single_words_does_not() -> None:
    torch.manual_seed(0)
    one, other = as_codes("dog bites man"), as_codes("man bites dog")
    ordered = Ordered(Grams(2**10, 1, 0, 50), 2, 16, 1, 2, 10, 0.0).eval()
    bag = Bag(Grams(2**10, 1, 0, 50), 2, 8)
    for block in ordered.readers:
        for weight in block.parameters():
            torch.nn.init.normal_(weight, std=0.3)
    torch.testing.assert_close(bag(one), bag(other))
    with torch.no_grad():
        assert float((ordered(one) - ordered(other)).abs().max()) > 1e-5
    assert word_votes(ordered, one, (0, 1)).shape == (3,)


def test_naive_bayes_is_scikit_learns() -> None:
    from sklearn.naive_bayes import MultinomialNB

    rng = np.random.default_rng(0)
    known = [[f"w{k}" for k in rng.integers(0, 30, 12)] for _ in range(40)]
    asked = [[f"w{k}" for k in rng.integers(0, 30, 5)] for _ in range(25)]
    classes = np.arange(40) % 3
    counts = [np.array([[text.count(f"w{k}") for k in range(30)] for text in texts]) for texts in (known, asked)]
    seen = counts[0].sum(axis=0) > 0
    theirs = MultinomialNB().fit(counts[0][:, seen], classes).predict(counts[1][:, seen])
    assert naive_bayes(known, classes, asked).tolist() == theirs.tolist()


# what is found --------------------------------------------------------------------------------------------------------


def test_faults_of_texts_are_named() -> None:
    texts = [(f"{SAID['good']} {n} {'x' * (n % 7)}", "good") for n in range(40)]
    texts += [
        (f"{SAID['bad']} {n} and we waited for it for so many weeks that nobody came at all", "bad") for n in range(40)
    ]
    texts += [("Please return the blue kettle to our shop in town before the end of May", "good")]
    texts += [("please return the blue kettle to our shop in town before the end of may!", "bad")]
    texts += [("the cafÃ© was lovely, wasnâ€™t it, my dear", "good"), ("ok", "good")]
    codes = {fault.code: fault for fault in text_faults(view_of(texts))}
    assert {"conflicting_labels_near", "broken_encoding", "one_word", "length_tells_label"} <= codes.keys()
    assert codes["conflicting_labels_near"].paths == ("80", "81")
    assert codes["broken_encoding"].paths == ("82",)


def test_good_texts_are_not_accused() -> None:
    rng = np.random.default_rng(0)
    words = [
        "red",
        "old",
        "new",
        "big",
        "wet",
        "dry",
        "hot",
        "raw",
        "york",
        "rome",
        "bonn",
        "oslo",
        "cat",
        "dog",
        "hen",
        "fox",
        "cow",
        "sun",
        "sea",
        "sky",
    ]
    texts = [(" ".join(rng.permutation(words)[:9]), ("good", "bad")[n % 2]) for n in range(80)]
    assert not list(text_faults(view_of(texts)))


def test_a_text_that_is_often_said_is_no_placeholder() -> None:
    found = {fault.code for fault in check(view_of([("ok then", "good")] * 6 + [("no, never again", "bad")] * 2))}
    assert "identical_files" in found
    assert "placeholder_picture" not in found


# through the house ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_tells_the_words_that_it_goes_by(tmp_path: Path) -> None:
    written(tmp_path / "data", {"a.csv": "text,label\n" + "".join(f'"{t}",{c}\n' for t, c in ROWS * 4)})
    rows = "".join(f'"{t} said {n % 3} of {n}",{c}\n' for n, (t, c) in enumerate(ROWS * 3))
    (tmp_path / "data" / "a.csv").write_text("text,label\n" + rows)
    snowroll("init", tmp_path / "p", "--data", tmp_path / "data")
    flags = (*MACHINE, "--train.steps", "60", "--train.batch", "8")
    trained = snowroll("train", tmp_path / "p", *flags, "--json").json
    assert trained["metric"] == "accuracy"
    report = Path(trained["report"]).read_text()
    assert "Words that speak for a class" in report
    assert "naive Bayes over words" in report
    (tmp_path / "new.jsonl").write_text('{"text": "we loved the soup"}\n{"text": "they lost our parcel"}\n')
    said = snowroll("predict", tmp_path / "p", tmp_path / "new.jsonl", "--json").out.splitlines()
    assert [json.loads(line)["prediction"] for line in said] == ["good", "bad"]


# ----------------------------------------------------------------------------------------------------------------------


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)
    return folder


def read(root: Path, **settings: object) -> tuple[Reading, list[str]]:
    """The reading, and the text of each sample in it."""
    folder = Folder(root)
    reading = TASK.recognise(folder, PrepareSettings(workers=1, **settings))  # type: ignore[arg-type]
    assert reading is not None, folder.refused
    raws = dict(stream_pieces(folder, [found.where for found in reading.found], TASK.pieces, 1))  # type: ignore[attr-defined]
    assert not folder.refused
    return reading, [read_sample(raws[found.where])[0] for found in reading.found]


def as_codes(text: str) -> torch.Tensor:
    return torch.from_numpy(codes_of(text, 200)).long()[None]


def rows(found: object) -> set[int]:
    return set(found.rows[0][found.known[0]].tolist())  # type: ignore[attr-defined]


def view_of(texts: list[tuple[str, str]]) -> View:
    samples = [Sample(str(n), str(n), text, "text", label) for n, (text, label) in enumerate(texts)]
    looks = dict(limited(look, ((sample.id, sample.content.encode()) for sample in samples), workers=1))
    return View.of(samples, looks, {"type": "choice", "classes": sorted({label for _, label in texts})})
