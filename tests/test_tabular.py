"""Tabular: which column is what, models that say what scikit-learn's say, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Batch, Plan, Prediction, Sample
from snowroll.base.task import Fingerprint
from snowroll.deploy.bodies import samples_in
from snowroll.evaluate.background import Evidence
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.tables import Cell
from snowroll.prepare.view import View
from snowroll.tasks.tabular import task
from snowroll.tasks.tabular.cells import encoded, hash_of
from snowroll.tasks.tabular.columns import judge_columns
from snowroll.tasks.tabular.faults import told_alone
from snowroll.tasks.tabular.fitting import fit, rows_of
from snowroll.tasks.tabular.model import Cells, Linear, Trees, build, rounded_down
from snowroll.tasks.tabular.options import TabularOptions, row_plan
from snowroll.tasks.tabular.reading import read_tables
from snowroll.tasks.tabular.surrogate import DEPTH, classes_imitated, numbers_imitated
from snowroll.tasks.tabular.telling import as_rules
from snowroll.tasks.tabular.values.reading import Values

METALS = ("brass", "steel", "tin")


def schema_of(classes: int) -> dict[str, Any]:
    columns = [{"name": "a", "kind": "number"}, {"name": "b", "kind": "number"}]
    columns.append({"name": "metal", "kind": "category", "levels": list(METALS)})
    return {"type": "choice", "classes": [f"c{n}" for n in range(classes)], "columns": columns}


def some_rows(n: int, classes: int, seed: int) -> Batch:
    """Two numbers, one of them with gaps, and a word that some rows do not say; the target hangs on all three."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=(n, 2)).astype(np.float32).round(2)
    known = np.ones((n, 2), np.float32)
    known[:, 1] = rng.random(n) > 0.2
    metal = rng.integers(-1, 3, n)
    word = np.array([[hash_of(METALS[one]) if one >= 0 else 0] for one in metal])
    score = number[:, 0] + number[:, 1] * known[:, 1] + 0.8 * metal + rng.normal(size=n) * 0.3
    target = np.digitize(score, np.quantile(score, np.linspace(0, 1, classes + 1)[1:-1]))
    cells = Cells(*map(torch.from_numpy, (number * known, known, word)))
    return Batch(cells, torch.from_numpy(target), torch.arange(n))


def fitted(model: str, train: Batch, classes: int, **options: Any) -> tuple[Any, TabularOptions]:
    wanted = TabularOptions(model=model, numbers=("a", "b"), categories=("metal",), **options)  # type: ignore[arg-type]
    made = build(wanted, schema_of(classes))
    fit(made, train, few_of(train, 0), Plan(wanted))
    return made.eval(), wanted


def few_of(batch: Batch, n: int) -> Batch:
    return Batch(Cells(*(part[:n] for part in batch.inputs)), batch.targets[:n], batch.ids[:n])


def said(model: Any, batch: Batch) -> np.ndarray:
    with torch.no_grad():
        return model(batch.inputs).double().softmax(dim=1).numpy()


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_boosted_trees_say_what_scikit_learn_says(classes: int, seed: int) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    train, test = some_rows(400, classes, seed), some_rows(300, classes, seed + 10)
    model, wanted = fitted("boosted", train, classes, trees=25, smallest_leaf=5)
    peer: Any = HistGradientBoostingClassifier(
        max_iter=25, max_depth=wanted.depth, min_samples_leaf=5, l2_regularization=1.0, early_stopping=False
    ).fit(rows_of(model, train.inputs).astype(float), train.targets)
    told = peer.predict_proba(rows_of(model, test.inputs).astype(float))
    np.testing.assert_allclose(said(model, test), told, atol=2e-6)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_tree_asks_what_scikit_learn_asks(classes: int, seed: int) -> None:
    """Every row ends in the same leaf, rows with gaps and of words never seen too."""
    from sklearn.tree import DecisionTreeClassifier

    train, test = some_rows(300, classes, seed), some_rows(300, classes, seed + 10)
    test.inputs.word[:20] = hash_of("unheard of")
    model, _ = fitted("tree", train, classes, depth=5, leaves=20, smallest_leaf=4)
    peer = DecisionTreeClassifier(max_depth=5, max_leaf_nodes=20, min_samples_leaf=4, random_state=0)
    peer.fit(rows_of(model, train.inputs), train.targets)
    rows = rows_of(model, test.inputs)
    with torch.no_grad():
        leaves = model.leaves_of(torch.from_numpy(rows)).numpy()[:, 0]
    assert np.array_equal(leaves, peer.apply(rows))
    rules = as_rules(model, lambda logits: str(logits.argmax().item()))
    assert rules.count("if ") == rules.count("else") == peer.get_n_leaves() - 1


