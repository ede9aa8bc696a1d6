"""The report says the verdict first, holds every number, keeps to itself, and lets no stranger's text become markup."""

import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from snowroll.base.errors import DataError
from snowroll.base.nouns import Fault, Gate, Item, Metric, Report
from snowroll.base.task import find_task
from snowroll.evaluate.background import Background, Curve, Ledger, Passage, Shot, details_in_order
from snowroll.evaluate.calibration import fit_temperature, reliability
from snowroll.evaluate.card import COLUMNS, card, results_row
from snowroll.evaluate.compare import promotion_test
from snowroll.evaluate.interval import bootstrap, interval_in_words
from snowroll.evaluate.metrics import class_recall, confusion, per_class, scorer, trials_behind_means
from snowroll.evaluate.opening import opening
from snowroll.evaluate.plots import curve, matrix, thin, ticks
from snowroll.evaluate.report import render, thumbnail
from snowroll.evaluate.slices import find_slices
from snowroll.evaluate.splits import BesideRandom, CrossValidated
from snowroll.prepare.mask_targets import as_target
from snowroll.project.reporting import _ledger

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'


def a_report(classes=("bolt", "nut", "washer"), n=240, gates_pass=True, verdict=True, shots=6, seed=0):
    """A whole report about answers made up by a seed: (Report, Background)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, len(classes), n)
    logits = 2.5 * np.eye(len(classes))[truth] + rng.normal(size=(n, len(classes)))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    guess = probabilities.argmax(1)
    credit = (guess == truth).astype(float)
    columns = {"brightness": rng.random(n), "line": rng.choice(["a", classes[0]], n)}
    report = Report(
        "0003-train",
        "ab12" * 4,
        "accuracy",
        bootstrap(scorer(probabilities, truth), n, draws=200, trials=trials_behind_means(truth)),
        tuple(asdict(one) for one in find_slices(columns, credit)),
        (Gate("loss at init", "knows nothing", "1.12", "1.10 ± 0.2", gates_pass),),
        (Fault("unreadable", "warn", (f"{classes[0]}/Müller_Anna.jpg",), "the file ends early", "copy it again"),),
        {"seconds": 12.5, "peak_mb": 300.0, "parameters": 94_026},
    )
    old = np.where(rng.random(n) < 0.85, credit, 0)
    background = Background(
        title=f"{classes[0]}, run 3",
        measured_on=f"{n} images of the locked test set",
        made={"made": "2026-01-02 03:04 UTC", "by": "anna"},
        floor=float(np.bincount(truth).max() / n),
        intervals=interval_in_words(n, n),
        verdict=promotion_test(old, credit, strata=[classes[c] for c in truth]) if verdict else None,
        crossed=CrossValidated("accuracy", Metric(0.8, 0.7, 0.9, 400), (Metric(0.75, 0.6, 0.9, 200), None)),
        beside=BesideRandom("accuracy", Metric(0.7, 0.6, 0.8, n), Metric(0.95, 0.9, 0.98, n)),
        ledger=Ledger(n + 1, {name: {"train": 7, "test": 3} for name in classes}, {"the file ends early": 1}),
        curves=[Curve("Loss", {"training": [(k, 1 / (k + 1)) for k in range(900)]}, "nats", log=True)],
        classes=classes,
        confusion=confusion(truth, guess, len(classes)).tolist(),
        per_class=per_class(confusion(truth, guess, len(classes)), classes),
        recall=class_recall(truth, guess, classes),
        bins=reliability(probabilities.max(1), credit),
        temperature=fit_temperature(logits, truth),
        shots=[_shot(rng, classes, k) for k in range(shots)],
        plan=[("train.lr", 0.1, "rule: for SGD"), ("task.model", classes[0], "flag")],
        reproduce=["snowroll train parts"],
    )
    return report, background


def test_classes_that_are_numbers_are_told_by_their_value() -> None:
    """Whatever numbers the model gives them: its own order is that of the words."""
    names = sorted(map(str, range(12)))
    truth, guess = np.arange(12).repeat(9), np.arange(12).repeat(9)
    guess[:3] = 2  # three of "0" taken for "10"
    table = confusion(truth, guess, 12)
    told = details_in_order({"classes": names, "confusion": table.tolist(), "per_class": per_class(table, names)})
    assert told["classes"] == list(map(str, range(12)))
    assert [row["class"] for row in told["per_class"]] == told["classes"]
    assert (told["confusion"][0][0], told["confusion"][0][10]) == (6, 3)
    assert np.trace(told["confusion"]) == np.trace(table)
    words = {"classes": ["a", "nothing", "b"], "confusion": np.arange(9).reshape(3, 3).tolist(), "per_class": []}
    assert details_in_order(words) == words
    assert details_in_order({"words": {}}) == {"words": {}}


def _shot(rng, classes, number: int, px: int = 24) -> Shot:
    pixels = rng.integers(0, 255, (px, px, 3), dtype=np.uint8)
    image = thumbnail(Image.fromarray(pixels), px)
    where = f"{classes[0]}/Müller_Anna_{number}.jpg"
    return Shot(image, f"s{number}", classes[0], classes[1], 0.9, where, cell=(classes[0], classes[1]))


class Page(HTMLParser):
    """Tags, attributes and visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if not self._in_style:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def test_the_first_sentence_is_the_verdict_with_interval_n_and_ground():
    report, background = a_report()
    found = opening(report, background)
    assert found.word == "PROMOTED"
    assert "95 % interval" in found.sentence
    assert "n = 240" in found.sentence
    assert "240 images of the locked test set" in found.sentence
    text = Page(render(report, background)).text
    assert text.index(found.sentence) < text.index("May it replace the champion?")


