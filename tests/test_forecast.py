"""Forecasts: scores are what they are called, bands and fences keep their word, a live signal is its recording."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from house_kit import intact, snowroll
from series_kit import learnt, plain, read, write

from snowroll.base.nouns import Batch, Prediction
from snowroll.evaluate.background import Evidence
from snowroll.prepare.augment import CounterDraw
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.tasks.forecast import task
from snowroll.tasks.forecast.calibrating import fences
from snowroll.tasks.forecast.drawing import lines_of
from snowroll.tasks.forecast.floor import naive_errors
from snowroll.tasks.forecast.model import Calibrated, Forecaster, Inputs, Said, Targets
from snowroll.tasks.forecast.options import ForecastOptions
from snowroll.tasks.forecast.reading import read_series
from snowroll.tasks.forecast.recordings import Recording
from snowroll.tasks.forecast.scoring import scorer
from snowroll.tasks.forecast.training import augment, encode_targets, loss, taught
from snowroll.tasks.forecast.windows import Window, as_bytes, cut

SCHEMA = {"columns": ["a"], "targets": ["a"], "horizon": 4, "season": 1}


def told(values: list[float], **more: object) -> dict:
    return {"follows": [[v] for v in values], "scale": [2.0], "usual": 1.5, "series": "s", **more}


def test_skill_and_mase_are_their_formulas() -> None:
    truth = [told([1, 2, 3, 4]), told([0, 0, None, 0])]
    said = [
        Prediction({"follows": [[v + 1.0] for v in (1, 2, 3, 4)]}, None, 0.0),
        Prediction({"follows": [[2.0]] * 4}, None, 0.0),
    ]
    score = scorer(said, truth, SCHEMA)(None)
    assert score["mase"] == pytest.approx((0.5 + 1.0) / 2)
    assert score["skill"] == pytest.approx(1 - (0.5 + 1.0) / 3.0)
    assert score["mae"] == pytest.approx(1.5)
    assert score["rmse"] == pytest.approx(((1 + 4) / 2) ** 0.5)
    assert next(iter(score)) == task.headline
    np.testing.assert_allclose(task.credit(said, truth, SCHEMA), [1 / 1.5, 1 / 2.0])


def test_the_seasonal_naive_has_no_skill(tmp_path: Path) -> None:
    """What the folder's targets say of the naive forecast is what it does."""
    values = plain(700).astype(np.float32)
    reading = read(write(tmp_path / "d", {"load": values}), horizon=24, context=72)
    assert reading is not None
    assert reading.schema["season"] == 24
    targets, said = [], []
    rounded = np.array([float(f"{v:.3f}") for v in values], np.float32)
    for found in reading.found:
        if found.target is not None:
            origin = int(found.where.rpartition("@")[2].partition("-")[0])
            targets.append(found.target)
            said.append(Prediction({"follows": rounded[origin - 24 : origin, None].tolist()}, None, 0.0))
    assert scorer(said, targets, reading.schema)(None)["skill"] == pytest.approx(0, abs=1e-3)


def test_floors_are_what_they_are_called() -> None:
    past = np.arange(10, dtype=np.float32)[None, :, None] + np.zeros((3, 1, 1), np.float32)
    follows = np.arange(10, 14, dtype=np.float32)[None, :, None] + np.zeros((3, 1, 1), np.float32)
    rows = np.arange(3)
    usual, scale = np.full(3, 1.5, np.float32), np.full((3, 1), 2.0, np.float32)
    targets = {"follows": follows, "usual": usual, "scale": scale}
    found = naive_errors({"past": past}, targets, rows, {**SCHEMA, "season": 2})
    assert found["going on straight from the first value to the last"] == pytest.approx(0, abs=1e-6)
    assert found["repeating the last value"] == pytest.approx(2.5 / 2)
    assert found["repeating the last season"] == 1.5
    assert "repeating the last season" not in naive_errors({"past": past}, targets, rows, SCHEMA)
    told = {**targets, "usual": np.full(3, np.nan, np.float32)}
    assert task.floor({"past": past}, told, {"test": rows}, SCHEMA) == (0.0, "repeating the last value")


