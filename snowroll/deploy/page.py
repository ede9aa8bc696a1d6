"""The /docs page: the OpenAPI description as one HTML page that asks nothing of any other server."""

from __future__ import annotations

import html
from collections.abc import Mapping

from snowroll.base.nouns import Json

_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_ITEM = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "of the record; `snowroll forget ID` erases it"},
        "prediction": {},
        "probability": {"type": ["number", "null"]},
        "doubt": {"type": "number", "description": "0 sure .. 1 as unsure as can be"},
        "interval": {"type": "array", "description": "of a number: where the truth is to be expected, [low, high]"},
        "scores": {"type": "object", "description": "by class; left out with ?scores=0"},
        "error": {"type": "string", "description": "instead of a prediction, with `where` and `cure`"},
    },
}
_PROBLEM = {"description": "RFC 9457", "content": {"application/problem+json": {"schema": {"type": "object"}}}}
STREAM_BODY: dict[str, Json] = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
    "responses": {
        "200": {
            "description": "One JSON line a piece; the last holds the whole answer, or an error",
            "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
        }
    },
}

PREDICT_BODIES: dict[str, Json] = {
    "requestBody": {
        "required": True,
        "content": {
            "*/*": _PICTURE,
            "application/octet-stream": _PICTURE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["images"],
                    "properties": {"images": {"type": "array", "items": {"type": "string", "format": "byte"}}},
                }
            },
        },
    },
    "responses": {
        "200": {
            "description": "One entry a picture, in the order sent",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"predictions": {"type": "array", "items": _ITEM}, "model": {"type": "string"}},
                    }
                }
            },
        },
        **dict.fromkeys(("400", "401", "403", "408", "413", "422", "429", "503"), _PROBLEM),
    },
}
_EXAMPLES = """curl --data-binary @picture.jpg -H 'Content-Type: image/jpeg' {base}/v1/predict
curl -F file=@one.jpg -F file=@two.png {base}/v1/predict
curl -H 'Content-Type: application/json' -d '{{"images": ["'$(base64 -w0 picture.jpg)'"]}}' {base}/v1/predict"""
_STYLE = (
    "body{font:16px/1.5 system-ui;max-width:48em;margin:2em auto;padding:0 1em}"
    "pre,code{background:#eee}pre{padding:1em;overflow:auto}"
)


def docs_page(openapi: Mapping[str, Json]) -> str:
    """HTML of the routes, with the three ways to send a picture."""
    rows = [
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation.get('summary', ''))}</td></tr>"
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    examples = html.escape(_EXAMPLES.format(base="http://127.0.0.1:8000"))
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Snowroll</title><style>{_STYLE}</style>"
        f"<h1>Snowroll</h1><table>{''.join(rows)}</table><h2>Send a picture</h2><pre>{examples}</pre>"
        "<p>With a token, add <code>-H 'Authorization: Bearer TOKEN'</code>. <code>X-Source</code> names the camera, "
        "ward or line; <code>X-Request-ID</code> comes back. Errors are <code>application/problem+json</code>. "
        "<a href=/openapi.json>openapi.json</a></p></html>"
    )
