"""What a server keeps of what comes in: each answer once with its bytes, and never at the cost of an answer."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
import time

import httpx
import pytest
from deploy_kit import PLAIN, png, serving

from snowroll.deploy.capture import Answered, Capture, Seen

pytestmark = pytest.mark.slow


def test_capture_gets_each_answer_once_with_its_bytes() -> None:
    kept: list[Seen] = []
    with serving(PLAIN, on_record=kept.extend) as url:
        told = [
            httpx.post(f"{url}/v1/predict", content=png(seed), headers={"x-source": "camera 3"}).json()
            for seed in range(12)
        ]
        httpx.post(f"{url}/v1/predict", content=b"no picture")
    assert [seen.raw for seen in kept] == [png(seed) for seed in range(12)]
    assert [seen.record.id for seen in kept] == [answer["predictions"][0]["id"] for answer in told]
    assert {(seen.record.artifact, seen.record.source) for seen in kept} == {("m0", "camera 3")}
    assert all(seen.record.content == hashlib.sha256(seen.raw).hexdigest() for seen in kept)


def test_a_failing_store_fails_no_answer_and_is_counted() -> None:
    def full_disk(seen: list[Seen]) -> None:
        raise OSError("No space left on device")

    with serving(PLAIN, on_record=full_disk) as url:
        for seed in range(5):
            assert httpx.post(f"{url}/v1/predict", content=png(seed)).status_code == 200
        while 'outcome="failed"} 5.0' not in httpx.get(f"{url}/metrics").text:
            time.sleep(0.01)


def test_a_stuck_store_drops_copies_and_delays_no_answer() -> None:
    gate = threading.Event()
    settings = dataclasses.replace(PLAIN, max_body_mb=0.003)  # so that little may wait in memory
    with serving(settings, on_record=lambda seen: gate.wait(20) and None) as url:
        for seed in range(12):
            assert httpx.post(f"{url}/v1/predict", content=png(seed)).status_code == 200
        assert 'outcome="dropped"' in httpx.get(f"{url}/metrics").text
        gate.set()


@pytest.mark.parametrize(("share", "low", "high"), [(0.0, 0, 0), (0.5, 10, 50), (1.0, 60, 60)])
def test_sampling(share: float, low: int, high: int) -> None:
    kept: list[Seen] = []
    with serving(dataclasses.replace(PLAIN, sample=share), on_record=kept.extend) as url, httpx.Client() as client:
        for seed in range(60):
            client.post(f"{url}/v1/predict", content=png(seed))
    assert low <= len(kept) <= high


def test_what_is_kept_is_tidied_at_the_start_and_again_though_nothing_comes_in(caplog) -> None:
    told, again = [], threading.Event()

    def tidy() -> None:
        told.append(len(told))
        if len(told) == 3:
            again.set()
        raise OSError("No space left on device")  # the next one is tried all the same

    capture = Capture(lambda seen: None, 1.0, 1_000, tidy=tidy, tidy_s=0.01)
    capture.start()
    assert again.wait(10)
    capture.stop()
    assert "was not erased: No space" in caplog.text


def test_a_cleaner_that_fails_once_ends_nothing(caplog) -> None:
    """A child that cannot be started for want of memory costs one copy; what follows is kept, what is old erased."""
    told: list[tuple[str, int]] = []
    kept: list[Seen] = []
    tries = iter([RuntimeError("a decoding child did not start"), None])

    def clean(raw: bytes) -> bytes:
        if (fault := next(tries)) is not None:
            raise fault
        return raw

    capture = Capture(kept.extend, 1.0, 1 << 20, lambda outcome, count: told.append((outcome, count)), clean=clean)
    capture.start()
    for id in ("0" * 16, "1" * 16):
        capture.offer(Answered(id, "m0", 1.0, "cat", None, 0.5, "", b"raw"))
    capture.stop()
    assert [seen.record.id for seen in kept] == ["1" * 16]
    assert ("failed", 1) in told
    assert "did not start" in caplog.text
