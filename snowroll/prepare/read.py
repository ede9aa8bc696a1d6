"""The user's data as a flat list of named files, whatever it lies in: folders, archives, arrays, tables. Read-only.

What is not read is in `refused`. Files on disk are opened by disk.py alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from snowroll.base.errors import DataError
from snowroll.prepare.archives import Archive, Limits
from snowroll.prepare.arrays import Arrays, as_npy
from snowroll.prepare.bundles import as_bundle
from snowroll.prepare.decode import Guarded
from snowroll.prepare.disk import Disk, Entry, in_words, no_entry, why_not
from snowroll.prepare.idx import Idx
from snowroll.prepare.names import (
    bundle_of,
    column_of,
    columns_of_text,
    home_of,
    is_archive,
    is_idx,
    is_parquet,
    is_table,
    packed_of,
    stretch_of,
    take_apart,
)
from snowroll.prepare.parquet_cells import answered
from snowroll.prepare.parquet_parts import Parquet
from snowroll.prepare.shards import Shard, opener
from snowroll.prepare.tables import Table, row_as_json, text_of_row


class Folder:
    """A data folder, or one archive or array file in the place of a folder (named as if it lay in its folder)."""

    def __init__(self, root: Path | str, limits: Limits | None = None) -> None:
        root = Path(root)
        try:
            if not root.exists():
                raise DataError("there is no such folder or file", where=root, cure="check the path")
        except OSError as fault:  # a folder above it may not be entered
            raise no_entry(root, fault) from None
        self.root = root.resolve()
        self.limits = limits or Limits()
        self.refused: dict[str, str] = {}  # where -> reason
        self.disk = Disk(self.root, self.limits.depth)
        self._entries: list[Entry] | None = None
        self._homes: dict[str, list[str]] | None = None  # folder -> its files, once a sample of several is read
        self._archives: dict[str, Archive] = {}
        self._arrays: dict[str, Arrays] = {}
        self._tables: dict[str, Table] = {}
        self._parquets: dict[str, Parquet] = {}
        self._shards: dict[str, Shard | DataError] = {}  # without their pictures
        self._held: tuple[str, Shard] | None = None  # with them: single ones are asked for in turn

    def entries(self) -> list[Entry]:
        """Every readable file, in a stable order; members of archives in the place of the archive."""
        if self._entries is None:
            self._entries = list(self._look_into_archives(self.disk.files()))
            self.refused = {**self.disk.refused, **self.refused}
        return self._entries

    def arrays(self, where: str) -> Arrays:
        """The .npz or IDX file called `where`."""
        if where not in self._arrays:
            kind = Idx if is_idx(where) else Arrays
            self._arrays[where] = kind(where, self.disk.size(where), lambda: self.disk.open(where), self.limits)
        return self._arrays[where]

    def table(self, where: str) -> Table:
        """The table called `where`, parsed once and kept. Raises DataError where it is none, or too large."""
        if where not in self._tables:
            try:
                if is_parquet(where):
                    self.parquet(where).check_is_table()
                with self.disk.open(where) as file:
                    self._tables[where] = Table.read(where, file, os.fstat(file.fileno()).st_size, self.limits)
            except OSError as fault:
                raise DataError(in_words(fault), where=where, cure="check that the file is there") from None
        return self._tables[where]

    def parquet(self, where: str) -> Parquet:
        """The Parquet file called `where`, by its parts."""
        if where not in self._parquets:
            self._parquets[where] = Parquet(lambda: self._open_whole(where), self._parquet_reader, self.limits)
        return self._parquets[where]

    def holds_pictures(self, where: str) -> bool:
        """Whether it is a table of pictures, which no other task need look into."""
        with suppress(DataError):
            return is_parquet(where) and bool(self.parquet(where).pictures)
        return False

    @cached_property
    def _parquet_reader(self) -> Guarded:
        return Guarded(answered, memory_mb=6 << 10, seconds_each=300)

    def _open_whole(self, where: str) -> BinaryIO:
        """A file, or a member of an archive in memory."""
        return BytesIO(self.read(where)) if take_apart(where).member is not None else self.disk.open(where)

    def shards(self, wheres: Sequence[str]) -> dict[str, Shard | DataError]:
        """What those files of many pictures hold, or why they cannot be read."""
        new = [where for where in wheres if where not in self._shards]
        child = opener(with_pictures=False) if new else None
        for where, raw in self.stream(new):
            assert child
            try:
                self._shards[where] = child(raw)
            except DataError as fault:
                self._shards[where] = fault
        return {where: self._shards[where] for where in wheres if where in self._shards}

    def read(self, where: str) -> bytes:
        """One file, member or row. Raises DataError."""
        for _, raw in self.stream([where]):
            return raw
        raise DataError(self.refused.get(where, "cannot be read"), where=where, cure="check that the file is there")

    def stream(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """(where, bytes) in storage order, every archive opened and decompressed once.

        What cannot be read does not come; its reason is in `refused`.
        """
        plain: list[str] = []
        inside: dict[tuple[str, str | None], list[str]] = {}  # (container, array) -> wheres
        stretches: dict[str, list[str]] = {}  # file or member -> wheres
        packed: dict[str, dict[str, int]] = {}  # file or member -> wheres and the numbers of the pictures
        for where in wheres:
            if one := packed_of(where):
                packed.setdefault(one.of, {})[where] = one.number
                continue
            if stretch := stretch_of(where):
                stretches.setdefault(stretch.of, []).append(where)
                continue
            if parts := self._parts(where):
                if (raw := self._bundle(where, parts)) is not None:
                    yield where, raw
                continue
            place = take_apart(where)
            if place.member is None:
                plain.append(where)
            else:
                array = place.member if place.row is not None else None
                inside.setdefault((place.file, array), []).append(where)
        for where in plain:
            if (raw := self._read_plain(where)) is not None:
                yield where, raw
        for (file, array), members in inside.items():
            if is_table(file):
                yield from self._stream_table(file, members)
            else:
                yield from self._stream_array(file, array, members) if array else self._stream_archive(file, members)
        yield from self._stream_stretches(stretches)
        yield from self._stream_packed(packed) if packed else ()

    def _parts(self, where: str) -> Sequence[str]:
        """The files of a sample of several, the one that leads first; none for a plain file."""
        told = bundle_of(where)
        if told is None or not told.is_whole:
            return told.files if told else ()
        if self._homes is None:
            self._homes = {}
            for entry in self.entries():
                self._homes.setdefault(home_of(entry.where), []).append(entry.where)
        beside = self._homes.get(told.home, [])
        # a member of an archive may be called so: it is what it is
        return () if where in beside else [*told.files, *sorted(set(beside) - set(told.files))]

    def _bundle(self, where: str, parts: Sequence[str]) -> bytes | None:
        """Several files as one sample's bytes. All of them are held: the limit of a file is that of their sum."""
        found, total = dict[str, bytes](), 0
        for part, raw in self.stream(parts):
            total += len(raw)
            if total > self.limits.file_mb << 20:
                self.refused[where] = f"its files are larger than {self.limits.file_mb:,} MiB together"
                return None
            found[part] = raw
        missing = [part for part in parts if part not in found]
        if missing:
            self.refused[where] = f"{missing[0]}: {self.refused.get(missing[0], 'cannot be read')}"
            return None
        return as_bundle([found[part] for part in parts])

    def _read_plain(self, where: str) -> bytes | None:
        try:
            with self.disk.open(where) as file:
                size = os.fstat(file.fileno()).st_size
                if size > self.limits.file_mb << 20:
                    raise DataError(f"is larger than {self.limits.file_mb:,} MiB", where=where)
                return file.read()
        except DataError as fault:
            self.refused[where] = fault.what
        except OSError as fault:
            self.refused[where] = in_words(fault)
        return None

    def _stream_stretches(self, stretches: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, bytes]]:
        """Parts of files, each file read no further than its parts ask for; of archives the whole member."""
        inside = {of: parts for of, parts in stretches.items() if take_apart(of).member is not None}
        for of, parts in stretches.items():
            if of not in inside:
                yield from self._cut(of, parts)
        for of, raw in self.stream(inside) if inside else ():
            yield from self._cut(of, inside[of], BytesIO(raw))
        lost = {part: self.refused[of] for of, parts in inside.items() if of in self.refused for part in parts}
        self.refused.update(lost)

    def _stream_packed(self, packed: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, bytes]]:
        """Pictures of files of many, each file opened once, and one at a time in memory."""
        for of in [of for of in packed if is_parquet(of)]:
            yield from self._stream_parquet(of, packed[of])
        packed = {of: wheres for of, wheres in packed.items() if not is_parquet(of)}
        held = self._held
        if not packed:
            return
        if held and packed.keys() == {held[0]}:
            yield from self._unpacked(held[1], packed[held[0]])
            return
        child = opener(with_pictures=True)
        for of, raw in self.stream(packed):
            try:
                shard: Shard = child(raw)
            except DataError as fault:
                self.refused[of] = str(fault)
                continue
            if len(packed) == len(packed[of]) == 1:
                self._held = of, shard
            yield from self._unpacked(shard, packed[of])
        lost = {where: self.refused[of] for of, wheres in packed.items() if of in self.refused for where in wheres}
        self.refused.update(lost)

    def _stream_parquet(self, of: str, wheres: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
        left, why = {number: where for where, number in wheres.items()}, "there is no picture in that row"
        try:
            for number, raw in self.parquet(of).stream([*left]):
                yield left.pop(number), raw
        except DataError as fault:
            why = str(fault)
        self.refused.update(dict.fromkeys(left.values(), why))

    def _unpacked(self, shard: Shard, wheres: Mapping[str, int]) -> Iterator[tuple[str, bytes]]:
        for where, number in wheres.items():
            if number < shard.count:
                yield where, as_npy(shard.pictures[number])
            else:
                self.refused[where] = f"the file has {shard.count:,} pictures, and no such one"

    def _cut(self, of: str, parts: Sequence[str], whole: BinaryIO | None = None) -> Iterator[tuple[str, bytes]]:
        """These parts of one file, in its order. whole: its bytes, where they were read already."""
        told = sorted((stretch.start, stretch.stop, where) for where in parts if (stretch := stretch_of(where)))
        try:
            with whole or self.disk.open(of) as file:
                size = file.seek(0, os.SEEK_END)
                for start, stop, where in told:
                    if not start < stop <= size:
                        self.refused[where] = f"the file has {size:,} bytes, and no such part"
                        continue
                    file.seek(start)
                    yield where, file.read(stop - start)
        except (DataError, OSError) as fault:
            why = fault.what if isinstance(fault, DataError) else in_words(fault)
            self.refused.update(dict.fromkeys(parts, why))

    def _stream_archive(self, file: str, wheres: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        try:
            archive = self._archive(file)
        except (DataError, OSError) as fault:
            self.refused.update(dict.fromkeys(wheres, str(fault)))
            return
        for name, raw in archive.stream([where[len(file) + 1 :] for where in wheres]):
            yield f"{file}!{name}", raw
        self._tell_refused(file, archive.refused, "!")

    def _stream_array(self, file: str, array: str, wheres: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        left = {take_apart(where).row or 0: where for where in wheres}
        why = "the array has no such row"
        try:
            arrays = self.arrays(file)
            # a single row is asked for again and again by a page: the array is kept
            rows = [(row, arrays.row(array, row)) for row in left] if len(left) == 1 else arrays.stream(array, [*left])
            for row, raw in rows:
                yield left.pop(row), raw
        except (DataError, OSError) as fault:
            why = str(fault)
        self.refused.update(dict.fromkeys(left.values(), why))

    def _stream_table(self, file: str, wheres: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Rows as JSON of their named cells, each without the column that is its target; or as texts."""
        places = {where: take_apart(where) for where in wheres}
        left = {place.row or 0: where for where, place in places.items()}
        why = "the table has no row that begins there"
        try:
            for line, words in self.table(file).named_words(left):
                where = left.pop(line)
                if columns := columns_of_text(places[where]):
                    yield where, text_of_row(words, columns)
                else:
                    yield where, row_as_json(self.table(file).cells(words), column_of(places[where]))
        except DataError as fault:
            why = str(fault)
        self.refused.update(dict.fromkeys(left.values(), why))

    def _look_into_archives(self, files: Iterable[Entry]) -> Iterator[Entry]:
        count = 0
        for entry in files:
            inner = self._members(entry) if is_archive(entry.where) else [entry]
            for found in inner:
                count += 1
                if count > self.limits.count:
                    raise DataError(f"more than {self.limits.count:,} files", where=self.root, cure="split the folder")
                yield found

    def _members(self, entry: Entry) -> Iterator[Entry]:
        archive = self._archive(entry.where)
        for name, size in archive.members().items():
            if why := why_not(name.encode()):
                self.refused.setdefault(f"{entry.where}!{name}", why)
            else:
                yield Entry(f"{entry.where}!{name}", size, entry.mtime_ns)
        self._tell_refused(entry.where, archive.refused, "!")

    def _tell_refused(self, file: str, refused: dict[str, str], mark: str) -> None:
        self.refused |= {f"{file}{mark}{name}" if name else file: why for name, why in refused.items()}

    def _archive(self, where: str) -> Archive:
        if where not in self._archives:
            self._archives[where] = Archive(where, self.disk.size(where), lambda: self.disk.open(where), self.limits)
        return self._archives[where]
