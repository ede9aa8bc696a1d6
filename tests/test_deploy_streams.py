"""A task's own routes on a real server: the same door as predict, pieces as they come, bounded in number and time."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from deploy_kit import loaded, serving

from snowroll.base.errors import DataError
from snowroll.base.nouns import Prediction
from snowroll.deploy.session import Loaded
from snowroll.deploy.settings import ServeSettings
from snowroll.deploy.streams import AT_ONCE

PLAIN = ServeSettings(port=0, threads=1, sample=1.0)


class Counting:
    """Counts to {"to"}; waits before each piece until it is let on."""

    def __init__(self) -> None:
        self.on, self.told = threading.Event(), 0

    def __call__(self, model: Loaded, asked: Any) -> tuple[bytes, Iterator[Any]]:
        if "to" not in asked:
            raise DataError("count to what?", where="to", cure="say a number")
        return b"raw", self._pieces(asked["to"])

    def _pieces(self, to: int) -> Iterator[Any]:
        for number in range(to):
            if number and not self.on.wait(20):
                raise AssertionError("never let on")
            self.told += 1
            if number == 7:
                raise DataError("seven is skipped", cure="count to less")
            yield {"number": number}
        yield Prediction("done", None, 0.5)


def with_stream(way: Counting) -> Any:
    return lambda id: dataclasses.replace(loaded(id), streams={"/v1/count": way})


def ask(url: str, asked: Any, **headers: str) -> list[Any]:
    body = asked if isinstance(asked, bytes) else json.dumps(asked).encode()
    request = urllib.request.Request(f"{url}/v1/count", body, headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        return [json.loads(line) for line in reply.read().splitlines()]


def refused(url: str, asked: Any, **headers: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as fault:
        ask(url, asked, **headers)
    with fault.value as reply:
        told = json.loads(reply.read())
    assert told["error"]
    return fault.value.code


def test_pieces_come_and_the_whole_is_kept() -> None:
    way, kept = Counting(), []
    way.on.set()
    with serving(PLAIN, load_model=with_stream(way), on_record=kept.extend) as url:
        *pieces, last = ask(url, {"to": 3})
        assert pieces == [{"number": 0}, {"number": 1}, {"number": 2}]
        assert (last["prediction"], last["doubt"]) == ("done", 0.5)
        assert ask(url, {"to": 9})[-1]["error"] == "seven is skipped"
        ends = time.monotonic() + 20
        while not kept and time.monotonic() < ends:
            time.sleep(0.02)
    assert [(one.record.id, one.raw) for one in kept] == [(last["id"], b"raw")]


def test_the_door_is_the_same() -> None:
    way = Counting()
    way.on.set()
    with serving(dataclasses.replace(PLAIN, token="s3cret", max_body_mb=0.001), load_model=with_stream(way)) as url:
        good = {"Authorization": "Bearer s3cret"}
        assert refused(url, {"to": 1}) == 401
        assert refused(url, {"to": 1}, Authorization="Bearer wrong") == 401
        assert refused(url, {"to": 1}, Origin="http://elsewhere.example", **good) == 403
        assert refused(url, {"to": 1}, Host="elsewhere.example", **good) == 403
        assert refused(url, b"[" + b" " * 2_000 + b"]", **good) == 413
        assert refused(url, b"[1]", **good) == refused(url, b"{", **good) == refused(url, b"[" * 900, **good) == 400
        assert refused(url, {}, **good) == 422
        assert way.told == 0
        assert len(ask(url, {"to": 1}, **good)) == 2


def begun(url: str, to: int) -> socket.socket:
    """A connection that has been given its first piece."""
    host, _, port = url.removeprefix("http://").partition(":")
    body = json.dumps({"to": to}).encode()
    sock = socket.create_connection((host, int(port)), timeout=20)
    sock.sendall(
        b"POST /v1/count HTTP/1.1\r\nHost: %b\r\nContent-Length: %d\r\n\r\n%b" % (host.encode(), len(body), body)
    )
    seen = b""
    while b'"number"' not in seen:
        seen += sock.recv(4096)
    return sock


def test_of_many_at_once_no_more_begin() -> None:
    way = Counting()
    ends: list[int] = []

    def one(url: str) -> None:
        try:
            ends.append(200 if ask(url, {"to": 3}) else 0)
        except urllib.error.HTTPError as fault:
            with fault as reply:
                ends.append(reply.code)

    with serving(PLAIN, load_model=with_stream(way)) as url:
        crowd = [threading.Thread(target=one, args=(url,)) for _ in range(20)]
        for thread in crowd:
            thread.start()
        deadline = time.monotonic() + 20
        while len(ends) < len(crowd) - AT_ONCE and time.monotonic() < deadline:
            time.sleep(0.02)
        way.on.set()
        for thread in crowd:
            thread.join(20)
    assert sorted(ends) == [200] * AT_ONCE + [429] * (len(crowd) - AT_ONCE)


def test_so_many_at_a_time_and_who_goes_away_makes_room() -> None:
    way = Counting()
    with serving(PLAIN, load_model=with_stream(way)) as url:
        held = [begun(url, 3) for _ in range(AT_ONCE)]
        assert refused(url, {"to": 1}) == 429
        for sock in held:
            sock.close()
        way.on.set()
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            try:
                assert len(ask(url, {"to": 1})) == 2
                return
            except urllib.error.HTTPError as fault:
                fault.close()
                time.sleep(0.05)
        raise AssertionError("room was never made")


@pytest.mark.slow
def test_none_is_longer_than_the_deadline() -> None:
    way = Counting()
    with serving(dataclasses.replace(PLAIN, deadline_s=0.3), load_model=with_stream(way)) as url:
        threading.Timer(0.6, way.on.set).start()
        *_, last = ask(url, {"to": 5})
        assert "deadline" in last["error"]
    assert way.told == 2
