"""A part of a file as a sample: named by its bytes, read without the rest, refused where the file has no such part."""

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import DataError
from snowroll.prepare.names import Stretch, spell_file, stretch_of, take_apart, unspell
from snowroll.prepare.read import Folder


@given(st.binary(min_size=1, max_size=30).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_no_file_is_called_like_a_part(name: bytes) -> None:
    for spelled in (spell_file(name), spell_file(name + b"#3-7")):
        assert stretch_of(spelled) is None
    assert unspell(spell_file(name + b"#3-7")) == name + b"#3-7"


def test_a_part_lies_in_its_file() -> None:
    assert stretch_of("a/b.txt#0-12") == Stretch("a/b.txt", 0, 12)
    assert take_apart("a.zip!b.txt#0-12") == take_apart("a.zip!b.txt")
    assert stretch_of("set.npz#train/17") is None


@settings(max_examples=30)
@given(st.lists(st.integers(0, 40), min_size=2, max_size=6, unique=True).map(sorted), st.booleans())
def test_parts_are_the_bytes_they_name(tmp_path_factory: pytest.TempPathFactory, cuts: list[int], packed: bool) -> None:
    root = tmp_path_factory.mktemp("parts")
    raw = bytes(range(40))
    if packed:
        with zipfile.ZipFile(root / "a.zip", "w") as archive:
            archive.writestr("t.txt", raw)
    else:
        (root / "t.txt").write_bytes(raw)
    base = "a.zip!t.txt" if packed else "t.txt"
    wheres = [f"{base}#{a}-{b}" for a, b in pairwise(cuts)]
    assert b"".join(part for _, part in Folder(root).stream(wheres)) == raw[cuts[0] : cuts[-1]]


@pytest.mark.parametrize("part", ["t.txt#3-9", "t.txt#2-2", "t.txt#4-1", "gone.txt#0-1", "../t.txt#0-1", "a.zip!x#0-1"])
def test_parts_that_are_not_there_are_refused(tmp_path: Path, part: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "t.txt").write_bytes(b"12345")
    (tmp_path / "t.txt").write_bytes(b"12345")
    with pytest.raises(DataError):
        Folder(inside).read(part)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"12345")
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "t.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(DataError):
        Folder(inside).read("t.txt#0-3")
