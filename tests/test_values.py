"""Numbers of rows: how they are written, models that say what scikit-learn's say, intervals that hold."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from house_kit import MACHINE, snowroll
from hypothesis import given
from hypothesis import strategies as st

from snowroll.base.errors import DataError, UsageError
from snowroll.base.nouns import Batch, Plan, Prediction, Sample
from snowroll.base.task import Fingerprint
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.view import View
from snowroll.tasks.tabular import task as classes
from snowroll.tasks.tabular.fitting import rows_of
from snowroll.tasks.tabular.model import Cells
from snowroll.tasks.tabular.values import task
from snowroll.tasks.tabular.values.fitting import fit
from snowroll.tasks.tabular.values.model import SAID, Widened, build
from snowroll.tasks.tabular.values.numbers import spelling_of
from snowroll.tasks.tabular.values.options import ValueOptions, facts_of, value_plan
from snowroll.tasks.tabular.values.training import answers, calibration_of
from snowroll.verbs.init import init

SCHEMA = {"type": "number", "columns": [{"name": "a", "kind": "number"}, {"name": "b", "kind": "number"}]}


def some_rows(n: int, seed: int) -> Batch:
    """Two numbers, one with gaps; the target bends with one, and is noisier where the other is large."""
    rng = np.random.default_rng(seed)
    number = rng.normal(size=(n, 2)).astype(np.float32).round(2)
    known = np.ones((n, 2), np.float32)
    known[:, 1] = rng.random(n) > 0.2
    truth = 50 + 10 * np.sin(2 * number[:, 0]) + 4 * number[:, 1] * known[:, 1]
    truth += rng.normal(size=n) * (0.5 + 3 * (number[:, 0] > 0))
    cells = Cells(torch.from_numpy(number * known), torch.from_numpy(known), torch.zeros(n, 1, dtype=torch.int64))
    return Batch(cells, torch.from_numpy(truth), torch.arange(n))


def fitted(model: str, train: Batch, **more: Any) -> tuple[Any, ValueOptions]:
    centre, scale = float(train.targets.mean()), float(train.targets.std())
    wanted = ValueOptions(model=model, numbers=("a", "b"), centre=centre, scale=scale, **more)  # type: ignore[arg-type]
    made = build(wanted, SCHEMA)
    fit(made, train, train, Plan(wanted))
    return made.eval(), wanted


def said(model: Any, options: ValueOptions, batch: Batch) -> dict[str, np.ndarray]:
    with torch.no_grad():
        return {name: one.double().numpy() for name, one in answers(model(batch.inputs), options).items()}


@pytest.mark.parametrize("model", ["linear", "tree", "boosted"])
def test_models_say_what_scikit_learn_says(model: str) -> None:
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeRegressor

    train, test = some_rows(300, 0), some_rows(200, 1)
    made, options = fitted(model, train, trees=20, smallest_leaf=5, depth=4)
    z = (train.targets.numpy() - options.centre) / options.scale
    kept = (
        int((made.threshold.detach().numpy().reshape(-1, made.nodes)[:20] != 0).any(1).sum())
        if model == "boosted"
        else 0
    )
    peer: Any = {
        "linear": Ridge(alpha=options.shrink),
        "tree": DecisionTreeRegressor(max_depth=4, max_leaf_nodes=31, min_samples_leaf=5, random_state=0),
        "boosted": HistGradientBoostingRegressor(
            max_iter=max(1, kept), max_depth=4, min_samples_leaf=5, l2_regularization=1.0, early_stopping=False
        ),
    }[model]
    peer.fit(rows_of(made, train.inputs).astype(float), z)
    expected = peer.predict(rows_of(made, test.inputs).astype(float)) * options.scale + options.centre
    np.testing.assert_allclose(said(made, options, test)["value"], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("model", ["linear", "boosted"])
def test_intervals_keep_their_word_and_are_wider_where_less_is_known(model: str) -> None:
    train, val, test = some_rows(400, 0), some_rows(300, 1), some_rows(1_000, 2)
    made, options = fitted(model, train, trees=30, smallest_leaf=5)
    with torch.no_grad():
        told = calibration_of(made(val.inputs), val.targets, options)
    answered = said(Widened(made, told["shift"], told["widen"]), options, test)
    truth = test.targets.numpy()
    held = ((answered["low"] <= truth) & (truth <= answered["high"])).mean()
    assert 0.85 < held < 0.95
    width = answered["high"] - answered["low"]
    noisy = test.inputs.number[:, 0].numpy() > 0
    if model == "boosted":
        assert np.median(width[noisy]) > 1.5 * np.median(width[~noisy])


def test_logarithms_are_right_on_average() -> None:
    rng = np.random.default_rng(0)
    train = some_rows(600, 0)
    truth = np.exp(train.targets.numpy() / 10 + rng.normal(size=600))
    train = Batch(train.inputs, torch.from_numpy(truth), train.ids)
    choices = {one.key: one.value for one in value_plan(_fingerprint(truth.tolist()))}
    assert choices["task.log"] is True
    options = ValueOptions(
        model="linear", numbers=("a", "b"), log=True, centre=choices["task.centre"], scale=choices["task.scale"]
    )
    made = build(options, SCHEMA)
    fit(made, train, train, Plan(options))
    with torch.no_grad():
        told = calibration_of(made(train.inputs), train.targets, options)
    answered = said(Widened(made, told["shift"], told["widen"]), options, train)
    assert answered["value"].mean() == pytest.approx(truth.mean(), rel=0.01)
    assert answered["value"].min() > 0


def _fingerprint(targets: list[float], **asked: Any) -> Fingerprint:
    n = {"train": len(targets), "val": 0, "test": 0}
    return Fingerprint(n, SCHEMA, {**facts_of(targets), "asked": asked}, "cpu", 1, False, None)


def test_the_plan_says_why_it_takes_logarithms() -> None:
    tail = np.exp(np.random.default_rng(0).normal(size=400) * 1.5).tolist()
    why = next(one.why for one in value_plan(_fingerprint(tail)) if one.key == "task.log")
    assert "long tail" in why
    even = {one.key: one.value for one in value_plan(_fingerprint([float(n) for n in range(100)]))}
    assert (even["task.log"], even["task.centre"]) == (False, 49.5)
    with pytest.raises(UsageError, match="no logarithm"):
        value_plan(_fingerprint([0.0, 1.0, 2.0], log=True))


def test_one_wild_error_costs_no_more_than_its_row() -> None:
    truth = [float(n) for n in range(10)]
    wild = [Prediction(1e9 if n == 3 else value, None, 0.0) for n, value in enumerate(truth)]
    credit = task.credit(wild, truth, SCHEMA)
    assert credit.tolist() == [1.0] * 3 + [0.0] + [1.0] * 6
    assert task.scorer(wild, truth, SCHEMA)(None)["r2"] < -1e9


# how numbers are written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["12", "3.5", "-4e2"], [12, 3.5, -400]),
        (["$1,234.50", "$12", "-$3"], [1234.5, 12, -3]),
        (["1.234,50 €", "12,00 €", "1.234 €"], [1234.5, 12, 1234]),
        (["1,234", "12,345", "7"], [1234, 12345, 7]),
        (["0,5", "1,25", "7"], [0.5, 1.25, 7]),
        (["1 234,5", "12,5", "1'000,25"], [1234.5, 12.5, 1000.25]),
        (["12 %", "7.5%", "100%"], [12, 7.5, 100]),
        (["85 kg", "90kg", "77"], [85, 90, 77]),
        (["(1,200.00)", "300.00", "\u2212 5.00"], [-1200, 300, -5]),
        (["1,234,567", "2,000", "30"], [1234567, 2000, 30]),
    ],
)
def test_numbers_are_read_as_people_write_them(texts: list[str], values: list[float]) -> None:
    found = spelling_of(texts)
    assert found is not None
    assert [found[0].number(text) for text in texts] == values


def test_a_comma_beside_semicolons_stands_before_decimals() -> None:
    found = spelling_of(["1,234", "5,678"], semicolons=True)
    assert found is not None
    assert found[0].number("1,234") == 1.234


@given(st.floats(-1e12, 1e12).map(lambda value: round(value, 3)))
def test_what_is_written_is_read(value: float) -> None:
    for text in (f"{value}", f"{value:,}"):
        found = spelling_of([text, "1,000.5"])
        assert found is not None
        assert found[0].number(text) == value


@given(st.text(max_size=30))
def test_any_cell_is_a_number_or_a_sentence(text: str) -> None:
    found = spelling_of(["1.5", "$2"] * 30)
    assert found is not None
    with suppress(DataError):
        assert np.isfinite(found[0].number(text))


# which task, which column ---------------------------------------------------------------------------------------------


def table(path: Path, text: str) -> Folder:
    path.mkdir(exist_ok=True)
    (path / "t.csv").write_text(text)
    return Folder(path)


def rents(n: int = 80, *, last: str = "{rent}") -> str:
    rng = np.random.default_rng(0)
    lines = ["area,rooms,day,rent"]
    for _ in range(n):
        area = rng.uniform(20, 120)
        told = last.format(rent=f"{9 * area + rng.normal() * 10:.2f}")
        lines.append(f"{area:.1f},{int(area // 25) + 1},2024-01-{rng.integers(1, 29):02},{told}")
    return "\n".join(lines) + "\n"


def zero_inflated(path: Path, zeros: str, rows: int = 240) -> None:
    """A table with a declared split; in the split `zeros`, if it is one, the target never varies."""
    rng = np.random.default_rng(0)
    lines = ["a,b,split,price"]
    for row in range(rows):
        a, b, split = rng.normal(), rng.normal(), ("train", "train", "train", "val", "test")[row % 5]
        price = 0.0 if split == zeros or row % 3 == 0 else round(20 + 5 * a + b, 2)
        lines.append(f"{a:.3f},{b:.3f},{split},{price}")
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(lines) + "\n")


FIXED = (*MACHINE, "--task", "tabular_values", "--prepare.label_column", "price", "--task.trees", "20")


@pytest.mark.slow
def test_a_headline_without_a_meaning_is_left_out_or_told_in_a_line(tmp_path: Path) -> None:
    """R2 of validation rows of one number, and of an outside folder's."""
    project = tmp_path / "project"
    zero_inflated(project / "data" / "all.csv", "val")
    assert snowroll("init", project, *FIXED).code == 0
    trained = snowroll("train", project, "--json")
    assert trained.code == 0, trained.err
    swept = snowroll("train", project, "--sweep", "task.trees=10,20")
    assert swept.code == 1
    assert "validation samples: r2 has no meaning for these 48 targets" in swept.err
    log = Path(trained.json["report"]).with_name("metrics.jsonl").read_text()
    assert "val_loss" in log
    assert "val_r2" not in log
    assert snowroll("export", project, "--json").json["parity"]["before"] is None
    zero_inflated(tmp_path / "outside" / "all.csv", "test", rows=60)
    judged = snowroll("eval", project, "--data", tmp_path / "outside")
    assert judged.code == 1
    assert "r2 has no meaning for these 12 targets: all 12 are alike" in judged.err