def of_answers(rows: Batch, answers: list[Any], classes: int = 2) -> Evidence:
    """As if some model had given these answers to the rows."""

    def gather(places: Sequence[int]) -> Batch:
        at = torch.tensor(places)
        return Batch(Cells(*(part[at] for part in rows.inputs)), rows.targets[at], rows.ids[at])

    said = [Prediction(one, None, 0.0) for one in answers]
    options = TabularOptions(model="boosted", numbers=("a", "b"), categories=("metal",))
    return Evidence(torch.nn.Identity(), gather, (), said, answers, schema_of(classes), options)


@pytest.mark.parametrize("seed", range(4))
def test_a_small_tree_tells_what_a_model_does_and_how_faithful_it_is(seed: int) -> None:
    rows = some_rows(1_000, 2, seed)
    number, known, word = (part.numpy() for part in rows.inputs)
    hot = ((number[:, 0] > 0.5) & (word[:, 0] == hash_of("tin"))) | (known[:, 1] * number[:, 1] > 1.5)
    passage = classes_imitated(of_answers(rows, [f"c{int(one)}" for one in hot]), lambda logits: str(logits.argmax()))
    assert passage is not None
    assert "metal is not tin" in passage.text
    assert max(len(line) - len(line.lstrip()) for line in passage.text.splitlines()) <= 4 * DEPTH
    faithful = float(passage.words.split("same answer in ")[1].split("%")[0])
    assert faithful > 97
    chance = np.random.default_rng(seed).integers(0, 2, 1_000)
    passage = classes_imitated(of_answers(rows, [f"c{one}" for one in chance]), lambda logits: "")
    assert passage is not None
    assert 40 < float(passage.words.split("same answer in ")[1].split("%")[0]) < 60  # not that of the rows it grew on
    values = np.where(hot, 5.0, 1.0).tolist()
    passage = numbers_imitated(of_answers(rows, values))
    assert passage is not None
    assert "metal is not tin" in passage.text
    assert float(passage.words.split("others: ")[1].split("%")[0]) > 85
    assert numbers_imitated(of_answers(rows, [1.0] * 1_000)) is None
    assert classes_imitated(of_answers(rows, ["c0"] * 1_000), lambda logits: "") is None


@pytest.mark.parametrize("classes", [2, 3])
def test_a_logistic_regression_says_what_scikit_learn_says(classes: int) -> None:
    from sklearn.linear_model import LogisticRegression

    train, test = some_rows(400, classes, 0), some_rows(300, classes, 10)
    model, _ = fitted("logistic", train, classes)
    assert isinstance(model, Linear)
    peer = LogisticRegression(max_iter=2_000, tol=1e-6).fit(rows_of(model, train.inputs).astype(float), train.targets)
    told = peer.predict_proba(rows_of(model, test.inputs).astype(float))
    np.testing.assert_allclose(said(model, test), told, atol=1e-5)


@pytest.mark.parametrize("model", ["boosted", "tree", "logistic"])
def test_a_class_that_no_row_is_of_is_never_said(model: str) -> None:
    train = some_rows(200, 3, 0)
    train.targets[train.targets == 1] = 2
    made, _ = fitted(model, train, 3, trees=10)
    assert said(made, train)[:, 1].max() < 1e-6
    with pytest.raises(DataError, match="one class"):
        fitted(model, Batch(train.inputs, torch.zeros_like(train.targets), train.ids), 3)


