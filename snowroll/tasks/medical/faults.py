"""What can be wrong with scans."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from snowroll.base.nouns import Fault
from snowroll.prepare.view import View, count


def scan_faults(view: View) -> Iterator[Fault]:
    """Missing slices, series that lie in several ways, text in the picture, mixed machines, flat among deep ones."""
    seen = [(row, look) for row, look in enumerate(view.looks) if look is not None and not look.reason and look.own]
    missing = [row for row, look in seen if look.own["missing"]]
    if missing:
        n = sum(int(look.own["missing"]) for _, look in seen)
        told = f"{count(len(missing), 'scan')} with {count(n, 'missing slice')}: {view.names(missing)}"
        cure = "export the series again; what lies between is guessed until then"
        yield view.fault("missing_slices", "warn", missing, told, cure, 1.0, view.leave_out(missing))
    mixed = [row for row, look in seen if look.own.get("lying_otherwise")]
    if mixed:
        told = f"{count(len(mixed), 'scan')} of series whose slices lie in several orientations or sizes"
        cure = "look whether each is a scan that you mean: what lies alike was read as one, and is a sample of its own"
        yield view.fault("mixed_series", "warn", mixed, f"{told}: {view.names(mixed)}", cure, 1.0)
    written = [row for row, look in seen if look.own["burned_in"]]
    if written:
        told = f"{count(len(written), 'scan')} may have names written into the picture: {view.names(written)}"
        cure = "cover or crop the text: tags are left behind, but pixels are kept as they are"
        yield view.fault("burned_in_text", "warn", written, told, cure, 0.9, view.leave_out(written))
    kinds = Counter(look.mode for _, look in seen)
    usual, _ = kinds.most_common(1)[0] if kinds else ("", 0)
    odd = [row for row, look in seen if look.mode != usual]
    if odd and len(odd) * 5 <= len(seen):
        told = f"{count(len(odd), 'scan')} of another machine than the rest ({usual}): {view.names(odd)}"
        yield view.fault("mixed_modalities", "warn", odd, told, "train one model for each", 0.9, view.leave_out(odd))
    flat = [row for row, look in seen if look.own["depth"] == 1]
    if flat and len(flat) * 5 <= len(seen):
        told = f"{count(len(flat), 'flat scan')} among volumes: {view.names(flat)}"
        yield view.fault("flat_scan", "warn", flat, told, "look whether slices got lost", 0.9, view.leave_out(flat))
