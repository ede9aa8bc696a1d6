"""What lies in wait in foreign files: pictures, archives, models. One clear line, the exit code, a project intact."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import pytest
from house_kit import CLASSES, MACHINE, QUICK, draw_shapes, intact, png, refused, shape, snowroll
from PIL import Image

pytestmark = pytest.mark.slow


def giant() -> bytes:
    """A PNG of a few hundred bytes whose header promises 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(100_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def cut_jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(shape("bar", 900, 64)).save(file, "JPEG")
    return file.getvalue()[: len(file.getvalue()) // 2]


def test_a_giant_picture_and_a_cut_one_are_named_and_left_out(untrained: Path) -> None:
    (untrained / "data" / "bar" / "giant.png").write_bytes(giant())
    (untrained / "data" / "bar" / "cut.jpg").write_bytes(cut_jpeg())
    faults = {f["code"]: f for f in snowroll("check", untrained, "--json").json["faults"]}
    assert faults["oversized_picture"]["paths"] == ["bar/giant.png"]
    assert "40,000 x 40,000" in faults["oversized_picture"]["message"]
    assert faults["truncated_file"]["paths"] == ["bar/cut.jpg"]
    assert "replace or delete" in faults["truncated_file"]["cure"]
    trained = snowroll("train", untrained, *QUICK, "--json")
    assert trained.code == 0
    lines = snowroll("predict", untrained, untrained / "data" / "bar").out.splitlines()
    failed = {Path(row["path"]).name: row for row in map(json.loads, lines) if "error" in row}
    assert failed.keys() == {"giant.png", "cut.jpg"}
    assert all(row["error"] and row["cure"] for row in failed.values())
    intact(untrained)


def test_raising_the_limit_on_pixels_takes_effect(untrained: Path) -> None:
    """Pictures of 900 pixels among those of 400: what the error names as the cure is one."""
    wide = untrained / "data" / "bar" / "wide.png"
    wide.write_bytes(png(shape("bar", 900, 30)))
    low, high = ("--prepare.megapixels", "0.0005"), ("--prepare.megapixels", "0.001")
    faults = {f["code"]: f for f in snowroll("check", untrained, *low, "--json").json["faults"]}
    assert faults["oversized_picture"]["paths"] == ["bar/wide.png"]
    faults = {f["code"]: f for f in snowroll("check", untrained, *high, "--json").json["faults"]}
    assert "oversized_picture" not in faults


def test_the_limit_on_pixels_holds_for_packs_too(project: Path) -> None:
    wide = draw_shapes(project.parent / "wide", each=2, seed=3)
    told = ("eval", project, "--data", wide)
    refused(snowroll(*told, "--prepare.megapixels", "0.0001"), "not one of the 6 samples", "too large", code=1)
    assert snowroll(*told, "--json").json["n"] == 6


def test_a_zip_with_ways_out(tmp_path: Path) -> None:
    root = tmp_path / "inside"
    root.mkdir()
    with zipfile.ZipFile(root / "photos.zip", "w") as archive:
        for kind in CLASSES:
            for number in range(8):
                archive.writestr(f"{kind}/{number}.png", png(shape(kind, number)))
        for evil in ("../evil.png", "/evil.png", "bar/../../evil.png"):
            archive.writestr(evil, png(shape("bar", 99)))
    found = snowroll("init", root, "--json").json
    assert (found["samples"], found["classes"]) == (24, dict.fromkeys(CLASSES, 8))
    faults = snowroll("check", root, "--json").json["faults"]
    named = {path for fault in faults if fault["code"] == "bad_archive" for path in fault["paths"]}
    assert {path.rpartition("!")[2] for path in named} == {"../evil.png", "/evil.png", "bar/../../evil.png"}
    assert not list(tmp_path.rglob("evil.png"))
    assert not Path("/evil.png").exists()
    intact(root)


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(b"PK\3\4 and then nothing of the kind" * 9)
    refused(snowroll("init", tmp_path), tmp_path, "photos.zip was not read", code=1)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """Weights from elsewhere, and what only looks like it."""
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "foreign"
    folder.mkdir()
    save_file({"x.weight": torch.zeros(3, 3)}, folder / "other.safetensors")
    torch.save({"y": torch.zeros(2)}, folder / "other.pth")
    torch.save(Path("an object"), folder / "object.pth")
    (folder / "rubbish.safetensors").write_bytes(b"hello" * 50)
    (folder / "rubbish.pth").write_bytes(b"hello" * 50)
    (folder / "picture.png").write_bytes(png(shape("bar", 0)))
    return folder


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("other.safetensors", "another network"),
        ("other.pth", "another network"),
        ("object.pth", "more than tensors"),
        ("rubbish.safetensors", "not a safetensors file"),
        ("rubbish.pth", "cannot be read as plain weights"),
        ("picture.png", ""),
        ("absent.safetensors", "no such file"),
    ],
)
def test_a_model_file_from_elsewhere(name: str, words: str, foreign: Path, untrained: Path) -> None:
    flags = (*MACHINE, "--task.model", "convnet", "--task.size_px", "16", "--task.pretrained", foreign / name)
    said = snowroll("train", untrained, *flags)
    refused(said, foreign / name, words, code=1)
    assert "\x1b" not in said.err
    assert "weights_only" not in said.err  # nobody is told to switch a guard off
    intact(untrained)


def test_a_damaged_model_is_never_used(project: Path) -> None:
    weights = project / "runs" / "0001-train" / "model" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    refused(snowroll("predict", project, project / "data" / "bar" / "00.png"), "damaged", "roll back", code=1)
    weights.write_bytes(whole)
    config = weights.with_name("config.json")
    config.write_text(config.read_text().replace('"classify_images"', '"detect_objects"'))
    refused(snowroll("eval", project), "detect_objects", code=1)