@given(
    st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20),
    st.lists(st.floats(width=32, allow_nan=False), max_size=20),
)
def test_rounded_thresholds_part_float32_numbers_as_before(thresholds: list[float], numbers: list[float]) -> None:
    exact = np.array(thresholds)
    near = rounded_down(exact)
    tried = np.array([*numbers, *near.tolist()], np.float32)
    assert np.array_equal(tried[:, None] <= near, tried[:, None].astype(np.float64) <= exact)


@pytest.mark.parametrize("sign", [1, -1])
def test_monotone_columns_never_turn(sign: int) -> None:
    train = some_rows(500, 2, 3)
    made, _ = fitted("boosted", train, 2, trees=30, monotone=(f"a:{sign}",))
    steps = torch.linspace(-3, 3, 60)
    for row in range(20):
        cells = Cells(*(part[row : row + 1].repeat(60, 1) for part in train.inputs))
        cells.number[:, 0] = steps
        odds = said(made, Batch(cells, None, torch.arange(60)))[:, 1]
        assert (sign * np.diff(odds) >= -1e-9).all()


@pytest.mark.parametrize("model", ["boosted", "tree"])
def test_a_direction_among_three_classes_is_refused_before_anything_is_fitted(model: str) -> None:
    options = TabularOptions(model=model, numbers=("a", "b"), monotone=("a:1",))  # type: ignore[arg-type]
    build(options, schema_of(2))
    with pytest.raises(UsageError, match="between two classes, and there are 3"):
        task.build(options, schema_of(3))


def test_options_name_columns_that_there_are() -> None:
    columns = ({"columns": ("agee",)}, {"leave_out": ("age",)})
    directions = ({"monotone": ("sex:1",)}, {"monotone": ("age",)}, {"model": "logistic", "monotone": ("age:1",)})
    for wrong in (*columns, *directions):
        with pytest.raises(UsageError):
            TabularOptions(numbers=("age",), **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"monotone": ("sex:1",)}, "'sex' holds words"),
        ({"monotone": ("age:1",), "leave_out": ("age",)}, "'age' is not learnt from"),
        ({"monotone": ("age:1",), "columns": ("size", "sex")}, "'age' is not learnt from"),
        ({"monotone": ("ages:1",)}, "there is no column 'ages'"),
    ],
)
def test_only_numbers_that_are_learnt_from_have_a_direction(wrong: dict[str, Any], why: str) -> None:
    columns = {"numbers": ("age", "size"), "categories": ("sex",)}
    assert TabularOptions(**columns, monotone=("age:1",)).directions == {"age": 1}
    with pytest.raises(UsageError, match=why):
        TabularOptions(**columns, **wrong)


# which column is what -------------------------------------------------------------------------------------------------


def kind_of(cells: list[Cell], name: str = "x") -> str:
    (seen,) = judge_columns([name], [[cell] for cell in cells])
    return seen.judged().kind


def test_columns_are_judged_by_their_cells() -> None:
    rng = np.random.default_rng(0)
    cards = ["4539578763621486", "5500005555555559", "4111111111111111"] * 20
    kinds = {
        "number": [float(one) for one in rng.normal(size=60)],
        "id": list(range(60)),
        "date": [f"2024-{1 + n % 12:02}-{1 + n % 28:02}" for n in range(60)],
        "category": ["red", "green", "blue"] * 20,
        "flag": ["yes", "no"] * 30,
        "constant": ["same"] * 60,
        "text": [f"a sentence of many words that is about case {n}" for n in range(60)],
    }
    for kind, cells in kinds.items():
        assert kind_of(list(cells)) == kind, kind
    for secrets in ([f"p{n}@example.org" for n in range(60)], cards, [f"sk-{n:040x}" for n in range(60)]):
        assert kind_of(list(secrets)) == "secret"
    assert kind_of([None] * 40 + [1.5] * 20) == "flag"  # it says that it says something


