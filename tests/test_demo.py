"""The demo keeps to a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from house_kit import snowroll, tree

from snowroll.demo import MARK, _make_room


def test_a_project_is_never_taken_for_an_earlier_demo(untrained: Path) -> None:
    before = tree(untrained)
    said = snowroll("demo", untrained, "--json")
    assert (said.code, said.json["where"]) == (1, str(untrained))
    assert "a folder of its own" in said.json["cure"]
    assert tree(untrained) == before


@pytest.mark.parametrize("way", ["file", "link"])
def test_what_is_no_folder_is_refused_in_one_line(way: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / MARK).write_text("")
    place = tmp_path / "demo"
    place.write_text("mine") if way == "file" else place.symlink_to(tmp_path / "data")
    said = snowroll("demo", place)
    assert said.code == 1
    assert len(said.err.splitlines()) == 1
    assert (tmp_path / "data" / MARK).exists()


def test_an_earlier_demo_is_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        _make_room(tmp_path / "demo")
        assert [path.name for path in (tmp_path / "demo").iterdir()] == [MARK]
        (tmp_path / "demo" / "snowroll.toml").write_text("half a demo")
