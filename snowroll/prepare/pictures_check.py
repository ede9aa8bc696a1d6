"""Faults of what single pictures show: blank, half lost, odd in mode or size, blurred, too dark, sheets of many."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from snowroll.base.nouns import Fault
from snowroll.prepare.look import Look
from snowroll.prepare.view import View, count

_BLANK = 1.5 / 255  # standard deviation below which a picture shows nothing: rounding and faint JPEG noise
_ODD_MODES = {
    "CMYK": "CMYK", "I;16": "16-bit", "I;16B": "16-bit", "I": "32-bit", "F": "floating point", "LAB": "Lab",
    "P": "a palette of at most 256 colours", "1": "black and white",
}  # fmt: skip
_PADDED = 0.1  # of a picture's height in the grey that decoders put where nothing came
_SOME = 0.25  # share beyond which an oddity is how the data are
_BLURRED = np.log(6)  # of the usual detail, at most a sixth is left. A guess
_FAR = 6.0  # robust standard deviations from the median, in log size, that count as an outlier


def picture_faults(view: View) -> list[Fault]:
    """Faults seen in each picture by itself or beside what is usual, one Fault a family."""
    return [
        *_half_lost(view),
        *_blank(view),
        *_modes(view),
        *_sizes(view),
        *_blurred(view),
        *_badly_exposed(view),
        *_sheets(view),
    ]


def _half_lost(view: View) -> Iterator[Fault]:
    """Pictures that were cut off once, decoded all the same and saved again: whole files, the rest an even grey."""
    seen = _seen(view)
    rows = [row for row, look in seen if look.padded >= _PADDED and look.contrast >= _BLANK]
    if 0 < len(rows) < _SOME * len(seen):
        message = (
            f"{count(len(rows), 'picture')} whose lower part is an even middle grey, as a decoder leaves what it was "
            f"never given: {view.names(rows)}"
        )
        cure = "get the originals again; saved once more they seem whole"
        yield view.fault("half_lost_picture", "warn", rows, message, cure, 0.9, view.leave_out(rows))


def _blank(view: View) -> Iterator[Fault]:
    rows = [row for row, seen in _seen(view) if seen.contrast < _BLANK]
    if rows:
        message = f"{count(len(rows), 'picture')} of one even colour: {view.names(rows)}"
        cure = "delete them, or find out what emptied them"
        yield view.fault("blank_picture", "warn", rows, message, cure, fix=view.leave_out(rows))


def _modes(view: View) -> Iterator[Fault]:
    seen = _seen(view)
    moving = [row for row, look in seen if look.frames > 1]
    if moving:
        message = (
            f"{count(len(moving), 'file')} with several frames, of which only the first is read: {view.names(moving)}"
        )
        yield view.fault("animated_picture", "note", moving, message, "split them into single pictures to use the rest")
    turned = [row for row, look in seen if look.rotated]
    if turned:
        message = f"{count(len(turned), 'picture')} to be turned by EXIF; Snowroll turns them: {view.names(turned)}"
        cure = "make sure that whatever else reads these files turns them too"
        yield view.fault("exif_rotation", "note", turned, message, cure)
    clear = [row for row, look in seen if look.see_through]
    if 0 < len(clear) < _SOME * len(seen):
        message = f"{count(len(clear), 'picture')} with transparency among others without: {view.names(clear)}"
        cure = "look at them on white, as they are laid on it; what they hid may show"
        yield view.fault("see_through", "note", clear, message, cure)
    mode_of = {row: look.mode for row, look in seen if look.mode in _ODD_MODES and look.format != "GIF"}  # palettes all
    odd = list(mode_of)
    if 0 < len(odd) < len(seen):
        kinds = ", ".join(sorted({_ODD_MODES[mode] for mode in mode_of.values()}))
        message = f"{count(len(odd), 'picture')} stored as {kinds} among others that are not: {view.names(odd)}"
        yield view.fault("odd_mode", "note", odd, message, "check their colours: they are converted to 8-bit RGB")


def _sizes(view: View) -> Iterator[Fault]:
    seen = view.seen()
    if len(seen) < 20:  # too few to say what is usual
        return
    sides = np.log2([[look.width, look.height] for _, look in seen])
    area, aspect = sides.sum(axis=1) / 2, sides[:, 0] - sides[:, 1]
    small = area < np.median(area) - 2  # less than a quarter of the usual side
    strange = (_far(area) & (np.abs(area - np.median(area)) > 2)) | (_far(aspect) & (np.abs(aspect) > 1))
    rows = [row for (row, _), odd in zip(seen, small | strange, strict=True) if odd]
    if rows and len(rows) * 20 <= len(seen):
        first = view.looks[rows[0]]
        assert first is not None
        wide, high = (round(2**side) for side in np.median(sides, axis=0))
        if first.drawn:
            message = (
                f"{count(len(rows), 'sample')} of a length unlike the others (usually {wide:,} values in "
                f"{count(high, 'channel')}): {view.where(rows[0])} has {first.width:,} in {first.height:,}"
            )
            cure = "look whether they are whole, and of the same kind and rate"
        else:
            message = (
                f"{count(len(rows), 'picture')} of a size unlike the others (usually {wide} x {high}): "
                f"{view.where(rows[0])} is {first.width} x {first.height}"
            )
            cure = "look whether they are thumbnails, icons or scans that do not belong"
        yield view.fault("odd_size", "note", rows, message, cure, confidence=0.7, fix=view.leave_out(rows))


def _blurred(view: View) -> Iterator[Fault]:
    """Pictures with a small part of the fine detail that the others have."""
    seen = [(row, look) for row, look in _seen(view) if look.contrast >= _BLANK]  # a blank one is told as that
    if len(seen) < 20:
        return
    detail = np.log([look.sharpness + 1e-6 for _, look in seen])
    below = np.median(detail) - detail
    spread = 1.4826 * float(np.median(np.abs(below)))
    rows = [row for (row, _), is_so in zip(seen, below > max(4 * spread, _BLURRED), strict=True) if is_so]
    if 0 < len(rows) < _SOME * len(seen):
        message = f"{count(len(rows), 'picture')} without the fine detail of the others, as if out of focus"
        cure = "look at them; leave out what a person could not label"
        yield view.fault(
            "blurred_picture", "note", rows, f"{message}: {view.names(rows)}", cure, 0.7, view.leave_out(rows)
        )


def _badly_exposed(view: View) -> Iterator[Fault]:
    """Pictures near black or near white that have lost most of the contrast of the others."""
    seen = _seen(view)
    if len(seen) < 20:
        return
    light = np.array([look.brightness for _, look in seen])
    contrast = np.array([look.contrast for _, look in seen])
    usual, flat = np.median(light), contrast < 0.5 * np.median(contrast)
    dark = flat & (light < 0.15) & (light < usual / 2)
    bright = flat & (light > 0.85) & (1 - light < (1 - usual) / 2)
    shown = contrast >= _BLANK
    for code, chosen, word in (("underexposed_picture", dark, "dark"), ("overexposed_picture", bright, "bright")):
        rows = [row for (row, _), is_so in zip(seen, chosen & shown, strict=True) if is_so]
        if 0 < len(rows) < _SOME * len(seen):
            message = f"{count(len(rows), 'picture')} so {word} that little is left in them: {view.names(rows)}"
            cure = "look at them; leave out what a person could not label"
            yield view.fault(code, "note", rows, message, cure, 0.8, view.leave_out(rows))


def _sheets(view: View) -> Iterator[Fault]:
    """Contact sheets and figures of several panels among single pictures."""
    seen = _seen(view)
    rows = [row for row, look in seen if look.panels > 1]
    if 0 < len(rows) < _SOME * len(seen):
        first = view.looks[rows[0]]
        assert first is not None
        message = (
            f"{count(len(rows), 'picture')} made of many small ones among single pictures: {view.where(rows[0])} holds "
            f"{first.panels:,} panels"
        )
        cure = "a contact sheet is no sample: leave it out; cut a figure into its panels"
        yield view.fault("contact_sheet", "warn", rows, message, cure, 0.9, view.leave_out(rows))


def _seen(view: View) -> list[tuple[int, Look]]:
    """The rows that are pictures, not drawings of what is none."""
    return [(row, look) for row, look in view.seen() if not look.drawn]


def _far(values: np.ndarray) -> np.ndarray:
    centre = np.median(values)
    spread = max(1.4826 * float(np.median(np.abs(values - centre))), 0.05)
    return np.abs(values - centre) > _FAR * spread
