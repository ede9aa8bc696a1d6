"""Tables: rows as they stand in a file, by line, whatever the file looks like."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowroll.base.errors import DataError
from snowroll.prepare.archives import Limits
from snowroll.prepare.names import column_of, row_of_table, spell_file, take_apart, unspell
from snowroll.prepare.read import Folder
from snowroll.prepare.tables import LONGEST, Table, cell_of, row_from_bytes

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


def table_of(text: str | bytes, name: str = "t.csv", limits: Limits | None = None) -> Table:
    raw = text.encode() if isinstance(text, str) else text
    return Table.read(name, io.BytesIO(raw), len(raw), limits or Limits())


@settings(max_examples=60)
@given(rows=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8), mark=st.sampled_from(",;\t|"))
def test_what_a_csv_writer_wrote_is_read(rows: list[list[str]], mark: str) -> None:
    """Quotes, delimiters and line breaks within cells included."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=mark, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["one", "two", "three"], *rows])
    table = table_of(out.getvalue(), "t.tsv" if mark == "\t" else "t.csv")
    assert table.header == ("one", "two", "three")
    assert not table.refused
    assert [cells for _, cells in table.rows()] == [[cell_of(cell, mark) for cell in row] for row in rows]
    lines = [line for line, _ in table.rows()]
    assert dict(table.stream(lines[::2])) == {
        line: dict(zip(table.header, cells, strict=True)) for line, cells in list(table.rows())[::2]
    }


@settings(max_examples=80)
@given(raw=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(lambda text: ("a,b\n" + text).encode())))
def test_any_bytes_are_a_table_or_told_in_words(raw: bytes) -> None:
    told = []
    try:
        table = table_of(raw)
        assert all(len(cells) == len(table.header) for _, cells in table.rows())
    except DataError as fault:
        told.append(str(fault))
    try:
        assert isinstance(row_from_bytes(raw), dict)
    except DataError as fault:
        told.append(str(fault))
    assert not any("\n" in words for words in told)


def test_a_bad_line_costs_itself_and_is_named() -> None:
    table = table_of('a,b\n1,2\n3\n4,"5\n6,7\n8,9,10\n"x\ny",z\n')
    assert list(table.rows()) == [(2, [1, 2]), (5, [6, 7]), (7, ["x\ny", "z"])]
    assert table.refused.keys() == {3, 4, 6}
    assert "1 cells where there are 2 columns" in table.refused[3]
    assert "3 cells" in table.refused[6]


def test_a_quote_in_a_word_opens_nothing() -> None:
    table = table_of('name,inches\nmonitor,19"\ntv,40"\n')
    assert [cells for _, cells in table.rows()] == [["monitor", '19"'], ["tv", '40"']]


def test_a_huge_line_is_refused_and_the_rest_is_read() -> None:
    table = table_of("a,b\n1,2\n" + "x" * (LONGEST + 10) + "\n3,4\n")
    assert [cells for _, cells in table.rows()] == [[1, 2], [3, 4]]
    assert "characters" in table.refused[3]


def test_prose_is_no_table() -> None:
    with pytest.raises(DataError, match="no table"):
        table_of("".join(f"a sentence, {'and, ' * (n % 5)} its end\n" for n in range(400)))
    with pytest.raises(DataError, match="fewer than two columns"):
        table_of("one\ntwo\n")


@pytest.mark.parametrize(
    ("raw", "encoding", "delimiter", "has_header"),
    [
        ("näme,b\nä,1\n".encode(), "utf-8", ",", True),
        ("näme,b\nä,1\n".encode("utf-16"), "utf-16", ",", True),
        ("näme;b\nä;1,5\n".encode("cp1252"), "cp1252", ";", True),
        (b"\xef\xbb\xbfa\tb\r\n1\t2\r\n", "utf-8", "\t", True),
        (b"1,2\n3,4\n", "utf-8", ",", False),
    ],
)
def test_how_a_file_is_written_is_found(raw: bytes, encoding: str, delimiter: str, has_header: bool) -> None:
    table = table_of(raw)
    assert (table.encoding, table.delimiter, table.has_header) == (encoding, delimiter, has_header)
    assert len(table) == (1 if has_header else 2)
    if delimiter == ";":
        assert list(table.rows()) == [(2, ["ä", 1.5])]


PLAIN = st.text(st.characters(codec="ascii", exclude_characters="\0\r\n"), min_size=1, max_size=8)


@settings(max_examples=60)
@given(names=st.lists(PLAIN, min_size=2, max_size=4, unique=True), rows=st.data(), quote=st.sampled_from("'\""))
def test_arff_is_read_by_its_lines(names: list[str], rows: st.DataObject, quote: str) -> None:
    """Names that look like numbers, quotes and commas within cells, comments and empty lines included."""

    def written(cell: str) -> str:
        return quote + re.sub(f"([{quote}\\\\])", r"\\\1", cell) + quote

    cells = rows.draw(st.lists(st.lists(PLAIN, min_size=len(names), max_size=len(names)), min_size=1, max_size=5))
    head = [
        "% made up",
        "@RELATION r",
        *(f"@attribute {written(name)} string" for name in names),
        "",
        "@data",
        "% rows",
    ]
    table = table_of("\n".join([*head, *(", ".join(map(written, row)) for row in cells)]), "t.arff")
    assert [name for name, called in zip(table.header, names, strict=True) if called.strip()] == [
        name.strip() for name in names if name.strip()
    ] or len({name.strip() for name in names}) < len(names)
    assert list(table.rows()) == [(len(head) + 1 + at, [cell_of(cell) for cell in row]) for at, row in enumerate(cells)]


