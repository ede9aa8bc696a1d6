"""A request's body to samples: raw bytes, multipart files, JSON with base64 or with rows. One bad item fails alone."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import AsyncGenerator

from snowroll.base.errors import DataError
from snowroll.base.nouns import canonical
from snowroll.deploy.problem import Refused

Item = bytes | DataError


async def pictures(content_type: str, body: bytes, most: int) -> list[Item]:
    """The pictures in the order sent. Raises Refused: 400 unreadable, 413 too many.

    Any media type but JSON and multipart is one sample's bytes: what they are, the task says when it opens them.
    """
    media = content_type.partition(";")[0].strip().lower()
    if not body:
        raise Refused(400, "the body is empty", cure="send a picture")
    if media == "application/json":
        items = _from_json(body, most)
    elif media == "multipart/form-data":
        items = await _from_multipart(content_type, body, most)
    else:
        return [body]
    if not items:
        raise Refused(400, "no picture in the body", cure="send at least one")
    return items


def _from_json(body: bytes, most: int) -> list[Item]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(400, "the body is not valid JSON", cure='send {"images": [base64, ...]}') from None
    images = value.get("images") if isinstance(value, dict) else None
    rows = value.get("rows") if isinstance(value, dict) else None
    if images is None and isinstance(rows, list):
        _few_enough(len(rows), most)
        return [_from_row(row, f"rows[{place}]") for place, row in enumerate(rows)]
    if not isinstance(images, list):
        told = "the JSON has no list 'images' or 'rows'"
        raise Refused(
            400, told, cure='send {"images": [base64, ...]}, or {"rows": [{"column": value, ...}]} of a table'
        )
    _few_enough(len(images), most)
    return [_from_base64(image, f"images[{row}]") for row, image in enumerate(images)]


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
        raise Refused(400, "the multipart body cannot be read", cure="send each picture as a file part") from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    try:
        _few_enough(len(files), most)
        raws = [await file.read() for file in files]
    finally:
        await form.close()
    return [raw or DataError("the file is empty", where=f"file {row}") for row, raw in enumerate(raws)]


def _few_enough(count: int, most: int) -> None:
    if count > most:
        raise Refused(413, f"more than {most} pictures in one request", cure="send them in several")
