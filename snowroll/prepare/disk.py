"""The files of one folder on disk: the one place that opens foreign paths, read-only.

Every folder and file is opened relative to its parent without following links, so nothing outside the data folder is
ever read, not even when a link is swapped in while we walk. Links are refused (a link out of the tree would leak, one
within it would count a file twice). A hard link cannot be told from the file it shares, needs the owner's rights to be
made, and is read like any file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from snowroll.base.errors import DataError
from snowroll.prepare.names import spell_file, unspell

EMPTY = "a folder without a file"
FORBIDDEN = os.strerror(errno.EACCES).lower()  # the reason where the system lets nobody look
_HIDDEN, _LEFT = "a hidden name", "left behind by an operating system"
TRIFLES = frozenset({_HIDDEN, _LEFT})  # reasons that nobody needs to hear first
OURS = frozenset({"snowroll.toml", ".snowroll", "runs", "results.tsv"})  # at the top of a project: never data
# what systems and network drives leave behind; hidden names too
_LITTER = frozenset({"thumbs.db", "desktop.ini", "__macosx", "@eadir", "#recycle", "$recycle.bin", "lost+found"})
_OTHER_ARCHIVES = (".7z", ".rar", ".tar.zst", ".tar.lz4")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or archive member. mtime_ns is that of the file on disk: for a member, its archive's."""

    where: str
    size: int
    mtime_ns: int = 0


class Disk:
    """What lies under `root`: a folder, or one file in the place of a folder (named as if it lay in its folder)."""

    def __init__(self, root: Path, depth: int) -> None:
        """depth: of folders within folders, at most."""
        self.depth = depth
        self.refused: dict[str, str] = {}  # where -> reason, once it has been walked
        self._only = None if root.is_dir() else os.fsencode(root.name)
        self._base = root if self._only is None else root.parent

    def files(self) -> Iterator[Entry]:
        """Regular files on disk, archives as files, in the order of their names' bytes."""
        try:
            base = os.open(self._base, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as fault:
            raise no_entry(self._base, fault) from None
        try:
            yield from self._walk(base, b"", 0)
        finally:
            os.close(base)

    def open(self, where: str) -> BinaryIO:
        """A regular file under the root, no link on the way. Raises OSError, DataError."""
        *folders, name = unspell(where).split(b"/")
        if self._only is not None and (folders or name != self._only):
            raise DataError("not part of the data", where=where)
        if any(part in (b"", b".", b"..") for part in (*folders, name)):
            raise DataError("a path that leaves the data folder", where=where)
        if self._only is None and os.fsdecode((*folders, name)[0]) in OURS:
            raise DataError("a name that Snowroll keeps for itself: never read as data", where=where)
        handle = os.open(self._base, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in folders:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = inner
            # O_NONBLOCK: opening a pipe without a writer would wait for ever
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
        finally:
            os.close(handle)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise DataError("not a regular file", where=where)
        return os.fdopen(file, "rb")

    def size(self, where: str) -> int:
        try:
            with self.open(where) as file:
                return os.fstat(file.fileno()).st_size
        except OSError as fault:
            raise DataError(in_words(fault), where=where, cure="check that the file is there") from None

    def _walk(self, folder: int, prefix: bytes, depth: int) -> Iterator[Entry]:
        """The files under an open folder. Symlinks, devices and pipes are refused without being opened."""
        try:
            found = _scan(folder)
        except OSError as fault:  # it can be listed but not entered
            raise no_entry(self._base / os.fsdecode(prefix), fault) from None
        for name, what in found:
            if depth == 0 and self._only not in (None, name):
                continue
            where = spell_file(prefix + name)
            if why := self._refusal(name, what, depth):
                self.refused[where] = why
            elif stat.S_ISDIR(what.st_mode):
                try:
                    inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                except OSError as fault:
                    self.refused[where] = in_words(fault)
                    continue
                empty = True
                try:
                    for entry in self._walk(inner, prefix + name + b"/", depth + 1):
                        empty = False
                        yield entry
                finally:
                    os.close(inner)
                if empty and not any(refused.startswith(f"{where}/") for refused in self.refused):
                    self.refused[where] = EMPTY
            else:
                yield Entry(where, what.st_size, what.st_mtime_ns)

    def _refusal(self, name: bytes, what: os.stat_result, depth: int) -> str:
        if depth == 0 and self._only is None and os.fsdecode(name) in OURS:
            return "a name that Snowroll keeps for itself: never read as data"
        if stat.S_ISLNK(what.st_mode):
            return "a symbolic link: not followed; copy the file here or point --data at it"
        if not (stat.S_ISDIR(what.st_mode) or stat.S_ISREG(what.st_mode)):
            return "neither a file nor a folder (a pipe, socket or device)"
        if depth > self.depth:
            return f"more than {self.depth} folders deep"
        return why_not(name)


def _scan(folder: int) -> list[tuple[bytes, os.stat_result]]:
    """What lies in an open folder, by the bytes of the names. What vanishes meanwhile is not there."""
    found = []
    with os.scandir(folder) as items:
        for item in items:
            with suppress(FileNotFoundError):
                found.append((os.fsencode(item.name), item.stat(follow_symlinks=False)))
    return sorted(found)


def why_not(path: bytes) -> str:
    """Why a name is not data, or ''."""
    for name in os.fsdecode(path).split("/"):
        if name.startswith(".") and name not in (".", ".."):
            return _HIDDEN
        if name.lower() in _LITTER:
            return _LEFT
        if name.lower().endswith(_OTHER_ARCHIVES):
            return "an archive of a kind that is not read: repack it as .zip or .tar"
    return ""


def no_entry(folder: Path, fault: OSError) -> DataError:
    return DataError(f"cannot be read ({in_words(fault)})", where=folder, cure="give yourself the right to read it")


def in_words(fault: OSError) -> str:
    return (fault.strerror or str(fault)).lower()