def test_a_column_of_two_kinds_is_told() -> None:
    (seen,) = judge_columns(["x"], [[cell] for cell in [*[1, 2, 3] * 10, *["low", "high"] * 10]])
    column = seen.judged()
    assert column.kind == "category"
    assert "numbers in 30 rows and words in 20" in column.why


def folder_of(path: Path, **files: str) -> Folder:
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return Folder(path)


def rows_text(header: str, n: int = 60, more: str = "") -> str:
    """Rows a,b and a target that is 'hot' where a is large."""
    lines = [f"{n_ % 7},{n_ * 3 % 11}{more},{'hot' if n_ % 7 > 3 else 'cold'}" for n_ in range(n)]
    return "\n".join([header, *lines]) + "\n"


def test_the_target_is_proposed_with_its_reason(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, t__csv=rows_text("a,b,heat"))
    reading = read_tables(folder, PrepareSettings())
    assert reading is not None
    assert reading.schema["target"] == "heat"
    assert any("the last column" in told for told in reading.evidence)
    assert {found.target for found in reading.found} == {"hot", "cold"}
    other = read_tables(folder, PrepareSettings(label_column="a"))
    assert other is not None
    assert other.schema["target"] == "a"
    with pytest.raises(UsageError, match="did you mean 'heat'"):
        read_tables(folder, PrepareSettings(label_column="heet"))