@pytest.mark.slow
def test_a_test_set_of_one_number_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    project = tmp_path / "project"
    zero_inflated(project / "data" / "all.csv", "test")
    assert snowroll("init", project, *FIXED).code == 0
    trained = snowroll("train", project)
    assert trained.code == 1
    assert "the locked test set: r2 has no meaning for these 48 targets: all 48 are alike" in trained.err
    assert not list((project / "runs").iterdir())


@pytest.mark.slow
def test_the_column_decides_which_task_is_meant(tmp_path: Path) -> None:
    table(tmp_path / "data", rents())
    for number, (column, wanted, meant) in enumerate(
        [("", "", "tabular_values"), ("rooms", "", "tabular"), ("rooms", "tabular_values", "tabular_values"),
         ("area", "", "tabular_values"), ("rooms", "tabular", "tabular")]
    ):  # fmt: skip
        flags = {"prepare.label_column": column} if column else {}
        told = init(tmp_path / f"p{number}", tmp_path / "data", (), wanted, flags, lambda line: None)
        assert told.json["task"] == meant, (column, wanted)
        if column == "rooms" and not wanted:
            assert told.json["other_tasks"] == ["tabular_values"]
    folder = Folder(tmp_path / "data")
    assert classes.recognise(folder, PrepareSettings(label_column="rent")) is None
    assert "numbers are for task 'tabular_values'" in folder.refused["t.csv"]


