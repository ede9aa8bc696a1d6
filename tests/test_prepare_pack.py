"""The pack gives back what was encoded, whatever happens to its files."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

import decode_jobs
import numpy as np
import pytest
from decode_jobs import Encoder, Options
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowroll.base.errors import StoreError
from snowroll.prepare.pack import Pack, Ragged

RAGGED = frozenset({"all", "pairs"})


class Shelf:
    """Bytes by name; counts how often they are asked for."""

    def __init__(self, items: dict[str, bytes]) -> None:
        self.items, self.asked = items, 0

    def stream(self, wheres: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        for where in sorted(wheres, reverse=True):  # storage order is not the order of the jobs
            self.asked += 1
            if where in self.items:
                yield where, self.items[where]


def make(path: Path, items: dict[str, bytes], add: int = 0, **options: object) -> tuple[Pack, Shelf]:
    shelf = Shelf(items)
    jobs = [(where, sha256(raw).hexdigest()) for where, raw in items.items()] + options.pop("more", [])  # type: ignore[operator]
    encode = (Encoder().columns, Options(add))
    pack = Pack.cached(path, jobs, stream=shelf.stream, encode=encode, ragged=RAGGED, workers=1, **options)  # type: ignore[arg-type]
    return pack, shelf


ITEMS = {f"{i}": bytes(range(i + 1)) for i in range(40)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of 40 good items, one bad one, one that kills its child, one of another shape, one that is absent."""
    path = tmp_path_factory.mktemp("packs") / "p"
    make(path, {**ITEMS, "b": b"bad", "c": b"crash", " last": b"odd"}, more=[("gone", "00")])
    return path


def test_rows_are_the_jobs_and_failures_have_reasons(made: Path) -> None:
    pack = Pack.open(made)
    assert len(pack) == 44
    assert pack.failed[40] == "a bad sample"
    assert "crashed (SIGABRT)" in pack.failed[41]
    assert "came out as uint8 [4] among uint8 [3]" in pack.failed[42]
    assert "cannot be read" in pack.failed[43]
    assert len(pack.failed) == 4
    for row, raw in enumerate(ITEMS.values()):
        assert pack.columns["first"][row].tolist() == np.resize(list(raw), 3).tolist()
        assert pack.columns["all"][row].tolist() == list(raw)
        assert pack.columns["pairs"][row].shape == (len(raw), 2)
    assert (pack.columns["first"][40:] == 0).all()
    assert len(pack.columns["all"][41]) == 0


def test_few_packs_are_kept_those_that_were_used_last(tmp_path: Path) -> None:
    items = {"1": b"abc"}
    (tmp_path / "looks").mkdir()  # what is no pack is left alone
    for number in range(4):
        make(tmp_path / f"p{number}", items, number)
        os.utime(tmp_path / f"p{number}" / "meta.json", (number + 1, number + 1))
    _, shelf = make(tmp_path / "p0", items, 0)  # used again
    assert not shelf.asked
    opened = Pack.open(tmp_path / "p1")
    (tmp_path / "half").mkdir()  # its maker was killed
    (tmp_path / "half.lock").touch()
    (tmp_path / "busy").mkdir()
    with open(tmp_path / "busy.lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # its maker is at it
        make(tmp_path / "p4", items, 4)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"looks", "busy", "p0", "p2", "p3", "p4"}
    assert opened.columns["first"][0].tolist() == [98, 99, 100]


def test_a_file_that_changed_in_place_fails(tmp_path: Path) -> None:
    """It is another sample: packed as the old one, it would be judged by a target that is not its own."""
    told = ("swapped", sha256(b"as it was indexed").hexdigest())
    shelf = Shelf({"kept": b"abc", "swapped": b"as it is now"})
    jobs = [("kept", sha256(b"abc").hexdigest()), told]
    pack = Pack.cached(tmp_path / "p", jobs, stream=shelf.stream, encode=(Encoder().columns, Options()), ragged=RAGGED)
    assert pack.failed == {1: "the file has changed since it was indexed"}
    assert pack.columns["first"].tolist() == [[97, 98, 99], [0, 0, 0]]


def test_gather_is_indexing(made: Path) -> None:
    import torch

    pack = Pack.open(made)
    rows = np.array([7, 0, 39, 7, 41])
    got = pack.gather(rows, "cpu")
    assert isinstance(got["first"], torch.Tensor)
    assert (got["first"].numpy() == pack.columns["first"][rows]).all()
    assert isinstance(got["all"], Ragged)
    assert [got["all"][i].tolist() for i in range(5)] == [pack.columns["all"][row].tolist() for row in rows]
    assert got["pairs"].values.dtype == torch.float32
    got["first"].fill_(9)  # a copy: the file and other batches do not change
    assert (pack.gather(torch.from_numpy(rows))["first"].numpy() == pack.columns["first"][rows]).all()
    assert len(pack.gather(np.array([], dtype=np.int64))["all"]) == 0


