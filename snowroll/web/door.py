"""Who may come in: every request passes here first, and what is not allowed is refused.

The page answers one person on their own machine. The dangers are other pages open in the same browser: they can send
requests to 127.0.0.1 (forged posts), make a name of their own resolve to it (DNS rebinding), put it into a frame, or
embed its pictures. Hence: known hosts only, a token or a Strict cookie for everything, the page's own origin for
whatever changes something, and headers that forbid frames, foreign scripts and guessing at types.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from snowroll.base.errors import SnowrollError
from snowroll.base.nouns import digest

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
SAFE = ("GET", "HEAD")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",  # the token stands in the address once
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",  # pictures may show patients: nothing is left in the browser's cache
}


WELCOME = """<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">
<title>Snowroll</title><p><a href="/">Go to the label page</a></p>"""


# of the page that refuses: the style sheet is behind the door
STYLE = (
    ":root{color-scheme:light dark}main{max-width:34rem;margin:15vh auto 0;padding:0 1rem}h1{font-size:1.6rem}"
    "body{font:16px/1.5 system-ui,sans-serif;background:light-dark(#f5f8fb,#0f1620);color:light-dark(#152231,#e8eef5)}"
)


OF_REFUSAL = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Refused(SnowrollError):
    """A request that is not answered."""

    def __init__(self, status: int, what: str, cure: str = "") -> None:
        super().__init__(what, cure=cure)
        self.status = status


class Door:
    """ASGI middleware. Lets in who knows the token (Bearer, or once in the page's address) or holds the cookie."""

    def __init__(self, app: ASGIApp, token: str, hosts: frozenset[str] = LOOPBACK) -> None:
        self.app, self._token, self._hosts = app, token, hosts
        self._session = secrets.token_urlsafe(32)  # what the cookie holds: the token itself stays out of the jar
        self._cookie = f"snowroll-{digest(token)[:8]}"  # ports share cookies, so two projects need two names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError("the label page speaks HTTP only")
        request = Request(scope, receive)
        answer = _with_headers(send)
        try:
            self._judge(request)
        except Refused as fault:
            await refusal(request, fault)(scope, receive, answer)
            return
        if request.url.path == "/" and "token" in request.query_params:
            await self._welcome()(scope, receive, answer)
        else:
            await self.app(scope, receive, answer)

    def _judge(self, request: Request) -> None:
        """Raises Refused."""
        headers = request.headers
        if _name(headers.get("host", "")) not in self._hosts:
            raise Refused(403, "this host name is not served here", "use the address that `snowroll label` printed")
        if request.method not in SAFE:
            _refuse_foreign(headers, request.url.scheme)
            if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
                raise Refused(415, "only JSON is read here", "send content-type: application/json")
        if not self._is_known(request):
            cure = "open the address that `snowroll label` printed when it was started last"
            raise Refused(401, "the key is missing, or from before a restart", cure)

    def _is_known(self, request: Request) -> bool:
        bearer = request.headers.get("authorization", "")
        if bearer:
            return _equal(bearer, f"Bearer {self._token}")
        if request.url.path == "/" and request.method == "GET" and "token" in request.query_params:
            return _equal(request.query_params["token"], self._token)
        return _equal(request.cookies.get(self._cookie, ""), self._session)

    def _welcome(self) -> Response:
        # a redirect would arrive without a Strict cookie when the link was pressed in a web mail; a refresh brings it
        page = HTMLResponse(WELCOME)
        page.set_cookie(self._cookie, self._session, path="/", httponly=True, samesite="strict")
        return page


def refusal(request: Request, fault: SnowrollError, status: int = 0) -> Response:
    """The fault as the client reads it: a short page for a person who opened the address, JSON for everything else."""
    code = status or getattr(fault, "status", 400)
    headers = {"www-authenticate": "Bearer"} if code == 401 else {}
    if request.method == "GET" and request.url.path == "/" and "text/html" in request.headers.get("accept", ""):
        headers["content-security-policy"] = OF_REFUSAL
        return HTMLResponse(_page(fault), code, headers)
    return JSONResponse(fault.as_json(), code, headers)


def _page(fault: SnowrollError) -> str:
    from html import escape

    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Snowroll</title><style>{STYLE}</style>'
    what, cure = escape(_sentence(fault.what)), escape(_sentence(fault.cure))
    told = f"<main><h1>Not open to you</h1><p>{what}</p><p>{cure}</p></main>"
    return f'{head}<meta name="viewport" content="width=device-width, initial-scale=1">{told}'


def _sentence(words: str) -> str:
    """
    >>> _sentence("the key is missing"), _sentence("")
    ('The key is missing.', '')
    """
    return f"{words[0].upper()}{words[1:]}." if words else ""


def _refuse_foreign(headers: Mapping[str, str], scheme: str) -> None:
    """A request that changes something must come from this page, or from a program that holds the token."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin != f"{scheme}://{headers.get('host', '')}":
        raise Refused(403, "requests from other web pages are refused")
    if site is not None and site != "same-origin":
        raise Refused(403, "requests from other web pages are refused")
    if origin is None and site is None and "authorization" not in headers:
        raise Refused(403, "a browser says where a request comes from; this one does not", "send the token as Bearer")


def _name(host: str) -> str:
    """A Host header without its port.

    >>> _name("127.0.0.1:8001"), _name("[::1]:8001"), _name("evil.example")
    ('127.0.0.1', '[::1]', 'evil.example')
    """
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), wanted.encode())


def _with_headers(send: Send) -> Send:
    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            given = message.get("headers", [])
            names = {name for name, _ in given}
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*given, *((name, value) for name, value in added if name not in names)]
        await send(message)

    return answer
