"""Tables that older tools write, as the delimited text that says the same, line for line: ARFF, C4.5's, svmlight's,
and columns that spaces part."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator

from snowroll.base.errors import DataError
from snowroll.prepare.sparse_rows import SPARSE, are_sparse, as_dense

_ATTRIBUTE = re.compile(r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\S+)""", re.IGNORECASE)
_WORD = re.compile(r'"[^"]*"|\S+')
_C45 = (".data", ".test")  # beside a .names
_FEWEST = 3  # columns that spaces part: two would make tables of names and lists
_LOOKED_AT = 200  # lines


def respelled(where: str, text: str) -> tuple[str, str]:
    """(the table with one delimiter, what it was: "" where nothing had to be done). Every line keeps its number, but
    those of SPARSE stand one lower, under a line of names.

    Raises DataError for ARFF that holds no plain rows.
    """
    name = where.lower().removesuffix(".gz")
    if name.endswith(".arff"):
        return _from_arff(where, text), "ARFF"
    if name.endswith(_C45):
        text = _from_c45(text)
    if are_sparse(text):
        return as_dense(where, text), SPARSE
    if _is_parted_by_spaces(text):
        return "\n".join("\t".join(_WORD.findall(line)) for line in text.split("\n")), "spaces"
    return text, ""


def _from_arff(where: str, text: str) -> str:
    """Names from its @attribute lines stand where its @data stood (Weka's format; sparse rows are refused)."""
    names: list[str] = []
    lines = text.split("\n")
    for place, line in enumerate(lines):
        word = line.strip().lower()
        if match := _ATTRIBUTE.match(line.strip()):
            names.append(re.sub(r"\\(.)", r"\1", match[1][1:-1]) if match[1][0] in "'\"" else match[1])
        elif word.startswith("@data"):
            if any(row.lstrip().startswith("{") for row in lines[place + 1 : place + 1 + _LOOKED_AT]):
                raise DataError("sparse ARFF, which is not read", where=where, cure="save it as CSV")
            return "\n".join([*[""] * place, *_as_csv([names]), *_as_csv(_arff_rows(lines[place + 1 :]))])
    raise DataError("ARFF without @data", where=where, cure="save it as CSV")


def _arff_rows(lines: Iterable[str]) -> Iterator[list[str]]:
    """The cells of each line; none of one that is empty or a comment."""
    for line in lines:
        if not line.strip() or line.lstrip().startswith("%"):
            yield []
            continue
        quote = "'" if line.count("'") >= line.count('"') else '"'
        mark = "," if "," in line else "\t"
        try:
            yield next(csv.reader([line], delimiter=mark, quotechar=quote, escapechar="\\", skipinitialspace=True))
        except csv.Error:
            yield [line]  # is refused as no row, by its line


def _as_csv(rows: Iterable[list[str]]) -> Iterator[str]:
    for row in rows:
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow(row)
        yield out.getvalue()


def _from_c45(text: str) -> str:
    """Without its comments, which a bar begins, and the full stop that may end each row (Quinlan 1993)."""
    lines = ["" if line.startswith("|") else line for line in text.split("\n")]
    rows = [line for line in lines if line.strip()]
    if rows and all(line.rstrip().endswith(".") for line in rows):
        lines = [line.rstrip().removesuffix(".") for line in lines]
    return "\n".join(lines)


def _is_parted_by_spaces(text: str) -> bool:
    """Whether as many words stand in every one of the first lines, and no other mark could part them.

    Beside tabs, spaces part numbers only (those before the names of auto-mpg).
    """
    lines = [line for line in text[: 1 << 20].split("\n")[: _LOOKED_AT + 1][:-1] if line.strip()]
    widths = {len(_WORD.findall(line)) for line in lines}
    if len(lines) < 2 or len(widths) > 1 or any(mark in line for mark in ",;|" for line in lines):
        return False
    has_tabs = any("\t" in line for line in lines)  # then sentences, as likely as not
    return min(widths) >= _FEWEST and not (has_tabs and any(_says_words(line) for line in lines))


def _says_words(line: str) -> bool:
    """Whether no more than half of its words are numbers."""
    words = _WORD.findall(line)
    return 2 * sum(word[:1].isdigit() for word in words) <= len(words)