def test_of_nameless_columns_the_only_one_of_words_is_the_target(tmp_path: Path) -> None:
    """Before measures that end in fractions: behind an id, diagnoses as UCI's are."""
    rows = [f"{842302 + 7 * n},{'MB'[n % 2]},{n % 5 + 0.25},{n % 7 + n % 3 / 8}" for n in range(60)]
    (tmp_path / "w.data").write_text("\n".join(rows) + "\n")
    (tmp_path / "w.test").write_text("\n".join(rows[:20]) + "\n")
    reading = read_tables(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {found.target for found in reading.found} == {"M", "B"}
    assert [found.split for found in reading.found] == [*[None] * 60, *["test"] * 20]


def test_the_column_that_is_missing_where_answers_are_wanted_is_the_target(tmp_path: Path) -> None:
    rows = [(n, int(n % 3 == 0), n * 1.5 % 7, "SCQ"[n % 5 % 3]) for n in range(1, 61)]
    train = "".join(f"{n},{lives},{fare},{port}\n" for n, lives, fare, port in rows)
    test = "".join(f"{n + 900},{fare},{port}\n" for n, _, fare, port in rows * 2)
    given = "".join(f"{n + 900},{lives}\n" for n, lives, _, _ in rows)
    folder = folder_of(
        tmp_path,
        train__csv="id,survived,fare,port\n" + train,
        test__csv="id,fare,port\n" + test,
        gender_submission__csv="id,survived\n" + given,
    )
    reading = read_tables(folder, PrepareSettings())
    assert reading is not None
    assert reading.schema["target"] == "survived"
    assert any("the only column that test.csv has not" in told for told in reading.evidence)
    assert [one.target for one in reading.found].count(None) == 120
    assert {one.target for one in reading.found} == {"0", "1", None}
    other = read_tables(folder, PrepareSettings(label_column="port"))
    assert other is not None
    assert other.schema["target"] == "port"


def test_without_names_the_class_may_stand_first(tmp_path: Path) -> None:
    """As in the archives of time series: the class, then the values."""
    rows = "\n".join(f"{n % 2 + 1}\t{n * 0.37:.4f}\t{n * 1.73 % 5:.4f}" for n in range(60))
    reading = read_tables(folder_of(tmp_path, t__tsv=rows), PrepareSettings())
    assert reading is not None
    assert reading.schema["target"] == "column 1"
    assert {found.target for found in reading.found} == {"1", "2"}


def test_a_table_of_numbers_holds_no_classes(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, houses__csv="\n".join(["rooms,price", *(f"{n % 9},{n * 1.37:.2f}" for n in range(60))])
    )
    assert read_tables(folder, PrepareSettings()) is None
    assert (
        "no column of few values to be told; 'price', the last, has 60 different ones" in folder.refused["houses.csv"]
    )


def test_splits_and_groups_are_those_of_the_table(tmp_path: Path) -> None:
    text = rows_text("a,b,split,patient,y", more=",test,p1").replace("test,p1,cold", "train,p2,cold")
    reading = read_tables(folder_of(tmp_path, t__csv=text), PrepareSettings())
    assert reading is not None
    assert {(found.target, found.split, found.group) for found in reading.found} == {
        ("hot", "test", "p1"),
        ("cold", "train", "p2"),
    }
    assert [column["name"] for column in reading.schema["columns"]] == ["a", "b"]


@pytest.mark.parametrize("label_column", ["", "target"])
@pytest.mark.parametrize("values", [None, Values()])
def test_the_labelled_table_leads_however_many_rows_wait(
    values: Values | None, label_column: str, tmp_path: Path
) -> None:
    """As competitions hand out: labelled rows, more rows without the label, and a list of answers to be filled in."""

    def cells(n: int) -> tuple[str, str]:
        return (f"{n * 0.7:.1f}", f"{n * 0.3:.1f}") if values else (f"{n * 0.7:.1f}", f"{n % 3}")

    def target(n: int) -> str:
        return f"{n * 1.37:.2f}" if values else "hot" if n % 7 > 3 else "cold"

    some, others = range(60), range(60, 300)
    folder = folder_of(
        tmp_path,
        train__csv="id,a,target,b\n" + "".join(f"{n},{cells(n)[0]},{target(n)},{cells(n)[1]}\n" for n in some),
        new__csv="id,a,b\n" + "".join(f"{n},{','.join(cells(n))}\n" for n in others),
        sample_submission__csv="id,target\n" + "".join(f"{n},{target(0)}\n" for n in others),
    )
    reading = read_tables(folder, PrepareSettings(label_column=label_column), values)
    assert reading is not None
    assert reading.schema["target"] == "target"
    assert sum(found.target is not None for found in reading.found) == 60
    assert sum(found.target is None for found in reading.found) == 240
    assert reading.skipped.keys() == {"sample_submission.csv"}


def test_a_legend_does_not_lead(tmp_path: Path) -> None:
    houses = "rooms,zone,year,price\n" + "".join(f"{n % 9},{n % 5},{1900 + n},{n * 1.37:.2f}\n" for n in range(60))
    legend = "zone,name\n" + "".join(f"{n},{'near' if n % 2 else 'far'}\n" for n in range(20))
    folder = folder_of(tmp_path, houses__csv=houses, legend__csv=legend)
    assert read_tables(folder, PrepareSettings()) is None
    assert "'price', the last" in folder.refused["houses.csv"]


def test_a_column_more_in_a_few_rows_moves_no_target(tmp_path: Path) -> None:
    few = rows_text("a,b,note,y", 30, more=",x").replace("x,hot", "z,hot")
    reading = read_tables(folder_of(tmp_path, old__csv=rows_text("a,b,y", 90), late__csv=few), PrepareSettings())
    assert reading is not None
    assert (reading.schema["target"], len(reading.found)) == ("y", 90)
    assert "other columns than old.csv" in reading.skipped["late.csv"]


def test_tables_of_a_folder_are_its_splits(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        train__csv=rows_text("a,b,y"),
        test__csv=rows_text("a,b,y", 20),
        other__csv="c,d\n1,2\n",
        notes__txt="x",
    )
    reading = read_tables(folder, PrepareSettings())
    assert reading is not None
    assert [found.split for found in reading.found].count("test") == 20
    assert "other columns" in reading.skipped["other.csv"]
    assert reading.skipped["notes.txt"] == "not a table"


def test_tables_beside_pictures_are_not_meant(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, t__csv=rows_text("a,b,y"))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert read_tables(Folder(tmp_path), PrepareSettings()) is None
    assert folder.entries()


# what is wrong with them ----------------------------------------------------------------------------------------------


def faults_of(path: Path, text: str, **asked: Any) -> dict[str, Any]:
    folder = folder_of(path, t__csv=text)
    reading = read_tables(folder, PrepareSettings(asked=asked))
    assert reading is not None
    raws = dict(folder.stream([found.where for found in reading.found]))
    samples = [
        Sample(found.where, found.where, str(hash(raws[found.where])), "row", found.target) for found in reading.found
    ]
    looks = {sample.id: task.look(raws[sample.where], 100) for sample in samples}
    schema = {**reading.schema, **task.schema([found.target for found in reading.found])}
    view = View.of(samples, looks, schema, options=TabularOptions(**asked))
    return {fault.code: fault for fault in task.faults(view)}


def coded(n: int = 120) -> str:
    """A region by number, a word that is mostly a row's own, one that always is, and what only the region tells."""
    lines = ["age,region,shop,key,mail,y"]
    for row in range(n):
        shop = "Main Street" if row % 5 == 0 else f"shop {row}"
        lines.append(f"{row % 13},{row % 4},{shop},k{row},p{row}@example.org,{'hot' if row % 4 in (0, 2) else 'cold'}")
    return "\n".join(lines) + "\n"


def test_columns_that_are_named_are_learnt_as_words(tmp_path: Path) -> None:
    """Numbers that are codes, and a column that was left out for its many rare words."""
    folder = folder_of(tmp_path, t__csv=coded())
    assert task.reads == {"categories"}
    asked = {"categories": ("region", "shop")}
    bare, told = (read_tables(folder, PrepareSettings(asked=some)) for some in ({}, asked))
    assert bare is not None
    assert told is not None
    kinds, named = ({one["name"]: one for one in reading.schema["columns"]} for reading in (bare, told))
    assert (kinds["region"]["kind"], kinds["shop"]["kind"]) == ("number", "text")
    assert named["region"]["levels"] == ["0", "1", "2", "3"]
    assert named["shop"]["levels"] == ["Main Street"]
    schema = {**told.schema, **task.schema(["hot", "cold"])}
    facts = {"asked": {"model": "logistic"}}
    plan = {one.key: one.value for one in row_plan(Fingerprint({"train": 120}, schema, facts, "cpu", 1, False, None))}
    assert plan["task.numbers"] == ["age"]
    options = TabularOptions(model="logistic", numbers=("age",), categories=("region", "shop"))
    raws = dict(folder.stream([one.where for one in told.found]))
    rows = [encoded(raws[one.where], options) for one in told.found]
    cells = Cells.of({name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]})
    truth = torch.tensor([int(one.target == "hot") for one in told.found])
    batch = Batch(cells, truth, torch.arange(len(rows)))
    model = build(options, schema)
    fit(model, batch, batch, Plan(options))
    assert (model(cells).argmax(dim=1) == truth).all()  # no line over the numbers 0 to 3 tells it
    assert "text_column" not in faults_of(tmp_path, coded(), **asked)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"categories": ("key",)}, "'key' nothing can be learnt: nearly every row has a word of its own"),
        ({"categories": ("mail",)}, "'mail' nothing can be learnt: it holds e-mail addresses"),
        ({"categories": ("regoin",)}, "no column 'regoin' to learn from; did you mean 'region'?"),
        ({"categories": ("y",)}, "no column 'y' to learn from"),
        ({"numbers": ("agee",)}, "no column 'agee' to learn from; did you mean 'age'?"),
    ],
)
def test_columns_that_teach_nothing_are_refused_by_name(asked: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as fault:
        faults_of(tmp_path, coded(), **asked)
    assert told in str(fault.value)


def test_what_is_wrong_with_columns_is_found(tmp_path: Path) -> None:
    lines = ["age,unit,mail,colour,temp,again,y"]
    for n in range(80):
        hot = n % 2
        colour = ("Red", "red", "blue")[n % 3]
        label = "" if n == 7 else ("no", "yes")[hot]
        lines.append(f"{n % 13},kg,p{n}@example.org,{colour},{60 + n % 5 if hot else 20 + n % 5},{n % 13},{label}")
    found = faults_of(tmp_path, "\n".join(lines) + "\n")
    assert "'unit'" in found["constant_column"].message
    assert "e-mail" in found["secret_column"].message
    assert "'Red' and 'red'" in found["spelt_twice_in_a_column"].message
    assert "'temp'" in found["gives_target_away"].message
    assert "'again'" in found["copied_column"].message
    assert found["missing_target"].paths == ("t.csv#y/9",)


def test_a_sound_table_has_no_findings_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["a,b,y"]
    for _ in range(120):
        a, b = rng.normal(size=2)
        lines.append(f"{a:.3f},{b:.3f},{'hot' if a + b + rng.normal() > 0 else 'cold'}")
    assert not faults_of(tmp_path, "\n".join(lines) + "\n")


def test_rows_that_no_model_can_tell_apart_are_counted(tmp_path: Path) -> None:
    names = [f"{n},{n % 3},{n // 3 % 2},{('no', 'yes')[n // 6 % 2]}" for n in range(60)]
    found = faults_of(tmp_path, "\n".join(["row_id,a,b,y", *names]) + "\n")
    assert "different targets" in found["same_cells_other_target"].message


def test_one_column_is_asked_by_rows_it_was_not_looked_up_from() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2_000)
    assert told_alone(rng.normal(size=2_000), truth, False) < 0.6  # values of its own for each row tell nothing
    assert told_alone(truth + 0.1 * rng.normal(size=2_000), truth, False) > 0.97
    assert told_alone(np.where(truth, np.nan, 1.0), truth, True) == 1


