"""Texts on the label page in a real browser: to be read and marked as text, each line in its own direction."""

from __future__ import annotations

from pathlib import Path

import pytest
from label_kit import make_drawing_project, running
from test_web_page import CHROMIUM, FLAGS, Visit, playwright

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="the browser tests need chromium on the PATH"),
]
SAID = "\u0643\u0631\u0629 \u0627\u0644\u062b\u0644\u062c <b>\u0623</b>"


@pytest.mark.parametrize("task", ["translate", "write_text"])
def test_what_is_answered_in_writing_is_read_as_text(task: str, tmp_path: Path) -> None:
    opened = make_drawing_project(tmp_path / "project", task, [], "snowball", raws=[SAID.encode()])
    with running(opened) as url, playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        made = Visit(browser.new_page(viewport={"width": 1200, "height": 800}), url, opened)
        made.enter()
        line = made.page.locator("#stage .text p")
        line.wait_for()
        assert line.inner_text() == SAID
        told = line.evaluate("""(line) => {
            getSelection().selectAllChildren(line);
            return [getComputedStyle(line).direction, String(getSelection())];
        }""")
        assert told == ["rtl", SAID]
        assert made.faults == []
        browser.close()
