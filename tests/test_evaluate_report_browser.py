"""The report in a real browser: nothing runs over, nothing is asked for, every word can be read, light and dark."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_evaluate_report import a_report

from snowroll.evaluate.report import render

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb"]  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")]

# smallest contrast of any text with the ground it stands on (WCAG 2.2, 1.4.3), worst first
CONTRAST = """() => {
  const dot = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = c => { dot.clearRect(0, 0, 1, 1); dot.fillStyle = c; dot.fillRect(0, 0, 1, 1);
                     return [...dot.getImageData(0, 0, 1, 1).data]; };
  const part = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
  const ground = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode, holder = text.parentElement, svg = holder.closest('svg');
    if (!text.textContent.trim()) continue;
    const a = light(rgb(getComputedStyle(holder)[svg ? 'fill' : 'color'])), b = light(ground(svg || holder));
    found.push([(Math.max(a, b) + .05) / (Math.min(a, b) + .05), holder.outerHTML.slice(0, 90)]);
  }
  return found.sort((x, y) => x[0] - y[0])[0];
}"""
# SVG labels that lie on each other
OVERLAPS = """() => [...document.querySelectorAll('svg.plot')].flatMap(svg => {
  const boxes = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]);
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) => p.left < q.right - 1 && q.left < p.right - 1
    && p.top < q.bottom - 3 && q.top < p.bottom - 3).map(([b]) => a + ' on ' + b)); })"""


@contextlib.contextmanager
def _page(html: str, folder: Path, **context: Any) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    with playwright.sync_playwright() as driver, tempfile.TemporaryDirectory() as profile:
        browser = driver.chromium.launch_persistent_context(
            profile, executable_path=CHROMIUM, headless=True, args=FLAGS, **context
        )
        page = browser.new_page()
        page.set_default_timeout(20_000)
        page.asked, page.said = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.said.append(message.text))
        page.goto(path.as_uri())
        try:
            yield page
        finally:
            browser.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_word_can_be_read_and_nothing_is_asked_for(theme, tmp_path):
    with _page(render(*a_report()), tmp_path, color_scheme=theme) as page:
        contrast, where = page.evaluate(CONTRAST)
        assert contrast >= 4.5, where
        assert [url for url in page.asked if not url.startswith(("file:", "data:"))] == []
        assert page.said == []


@pytest.mark.parametrize("width", [390, 1024, 1440])
def test_nothing_runs_past_the_window_and_no_labels_collide(width, tmp_path):
    names = ("a very long class name with no end in sight", "Unterlegscheibe" * 4, "nut")
    with _page(render(*a_report(classes=names)), tmp_path, viewport={"width": width, "height": 900}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERLAPS) == []


def test_a_cell_leads_to_its_pictures_without_script(tmp_path):
    with _page(render(*a_report()), tmp_path, java_script_enabled=False) as page:
        page.locator(".matrix td.wrong a").first.click()
        assert "#shots-" in page.url
        page.locator("li:target img").wait_for(state="visible")
