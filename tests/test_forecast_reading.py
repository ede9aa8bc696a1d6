"""Series as they lie: layouts, times, steps; splits by time that share nothing; what `check` finds in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from house_kit import refused, snowroll
from hypothesis import given, settings
from hypothesis import strategies as st
from series_kit import plain, read, write

from snowroll.base.errors import DataError, UsageError
from snowroll.project.opened import open_project
from snowroll.project.stock import take_stock
from snowroll.tasks.forecast.clocks import grid_of, read_times, step_in_words
from snowroll.tasks.forecast.example import as_csv
from snowroll.tasks.forecast.oddities import oddities
from snowroll.tasks.forecast.recordings import Recording, recordings_of
from snowroll.tasks.forecast.season import season_of
from snowroll.tasks.forecast.shape import borders, origins, shape_of
from snowroll.tasks.forecast.windows import Window, as_bytes, cut, name_of, open_window, pieces

BEGIN = datetime(2024, 1, 1)


def table(form: str, values: np.ndarray, mark: str = ",", step: timedelta = timedelta(hours=1)) -> bytes:
    times = [(BEGIN + k * step).strftime(form) for k in range(len(values))]
    comma = (lambda v: f"{v:.3f}".replace(".", ",")) if mark == ";" else (lambda v: f"{v:.3f}")
    return "\n".join([f"when{mark}v", *(f"{t}{mark}{comma(v)}" for t, v in zip(times, values, strict=True))]).encode()


@pytest.mark.parametrize(
    ("form", "mark"),
    [
        ("%Y-%m-%d %H:%M:%S", ","), ("%Y-%m-%dT%H:%M:%SZ", ","), ("%d.%m.%Y %H:%M", ";"), ("%d/%m/%Y %H:%M", "\t"),
        ("%m/%d/%Y %I:%M %p", ","), ("%Y/%m/%d %H:%M", ","), ("%Y-%m-%d %H:%M:%S+01:00", ","),
    ],
)  # fmt: skip
def test_reads_times_in_many_spellings(form: str, mark: str) -> None:
    values = plain(24 * 40)
    (one,) = recordings_of(table(form, values, mark).replace(b"when", b"Date time"), 1e9)
    assert (one.step_s, len(one.values), one.columns, one.dated) == (3600.0, 960, ("v",), True)
    np.testing.assert_allclose(one.values[:, 0], values, atol=1e-3)
    utc = datetime(2024, 1, 1, tzinfo=UTC).timestamp() - (3600 if "+01" in form else 0)
    assert one.start == utc


@pytest.mark.parametrize(
    ("form", "step"),
    [
        *((form, step) for form in ("%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y") for step in ("month", "quarter")),
        *((form, "hour") for form in ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")),
    ],
)
def test_a_day_is_told_from_a_month_by_even_steps(form: str, step: str) -> None:
    """Where both readings rise: firsts of months, and the first days of one."""
    months = 3 if step == "quarter" else 1
    firsts = [datetime(1989 + months * k // 12, months * k % 12 + 1, 1) for k in range(60)]
    whole = [datetime(2024, 2, 1) + timedelta(hours=k) for k in range(24 * 9)] if step == "hour" else firsts
    for gone in ((), (7, 20)):
        kept = [at for k, at in enumerate(whole) if k not in gone]
        told = read_times([at.strftime(form) for at in kept])
        assert told is not None
        assert told.seconds.tolist() == [at.replace(tzinfo=UTC).timestamp() for at in kept]


def test_reads_epochs_wide_long_lines_arrays_and_parquet(tmp_path: Path) -> None:
    one, other = plain(300), plain(300, 1)
    start = 1_700_000_000
    ms = "\n".join(["ts,a,b", *(f"{(start + 60 * k) * 1000},{one[k]:.2f},{other[k]:.2f}" for k in range(300))])
    (wide,) = recordings_of(ms.encode(), 1e9)
    assert (wide.columns, wide.step_s, wide.start) == (("a", "b"), 60.0, start)
    rows = [
        f"{s},{(BEGIN + timedelta(days=k)).date()},{v[k]:.2f}"
        for k in range(200)
        for s, v in (("x", one), ("y", other))
    ]
    long = recordings_of("\n".join(["unique_id,ds,y", *rows]).encode(), 1e9)
    assert [(r.name, r.step_s, len(r.values)) for r in long] == [("x", 86_400.0, 200), ("y", 86_400.0, 200)]
    np.testing.assert_allclose(long[1].values[:, 0], other[:200], atol=0.01)
    lines = "\n".join(json.dumps({"time": start + k, "cpu": one[k]}) for k in range(300))
    assert recordings_of(lines.encode(), 1e9)[0].columns == ("cpu",)
    np.save(tmp_path / "x.npy", np.stack([one, other], axis=1))
    (array,) = recordings_of((tmp_path / "x.npy").read_bytes(), 1e9)
    assert (array.columns, array.at(5)) == (("value 1", "value 2"), None)
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    when = [BEGIN + timedelta(hours=k) for k in range(300)]
    parquet.write_table(arrow.table({"date": when, "load": one}), tmp_path / "x.parquet")
    (packed,) = recordings_of((tmp_path / "x.parquet").read_bytes(), 1e9)
    assert (packed.columns, packed.step_s) == (("load",), 3600.0)


def test_newest_first_gaps_doubles_and_calendars() -> None:
    values = plain(100)
    lines = table("%Y-%m-%d %H:%M", values).replace(b"when", b"time").decode().splitlines()
    head, body = lines[0], lines[1:]
    (turned,) = recordings_of("\n".join([head, *body[::-1]]).encode(), 1e9)
    np.testing.assert_allclose(turned.values[:, 0], values, atol=1e-3)
    (torn,) = recordings_of("\n".join([head, *body[:40], *body[50:], body[7]]).encode(), 1e9)
    assert len(torn.values) == 100
    assert np.isnan(torn.values[40:50]).all()
    assert (torn.told["gaps"], torn.told["missing_steps"], torn.told["doubled"]) == (1, 10, 1)
    months = "\n".join(["Month,v", *(f"{1990 + k // 12}-{k % 12 + 1:02},{k}" for k in range(60))])
    (by_month,) = recordings_of(months.encode(), 1e9)
    assert (by_month.calendar, len(by_month.values)) == ("months", 60)
    days = [BEGIN + timedelta(days=k) for k in range(60)]
    work = "\n".join(["date,v", *(f"{d.date()},{k}" for k, d in enumerate(days) if d.weekday() < 5)])
    assert recordings_of(work.encode(), 1e9)[0].calendar == "working days"


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "Europe/Berlin", "America/New_York", "Pacific/Auckland"])
@pytest.mark.parametrize(("calendar", "months"), [("months", 1), ("quarters", 3), ("years", 12)])
@pytest.mark.parametrize("of", ["first", "last", "last working day"])
@given(gone=st.sets(st.integers(1, 58), max_size=12))
@settings(max_examples=10)
def test_a_calendar_with_gaps_is_still_one(of: str, calendar: str, months: int, zone: str, gone: set[int]) -> None:
    """Midnights in a zone, told in UTC: no step is of one length, and each row keeps its place."""
    whole = []
    for k in range(60):
        at = datetime(1990 + months * k // 12, months * k % 12 + 1, 1)
        at -= timedelta(days=of != "first")
        while of.endswith("day") and at.weekday() > 4:
            at -= timedelta(days=1)
        whole.append(at.replace(tzinfo=ZoneInfo(zone)).timestamp())
    kept = np.array([k for k in range(60) if k not in gone])
    grid = grid_of(np.array(whole)[kept])
    assert (grid.calendar, grid.steps, grid.doubled) == (calendar, 60, 0)
    np.testing.assert_array_equal(grid.place, kept)
    assert sum(n for _, n in grid.gaps) == len(gone)
    np.testing.assert_allclose(grid.times, whole, rtol=0, atol=86_400 * (4 if of.endswith("day") else 1))
    np.testing.assert_array_equal(grid.times[kept], np.array(whole)[kept])


@pytest.mark.parametrize("days", [1, 7, 28, 30, 31, 91, 182])
def test_even_steps_of_days_are_no_calendar(days: int) -> None:
    even = np.delete(np.arange(60) * days * 86_400.0, [10, 30, 31])
    grid = grid_of(even)
    assert (grid.calendar, grid.step_s, grid.steps, grid.gaps) == ("", days * 86_400.0, 60, ((10, 1), (30, 2)))


def test_a_missing_month_is_a_gap() -> None:
    rows = [f"{1990 + k // 12}-{k % 12 + 1:02}-01,{k}" for k in range(120) if k not in (37, 60)]
    (one,) = recordings_of("\n".join(["date,v", *rows]).encode(), 1e9)
    assert (one.told["doubled"], one.told["missing_steps"], len(one.values)) == (0, 2, 120)
    assert np.flatnonzero(np.isnan(one.values[:, 0])).tolist() == [37, 60]
    assert [one.at(k) for k in (36, 37, 38)] == [datetime(1993, k, 1, tzinfo=UTC).timestamp() for k in (1, 2, 3)]
    assert open_window(as_bytes(cut(one, 38, 20)), 1e9).at == one.at(37)


def test_clocks_that_are_put_back() -> None:
    zone = ZoneInfo("Europe/Berlin")
    hours = [(datetime(2023, 10, 28, tzinfo=UTC) + timedelta(hours=k)).astimezone(zone) for k in range(60)]
    told = read_times([at.isoformat() for at in hours])
    assert told is not None
    assert (told.zone, told.zones, grid_of(told.seconds).doubled) == ("UTC", 2, 0)
    local = read_times([at.strftime("%Y-%m-%d %H:%M") for at in hours])
    assert local is not None
    assert (local.zone, grid_of(local.seconds).doubled) == ("local", 1)
    assert read_times(["a1", "b2"]) is None
    assert step_in_words(900.0) == "15 minutes"


def test_finds_the_season() -> None:
    assert season_of([plain(24 * 30)], 3600.0)[0] == 24
    at = np.arange(900)
    rng = np.random.default_rng(0)
    assert season_of([np.sin(2 * np.pi * at / 50) + rng.normal(0, 0.3, 900)], 0.0)[0] in (49, 50, 51)
    assert season_of([np.cumsum(rng.normal(0, 1, 900))], 3600.0)[0] == 1
    assert season_of([rng.normal(0, 1, 900)], 3600.0)[0] == 1
    slow = 8 * np.sin(np.arange(900) / 58) + rng.normal(0, 1, 900)
    assert season_of([slow, np.abs(rng.normal(0, 1, 900))], 86_400.0)[0] == 1  # what is smooth wriggles as it forgets


@pytest.mark.parametrize(("length", "horizon", "context"), [(1_000, 24, 96), (400, 7, 28), (200, 12, 24)])
def test_splits_share_no_value_that_is_told(length: int, horizon: int, context: int) -> None:
    """A horizon lies between what is told in one split and in the next; nothing of the test is seen in training."""
    one = Recording("", ("v",), plain(length)[:, None].astype(np.float32))
    shape = shape_of([one], ["v"], 0.2, 0.1, {"horizon": horizon, "context": context})
    told: dict[str, set[int]] = {"train": set(), "val": set(), "test": set()}
    seen: dict[str, set[int]] = {"train": set(), "val": set(), "test": set()}
    for origin, split in origins(length, shape, 0.2, 0.1):
        assert split is not None
        told[split] |= set(range(origin, origin + horizon))
        seen[split] |= set(range(max(0, origin - context - shape.stride + 1), origin))
    assert all(told.values())
    assert min(told["val"]) - max(told["train"]) > horizon
    assert min(told["test"]) - max(told["val"]) > horizon
    assert max(seen["train"]) < min(told["val"])
    assert not (seen["train"] | told["train"]) & (told["val"] | told["test"])
    to_val, to_test = borders(length, horizon, 0.2, 0.1)
    assert to_val < to_test < length


@pytest.mark.slow
def test_a_series_that_grows_keeps_its_windows(tmp_path: Path) -> None:
    """The cut that was planned first stays, though a longer series would be planned otherwise."""
    whole = plain(24 * 40)
    wheres, names = [], []
    for hours in (24 * 24, 24 * 40):
        write(tmp_path / "data", {"load": whole[:hours]})
        if not wheres:
            assert snowroll("init", tmp_path, "--json").code == 0
        opened = open_project(tmp_path, {})
        stock = take_stock(opened, lambda _: None)
        wheres.append({one.where for one in stock.samples if one.id in stock.targets})
        names.append({one.id for one in stock.samples if one.id in stock.targets})
    assert len(wheres[0] & wheres[1]) > 0.75 * len(wheres[0])
    assert len(names[0] & names[1]) == len(wheres[0] & wheres[1])  # to the last byte


def test_what_is_told_and_what_only_helps(tmp_path: Path) -> None:
    folder = write(tmp_path / "d", {"load": plain(600), "outside": plain(600, 1)})
    reading = read(folder, targets=("load",), horizon=5, context=30)
    assert reading is not None
    assert (reading.schema["targets"], reading.schema["columns"]) == (["load"], ["load", "outside"])
    target = next(found.target for found in reading.found if found.split == "train")
    assert np.shape(target["follows"]) == (5, 1)
    assert any("of the past alone: outside" in line for line in reading.evidence)
    assert [found.target for found in reading.found].count(None) == 1  # what follows the end is not there yet
    with pytest.raises(UsageError, match="no column 'laod'"):
        read(folder, targets=("laod",))
    with pytest.raises(UsageError, match="too few"):
        read(folder, horizon=500)
    assert read(folder, horizon=24, every=24) is not None
    with pytest.raises(UsageError, match="48 steps from one forecast to the next, and 24 are told"):
        read(folder, every=48)  # a season of 24 is found


def test_classes_of_rows_are_no_series(tmp_path: Path) -> None:
    """As y_train.txt and subject_train.txt lie beside X_train.txt."""
    (tmp_path / "y_train.txt").write_text("".join(f"{n % 6 + 1}\n" for n in range(120)))
    assert read(tmp_path) is None
    (tmp_path / "counts.txt").write_text("".join(f"{50 + n % 12 * 9 + n % 7}\n" for n in range(120)))
    reading = read(tmp_path)
    assert reading is not None
    assert {one.where.partition("///")[0] for one in reading.found} == {"counts.txt"}


@pytest.mark.slow
def test_takes_no_table_for_a_series(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "h").mkdir()
    rows = "\n".join(["rooms,area,price", *(f"{a:.3f},{b:.3f},{c:.3f}" for a, b, c in rng.normal(0, 1, (200, 3)))])
    (tmp_path / "h" / "houses.csv").write_text(rows)
    assert snowroll("init", tmp_path / "p", "--data", tmp_path / "h", "--json").json["task"] == "tabular_values"
    asked = ("init", tmp_path / "q", "--data", tmp_path / "h", "--task", "forecast")
    refused(snowroll(*asked), "houses.csv", "no column of times", code=1)
    assert snowroll(*asked, "--task.horizon", "3").code == 0
    (tmp_path / "w").mkdir()
    lines = as_csv(np.arange(300), {"rain": plain(300)}).splitlines()
    few = [f"{line},{'ab'[k % 2] if k else 'class'}" for k, line in enumerate(lines[:31])]
    write(tmp_path / "s", {"rain": plain(30)})
    (tmp_path / "s" / "load.csv").write_text("\n".join(few))  # too short to be forecast is no error of a table
    assert snowroll("init", tmp_path / "t", "--data", tmp_path / "s", "--json").json["task"] == "tabular"
    kinds = ["weather", *(["wet", "dry", "snow"] * 100)]
    (tmp_path / "w" / "w.csv").write_text("\n".join(f"{a},{b}" for a, b in zip(lines, kinds, strict=True)))
    assert snowroll("init", tmp_path / "r", "--data", tmp_path / "w", "--json").json["task"] == "tabular"


def test_many_short_series_are_split_whole(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    rows = [f"s{s},{1990 + k}-01-01,{100 + s + 3 * k}" for s in range(30) for k in range(18)]
    (tmp_path / "m" / "y.csv").write_text("\n".join(["id,year,v", *rows]))
    reading = read(tmp_path / "m")
    assert reading is not None
    groups = {found.group for found in reading.found if found.target}
    assert len(groups) == 30
    assert {found.split for found in reading.found} == {None}


def test_windows_come_back_as_they_went_and_damage_is_told(tmp_path: Path) -> None:
    raw = as_csv(np.arange(200), {"a": plain(200), "b": plain(200, 1)}).encode()
    (one,) = recordings_of(raw, 1e9)
    name = name_of("", 100, 30, 6)
    got = open_window(pieces(raw, [name, "nonsense", name_of("x", 5, 5, 5)])[name], 1e9)
    np.testing.assert_array_equal(got.values, one.values[70:100])
    assert (got.after, got.at, got.columns) == (100, one.at(99), ("a", "b"))
    good = as_bytes(cut(one, 100, 30))
    for broken in (good[:-9], good + b"x", good.replace(b'"rows":30', b'"rows":99'), good[:30]):
        with pytest.raises(DataError):
            open_window(broken, 1e9)
    marks = np.where(np.arange(200) == 85, 1, 0).astype(np.int8)
    marked = as_bytes(cut(replace(one, marks=marks), 100, 30))
    assert (open_window(marked, 1e9).odd, open_window(good, 1e9).odd) == ((15,), ())
    with pytest.raises(DataError):
        open_window(marked.replace(b'"odd":[15]', b'"odd":[30]'), 1e9)
    sent = open_window(json.dumps({"a": [1, 2, 3], "b": [4, None, 6]}).encode(), 1e9)
    np.testing.assert_array_equal(
        sent.values,
        np.array(
            [
                [1, 4],
                [
                    2,
                    np.nan,
                ],
                [3, 6],
            ],
            np.float32,
        ),
    )
    assert isinstance(sent, Window)


@pytest.mark.slow
def test_planted_faults_are_found_and_clean_series_are_not_accused(tmp_path: Path) -> None:
    clean = {"a": plain(900), "b": 30 + plain(900, 1) / 3}
    for seed in range(3):
        calm = Recording("", ("a", "b"), np.stack([plain(900, seed), plain(900, 9 + seed)], axis=1).astype(np.float32))
        found = oddities(calm)
        assert not any(found[kind] for kind in ("frozen", "spikes", "shifts", "constant", "copies")), found
    bad = {name: values.copy() for name, values in clean.items()}
    bad["a"][300:340] = bad["a"][300]
    bad["b"][500] = 900
    bad["later"] = np.concatenate([bad["a"][3:], bad["a"][:3]])
    bad["unit"] = plain(900, 4) * np.where(np.arange(900) < 600, 1, 1000)
    bad["still"] = np.full(900, 5.0)
    bad["b"][100:130] = np.nan
    folder = write(tmp_path / "data", bad)
    assert snowroll("init", tmp_path, "--json").code == 0
    codes = {fault["code"] for fault in snowroll("check", tmp_path, "--json").json["faults"]}
    assert {"frozen_stretch", "spikes", "tells_the_future", "unit_change", "constant_series"} <= codes
    lines = (folder / "load.csv").read_text().splitlines()
    (folder / "load.csv").write_text("\n".join([*lines[:200], *lines[260:], lines[50]]))
    codes = {fault["code"] for fault in snowroll("check", tmp_path, "--json").json["faults"]}
    assert {"gaps_in_time", "doubled_times", "unordered_times"} <= codes
