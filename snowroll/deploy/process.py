"""The server as a process: the app behind uvicorn with our protocol, on one socket, until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

import uvicorn
from starlette.applications import Starlette

from snowroll.base.errors import PlanError, UsageError
from snowroll.deploy.protocol import bounded_protocol
from snowroll.deploy.settings import ServeSettings

STARTS_WITHIN_S = 30.0  # else a server on a thread is given up
_SPARE_FILES = 256  # for models, the catalog and logs, beside one file a connection


def bind(settings: ServeSettings) -> socket.socket:
    """The listening socket; port 0 takes any free one. Raises UsageError when the address is taken."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.host, settings.port))
        sock.listen(2048)
    except (OSError, OverflowError) as fault:
        sock.close()
        where = f"{settings.host}:{settings.port}"
        raise UsageError(f"cannot listen ({fault})", where=where, cure="choose another --serve.port") from None
    return sock


def address(settings: ServeSettings, sock: socket.socket) -> str:
    """Where the socket is reached."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{sock.getsockname()[1]}"


def run_server(
    app: Starlette, settings: ServeSettings, sock: socket.socket, started: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGINT or SIGTERM. started: called once requests are answered."""
    make_server(app, settings, started).run(sockets=[sock])


@contextmanager
def running(app: Starlette, settings: ServeSettings) -> Iterator[str]:
    """The app behind a real socket, on a thread of this process: gives its address, and stops it at the end."""
    sock, up = bind(settings), Event()
    server = make_server(app, settings, up.set)
    thread = Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    try:
        if not up.wait(STARTS_WITHIN_S):
            told = f"the server did not come up within {STARTS_WITHIN_S:.0f} s"
            raise PlanError(told, cure="repeat the command")
        yield address(settings, sock)
    finally:
        server.should_exit = True
        thread.join()


class Server(uvicorn.Server):
    """Tells when it is up."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self.on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.on_start()


def make_server(app: Starlette, settings: ServeSettings, started: Callable[[], None] = lambda: None) -> Server:
    """A uvicorn server over the app."""
    _allow_files(settings.connections + _SPARE_FILES)
    config = uvicorn.Config(
        app,
        http=bounded_protocol(settings.receive_s, settings.connections),
        ws="none",
        loop="auto",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(settings.deadline_s) + 1,
    )

    return Server(config, started)


def _allow_files(count: int) -> None:
    """Raise the soft limit on open files; 1,500 connections meet the usual 1,024 otherwise."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