@pytest.mark.parametrize(
    ("name", "text", "spelled", "rows"),
    [
        ("t.arff", "@relation r\n@attribute 1 real\n@attribute 2 {a,'b c'}\n@data\n1,a\n?,'b c'\n", "ARFF",
         [(5, [1, "a"]), (6, [None, "b c"])]),
        ("housing.data", "  0.1   2 3\n 0.25 14 1\n", "spaces", [(1, [0.1, 2, 3]), (2, [0.25, 14, 1])]),
        ("cars.data", '18.0   8   307.0 1 2\t"a long name"\n15.0   8   350.0 1 ?\t"b"\n', "spaces",
         [(1, [18.0, 8, 307.0, 1, 2, "a long name"]), (2, [15.0, 8, 350.0, 1, None, "b"])]),
        ("adult.test", "|1x3 Cross validator\n39, 7, Male, <=50K.\n50, 8, Male, >50K.\n\n", "",
         [(2, [39, 7, "Male", "<=50K"]), (3, [50, 8, "Male", ">50K"])]),
        ("t.data", "1,a,0.\n2,b,1\n", "", [(1, [1, "a", 0.0]), (2, [2, "b", 1])]),  # a full stop of some rows only
    ],
)  # fmt: skip
def test_tables_of_older_tools_keep_their_lines(name: str, text: str, spelled: str, rows: list) -> None:
    table = table_of(text, name)
    assert (table.spelled, list(table.rows())) == (spelled, rows)
    assert table.has_header == (spelled == "ARFF")


def test_words_of_one_column_are_not_parted() -> None:
    """Lists of names, and texts behind a tab."""
    assert table_of("first last\t23\nother one\t24\n").header == ("column 1", "column 2")
    for text in ("name\nJohn Ronald Tolkien\nClive Staples Lewis\n", "a b\nc d\n"):
        with pytest.raises(DataError, match="fewer than two columns"):
            table_of(text)
    with pytest.raises(DataError, match="sparse ARFF"):
        table_of("@attribute a real\n@data\n{0 1, 3 2}\n", "t.arff")


def test_columns_of_one_name_are_told_apart() -> None:
    assert table_of("a,a,,b,c\n1,2,3,4,5\n").header == ("a", "a.1", "column 3", "b", "c")


def test_a_packed_table_may_not_swell() -> None:
    with pytest.raises(DataError, match="unpacks to more"):
        table_of(gzip.compress(b"a,b\n" + b"1,2\n" * 600_000), "t.csv.gz", Limits(file_mb=1))
    with pytest.raises(DataError, match="damaged"):
        table_of(gzip.compress(b"a,b\n1,2\n")[:-9], "t.csv.gz")


@given(column=st.text(st.characters(codec="utf-8"), max_size=20), line=st.integers(1, 10**9))
def test_a_rows_address_says_all(column: str, line: int) -> None:
    place = take_apart(row_of_table("x/t.csv.gz", column, line))
    assert (place.file, column_of(place), place.row) == ("x/t.csv.gz", column, line)


def test_a_file_that_is_called_like_a_row_is_a_file() -> None:
    name = b"t.csv#y/2"
    where = spell_file(name)
    assert take_apart(where).row is None
    assert unspell(where) == name


def test_rows_come_without_their_target(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y,b\n1,yes,\n2,no,x\n")
    folder = Folder(tmp_path)
    wheres = [row_of_table("t.csv", "y", line) for line in (3, 2, 9)]
    assert {where: json.loads(raw) for where, raw in folder.stream(wheres)} == {
        wheres[1]: {"a": 1},
        wheres[0]: {"a": 2, "b": "x"},
    }
    assert "no row" in folder.refused[wheres[2]]


def test_a_row_may_be_sent_as_json_or_csv() -> None:
    assert row_from_bytes(b'{"a": " 1", "b": null, "c": true, "d": NaN}') == {"a": 1, "b": None, "c": True, "d": None}
    assert row_from_bytes(b"a;b\n1,5;x\n") == {"a": 1.5, "b": "x"}
    for raw in (b"a,b\n1,2\n3,4\n", b"a,b\n1\n", b'{"a": [1]}', b"[1, 2]", b'{"a": 1e999}', b"{" * 5_000):
        with pytest.raises(DataError):
            row_from_bytes(raw)


def test_parquet_is_read_like_a_csv(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import datetime

    import pyarrow.parquet as parquet

    columns = {"0": [1, None], "b": ["x,y", "z"], "c": [True, False], "d": [datetime.date(2024, 1, 2), None]}
    parquet.write_table(arrow.table(columns), tmp_path / "t.parquet")
    table = Folder(tmp_path).table("t.parquet")
    assert table.header == ("0", "b", "c", "d")
    assert [cells for _, cells in table.rows()] == [[1, "x,y", "true", "2024-01-02"], [None, "z", "false", None]]
    (tmp_path / "bad.parquet").write_bytes(b"PAR1" + b"\0" * 60 + b"PAR1")
    parquet.write_table(arrow.table({"a": [[1, 2]], "b": [1]}), tmp_path / "nested.parquet")
    for name, told in (("bad.parquet", "damaged"), ("nested.parquet", "lists or records")):
        with pytest.raises(DataError, match=told):
            Folder(tmp_path).table(name)