def test_a_second_call_decodes_nothing_and_a_read_only_folder_serves(made: Path, tmp_path: Path) -> None:
    path = tmp_path / "p"
    _, first = make(path, ITEMS)
    _, second = make(path, ITEMS)
    assert (first.asked, second.asked) == (40, 0)
    path.with_name("p.lock").unlink()
    make(path, ITEMS)
    assert not path.with_name("p.lock").exists()


DAMAGES = {
    "no meta": lambda path: (path / "meta.json").unlink(),
    "half a meta": lambda path: (path / "meta.json").write_text("{"),
    "other meta": lambda path: (path / "meta.json").write_text("[]"),
    "column gone": lambda path: (path / "first.npy").unlink(),
    "column cut": lambda path: os.truncate(path / "all.values.npy", 150),
    "bit flipped": lambda path: flip(path / "first.npy"),
    "offsets flipped": lambda path: flip(path / "all.offsets.npy"),
}


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack_is_noticed(made: Path, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "p"
    shutil.copytree(made, path)
    Pack.open(path)
    DAMAGES[damage](path)
    with pytest.raises(StoreError, match="no whole pack"):
        Pack.open(path)


def test_a_damaged_or_foreign_pack_is_rebuilt(tmp_path: Path) -> None:
    said: list[str] = []
    make(tmp_path / "p", ITEMS)
    flip(tmp_path / "p/first.npy")
    pack, shelf = make(tmp_path / "p", ITEMS, say=said.append)
    assert shelf.asked == 40
    assert "first.npy is damaged" in said[0]
    assert pack.columns["first"][5].tolist() == [0, 1, 2]
    changed, _ = make(tmp_path / "p", {**ITEMS, "5": b"abc"})
    assert changed.columns["first"][5].tolist() == [97, 98, 99]


@pytest.mark.slow
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=12), st.integers(0, 9))
@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
def test_round_trip(tmp_path_factory: pytest.TempPathFactory, raws: list[bytes], add: int) -> None:
    items = {str(i): raw for i, raw in enumerate(raws) if raw not in (b"bad", b"odd", b"crash")}
    pack, _ = make(tmp_path_factory.mktemp("t") / "p", items, add)
    for row, raw in enumerate(items.values()):
        want = decode_jobs.columns(raw, Options(add)) if raw else None
        if row in pack.failed:
            assert want is None
            continue
        for name in ("all", "pairs") if want is None else want:
            have = pack.columns[name][row]
            assert have.tolist() == ([] if want is None else want[name].tolist())


def test_a_pack_of_nothing_and_of_failures(tmp_path: Path) -> None:
    empty, _ = make(tmp_path / "0", {})
    assert (len(empty), dict(empty.columns)) == (0, {})
    failed, _ = make(tmp_path / "1", {"b": b"bad"})
    assert (len(failed), dict(failed.columns), failed.failed) == (1, {}, {0: "a bad sample"})


@pytest.mark.slow
def test_a_build_that_is_killed_leaves_no_pack_and_the_next_one_finishes(tmp_path: Path) -> None:
    """SIGKILL while the columns are half written; no lock and no half pack stays behind."""
    code = f"""
        import sys, time
        from decode_jobs import Encoder, Options
        from hashlib import sha256
        from pathlib import Path
        from snowroll.prepare.pack import Pack
        items = {{str(i): bytes(range(i + 1)) for i in range(40)}}
        def stream(wheres):
            for n, where in enumerate(wheres):
                if n == 35:
                    print("half way", flush=True)
                    time.sleep(60)
                yield where, items[where]
        jobs = [(where, sha256(raw).hexdigest()) for where, raw in items.items()]
        Pack.cached(Path({str(tmp_path / "p")!r}), jobs, stream=stream, encode=(Encoder().columns, Options()),
                    ragged=frozenset({{"all", "pairs"}}), workers=1)
    """
    paths = os.pathsep.join(path for path in sys.path if path)
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
    )
    assert child.stdout
    assert child.stdout.readline() == b"half way\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with pytest.raises(StoreError):
        Pack.open(tmp_path / "p")
    pack, shelf = make(tmp_path / "p", ITEMS)
    assert shelf.asked == 40
    assert [pack.columns["all"][row].tolist() for row in range(40)] == [list(raw) for raw in ITEMS.values()]
    assert not list((tmp_path / "p").glob("*.spool"))
