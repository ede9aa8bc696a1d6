"""The demo keeps to a folder of its own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from house_kit import snowroll, tree

from snowroll import demo
from snowroll.base.errors import StoreError
from snowroll.demo import MARK, _make_room, _watched


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


def test_whatever_reaches_outside_is_refused_and_counted() -> None:
    """Addresses that nobody has; nothing is sent."""
    with _watched() as tried:
        with socket.socket() as one, pytest.raises(StoreError, match=r"192\.0\.2\.1"):
            one.connect(("192.0.2.1", 80))
        with socket.socket(type=socket.SOCK_DGRAM) as two, pytest.raises(StoreError):
            two.sendto(b"hello", ("192.0.2.2", 53))
        with pytest.raises(StoreError):
            socket.getaddrinfo("example.invalid", 80)
        with socket.socket() as here, pytest.raises(ConnectionRefusedError):
            here.connect(("127.0.0.1", 9))
    assert tried == ["192.0.2.1", "192.0.2.2", "example.invalid"]
    with pytest.raises(OSError):
        socket.getaddrinfo("example.invalid", 80)  # afterwards it watches no more
    assert len(tried) == 3


@pytest.mark.slow
def test_the_whole_of_it_is_one_json_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a smaller network and fewer steps than the real one: what is told is tested, not how well it learns."""
    small = {"train.steps": 120, "train.threads": 1, "task.model": "convnet", "task.size_px": 16}
    monkeypatch.setattr(demo, "STEPS", small)
    told = snowroll("demo", tmp_path / "demo", "--json").json
    assert told.keys() >= {"found", "check", "train", "roll", "retrain", "seconds"}
    assert told["reached_outside"] == []
    assert told["failed_requests"] == 0
