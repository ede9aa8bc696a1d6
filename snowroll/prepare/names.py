"""How a file is named everywhere in a project: `where`, one storable, printable and unique string.

    cat/1.jpg                    a file of the data folder
    photos.zip!cat/1.jpg         a member of an archive
    set.npz#train_images/17      one row of an array, of IDX files too
    adult.csv#income/18          the row of a table that begins in line 18, without its column 'income': its target
    news.csv#=title+body/18      of such a row the cells of these columns alone, as a text
    data_batch_1#@17             picture 17 of a file of many: CIFAR's batches, SVHN's matrices, see shards.py
    train.parquet#@17            of a table of pictures the one in row 17, see parquet_parts.py
    poems.txt#1024-2048          bytes 1024 to 2047 of a file: a passage of a text
    ct/p1//a.dcm                 all files of the folder ct/p1 as one sample, a.dcm first: the slices of a scan
    mri/p1//_t1.nii//_t2.nii     the files mri/p1_t1.nii and mri/p1_t2.nii as one sample
    ecg/101.csv///370            a piece of a sample, called 370 by the task that cuts it: see pieces.py

A name may be any bytes on disk, but SQLite and JSON hold text: bytes that are not UTF-8, control characters and
the characters that turn the writing direction (they make a name look like another) are written %XX, and so is a '%'
that could be mistaken for such an escape. The mapping loses nothing: `unspell(spell(name)) == name`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

ARCHIVE = r"(?:zip|tar|tar\.gz|tar\.xz|tar\.bz2|tgz|txz|tbz|tbz2)"
_IS_ARCHIVE = re.compile(rf"\.{ARCHIVE}$", re.IGNORECASE)
TABLE = r"(?:csv|tsv|tab|psv|data|test|tra|trn|tes|tst|arff|libsvm|svmlight|svm)(?:\.gz)?|parquet"
_IDX = r"[-.]idx\d-\w+(?:\.gz)?"
_IS_IDX = re.compile(rf"{_IDX}$", re.IGNORECASE)
_IS_TABLE = re.compile(rf"\.(?:{TABLE})$", re.IGNORECASE)
_AMBIGUOUS = re.compile(rf"(\.{ARCHIVE})!|(\.(?:npz|{TABLE}))#|#(?=(?:\d+-|@)\d+$)", re.IGNORECASE)
_MEMBER = re.compile(rf"(.*?\.{ARCHIVE})!(.*)", re.IGNORECASE | re.DOTALL)
_ROW = re.compile(rf"(.*?(?:\.(?:npz|{TABLE})|{_IDX}))#(.*)/(\d+)", re.IGNORECASE | re.DOTALL)
_STRETCH = re.compile(r"(.+)#(\d{1,18})-(\d{1,18})", re.DOTALL)
_PACKED = re.compile(r"(.+)#@(\d{1,18})", re.DOTALL)
_SPLIT = "train|test|val|valid"
_IS_SHARD = re.compile(
    rf"(^|[/!])((({_SPLIT})(_data)?(_batch)?(_\d+)?|data_batch_\d+|(batches\.)?meta)(\.bin)?|(train|test|unlabeled)_[xy]\.bin|[^/!]+\.(p|pkl|pickle|mat))$",
    re.IGNORECASE,
)
_HEX = re.compile("%(?=[0-9A-Fa-f]{2})")
# C0 and C1 controls, bidirectional embeddings, overrides and isolates, line and paragraph separators, lone surrogates
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Place(NamedTuple):
    """A `where`, taken apart. `member` is None for a plain file; `row` is None but for rows of an array or a table and
    for pictures of a file of many."""

    file: str
    member: str | None = None
    row: int | None = None


def spell(name: bytes) -> str:
    """A file's name as text that can be stored and printed.

    >>> spell("猫/1.jpg".encode()), spell(b"caf\\xe9\\n.jpg")
    ('猫/1.jpg', 'caf%E9%0A.jpg')
    """
    text = name.decode("utf-8", "surrogateescape")
    return _UNSAFE.sub(_escape, _HEX.sub("%25", text))


def spell_file(name: bytes) -> str:
    """`spell` for a file on disk: a name that looks like a member ('a.zip!b') is escaped so that it is not one."""
    return _AMBIGUOUS.sub(lambda m: f"{m[1]}%21" if m[1] else f"{m[2] or ''}%23", spell(name))


def unspell(text: str) -> bytes:
    """The bytes of the name that `spell` or `spell_file` wrote."""
    parts = re.split("%([0-9A-F]{2})", text)
    return b"".join(bytes([int(part, 16)]) if i % 2 else part.encode() for i, part in enumerate(parts))


def take_apart(where: str) -> Place:
    """
    >>> take_apart("a/b.zip!c/1.jpg")
    Place(file='a/b.zip', member='c/1.jpg', row=None)
    """
    if part := stretch_of(where):
        return take_apart(part.of)
    if one := packed_of(where):
        return take_apart(one.of)._replace(row=one.number)
    if match := _MEMBER.fullmatch(where):
        return Place(match[1], match[2])
    if match := _ROW.fullmatch(where):
        return Place(match[1], match[2], int(match[3]))
    return Place(where)


class Stretch(NamedTuple):
    """A part of a file or member."""

    of: str  # the `where` of the whole
    start: int  # byte
    stop: int  # byte, not included


def stretch_of(where: str) -> Stretch | None:
    """What a `where` says of a part of a file; None for anything else.

    >>> stretch_of("a.zip!poems.txt#1024-2048")
    Stretch(of='a.zip!poems.txt', start=1024, stop=2048)
    """
    match = _STRETCH.fullmatch(where)
    return Stretch(match[1], int(match[2]), int(match[3])) if match else None


class Packed(NamedTuple):
    """One of the pictures in a file of many."""

    of: str  # the `where` of the file or member
    number: int


def packed_of(where: str) -> Packed | None:
    """
    >>> packed_of("c.tar.gz!data_batch_1#@17")
    Packed(of='c.tar.gz!data_batch_1', number=17)
    """
    match = _PACKED.fullmatch(where)
    return Packed(match[1], int(match[2])) if match else None


BUNDLE = "//"  # no path has an empty part, so this marks a sample of several files


PIECE = "///"


def whole_of(where: str) -> tuple[str, str]:
    """(what a piece is cut from, its name); no name for what is no piece.

    >>> whole_of("ecg/101//.hea//.dat///370"), whole_of("ecg/101.csv")
    (('ecg/101//.hea//.dat', '370'), ('ecg/101.csv', ''))
    """
    whole, _, name = where.partition(PIECE)
    return whole, name


class Bundle(NamedTuple):
    """A sample of several files: all of a folder, or those named."""

    home: str  # the folder they lie in, with its last "/" or "!"; "" at the top
    files: tuple[str, ...]  # the first leads; of a whole folder only that one
    is_whole: bool


def bundle_of(where: str) -> Bundle | None:
    """What a `where` says of several files; None for a plain one.

    >>> bundle_of("ct/p1//b.dcm")
    Bundle(home='ct/p1/', files=('ct/p1/b.dcm',), is_whole=True)
    >>> bundle_of("mri/p1//_t1.nii//_t2.nii").files
    ('mri/p1_t1.nii', 'mri/p1_t2.nii')
    """
    start, *rest = whole_of(where)[0].split(BUNDLE)
    if not rest:
        return None
    if len(rest) > 1:
        files = tuple(start + part for part in rest)
        return Bundle(home_of(files[0]), files, False)
    home = start if not start or start.endswith("!") else f"{start}/"
    return Bundle(home, (home + rest[0],), True)


def as_bundle_of(files: Sequence[str]) -> str:
    """The `where` of several files of one folder as one sample.

    >>> as_bundle_of(["mri/p1_t1.nii", "mri/p1_t2.nii"]), as_bundle_of(["p1/ct.nii", "p1/pet.nii"])
    ('mri/p1_t//1.nii//2.nii', 'p//1/ct.nii//1/pet.nii')
    """
    shortest = min(len(name) for name in files) - 1
    same = next((at for at in range(shortest) if len({name[at] for name in files}) > 1), shortest)
    start = files[0][:same]
    while start.endswith("/"):  # with BUNDLE it would be PIECE
        start = start[:-2]
    return BUNDLE.join([start, *(name[len(start) :] for name in files)])


def home_of(where: str) -> str:
    """
    >>> home_of("a/b.zip!c.png"), home_of("a/b.png"), home_of("b.png")
    ('a/b.zip!', 'a/', '')
    """
    return where[: max(where.rfind("/"), where.rfind("!")) + 1]


def is_archive(name: str) -> bool:
    return bool(_IS_ARCHIVE.search(name))


def holds_rows(name: str) -> bool:
    """Whether it is a file of arrays or pictures or a table, whose rows may be samples."""
    return name.lower().endswith(".npz") or is_idx(name) or is_table(name) or is_shard(name)


def is_shard(name: str) -> bool:
    """Whether it may be a file of many pictures, or one that names their classes, as shards.py reads them.

    >>> is_shard("a.tar.gz!b/data_batch_1"), is_shard("batches.meta"), is_shard("test_X.bin"), is_shard("train.txt")
    (True, True, True, False)
    """
    return bool(_IS_SHARD.search(name))


def is_idx(name: str) -> bool:
    """
    >>> is_idx("train-images-idx3-ubyte.gz"), is_idx("t10k-labels.idx1-ubyte"), is_idx("a.gz")
    (True, True, False)
    """
    return bool(_IS_IDX.search(name))


def is_table(name: str) -> bool:
    return bool(_IS_TABLE.search(name))


def is_parquet(name: str) -> bool:
    return name.lower().endswith(".parquet")


def row_of_table(file: str, target: str, line: int) -> str:
    """The `where` of a row that is to be read without the column `target` ("": with all of them).

    >>> row_of_table("a.csv", "n/a", 7), column_of(take_apart("a.csv#n%2Fa/7"))
    ('a.csv#n%2Fa/7', 'n/a')
    """
    return f"{file}#{re.sub('[/#!]|^=', _escape, spell(target.encode()))}/{line}"


def column_of(place: Place) -> str:
    """The column that `row_of_table` was given."""
    return unspell(place.member or "").decode("utf-8", "surrogateescape")


def text_of_table(file: str, columns: Sequence[str], line: int) -> str:
    """The `where` of a row of which these columns are read, as a text.

    >>> text_of_table("a.csv", ["a+b", "c"], 7), columns_of_text(take_apart("a.csv#=a%2Bb+c/7"))
    ('a.csv#=a%2Bb+c/7', ('a+b', 'c'))
    """
    return f"{file}#={'+'.join(re.sub('[/#!+=]', _escape, spell(name.encode())) for name in columns)}/{line}"


def columns_of_text(place: Place) -> tuple[str, ...]:
    """The columns that `text_of_table` was given; none of any other place."""
    told = place.member or ""
    return tuple(unspell(part).decode("utf-8", "surrogateescape") for part in told[1:].split("+")) * (told[:1] == "=")


def without_suffix(name: str) -> str:
    """The name of an archive without '.zip', '.tar.gz', ..."""
    return _IS_ARCHIVE.sub("", name)


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))