@pytest.mark.parametrize(("context", "season"), [(8, 24), (72, 24), (8, 1)])
def test_the_floor_is_the_skill_that_its_forecast_would_have(tmp_path: Path, context: int, season: int) -> None:
    """Also where a season is longer than what is looked back on, and where anomalies are labelled."""
    rng = np.random.default_rng(0)
    values = plain(700) if season > 1 else np.cumsum(rng.normal(0, 1, 700))
    values = np.array([float(f"{v:.3f}") for v in values], np.float32)
    marks = (rng.uniform(size=700) < 0.02).astype(np.float32)
    reading = read(write(tmp_path / "d", {"load": values, "anomaly": marks}), horizon=6, context=context)
    assert reading is not None
    assert reading.schema["season"] == season
    kept = [found for found in reading.found if found.split == "test"]
    origins = [int(found.where.rpartition("@")[2].partition("-")[0]) for found in kept]
    targets = [found.target for found in kept]
    columns = {"past": np.stack([values[k - context : k, None] for k in origins])}
    rows = {"test": np.arange(len(kept))}
    floor, what = task.floor(columns, task.encode_targets(targets, reading.schema, {}), rows, reading.schema)
    said = [Prediction({"follows": [[float(values[k - 1])]] * 6}, None, 0.0) for k in origins]
    skill = scorer(said, targets, reading.schema)(None)["skill"]
    assert floor == pytest.approx(max(0.0, skill), abs=1e-3)
    names = {"repeating the last season"} if season > 1 else {"repeating the last value"}
    assert what in names | {"repeating the last value (repeating the last season is 0)"}


def test_bands_hold_what_they_say_and_fences_keep_the_rate() -> None:
    """Raw bands of the wrong width, wider later: calibrated on some windows, they hold for others."""
    rng = np.random.default_rng(0)
    options = ForecastOptions(horizon=6, every=3, alarm_rate=0.01)

    def windows(n: int) -> tuple[Said, Targets]:
        wide = torch.linspace(1, 3, 6)[None, :, None].expand(n, -1, -1)
        middle = torch.zeros(n, 6, 1)
        truth = torch.from_numpy(rng.normal(0, 1, (n, 6, 1))).float() * wide
        said = Said(middle, middle - 0.3 * wide, middle + 5 * wide, middle, middle, torch.ones(n, 1, 1))
        return said, Targets(truth, middle[:, :0], truth[:, :0])

    calibration = fences(*windows(800), options)

    class Fixed(torch.nn.Module):
        def forward(self, said: Said) -> Said:
            return said

    said, targets = windows(4_000)
    said = Calibrated(Fixed(), calibration)(said)  # type: ignore[arg-type]
    inside = (targets.follows >= said.low) & (targets.follows <= said.high)
    assert float(inside.float().mean()) == pytest.approx(0.8, abs=0.02)
    out = (targets.follows < said.fence_low) | (targets.follows > said.fence_high)
    assert float(out[:, :3].float().mean()) == pytest.approx(0.01, abs=0.006)


def test_until_validation_has_set_fences_nothing_is_an_alarm() -> None:
    """A band of the raw quantiles leaves a fifth of all values outside."""
    options = ForecastOptions(horizon=4, context=8, every=2, columns=("a", "b"), targets=("a", "b"))
    schema = {"columns": ["a", "b"], "targets": ["a", "b"], "horizon": 4, "season": 1}
    network, past = Forecaster(options, schema), torch.randn(3, 8, 2)
    calibration = {"down": [[1.0] * 2] * 4, "up": [[1.0] * 2] * 4, "fence": 3.0}

    def say(model: torch.nn.Module) -> list[Prediction]:
        with torch.no_grad():
            outputs = task.postprocess(model(Inputs(past)), options)
        return task.decode({name: value.numpy() for name, value in outputs.items()}, schema, options)

    said, set_ = say(network), say(Calibrated(network, calibration))
    assert json.loads(json.dumps(said[0].value, allow_nan=False))["fence_low"] == [[None] * 2] * 4
    assert [task.same(one, one) for one in (*said, *set_)] == [1] * 6
    assert [task.same(one, other) for one, other in zip(said, set_, strict=True)] == [0] * 3
    n = torch.zeros(3, dtype=torch.int64)
    far = Batch(Inputs(past, torch.full((3, 2), 1e6), n + 1, n, n), None, n)
    for value in (one.value for one in task.at_length(network, far, said, schema, options)):
        assert (value["score"], value["alarm"], value["low"] < value["high"]) == (None, False, True)
    assert all(one.value["alarm"] for one in task.at_length(network, far, set_, schema, options))
    truth = [{"follows": [[1e6] * 2] * 4, "scale": [1.0, 1.0], "usual": 1.0, "series": "s"}] * 3
    assert "false alarms" not in scorer(said, truth, schema)(None)
    evidence = Evidence(network, lambda rows: far, [], said, truth, schema, options)
    assert "no fences were set" in list(task.explained(evidence))[-1].words
    window = Window(("a", "b"), past[0].numpy(), 8)
    assert all("fence_low" not in one.said for one in lines_of(window, truth[0], said[0].value, schema))
    assert all("fence_low" in one.said for one in lines_of(window, truth[0], set_[0].value, schema))
    task.draw(as_bytes(window), truth[0], said[0].value, schema)


