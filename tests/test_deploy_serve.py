"""Real servers on loopback, real clients: every body form, every limit, the token, clients that vanish."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from deploy_kit import CLASSES, PLAIN, loaded, open_raw, png, serving

from snowroll.base.errors import DataError, UsageError
from snowroll.deploy.session import Loaded
from snowroll.deploy.settings import ServeSettings

pytestmark = pytest.mark.slow

JPEG = {"content-type": "image/jpeg"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(PLAIN) as address:
        yield address


def address_of(url: str) -> tuple[str, int]:
    parsed = httpx.URL(url)
    assert parsed.port is not None
    return parsed.host, parsed.port


def is_problem(response: httpx.Response, status: int) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told = response.json()
    assert told["status"] == status
    assert told["error"]
    assert "\n" not in response.text
    assert "Traceback" not in response.text
    return told


def truth(raw: bytes) -> str:
    return str(loaded().predict([raw])[0].value)


# every body form


@pytest.mark.parametrize(
    "media", ["image/jpeg", "image/png", "application/octet-stream", "audio/wav", "text/plain", None]
)
def test_raw_bytes(url: str, media: str | None) -> None:
    told = httpx.post(f"{url}/v1/predict", content=png(3), headers={"content-type": media} if media else {}).json()
    (entry,) = told["predictions"]
    assert told["model"] == "m0"
    assert entry["prediction"] == truth(png(3))
    assert set(entry) == {"id", "prediction", "probability", "doubt", "scores"}
    assert list(entry["scores"]) == list(CLASSES)
    assert entry["probability"] == max(entry["scores"].values())


def test_multipart_keeps_the_order_and_one_bad_file_fails_alone(url: str) -> None:
    raws = [png(1), b"no picture", png(2), b""]
    files = [("file", (f"{n}.png", raw, "image/png")) for n, raw in enumerate(raws)]
    response = httpx.post(f"{url}/v1/predict", files=files)
    assert response.status_code == 200
    one, bad, two, empty = response.json()["predictions"]
    assert (one["prediction"], two["prediction"]) == (truth(png(1)), truth(png(2)))
    assert bad == {"error": "not a picture", "where": "", "cure": "send PNG or JPEG"}
    assert "empty" in empty["error"]


def test_json_base64_one_bad_item_fails_alone(url: str) -> None:
    images = [base64.b64encode(png(5)).decode(), "%%%", 7, base64.b64encode(png(6)).decode()]
    entries = httpx.post(f"{url}/v1/predict", json={"images": images}).json()["predictions"]
    assert [entry.get("where") for entry in entries] == [None, "images[1]", "images[2]", None]
    assert entries[3]["prediction"] == truth(png(6))


def test_texts_come_as_they_are(url: str) -> None:
    """Here they are no pictures; each fails alone, for what it is."""
    body = {"texts": ["no picture", "", 7, "\ud800"]}
    told = is_problem(
        httpx.post(f"{url}/v1/predict", content=json.dumps(body), headers={"content-type": "application/json"}), 422
    )
    said = [(entry["error"], entry["where"]) for entry in told["predictions"]]
    assert said == [
        ("not a picture", ""),
        ("empty", "texts[1]"),
        ("not a string", "texts[2]"),
        ("not a text of whole characters", "texts[3]"),
    ]


def test_scores_can_be_left_out(url: str) -> None:
    (entry,) = httpx.post(f"{url}/v1/predict?scores=0", content=png(3)).json()["predictions"]
    assert set(entry) == {"id", "prediction", "probability", "doubt"}


def test_nothing_usable_is_422_with_the_reason(url: str) -> None:
    told = is_problem(httpx.post(f"{url}/v1/predict", content=b"no picture", headers=JPEG), 422)
    assert told["error"] == "not a picture"
    assert told["predictions"][0]["cure"] == "send PNG or JPEG"


@pytest.mark.parametrize(
    ("media", "body", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"[" * 100_000, 400),
        ("application/json", b'{"pictures": []}', 400),
        ("application/json", b'{"images": []}', 400),
        ("application/json", b'{"images": "abc"}', 400),
        ("application/json", b"\xff\xfe", 400),
        ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", 400),
        ("multipart/form-data; boundary=b", b"--c--", 400),
        ("text/html", b"<p>", 422),
        ("image/jpeg", b"", 400),
    ],
)
def test_unreadable_bodies(url: str, media: str, body: bytes, status: int) -> None:
    is_problem(httpx.post(f"{url}/v1/predict", content=body, headers={"content-type": media}), status)


# the other routes


def test_routes_beside_predict(url: str) -> None:
    assert httpx.get(f"{url}/healthz").text == "ok"
    assert httpx.get(f"{url}/readyz").status_code == 200
    told = httpx.get(f"{url}/v1/model").json()
    assert (told["id"], told["labels"], told["contract"]) == ("m0", list(CLASSES), {"classes": list(CLASSES)})
    assert "/v1/predict" in httpx.get(f"{url}/openapi.json").json()["paths"]
    is_problem(httpx.get(f"{url}/nowhere"), 404)
    is_problem(httpx.get(f"{url}/v1/predict"), 405)


def test_docs_ask_nothing_of_other_servers(url: str) -> None:
    response = httpx.get(f"{url}/docs")
    assert "/v1/predict" in response.text
    assert not re.search(r"(src|href)=['\"]?(https?:)?//|@import|url\(", response.text)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert f"{url}/v1/predict --data-binary @picture.jpg" in response.text
    assert "width=device-width" in response.text
    assert httpx.get(f"{url}/", follow_redirects=True).text == response.text  # the address that `serve` printed


def test_metrics_count_what_happened(url: str) -> None:
    def count(name: str) -> float:
        found = re.search(rf"^{re.escape(name)} (\S+)$", httpx.get(f"{url}/metrics").text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    before = [count('snowroll_requests_total{status="200"}'), count("snowroll_item_errors_total")]
    httpx.post(f"{url}/v1/predict", files=[("f", ("a", png(1))), ("f", ("b", b"bad"))])
    after = [count('snowroll_requests_total{status="200"}'), count("snowroll_item_errors_total")]
    assert after == [before[0] + 1, before[1] + 1]
    assert count('snowroll_model_info{model="m0"}') == 1


def test_request_id_comes_back_and_bad_ones_are_replaced(url: str) -> None:
    send = {"x-request-id": "line-3.cam_7"}
    assert httpx.get(f"{url}/healthz", headers=send).headers["x-request-id"] == "line-3.cam_7"
    refused = httpx.post(f"{url}/v1/predict", content=b"", headers=send)
    assert refused.json()["request_id"] == refused.headers["x-request-id"] == "line-3.cam_7"
    replaced = httpx.get(f"{url}/healthz", headers={"x-request-id": "a b<script>"}).headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{16}", replaced)


# limits


def test_413_by_length_by_count_and_without_a_length(url: str) -> None:
    big = b"x" * 300_000
    is_problem(httpx.post(f"{url}/v1/predict", content=big, headers=JPEG), 413)
    is_problem(httpx.post(f"{url}/v1/predict", content=(big[:50_000] for _ in range(6)), headers=JPEG), 413)
    files = [("f", (f"{n}", b"x")) for n in range(9)]
    is_problem(httpx.post(f"{url}/v1/predict", files=files), 413)
    assert httpx.get(f"{url}/healthz").text == "ok"


def test_413_is_answered_before_the_body_is_sent(url: str) -> None:
    with socket.create_connection(address_of(url), timeout=5) as client:
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 400000000\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /v1/predict HTTP/1.1\r\nhost: loc",
        b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\nhalf",
        b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_408_for_what_does_not_arrive(url: str, sent: bytes) -> None:
    with socket.create_connection(address_of(url), timeout=10) as client:
        client.sendall(sent)
        answer = b"".join(iter(lambda: client.recv(4096), b""))  # until the server closes
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["request_id"]
    assert answer.count(b"HTTP/1.1") == 1


def test_sending_a_little_more_does_not_wind_the_clock_back(url: str) -> None:
    with socket.create_connection(address_of(url), timeout=10) as client:
        client.sendall(b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(100):  # ten seconds of dribble, were it allowed
                client.sendall(b"x-more: 1\r\n")
                time.sleep(0.1)
            pytest.fail("still open")


def test_431_for_an_endless_head(url: str) -> None:
    with socket.create_connection(address_of(url), timeout=5) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"a" * 70_000)
        assert client.recv(100).startswith(b"HTTP/1.1 431")


def slowly(model: Loaded, gate: threading.Event) -> Loaded:
    """The same model, whose reading waits for the gate."""

    def wait(raw: bytes) -> np.ndarray:
        if raw != png(1) and raw != png(2):  # its stored examples pass
            assert gate.wait(20)
        return open_raw(raw)

    return dataclasses.replace(model, open_raw=wait)


def test_429_with_retry_after_when_the_queue_is_full_and_503_at_the_deadline() -> None:
    gate = threading.Event()
    settings = dataclasses.replace(PLAIN, threads=1, queue=2, deadline_s=1.0)
    with serving(settings, load_model=lambda id: slowly(loaded(id), gate)) as url:
        answers: list[httpx.Response] = []

        def post() -> None:
            answers.append(httpx.post(f"{url}/v1/predict", content=png(9), timeout=20))

        clients = [threading.Thread(target=post) for _ in range(2)]
        for client in clients:
            client.start()
        while httpx.get(f"{url}/readyz").status_code == 200:
            time.sleep(0.01)
        full = httpx.post(f"{url}/v1/predict", content=png(9))
        is_problem(full, 429)
        assert int(full.headers["retry-after"]) >= 1
        for client in clients:
            client.join()
        for answer in answers:
            is_problem(answer, 503)
        gate.set()
        while httpx.get(f"{url}/readyz").status_code != 200:
            time.sleep(0.01)
        assert httpx.post(f"{url}/v1/predict", content=png(9)).status_code == 200


def test_half_open_connections_do_not_starve_the_honest() -> None:
    count = 1_500
    settings = dataclasses.replace(PLAIN, receive_s=4.0)
    with serving(settings) as url, contextlib.ExitStack() as stack:
        slow = []
        for _ in range(count):
            client = stack.enter_context(socket.create_connection(address_of(url), timeout=10))
            client.sendall(b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n\r\nhalf")
            slow.append(client)
        for seed in range(20):
            assert httpx.post(f"{url}/v1/predict", content=png(seed)).status_code == 200
        for client in slow:
            client.settimeout(20)
            assert client.recv(12) == b"HTTP/1.1 408"
            assert b"".join(iter(lambda: client.recv(4096), b"")), "closed after the answer"  # noqa: B023


def test_too_many_connections_close_the_one_that_kept_us_waiting_longest() -> None:
    settings = dataclasses.replace(PLAIN, connections=10, receive_s=30.0)
    with serving(settings) as url, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(address_of(url), timeout=10)) for _ in range(30)]
        for client in slow:
            with contextlib.suppress(OSError):
                client.sendall(b"POST /v1/predict HTTP/1.1\r\n")
        assert httpx.post(f"{url}/v1/predict", content=png(3)).status_code == 200
        assert slow[0].recv(12) == b"HTTP/1.1 408"


# who may ask


def test_token() -> None:
    with serving(dataclasses.replace(PLAIN, token="s3cret")) as url:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "s3cret"}):
            refused = httpx.post(f"{url}/v1/predict", content=png(1), headers=headers)
            is_problem(refused, 401)
            assert refused.headers["www-authenticate"] == "Bearer"
        is_problem(httpx.get(f"{url}/v1/model"), 401)
        is_problem(httpx.get(f"{url}/metrics"), 401)
        good = {"authorization": "Bearer s3cret"}
        assert httpx.post(f"{url}/v1/predict", content=png(1), headers=good).status_code == 200
        assert httpx.get(f"{url}/healthz").text == "ok"


def test_other_web_pages_and_rebound_names_are_refused(url: str) -> None:
    page = {"origin": "https://evil.example"}
    is_problem(httpx.post(f"{url}/v1/predict", content=png(1), headers=page), 403)
    is_problem(httpx.post(f"{url}/v1/predict", content=png(1), headers={"host": "evil.example"}), 403)
    own = {"origin": url}
    assert httpx.post(f"{url}/v1/predict", content=png(1), headers=own).status_code == 200


def test_settings_refuse_an_open_server_without_a_token() -> None:
    with pytest.raises(UsageError, match="token"):
        ServeSettings(host="0.0.0.0")
    assert ServeSettings(host="0.0.0.0", token="x").token == "x"
    with pytest.raises(UsageError, match="queue"):
        ServeSettings(queue=0)


# clients that vanish, failures inside


def test_work_for_a_client_that_has_gone_is_dropped() -> None:
    gate = threading.Event()
    opened: list[bytes] = []

    def counting(id: str) -> Loaded:
        model = slowly(loaded(id), gate)
        slow = model.open_raw

        def open_and_count(raw: bytes) -> np.ndarray:
            opened.append(raw)
            return slow(raw)

        return dataclasses.replace(model, open_raw=open_and_count)

    with serving(dataclasses.replace(PLAIN, threads=1), load_model=counting) as url:
        opened.clear()
        holder = threading.Thread(target=lambda: httpx.post(f"{url}/v1/predict", content=png(5), timeout=20))
        holder.start()
        while not opened:
            time.sleep(0.01)
        body = png(6)
        head = f"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(address_of(url)) as client:
            client.sendall(head + body)
            while "snowroll_queue_samples 2.0" not in httpx.get(f"{url}/metrics").text:
                time.sleep(0.01)
        time.sleep(0.1)  # for the server to see that it has gone
        gate.set()
        holder.join()
        while "snowroll_queue_samples 0.0" not in httpx.get(f"{url}/metrics").text:
            time.sleep(0.01)
        assert opened == [png(5)]


def test_a_fault_of_ours_is_a_500_without_a_trace(caplog: pytest.LogCaptureFixture) -> None:
    def broken(id: str) -> Loaded:
        return dataclasses.replace(loaded(id), labels=7)  # type: ignore[arg-type]

    with serving(PLAIN, load_model=broken) as url:
        told = is_problem(httpx.post(f"{url}/v1/predict", content=png(1)), 500)
        assert told["request_id"] in caplog.text


def test_a_port_in_use_is_one_line(url: str) -> None:
    from snowroll.deploy.process import bind

    with pytest.raises(UsageError, match="cannot listen"):
        bind(dataclasses.replace(PLAIN, port=address_of(url)[1]))


def test_a_first_model_that_fails_its_test_does_not_serve() -> None:
    with pytest.raises(DataError), serving(PLAIN, load_model=lambda id: loaded(id, model=b"garbage")):
        pass


def test_serving_loads_no_torch() -> None:
    code = "import sys, snowroll.deploy.serve, snowroll.deploy.process; print(json.dumps('torch' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) is False
