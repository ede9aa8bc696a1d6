"""A folder of texts as passages: each a stretch of a file, its target the text that follows it.

A long text is cut into passages of about PASSAGE bytes, at ends of lines where there is one near. Of few texts the
splits are stretches of each, so that what is judged comes after what was learnt; of many, whole texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from snowroll.base.nouns import Json, Split
from snowroll.base.task import Found, Reading
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.sparse_rows import TELLS, are_sparse
from snowroll.prepare.texts import BROKEN, is_control, is_of_numbers

ENDINGS = (".txt", ".text", ".md", ".rst", ".tex", ".adoc", ".tokens", ".raw")  # and files without one
PASSAGE = 512  # bytes
MOST_PASSAGES = 100_000  # of longer corpora passages are longer
LEAST = 2 * PASSAGE  # bytes of all texts: a note beside nothing else is no corpus
FOLLOWS = 64  # bytes of what follows a passage that are its target
NEWLINE = b"\n"
FEW = 20  # texts below which each is cut into splits
_BESIDE = ("readme", "license", "licence", "copying", "changelog", "requirements", "notice", "authors")
_SPLITS: dict[str, Split] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip


def read_texts(folder: Any, settings: PrepareSettings) -> Reading | None:
    """Every text of the folder in passages; None where texts are not most of what it holds, or are hardly any."""
    entries = folder.entries()
    texts = [entry for entry in entries if _is_text(entry.where)]
    whole = sum(entry.size for entry in entries)
    size = sum(entry.size for entry in texts)
    if size < LEAST or 2 * size < whole:
        return None
    passage = max(PASSAGE, size // MOST_PASSAGES)
    by_text = len(texts) >= FEW
    found: list[Found] = []
    skipped: dict[str, str] = {}
    read: set[str] = set()
    for where, raw in folder.stream([entry.where for entry in texts]):
        read.add(where)
        if why := _why_not(raw):
            skipped[where] = why
            continue
        declared = _declared(where)
        stretches: list[tuple[Split | None, int, int]] = [(declared, 0, len(raw))]
        if not by_text and declared is None:
            stretches = [*in_splits(raw, settings.test, settings.val)]
        group = where if by_text else None
        cut: list[tuple[Split | None, tuple[int, int, int]]] = []
        for split, start, stop in stretches:
            for place in passages(raw, start, stop, passage):
                cut.append((split, place))
        broken = _broken(raw, [(a, b) for _, (a, b, _) in cut])
        skipped |= {f"{where} line {raw.count(NEWLINE, 0, at) + 1}": BROKEN for at in broken.values()}
        found += [
            Found(f"{where}#{a}-{b}", _target(raw[a:b], raw[b:c]), group, split)
            for split, (a, b, c) in cut
            if a not in broken
        ]
        if not cut:
            skipped[where] = "a text too short to be told what follows"
    folder.refused |= {where: why for where, why in skipped.items() if why == TELLS}
    if not found or 2 * sum(entry.size for entry in texts if entry.where not in skipped) < whole:
        return None
    others = {entry.where: "no text: one of " + " ".join(ENDINGS) for entry in entries if entry.where not in read}
    how = "whole texts" if by_text else "stretches of each text: first training, then validation, the last is the test"
    many = f"{len(texts):,} texts" if len(texts) > 1 else "one text"
    evidence = (
        f"{many} of {size:,} bytes in passages of about {passage}, each with the {FOLLOWS} bytes that follow it",
        f"splits are {how if not all(_declared(e.where) for e in texts) else 'as names of folders or files say'}",
    )
    return Reading("passages of texts", evidence, tuple(found), {**skipped, **others})


def _broken(raw: bytes, places: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Start of each passage that is no UTF-8 -> its first such byte; of a text in another encoding nothing is told."""
    found = {}
    for start, stop in places:
        try:
            raw[start:stop].decode("utf-8")
        except UnicodeDecodeError as fault:
            found[start] = start + fault.start
    return found if 2 * len(found) < len(places) else {}


def passages(raw: bytes, start: int, stop: int, size: int = PASSAGE) -> Iterator[tuple[int, int, int]]:
    """(start, end, end of what follows) of each passage of raw[start:stop]: they tile it but for its last bytes.

    No UTF-8 sequence is cut through. What follows is never empty.
    """
    start = _neat(raw, start, stop)
    while stop - start > 1:
        left = stop - start
        end = min(start + size, stop - FOLLOWS) if left > 2 * FOLLOWS else start + max(1, left * 4 // 5)
        end = _line_end(raw, start, end) if end - start == size else end
        end = min(_neat(raw, max(end, start + 1), stop), stop)
        if end >= stop:  # the last character is what follows all before it
            end = next((at for at in range(stop - 1, start, -1) if _neat(raw, at, stop) == at), stop)
        follows = min(_neat(raw, min(end + FOLLOWS, stop), stop), stop)
        if follows <= end:
            return
        yield start, end, follows
        if follows >= stop:
            return
        start = end


def in_splits(raw: bytes, test: float, val: float) -> Iterator[tuple[Split, int, int]]:
    """Which stretch of one text each split is: the last is the test, the one before it validation."""
    size = len(raw)
    to_test = _neat(raw, round(size * (1 - test)), size)
    to_val = _neat(raw, round(size * (1 - test) * (1 - val)), size)
    stretches: list[tuple[Split, int, int]] = [("train", 0, to_val), ("val", to_val, to_test), ("test", to_test, size)]
    yield from (stretch for stretch in stretches if stretch[2] > stretch[1])


def _neat(raw: bytes, at: int, stop: int) -> int:
    """The next place, from `at`, that is not within a UTF-8 sequence, nor between CR and LF."""
    for place in range(at, min(at + 4, stop)):
        if raw[place] & 0xC0 != 0x80 and not (place and raw[place - 1 : place + 1] == b"\r\n"):
            return place
    return stop if at + 4 >= stop else at  # no place is better where bytes are broken


def _line_end(raw: bytes, start: int, end: int) -> int:
    """The last end of a line in the last quarter of raw[start:end], else its last space, else its end."""
    near = end - (end - start) // 4
    for mark in (b"\n", b" "):
        if (place := raw.rfind(mark, near, end)) >= 0:
            return place + 1
    return end


def _target(passage: bytes, after: bytes) -> Json:
    """What follows; and the letters of the passage, so that the schema knows every character there is."""
    return {"follows": _decoded(after), "letters": "".join(sorted(set(_decoded(passage))))}


def _decoded(raw: bytes) -> str:
    """What follows a passage, as text; broken bytes stand as U+FFFD, and are told where they are read."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return "".join("\ufffd" if is_control(c) else c for c in text)


def _is_text(where: str) -> bool:
    name = where.rpartition("/")[2].lower()
    return (name.endswith(ENDINGS) or "." not in name) and not name.startswith(_BESIDE)


def _why_not(raw: bytes) -> str:
    if not raw:
        return "an empty file"
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "UTF-16, not UTF-8: save it as UTF-8"
    if b"\0" in raw[:4096]:
        return "no text: it holds zero bytes"
    if is_of_numbers(raw):
        return "a table of numbers, no text"
    return TELLS if are_sparse(raw[:65536].decode("utf-8", "replace")) else ""


def _declared(where: str) -> Split | None:
    """The split that a folder's name says, or a part of the file's: wiki.train.tokens."""
    *folders, name = where.replace("!", "/").lower().split("/")
    for part in (*folders, *name.split(".")[:-1]):
        if part in _SPLITS:
            return _SPLITS[part]
    return None
