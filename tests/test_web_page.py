"""The label page in a real browser, driven as a person would: keys, a lost server, a reload, hostile names."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from catalog_kit import label_history
from label_kit import CLASSES, TOKEN, make_project, running

from snowroll.project.opened import Opened

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
)
playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need the package playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="the browser tests need chromium on the PATH"),
]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
]
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"><script>alert(2)</script>',
    "__proto__",
    "javascript:alert(3)",
    "{{7*7}}${7*7}",
    "مرحبا \u202eabc",
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """An open page, and everything about it that must stay empty."""

    def __init__(self, page: Any, url: str, opened: Opened) -> None:
        self.page, self.url, self.opened = page, url, opened
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._hear)
        page.on("dialog", self._refuse)
        page.on("request", self._watch)

    def _hear(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Trusted" in message.text:
            self.faults.append(message.text)

    def _refuse(self, dialog: Any) -> None:
        if dialog.type != "beforeunload":
            self.faults.append(f"dialog: {dialog.message}")
        dialog.accept()

    def _watch(self, request: Any) -> None:
        if not request.url.startswith((self.url, f"blob:{self.url}")):
            self.faults.append(f"a request to {request.url}")

    def enter(self) -> None:
        self.page.goto(f"{self.url}/?token={TOKEN}")

    def item(self) -> str | None:
        return self.page.get_attribute("#stage", "data-item")

    def wait_for_item(self, other_than: str | None = None) -> str:
        """The sample that can be answered now."""
        told = (
            "b => { const now = document.querySelector('#stage').dataset.item; return now && now !== b ? now : null }"
        )
        return self.page.wait_for_function(told, arg=other_than, polling="raf", timeout=15_000).json_value()

    def press(self, key: str) -> str:
        """Answer the open item; returns it once the next one is open."""
        before = self.wait_for_item()
        self.page.keyboard.press(key)
        self.wait_for_item(before)
        return before

    def words(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for(timeout=15_000)

    def labels(self) -> dict[str, Any]:
        return {sample: label.target for sample, label in self.opened.store.catalog.labels().items()}

    def saved(self, n: int) -> dict[str, Any]:
        """The labels in the store, once there are n and nothing is on its way."""
        until(lambda: len(self.labels()) == n and not self.outbox())
        return self.labels()

    def outbox(self) -> list[str]:
        return self.page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('snowroll:'))")


def until(is_so: Callable[[], bool], patience_s: float = 15) -> None:
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, "it never came so"
        time.sleep(0.02)


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Visit]]:
    """Makes a project, serves it, opens the page. At the end nothing forbidden may have happened."""
    with contextlib.ExitStack() as stack:
        visits = []

        def begin(n: int = 8, browser: dict[str, Any] | None = None, enter: bool = True, **project: Any) -> Visit:
            opened = make_project(Path(tempfile.mkdtemp(dir=tmp_path)) / "parts", n, **project)
            url = stack.enter_context(running(opened))
            context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **(browser or {})})
            stack.callback(context.close)
            visits.append(Visit(context.new_page(), url, opened))
            if enter:
                visits[-1].enter()
            return visits[-1]

        yield begin
        for one in visits:
            assert one.faults == []


def test_thirty_items_by_keyboard_alone(visit: Callable[..., Visit]) -> None:
    page = visit(30)
    expected, begun = {}, time.perf_counter()
    for number in range(30):
        sample = page.wait_for_item()
        shown = page.page.locator(".accept").is_visible()
        key = "Enter" if shown else str(number % 4 + 1)
        expected[sample] = page.page.locator(".suggested .name").inner_text() if shown else CLASSES[number % 4]
        page.page.keyboard.press(key)
        page.page.wait_for_function("b => document.querySelector('#stage').dataset.item !== b", arg=sample)
    page.words("Nothing left to label.")
    assert not page.page.locator("#question, .accept, #unsure").filter(visible=True).count()
    assert page.saved(30) == expected
    assert page.page.locator("#count").inner_text() == "30 of 30"
    print(f"robot with probes: {30 * 60 / (time.perf_counter() - begun):.0f} decisions a minute")


def test_where_nothing_was_asked_nothing_is_counted(visit: Callable[..., Visit]) -> None:
    page = visit(0)
    page.words("No sample waits for a person.")
    assert not page.page.locator(".side .card").filter(visible=True).count()


@pytest.mark.parametrize("latency_ms", [0, 80])
def test_a_fast_robot_loses_nothing(visit: Callable[..., Visit], latency_ms: int) -> None:
    page = visit(60, enter=False)
    wire = page.page.context.new_cdp_session(page.page)
    network = {"offline": False, "latency": latency_ms, "downloadThroughput": -1, "uploadThroughput": -1}
    wire.send("Network.emulateNetworkConditions", network)
    page.enter()
    page.wait_for_item()
    begun = time.perf_counter()
    for _ in range(59):
        page.press("1")
    spent = time.perf_counter() - begun
    page.page.keyboard.press("1")
    page.words("Nothing left to label.")
    assert len(page.saved(60)) == 60
    print(f"robot at {latency_ms} ms: {59 * 60 / spent:.0f} decisions a minute")


def test_a_picture_that_was_not_painted_cannot_be_answered(visit: Callable[..., Visit]) -> None:
    page = visit(3, enter=False)
    held: list[Any] = []
    page.page.route("**/api/picture/*", lambda route: held.append(route))
    page.enter()
    page.words("Fetching the picture")
    for key in ("1", "Enter", " ", "2"):
        page.page.keyboard.press(key)
    page.page.locator("#unsure").click()
    page.page.get_by_role("button", name="burr").first.click()
    assert page.item() is None
    assert page.outbox() == []
    for route in held:
        route.continue_()
    page.page.unroute("**/api/picture/*")
    page.press("1")
    assert list(page.saved(1).values()) == ["burr"]


def test_a_late_picture_is_not_taken_for_another_questions(visit: Callable[..., Visit]) -> None:
    page = visit(4, enter=False)
    asked: list[str] = []
    late: list[Any] = []

    def answer(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.fulfill(status=422, json={"error": "it cannot be drawn", "where": "", "cure": ""})
        elif len(asked) == 2:
            late.append(route)
        else:
            route.continue_()

    page.page.route("**/api/picture/*", answer)
    page.enter()
    first = page.wait_for_item()
    page.page.keyboard.press(" ")
    page.words("Fetching the picture")
    page.page.keyboard.press("z")  # back to the one without a picture, while the next is still on its way
    until(lambda: page.item() == first)
    late[0].continue_()
    page.page.wait_for_timeout(500)
    page.page.keyboard.press("1")
    page.page.wait_for_timeout(200)
    assert page.item() == first
    assert page.saved(0) == {}


def test_a_key_held_down_decides_once(visit: Callable[..., Visit]) -> None:
    page = visit(6)
    first = page.wait_for_item()
    page.page.keyboard.down("1")
    page.wait_for_item(first)
    for _ in range(5):
        page.page.keyboard.down("1")  # without an up: the browser calls it a repeat
        page.page.wait_for_timeout(60)
    page.page.keyboard.up("1")
    assert list(page.saved(1)) == [first]


def test_the_server_is_lost_and_comes_back(visit: Callable[..., Visit]) -> None:
    page = visit(8)
    page.wait_for_item()
    page.page.route("**/api/answers", lambda route: route.abort())
    page.press("2")
    page.press("3")
    page.words("2 decisions not saved yet")
    assert page.labels() == {}
    assert len(page.outbox()) == 2
    page.page.unroute("**/api/answers")
    assert list(page.saved(2).values()) == ["dent", "scratch"]
    page.page.locator("#unsaved").wait_for(state="hidden")
    assert len(label_history(page.opened.store.catalog)) == 2


def test_an_answer_whose_acknowledgement_was_lost_is_stored_once(visit: Callable[..., Visit]) -> None:
    page = visit(8)
    page.wait_for_item()

    def swallow(route: Any) -> None:
        route.fetch()  # the server hears it, the page never learns
        route.abort()

    page.page.route("**/api/answers", swallow, times=1)
    page.press("4")
    page.words("1 decision not saved yet")
    assert list(page.saved(1).values()) == ["stain"]
    assert len(label_history(page.opened.store.catalog)) == 1


def test_a_reload_keeps_the_outbox(visit: Callable[..., Visit]) -> None:
    page = visit(8)
    first = page.wait_for_item()
    page.page.route("**/api/answers", lambda route: route.abort())
    page.press("3")
    page.words("1 decision not saved yet")
    page.page.reload()
    assert page.wait_for_item() != first  # what was answered is not asked again
    page.words("1 decision not saved yet")
    page.page.unroute("**/api/answers")
    assert page.saved(1) == {first: "scratch"}


def test_a_server_started_anew_is_told_of(visit: Callable[..., Visit]) -> None:
    page = visit(8)
    page.wait_for_item()
    page.page.context.clear_cookies()
    page.press("1")
    page.words("open the address it printed")
    page.enter()
    page.saved(1)


def test_undo_walks_back_across_items(visit: Callable[..., Visit]) -> None:
    page = visit(8)
    first, second = page.press("1"), page.press("2")
    third = page.wait_for_item()
    page.press("z")
    assert page.item() == second
    page.press("z")
    assert page.item() == first
    page.saved(0)
    assert [page.press("4"), page.press("3"), page.item()] == [first, second, third]
    assert page.saved(2) == {first: "stain", second: "scratch"}


def test_an_earlier_answer_can_be_changed(visit: Callable[..., Visit]) -> None:
    page = visit(8)
    first, second = page.press("1"), page.press(" ")
    third = page.wait_for_item()
    page.page.locator("#trail button").nth(1).click()
    page.wait_for_item(third)
    assert page.item() == first
    assert page.page.locator(".opts [aria-pressed=true] .name").inner_text() == "burr"
    page.press("2")
    assert page.item() == third
    assert page.saved(2) == {first: "dent", second: None}
    page.page.locator("#trail button").nth(0).click()
    page.wait_for_item(third)
    page.press("z")  # leaves it as it was
    assert page.item() == third
    assert page.saved(2) == {first: "dent", second: None}


def test_many_classes_are_found_by_letters(visit: Callable[..., Visit]) -> None:
    page = visit(6, classes=[f"part {number:02d} {kind}" for number in range(8) for kind in ("dent", "zinc stain")])
    first = page.wait_for_item()
    page.page.keyboard.press("/")
    page.page.keyboard.type("3 z")  # neither 3 nor z is a key in here
    page.page.keyboard.press("Enter")
    second = page.wait_for_item(first)
    page.page.keyboard.press("/")
    page.page.keyboard.type("zinc")
    page.page.keyboard.press("Escape")
    page.page.keyboard.press("2")
    page.wait_for_item(second)
    assert page.saved(2) == {first: "part 03 zinc stain", second: "part 00 zinc stain"}


def test_a_field_that_is_clicked_keeps_the_keys(visit: Callable[..., Visit]) -> None:
    page = visit(6, classes=[f"part {number:02d} {kind}" for number in range(8) for kind in ("dent", "zinc stain")])
    first = page.wait_for_item()
    page.page.locator("#answers input").first.click()
    page.page.keyboard.type("3 z")  # neither 3 nor z is a key in here, nor is the space
    page.page.keyboard.press("Enter")
    page.wait_for_item(first)
    assert page.saved(1) == {first: "part 03 zinc stain"}


def test_classes_that_are_digits_are_their_own_keys(visit: Callable[..., Visit]) -> None:
    page = visit(4, classes=[str(digit) for digit in range(10)], size=(8, 8))
    first, second = page.press("7"), page.press("0")
    assert page.saved(2) == {first: "7", second: "0"}


def test_mouse_then_enter_answers_the_next_question_not_the_same_button(visit: Callable[..., Visit]) -> None:
    page = visit(8)
    first = page.wait_for_item()
    page.page.locator(".opts button").nth(3).click()
    page.wait_for_item(first)
    while not page.page.locator(".accept").is_visible():
        page.press("1")
    sample = page.wait_for_item()
    suggested = page.page.locator(".suggested .name").inner_text()
    page.press("Enter")
    until(lambda: sample in page.labels())
    assert (page.labels()[first], page.labels()[sample]) == ("stain", suggested)


def test_test_items_show_no_suggestion_and_are_stored_so(visit: Callable[..., Visit]) -> None:
    page = visit(4, test=3)
    for _ in range(3):
        page.wait_for_item()
        assert not page.page.locator(".accept").is_visible()
        assert page.page.locator(".share").all_inner_texts() == [""] * 4
        page.press("2")
    page.saved(3)
    assert all(label.for_test and label.blind for label in page.opened.store.catalog.labels().values())


def test_a_picture_that_cannot_be_shown_is_passed_by_only(visit: Callable[..., Visit]) -> None:
    page = visit(3, raws=[b"\x89PNG\r\n\x1a\n damaged"])
    page.words("This picture cannot be shown.")
    page.page.keyboard.press("1")
    page.page.keyboard.press("Enter")
    assert page.outbox() == []
    first = page.press(" ")
    assert page.saved(1) == {first: None}


def test_hostile_names_stay_words(visit: Callable[..., Visit]) -> None:
    page = visit(8, classes=HOSTILE, why="<script>alert(4)</script> & <b>doubt</b>")
    for number in range(6):
        page.press(str(number + 1))
    page.page.keyboard.press("?")
    page.page.keyboard.press("Escape")
    assert sorted(page.saved(6).values()) == sorted(HOSTILE)
    assert page.page.locator(".opts .name").all_inner_texts() == sorted(HOSTILE)
    assert page.page.locator("#why").inner_text().endswith("<script>alert(4)</script> & <b>doubt</b>")
    assert page.page.locator("main script, main b, .opts img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_is_cut_or_too_wide(visit: Callable[..., Visit], width: int, scheme: str) -> None:
    browser = {"viewport": {"width": width, "height": 844}, "color_scheme": scheme}
    page = visit(4, browser=browser, classes=[*CLASSES, "a class with quite a long name, as people give them"])
    page.press("1")
    page.press(" ")
    told = page.page.evaluate(
        """() => ({
            wide: document.documentElement.scrollWidth,
            cut: [...document.querySelectorAll('button, h2, p')].filter(e => !e.closest('.trail') && e.id !== 'said')
                .filter(e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)
        })"""
    )
    assert told == {"wide": width, "cut": []}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Callable[..., Visit], scheme: str) -> None:
    axe = next(Path("node_modules").glob("axe-core/axe.min.js"), None)
    if axe is None:
        pytest.skip("needs axe-core: npm install --no-save axe-core")
    page = visit(6, browser={"color_scheme": scheme, "bypass_csp": True})
    page.press("1")
    page.page.evaluate(axe.read_text())
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
    found = page.page.evaluate("rules => axe.run(document, rules)", rules)["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