# rows from outside ----------------------------------------------------------------------------------------------------


def test_words_and_gaps_have_a_way_through() -> None:
    options = TabularOptions(numbers=("a", "day"), categories=("metal",))
    told = encoded(b'{"a": "?", "day": "1970-01-03", "metal": "gold"}', options)
    assert np.isnan(told["number"][0])
    assert told["number"][1] == 2
    assert told["word"].tolist() == [hash_of("gold")]
    assert encoded(b'{"a": 1e200}', options)["number"][0] < np.inf
    with pytest.raises(DataError, match="none of the columns"):
        encoded(b'{"b": 1}', options)
    model = build(TabularOptions(numbers=("a", "b"), categories=("metal",)), schema_of(2))
    assert isinstance(model, Trees)
    words = torch.tensor([[hash_of("gold")], [0], [hash_of("tin")]])
    assert model.features.levels(words).tolist() == [[0], [1], [4]]


@settings(max_examples=40)
@given(
    row=st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=20)))
)
def test_any_row_is_looked_at_and_drawn(row: dict[str, Any]) -> None:
    raw = json.dumps(row).encode()
    seen = task.look(raw, 100)
    if not seen.reason:
        assert task.draw(raw, "yes", "no", {"columns": [], "classes": ["no", "yes"]}).width > 100


async def _items(body: bytes) -> list[Any]:
    return await samples_in("application/json", body, 3)


def test_rows_may_be_posted_as_json() -> None:
    import asyncio

    from snowroll.deploy.problem import Refused

    items = asyncio.run(_items(b'{"rows": [{"b": 1, "a": "x"}, 7]}'))
    assert items[0] == b'{"a":"x","b":1}'
    assert isinstance(items[1], DataError)
    with pytest.raises(Refused):
        asyncio.run(_items(json.dumps({"rows": [{}] * 4}).encode()))
    with pytest.raises(Refused):
        asyncio.run(_items(b'{"row": 1}'))
