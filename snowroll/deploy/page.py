"""The /docs page: the OpenAPI description as one HTML page that asks nothing of any other server."""

from __future__ import annotations

import html
from collections.abc import Mapping

from snowroll.base.nouns import Json

_BYTES = {"schema": {"type": "string", "format": "binary"}}
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
            "*/*": _BYTES,
            "application/octet-stream": _BYTES,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "description": "One of these lists",
                    "properties": {
                        "images": {"type": "array", "items": {"type": "string", "format": "byte"}},
                        "texts": {"type": "array", "items": {"type": "string"}},
                        "rows": {"type": "array", "items": {"type": "object"}},
                    },
                }
            },
        },
    },
    "responses": {
        "200": {
            "description": "One entry a sample, in the order sent",
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
_FILES = {"image": "picture.jpg", "scan": "scan.dcm", "sound": "recording.wav"}  # by the kind of a sample; else: sample
_TEXTS = """curl {base}/v1/predict -H 'Content-Type: text/plain' --data-binary 'one {kind}, as it is'
curl {base}/v1/predict --json '{{"texts": ["one {kind}", "another"]}}'"""
_ROWS = """curl {base}/v1/predict --json '{{"rows": [{{"column": 1.5, "other": "word"}}]}}'"""
_BODIES = """curl {base}/v1/predict --data-binary @{file}
curl {base}/v1/predict -F file=@{file} -F file=@another
curl {base}/v1/predict --json '{{"images": ["'$(base64 -w0 {file})'"]}}'"""
_SENT = {"row": _ROWS, "sentence": _TEXTS, "passage": _TEXTS, "text": _TEXTS}
_ANSWERED = (
    """{"predictions": [{"id": "...", "prediction": ..., "probability": 0.93, "doubt": 0.07}], "model": "..."}"""
)
# the colours are those of base/style.css
_STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em"
    ";background:light-dark(#f5f8fb,#0f1620);color:light-dark(#152231,#e8eef5)}a{color:light-dark(#0b5cad,#7db8f5)}"
    "pre,code{background:light-dark(#e6edf4,#172130);border-radius:4px}code{padding:0 .2em}"
    "pre{padding:1em;white-space:pre-wrap;overflow-wrap:anywhere;margin:0 0 .6em}"
    "h2{font-size:1.2rem;margin:1.6em 0 .5em}td{padding:.1em 1.2em .1em 0;vertical-align:baseline}"
)


def docs_page(openapi: Mapping[str, Json], kind: str, base: str) -> str:
    """HTML of the routes, with the ways to send samples of this kind to the server at `base`."""
    rows = [
        f"<tr><td><code>{method.upper()}</code></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(operation.get('summary', ''))}</td></tr>"
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    sent = _SENT.get(kind, _BODIES).format(base=base, kind=kind, file=_FILES.get(kind, "sample"))
    ways = "".join(f"<pre>{html.escape(line)}</pre>" for line in sent.splitlines())
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width, "
        f"initial-scale=1'><title>Snowroll: how to ask the model</title><style>{_STYLE}</style><main>"
        f"<h1>How to ask the model</h1><h2>Send samples</h2>{ways}<h2>What comes back</h2>"
        f"<pre>{html.escape(_ANSWERED)}</pre>"
        "<p>One entry for each sample, in the order sent. Doubt is 0 where the model is sure, 1 where it is as unsure "
        "as can be. <code>snowroll forget PROJECT ID</code> erases what was kept of a sample. Errors are "
        "<code>application/problem+json</code> and say what to do.</p>"
        "<h2>Headers</h2><p>If the server has a token, send <code>Authorization: Bearer TOKEN</code>. "
        "<code>X-Source</code> names the camera, ward or line, so that drift can be told apart; "
        "<code>X-Request-ID</code> comes back.</p>"
        f"<h2>Routes</h2><table>{''.join(rows)}</table>"
        "<p><a href=/openapi.json>The same for programs (OpenAPI)</a></p></main></html>"
    )