def test_a_row_is_told_with_its_time_before_1970_too() -> None:
    options = ForecastOptions(horizon=4, context=8, columns=("a",), targets=("a",))
    schema = {**SCHEMA, "dated": True}
    times = (datetime(1949, 1, 31), datetime(2024, 1, 1), None)
    rows = []
    for at in times:
        seconds = None if at is None else at.replace(tzinfo=UTC).timestamp()
        window = Window(("a",), np.ones((9, 1), np.float32), 9, seconds, 60.0, True, judged=True)
        rows.append(task.encode(as_bytes(window), options, 1.0))
    columns = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
    names = ("follows", "low", "high", "fence_low", "fence_high")
    said = [Prediction({name: [[0.0]] * 4 for name in names}, None, 0.0)] * 3
    judged = task.at_length(None, task.batch(columns, torch.arange(3)), said, schema, options)
    assert [one.value["time"] for one in judged] == ["1949-01-31T00:00:00", "2024-01-01T00:00:00", 8]


@pytest.mark.parametrize("model", ["linear", "mixer"])
def test_learns_nothing_of_the_level_and_the_unit(model: str) -> None:
    """A window in other units, on another level, has the same forecast in those."""
    options = ForecastOptions(model=model, horizon=4, context=32, columns=("a", "b"), targets=("b",), width=8)
    schema = {"columns": ["a", "b"], "targets": ["b"]}
    torch.manual_seed(0)
    network = Forecaster(options, schema).eval()
    for p in network.parameters():
        torch.nn.init.normal_(p, std=0.1)
    network.usual.fill_(1e-6)
    past = torch.randn(3, 32, 2)
    one, other = network(Inputs(past)), network(Inputs(1000 * past + 7))
    torch.testing.assert_close(other.middle, 1000 * one.middle + 7, rtol=1e-3, atol=1.0)
    assert one.middle.shape == (3, 4, 1)
    assert (one.low <= one.middle).all()
    assert (one.middle <= one.high).all()


def test_windows_that_begin_earlier_are_windows_of_the_series() -> None:
    line = torch.arange(100.0)
    options = ForecastOptions(horizon=4, context=10, shift=3, columns=("a",), targets=("a",))
    past = torch.stack([line[k : k + 10] for k in (3, 20, 50)])[..., None]
    before = torch.stack([line[k - 3 : k] for k in (3, 20, 50)])[..., None]
    follows = torch.stack([line[k + 10 : k + 14] for k in (3, 20, 50)])[..., None]
    seen = set()
    for epoch in range(20):
        batch = Batch(Inputs(past), Targets(follows, before, past[:, -3:]), torch.arange(3))
        moved = augment(batch, CounterDraw(0, epoch, batch.ids), options)
        both = torch.cat([moved.inputs.past, moved.targets.follows], dim=1)[..., 0]
        assert (both.diff(dim=1) == 1).all()
        seen |= set((both[:, 0] - past[:, 0, 0]).tolist())
    assert seen == {0.0, -1.0, -2.0, -3.0}


