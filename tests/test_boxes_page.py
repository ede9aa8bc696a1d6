"""Boxes on the label page in a real browser: drawn, moved, suggested, answered with keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from label_kit import make_drawing_project, running
from test_web_page import CHROMIUM, FLAGS, Visit, playwright

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="the browser tests need chromium on the PATH"),
]
SIZE = (300, 200)
SUGGESTED = [{"class": "dent", "box": [30.0, 40.0, 90.0, 100.0], "score": 0.8}]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Callable[[], Visit]]:
    opened = make_drawing_project(tmp_path / "project", "detect_objects", ["burr", "dent"], SUGGESTED)
    with running(opened) as url:
        page = chromium.new_page(viewport={"width": 1200, "height": 800})
        made = Visit(page, url, opened)
        made.enter()
        yield lambda: made
        assert made.faults == []
        page.close()


def on_screen(page: Visit, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture lies on the screen."""
    told = """([x, y]) => {
        const svg = document.querySelector('.boxes');
        const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
        return [at.x, at.y];
    }"""
    return tuple(page.page.evaluate(told, [x, y]))


def drag(page: Visit, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.page.mouse.move(*on_screen(page, *start))
    page.page.mouse.down()
    page.page.mouse.move(*on_screen(page, *end), steps=4)
    page.page.mouse.up()


def wait_for_suggestion(page: Visit) -> str:
    """The next item that is not asked blind."""
    while True:
        item = page.wait_for_item()
        if page.page.locator(".mark").count():
            return item
        page.press(" ")


def test_the_picture_and_its_boxes_lie_on_each_other(visit: Callable[[], Visit]) -> None:
    page = visit()
    wait_for_suggestion(page)
    told = """() => {
        const image = document.querySelector('#stage img'), svg = document.querySelector('.boxes');
        return [image.getBoundingClientRect().toJSON(), svg.getBoundingClientRect().toJSON(), svg.getScreenCTM().a,
                image.naturalWidth];
    }"""
    image, svg, scale, natural = page.page.evaluate(told)
    assert [image[side] for side in ("x", "y", "width", "height")] == pytest.approx(
        [svg[side] for side in ("x", "y", "width", "height")], abs=1
    )
    assert scale == pytest.approx(min(image["width"] / natural, image["height"] / SIZE[1]), rel=0.01)


def test_a_suggestion_is_accepted_with_enter(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    page.press("Enter")
    wanted = [{"class": "dent", "box": [30, 40, 90, 100]}]
    assert {**page.saved(len(page.labels()) or 1)}[item] == wanted


def test_a_box_is_drawn_moved_and_named(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    before = len(page.labels())
    page.page.keyboard.press("c")  # away with what the model said
    page.page.keyboard.press("1")  # a burr
    drag(page, (100, 50), (160, 120))
    drag(page, (130, 80), (150, 90))  # by 20 and 10
    page.page.keyboard.press("Enter")
    page.wait_for_item(item)
    (one,) = page.saved(before + 1)[item]
    assert one["class"] == "burr"
    assert one["box"] == pytest.approx([120, 60, 180, 130], abs=1.5)


def test_corners_change_it_and_d_removes_it(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    before = len(page.labels())
    page.page.keyboard.press("n")
    drag(page, (90, 100), (120, 140))
    page.page.keyboard.press("b")
    page.page.keyboard.press("2")
    page.page.keyboard.press("b")
    page.page.keyboard.press("d")
    page.page.keyboard.press("Enter")
    page.wait_for_item(item)
    first, second = page.saved(before + 1)[item]
    assert first["box"] == pytest.approx([30, 40, 120, 140], abs=1.5)
    assert second == {"class": "dent", "box": [112.5, 75, 187.5, 125]}


def test_nothing_is_an_answer_too(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    before = len(page.labels())
    page.page.keyboard.press("c")
    page.words("There is nothing")
    page.page.keyboard.press("Enter")
    page.wait_for_item(item)
    assert page.saved(before + 1)[item] == []


def test_a_box_stays_within_the_picture(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    before = len(page.labels())
    page.page.keyboard.press("c")
    drag(page, (250, 150), (330, 260))
    page.page.keyboard.press("Enter")
    page.wait_for_item(item)
    (one,) = page.saved(before + 1)[item]
    assert one["box"] == pytest.approx([250, 150, 300, 200], abs=1.5)
