"""Names of files: any bytes become storable text and come back."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from snowroll.prepare.names import Bundle, as_bundle_of, bundle_of, home_of, spell, spell_file, take_apart, unspell

WILD = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.text(alphabet="a%12F!#/.zipngtar\u202e\n猫é", min_size=1, max_size=30).map(str.encode),
)


@given(WILD)
def test_spelling_loses_nothing(name: bytes) -> None:
    assert unspell(spell(name)) == name
    assert unspell(spell_file(name)) == name


@given(WILD)
def test_a_spelled_name_can_be_stored_and_printed(name: bytes) -> None:
    text = spell(name)
    assert text.encode().decode() == text
    assert not {unicodedata.category(letter) for letter in text} & {"Cc", "Cs", "Zl", "Zp"}
    assert "\u202e" not in text


@given(WILD)
def test_a_file_on_disk_is_never_mistaken_for_a_member(name: bytes) -> None:
    assert take_apart(spell_file(name)).member is None


@given(WILD, st.sampled_from(["a.zip", "b/c.tar.gz", "d.TXZ"]))
def test_a_member_comes_apart_into_archive_and_name(name: bytes, archive: str) -> None:
    assert take_apart(f"{archive}!{spell(name)}") == (archive, spell(name), None)


PART = st.text(alphabet="ab1_.", min_size=1, max_size=4)


@given(st.sampled_from(["", "a.zip!", "a.zip!b/", "c/"]), st.lists(PART), st.sets(PART, min_size=2, max_size=4))
def test_files_of_one_folder_come_back_from_their_bundle(start: str, folders: list[str], names: set[str]) -> None:
    files = tuple(sorted(start + "/".join([*folders, name]) for name in names))
    assert bundle_of(as_bundle_of(files)) == Bundle(home_of(files[0]), files, False)


def test_names_people_use_are_left_alone() -> None:
    for name in ("猫/ねこ 1.jpg", "кошка.png", "50% off!.jpg", "a#b (1).jpg", "čeština/ü.bmp"):
        assert spell_file(name.encode()) == name