def test_rows_whose_target_is_no_number_are_named_by_their_line(tmp_path: Path) -> None:
    lines = rents().splitlines()
    lines[3] = lines[3].rpartition(",")[0] + ",inf"
    lines[5] = lines[5].rpartition(",")[0] + ",soon"
    lines[7] = lines[7].rpartition(",")[0] + ","
    reading = task.recognise(table(tmp_path, "\n".join(lines)), PrepareSettings())
    assert reading is not None
    assert "is not finite" in reading.skipped["t.csv line 4"]
    assert "is no number" in reading.skipped["t.csv line 6"]
    assert next(one for one in reading.found if one.where.endswith("/8")).target is None
    assert len(reading.found) == 78


def test_a_column_that_never_changes_is_refused(tmp_path: Path) -> None:
    folder = table(tmp_path, rents(last="5"))
    with pytest.raises(UsageError, match="nothing to predict"):
        task.recognise(folder, PrepareSettings(label_column="rent"))
    assert classes.problem("x", {"classes": ["y"]})


# what is wrong with them ----------------------------------------------------------------------------------------------


def faults_of(path: Path, text: str, options: Any = None, **settings: str) -> dict[str, Any]:
    folder = table(path, text)
    reading = task.recognise(folder, PrepareSettings(**settings))  # type: ignore[arg-type]
    assert reading is not None
    raws = dict(folder.stream([found.where for found in reading.found]))
    samples = [Sample(one.where, one.where, str(hash(raws[one.where])), "row", one.target) for one in reading.found]
    looks = {sample.id: task.look(raws[sample.where], 100) for sample in samples}
    schema = {**reading.schema, **task.schema([one.target for one in reading.found])}
    return {one.code: one for one in task.faults(View.of(samples, looks, schema, gist=task.gist, options=options))}