def test_a_failed_gate_outweighs_a_promotion():
    found = opening(*a_report(gates_pass=False))
    assert (found.word, found.mood) == ("GATE FAILED", "bad")
    assert "loss at init" in found.sentence


def test_a_score_that_a_guess_reaches_says_so():
    report = Report("r", "v", "accuracy", {"accuracy": Metric(0.52, 0.45, 0.59, 200)})
    background = Background("t", "200 images", {}, floor=0.5)
    assert opening(report, background).word == "NO BETTER THAN A GUESS"
    counted = Background("t", "200 images", {}, floor=0.5, floor_of="counting alone (Kneser-Ney, order 5)")
    assert opening(report, counted).word == "NO BETTER THAN COUNTING ALONE"
    assert opening(report, Background("t", "200 images", {}, floor=0.3)).word == "MEASURED"
    assert "no better" not in Page(render(report, background)).text  # and empty sections are left out
    assert 'id="gates"' not in render(report, background)


def test_every_number_of_the_report_is_on_the_page():
    report, background = a_report()
    text = Page(render(report, background)).text
    for name, metric in report.metrics.items():
        shown = f"{metric.value:.3f}" if name in ("nll", "brier") else f"{100 * metric.value:.1f} %"
        assert shown in text
    for words in ("1.10 ± 0.2", "the file ends early", "rule: for SGD", "snowroll train parts", "94,026", "ab12ab12"):
        assert words in text
    assert all(name in text for name in background.classes)


def test_faults_name_samples_of_production_as_people_read_it():
    report, background = a_report()
    blob = f"blob:{'0474811b' * 8}"
    fault = Fault("suspect_labels", "warn", (blob, "bolt/1.png"), f"2 labels are probably wrong: {blob}", "look")
    text = Page(render(replace(report, faults=(fault,)), background)).text
    assert text.count("production, 0474811b") == 2
    assert "blob:" not in text


def test_it_asks_for_nothing_and_holds_no_script():
    html = render(*a_report())
    page = Page(html)
    assert not {"script", "link", "iframe", "object", "embed", "form"} & {tag for tag, _ in page.tags}
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:image/"))
    assert "url(" not in html
    assert "@import" not in html
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


@pytest.mark.parametrize("pictures", [True, False])
def test_hostile_names_stay_text(pictures):
    report, background = a_report(classes=(HOSTILE, "nut", "{{ 7 * 7 }}"))
    html = render(report, background, pictures=pictures)
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [a for _, a in page.tags if "onerror" in a]
    assert HOSTILE in page.text
    assert "{{ 7 * 7 }}" in page.text


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30))
@settings(max_examples=25)
def test_any_two_names_make_the_same_page_structure(first, second):
    plain = [tag for tag, _ in Page(str(matrix([[3, 1], [0, 2]], ["a", "b"], lambda *_: "#x"))).tags]
    assert [
        tag for tag, _ in Page(str(matrix([[3, 1], [0, 2]], [first, second], lambda *_: f"#{first}"))).tags
    ] == plain


