"""XML of strangers: parsed without a document type, which is where entities that explode are declared."""

from __future__ import annotations

from xml.etree import ElementTree

from snowroll.base.errors import DataError

Element = ElementTree.Element


def parse(raw: bytes, where: str) -> Element:
    """The root. Raises DataError in plain words."""
    if b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise DataError("XML with a document type is not read", where=where, cure="save it without one")
    try:
        return ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError) as fault:
        raise DataError(f"XML that cannot be read ({fault})", where=where, cure="export it again") from None


def text_of(element: Element, path: str) -> str:
    """The text at the path, or ''."""
    found = element.find(path)
    return (found.text or "").strip() if found is not None else ""
