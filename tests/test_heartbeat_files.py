"""Series out of files: what was written is read, and what is broken ends in one line."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfdb_kit import annotations, header, signals

from snowroll.base.errors import DataError
from snowroll.base.nouns import Sample
from snowroll.prepare import wfdb
from snowroll.prepare.bundles import as_bundle
from snowroll.prepare.edf import without_names
from snowroll.prepare.read import Folder
from snowroll.prepare.series import as_bytes, as_npz, open_series
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.signals import Series
from snowroll.prepare.view import View
from snowroll.tasks.heartbeat.faults import series_faults
from snowroll.tasks.heartbeat.fitting import raw_of
from snowroll.tasks.heartbeat.looking import drawn, look
from snowroll.tasks.heartbeat.options import HeartbeatOptions
from snowroll.tasks.heartbeat.reading import read_recordings

MOST = 1e7
BITS = {16: 15, 212: 11, 310: 9, 311: 9}


@given(st.sampled_from(sorted(BITS)), st.integers(1, 4), st.integers(2, 50), st.integers(0, 1 << 30))
def test_signals_of_every_packing_are_read(format: int, channels: int, length: int, seed: int) -> None:
    top = 1 << BITS[format]
    samples = np.random.default_rng(seed).integers(-top + 1, top - 1, (length, channels))
    raw = as_bundle([header("r", 100, samples, format, gain=1.0), signals(samples, format)])
    found = open_series(raw, MOST)
    assert np.array_equal(found.signal, samples)
    assert (found.rate_hz, found.unit, len(found.leads)) == (100, "mV", channels)


@given(st.integers(0, 40), st.integers(0, 60), st.integers(0, 1 << 20))
def test_a_part_of_a_record_is_that_part(start: int, stop: int, seed: int) -> None:
    samples = np.random.default_rng(seed).integers(-500, 500, (50, 3))
    for format in BITS:
        files = [header("r", 100, samples, format, gain=1.0), signals(samples, format)]
        assert np.array_equal(wfdb.read(files, MOST, start, stop).signal, samples[start:stop])


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=30), st.data())
def test_annotations_are_read(steps: list[int], data: st.DataObject) -> None:
    frames = np.cumsum(steps).tolist()
    symbols = data.draw(st.text("NLRVAaJFjE/fQ+~|", min_size=len(frames), max_size=len(frames)))
    times, told = wfdb.read_annotations(annotations(frames, symbols, note=b"(AFIB"))
    assert times.tolist() == frames
    assert "".join(told) == symbols


def test_only_beats_are_beats() -> None:
    samples = np.zeros((500, 1), int)
    samples[0] = 1
    files = [header("r", 100, samples), signals(samples), annotations([10, 20, 30], "N+V")]
    found = wfdb.read(files, MOST)
    assert found.symbols == ("N", "V")
    assert found.beats_s.tolist() == [0.1, 0.3]


def test_header_and_data_that_disagree_are_told() -> None:
    samples = np.ones((100, 2), int)
    for data in (signals(samples)[:200], signals(samples) * 2):
        with pytest.raises(DataError, match="header claims 100 samples a signal and the data hold"):
            wfdb.read([header("r", 100, samples), data], MOST)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("r 1 100 10\n", "describes 0"),
        ("r 9999 100 10\nr.dat 16\n", "claims 9,999 signals"),
        ("r 1 -5 10\nr.dat 16\n", "sampling rate of -5"),
        ("r 1 nan 10\nr.dat 16\n", "sampling rate"),
        ("r 1 100 10\nr.dat 77\n", "format '77'"),
        ("r/3 1 100 10\nr.dat 16\n", "several segments"),
        ("r 1 100 99999999999999\nr.dat 16\n", "the number of samples"),
        ("r 1 100 10\nr.dat 16 abc\n", "a gain of 'abc'"),
        ("", "not a WFDB header"),
    ],
)
def test_broken_headers_say_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as fault:
        wfdb.read([text.encode(), b"\0" * 20], MOST)
    assert "\n" not in str(fault.value)


def test_a_large_claim_is_refused_before_anything_is_allocated() -> None:
    text = b"r 2 100 400000000\nr.dat 8\nr.dat 8\n"
    with pytest.raises(DataError, match="too large"):
        wfdb.read_signals(wfdb.read_header(text), {"r.dat": memoryview(b"\0" * 800_000_000)}, MOST)  # type: ignore[dict-item]


@settings(max_examples=300)
@given(st.data())
def test_whatever_is_done_to_a_record_ends_in_a_series_or_a_sentence(data: st.DataObject) -> None:
    samples = np.arange(60).reshape(30, 2)
    files = [header("r", 100, samples, 212), signals(samples, 212), annotations([5, 20], "NV")]
    which = data.draw(st.integers(0, 2))
    raw = bytearray(files[which])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    files[which] = bytes(raw)[: data.draw(st.integers(0, len(raw)))]
    with suppress(DataError):
        open_series(as_bundle(files), MOST)


@given(st.integers(2, 40), st.integers(1, 3), st.booleans(), st.integers(0, 1 << 20))
def test_a_series_comes_back_from_its_bytes(length: int, channels: int, about: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    beats = np.sort(rng.uniform(-3, 3, rng.integers(0, 5)))
    series = Series(
        rng.normal(size=(length, channels)).astype(np.float32),
        float(rng.uniform(0, 500)),
        tuple(f"lead {number}" for number in range(channels)),
        "mV",
        0.25 if about else None,
        beats,
        tuple("N" for _ in beats),
        rng.normal(size=(7, channels)).astype(np.float32) if about else None,
    )
    for raw in (as_bytes(series), as_npz(series), as_bytes(series) + b"\n", as_npz(series) + b"\n"):
        found = open_series(raw, MOST)
        assert np.array_equal(found.signal, series.signal)
        assert np.array_equal(found.beats_s, series.beats_s)
        assert (found.usual is None) == (series.usual is None)
        for name in ("rate_hz", "leads", "unit", "beat_s", "symbols"):
            assert getattr(found, name) == getattr(series, name)


@settings(max_examples=200)
@given(st.data())
def test_whatever_is_done_to_our_own_bytes_ends_in_a_series_or_a_sentence(data: st.DataObject) -> None:
    raw = bytearray(as_bytes(Series(np.ones((9, 2), np.float32), 100.0, ("a", "b"), "mV", 0.03, np.array([0.03]))))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(DataError):
        open_series(bytes(raw)[: data.draw(st.integers(0, len(raw)))], MOST)


def test_tables_say_their_rate_and_their_leads() -> None:
    plain = "time_ms,MLII,V1\n" + "".join(f"{4 * i},{i / 10},{-i}\n" for i in range(50))
    with_units = "'Elapsed time','MLII'\n'seconds','mV'\n" + "".join(f"{i / 360:.6f},{i}\n" for i in range(50))
    said = "# rate_hz: 128\n# unit: uV\n" + "".join(f"{i};{i + 1}\n" for i in range(50))
    bare = "\n".join(str(i) for i in range(50))
    told = [open_series(text.encode(), MOST) for text in (plain, with_units, said, bare)]
    assert [round(series.rate_hz) for series in told] == [250, 360, 128, 0]
    assert [series.leads for series in told] == [("MLII", "V1"), ("MLII",), (), ()]
    assert [series.unit for series in told] == ["", "mV", "uV", ""]
    assert [series.signal.shape for series in told] == [(50, 2), (50, 1), (50, 2), (50, 1)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a,b\n1,2\n3\n", "line 3"),
        ("a,b\n1,2\n3,x\n", "not a table of numbers"),
        ("time,b\n" + "".join(f"{i * i},1\n" for i in range(40)), "jumps"),
        ("time,b\n3,1\n2,1\n1,1\n", "does not rise"),
        ("only words\nand more\n", "no row of numbers"),
        ("# rate_hz: -3\n1\n2\n", "sampling rate of -3"),
        ("1,2\n", "1 values"),
        ("nan\nnan\nnan\n", "not one finite number"),
        (",".join("0" * 400) + "\n" + ",".join("0" * 400), "400 channels"),
    ],
)
def test_broken_tables_say_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(DataError, match=told) as fault:
        open_series(text.encode(), MOST)
    assert "\n" not in str(fault.value)


@settings(max_examples=150)
@given(st.text("0123456789.,;\t\n-eE#anNtime \"'", max_size=120))
def test_any_text_ends_in_a_series_or_a_sentence(text: str) -> None:
    with suppress(DataError):
        open_series(text.encode(), MOST)


def test_arrays_are_read_as_time_first() -> None:
    for array in (np.arange(10), np.arange(20.0).reshape(10, 2)):
        file = io.BytesIO()
        np.save(file, array)
        assert open_series(file.getvalue(), MOST).signal.shape == (10, array.ndim)
    file = io.BytesIO()
    np.savez(file, signal=np.arange(10.0), rate_hz=250.0, leads=np.array(["II"]))
    found = open_series(file.getvalue(), MOST)
    assert (found.rate_hz, found.leads) == (250, ("II",))
    file = io.BytesIO()
    np.save(file, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(DataError, match="Python objects"):
        open_series(file.getvalue(), MOST)
    file = io.BytesIO()
    np.save(file, np.zeros((2, 3, 4)))
    with pytest.raises(DataError, match="shape"):
        open_series(file.getvalue(), MOST)


def edf(samples: np.ndarray, records: int, cut: int = 0, slower: int = 0) -> bytes:
    """int16 [T, C] in `records` records of a second, with a channel of annotations, and `slower` channels of 2 Hz."""
    length, channels = samples.shape
    count, each = channels + slower + 1, length // records
    head = f"{'0':8}{'X X X X':80}{'Startdate':80}{'01.01.01':8}{'01.01.01':8}{256 * (1 + count):<8}{'EDF+C':44}"
    head += f"{records:<8}{1:<8}{count:<4}"
    columns = [
        [*[f"lead{number}" for number in range(channels)], *["SpO2"] * slower, "EDF Annotations"],
        [""] * count,
        [*["mV"] * channels, *["%"] * slower, ""],
        ["-10"] * count,
        ["10"] * count,
        ["-1000"] * count,
        ["1000"] * count,
        [""] * count,
        [*[str(each)] * channels, *["2"] * slower, "4"],
        [""] * count,
    ]
    for width, cells in zip((16, 80, 8, 8, 8, 8, 8, 80, 8, 32), columns, strict=True):
        head += "".join(f"{cell:{width}}" for cell in cells)
    body = b""
    for record in range(records):
        part = samples[record * each : (record + 1) * each]
        body += b"".join(part[:, number].astype("<i2").tobytes() for number in range(channels))
        body += b"\1\0\2\0" * slower + b"+0\x14\x14\0\0\0\0"
    return (head.encode() + body)[: -cut or None]


def test_edf_is_read_in_its_units() -> None:
    samples = np.random.default_rng(0).integers(-900, 900, (300, 2))
    found = open_series(edf(samples, 3), MOST)
    np.testing.assert_allclose(found.signal, samples / 100, atol=1e-5)
    assert (found.rate_hz, found.leads, found.unit) == (100, ("lead0", "lead1"), "mV")
    named = edf(samples, 3).replace(b"X X X X  ", b"7 F Smith", 1)
    kept = without_names(named)
    assert b"Smith" not in kept
    assert len(kept) == len(named)
    with pytest.raises(DataError, match="claims 3 records and the data hold 2"):
        open_series(edf(samples, 3, cut=20), MOST)


def test_units_belong_to_channels() -> None:
    samples = np.random.default_rng(0).integers(-900, 900, (300, 2))
    told = header("a", 100, samples)
    pressure = b"/mmHg".join(told.rsplit(b"/mV", 1))
    found = open_series(as_bundle([pressure, signals(samples)]), MOST)
    assert found.units == ("mV", "mmHg")
    assert open_series(as_bytes(found), MOST).units == open_series(as_npz(found), MOST).units == found.units
    assert open_series(as_bundle([told, signals(samples)]), MOST).unit == "mV"
    assert open_series(edf(samples, 3).replace(b"mV      mV", b"mV      uV"), MOST).units == ("mV", "uV")
    picture = drawn(as_npz(found), None, None)
    assert picture.height > 100


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 4))
def test_channels_of_a_lower_rate_are_brought_to_the_highest(each: int, records: int) -> None:
    """Their own values stay where they were, and all between lie on the line through them."""
    samples = np.random.default_rng(0).integers(-900, 900, (each * 2 * records, 1))
    found = open_series(edf(samples, records, slower=1), MOST)
    assert found.leads == ("lead0", "SpO2")
    assert found.units == ("mV", "%")
    np.testing.assert_allclose(found.signal[:, 0], samples[:, 0] / 100, atol=1e-5)
    slow = found.signal[:, 1]  # 1, 2 and again, of a hundred to a unit
    np.testing.assert_allclose(slow[::each], [0.01, 0.02] * records, atol=1e-5)
    np.testing.assert_allclose(slow[: each + 1], np.linspace(0.01, 0.02, each + 1), atol=1e-5)


@pytest.mark.parametrize(("unit", "factor"), [("nV", 1e6), ("uV", 1e3), ("µV", 1e3), ("V", 1e-3)])
def test_recordings_in_any_volts_look_alike_to_a_network(unit: str, factor: float) -> None:
    options = HeartbeatOptions(about="whole", channels=2, rate_hz=100, before_s=1, after_s=1)
    signal = np.random.default_rng(0).normal(0, 1, (300, 2)).astype(np.float32)
    plain = Series(signal, 100.0, unit="mV,mmHg")
    other = replace(plain, signal=signal * np.array([factor, 1], np.float32), unit=f"{unit},mmHg")
    one, same = (raw_of(as_npz(series), options, MOST).signal for series in (plain, other))
    np.testing.assert_allclose(one, same, rtol=1e-5)


def test_channels_of_a_lower_rate_are_named(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-900, 900, (300, 2))
    raw = edf(samples, 3, slower=1)
    found = open_series(raw, MOST)
    np.testing.assert_allclose(found.signal[:, :2], samples / 100, atol=1e-5)
    assert found.slower == ("SpO2 (2 Hz)",)
    for number in range(8):
        (tmp_path / "NV"[number % 2]).mkdir(exist_ok=True)
        (tmp_path / "NV"[number % 2] / f"{number}.edf").write_bytes(raw)
    reading = read_recordings(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert any("in 8 recordings: SpO2 (2 Hz)" in told for told in reading.evidence)
    sample = Sample("a", "a", "a", "trace", "N", None)
    faults = {fault.code: fault for fault in series_faults(View.of([sample], {"a": look(raw, 100)}))}
    assert (faults["slower_channels"].paths, faults["slower_channels"].severity) == (("a",), "note")


@settings(max_examples=150)
@given(st.data())
def test_whatever_is_done_to_an_edf_ends_in_a_series_or_a_sentence(data: st.DataObject) -> None:
    raw = bytearray(edf(np.ones((20, 2), int), 2))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(8, 1030))] = data.draw(st.integers(32, 126))
    with suppress(DataError):
        open_series(bytes(raw), MOST)
