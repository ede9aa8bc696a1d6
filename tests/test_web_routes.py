"""The label page's routes: what is asked, what is kept, what is refused."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from catalog_kit import label_history
from label_kit import TOKEN, make_project, picture
from PIL import Image, PngImagePlugin
from starlette.testclient import TestClient

from snowroll.base.errors import UsageError
from snowroll.project.opened import Opened
from snowroll.web.app import make_label_app
from snowroll.web.asking import is_blind
from snowroll.web.label import bind, fill

HOME = "http://127.0.0.1:8001"
BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    project = make_project(tmp_path / "parts", 8, test=2)
    yield project
    project.store.close()


@pytest.fixture
def robot(opened: Opened) -> Iterator[TestClient]:
    with TestClient(app_of(opened), base_url=HOME, headers=BEARER) as client:
        yield client


def app_of(opened: Opened) -> Any:
    return make_label_app(opened, TOKEN, "ada", lambda: 1_000.0)


def answer(sample: str, target: Any = "dent", **more: Any) -> dict[str, Any]:
    return {"client_id": secrets.token_hex(8), "sample": sample, "target": target, "ms": 700, "blind": False, **more}


def ask(robot: TestClient, n: int = 8) -> list[dict[str, Any]]:
    return robot.get(f"/api/next?n={n}").json()["items"]


# what is asked ------------------------------------------------------------------------------------------------------


def test_questions_come_in_order_of_worth_with_the_schema_once(robot: TestClient) -> None:
    told = robot.get("/api/next?n=5").json()
    assert told["schema"] == {"type": "choice", "classes": ["burr", "dent", "scratch", "stain"]}
    assert told["left"] == 8
    assert len(told["items"]) == 5
    assert set(told["items"][0]) == {"sample", "why", "suggestion", "blind"}


def test_test_items_are_asked_blind_and_the_others_with_what_the_model_said(robot: TestClient) -> None:
    items = ask(robot)
    assert [item["suggestion"] for item in items[:2]] == [None, None]
    assert all(item["blind"] for item in items[:2])
    for number, item in list(enumerate(items))[2:]:
        share = 0.5 + 0.4 * (number % 7) / 7
        expected = None if is_blind(item["sample"], "") else {("burr", "dent", "scratch", "stain")[number % 4]: share}
        assert item["suggestion"] == expected
    assert any(item["suggestion"] for item in items)


def test_a_share_of_the_items_is_blind() -> None:
    share = sum(is_blind(f"{i:016x}", "doubt") for i in range(5_000)) / 5_000
    assert 0.08 < share < 0.12


def test_a_suggestion_outside_the_schema_is_withheld(tmp_path: Path) -> None:
    from snowroll.web.asking import next_questions

    opened = make_project(tmp_path / "parts", 12)
    asked = next_questions(opened, 12, "ada", {"type": "choice", "classes": ["burr"]})
    opened.store.close()
    assert {value for question in asked for value in question.suggestion or {}} == {"burr"}


def test_nothing_left_is_said_so(robot: TestClient) -> None:
    items = ask(robot)
    told = robot.post("/api/answers", json=[answer(item["sample"]) for item in items])
    assert told.json()["left"] == 0
    assert robot.get("/api/next?n=3").json() | {"schema": 0} == {"items": [], "left": 0, "schema": 0}


@pytest.mark.parametrize("n", ["0", "-1", "101", "x", "1e2", "²", "9" * 5_000])
def test_a_wrong_number_is_refused(robot: TestClient, n: str) -> None:
    assert robot.get("/api/next", params={"n": n}).status_code == 400


# what is kept -------------------------------------------------------------------------------------------------------


def test_answers_are_kept_with_person_time_and_look(robot: TestClient, opened: Opened) -> None:
    items = ask(robot)
    sent = [answer(items[0]["sample"], "burr"), answer(items[3]["sample"], "stain"), answer(items[4]["sample"], None)]
    told = robot.post("/api/answers", json=sent)
    assert told.status_code == 200
    assert told.json() == {"saved": [one["client_id"] for one in sent], "refused": [], "left": 5}
    labels = opened.store.catalog.labels()
    first, second, unsure = (labels[one["sample"]] for one in sent)
    assert (first.target, first.by, first.at, first.ms) == ("burr", "ada", 1_000.0, 700.0)
    assert (first.for_test, first.blind) == (True, True)  # whatever the client says of a test item
    assert (second.for_test, second.blind, unsure.target) == (False, False, None)


def test_sent_again_is_stored_once_and_acknowledged_again(robot: TestClient, opened: Opened) -> None:
    sent = [answer(item["sample"]) for item in ask(robot)[:3]]
    first = robot.post("/api/answers", json=sent)
    again = robot.post("/api/answers", json=[sent[0], *sent])
    assert again.json()["saved"] == [sent[0]["client_id"], *first.json()["saved"]]
    assert len(label_history(opened.store.catalog)) == 3


def test_the_same_id_for_another_answer_is_refused_and_the_rest_saved(robot: TestClient, opened: Opened) -> None:
    one, other = ask(robot)[:2]
    sent = answer(one["sample"], "dent")
    robot.post("/api/answers", json=[sent])
    told = robot.post("/api/answers", json=[{**sent, "target": "burr"}, answer(other["sample"], "stain")])
    assert told.status_code == 422
    assert [refused["client_id"] for refused in told.json()["refused"]] == [sent["client_id"]]
    labels = opened.store.catalog.labels()
    assert labels[one["sample"]].target == "dent"
    assert labels[other["sample"]].target == "stain"


def test_a_changed_answer_outweighs_the_first(robot: TestClient, opened: Opened) -> None:
    sample = ask(robot)[0]["sample"]
    for target in ("dent", "burr"):
        robot.post("/api/answers", json=[answer(sample, target)])
    label = opened.store.catalog.labels()[sample]
    assert (label.target, label.for_test) == ("burr", True)
    assert robot.get("/api/state").json()["left"] == 7


def test_undo_asks_again(robot: TestClient, opened: Opened) -> None:
    sample = ask(robot)[3]["sample"]
    sent = answer(sample)
    robot.post("/api/answers", json=[sent])
    for _ in range(2):
        told = robot.post("/api/undo", json={"client_id": sent["client_id"]})
        assert told.json() == {"undone": sent["client_id"], "sample": sample}
    assert sample not in opened.store.catalog.labels()
    assert sample in [item["sample"] for item in ask(robot)]
    assert robot.post("/api/undo", json={"client_id": "never-sent"}).status_code == 404


def test_state_counts(robot: TestClient) -> None:
    assert robot.get("/api/state").json() == {"left": 8, "for_test": 2, "done": 0, "person": "ada"}
    robot.post("/api/answers", json=[answer(ask(robot)[0]["sample"])])
    assert robot.get("/api/state").json() == {"left": 7, "for_test": 1, "done": 1, "person": "ada"}


def test_an_answer_outlives_a_refilled_queue(robot: TestClient, opened: Opened) -> None:
    sample = ask(robot)[5]["sample"]
    opened.store.catalog.fill_queue([])
    assert robot.post("/api/answers", json=[answer(sample)]).status_code == 200
    assert opened.store.catalog.labels()[sample].target == "dent"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b'[{"client_id": "abcdefgh"}]',
        json.dumps([answer("0" * 16, ms=-1)]).encode(),
        json.dumps([answer("0" * 16, ms="5")]).encode(),
        json.dumps([answer("0" * 16, blind=1)]).encode(),
        json.dumps([answer("0" * 16, by="eve")]).encode(),
        json.dumps([answer("0" * 16, client_id="../../x")]).encode(),
        json.dumps([answer("../../etc/passwd")]).encode(),
        b'[{"client_id": "abcdefgh", "sample": "0000000000000000", "target": NaN}]',
        b'[{"client_id": "abcdefgh", "sample": "0000000000000000", "target": "\\ud800"}]',
        b"[" * 100_000,
    ],
)
def test_a_malformed_answer_is_refused(robot: TestClient, opened: Opened, body: bytes) -> None:
    told = robot.post("/api/answers", content=body, headers={"content-type": "application/json"})
    assert told.status_code == 400
    assert told.json()["error"]
    assert not opened.store.catalog.labels()


@pytest.mark.parametrize("target", ["scratsch", "", 3, True, ["burr"], {"burr": 1}])
def test_a_target_outside_the_schema_is_refused(robot: TestClient, opened: Opened, target: Any) -> None:
    told = robot.post("/api/answers", json=[answer(ask(robot)[0]["sample"], target)])
    assert told.status_code == 422
    assert "not in the schema" in told.json()["refused"][0]["error"]
    assert not opened.store.catalog.labels()


def test_an_unknown_sample_is_refused(robot: TestClient) -> None:
    told = robot.post("/api/answers", json=[answer("0" * 16)])
    assert told.status_code == 422
    assert told.json()["refused"][0]["error"] == "there is no such sample"


def test_too_much_is_refused(robot: TestClient) -> None:
    assert robot.post("/api/answers", json=[answer("0" * 16)] * 101).status_code == 413
    assert robot.post("/api/answers", json=[answer("0" * 16, "x" * 2_000_000)]).status_code == 413


# pictures -----------------------------------------------------------------------------------------------------------


def test_a_picture_is_re_encoded_without_its_metadata(tmp_path: Path) -> None:
    note = PngImagePlugin.PngInfo()
    note.add_text("Patient", "Jane Doe")
    out = io.BytesIO()
    Image.open(io.BytesIO(picture(1))).save(out, "PNG", pnginfo=note)
    large = io.BytesIO()
    Image.new("RGB", (4_000, 1_000), (200, 10, 10)).save(large, "JPEG")
    raws = [out.getvalue(), large.getvalue(), b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"]
    opened = make_project(tmp_path / "parts", 3, raws=raws)
    with TestClient(app_of(opened), base_url=HOME, headers=BEARER) as robot:
        small, big, drawing = (robot.get(f"/api/picture/{item['sample']}") for item in ask(robot))
    opened.store.close()
    assert small.headers["content-type"] == "image/png"
    assert b"Jane" not in small.content
    shown = Image.open(io.BytesIO(small.content))
    assert shown.tobytes() == Image.open(io.BytesIO(raws[0])).tobytes()
    assert big.headers["content-type"] == "image/webp"
    assert max(Image.open(io.BytesIO(big.content)).size) == 2_560
    assert drawing.status_code == 422
    assert "SVG" in drawing.json()["error"]


def test_a_forgotten_input_is_told_in_words(robot: TestClient, opened: Opened) -> None:
    sample = opened.store.catalog.samples()[ask(robot, 1)[0]["sample"]]
    opened.store.blobs.forget(sample.content)
    told = [robot.get(f"/api/picture/{sample.id}").status_code for _ in range(2)]
    assert set(told) <= {200, 404}  # it may have been drawn ahead already
    assert robot.get("/api/picture/0000000000000000").status_code == 404
    assert robot.get("/api/picture/..%2f..%2fcatalog.sqlite").status_code == 404


# who may come in ----------------------------------------------------------------------------------------------------


@pytest.fixture
def stranger(opened: Opened) -> Iterator[TestClient]:
    with TestClient(app_of(opened), base_url=HOME) as client:
        yield client


@pytest.fixture
def person(stranger: TestClient) -> TestClient:
    assert stranger.get(f"/?token={TOKEN}").status_code == 200
    return stranger


PATHS = ["/", "/api/next", "/api/state", "/api/picture/0", "/static/label.js", "/widget.js", "/nothing", "/?token=no"]
OWN = {"origin": HOME, "sec-fetch-site": "same-origin"}


@pytest.mark.parametrize("path", PATHS)
def test_without_the_key_nothing_is_answered(stranger: TestClient, path: str) -> None:
    assert stranger.get(path).status_code == 401
    assert stranger.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
    assert stranger.get(path, headers={"cookie": "snowroll-00000000=x"}).status_code == 401


def test_the_address_with_the_token_lets_the_browser_in(stranger: TestClient) -> None:
    welcome = stranger.get(f"/?token={TOKEN}")
    cookie = welcome.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert "/static/label.js" in stranger.get("/").text
    assert stranger.post("/api/answers", json=[], headers=OWN).status_code == 200


def test_a_person_without_the_key_reads_a_page(stranger: TestClient) -> None:
    told = stranger.get("/", headers={"accept": "text/html"})
    assert told.status_code == 401
    assert "Open the address" in told.text


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "", "10.0.0.7"]
)
def test_other_hosts_are_refused(robot: TestClient, host: str) -> None:
    assert robot.get("/api/state", headers={"host": host}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "http://localhost:8001"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": HOME},
        {},
    ],
)
def test_forged_requests_are_refused(person: TestClient, opened: Opened, headers: dict[str, str]) -> None:
    sample = person.get("/api/next?n=1").json()["items"][0]["sample"]
    assert person.post("/api/answers", json=[answer(sample)], headers=headers).status_code == 403
    assert not opened.store.catalog.labels()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_only_json_is_read(person: TestClient, kind: str) -> None:
    assert person.post("/api/answers", content=b"[]", headers={**OWN, "content-type": kind}).status_code == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_refused(robot: TestClient, method: str) -> None:
    assert robot.request(method, "/api/answers").status_code in (405, 415)
    assert robot.get("/api/undo").status_code == 405


def test_every_answer_forbids_frames_foreign_scripts_and_guessing(robot: TestClient, opened: Opened) -> None:
    for path in ["/", "/api/state", "/static/label.js", "/static/style.css", "/nothing", "/widget.js"]:
        headers = robot.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
    with TestClient(app_of(opened), base_url=HOME) as stranger:
        assert stranger.get("/").headers["x-frame-options"] == "DENY"


def test_names_are_escaped_in_the_shell(tmp_path: Path) -> None:
    opened = make_project(tmp_path / "<img src=x onerror=alert(1)>", 1)
    app = make_label_app(opened, TOKEN, '"><script>alert(2)</script>', lambda: 0.0)
    with TestClient(app, base_url=HOME, headers=BEARER) as robot:
        page = robot.get("/").text
    opened.store.close()
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    assert "&lt;img src=x" in page


# the verb -----------------------------------------------------------------------------------------------------------


def test_a_filled_queue_is_left_alone_and_two_ways_to_fill_it_are_refused(opened: Opened) -> None:
    fill(opened, 0, 0, print)
    assert opened.store.catalog.left_in_queue() == 8
    with pytest.raises(UsageError, match="same queue"):
        fill(opened, 5, 5, print)


def test_an_address_in_use_and_every_address_at_once_are_refused() -> None:
    with bind("127.0.0.1", 0) as sock, pytest.raises(UsageError, match="cannot listen"):
        bind("127.0.0.1", sock.getsockname()[1])
    with pytest.raises(UsageError, match="every address"):
        bind("0.0.0.0", 0)
