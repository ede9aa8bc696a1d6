"""Files of sentences: lines of text, JSON lines, translation memories (TMX 1.4). No torch.

They are foreign: what is unpacked is counted while it is unpacked, and XML may neither declare entities nor nest
without end. A record is what a file says in one place: language -> text; of plain lines the language is "".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from typing import Any
from xml.parsers import expat

from snowroll.base.errors import DataError
from snowroll.prepare.texts import read_text, unpacked
from snowroll.tasks.translate.sentences import MOST

Record = dict[str, str]
MOST_RECORDS = 5_000_000
_FEW_BROKEN = 0.1  # share of lines that are no UTF-8, above which a file is in another encoding. A guess
_DEPTH = 32  # of XML
_TABBED = 200  # lines that must all have a tab for a text to be two columns
_SEGMENT = re.compile(r"<seg id=[^<>]{1,40}>([^<]*)</seg>")
# talks and debates with lines about them between the sentences: <url>http://...</url>, <SPEAKER ID=1 NAME="...">
_TAGGED = re.compile(rb"<(?:doc|url|chapter)\b", re.I)
_TAGS = re.compile(r"\s*<[A-Za-z/][^<>]*>(?:[^<>]*</\w+>)?\s*")
_IDS = re.compile(r"[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*", re.I)


def records_of(raw: bytes) -> list[tuple[int, Record]]:
    """(line or number of the unit, from 1; its texts by language) of every record. Raises DataError."""
    raw = unpacked(raw)
    head = raw[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<") and b"<tmx" in raw[:65536]:
        return list(_of_tmx(raw))
    if head.startswith(b"<") and b"<seg id=" in raw[:65536]:
        return [(number, {"": text}) for number, text in enumerate(_of_segments("\n".join(lines_of(raw))), 1)]
    if head.startswith(b"<?xml"):
        raise DataError("XML that is neither a translation memory (TMX) nor segments", cure="export it as TMX or text")
    lines = lines_of(raw)
    if _TAGGED.match(head):
        return [(number, {"": line}) for number, line in enumerate(lines, 1) if not _TAGS.fullmatch(line)]
    if head.startswith(b"{"):
        return list(_of_json_lines(lines))
    if all("\t" in line for line in lines[:_TABBED]):
        return [(number, _of_tabs(line)) for number, line in enumerate(lines, 1)]
    return [(number, {"": line}) for number, line in enumerate(lines, 1)]


def _of_segments(text: str) -> Iterator[str]:
    """The sentences of a test set as NIST's mteval and IWSLT have it: <seg id="1"> Go on. </seg>."""
    for match in _SEGMENT.finditer(text):
        yield " ".join(unescape(match[1]).split())


def _of_tabs(line: str) -> Record:
    """A line with its translation after a tab, and whatever stands after the next one: where the pair is from."""
    source, target, *_ = [*line.split("\t"), ""]
    return {"": line, "source": source, "target": target}


def pieces(raw: bytes, names: Sequence[str]) -> Mapping[str, bytes]:
    """name ("18" of lines, "en/18" of records that name their languages) -> the sentence."""
    known = dict(records_of(raw))
    found = {}
    for name in names:
        language, _, number = name.rpartition("/")
        text = known.get(int(number), {}).get(language) if number.isdecimal() else None
        if text is not None:
            found[name] = text.encode("utf-8", "surrogateescape" if is_broken(text) else "surrogatepass")
    return found


def lines_of(raw: bytes) -> list[str]:
    """The lines of a text, without their ends. Raises DataError, with the line where UTF-8 is broken.

    Where only few lines are broken, these are told by `is_broken`.
    """
    if not raw:
        raise DataError("the file is empty", cure="remove it")
    try:
        text = read_text(raw)
    except DataError as fault:
        line = _line_of_fault(raw)
        text = _but_for_few(raw)
        if text is None:
            raise DataError(f"line {line}: {fault.what}" if line else fault.what, cure=fault.cure) from None
    lines = text.split("\n")
    if len(lines) > MOST_RECORDS:
        raise DataError(f"more than {MOST_RECORDS:,} lines", cure="split the file")
    return lines[:-1] if not lines[-1] else lines


def _but_for_few(raw: bytes) -> str | None:
    """A text of which a few lines are no UTF-8: their bytes stand as surrogates (PEP 383); None: not such a one."""
    if b"\0" in raw or raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    text = raw.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    if sum(map(is_broken, lines)) > _FEW_BROKEN * len(lines):
        return None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def is_broken(line: str) -> bool:
    """Whether it stands for bytes that are no UTF-8."""
    return not line.isascii() and any("\udc80" <= character <= "\udcff" for character in line)


def _line_of_fault(raw: bytes) -> int:
    """The line of the first byte that is no UTF-8, or zero; 0: of none."""
    try:
        raw.decode("utf-8")
        place = raw.find(b"\0")
    except UnicodeDecodeError as fault:
        place = fault.start
    return raw.count(b"\n", 0, place) + 1 if place >= 0 else 0


def _of_json_lines(lines: Sequence[str]) -> Iterator[tuple[int, Record]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"line {number}: no JSON", cure="write one JSON object a line") from None
        if isinstance(told, dict) and isinstance(told.get("translation"), dict):
            told = told["translation"]
        if not isinstance(told, dict):
            raise DataError(f"line {number}: no JSON object", cure='write {"source": "...", "target": "..."}')
        yield number, {str(key)[:40]: value for key, value in told.items() if isinstance(value, str)}


def _of_tmx(raw: bytes) -> Iterator[tuple[int, Record]]:
    """The units of a translation memory: of each <tu> the <seg> of every <tuv xml:lang>, markup within it left out."""
    reader = _Memory()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.EntityDeclHandler = _refuse_entity
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as fault:
        raise DataError(
            f"line {fault.lineno}: broken XML ({expat.ErrorString(fault.code)})", cure="export it again"
        ) from None
    except (LookupError, ValueError, UnicodeError):
        raise DataError("XML in an encoding that is not known", cure="export it as UTF-8") from None
    yield from reader.units


def _refuse_entity(*_: Any) -> None:
    raise DataError("XML that declares entities", cure="export it again without a DTD of its own")


class _Memory:
    """What expat tells of a translation memory."""

    def __init__(self) -> None:
        self.units: list[tuple[int, Record]] = []
        self._path: list[str] = []
        self._unit: Record = {}
        self._language = ""
        self._text: list[str] = []
        self._size = 0
        self._number = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._path.append(name)
        if len(self._path) > _DEPTH:
            raise DataError(f"XML nested more than {_DEPTH} deep", cure="export it again")
        if name == "tu":
            self._unit, self._number = {}, self._number + 1
            if self._number > MOST_RECORDS:
                raise DataError(f"more than {MOST_RECORDS:,} units", cure="split the file")
        elif name == "tuv":
            told = attributes.get("xml:lang") or attributes.get("lang") or ""
            self._language = told.lower()[:20] if _IDS.fullmatch(told) else ""
        elif name == "seg":
            self._text, self._size = [], 0

    def end(self, name: str) -> None:
        self._path.pop()
        if name == "seg" and self._language:
            self._unit.setdefault(self._language, " ".join("".join(self._text).split()))
        elif name == "tu":
            self.units.append((self._number, self._unit))

    def text(self, some: str) -> None:
        # what stands in <ph>, <bpt>, <ept>, <it> and <ut> is the markup of another program
        if "seg" in self._path and self._path[-1] in ("seg", "hi", "sub", "mrk", "g") and self._size <= 4 * MOST:
            self._text.append(some)
            self._size += len(some)
