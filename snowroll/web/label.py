"""`label`: fill the queue if there is nothing to ask, then open the page until it is stopped."""

from __future__ import annotations

import getpass
import json
import secrets
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from snowroll.base.errors import UsageError
from snowroll.project.labels import said_now
from snowroll.project.opened import Opened, Say
from snowroll.project.settings import LabelSettings

if TYPE_CHECKING:
    from starlette.applications import Starlette


def label(opened: Opened, k: int, port: int, test: int, say: Say, as_json: bool = False) -> None:
    """Serve the label page until interrupted. Prints one line (or one JSON object) once it answers."""
    from snowroll.web.app import make_label_app
    from snowroll.web.door import LOOPBACK

    if opened.store.read_only:
        raise UsageError("answers cannot be stored in a read-only project", where=opened.root, cure="make it writable")
    settings = opened.section("label", LabelSettings)
    fill(opened, k, test, say)
    sock = bind(settings.host, port or settings.port)
    token = secrets.token_urlsafe(32)
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{name}:{sock.getsockname()[1]}/?token={token}"
    person = settings.person or getpass.getuser()
    app = make_label_app(opened, token, person, time.time, LOOPBACK | {name})

    def started() -> None:
        waiting = opened.store.catalog.left_in_queue()
        if as_json:
            print(json.dumps({"url": url, "waiting": waiting}), flush=True)
            return
        say(f"{waiting} samples wait for {person}; the page closes with ctrl-c, answers are stored as they are given")
        print(f"open      {url}", flush=True)

    try:
        run(app, sock, started)
    finally:
        opened.store.close()


def fill(opened: Opened, k: int, test: int, say: Say) -> None:
    """Put questions into the queue: what was asked for, or what is most worthwhile if nothing waits.

    A turn of the loop that waits for answers has asked what it wants to know: who only looks in adds nothing to it.
    """
    if k and test:
        raise UsageError("--k and --test fill the same queue", cure="answer the test items first, then give --k")
    catalog = opened.store.catalog
    is_asked = catalog.left_in_queue() or any(turn.stage == "label" for turn in catalog.rolls()[-1:])
    if not k and not test and is_asked:
        return
    from snowroll.project.mining import ask_test, mine

    if test:
        ask_test(opened, test, say)
    elif k or has_unlabelled(opened):
        mine(opened, k, say)


def has_unlabelled(opened: Opened) -> bool:
    """Whether there is anything to ask about: files without a label, or inputs from production."""
    catalog = opened.store.catalog
    samples = catalog.samples().values()
    answered = said_now(opened, samples).labels
    waiting = any(s.target is None and s.id not in answered for s in samples)
    return waiting or bool(catalog.records(last=1))


def bind(host: str, port: int) -> socket.socket:
    """The listening socket; port 0 takes any free one. Raises UsageError when the address is taken or foreign."""
    if host in ("", "0.0.0.0", "::"):
        cure = "set label.host to this machine's own address, or reach 127.0.0.1 through `ssh -L`"
        raise UsageError("the label page does not listen on every address at once", where="label.host", cure=cure)
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(128)
    except (OSError, OverflowError) as fault:
        sock.close()
        raise UsageError(f"cannot listen ({fault})", where=f"{host}:{port}", cure="choose another --port") from None
    return sock


def run(app: Starlette, sock: socket.socket, started: Callable[[], None]) -> None:
    """Answer until SIGINT or SIGTERM."""
    import uvicorn

    from snowroll.deploy.process import Server

    config = uvicorn.Config(
        app,
        ws="none",
        lifespan="on",
        access_log=False,  # it would show the token
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    Server(config, started).run(sockets=[sock])
