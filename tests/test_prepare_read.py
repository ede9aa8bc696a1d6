"""Reading a hostile folder: nothing outside is read, nothing is written, every refusal has a reason."""

import io
import os
import socket
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_kit import jpeg, plant, tarred, zipped

from snowroll.base.errors import DataError
from snowroll.prepare.archives import Limits
from snowroll.prepare.disk import Disk
from snowroll.prepare.names import spell_file
from snowroll.prepare.read import Folder

PICTURE = jpeg()
CANARY = b"a secret that must never be read"


def link_member(archive: tarfile.TarFile, name: str, kind: bytes, target: str = "") -> None:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    archive.addfile(info)


def cursed_tar(canary: Path) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in ("cat/good.jpg", "../escaped.jpg", "/absolute.jpg", "cat/good.jpg", "a/../../b.jpg", "inner.zip"):
            info = tarfile.TarInfo(name)
            info.size = len(PICTURE)
            archive.addfile(info, io.BytesIO(PICTURE))
        link_member(archive, "soft.jpg", tarfile.SYMTYPE, str(canary))
        link_member(archive, "hard.jpg", tarfile.LNKTYPE, "cat/good.jpg")
        link_member(archive, "pipe.jpg", tarfile.FIFOTYPE)
        link_member(archive, "disk.jpg", tarfile.BLKTYPE)
    return file.getvalue()


def cursed_zip(canary: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("cat/good.jpg", "../escaped.jpg", "/absolute.jpg", "x\\..\\..\\up.jpg", "deep/inner.tar.gz"):
            archive.writestr(name, PICTURE)
        link = zipfile.ZipInfo("soft.jpg")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(canary))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("cat/good.jpg", b"another")
        archive.writestr("__MACOSX/._good.jpg", b"litter")
    return file.getvalue()


@pytest.fixture
def cursed(tmp_path: Path) -> Path:
    """A folder with one good file in every place and everything else that is wrong in folders from elsewhere."""
    outside = plant(tmp_path / "outside", {"canary.jpg": CANARY})
    root = plant(
        tmp_path / "data",
        {
            "cat/good.jpg": PICTURE,
            "猫/良い.jpg": PICTURE,
            "50% off!/a#b.jpg": PICTURE,
            "CON/nul.jpg": PICTURE,
            "Cat/Good.jpg": PICTURE,
            "cat/caf\u00e9.jpg": PICTURE,
            "cat/cafe\u0301.jpg": PICTURE,
            "cat/line\nbreak.jpg": PICTURE,
            "cat/\u202egpj.exe.jpg": PICTURE,
            "cat/tab\there.jpg": PICTURE,
            "cat/" + "n" * 240 + ".jpg": PICTURE,
            "pretend.zip!x.jpg": PICTURE,
            "pretend.npz#x/1": PICTURE,
            "cat/empty.jpg": b"",
            ".hidden/x.jpg": PICTURE,
            ".DS_Store": b"x",
            "Thumbs.db": b"x",
            "runs/1.jpg": PICTURE,
            "snowroll.toml": b"",
            "results.tsv": b"",
            ".snowroll/blob": b"",
            "old.7z": b"7z",
            "old.RAR": b"Rar!",
            "notazip.zip": b"hello",
            "empty.zip": b"",
            "empty.tar": b"",
            "cut.zip": zipped({"a.jpg": PICTURE})[:-30],
            "cut.tar.gz": tarred({"a.jpg": PICTURE, "b.jpg": os.urandom(5000)})[:-900],
            "cut.tar.xz": tarred({"a.jpg": PICTURE, "b.jpg": os.urandom(5000)}, "w:xz")[:-900],
            "cursed.tar.gz": cursed_tar(outside / "canary.jpg"),
            "cursed.zip": cursed_zip(outside / "canary.jpg"),
            "bomb.zip": zipped({"zeros.jpg": b"\0" * (3 << 20)}),
            "bomb.tar.bz2": tarred({"zeros.jpg": b"\0" * (3 << 20)}, "w:bz2"),
        },
    )
    (root / "soft.jpg").symlink_to(outside / "canary.jpg")
    (root / "cat/inside.jpg").symlink_to("good.jpg")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to(root)
    (root / "dangling.jpg").symlink_to("nowhere")
    (root / "linked.zip").symlink_to(root / "cursed.zip")
    os.mkfifo(root / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "socket.jpg"))
    os.close(os.open(os.fsencode(root) + b"/cat/\xff\xfe.jpg", os.O_CREAT | os.O_WRONLY))
    plant(root, {"/".join(f"d{i}" for i in range(8)) + "/deep.jpg": PICTURE})
    return root


