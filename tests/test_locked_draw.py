"""What models are judged on is a uniform draw: asked questions stay, and mining never takes from its fifth."""

from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from catalog_kit import add_label
from house_kit import CLASSES, QUICK, draw_shapes, png, refused, shape, snowroll

from snowroll.base.nouns import Record
from snowroll.project.mining import NEVER_MINED, ask_test, mine, place_of_draw, samples_of
from snowroll.project.opened import Opened, open_project
from snowroll.store.rows import FOR_TEST, Label, Queued
from snowroll.web.label import fill

pytestmark = pytest.mark.slow


def ignore(text: str) -> None: ...


@pytest.fixture
def factory(tmp_path: Path) -> Opened:
    """45 labelled pictures, and 120 inputs from production that a model was more or less sure of."""
    draw_shapes(tmp_path / "shapes" / "data", each=15)
    assert snowroll("init", tmp_path / "shapes").code == 0
    opened = open_project(tmp_path / "shapes", {})
    doubts = np.random.default_rng(0).uniform(size=120)
    for number, doubt in enumerate(doubts):
        raw = png(shape(CLASSES[number % 3], 5_000 + number))
        record = Record(f"r{number}", "m", float(number), sha256(raw).hexdigest(), CLASSES[0], 1 - doubt, doubt)
        opened.store.capture([(record, raw)])
    return opened


def waiting(opened: Opened) -> dict[str, str]:
    """Sample -> why, of what nobody has answered yet."""
    return {item.sample: item.why for item in opened.store.catalog.next_queued(1_000, "ada")}


def answer(opened: Opened, samples: list[str], *, for_test: bool) -> None:
    for name in samples:
        label = Label(f"answer-{name}", name, CLASSES[0], "ada", 0.0, for_test=for_test)
        add_label(opened.store.catalog, label)


def test_the_first_questions_for_the_test_outlast_mining(tmp_path: Path) -> None:
    root = tmp_path / "parts"
    draw_shapes(root / "data", each=40, classes=["bar"])
    draw_shapes(tmp_path / "more", each=40, classes=["ring"])
    for name in ("bar", "ring"):
        folder = (root / "data" if name == "bar" else tmp_path / "more") / name
        for path in folder.iterdir():
            path.rename(root / "data" / f"{name}-{path.name}")
        folder.rmdir()
    assert snowroll("init", root, "--labels", "bar,ring").code == 0
    opened = open_project(root, {})
    fill(opened, 0, 0, ignore)
    asked = sorted(opened.store.catalog.asked_for_test())
    assert len(asked) == 60
    answer(opened, asked[:20], for_test=True)
    fill(opened, 30, 0, ignore)
    assert opened.store.catalog.asked_for_test() == {*asked[20:]}
    mined = {sample for sample, why in waiting(opened).items() if why != FOR_TEST}
    assert mined
    assert not mined & {*asked}


def test_labels_for_the_test_alone_are_told_to_leave_nothing_to_learn_from(tmp_path: Path) -> None:
    root, kinds = tmp_path / "unlabelled", {}
    (root / "data").mkdir(parents=True)
    for number in range(60):
        kinds[f"{number}.png"] = CLASSES[number % 3]
        (root / "data" / f"{number}.png").write_bytes(png(shape(CLASSES[number % 3], number)))
    assert snowroll("init", root, "--labels", ",".join(CLASSES)).code == 0
    none = "no labelled samples; each class needs 5 labelled samples: 5 more of 'bar', 5 more of 'cross', 5 more of"
    refused(snowroll("train", root, *QUICK), none, code=1)
    opened = open_project(root, {})
    fill(opened, 0, 0, ignore)
    asked = opened.store.catalog.asked_for_test()
    answered = {sample.id: kinds[sample.where] for sample in opened.samples(asked).values()}
    for name, kind in list(answered.items())[:30]:
        add_label(opened.store.catalog, Label(f"answer-{name}", name, kind, "ada", 0.0, for_test=True))
    told = "each class needs 5 labelled samples, 2 of them not for the locked test set: 2 more of 'bar', 2 more of"
    refused(snowroll("train", root, *QUICK), told, "snowroll label --k 30", code=1)


