"""Zip and tar archives read in place: members are listed and streamed, never unpacked.

A member's name is only a name: nothing is ever written by it. What is refused, with the reason: names that climb
out ('..', absolute), links and devices, encrypted members, the second member of one name, archives within archives,
and bombs. Bombs are measured on what really comes out, member by member and in sum.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from snowroll.prepare.names import is_archive, spell

BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile, NotImplementedError)
# in reasons why something of an archive is not read: whoever packed it meant harm, or it was harmed since
CLIMBS, DAMAGED, BOMB = "climbs out of the archive", "damaged", "refused as an archive bomb"
_CHUNK = 1 << 20
_BLOCK = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """What one folder may make us read. The bytes are counted as they come out of an archive."""

    file_mb: int = 512  # one file or member
    ratio: int = 200  # an archive may unpack to this many times its size ...
    floor_mb: int = 1024  # ... once it is beyond this much; photos gain nothing, masks and text up to 100 times
    count: int = 10_000_000  # files in all
    depth: int = 64  # folders within folders

    def most_bytes(self, packed: int) -> int:
        return max(packed * self.ratio, self.floor_mb << 20)


class Bomb(OSError):
    """An archive gives out more than it may."""


class Archive:
    """One zip or tar file. `open_file` opens it anew, so that a walk never disturbs another."""

    def __init__(self, name: str, size: int, open_file: Callable[[], BinaryIO], limits: Limits) -> None:
        self.name, self.size, self._open_file, self._limits = name, size, open_file, limits
        self._is_zip = name.lower().endswith(".zip")
        self.refused: dict[str, str] = {}  # member -> reason; "" for the archive itself
        self._members: dict[str, int] | None = None
        self._tail: tuple[str, bytes] | None = None

    def members(self) -> dict[str, int]:
        """Readable members in storage order: name -> bytes. A damaged archive gives what comes before the damage."""
        if self._members is None:
            self._members = {}
            walk = self._list_zip if self._is_zip else self._list_tar
            try:
                walk(self._members)
            except Bomb as fault:
                self._members.clear()
                self.refused[""] = str(fault)
            except RuntimeError as fault:
                self.refused[""] = str(fault)
            except BROKEN as fault:
                self.refused[""] = (
                    f"an archive that is {DAMAGED} after {len(self._members):,} members ({_in_words(fault)})"
                )
        return self._members

    def stream(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """The wanted members in storage order, in one pass. What cannot be read is in `refused` afterwards."""
        missing = set(wanted) & self.members().keys()
        for name in set(wanted) - missing:
            self.refused.setdefault(name, "the archive holds no such member")
        walk = self._stream_zip if self._is_zip else self._stream_tar
        try:
            for name, data in walk(missing):
                missing.discard(name)
                yield name, data
        except BROKEN as fault:
            for name in missing:
                self.refused.setdefault(name, f"the archive is {DAMAGED} before it ({_in_words(fault)})")

    # zip: a directory at the end names every member and where it lies -------------------------------------------

    def _list_zip(self, members: dict[str, int]) -> None:
        with self._zip() as (_, infos):
            total = sum(info.file_size for info in infos.values())
            if total > self._limits.most_bytes(self.size):
                raise Bomb(f"{self.size:,} bytes that unpack to {total:,}: {BOMB}")
            for name, info in sorted(infos.items(), key=lambda item: item[1].header_offset):
                is_link = (info.external_attr >> 16) & 0o170000 == 0o120000
                encrypted = "is encrypted: unpack it first" if info.flag_bits & 1 else ""
                self._admit(members, name, info.file_size, "is a link" if is_link else encrypted)

    def _stream_zip(self, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
        with self._zip() as (archive, infos):
            for name in sorted(wanted, key=lambda name: infos[name].header_offset):
                try:
                    with archive.open(infos[name]) as member:
                        data = member.read()  # no more than the size in the directory, which was checked
                    if len(data) != infos[name].file_size:
                        raise EOFError("it ends too early")
                except (*BROKEN, RuntimeError) as fault:
                    self.refused[name] = f"a member of the archive {self.name} that is {DAMAGED} ({_in_words(fault)})"
                    continue
                yield name, data

    @contextmanager
    def _zip(self) -> Iterator[tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]]:
        with self._open_file() as file, zipfile.ZipFile(file) as archive:
            infos: dict[str, zipfile.ZipInfo] = {}
            for info in archive.infolist():
                name = spell(_zip_name(info))
                if info.is_dir() or name.endswith("/"):
                    continue
                if name in infos:
                    self.refused[f"{name} (again)"] = "the archive holds this name twice; the first is read"
                infos.setdefault(name, info)
            yield archive, infos

    # tar: one member after the other, so a compressed one is decompressed once for each walk --------------------

    def _list_tar(self, members: dict[str, int]) -> None:
        for name, info, _ in self._walk_tar():
            known = name in members
            links = info.issym() or info.islnk()
            why = "is a link" if links else "" if info.isreg() and not info.issparse() else "is not a regular file"
            if known:
                self.refused[f"{name} (again)"] = "the archive holds this name twice; the first is read"
            else:
                self._admit(members, name, info.size, why)

    def _stream_tar(self, wanted: set[str]) -> Iterator[tuple[str, bytes]]:
        left = set(wanted)
        for name, info, archive in self._walk_tar():
            if name in left and info.isreg():
                left.discard(name)
                member = archive.extractfile(info)
                data = member.read() if member else b""
                if len(data) != info.size:
                    raise EOFError("it ends too early")
                yield name, data
                if not left:
                    return

    def _walk_tar(self) -> Iterator[tuple[str, tarfile.TarInfo, tarfile.TarFile]]:
        with self._open_file() as file:
            plain = _Forward(_decompress(file), self._limits.most_bytes(self.size), self.size)
            with tarfile.open(fileobj=plain, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
                while (info := archive.next()) is not None:
                    archive.members.clear()  # type: ignore[attr-defined] - it would keep every member it has passed
                    if not info.isdir():
                        yield spell(info.name.encode("utf-8", "surrogateescape")), info, archive
            if plain.tail.strip(b"\0"):
                raise tarfile.ReadError("a header that is none")

    def _admit(self, members: dict[str, int], name: str, size: int, why: str) -> None:
        if not why and size > self._limits.file_mb << 20:
            why = f"is larger than {self._limits.file_mb:,} MiB"
        if not why and (".." in name.split("/") or name.startswith("/")):
            why = f"has a path that {CLIMBS}"
        if not why and (is_archive(name) or name.lower().endswith(".npz")):
            why = "is an archive within an archive: unpack the outer one"
        if why:
            self.refused[name] = f"a member of {self.name} that {why}"
        elif len(members) >= self._limits.count:
            raise Bomb(f"more than {self._limits.count:,} members: {BOMB}")
        else:
            members[name] = size


class _Forward(io.RawIOBase):
    """A decompressed stream that only moves forward and counts what came out of it."""

    def __init__(self, file: BinaryIO, most: int, packed: int) -> None:
        self._file, self._most, self._packed, self._at = file, most, packed, 0
        self.tail = b""  # the last block that was read, to tell an archive's end from damage

    def read(self, size: int = -1, /) -> bytes:
        if size < 0 or self._at + size > self._most:
            raise Bomb(f"{self._packed:,} bytes that unpack to more than {self._most:,}: {BOMB}")
        data = self._file.read(size)
        self._at += len(data)
        self.tail = data[-_BLOCK:]
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence != 0 or offset < self._at:
            raise OSError("a member that lies before the one in front of it")
        while self._at < offset:
            if not self.read(min(_CHUNK, offset - self._at)):
                break
        return self._at

    def tell(self) -> int:
        return self._at

    def readable(self) -> bool:
        return True


def _decompress(file: BinaryIO) -> BinaryIO:
    magic = file.read(6)
    file.seek(0)
    if magic[:2] == b"\x1f\x8b":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if magic == b"\xfd7zXZ\0":
        return lzma.LZMAFile(file)  # type: ignore[return-value]
    if magic[:3] == b"BZh":
        return bz2.BZ2File(file)  # type: ignore[return-value]
    return file


def _zip_name(info: zipfile.ZipInfo) -> bytes:
    """The name's bytes. Without the UTF-8 flag zipfile guesses cp437, which only DOS ever meant."""
    name = info.orig_filename.partition("\0")[0].replace("\\", "/")
    return name.encode() if info.flag_bits & 0x800 else name.encode("cp437", "replace")


def _in_words(fault: BaseException) -> str:
    return " ".join(str(fault).split())[:120] or type(fault).__name__
