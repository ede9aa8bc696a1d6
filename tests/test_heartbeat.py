"""Beats: cut out of their records, found in live signals, scored as cardiology scores them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, f1_score
from wfdb_kit import write_record

from snowroll.base.errors import DataError
from snowroll.base.nouns import Batch, Sample
from snowroll.base.task import Fingerprint
from snowroll.design.series import NAMES, build
from snowroll.evaluate.agreement import j_kappa, scorer
from snowroll.prepare.augment import CounterDraw
from snowroll.prepare.bundles import as_bundle
from snowroll.prepare.look import Look
from snowroll.prepare.pieces import stream_pieces
from snowroll.prepare.read import Folder
from snowroll.prepare.series import as_npz, open_series
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.signals import Series
from snowroll.prepare.view import View
from snowroll.tasks.heartbeat import task
from snowroll.tasks.heartbeat.beats import PAST, Record, class_of, intervals_of, pieces
from snowroll.tasks.heartbeat.deploying import Fitted
from snowroll.tasks.heartbeat.example import recorded
from snowroll.tasks.heartbeat.fitting import Raw, encoded, raw_of, timing_of
from snowroll.tasks.heartbeat.looking import drawn, look
from snowroll.tasks.heartbeat.monitor import Monitor
from snowroll.tasks.heartbeat.options import MOST_POINTS, HeartbeatOptions
from snowroll.tasks.heartbeat.reading import read_recordings, samples_in
from snowroll.tasks.heartbeat.rhythm import find_beats
from snowroll.tasks.heartbeat.training import augment

RHYTHM = "NNNVNNSNNNVNSNNVNNNSNN"
ABOUT = HeartbeatOptions(about="beat", channels=2, timing=True, lead="MLII")
ONE = PrepareSettings(workers=1)


# time ----------------------------------------------------------------------------------------------------------------


def test_intervals_end_with_the_beats_own() -> None:
    beats = np.array([0.0, 1.0, 1.8, 3.0, 9.0])
    assert intervals_of(beats, 1.8)[-4:].tolist() == pytest.approx([0, 1.0, 0.8, 1.2])
    assert intervals_of(beats, 3.0)[-1] == pytest.approx(2.0)  # that long it is waited for
    assert not intervals_of(np.zeros(0), 1.0).any()


@given(st.floats(0.4, 1.6), st.floats(0.5, 1.5))
def test_timings_do_not_tell_a_slow_heart_from_a_fast_one(usual: float, early: float) -> None:
    """But for the two that are there to tell it."""
    one, other = np.full(PAST + 1, 0.8, np.float32), np.full(PAST + 1, usual, np.float32)
    one[PAST - 1] *= early
    other[PAST - 1] *= early
    told = [timing_of(intervals) for intervals in (one, other)]
    np.testing.assert_allclose(told[0][:5], told[1][:5], atol=1e-4)


@pytest.mark.parametrize("known", range(4))
def test_unknown_intervals_are_zeros(known: int) -> None:
    intervals = np.zeros(PAST + 1, np.float32)
    intervals[PAST - known : PAST] = 0.9
    assert np.isfinite(timing_of(intervals)).all()


# cutting -------------------------------------------------------------------------------------------------------------


def test_a_beat_comes_with_its_signal_its_rhythm_and_what_is_usual() -> None:
    series = recorded(1, RHYTHM)
    record = Record(as_npz(series))
    frame = int(record.frames[10])
    excerpt = record.excerpt(frame)
    at = round((excerpt.beat_s or 0) * excerpt.rate_hz)
    start = frame - at
    assert np.array_equal(excerpt.signal, series.signal[start : start + len(excerpt.signal)])
    assert len(excerpt.beats_s) == 12  # ten before it, itself, and the next
    near = excerpt.beats_s[10]
    assert near == pytest.approx(excerpt.beat_s)
    assert excerpt.usual is not None
    assert abs(int(np.abs(excerpt.usual[:, 0]).argmax()) - 60) < 4  # the peak, 0.6 s from its beginning
    assert Record(as_npz(series)).excerpt(int(record.frames[0])).usual is None


def test_pieces_depend_on_nothing_but_their_names() -> None:
    raw = as_npz(recorded(2, RHYTHM))
    frames = [str(frame) for frame in Record(raw).frames]
    whole = pieces(raw, frames)
    for frame in frames:
        assert pieces(raw, [frame]) == {frame: whole[frame]}
    assert pieces(raw, ["99999999", frames[3]]).keys() == {frames[3]}


def test_whoever_asks_about_a_recording_is_told_of_the_beat_in_its_middle() -> None:
    series = recorded(3, RHYTHM)
    bare = as_npz(Series(series.signal, series.rate_hz, series.leads, series.unit))
    raw = raw_of(bare, ABOUT, 1e7)
    assert raw.intervals[PAST - 1] > 0
    assert raw.usual.shape[0] > 2
    with pytest.raises(DataError, match="no sampling rate"):
        raw_of(as_npz(Series(series.signal)), ABOUT, 1e7)
    with pytest.raises(DataError, match="no beat is found"):
        raw_of(as_npz(Series(np.zeros((900, 2), np.float32), 100.0)), ABOUT, 1e7)


def test_leads_are_found_by_their_names() -> None:
    series = recorded(4, RHYTHM)
    turned = Series(
        series.signal[:, ::-1], series.rate_hz, series.leads[::-1], series.unit, None, series.beats_s, series.symbols
    )
    first = str(Record(as_npz(series)).frames[0])  # nothing is usual yet
    assert raw_of(pieces(as_npz(turned), [first])[first], ABOUT, 1e7).usual.shape == (2, 2)
    frame = int(Record(as_npz(series)).frames[5])
    told = [
        encoded(raw_of(pieces(as_npz(one), [str(frame)])[str(frame)], ABOUT, 1e7), ABOUT) for one in (series, turned)
    ]
    assert np.array_equal(told[0]["trace"], told[1]["trace"])
    lone = Series(series.signal[:, :1], 100.0, ("MLII",), "mV", None, series.beats_s, series.symbols)
    seen = encoded(raw_of(pieces(as_npz(lone), [str(frame)])[str(frame)], ABOUT, 1e7), ABOUT)["trace"]
    assert not seen[1].any()
    assert np.array_equal(seen[0], told[0]["trace"][0])


@given(st.floats(20, 600), st.integers(2, 700), st.floats(-1, 5), st.sampled_from([1, 2]), st.integers(0, 1 << 20))
@settings(max_examples=40)
def test_the_graph_says_what_the_arrays_say(rate: float, length: int, moment: float, channels: int, seed: int) -> None:
    options = HeartbeatOptions(about="beat", channels=channels, rate_hz=100.0, before_s=0.3, after_s=0.4)
    rng = np.random.default_rng(seed)
    intervals = (rng.uniform(0.3, 2, PAST + 1) * (rng.uniform(size=PAST + 1) < 0.7)).astype(np.float32)
    signal = rng.normal(size=(length, channels)).astype(np.float32)
    usual = rng.normal(size=(round(1.4 * rate) + 1, channels)).astype(np.float32)
    raw = Raw(signal, np.array([rate, moment], np.float32), intervals, usual)
    trace, timing = Fitted(options)(*(torch.from_numpy(array) for array in raw))
    expected = encoded(raw, options)
    np.testing.assert_allclose(trace[0].numpy(), expected["trace"], atol=2e-5)
    np.testing.assert_allclose(timing[0].numpy(), expected["timing"], atol=1e-4)


@pytest.mark.parametrize("length", [5_000, 60_000, 500_000])
def test_the_graph_says_of_long_recordings_what_the_arrays_say(length: int) -> None:
    """Also on a level far from zero: its running sums are large."""
    rng = np.random.default_rng(length)
    options = HeartbeatOptions(rate_hz=512 / length, before_s=length / 2, after_s=length / 2)
    raw = raw_of(as_npz(Series((1_000 + rng.normal(size=(length, 1))).astype(np.float32), 1.0)), options, 1e7)
    trace, _ = Fitted(options)(*(torch.from_numpy(array) for array in raw))
    np.testing.assert_allclose(trace[0].numpy(), encoded(raw, options)["trace"], rtol=1e-6)


def test_resampling_keeps_a_slow_wave() -> None:
    at = np.arange(720) / 360
    series = Series(np.sin(2 * np.pi * 3 * at)[:, None].astype(np.float32), 360.0, (), "", 1.0, np.array([1.0]))
    options = HeartbeatOptions(about="beat", rate_hz=120.0)
    seen = encoded(raw_of(as_npz(series), options, 1e7), options)["trace"][0]
    out = 1.0 + (np.arange(options.points) - options.points_before) / 120
    np.testing.assert_allclose(seen, np.sin(2 * np.pi * 3 * out), atol=0.02)


@pytest.mark.parametrize("rate", [0.0, 1.0, 250.0])
@pytest.mark.parametrize("length", [300, 5_000, 10_000, 120_000])
def test_of_a_long_recording_all_is_seen_whether_it_tells_its_rate_or_not(rate: float, length: int) -> None:
    """As many values as a network takes, from the first to the last: a ramp stays one."""
    facts = {
        "rate_hz": rate, "seconds": length / rate if rate else 0.0, "length": float(length), "channels": 1,
        "about_beats": 0.0, "with_rhythm": 0.0, "common_lead": "", "rarest": 0.5,
    }  # fmt: skip
    choices = task.plan(Fingerprint({"train": 100}, {}, facts, "cpu", 1, False, None))
    values = {one.key.removeprefix("task."): one.value for one in choices if one.key.startswith("task.")}
    options = HeartbeatOptions(**values)
    series = Series(np.linspace(0, 1, length, dtype=np.float32)[:, None], rate)
    trace = encoded(raw_of(as_npz(series), options, 1e7), options)["trace"]
    assert trace.shape[1] == options.points <= MOST_POINTS
    assert trace[-1].mean() > 0.99  # hardly anything lies beyond its ends
    np.testing.assert_allclose(trace[0, 1:-1], np.linspace(0, 1, options.points)[1:-1], atol=0.01)


def test_a_rate_that_is_set_is_that_of_recordings_which_tell_none() -> None:
    ramp = as_npz(Series(np.arange(1_000, dtype=np.float32)[:, None], 0.0))
    options = HeartbeatOptions(rate_hz=100.0, before_s=1.0, after_s=1.0)
    seen = encoded(raw_of(ramp, options, 1e7), options)["trace"][0]
    np.testing.assert_allclose(seen, np.arange(400, 600), atol=1e-3)


# finding beats -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [100.0, 250.0, 360.0])
def test_beats_are_found_where_they_are(rate: float) -> None:
    for patient in range(4):
        series = recorded(patient, RHYTHM * 2, rate)
        found = find_beats(series.signal, rate) / rate
        assert len(found) == len(series.beats_s)
        assert np.abs(found - series.beats_s).max() < 0.06


def test_where_nothing_beats_nothing_is_found() -> None:
    assert not len(find_beats(np.zeros((2000, 1), np.float32), 100.0))
    assert not len(find_beats(np.full((2000, 1), np.nan, np.float32), 100.0))


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(st.integers(1, 700), min_size=1, max_size=60), st.integers(0, 5), st.booleans())
def test_a_live_signal_has_the_beats_of_its_recording_however_it_comes(
    portions: list[int], patient: int, pauses: bool
) -> None:
    series = recorded(patient, RHYTHM)
    signal = series.signal.copy()
    if pauses:
        signal[600:1000] = 0
    recording = as_npz(Series(signal, series.rate_hz, series.leads, series.unit))
    record = Record(recording)
    record.find_beats()
    expected = pieces(recording, [str(frame) for frame in record.frames])
    monitor = Monitor(series.rate_hz, series.leads, series.unit)
    heard: list[tuple[int, bytes]] = []
    at, turn = 0, 0
    while at < len(signal):
        some = portions[turn % len(portions)]
        heard += monitor.feed(signal[at : at + some])
        at, turn = at + some, turn + 1
    heard += monitor.close()
    assert {str(frame): raw for frame, raw in heard} == expected
    assert [frame for frame, _ in heard] == sorted(record.frames.tolist())


def test_a_monitor_is_never_late_and_keeps_little() -> None:
    series = recorded(0, RHYTHM * 8)
    monitor = Monitor(series.rate_hz, series.leads)
    for at in range(len(series.signal)):
        for frame, _ in monitor.feed(series.signal[at : at + 1]):
            assert at - frame <= (monitor.latency_s + 2) * series.rate_hz  # two seconds more while it learns
            assert at < 500 or at - frame <= monitor.latency_s * series.rate_hz
        assert len(monitor._signal) < 12 * series.rate_hz
        assert len(monitor._frames) < PAST + 20
    with pytest.raises(DataError, match="3 leads, and 2 until now"):
        monitor.feed(np.zeros((4, 3), np.float32))
    for bad in (0.0, 5.0, 1e12):
        with pytest.raises(DataError, match="Hz"):
            Monitor(bad)


# folders of records --------------------------------------------------------------------------------------------------


def records(folder: Path, n: int = 4) -> None:
    for patient in range(n):
        write_record(folder, f"{patient}", recorded(patient, RHYTHM), format=212 if patient % 2 else 16)


def test_annotated_beats_are_samples_and_records_groups(tmp_path: Path) -> None:
    records(tmp_path / "db")
    (tmp_path / "db" / "0.atr").write_bytes((tmp_path / "db" / "0.atr").read_bytes()[:-2] + b"\xff\x07\xff\x07\0\0")
    (tmp_path / "db" / "9.hea").write_text("9 1 100 50\n9.dat 16\n")
    (tmp_path / "db" / "notes.txt").write_text("words")
    folder = Folder(tmp_path)
    reading = read_recordings(folder, ONE)
    assert reading is not None
    assert {found.target for found in reading.found} == {"N", "S", "V"}
    assert {found.group for found in reading.found} == {"0", "1", "2", "3"}
    assert len(reading.found) == 4 * len(RHYTHM)
    assert any(why == "annotated beyond the end of its record" for why in reading.skipped.values())
    assert reading.skipped["db/9.hea"] == "its header names a file that is not there: '9.dat'"
    assert reading.skipped["db/notes.txt"] == "not a recording"
    wheres = [found.where for found in reading.found]
    cut = dict(stream_pieces(folder, [*wheres, f"{wheres[0]}99999"], task.pieces, 1))
    assert cut.keys() == set(wheres)
    assert folder.refused[f"{wheres[0]}99999"] == "the file has no such piece any more"
    whole = Record(as_bundle([(tmp_path / f"db/0{e}").read_bytes() for e in (".hea", ".dat", ".atr")]))
    assert open_series(cut[wheres[0]], 1e7).beat_s == whole.excerpt(int(whole.frames[0])).beat_s


def test_labels_choose_the_classes(tmp_path: Path) -> None:
    records(tmp_path)
    some = read_recordings(Folder(tmp_path), PrepareSettings(workers=1, labels=("N", "V")))
    assert some is not None
    assert {found.target for found in some.found} == {"N", "V"}
    assert any("S 12 " in f"{line} " for line in some.evidence if "left out" in line)
    assert class_of("A", ()) == "S"
    assert class_of("A", ("A", "L")) == "A"
    assert class_of("+", ()) is None
    rest = read_recordings(Folder(tmp_path), PrepareSettings(workers=1, ignore=("S",)))
    assert rest is not None
    assert {found.target for found in rest.found} == {"N", "V"}


def test_faults_are_named_with_their_files() -> None:
    def one(name: str, **changed: Any) -> tuple[Sample, Look]:
        series = replace(recorded(0, RHYTHM), **changed)
        sample = Sample(name, name, name, "trace", "N", None)
        return sample, look(as_npz(series), 100)

    whole = recorded(0, RHYTHM)
    flat = whole.signal.copy()
    flat[:, 1] = 1
    slow = {"rate_hz": 5.0, "beats_s": whole.beats_s * 20}
    seen = [one(f"fine{number}") for number in range(6)]
    seen += [one("flat", signal=flat), one("slow", **slow), one("nobody", rate_hz=0.0)]
    seen += [one("micro", unit="uV"), one("pressure", unit="mV,mmHg")]
    seen += [one("turned", leads=("V1", "MLII")), one("other", leads=("V5", "MLII"))]
    view = View.of([sample for sample, _ in seen], {sample.id: look for sample, look in seen})
    faults = {fault.code: fault for fault in task.faults(view)}
    told = {code: fault.paths for code, fault in faults.items()}
    assert told == {
        "flat_lead": ("flat",),
        "wrong_rate": ("slow",),
        "two_rates": ("slow",),
        "unknown_rate": ("nobody",),
        "two_units": ("micro",),
        "lead_order": ("turned",),
        "other_leads": ("other",),
    }
    assert "4 to 4 beats a minute" in faults["wrong_rate"].message
    kept = {
        sample.id: replace(look, own={name: told for name, told in look.own.items() if name not in ("slower", "units")})
        for sample, look in seen
    }
    assert "two_units" not in {fault.code for fault in task.faults(View.of([sample for sample, _ in seen], kept))}
    assert "1 sample in uV, beside others in mV" in faults["two_units"].message


def test_what_names_a_patient_is_not_kept(tmp_path: Path) -> None:
    write_record(tmp_path, "a", recorded(0, RHYTHM))
    raw = as_bundle([(tmp_path / f"a{ending}").read_bytes() for ending in (".hea", ".dat", ".atr")])
    assert b"60 F" in raw
    kept = task.cleaned(raw)
    assert b"60 F" not in kept
    assert np.array_equal(open_series(kept, 1e7).signal, open_series(raw, 1e7).signal)
    assert task.cleaned(kept) == kept
    excerpt = as_npz(recorded(0, RHYTHM))
    assert task.cleaned(excerpt) == excerpt


def test_records_without_annotations_are_answered_beat_by_beat(tmp_path: Path) -> None:
    write_record(tmp_path, "a", recorded(0, RHYTHM), annotated=False)
    (tmp_path / "b.csv").write_text("time,II\n0,1\n1,2\n")
    found = samples_in(Folder(tmp_path), ONE)
    assert sum("///" in where for where in found) == len(RHYTHM)
    assert "b.csv" in found


def test_class_folders_and_manifests_label_whole_recordings(tmp_path: Path) -> None:
    for kind in ("calm", "wild"):
        (tmp_path / "folders" / kind).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "folders" / kind / f"{number}.csv").write_text("1,2\n3,4\n5,6\n")
    reading = read_recordings(Folder(tmp_path / "folders"), ONE)
    assert reading is not None
    assert {found.target for found in reading.found} == {"calm", "wild"}
    (tmp_path / "listed").mkdir()
    for number in range(4):
        write_record(tmp_path / "listed", f"r{number}", recorded(number, "NNNN"), annotated=False)
    rows = "".join(f"r{number}.hea,{'af' if number % 2 else 'sr'},p{number // 2}\n" for number in range(4))
    (tmp_path / "listed" / "labels.csv").write_text(f"file,label,patient\n{rows}")
    reading = read_recordings(Folder(tmp_path / "listed"), ONE)
    assert reading is not None
    assert [(found.target, found.group) for found in reading.found] == [
        ("sr", "p0"),
        ("af", "p0"),
        ("sr", "p1"),
        ("af", "p1"),
    ]


def test_manifests_tell_splits_and_groups_beside_class_folders_and_of_beats(tmp_path: Path) -> None:
    for kind in ("calm", "wild"):
        (tmp_path / "folders" / kind).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "folders" / kind / f"{number}.csv").write_text("1,2\n3,4\n5,6\n")
    (tmp_path / "beats").mkdir()
    for number in range(3):
        write_record(tmp_path / "beats", f"r{number}", recorded(number, RHYTHM))
    people = "file,patient,split\n" + "".join(
        f"{kind}/{n}.csv,p{n},train\n" for kind in ("calm", "wild") for n in range(3)
    )
    (tmp_path / "folders" / "people.tsv").write_text(people.replace(",", "\t") + "calm/0.csv\tp0\ttest\n")
    (tmp_path / "beats" / "people.tsv").write_text("file\tpatient\tsplit\nr0\tp0\ttrain\nr1\tp0\ttrain\nr2\tp2\ttest\n")
    reading = read_recordings(Folder(tmp_path / "folders"), ONE)
    assert reading is not None
    assert {found.where: (found.group, found.split) for found in reading.found} == {
        f"{kind}/{n}.csv": (f"p{n}", "train") for kind in ("calm", "wild") for n in range(3) if (kind, n) != ("calm", 0)
    }
    assert reading.skipped["calm/0.csv"].startswith("two rows in different splits")
    reading = read_recordings(Folder(tmp_path / "beats"), ONE)
    assert reading is not None
    assert len({found.where for found in reading.found}) == 3 * len(RHYTHM)
    assert {(found.where[:2], found.group, found.split) for found in reading.found} == {
        ("r0", "p0", "train"),
        ("r1", "p0", "train"),
        ("r2", "p2", "test"),
    }


def test_other_folders_are_left_to_others(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("age,income,label\n1,2,3\n4,5,6\n")
    assert read_recordings(Folder(tmp_path), ONE) is None
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"\x89PNG")
    assert read_recordings(Folder(tmp_path), ONE) is None


# looks ---------------------------------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_recording_is_seen() -> None:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(800, 3)).astype(np.float32)
    signal[:, 1] = 4
    signal[:, 2] = np.clip(signal[:, 2], -1, 1)
    signal[:80, 0] = np.nan
    seen = look(as_npz(Series(signal, 250.0, ("II", "V1", "V2"))), 100)
    assert isinstance(seen, Look)
    assert (seen.own["flat"], seen.own["clipped"], seen.own["rate_hz"]) == (1, 1, 250)
    assert 0.03 < seen.own["missing"] < 0.04
    for raw, told in ((b"", "empty"), (b"\0" * 99, "no series"), (b"a,b\n1\n", "names over")):
        assert told in look(raw, 100).reason
    picture = drawn(as_npz(recorded(0, RHYTHM)), "V", "N")
    assert picture.width == 1000  # ten seconds at 25 mm/s


# learning ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_network_takes_any_length(name: str) -> None:
    network, width = build(name, 3, 8)
    for length in (16, 144, 1000):
        assert network.eval()(torch.randn(2, 3, length)).shape == (2, width)


def test_augmentation_leaves_what_is_unknown_alone() -> None:
    options = HeartbeatOptions(
        about="beat", channels=2, timing=True, gain=0.2, shift_s=0.05, stretch=0.1, noise=0.1, wander=0.3, drop_lead=1.0
    )
    raw = as_npz(recorded(0, RHYTHM))
    frames = [str(frame) for frame in Record(raw).frames[:8]]
    rows = [encoded(raw_of(piece, options, 1e7), options) for piece in pieces(raw, frames).values()]
    columns = {name: torch.from_numpy(np.stack([row[name] for row in rows])) for name in rows[0]}
    batch: Batch = task.batch(columns, torch.arange(len(rows)))
    seen = augment(batch, CounterDraw(0, 0, batch.ids), options).inputs.trace
    known = seen[:, 4:]
    assert set(known.unique().tolist()) <= {0.0, 1.0}
    assert not (seen[:, :2] * (1 - known)).any()
    assert ((seen[:, :2].abs().amax(dim=2) == 0).sum(dim=1) == 1).all()  # each lost one of its two leads


def test_scores_are_those_of_others() -> None:
    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 3, 300), rng.integers(0, 3, 300)
    told = scorer(np.eye(3)[said], truth, said, ["N", "S", "V"])(None)
    assert told["macro_f1"] == pytest.approx(f1_score(truth, said, average="macro"))
    assert told["kappa"] == pytest.approx(cohen_kappa_score(truth, said))
    assert told["f1 S"] == pytest.approx(f1_score(truth, said, average=None)[1])
    right = np.diag([10, 4, 6])
    assert j_kappa(right, ["N", "S", "V"]) == pytest.approx(1)
    assert j_kappa(np.diag([1, 1]), ["N", "V"]) is None
    # a class that is never asked for is no part of the mean
    assert scorer(np.eye(3)[[0, 1, 2]], np.array([0, 1, 1]), np.array([0, 1, 2]), ["N", "S", "V"])(None)[
        "macro_f1"
    ] == pytest.approx((1 + 2 / 3) / 2)
