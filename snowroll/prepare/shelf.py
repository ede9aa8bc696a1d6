"""Which file a cell of a list names: by any tail of its path, however the list spells it. Nothing is opened by it."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from itertools import islice

from snowroll.prepare.names import BUNDLE, bundle_of, take_apart, unspell

TRIED = 200  # rows that decide what a list means

Find = Callable[[str], tuple[str | None, str]]  # cell -> (where, "") or (None, why)


class Shelf:
    """The pictures by their last name, to be found by any tail of their path."""

    def __init__(self, pictures: Sequence[str], beside: Collection[str] = ()) -> None:
        """beside: those that are not meant where their name is another's too."""
        self._beside = beside
        self._by_name: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
        for where in pictures:
            for parts in _spellings(where):
                bare = parts[-1].removesuffix(".gz").rpartition(".")[0]  # 'ISIC_001' for 'ISIC_001.jpg'
                for name in {parts[-1], bare}:
                    self._by_name[name].append((where, parts))

    def share(self, manifest: str, cells: Sequence[str]) -> float:
        """Which share of the cells names a picture."""
        if not cells:
            return 0.0
        find = self.finder(manifest, cells)
        return sum(find(cell)[0] is not None for cell in cells) / len(cells)

    def finder(self, manifest: str, cells: Sequence[str]) -> Find:
        """How this manifest's paths are to be read: how many leading folders to leave out is decided once for all."""
        home = _parts(manifest)[:-1]
        tried = list(islice((cell for cell in cells if cell), TRIED))
        deepest = max((len(_split(cell)) for cell in tried), default=1)
        hits = [sum(self._find(cell, home, strip)[0] is not None for cell in tried) for strip in range(deepest)]
        strip = hits.index(max(hits)) if hits else 0
        return lambda cell: self._find(cell, home, strip)

    def _find(self, cell: str, home: Sequence[str], strip: int) -> tuple[str | None, str]:
        parts = _split(cell)
        if ".." in parts:  # relative to the manifest
            climbed = _climb(home, parts)
            if climbed is None:
                return None, "the path leaves the folder"
            parts = climbed
        parts = parts[strip:]
        if not parts:
            return None, "it is no path"
        found = [(where, have) for where, have in self._by_name.get(parts[-1], ()) if _ends(have, parts)]
        if len(found) > 1:
            found = [(where, have) for where, have in found if where not in self._beside] or found
        if len(found) > 1:  # Train/1.png and train/1.png
            spelled = cell.strip().replace("\\", "/")
            found = [(where, have) for where, have in found if where.endswith(spelled)] or found
        if len(found) > 1:  # the same tail in several places: the one that lies with the manifest
            found = [(where, have) for where, have in found if have[: len(home)] == list(home)] or found
        if len(found) > 1:
            exact = [*home, *parts]
            found = [(where, have) for where, have in found if _ends(exact, have) and len(exact) == len(have)] or found
        if len({where for where, _ in found}) == 1:
            return found[0][0], ""
        return None, f"{len(found):,} files have that name" if found else "there is no such file"


def _climb(home: Sequence[str], parts: Sequence[str]) -> list[str] | None:
    at = list(home)
    for part in parts:
        if part != "..":
            at.append(part)
        elif at:
            at.pop()
        else:
            return None
    return at


def _ends(have: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a path ends in these parts; its last one with or without the ending."""
    folders = len(parts) - 1
    return folders < len(have) and list(have[len(have) - 1 - folders : -1]) == list(parts[:-1])


def _spellings(where: str) -> list[list[str]]:
    """How a manifest may call a sample: of several files by each of them, by their folder, or by how all begin."""
    bundle = bundle_of(where)
    if bundle is None:
        return [_parts(where)]
    start = re.sub(r"[ _.-]+\d*$", "", where.partition(BUNDLE)[0])  # a_000 of a_0000.nii and a_0001.nii
    return [parts for one in (*bundle.files, bundle.home, start) if (parts := _parts(one))]


def _parts(where: str) -> list[str]:
    place = take_apart(where)
    return _split("/".join(unspell(part).decode("utf-8", "replace") for part in (place.file, place.member) if part))


def _split(path: str) -> list[str]:
    """One spelling: NFC (a Mac writes 'é' as two characters), without case, '/' between folders."""
    plain = unicodedata.normalize("NFC", path.strip()).casefold().replace("\\", "/")
    return [part for part in plain.split("/") if part not in ("", ".")]
