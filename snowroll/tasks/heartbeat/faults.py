"""What can be wrong with recordings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from snowroll.base.nouns import Fault
from snowroll.prepare.look import Look
from snowroll.prepare.names import PIECE
from snowroll.prepare.view import View, count
from snowroll.tasks.heartbeat.looking import VOLTS

SLOWEST, FASTEST = 20, 300  # beats a minute of a living heart
_FEW = 5  # a rate, or a number of leads, that fewer than one in so many have is odd


def series_faults(view: View) -> Iterator[Fault]:
    """Flat and clipped leads, gaps, rates and leads that differ, beats without a rhythm."""
    seen = [(row, look) for row, look in enumerate(view.looks) if look is not None and not look.reason and look.own]
    flat = [row for row, look in seen if look.own["flat"]]
    if flat:
        whole = [row for row in flat if _own(view, row, "flat") >= _own_height(view, row)]
        told = f"{_samples(view, flat)} with a flat lead: {view.names(flat)}"
        told += f"; in {len(whole):,} every lead is flat" if whole else ""
        cure = "look for an electrode that came off; leave them out if the other leads do not help"
        yield view.fault("flat_lead", "warn", flat, told, cure, 1.0, view.leave_out(whole or flat))
    clipped = [row for row, look in seen if look.own["clipped"]]
    if clipped:
        told = f"{_samples(view, clipped)} with a lead cut at its ends: {view.names(clipped)}"
        yield view.fault("clipped_lead", "warn", clipped, told, "lower the gain of the recorder", 0.8)
    gaps = [row for row, look in seen if look.own["missing"] > 0.01]
    if gaps:
        told = f"{_samples(view, gaps)} with values missing: {view.names(gaps)}"
        yield view.fault("missing_values", "warn", gaps, told, "they are taken as zero: cut the gaps out", 0.9)
    slower = [row for row, look in seen if look.own.get("slower")]
    if slower:
        most = max(_own(view, row, "slower") for row in slower)
        told = f"{_samples(view, slower)} with channels that are slower than the fastest of their file, up to "
        told += f"{most:.0f} each: {view.names(slower)}"
        cure = "nothing: they are brought to its rate by straight lines between their values"
        yield view.fault("slower_channels", "note", slower, told, cure)
    yield from _rates(view, seen)
    yield from _units(view, seen)
    yield from _leads(view, seen)
    odd = [row for row, look in seen if look.own["bpm"] and not SLOWEST <= look.own["bpm"] <= FASTEST]
    if odd:
        bpm = sorted(_own(view, row, "bpm") for row in odd)
        told = f"{_samples(view, odd)} with hearts of {bpm[0]:.0f} to {bpm[-1]:.0f} beats a minute: {view.names(odd)}"
        cure = "mend the sampling rate that the header tells, or the annotations"
        yield view.fault("wrong_rate", "warn", odd, told, cure, 0.9, view.leave_out(odd))
    lone = [row for row, look in seen if look.own["about_beat"] and not look.own["past_beats"]]
    if lone:
        told = f"{count(len(lone), 'beat')} without one before it: how early it came is not known"
        yield view.fault("no_rhythm", "note", lone, told, "nothing, where a recording begins")


def _rates(view: View, seen: Sequence[tuple[int, Look]]) -> Iterator[Fault]:
    rates = Counter(look.own["rate_hz"] for _, look in seen)
    unknown = [row for row, look in seen if not look.own["rate_hz"]]
    if unknown and len(unknown) < len(seen):
        told = f"{_samples(view, unknown)} that tell no sampling rate, beside others that do: {view.names(unknown)}"
        cure = "write it into them (rate_hz in an .npz, '# rate_hz 250' or a time column in a CSV)"
        yield view.fault("unknown_rate", "warn", unknown, told, cure, 1.0, view.leave_out(unknown))
    elif unknown:
        told = f"no recording tells its sampling rate: {view.names(unknown)}"
        yield view.fault("unknown_rate", "note", unknown, told, "set task.rate_hz, if they all have the same")
    known = {rate: n for rate, n in rates.items() if rate}
    if len(known) > 1:
        usual = max(known, key=lambda rate: known[rate])
        odd = [row for row, look in seen if look.own["rate_hz"] not in (0.0, usual)]
        few = ", ".join(f"{rate:g} Hz" for rate in sorted(known)[:5])
        told = f"{len(known)} sampling rates in one set ({few}): {view.names(odd)}"
        cure = "nothing, if they are true: all are resampled to one; a wrong one makes beats too long or too short"
        severity = "warn" if len(odd) * _FEW < len(seen) else "note"
        yield view.fault("two_rates", severity, odd, told, cure, 0.9)


def _units(view: View, seen: Sequence[tuple[int, Look]]) -> Iterator[Fault]:
    """Recordings in microvolts beside others in millivolts: as their headers say, and these may be wrong."""
    # looks that were kept before units were seen tell none
    told = [(row, int(look.own["units"])) for row, look in seen if look.own.get("units")]
    kinds = Counter(mask for _, mask in told)
    if len(kinds) < 2:
        return
    usual, _ = kinds.most_common(1)[0]
    odd = [row for row, mask in told if mask != usual]
    spelled = {mask: " and ".join(unit for place, unit in enumerate(VOLTS) if mask >> place & 1) for mask in kinds}
    others = "; ".join(spelled[mask] for mask in sorted(kinds) if mask != usual)
    message = f"{_samples(view, odd)} in {others}, beside others in {spelled[usual]}: {view.names(odd)}"
    cure = "nothing, if their headers are true: all are seen in mV; a wrong one makes waves a thousand times too large"
    yield view.fault("two_units", "note", odd, message, cure)


def _leads(view: View, seen: Sequence[tuple[int, Look]]) -> Iterator[Fault]:
    orders = Counter(look.mode for _, look in seen if look.mode)
    if len(orders) < 2:
        return
    usual, _ = orders.most_common(1)[0]
    same = sorted(usual.split(","))
    turned = [row for row, look in seen if look.mode not in ("", usual) and sorted(look.mode.split(",")) == same]
    if turned:
        told = f"{_samples(view, turned)} whose leads stand in another order than {usual}: {view.names(turned)}"
        yield view.fault("lead_order", "note", turned, told, "nothing: the commonest lead is put first by its name")
    others = [row for row, look in seen if look.mode not in ("", usual) and row not in set(turned)]
    if others:
        kinds = ", ".join(name for name, _ in orders.most_common(5))
        told = f"{_samples(view, others)} of other leads than {usual}: {kinds}"
        yield view.fault("other_leads", "note", others, told, "judge them apart: a network tells what its leads show")


def _samples(view: View, rows: Sequence[int]) -> str:
    """'120 samples of 3 recordings'"""
    of: dict[str, int] = defaultdict(int)
    for row in rows:
        of[view.where(row).partition(PIECE)[0]] += 1
    told = count(len(rows), "sample")
    return told if len(of) == len(rows) else f"{told} of {count(len(of), 'recording')}"


def _own(view: View, row: int, name: str) -> float:
    look = view.looks[row]
    return look.own[name] if look is not None else 0.0


def _own_height(view: View, row: int) -> int:
    look = view.looks[row]
    return look.height if look is not None else 0
