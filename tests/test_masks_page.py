"""Masks on the label page in a real browser: suggested, painted, filled, taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_kit import make_drawing_project, running
from test_boxes_page import chromium  # noqa: F401  (a fixture)
from test_web_page import CHROMIUM, Visit

from snowroll.prepare.mask_targets import as_target, mask_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="the browser tests need chromium on the PATH"),
]
CLASSES = ["background", "dent", "scratch"]


def suggested() -> np.ndarray:
    mask = np.zeros((200, 300), np.uint8)
    mask[50:100, 60:120] = 1
    return mask


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Callable[[], Visit]]:  # noqa: F811
    told = as_target(suggested(), CLASSES)
    opened = make_drawing_project(tmp_path / "project", "segment_images", CLASSES, told)
    with running(opened) as url:
        page = chromium.new_page(viewport={"width": 1200, "height": 800})
        made = Visit(page, url, opened)
        made.enter()
        yield lambda: made
        assert made.faults == []
        page.close()


def on_screen(page: Visit, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture lies on the screen."""
    seen = page.page.evaluate("document.querySelector('.paint').getBoundingClientRect().toJSON()")
    scale = min(seen["width"] / 300, seen["height"] / 200)
    left = seen["left"] + (seen["width"] - 300 * scale) / 2
    top = seen["top"] + (seen["height"] - 200 * scale) / 2
    return left + (x + 0.5) * scale, top + (y + 0.5) * scale


def drag(page: Visit, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.page.mouse.move(*on_screen(page, *start))
    page.page.mouse.down()
    page.page.mouse.move(*on_screen(page, *end), steps=6)
    page.page.mouse.up()


def wait_for_suggestion(page: Visit) -> str:
    """The next item whose mask was suggested: the dent has a share."""
    while True:
        item = page.wait_for_item()
        page.page.wait_for_timeout(150)
        if page.page.locator(".opts .share").nth(1).text_content():
            return item
        page.press(" ")


def answered(page: Visit, item: str) -> np.ndarray:
    before = len(page.labels())
    page.page.keyboard.press("Enter")
    page.wait_for_item(item)
    target = page.saved(before + 1)[item]
    assert target["classes"] == CLASSES
    return mask_of(target)


def test_a_suggestion_is_accepted_as_it_is(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    assert np.array_equal(answered(page, item), suggested())


def test_a_stroke_paints_its_class_where_it_went(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    page.page.keyboard.press("3")
    drag(page, (200, 150), (240, 150))
    mask = answered(page, item)
    rows, columns = np.nonzero(mask == 2)
    assert (columns.min(), columns.max()) == pytest.approx((194, 246), abs=2)
    assert (rows.min(), rows.max()) == pytest.approx((144, 156), abs=2)
    assert (mask == 1).sum() == (suggested() == 1).sum()


def test_a_region_is_filled_and_a_stroke_taken_back(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    page.page.keyboard.press("3")
    page.page.mouse.move(*on_screen(page, 90, 75))
    page.page.keyboard.press("f")
    drag(page, (200, 150), (240, 150))
    page.page.keyboard.press("u")
    assert np.array_equal(answered(page, item), 2 * suggested())


def test_the_background_is_not_painted_over(visit: Callable[[], Visit]) -> None:
    page = visit()
    wait_for_suggestion(page)
    at = "([x, y]) => document.querySelector('.paint').getContext('2d').getImageData(x, y, 1, 1).data[3]"
    assert [page.page.evaluate(at, place) for place in ([10, 10], [90, 75])] == [0, 120]
