"""Parts on the label page in a real browser: the model's heat over the picture, a choice beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from label_kit import make_drawing_project, running
from test_boxes_page import chromium  # noqa: F401  (a fixture)
from test_web_page import CHROMIUM, Visit

from snowroll.prepare.packed_png import packed
from snowroll.tasks.inspect.parts import AT_ONE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="the browser tests need chromium on the PATH"),
]


def heat() -> np.ndarray:
    """Twice the threshold in the upper left corner, nothing elsewhere."""
    grey = np.zeros((20, 30), np.uint8)
    grey[:5, :6] = 2 * AT_ONE
    return grey


@pytest.fixture
def visit(chromium: Any, tmp_path: Path) -> Iterator[Callable[[], Visit]]:  # noqa: F811
    told = {"class": "faulty", "score": 1.8, "map": packed(heat())}
    opened = make_drawing_project(tmp_path / "project", "inspect", ["scratch", "stain"], told)
    with running(opened) as url:
        page = chromium.new_page(viewport={"width": 1200, "height": 800})
        made = Visit(page, url, opened)
        made.enter()
        yield lambda: made
        assert made.faults == []
        page.close()


def wait_for_suggestion(page: Visit) -> str:
    while True:
        item = page.wait_for_item()
        page.page.wait_for_timeout(150)
        if page.page.locator(".opts .suggested").count():
            return item
        page.press(" ")


def target_of(page: Visit, item: str, key: str) -> object:
    before = len(page.labels())
    page.page.keyboard.press(key)
    page.wait_for_item(item)
    return page.saved(before + 1)[item]


def test_what_the_model_says_is_accepted_or_named(visit: Callable[[], Visit]) -> None:
    page = visit()
    item = wait_for_suggestion(page)
    assert page.page.locator(".opts .name").all_text_contents() == ["good", "faulty", "scratch", "stain"]
    assert target_of(page, item, "Enter") == "faulty"
    assert target_of(page, wait_for_suggestion(page), "3") == "scratch"
    assert target_of(page, wait_for_suggestion(page), "1") == "good"


def test_heat_lies_where_the_model_saw_it_and_can_be_hidden(visit: Callable[[], Visit]) -> None:
    page = visit()
    wait_for_suggestion(page)
    canvas = page.page.locator("#stage canvas")
    canvas.wait_for()
    alpha = "(c) => [[20, 20], [250, 150]].map(([x, y]) => c.getContext('2d').getImageData(x, y, 1, 1).data[3])"
    assert canvas.evaluate(alpha) == [180, 0]
    assert canvas.evaluate("(c) => [c.width, c.height]") == [300, 200]
    assert canvas.bounding_box() == page.page.locator("#stage img").bounding_box()
    page.page.keyboard.press("h")
    assert not canvas.is_visible()
    page.page.keyboard.press("h")
    assert canvas.is_visible()
