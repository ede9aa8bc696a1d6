"""One request to a server of our own on loopback: past every proxy, and each failure in one line."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException

from snowroll.base.errors import PlanError
from snowroll.base.nouns import Json

# a proxy that the environment names stands elsewhere: it would see the data, and cannot reach this machine's loopback
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None, patience_s: float = 30) -> Json:
    """The JSON answered; with a body it is a POST. Raises PlanError when there is no answer or a refusal."""
    request = urllib.request.Request(url, body, dict(headers or {}))
    try:
        with _DIRECT.open(request, timeout=patience_s) as reply:
            return json.loads(reply.read())
    except urllib.error.HTTPError as fault:
        with fault:
            told = _told(fault.read())
        raise PlanError(f"answered {fault.code}: {told}", where=url, cure="mend that and repeat") from None
    except (OSError, HTTPException) as fault:
        why = getattr(fault, "reason", fault)
        raise PlanError(f"no answer ({why})", where=url, cure="repeat the command") from None


def _told(body: bytes) -> str:
    """What a refusal says of itself."""
    try:
        told = json.loads(body)
        return f"{told['error']}; {told['cure']}"
    except (ValueError, LookupError, TypeError):
        return " ".join(body.decode(errors="replace").split())[:200]
