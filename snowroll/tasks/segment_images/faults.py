"""What can be wrong with masks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np

from snowroll.base.listing import few
from snowroll.base.nouns import Fault
from snowroll.prepare.mask_targets import IGNORED, mask_of, numbered, numbered_at, shares
from snowroll.prepare.view import View, count
from snowroll.tasks.segment_images.mask_values import UNNAMED

_RARE, _FEW = 0.02, 50  # a picture of one class only is odd where nearly all others show several
_FAR, _LEAST = 5.0, 0.1  # spreads above the median, and share of the pixels, from which a mask is doubted; guesses
_VALUE = re.compile(rf"{UNNAMED}(\d+|#[0-9a-f]{{6}})")
_IN_FEW = 3  # pictures that show a class, below which it can be neither learnt nor measured


def mask_faults(view: View) -> Iterator[Fault]:
    """Masks of another size than their picture, or lying on their side, without a judged pixel, of one class only, of
    classes hardly there.
    """
    lying = list[int]()
    other_size, empty, plain, shown = [], [], [], Counter[str]()
    labelled = [row for row, sample in enumerate(view.samples) if sample.target is not None]
    for row in labelled:
        target, seen = view.samples[row].target, view.looks[row]
        mask = mask_of(target)
        if seen is not None and not seen.reason and mask.shape[::-1] != seen.upright:
            is_lying = seen.turned and mask.shape == (seen.height, seen.width)
            (lying if is_lying else other_size).append(row)
        there = {name for name in shares(target) if name}
        shown.update(there)
        if not there:
            empty.append(row)
        elif len(there) == 1:
            plain.append(row)
    if other_size:
        told = f"{count(len(other_size), 'mask')} of another size than the picture: {view.names(other_size)}"
        yield view.fault(
            "mask_size", "warn", other_size, told, "export the masks again; until then they are stretched", 1.0
        )
    if lying:
        told = (
            f"{count(len(lying), 'mask')} drawn on the picture as its file stores it, before EXIF turns it: "
            f"{view.names(lying)}"
        )
        cure = "export the masks from a tool that turns pictures, or save the pictures upright without EXIF"
        yield view.fault("unturned_mask", "warn", lying, told, cure, fix=view.leave_out(lying))
    if empty:
        told = f"{count(len(empty), 'mask')} without a pixel that is judged: {view.names(empty)}"
        yield view.fault(
            "empty_mask", "warn", empty, told, "draw them, or leave the pictures out", 1.0, view.leave_out(empty)
        )
    if plain and len(labelled) >= _FEW and len(plain) <= _RARE * len(labelled):
        told = f"{count(len(plain), 'mask')} of one class only, where nearly all show several: {view.names(plain)}"
        yield view.fault(
            "plain_mask", "warn", plain, told, "look at them: was something forgotten?", 0.5, view.ask(plain)
        )
    unnamed = _unnamed(shown)
    if unnamed:
        rows = [row for row in labelled if not unnamed.isdisjoint(shares(view.samples[row].target))]
        told = (
            f"{count(len(rows), 'mask')} with values that the list of classes does not name, each taken for a class of "
            f"its own ({few(sorted(unnamed))}): {view.names(rows)}"
        )
        value = sorted(unnamed)[0].removeprefix(UNNAMED)
        cure = f"add them to the list, or draw them anew; to judge none of their pixels: --prepare.ignore '{value}'"
        yield view.fault("unnamed_value", "warn", rows, told, cure, 1.0, view.ask(rows))
    for name, n in sorted(shown.items()):
        if n < _IN_FEW and len(labelled) >= 10 and name not in unnamed:
            rows = [row for row in labelled if name in shares(view.samples[row].target)]
            told = f"class '{name}' is in {count(n, 'picture')} only: {view.names(rows)}"
            yield view.fault("rare_class", "warn", rows, told, "label more of it, or give it to another class", 1.0)


def _unnamed(classes: Iterable[str]) -> set[str]:
    """Those that are called after their value, because a list of classes lacks it."""
    return {name for name in classes if _VALUE.fullmatch(name)}


def doubted_masks(view: View) -> Iterator[Fault]:
    """Masks that agree far less than others with networks that did not learn from them."""
    rows, off = [], []
    for row, sample in enumerate(view.samples):
        said = (view.said or ())[row]
        if sample.target is None or said is None:
            continue
        names = sorted({name for name in (*sample.target["classes"], *said["classes"]) if name})
        truth = numbered(sample.target, names)
        judged = truth != IGNORED
        if judged.any():
            rows.append(row)
            off.append(float((numbered_at(said, names, truth.shape) != truth)[judged].mean()))
    if len(rows) < _FEW:
        return
    shares_off = np.array(off)
    middle = float(np.median(shares_off))
    spread = 1.5 * float(np.median(np.abs(shares_off - middle)))  # of a bell curve: its standard deviation
    order = [place for place in np.argsort(-shares_off) if off[place] > max(middle + _FAR * spread, _LEAST)]
    if order:
        suspects = [rows[place] for place in order]
        told = (
            f"{count(len(suspects), 'mask')} far from what networks say that did not learn from them: "
            f"{off[order[0]]:.0%} of the pixels of {view.where(suspects[0])} differ, {middle:.0%} of most pictures'"
        )
        cure = "look at them and draw what is wrong; nothing is changed for you"
        yield view.fault("suspect_masks", "warn", suspects, told, cure, 0.5, view.ask(suspects))