@pytest.mark.parametrize("shift", [3, 15])  # shorter and longer than what is looked back on
def test_what_is_odd_or_missing_teaches_nothing_in_windows_that_begin_earlier_either(shift: int) -> None:
    values = np.stack([np.arange(100), -np.arange(100)], axis=1).astype(np.float32)
    truth = values[:, 1].copy()
    marks = np.zeros(100, np.int8)
    marks[[20, 21, 40, 60]], truth[[20, 21, 40, 60]] = 1, np.nan
    values[[30, 59], 1], truth[[30, 59]] = np.nan, np.nan
    one = Recording("", ("a", "b"), values, marks=marks)
    options = ForecastOptions(horizon=4, context=10, shift=shift, columns=("a", "b"), targets=("b",))
    places = [k for k in range(6, 96) if k >= 10 + shift or k < 12]  # the first have a short past
    targets = [
        told(truth[k : k + 4].tolist(), odd=marks[k : k + 4].tolist()) | {"follows": values[k : k + 4, 1:].tolist()}
        for k in places
    ]
    rows = [task.encode(as_bytes(cut(one, k, 10 + shift)), options, 1.0) for k in places]
    columns = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
    columns |= {name: torch.from_numpy(column) for name, column in encode_targets(targets, SCHEMA).items()}
    batch = task.batch(columns, torch.arange(len(places)))
    moves = set()
    for epoch in range(20):
        moved = task.augment(batch, CounterDraw(0, epoch, batch.ids), options)
        first = moved.inputs.past[:, -1, 0].long() + 1  # column `a` counts the rows
        moves |= set((torch.tensor(places) - first).tolist())
        for row, begin in enumerate(first.tolist()):
            if begin >= 10:
                np.testing.assert_array_equal(moved.targets.follows[row, :, 0], truth[begin : begin + 4])
    assert moves == set(range(shift + 1))


def test_what_is_labelled_odd_teaches_nothing() -> None:
    targets = [told([1, 2, 3, 4], odd=[0, 1, 0, 0]), told([1, 2, 3, 4], odd=[1, 1, 1, 0]), told([None] * 4)]
    columns = {name: torch.from_numpy(column) for name, column in encode_targets(targets, SCHEMA).items()}
    assert taught(targets).tolist() == [True, False, False]
    options = ForecastOptions(horizon=4, context=8, columns=("a",), targets=("a",))
    network = Forecaster(options, SCHEMA)
    none = torch.zeros(3, 0, 1)
    zeros = torch.zeros(3, dtype=torch.int64)
    inputs = {"past": torch.randn(3, 8, 1), "came": torch.zeros(3, 1), "step": zeros, "row": zeros, "at_ms": zeros}
    batch = task.batch({**inputs, **columns, "before": none, "told": none}, torch.arange(3))
    assert batch.targets.follows[0].isnan().flatten().tolist() == [False, True, False, False]
    losses = loss(network, batch, options)
    losses.sum().backward()
    assert torch.isfinite(losses).all()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


# with a trained model ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learnt(tmp_path_factory.mktemp("forecast") / "p", {"load": plain()})


def rows_of(project: Path, values: np.ndarray) -> list[dict]:
    folder = write(project / "new", {"load": values})
    lines = snowroll("predict", project, folder / "load.csv", "--json").out.splitlines()
    return [json.loads(line)["prediction"] for line in lines]


def scores_of(project: Path, values: np.ndarray) -> np.ndarray:
    """[T] the score of each hour; 0 before the first that is judged."""
    told = [row["score"] or 0.0 for row in rows_of(project, values) if "score" in row]
    return np.concatenate([np.zeros(len(values) - len(told)), told])


@pytest.mark.slow
def test_forecasts_better_than_the_season_before(project: Path) -> None:
    judged = snowroll("eval", project, "--json").json
    assert judged["interval"][0] > 0.1
    assert 0.65 < judged["metrics"]["coverage"]["value"] < 0.95
    report = next(project.glob("runs/*-train/report.html")).read_text()
    for part in ("How far ahead", "error by step", "Alarms", "Ordinary windows", "Worst windows"):
        assert part in report
    intact(project)


