"""[serve]: where the server answers, what it refuses, and what it keeps of what it saw. No part of a run."""

from __future__ import annotations

from dataclasses import dataclass

from snowroll.base.bounds import check_numbers
from snowroll.base.errors import UsageError

_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Section [serve]. Every limit is per process."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: any free one
    token: str = ""  # clients send `Authorization: Bearer TOKEN`; required when `host` is not loopback
    threads: int = 0  # CPU threads of one prediction; 0: all cores
    max_body_mb: float = 20.0  # of one request; larger: 413
    max_items: int = 256  # samples in one request; more: 413
    queue: int = 256  # samples waiting; more: 429 with Retry-After
    batch: int = 16  # most samples the model computes at once
    deadline_s: float = 10.0  # from the last byte received to the answer; longer: 503
    receive_s: float = 10.0  # from the first byte of a request to its last; longer: 408 and the connection is closed
    connections: int = 4_096  # open at once; beyond it the one that has sent least for longest is closed
    poll_s: float = 1.0  # how often the champion is looked up
    sample: float = 1.0  # share of the requests kept for the next roll; 0: none
    quota_mb: float = 1_000.0  # disk for what is kept; when full, the oldest goes
    keep_days: float = 30.0  # what is kept is erased after this

    def __post_init__(self) -> None:
        if not self.is_loopback and not self.token:
            raise UsageError(
                f"a server on {self.host} can be reached by others, and no token is set",
                where="serve.token",
                cure="set serve.token, or serve.host to 127.0.0.1",
            )
        check_numbers(
            "serve",
            self,
            from_1="max_items queue batch connections",
            from_0="threads quota_mb keep_days",
            above_0="max_body_mb deadline_s receive_s poll_s",
            shares="sample",
            ports="port",
        )

    @property
    def is_loopback(self) -> bool:
        return self.host in _LOOPBACK

    @property
    def max_body(self) -> int:
        """Bytes."""
        return int(self.max_body_mb * 1e6)