def test_a_cursed_folder_is_read_to_its_end(cursed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(cursed.parent.rglob("*"))
    folder = Folder(cursed, Limits(ratio=5, floor_mb=1, depth=6))
    entries = folder.entries()
    assert not set(folder.refused) & {entry.where for entry in entries}
    got = dict(folder.stream([entry.where for entry in entries]))

    assert sorted(cursed.parent.rglob("*")) == before, "something was written"
    assert len({entry.where for entry in entries}) == len(entries)
    assert all(CANARY not in raw for raw in got.values())
    good = {
        "cat/good.jpg", "Cat/Good.jpg", "猫/良い.jpg", "50% off!/a#b.jpg", "CON/nul.jpg", "cat/café.jpg",
        "cat/cafe\u0301.jpg", "cat/line%0Abreak.jpg", "cat/%E2%80%AEgpj.exe.jpg", "cat/tab%09here.jpg",
        "pretend.zip%21x.jpg", "pretend.npz%23x/1", "cursed.zip!cat/good.jpg", "cursed.tar.gz!cat/good.jpg",
        "cat/" + "n" * 240 + ".jpg",
    }  # fmt: skip
    assert {where for where, raw in got.items() if raw == PICTURE} >= good
    assert got["cat/%FF%FE.jpg"] == got["cat/empty.jpg"] == b""
    assert {where for where in got if "!" in where and "off!" not in where} <= {
        "cursed.zip!cat/good.jpg", "cursed.tar.gz!cat/good.jpg", "cut.tar.gz!a.jpg", "cut.tar.xz!a.jpg"
    }  # fmt: skip

    reasons = {
        "soft.jpg": "symbolic link", "cat/inside.jpg": "symbolic link", "folder": "symbolic link", "loop": "symbolic",
        "dangling.jpg": "symbolic link", "linked.zip": "symbolic link", "pipe.jpg": "neither", "socket.jpg": "neither",
        ".hidden": "hidden", ".DS_Store": "hidden", "Thumbs.db": "operating system", "runs": "keeps for itself",
        "snowroll.toml": "keeps", "results.tsv": "keeps", ".snowroll": "keeps", "old.7z": "repack", "old.RAR": "repack",
        "notazip.zip": "damaged", "empty.zip": "damaged", "empty.tar": "damaged", "cut.zip": "damaged",
        "cut.tar.gz": "damaged", "cut.tar.xz": "damaged", "d0/d1/d2/d3/d4/d5/d6/d7": "folders deep",
        "bomb.zip": "bomb", "bomb.tar.bz2": "bomb",
        "cursed.zip!../escaped.jpg": "climbs", "cursed.zip!/absolute.jpg": "climbs",
        "cursed.zip!x/../../up.jpg": "climbs", "cursed.zip!soft.jpg": "link",
        "cursed.zip!cat/good.jpg (again)": "twice",
        "cursed.zip!deep/inner.tar.gz": "archive within", "cursed.zip!__MACOSX/._good.jpg": "operating system",
        "cursed.tar.gz!../escaped.jpg": "climbs", "cursed.tar.gz!/absolute.jpg": "climbs",
        "cursed.tar.gz!a/../../b.jpg": "climbs", "cursed.tar.gz!soft.jpg": "link", "cursed.tar.gz!hard.jpg": "link",
        "cursed.tar.gz!pipe.jpg": "regular", "cursed.tar.gz!disk.jpg": "regular", "cursed.tar.gz!inner.zip": "within",
        "cursed.tar.gz!cat/good.jpg (again)": "twice",
    }  # fmt: skip
    for where, words in reasons.items():
        assert words in folder.refused.get(where, "not refused"), where


@pytest.mark.parametrize(
    "where",
    ["../outside/canary.jpg", "/etc/passwd", "soft.jpg", "folder/canary.jpg", "loop/cat/good.jpg", "pipe.jpg", "cat",
     "cat/../../outside/canary.jpg", "cat/%2E%2E/%2E%2E/outside/canary.jpg", "absent.jpg", "a.zip!x", "notazip.zip!x",
     "cursed.zip!../escaped.jpg", "cursed.zip!soft.jpg", "linked.zip!cat/good.jpg", "notazip.npz#x/1", "",
     "snowroll.toml"],
)  # fmt: skip
def test_a_name_cannot_reach_what_is_refused(cursed: Path, where: str) -> None:
    with pytest.raises(DataError):
        Folder(cursed).read(where)


def test_a_folder_swapped_for_a_link_after_the_listing_is_not_followed(tmp_path: Path) -> None:
    root = plant(tmp_path / "data", {"cat/1.jpg": PICTURE})
    plant(tmp_path / "outside", {"1.jpg": CANARY})
    folder = Folder(root)
    assert [entry.where for entry in folder.entries()] == ["cat/1.jpg"]
    (root / "cat/1.jpg").unlink()
    (root / "cat").rmdir()
    (root / "cat").symlink_to(tmp_path / "outside")
    with pytest.raises(DataError):
        folder.read("cat/1.jpg")


def test_names_in_a_zip_without_the_utf8_flag(tmp_path: Path) -> None:
    """As Windows and macOS write them: UTF-8 bytes are believed, others are escaped, never guessed."""
    raw = zipped({"猫.jpg": PICTURE, "QQQQ.jpg": PICTURE})
    flag = 0x800.to_bytes(2, "little")
    raw = raw.replace(b"\x14\x00" + flag, b"\x14\x00\0\0").replace(b"QQQQ", b"\xc4\xe3\xba\xc3")
    plant(tmp_path, {"a.zip": raw})
    assert [entry.where for entry in Folder(tmp_path).entries()] == ["a.zip!猫.jpg", "a.zip!%C4%E3%BA%C3.jpg"]
    assert Folder(tmp_path).read("a.zip!%C4%E3%BA%C3.jpg") == PICTURE


def test_an_archive_as_root_names_its_members_as_its_folder_would(tmp_path: Path) -> None:
    plant(tmp_path, {"photos.zip": zipped({"a/1.jpg": PICTURE}), "other.jpg": PICTURE, "sub/photos.zip": b""})
    folder = Folder(tmp_path / "photos.zip")
    assert [entry.where for entry in folder.entries()] == ["photos.zip!a/1.jpg"]
    assert folder.read("photos.zip!a/1.jpg") == PICTURE
    with pytest.raises(DataError):
        folder.read("other.jpg")


def test_a_damaged_member_costs_only_itself(tmp_path: Path) -> None:
    raw = bytearray(zipped({f"{i}.jpg": jpeg(i) for i in range(5)}))
    at = raw.index(b"2.jpg") + 40
    raw[at : at + 20] = b"\xff" * 20
    plant(tmp_path, {"a.zip": bytes(raw)})
    folder = Folder(tmp_path)
    wheres = [entry.where for entry in folder.entries()]
    assert len(wheres) == 5
    assert [where for where, _ in folder.stream(wheres)] == [f"a.zip!{i}.jpg" for i in (0, 1, 3, 4)]
    assert "damaged" in folder.refused["a.zip!2.jpg"]


def test_every_archive_is_opened_once_in_storage_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{i:02}.jpg": bytes([i]) for i in range(20)}
    kinds = {"a.zip": zipped(files), "b.tar": tarred(files, "w:"), "c.tar.xz": tarred(files, "w:xz")}
    folder = Folder(plant(tmp_path, {**kinds, "plain.jpg": PICTURE}))
    wheres = [entry.where for entry in folder.entries()]
    assert len(wheres) == 61
    opened: list[str] = []
    real = Disk.open
    monkeypatch.setattr(Disk, "open", lambda self, where: opened.append(where) or real(self, where))
    got = list(folder.stream(reversed(wheres)))
    assert sorted(opened) == ["a.zip", "b.tar", "c.tar.xz", "plain.jpg"]
    assert sorted(where for where, _ in got) == sorted(wheres)
    for name in kinds:
        inside = [raw for where, raw in got if where.startswith(name)]
        assert inside == [bytes([i]) for i in range(20)]


def test_rows_of_arrays_are_numpy_files(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (50, 4, 5), dtype=np.uint8)
    np.savez_compressed(tmp_path / "s.npz", images=images, fortran=np.asfortranarray(images))
    folder = Folder(tmp_path)
    for name in ("images", "fortran"):
        wheres = [f"s.npz#{name}/{row}" for row in (3, 0, 49)]
        for where, raw in folder.stream(wheres):
            assert (np.load(io.BytesIO(raw)) == images[int(where.rpartition("/")[2])]).all()
        assert folder.read(wheres[0]) == dict(folder.stream(wheres))[wheres[0]]
    assert not list(folder.stream(["s.npz#images/50", "s.npz#absent/0"]))
    assert "no row 50" in folder.refused["s.npz#images/50"]


def test_hostile_arrays_are_refused_before_memory_is_taken(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (4000000000000, 1), }"
    lying = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object), allow_pickle=True)
    plant(
        tmp_path,
        {"x.npz": zipped({"lying.npy": lying, "objects.npy": objects.getvalue(), "no.npy": b"?"}), "y.npz": b"?"},
    )
    folder = Folder(tmp_path)
    arrays = folder.arrays("x.npz")
    assert not arrays.headers()
    assert "claims" in arrays.refused["lying"]
    assert "Python objects" in arrays.refused["objects"]
    assert "not a .npy" in arrays.refused["no"]
    folder.arrays("y.npz").headers()
    assert "damaged" in folder.arrays("y.npz").refused[""]


def test_a_missing_folder_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        Folder(tmp_path / "absent")


PART = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=12).filter(
    lambda part: part not in (".", "..") and len(part.encode()) < 200
)


@given(st.dictionaries(st.lists(PART, min_size=1, max_size=3).map("/".join), st.binary(max_size=20), max_size=8))
@settings(max_examples=60)
def test_any_tree_of_any_names_is_listed_read_and_explained(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    planted = {}
    for name, data in files.items():
        try:
            plant(root, {name: data})
        except OSError:  # a file where a folder should be, or the other way round
            continue
        planted[name] = data
    plant(root, {"all.zip": zipped(planted)})
    folder = Folder(root)
    wheres = [entry.where for entry in folder.entries()]
    assert len(set(wheres)) == len(wheres)
    got = dict(folder.stream(wheres))
    for where in wheres:
        where.encode()  # storable: raises on a lone surrogate
        assert where in got or folder.refused[where]
    for name, data in planted.items():
        spelled = spell_file(name.encode())
        upwards = {spelled.rsplit("/", cut)[0] for cut in range(4)}
        assert got.get(spelled) == data or upwards & folder.refused.keys()
