"""What can be wrong with texts: copies that are learnt and judged on, control characters, secrets, other scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from snowroll.base.nouns import Fault
from snowroll.prepare.texts_check import copies_across, in_rare_scripts
from snowroll.prepare.view import View, count


def text_faults(view: View) -> Iterable[Fault]:
    """One Fault a family."""
    rows = view.readable()
    yield from copies_across(view, rows, "passage")
    yield from _counted(view, rows, "control", "control_characters", "with control characters", "remove them")
    yield from _counted(
        view,
        rows,
        "key",
        "secrets",
        "that seem to hold a secret key",
        "take it out, and revoke it: models repeat what they read",
    )
    yield from _counted(
        view,
        rows,
        "address",
        "addresses",
        "with e-mail addresses",
        "take them out, unless they may be repeated by the model",
    )
    yield from in_rare_scripts(view, rows, "passage")


def _counted(view: View, rows: list[int], what: str, code: str, words: str, cure: str) -> Iterator[Fault]:
    found = [row for row in rows if (look := view.looks[row]) and look.own[what]]
    if found:
        message = f"{count(len(found), 'passage')} {words}: {view.names(found)}"
        yield view.fault(code, "note", found, message, cure, 0.8, view.leave_out(found))
