"""A request's body to samples: raw bytes, multipart files, JSON of files, texts or rows. One bad item fails alone."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncGenerator

from snowroll.base.errors import DataError
from snowroll.base.nouns import canonical
from snowroll.deploy.problem import Refused

Item = bytes | DataError

_SEND = 'send {"images": [base64, ...]} of files, {"texts": ["...", ...]} or {"rows": [{"column": value, ...}]}'


async def samples_in(content_type: str, body: bytes, most: int) -> list[Item]:
    """The samples in the order sent. Raises Refused: 400 unreadable, 413 too many.

    Any media type but JSON and multipart is one sample's bytes: what they are, the task says when it opens them.
    """
    media = content_type.partition(";")[0].strip().lower()
    if not body:
        raise Refused(400, "the body is empty", cure="send a sample's bytes")
    if media == "application/json":
        items = _from_json(body, most)
    elif media == "multipart/form-data":
        items = await _from_multipart(content_type, body, most)
    else:
        return [body]
    if not items:
        raise Refused(400, "no sample in the body", cure="send at least one")
    return items


def _from_json(body: bytes, most: int) -> list[Item]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not valid JSON", cure=_SEND) from None
    for name, read in _READERS.items():
        if isinstance(value, dict) and isinstance(items := value.get(name), list):
            _few_enough(len(items), most)
            return [read(item, f"{name}[{place}]") for place, item in enumerate(items)]
    raise Refused(400, "the JSON has no list 'images', 'texts' or 'rows'", cure=_SEND)


def _from_text(text: object, where: str) -> Item:
    if not isinstance(text, str):
        return DataError("not a string", where=where, cure="send the text as it is")
    try:
        return text.encode() or DataError("empty", where=where, cure="send a text")
    except UnicodeEncodeError:  # half of a pair of surrogates
        return DataError("not a text of whole characters", where=where, cure="send the text as UTF-8")


def _from_row(row: object, where: str) -> Item:
    if not isinstance(row, dict):
        return DataError("not an object", where=where, cure='send {"column": value, ...}')
    try:
        return canonical(row).encode()
    except (ValueError, RecursionError):  # NaN, or nested without end
        return DataError("not a row of plain values", where=where, cure='send {"column": value, ...}')


def _from_base64(image: object, where: str) -> Item:
    if not isinstance(image, str):
        return DataError("not a string", where=where, cure="send the file's bytes as base64")
    try:
        raw = base64.b64decode(image, validate=True)
    except (binascii.Error, ValueError):
        return DataError("not valid base64", where=where, cure="send the file's bytes as base64")
    return raw or DataError("empty", where=where, cure="send the file's bytes as base64")


_READERS = {"images": _from_base64, "texts": _from_text, "rows": _from_row}


async def _from_multipart(content_type: str, body: bytes, most: int) -> list[Item]:
    from starlette.datastructures import Headers, UploadFile
    from starlette.formparsers import MultiPartException, MultiPartParser

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body
        yield b""

    headers = Headers({"content-type": content_type})
    parser = MultiPartParser(headers, stream(), max_files=most + 1, max_fields=100, max_part_size=64 * 1024)
    parser.spool_max_size = len(body) + 1  # it is in memory already: never copied to the disk
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as fault:
        if "Too many files" in str(fault):
            _few_enough(most + 1, most)
        raise Refused(400, "the multipart body cannot be read", cure="send each sample as a file part") from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    try:
        _few_enough(len(files), most)
        raws = [await file.read() for file in files]
    finally:
        await form.close()
    return [raw or DataError("the file is empty", where=f"file {row}") for row, raw in enumerate(raws)]


def _few_enough(count: int, most: int) -> None:
    if count > most:
        raise Refused(413, f"more than {most} samples in one request", cure="send them in several")
