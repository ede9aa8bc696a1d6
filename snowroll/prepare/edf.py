"""EDF and EDF+ recordings (Kemp et al. 1992, 2003): a header of fixed columns, records of 16-bit samples."""

from __future__ import annotations

import numpy as np

from snowroll.base.errors import DataError
from snowroll.prepare.signals import MOST_CHANNELS, Series, unit_of

_HEAD = 256  # bytes, and as many again for each signal
_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)  # of the columns of signals
_NAME, _, _UNIT, _LOW, _HIGH, _LEAST, _MOST, _, _COUNT, _ = range(10)


def is_edf(raw: bytes) -> bool:
    return raw[:8] == b"0       " and len(raw) >= _HEAD


def read(raw: bytes, most_values: float) -> Series:
    """The signals in physical units, slower ones brought to the highest rate by straight lines, and named. Raises
    DataError. Annotations are left out, see `notes_of`."""
    try:
        head = raw[:_HEAD].decode("ascii")
        records, seconds, count = int(head[236:244]), float(head[244:252]), int(head[252:256])
        if not 1 <= count <= MOST_CHANNELS * 2 or len(raw) < _HEAD * (1 + count):
            raise DataError(f"an EDF header of {count:,} signals that breaks off", cure="copy the file again")
        columns = _columns(raw[_HEAD : _HEAD * (1 + count)].decode("latin-1"), count)
        counts = [int(cell) for cell in columns[_COUNT]]
        limits = [[float(columns[row][place]) for row in (_LOW, _HIGH, _LEAST, _MOST)] for place in range(count)]
    except ValueError as fault:
        raise DataError(f"a damaged EDF header ({str(fault)[:80]})", cure="copy the file again") from None
    if min(counts) < 1 or not 0 < seconds < 1e6:
        raise DataError(f"an EDF header of records of {seconds:g} s", cure="copy the file again")
    width = sum(counts)
    there = (len(raw) - _HEAD * (1 + count)) // 2 // width
    if records >= 0 and there < records:
        told = f"the header claims {records:,} records and the data hold {there:,}"
        raise DataError(told, cure="copy the file again")
    records = there if records < 0 else records
    kept = [place for place in range(count) if "annotation" not in columns[_NAME][place].lower()]
    most = max((counts[place] for place in kept), default=0)
    slower = tuple(
        f"{columns[_NAME][place]} ({counts[place] / seconds:g} Hz)" for place in kept if counts[place] < most
    )
    if records * most * len(kept) > most_values:
        told = f"too large: {records * most:,} x {len(kept)} numbers, and {most_values:,.0f} are the most"
        raise DataError(told, cure="cut the recording, or raise prepare.megapixels")
    samples = np.frombuffer(raw, "<i2", records * width, _HEAD * (1 + count)).reshape(records, width)
    starts = np.cumsum([0, *counts])
    signal = np.zeros((records * most, len(kept)), np.float32)
    times = np.arange(records * most) / most  # in records
    for at, place in enumerate(kept):
        low, high, least, greatest = limits[place]
        scale = (high - low) / (greatest - least) if greatest != least else 1.0
        digital = samples[:, starts[place] : starts[place] + counts[place]].reshape(-1).astype(np.float32)
        physical = (digital - least) * scale + low
        its = np.arange(len(physical)) / counts[place]
        signal[:, at] = physical if counts[place] == most else np.interp(times, its, physical)
    names = tuple(columns[_NAME][place] for place in kept)
    return Series(
        signal, most / seconds, names, unit_of([columns[_UNIT][place] for place in kept]) if kept else "", slower=slower
    )


def notes_of(raw: bytes) -> tuple[int, bool]:
    """(how many annotations with a word an EDF+ holds, whether it holds nothing else); (0, False) for a damaged one."""
    try:
        count = int(raw[252:256])
        columns = _columns(raw[_HEAD : _HEAD * (1 + count)].decode("latin-1"), count)
        counts = [int(cell) for cell in columns[_COUNT]]
    except (ValueError, IndexError):
        return 0, False
    starts, width = np.cumsum([0, *counts]) * 2, sum(counts) * 2
    of_notes = [place for place in range(count) if "annotation" in columns[_NAME][place].lower()]
    body = raw[_HEAD * (1 + count) :]
    found = 0
    for at in range(0, len(body) if width > 0 else 0, max(1, width)):
        for place in of_notes:
            lists = body[at + starts[place] : at + starts[place + 1]].split(b"\0")
            # onset, duration, and words, each after a mark of its own: of no word the list only keeps the time
            found += sum(bool(word) for told in lists for word in told.split(b"\x14")[1:])
    return found, bool(of_notes) and len(of_notes) == count


def without_names(raw: bytes) -> bytes:
    """The same recording without what tells whose it is, by whom and when: EDF+ spells the unknown as X."""
    return raw[:8] + b"X X X X".ljust(80) + b"Startdate X X X X".ljust(80) + b"01.01.85" + raw[176:]


def _columns(text: str, count: int) -> list[list[str]]:
    found, at = [], 0
    for width in _WIDTHS:
        found.append([text[at + place * width : at + (place + 1) * width].strip() for place in range(count)])
        at += width * count
    return found
