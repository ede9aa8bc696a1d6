"""What can be wrong with recordings and their transcripts."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from snowroll.base.nouns import Fault
from snowroll.evaluate.edits import plain
from snowroll.prepare.look import Look
from snowroll.prepare.view import View, count
from snowroll.tasks.transcribe.looking import CLIPPED, SILENT_DB

SHORT_S = 0.08  # a syllable. A guess
LONG = 10  # times the median, from which on a recording is odd
FASTEST = 30  # letters a second: quick readers say 20
MOMENT_S = 0.02  # of the network's, each of which can say one letter
_FEW = 5  # of a rate that fewer than one recording in so many has
RARE = 0.001  # share of the letters below which one is odd


def sound_faults(view: View) -> Iterator[Fault]:
    """Silence, clipping, odd lengths and rates. Of copies, and speakers in two splits, the checks of all tasks tell."""
    seen = [(row, look) for row, look in enumerate(view.looks) if look is not None and not look.reason and look.own]
    silent = [row for row, look in seen if look.own["loudest_db"] < SILENT_DB]
    if silent:
        told = f"{count(len(silent), 'silent recording')}: {view.names(silent)}"
        yield view.fault("silent", "warn", silent, told, "record them anew", 1.0, view.leave_out(silent))
    clipped = [row for row, look in seen if look.own["clipped"] > CLIPPED]
    if clipped:
        told = f"{count(len(clipped), 'recording')} cut off at the loudest: {view.names(clipped)}"
        yield view.fault("clipped", "note", clipped, told, "lower the gain of the recorder", 0.8)
    short = [row for row, look in seen if look.own["seconds"] < SHORT_S]
    if short:
        told = f"{count(len(short), 'recording')} shorter than {SHORT_S:g} s: {view.names(short)}"
        yield view.fault("too_short", "warn", short, told, "no word is as short", 0.9, view.leave_out(short))
    usual = sorted(look.own["seconds"] for _, look in seen)[len(seen) // 2] if seen else 0.0
    long = [row for row, look in seen if look.own["seconds"] > LONG * max(usual, 0.5)]
    if long:
        told = f"{count(len(long), 'recording')} over {LONG} times as long as most ({usual:.1f} s): {view.names(long)}"
        yield view.fault("too_long", "warn", long, told, "cut them at pauses: all others are padded to them", 0.8)
    yield from _rates(view, seen)


def transcript_faults(view: View) -> Iterator[Fault]:
    """Transcripts that cannot have been said in the time, empty ones, letters that hardly come."""
    fast, crowded, empty = [], [], []
    letters: Counter[str] = Counter()
    where: dict[str, list[int]] = defaultdict(list)
    for row, label in enumerate(view.labels):
        if label is None:
            continue
        text, look = plain(label), view.looks[row]
        letters.update(text)
        for letter in set(text):
            where[letter].append(row)
        if not text:
            empty.append(row)
        elif look is not None and not look.reason and look.own:
            doubled = sum(one == other for one, other in itertools.pairwise(text))
            if len(text) + doubled > look.own["seconds"] / MOMENT_S:
                crowded.append(row)
            elif len(text) > FASTEST * look.own["seconds"]:
                fast.append(row)
    if crowded:
        told = f"{count(len(crowded), 'transcript')} with more letters than fit into the sound: {view.names(crowded)}"
        cure = "look whether text and recording belong together"
        yield view.fault("too_much_text", "warn", crowded, told, cure, 1.0, view.leave_out(crowded))
    if fast:
        told = f"{count(len(fast), 'transcript')} of more than {FASTEST} letters a second: {view.names(fast)}"
        cure = "look whether text and recording belong together"
        yield view.fault("hurried_text", "warn", fast, told, cure, 0.8, view.ask(fast))
    if empty:
        told = f"{count(len(empty), 'empty transcript')}: {view.names(empty)}"
        yield view.fault("empty_text", "note", empty, told, "nothing, where nobody speaks", 0.5, view.ask(empty))
    odd = [c for c, n in letters.items() if n < max(3, RARE * letters.total() / 10) and not c.isspace()]
    if odd and len(letters) > 5:
        rows = sorted({row for letter in odd for row in where[letter]})
        told = f"{count(len(odd), 'letter')} that hardly come ({' '.join(sorted(odd)[:12])}): {view.names(rows)}"
        yield view.fault("odd_letters", "note", rows, told, "spell them as they are said, or bring more of them", 0.7)


def _rates(view: View, seen: Sequence[tuple[int, Look]]) -> Iterator[Fault]:
    rates = Counter(look.own["rate_hz"] for _, look in seen)
    if len(rates) < 2:
        return
    usual, _ = rates.most_common(1)[0]
    odd = [row for row, look in seen if look.own["rate_hz"] != usual]
    few = ", ".join(f"{rate:,.0f} Hz {n:,}" for rate, n in rates.most_common(5))
    told = f"{len(rates)} sampling rates in one set ({few}): {view.names(odd)}"
    cure = "nothing, if they are true: all are resampled to one; a wrong one makes voices high or low"
    yield view.fault("two_rates", "warn" if len(odd) * _FEW < len(seen) else "note", odd, told, cure, 0.9)
