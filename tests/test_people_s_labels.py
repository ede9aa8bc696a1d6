"""What people said stays with what they said it of: files that moved, classes that have another name."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from catalog_kit import add_label
from house_kit import CLASSES, QUICK, draw_shapes, png, shape, snowroll

from snowroll.project.opened import Opened, open_project
from snowroll.project.stock import Stock, take_stock
from snowroll.store.rows import Label
from snowroll.web.asking import schema_of

pytestmark = pytest.mark.slow


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """Class folders of 10, and 4 files that no folder names."""
    data = draw_shapes(tmp_path / "shapes" / "data", each=10)
    (data / "unsorted").mkdir()
    for number in range(4):
        (data / "unsorted" / f"{number}.png").write_bytes(png(shape("ring", 7_000 + number)))
    listed(data, CLASSES)
    assert snowroll("init", tmp_path / "shapes").code == 0
    return open_project(tmp_path / "shapes", {})


def listed(data: Path, classes: Iterable[str], unsorted: str = "unsorted") -> None:
    """labels.csv anew: each file by its folder's last name, and those that no class is known of."""
    named = [(path, path.parent.name) for name in classes for path in sorted((data / name).iterdir())]
    named += [(path, "") for path in sorted((data / unsorted).iterdir())]
    rows = [f"{path.relative_to(data)},{label}\n" for path, label in named]
    (data / "labels.csv").write_text("path,label\n" + "".join(rows))


def stock(opened: Opened, told: list[str] | None = None) -> Stock:
    again = open_project(opened.root, {})
    return take_stock(again, (told if told is not None else []).append)


def said(opened: Opened, where: str, target: str | None) -> None:
    sample = next(s for s in stock(opened).samples if s.where == where)
    add_label(opened.store.catalog, Label(f"an-answer-{sample.id}", sample.id, target, "ada", 0.0))


def target_of(found: Stock, where: str) -> object:
    return next(found.targets.get(s.id) for s in found.samples if s.where == where)


def test_an_answer_goes_with_a_file_that_moves(opened: Opened) -> None:
    said(opened, "unsorted/0.png", "ring")
    said(opened, "bar/00.png", "cross")  # the folder is wrong
    data = opened.root / "data"
    (data / "unsorted").rename(data / "inbox")
    (data / "old").mkdir()
    (data / "bar").rename(data / "old" / "bar")
    listed(data, ("old/bar", "cross", "ring"), "inbox")
    found = stock(opened)
    assert target_of(found, "inbox/0.png") == "ring"
    assert target_of(found, "inbox/1.png") is None
    assert target_of(found, "old/bar/00.png") == "cross"
    assert target_of(found, "old/bar/01.png") == "bar"


def test_a_folder_that_says_something_else_by_now_has_the_last_word(opened: Opened) -> None:
    said(opened, "bar/00.png", "cross")
    data = opened.root / "data"
    (data / "bar" / "00.png").rename(data / "ring" / "new.png")
    listed(data, CLASSES)
    assert target_of(stock(opened), "ring/new.png") == "ring"


def test_what_was_said_of_files_that_are_gone_makes_no_class(opened: Opened) -> None:
    said(opened, "unsorted/0.png", "star")
    assert "star" in stock(opened).schema["classes"]
    (opened.root / "data" / "unsorted" / "0.png").unlink()
    listed(opened.root / "data", CLASSES)
    assert "star" not in stock(opened).schema["classes"]
    assert "star" not in schema_of(open_project(opened.root, {}))["classes"]


def test_an_answer_takes_the_new_name_of_its_class(opened: Opened) -> None:
    said(opened, "unsorted/0.png", "bar")
    data, told = opened.root / "data", list[str]()
    (data / "bar").rename(data / "beam")
    listed(data, ("beam", "cross", "ring"))
    found = stock(opened, told)
    assert target_of(found, "unsorted/0.png") == "beam"
    assert set(found.schema["classes"]) == {"beam", "cross", "ring"}
    assert any("people said 'bar' of some, which the folder calls 'beam' by now" in line for line in told)
    assert set(schema_of(open_project(opened.root, {}))["classes"]) == {"beam", "cross", "ring"}
    kept = open_project(opened.root, {"prepare.labels": ["bar"]})  # the user says that it is still a class
    assert target_of(take_stock(kept, told.append), "unsorted/0.png") == "bar"


@pytest.mark.parametrize("names", [["bar", "beam"], ["beam", "rod"]], ids=["one stays", "two new names"])
def test_a_class_that_was_divided_has_no_new_name(opened: Opened, names: list[str]) -> None:
    said(opened, "unsorted/0.png", "bar")
    data = opened.root / "data"
    for number, path in enumerate(sorted((data / "bar").iterdir())):
        there = data / names[min(number, 1)] / path.name
        there.parent.mkdir(exist_ok=True)
        path.rename(there)
    listed(data, (*names, "cross", "ring"))
    assert target_of(stock(opened), "unsorted/0.png") == "bar"


def test_who_was_not_sure_labelled_nothing(opened: Opened) -> None:
    before = snowroll("status", opened.root, "--json").json["labelled"]
    said(opened, "unsorted/0.png", None)
    assert snowroll("status", opened.root, "--json").json["labelled"] == before


def test_a_class_that_is_added_must_not_take_the_others_away(project: Path) -> None:
    classes = snowroll("status", project, "--json").json["labelled"]
    added = snowroll("train", project, *QUICK, "--prepare.labels", "star", "--json")
    assert added.code == 1
    assert (
        added.json["error"] == "labels does not name bar, cross, ring: the files of 3 classes would lose their labels"
    )
    assert added.json["cure"] == 'name all classes, old and new: labels = ["bar", "cross", "ring", "star"]'
    assert snowroll("status", project, "--json").json["labelled"] == classes
    every = open_project(project, {"prepare.labels": ["bar", "cross", "ring", "star"]})
    assert len(take_stock(every, [].append).targets) == classes
    assert schema_of(every)["classes"] == ["bar", "cross", "ring", "star"]