@pytest.mark.slow
def test_planted_anomalies_raise_alarms_and_clean_series_few(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At the stated rate of 0.5 % of the hours; spikes of eight deviations of the noise, and what lasts for a day."""
    quiet = [scores_of(project, plain(seed=seed))[200:] > 1 for seed in (11, 12)]
    rate = float(np.mean(quiet))
    rng = np.random.default_rng(5)
    spots = rng.choice(np.arange(300, 1000), 20, replace=False)
    values = plain(seed=20)
    values[spots] += rng.choice([-8.0, 8.0], 20)
    found = float((scores_of(project, values)[spots] > 1).mean())
    at, alarms = 700, {}
    for kind in ("level", "frozen", "period"):
        values = plain(seed=21)
        if kind == "level":
            values[at:] += 12
        elif kind == "frozen":
            values[at : at + 48] = values[at]
        else:
            values[at : at + 48] = 107 + 20 * np.sin(2 * np.pi * np.arange(48) / 12)
        alarms[kind] = int((scores_of(project, values)[at : at + 24] > 1).sum())
    with capsys.disabled():
        print(f"\n  false alarms {rate:.2%} (0.5 % stated); spikes found {found:.0%}; alarms within a day: {alarms}")
    assert rate < 0.015
    assert found >= 0.8
    assert min(alarms.values()) >= 3


@pytest.mark.slow
def test_a_live_signal_is_judged_as_its_recording(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = plain(400, seed=3).round(3)
    values[250] = np.nan
    batch = [row for row in rows_of(project, values) if "score" in row]
    monkeypatch.setattr(sys, "stdin", StringIO("load\n" + "\n".join(map(str, values)) + "\n"))
    said = snowroll("predict", project, "--live", f"{1 / 3600:.9f}", "--json")
    live = [json.loads(line)["prediction"] for line in said.out.splitlines()]
    assert len(live) == len(batch) > 100
    for one, other in zip(live, batch, strict=True):
        assert one["alarm"] == other["alarm"]
        for name in ("value", "forecast", "low", "high", "score"):
            assert one[name] == (None if other[name] is None else pytest.approx(other[name], rel=1e-3))
    last = rows_of(project, values)[-1]
    assert last["from"] == "2024-01-17T16:00:00"
    assert len(last["follows"]) == 24


@pytest.mark.slow
def test_a_series_too_short_to_validate_on_is_served_without_alarms(tmp_path: Path) -> None:
    at = np.arange(144)
    root = learnt(tmp_path / "p", {"load": 100 + at + 20 * np.sin(2 * np.pi * at / 12) + plain(144, 1) / 20})
    assert "no fences were set" in next(root.glob("runs/*-train/report.html")).read_text()
    judged = [row for row in rows_of(root, 300.0 - at) if "score" in row]
    assert len(judged) > 50
    assert {(row["score"], row["alarm"]) for row in judged} == {(None, False)}


@pytest.mark.slow
def test_others_data_is_cut_as_the_model_was_taught(project: Path, tmp_path: Path) -> None:
    """A season of its own would give that folder another horizon."""
    days = 100 + 10 * np.sin(2 * np.pi * np.arange(500) / 7) + plain(500, 2) / 50
    folder = write(tmp_path / "other", {"load": days})
    reading = read(folder)
    assert reading is not None
    assert reading.schema["horizon"] == 7
    judged = snowroll("eval", project, "--data", folder, "--json")
    assert judged.code == 0, judged.err
    assert judged.json["n"] > 20


def test_with_nothing_to_learn_from_every_window_is_judged(tmp_path: Path) -> None:
    """As of an outside folder; 300 rows are too few to learn from, and enough to judge windows of 96 and 24."""
    folder = write(tmp_path, {"load": plain(300)})
    settings = PrepareSettings(workers=1, test=1.0, val=0.0, asked={"horizon": 24, "context": 96})
    reading = read_series(Folder(folder), settings)
    assert reading is not None
    found = [one for one in reading.found if one.target is not None]
    assert {one.split for one in found} == {"test"}
    assert len(found) == 300 - 24 - 96 + 1


@pytest.mark.slow
def test_labelled_anomalies_are_judged_by(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    values, marks = plain(), np.zeros(24 * 42)
    for spot in [*rng.choice(np.arange(50, 700), 6, replace=False), 850, 870, 905, 931, 960, 985]:
        values[spot : spot + 2] += 15
        marks[spot : spot + 2] = 1
    root = learnt(tmp_path / "p", {"load": values, "anomaly": marks})
    judged = snowroll("eval", root, "--json").json["metrics"]
    assert judged["alarm recall"]["value"] > 0.7
    assert judged["alarm AUROC"]["value"] > 0.9
    assert judged["false alarms"]["value"] < 0.05