def test_a_half_answered_test_outlasts_a_roll_and_is_filled_up(factory: Opened) -> None:
    assert ask_test(factory, 12, ignore) == 12
    asked = sorted(factory.store.catalog.asked_for_test())
    answer(factory, asked[:4], for_test=True)
    mined = mine(factory, 120, ignore)
    left = waiting(factory)
    assert {name for name, why in left.items() if why == FOR_TEST} >= {*asked[4:]}
    assert all(left[name] == FOR_TEST for name in asked[4:])
    assert mined.learn == len([why for why in left.values() if why != FOR_TEST]) > 60
    assert ask_test(factory, 12, ignore) == 12, "so many wait: those that waited already count"


def test_mining_everything_leaves_the_test_a_uniform_draw(factory: Opened) -> None:
    everything = [sample.id for sample in samples_of(factory, factory.store.catalog.records())]
    mine(factory, 120, ignore)
    answer(factory, [name for name, why in waiting(factory).items() if why != FOR_TEST], for_test=False)
    told: list[str] = []
    n = ask_test(factory, 60, told.append)
    asked = factory.store.catalog.asked_for_test()
    # whatever the model doubted and whoever was asked before: those of the smallest hashes, of all of production
    assert asked == {name for name in everything if place_of_draw(name) < NEVER_MINED}
    assert n == len(asked) < 60
    assert told[-1].startswith(f"{n} of the 60 test questions asked for: ")


def test_test_questions_are_drawn_in_one_order_however_often_they_are_asked(factory: Opened) -> None:
    everything = sorted((s.id for s in samples_of(factory, factory.store.catalog.records())), key=place_of_draw)
    for n in (3, 5, 9):
        ask_test(factory, n, ignore)
        assert factory.store.catalog.asked_for_test() == {*everything[:n]}


def test_asking_for_the_test_drops_no_question_and_mining_tells_of_those_it_drops(factory: Opened) -> None:
    told: list[str] = []
    mine(factory, 10, told.append)
    asked = waiting(factory)
    ask_test(factory, 12, told.append)
    assert waiting(factory).keys() >= asked.keys()
    assert not [line for line in told if "withdrawn" in line]
    mine(factory, 3, told.append)
    gone = asked.keys() - waiting(factory).keys()
    assert len(gone) >= 7
    assert told[-1] == f"withdrawn for what is most worthwhile now: {len(gone)} unanswered questions that waited"


def test_what_waits_and_is_drawn_for_the_test_is_asked_for_the_test(tmp_path: Path) -> None:
    draw_shapes(tmp_path / "shapes" / "data", each=20, classes=["bar"])
    for path in (tmp_path / "shapes" / "data" / "bar").iterdir():
        path.rename(tmp_path / "shapes" / "data" / path.name)
    (tmp_path / "shapes" / "data" / "bar").rmdir()
    assert snowroll("init", tmp_path / "shapes", "--labels", "bar,ring").code == 0
    opened = open_project(tmp_path / "shapes", {})
    opened.store.catalog.ask([Queued(name, "a person asks", 0.0) for name in opened.store.catalog.samples()])
    ask_test(opened, 8, ignore)
    assert len(opened.store.catalog.asked_for_test()) == 8
    assert len(waiting(opened)) == 20


def test_a_test_question_whose_file_is_gone_is_not_asked_for_ever(factory: Opened) -> None:
    catalog = factory.store.catalog
    name = next(iter(catalog.samples()))
    catalog.fill_queue([Queued(name, FOR_TEST, 0.0)])
    catalog.fill_queue([])
    assert catalog.asked_for_test() == {name}
    catalog.retire_samples([name], "removed")
    assert not waiting(factory)
    assert not catalog.left_in_queue()


def test_who_looks_in_while_a_turn_waits_adds_nothing_to_what_it_waits_for(factory: Opened) -> None:
    catalog = factory.store.catalog
    mine(factory, 10, ignore)
    catalog.save_roll(1, "label", {"since": 0.0})
    answer(factory, [*waiting(factory)], for_test=False)
    fill(factory, 0, 0, ignore)
    assert catalog.left_in_queue() == 0, "else it would wait for more each time that somebody looks in"
    catalog.save_roll(1, "done", {"since": 0.0})
    fill(factory, 0, 0, ignore)
    assert catalog.left_in_queue() > 0