def test_what_is_wrong_with_numbers_is_found(tmp_path: Path) -> None:
    lines = ["a,twice,day,y"]
    rng = np.random.default_rng(0)
    for n in range(120):
        y = 1e6 if n == 17 else float(rng.normal(50, 5))
        lines.append(f"{n % 7},{2 * y + 1:.3f},2024-01-{1 + n % 28:02},{y:.3f}")
    found = faults_of(tmp_path, "\n".join(lines))
    assert found["outlying_targets"].paths == ("t.csv#y/19",)
    assert "'twice' alone explains 100" in found["gives_target_away"].message
    assert "'day' tells when" in found["random_split_over_time"].message


@pytest.mark.parametrize(("factor", "word"), [(1000.0, "thousands"), (2.54, "inches"), (1.05, "")])
def test_two_units_in_one_column_are_found(tmp_path: Path, factor: float, word: str) -> None:
    rng = np.random.default_rng(0)
    lines = ["size,y"]
    for n in range(200):
        size = rng.uniform(1, 10)
        y = 30 * size * np.exp(rng.normal() * 0.03) / (factor if n % 4 == 0 else 1)
        lines.append(f"{size:.3f},{y:.5f}")
    found = faults_of(tmp_path, "\n".join(lines))
    assert ("mixed_units" in found) == bool(word)
    if word:
        assert word in found["mixed_units"].message
        assert len(found["mixed_units"].paths) == 50


def test_rows_that_are_alike_bound_what_can_be_explained(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{n % 4},{n % 3},{10 * (n % 4) + rng.normal() * 10:.3f}" for n in range(240)]
    found = faults_of(tmp_path, "\n".join(["a,b,y", *rows]))
    share = float(found["same_cells_other_target"].message.partition("more than ")[2].partition("%")[0])
    assert 45 < share < 70  # 125 of 225 is there to be explained


def test_sound_numbers_have_no_findings(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{a:.4f},{b:.4f},{3 * a + b + rng.normal():.4f}" for a, b in rng.normal(size=(200, 2))]
    assert not faults_of(tmp_path, "\n".join(["a,b,y", *rows]))


def test_labelled_rows_that_break_a_rule_are_counted(tmp_path: Path) -> None:
    found = faults_of(tmp_path, rents(), ValueOptions(rules=("rooms = 1 -> at least 5000", "-> at least 0")))
    assert list(found)[-1] == "breaks_a_rule" or "breaks_a_rule" in found
    assert "rooms = 1" in found["breaks_a_rule"].message


def test_a_wider_interval_is_more_doubtful() -> None:
    options = ValueOptions(centre=10.0, scale=2.0)
    outputs = torch.tensor([[0.0, -3.0], [0.0, -1.0], [0.0, 3.0]])
    told = {name: one.numpy() for name, one in answers(outputs, options).items()}
    doubts = [one.doubt for one in task.decode(told, SCHEMA, options)]
    assert doubts[0] < doubts[1] < doubts[2] == 1.0
    assert SAID == 0