def test_without_pictures_no_picture_and_no_file_name_leaves_the_house():
    report, background = a_report()
    assert "Müller_Anna" in render(report, background)
    html = render(report, background, pictures=False)
    assert "data:image" not in html
    assert "Müller_Anna" not in html


@pytest.mark.slow
def test_the_budget_holds_and_what_was_left_out_is_counted():
    rng = np.random.default_rng(1)
    report, background = a_report(shots=0)
    shots = [_shot(rng, background.classes, number, px=160) for number in range(120)]
    background = Background(**{name: getattr(background, name) for name in background.__slots__} | {"shots": shots})
    html = render(report, background, budget=300_000)
    assert len(html.encode()) <= 300_000
    shown = html.count('src="data:image/')
    assert 0 < shown < 120
    assert f"{120 - shown} more were left out" in Page(html).text


def test_matrix_cells_lead_to_their_pictures_and_nowhere_else():
    page = Page(render(*a_report()))
    anchors = {a["id"] for _, a in page.tags if a.get("id")}
    links = [a["href"] for t, a in page.tags if t == "a"]
    assert [link for link in links if link.startswith("#shots-")]
    assert {link[1:] for link in links} <= anchors
    assert [tag for tag, _ in page.tags].count("main") == 1
    assert [tag for tag, _ in page.tags].count("h1") == 1


def test_many_classes_get_a_list_instead_of_a_matrix():
    classes = tuple(f"kind {k}" for k in range(40))
    html = render(*a_report(classes=classes, n=600, verdict=False))
    assert 'class="matrix"' not in html
    assert "40 classes are too many for a matrix" in Page(html).text


def test_thinning_keeps_the_spike_and_the_ends():
    points = [(float(k), 0.0) for k in range(10_000)]
    points[7_777] = (7_777.0, 9.0)
    thinned = thin(points)
    assert len(thinned) <= 650
    assert (7_777.0, 9.0) in thinned
    assert (thinned[0][0], thinned[-1][0]) == (0.0, 9_999.0)
    assert thinned == sorted(thinned)


def test_a_lone_point_lies_on_its_own_place():
    alone = re.search(
        r'cx="([0-9.]+)" cy="([0-9.]+)"', str(curve("Loss", {"a": [(0, 1.0), (10, 3.0)], "b": [(10, 1.0)]}))
    )
    both = re.search(r'd="M([0-9.]+) ([0-9.]+)L([0-9.]+) ', str(curve("Loss", {"a": [(0, 1.0), (10, 3.0)]})))
    assert alone is not None
    assert both is not None
    assert alone.groups() == (both[3], both[2])  # as far right as the end, as low as the beginning


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), max_size=20), st.booleans())
def test_any_log_can_be_drawn(values, log):
    drawn = str(curve("Loss", {"training": list(enumerate(values))}, log=log))
    assert "nan" not in drawn.lower()
    assert "inf" not in drawn.lower().replace("finite", "")


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_lie_inside_and_are_few(low, width):
    marks = ticks(low, low + width)
    assert len(marks) <= 12
    assert all(low - 1e-6 * width - 1e-9 <= mark <= low + width * (1 + 1e-6) + 1e-9 for mark in marks)


def test_a_thumbnail_is_small_and_a_stranger_s_bytes_are_refused():
    small = thumbnail(Image.new("L", (8, 5), 200))
    assert Image.open(BytesIO(small)).size == (160, 100)
    report, background = a_report(shots=0)
    shot = Shot(b"<svg onload=alert(1)>", "s", "bolt", "nut")
    with pytest.raises(DataError, match="PNG, JPEG or WebP"):
        render(report, Background(**{n: getattr(background, n) for n in background.__slots__} | {"shots": [shot]}))


