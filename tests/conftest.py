"""Fixtures that the house-level tests share: one small project, trained once a session, copied for each test."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from house_kit import QUICK, draw_shapes, snowroll
from hypothesis import settings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line does, before anything loads torch
settings.register_profile("untimed", deadline=None)  # a busy machine breaks no property
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project over 90 drawn shapes with one finished run. To be read only; `project` is a copy to change."""
    root = tmp_path_factory.mktemp("home") / "shapes"
    draw_shapes(root / "data")
    for command in (("init", root), ("train", root, *QUICK)):
        said = snowroll(*command)
        assert said.code == 0, said.out + said.err
    return root


@pytest.fixture
def project(home: Path, tmp_path: Path) -> Path:
    """A copy of `home`."""
    return Path(shutil.copytree(home, tmp_path / "shapes"))


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """A project of 45 pictures on which nothing was trained."""
    root = tmp_path / "fresh"
    draw_shapes(root / "data", each=15)
    assert snowroll("init", root).code == 0
    return root


@pytest.fixture
def mount_disk() -> Iterator[Callable[[int], Path]]:
    """Mounts an empty disk of so many megabytes. Only root can; elsewhere the test is skipped.

    Not under `tmp_path`: what a killed test run leaves mounted must not be in pytest's way when it tidies up.
    """
    with ExitStack() as mounted:

        def mount(megabytes: int) -> Path:
            folder = Path(tempfile.mkdtemp(prefix="snowroll-disk-"))
            mounted.callback(folder.rmdir)
            command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"needs root to mount a small disk: {done.stderr.strip()}")
            mounted.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)
            return folder

        yield mount


@pytest.fixture
def one_thread() -> Iterator[None]:
    """torch computes on one thread, so that bits are the same however many cores there are."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes go by their argument's name: packed ones hold the time, and every worker must collect the same ids."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever needs the trained project is slow: the first of them has to train it."""
    for item in items:
        if "home" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
