"""Copies are found whatever was done to them, and pictures that are merely alike are left alone."""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from snowroll.base.nouns import Sample
from snowroll.prepare.check import check, left_out
from snowroll.prepare.duplicates import copy_groups, pairs_of
from snowroll.prepare.features import grey
from snowroll.prepare.likeness import compare, find_pairs
from snowroll.prepare.look import look
from snowroll.prepare.mask_targets import as_target, clash, gist
from snowroll.prepare.view import View

DATA = Path(os.environ.get("SNOWROLL_DATA", Path(__file__).parents[2] / "shared" / "data"))


def scenes(n: int, seed: int = 0) -> list[np.ndarray]:
    """Different made-up photographs, 96 x 96: light and shade at all scales (1/f noise), in some colour."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.fftfreq(96)[None, :]) + 1 / 96
    made = []
    for _ in range(n):
        waves = np.fft.fft2(rng.standard_normal((96, 96))) / frequency**1.2
        light = np.fft.ifft2(waves).real
        light = 110 + 45 * (light - light.mean()) / light.std()
        made.append((light[:, :, None] * rng.uniform(0.6, 1.1, 3)).clip(0, 255).astype(np.uint8))
    return made


def jpeg(rgb: np.ndarray, quality: int = 92) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, "JPEG", quality=quality)
    return out.getvalue()


def crop(rgb: np.ndarray, share: float) -> np.ndarray:
    cut = round(rgb.shape[0] * share)
    return rgb[cut:, : rgb.shape[1] - cut]


def resize(rgb: np.ndarray, scale: float) -> np.ndarray:
    side = round(rgb.shape[0] * scale)
    return np.asarray(Image.fromarray(rgb).resize((side, side), Image.Resampling.BICUBIC))


def turned(rgb: np.ndarray, degrees: float) -> np.ndarray:
    """Mirrored, then turned, without the corners that this leaves empty."""
    whole = np.asarray(Image.fromarray(rgb[:, ::-1]).rotate(degrees, Image.Resampling.BICUBIC))
    edge = rgb.shape[0] // 25
    return whole[edge:-edge, edge:-edge]


def brighten(rgb: np.ndarray, gain: float) -> np.ndarray:
    return (rgb * gain).clip(0, 255).astype(np.uint8)


def view_of(files: list[tuple[str, bytes, str | None, str | None]], classes: tuple[str, ...] = ()) -> View:
    samples, looks = [], {}
    for where, raw, target, split in files:
        content = hashlib.sha256(raw).hexdigest()
        sample = Sample(Sample.name(where, content), where, content, "image", target, None, split)  # type: ignore[arg-type]
        samples.append(sample)
        looks[sample.id] = look(raw)
    return View.of(samples, looks, {"classes": classes})


CHANGES = {
    "re-encoded at quality 75": lambda rgb: jpeg(rgb, 75),
    "re-encoded at quality 50": lambda rgb: jpeg(rgb, 50),
    "2 % cropped": lambda rgb: jpeg(crop(rgb, 0.02)),
    "resized to 90 %": lambda rgb: jpeg(resize(rgb, 0.9)),
    "resized to 110 %": lambda rgb: jpeg(resize(rgb, 1.1)),
    "20 % brighter": lambda rgb: jpeg(brighten(rgb, 1.2)),
    "20 % darker": lambda rgb: jpeg(brighten(rgb, 0.8)),
    "mirrored and turned by 3 degrees": lambda rgb: jpeg(turned(rgb, 3)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_at_least_95_of_100_changed_copies_are_found_and_nothing_else(change: str) -> None:
    originals = scenes(80)
    files = [(f"{k}.jpg", jpeg(rgb), None, None) for k, rgb in enumerate(originals)]
    files += [(f"copy{k}.jpg", CHANGES[change](rgb), None, None) for k, rgb in enumerate(originals[:40])]
    view = view_of(files)
    found = {tuple(group) for group in copy_groups(view, pairs_of(view))}
    planted = {(k, 80 + k) for k in range(40)}
    assert len(found & planted) >= 0.95 * len(planted)
    assert not found - planted


def test_distinct_photographs_are_no_copies() -> None:
    thumbnails = np.stack([look(jpeg(rgb)).thumbnail for rgb in scenes(80, seed=1)])
    pairs = find_pairs(thumbnails)
    assert not pairs.copy.any()


@pytest.mark.slow
def test_handwritten_digits_are_alike_but_hardly_ever_copies() -> None:
    digits = (load_digits().images / 16 * 255).astype(np.uint8)
    big = [np.asarray(Image.fromarray(d).convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)) for d in digits]
    pairs = find_pairs(np.stack(big[:600]), np.full(600, 8))
    assert pairs.copy.sum() <= 1


def test_comparison_is_blind_to_a_small_shift_and_to_gain_but_not_to_another_picture() -> None:
    one, other = (look(jpeg(rgb)).thumbnail for rgb in scenes(2))
    near = look(jpeg(brighten(crop(scenes(1)[0], 0.03), 0.7))).thumbnail
    pictures = grey(np.stack([one, near, other]))
    whole, detail = compare(pictures[[0, 0, 0]], pictures)
    assert detail[0] == pytest.approx(1, abs=0.05)
    assert min(whole[1], detail[1]) > 0.93
    assert detail[2] < 0.5


def test_identical_files_with_two_labels_are_named_both() -> None:
    photos = [jpeg(rgb) for rgb in scenes(8)]
    files = [(f"a/{k}.jpg", raw, "a", None) for k, raw in enumerate(photos)] + [("b/9.jpg", photos[3], "b", None)]
    faults = [fault for fault in check(view_of(files, ("a", "b"))) if fault.code == "conflicting_labels"]
    assert [fault.paths for fault in faults] == [("a/3.jpg", "b/9.jpg")]
    assert faults[0].severity == "warn"
    assert "a and b" in faults[0].message


def test_copies_across_splits_leave_training_and_only_training() -> None:
    photos = scenes(6)
    files = [(f"train/{k}.jpg", jpeg(rgb), "a", "train") for k, rgb in enumerate(photos)]
    files += [("test/same.jpg", jpeg(photos[0]), "a", "test"), ("test/again.jpg", jpeg(photos[1], 60), "a", "test")]
    view = view_of(files)
    faults = check(view)
    by_code = {fault.code: fault for fault in faults}
    assert by_code["copies_across_splits"].paths == ("train/0.jpg", "test/same.jpg")
    assert by_code["near_copies_across_splits"].paths == ("train/1.jpg", "test/again.jpg")
    assert left_out(faults, view) == {
        view.samples[0].id: "copies_across_splits",
        view.samples[1].id: "near_copies_across_splits",
    }


def test_a_thousand_groups_make_few_faults() -> None:
    raw = [bytes([k, k + 1]) for k in range(100)]  # not pictures: exact copies are found in any kind of file
    samples = []
    for k, content in enumerate(raw):
        for label in "ab":
            where = f"{label}/{k}"
            sha = hashlib.sha256(content).hexdigest()
            samples.append(Sample(Sample.name(where, sha), where, sha, "table", label))
    faults = [f for f in check(View.of(samples, {}, {"classes": ("a", "b")})) if f.code == "conflicting_labels"]
    assert len(faults) == 21
    assert sum(len(fault.paths) for fault in faults) == 200


@pytest.mark.slow
@pytest.mark.parametrize(("file", "count"), [("trashnet/trashnet_256.zip", 2), ("brain_mri/brain_mri_dev.zip", 15)])
def test_known_faults_of_real_sets(file: str, count: int) -> None:
    if not (DATA / file).exists():
        pytest.skip(f"{file} is not under SNOWROLL_DATA")
    archive = zipfile.ZipFile(DATA / file)
    names = [name for name in archive.namelist() if name.lower().endswith((".jpg", ".jpeg", ".png"))]
    by_content: dict[bytes, list[str]] = {}
    for name in names:
        by_content.setdefault(hashlib.sha256(archive.read(name)).digest(), []).append(name)
    twice = {name for same in by_content.values() if len(same) > 1 for name in same}
    kept = [name for k, name in enumerate(names) if name in twice or k % 10 == 0]
    files = [(name, archive.read(name), name.split("/")[-2], None) for name in kept]
    faults = check(view_of(files, tuple(sorted({label for _, _, label, _ in files if label}))))
    if file.startswith("trashnet"):
        assert sum(fault.code == "conflicting_labels" for fault in faults) == count
    else:
        (same,) = [fault for fault in faults if fault.code == "identical_files"]
        assert same.message.startswith(f"{count} groups of identical files")


def masked(pictures: list[np.ndarray], masks: list[np.ndarray]) -> View:
    """Pictures of [96, 96, 3], each with a mask [96, 96] of places in ("road", "sky")."""
    samples, looks = [], {}
    for k, (rgb, mask) in enumerate(zip(pictures, masks, strict=True)):
        sha = hashlib.sha256(rgb.tobytes()).hexdigest()
        target = as_target(mask, ("road", "sky"))
        samples.append(Sample(Sample.name(f"{k}.jpg", sha), f"{k}.jpg", sha, "image", target))
        looks[samples[-1].id] = look(jpeg(rgb))
    return View.of(samples, looks, {"type": "mask", "classes": ("road", "sky")}, gist=gist, clash=clash)


def test_frames_of_a_film_with_masks_that_move_are_no_placeholder_and_do_not_clash() -> None:
    frames = [scenes(1)[0] for _ in range(5)]
    for k, frame in enumerate(frames):
        frame[40:52, 12 * k : 12 * k + 12] //= 2  # what drives by
    masks = [(np.arange(96) >= 30 + 6 * k).astype(np.uint8)[:, None].repeat(96, 1) for k in range(5)]
    view = masked([*frames, *scenes(12, seed=3)], [*masks, *[masks[0]] * 12])
    assert copy_groups(view, pairs_of(view)) == [list(range(5))]
    assert check(view) == []


def test_frames_saved_twice_with_masks_that_have_little_in_common_are_named_in_words() -> None:
    photos = scenes(12)
    again = np.asarray(Image.open(io.BytesIO(jpeg(photos[0], 60))))
    sky = np.zeros((96, 96), np.uint8)
    sky[:30] = 1
    found = check(masked([*photos, again, photos[1]], [*[sky] * 12, sky[::-1], sky[::-1]]))
    told = {fault.code: fault for fault in found if fault.code.startswith("conflicting_labels")}
    assert told["conflicting_labels"].paths == ("1.jpg", "13.jpg")
    assert told["conflicting_labels_near"].paths == ("0.jpg", "12.jpg")
    for fault in told.values():
        assert "their masks differ in 62.5% of the pixels, and have 0% of what is drawn in common" in fault.message


def test_one_picture_under_masks_that_differ_widely_is_a_placeholder() -> None:
    rows = np.arange(96)[:, None].repeat(96, 1)
    masks = [((rows >= low) & (rows < low + 24)).astype(np.uint8) for low in (0, 24, 48, 72)]
    masks[3] = (rows < 40).astype(np.uint8)
    pictures = scenes(12)
    faults = {f.code: f for f in check(masked([*pictures, *[pictures[0]] * 3], [*[masks[0]] * 12, *masks[1:]]))}
    assert len(faults["placeholder_picture"].paths) == 4
    assert "conflicting_labels" not in faults