def test_a_row_of_results_has_every_column_whatever_the_words():
    report, _ = a_report()
    row = results_row(report, at="2026-01-02T03:04:05Z", verdict="PROMOTED", changed="lr\t0.1 to 0.2\nand more")
    cells = dict(zip(COLUMNS, row.split("\t"), strict=True))
    assert cells["metric"] == "accuracy"
    assert float(cells["value"]) == pytest.approx(report.metric.value, abs=1e-4)
    assert cells["gates"] == "1/1"
    assert cells["changed"] == "lr 0.1 to 0.2 and more"


def test_the_card_has_front_matter_that_holds_and_names_the_weak_class():
    report, background = a_report(classes=(HOSTILE, "a: [b", "---"))
    text = card(report, background, name="parts\n---\nevil: 1", pipeline="image-classification", inputs="RGB pixels")
    _, front, body = text.split("\n---\n" if text.startswith("\n") else "---\n", 2)
    assert [line.partition(":")[0] for line in front.splitlines()] == ["library_name", "pipeline_tag", "model-index"]
    assert "<script>" not in body
    assert f"n = {report.metric.n}" in body
    assert "Class found least often" in body


def test_a_cell_leads_to_pictures_that_are_told_in_other_words():
    report, background = a_report()
    told = [replace(shot, truth=f"{shot.truth} (in full)") for shot in background.shots]
    html = render(report, replace(background, shots=told))
    assert 'href="#shots-' in html
    assert "underlined cells of the matrix lead here" in html
    # where no cell can lead to a picture, nothing says that it does
    html = render(report, replace(background, shots=[replace(shot, cell=("", "")) for shot in told]))
    assert "lead here" not in html


def test_words_of_a_table_stand_at_the_left_and_figures_at_the_right():
    rows = [["0.1", "a man on a line", "–", 3, 0.5], ["0.2", "a dog", "+0.1 to +0.2", 1_200, 1.0]]
    passage = Passage("Worst", heads=("chrF", "source", "change", "of", "share"), rows=rows)
    html = render(a_report()[0], replace(a_report()[1], passages=[passage]))
    assert "<td>a man on a line</td>" in html
    for cell in ("–", "+0.1 to +0.2", "3", "1,200", "0.500"):
        assert f'<td class="n">{cell}</td>' in html


def test_an_empty_answer_is_told_and_a_path_breaks_after_its_folders():
    report, background = a_report()
    shot = replace(background.shots[0], guess="", where="a<b/c/1.jpg")
    html = render(report, replace(background, shots=[shot], legend="Red is wrong."))
    assert "said <b>(nothing)</b>" in html
    assert "a&lt;b/<wbr>c/<wbr>1.jpg" in html
    assert "Red is wrong." in html


def test_pictures_are_counted_for_every_class_that_they_show() -> None:
    """A stratum is the rarest class of a picture; that the others are in it, too, is what a reader asks."""
    masks = [np.full((4, 4), 0, np.uint8), np.eye(4, dtype=np.uint8), np.eye(4, dtype=np.uint8)]
    targets = [as_target(mask, ["ground", "nucleus"]) for mask in masks]
    items = [Item(str(n), target, "test" if n == 2 else "train") for n, target in enumerate(targets)]
    version = SimpleNamespace(items=items, left_out={})
    packed = SimpleNamespace(
        version=version, pack=SimpleNamespace(failed=[]), schema={"classes": ["ground", "nucleus"]}
    )
    found = _ledger(SimpleNamespace(task=find_task("segment_images")), packed)  # type: ignore[arg-type]
    assert found.shown == {"ground": {"train": 2, "test": 1}, "nucleus": {"train": 1, "test": 1}}
    assert (found.total("train"), found.total("test")) == (2, 1)
    report, background = a_report()
    page = render(report, replace(background, ledger=found))
    assert "Each image counts for every class that it shows." in page
    assert re.search(r'<th scope="row">ground</th><td class="n">2</td><td class="n">1</td>', page)


def test_columns_of_classes_may_be_words_and_say_how_they_are_reckoned() -> None:
    report, background = a_report()
    rows = [{**row, "HD95 mm": 0.5, "measured in": "1 of 10"} for row in background.per_class]
    page = render(report, replace(background, per_class=rows, class_words="Where it was missed, none is defined."))
    assert "<p>Where it was missed, none is defined.</p>" in page
    assert '<td class="n">0.500</td><td class="n">1 of 10</td>' in page
