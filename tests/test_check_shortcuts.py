"""What is no content and tells the label or the split is named; what varies by itself is not."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from test_check_duplicates import scenes

from snowroll.base.nouns import Fault, Sample
from snowroll.prepare.look import Look, look
from snowroll.prepare.pictures_check import picture_faults
from snowroll.prepare.shortcuts import shift_faults, shortcut_faults
from snowroll.prepare.view import View

CLASSES = ("cat", "dog")


@pytest.mark.parametrize("is_drawn", [True, False])
def test_what_is_no_picture_is_not_told_of_as_one(is_drawn: bool) -> None:
    """Waves of two classes, drawn: their corners differ, some are long, and the test's lie in a darker drawing."""
    rng = np.random.default_rng(0)
    samples, looks, splits = [], {}, {}
    for n in range(120):
        shown = rng.integers(0, 90, (32, 32, 3)).astype(np.uint8)
        shown[:6, :6] = 255 * (n % 2)
        light = 0.9 if n < 60 else 0.01
        width = 3_000 if n in (7, 8) else 300
        seen = Look(9, "series", width=width, height=1, mode="II", brightness=light, contrast=0.001, thumbnail=shown)
        looks[str(n)] = replace(seen, drawn=is_drawn)
        samples.append(Sample(str(n), f"{n}.csv", str(n), "trace", CLASSES[n % 2]))
        splits[str(n)] = "train" if n < 60 else "test"
    view = View.of(samples, looks, {"type": "choice", "classes": list(CLASSES)}, splits)
    faults = [*shortcut_faults(view), *shift_faults(view), *picture_faults(view)]
    told = " ".join(f"{fault.message} {fault.cure}" for fault in faults)
    words = [word for word in ("picture", "corner", "brightness", "thumbnail", "one even colour") if word in told]
    assert words == ([] if is_drawn else ["picture", "corner", "brightness", "thumbnail", "one even colour"])
    if is_drawn:
        assert [fault.code for fault in faults] == ["odd_size"]
        assert "2 samples of a length unlike the others (usually 300 values in 1 channel)" in told


def drawn(n: int = 160, seed: int = 0) -> list[Look]:
    """Looks whose every field varies by itself."""
    rng = np.random.default_rng(seed)
    return [
        Look(
            int(rng.integers(4_000, 9_000)),
            "JPEG",
            width=int(rng.integers(200, 400)),
            height=int(rng.integers(200, 400)),
            mode="RGB",
            brightness=float(rng.uniform(0.3, 0.7)),
            contrast=float(rng.uniform(0.1, 0.3)),
            sharpness=float(rng.uniform(0.1, 1)),
            coarseness=float(rng.choice([3.0, 8.0, 20.0])),
            made_by=str(rng.choice(["A", "B", ""])),
            taken_at=float(rng.uniform(1e9, 2e9)),
            exposure={"sensitivity (ISO)": float(rng.choice([100, 200, 400])), "aperture": 2.0},
            thumbnail=rng.integers(0, 255, (32, 32, 3)).astype(np.uint8),
        )
        for _ in range(n)
    ]


def seen(looks: list[Look], split: bool = False) -> View:
    samples = [
        Sample(f"i{k}", f"{k}.jpg", f"c{k}", "image", CLASSES[k % 2], None, "train" if k % 4 < 2 else "test")
        for k in range(len(looks))
    ]
    samples = samples if split else [replace(sample, split=None) for sample in samples]
    return View.of(samples, {s.id: seen for s, seen in zip(samples, looks, strict=True)}, {"classes": CLASSES})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"coarseness": 40.0}, "the JPEG quality"),
        ({"width": 640, "height": 480}, "the (width|height)"),
        ({"mode": "L"}, "the mode"),
        ({"made_by": "Scanner 3"}, "the camera or program"),
        ({"taken_at": 3e9}, "the time"),
        ({"exposure": {"sensitivity (ISO)": 1600.0, "aperture": 2.0}}, r"the sensitivity \(ISO\)"),
        (
            {"exposure": {"sensitivity (ISO)": 200.0, "aperture": 2.0, "place on the earth": 1.0}},
            "the place on the earth",
        ),
    ],
)
def test_metadata_that_tell_the_label_are_named(change: dict[str, object], words: str) -> None:
    looks = [replace(one, **change) if k % 2 and k % 10 > 1 else one for k, one in enumerate(drawn())]  # type: ignore
    (fault,) = shortcut_faults(seen(looks))
    assert re.match(words, fault.message)


@pytest.mark.parametrize("seed", range(5))
def test_what_varies_by_itself_is_no_shortcut_and_no_shift(seed: int) -> None:
    assert not list(shortcut_faults(seen(drawn(seed=seed))))
    assert not list(shift_faults(seen(drawn(seed=seed), split=True)))


@pytest.mark.parametrize(
    ("field", "factor", "words"),
    [("brightness", 0.4, "the brightness"), ("sharpness", 0.05, "the sharpness"), ("width", 3, "the width")],
)
def test_a_test_taken_in_another_way_is_named(field: str, factor: float, words: str) -> None:
    looks = drawn()
    looks = [replace(one, **{field: getattr(one, field) * factor}) if k % 4 > 1 else one for k, one in enumerate(looks)]
    (fault,) = shift_faults(seen(looks, split=True))
    assert re.match(words, fault.message)
    assert len(fault.samples) == len(looks) // 2


def test_pictures_of_four_machines_say_little_of_a_split() -> None:
    """Forty pictures each, and by chance the two that are judged on are the bright ones."""
    looks = [replace(one, brightness=0.2 + 0.15 * (k % 4)) for k, one in enumerate(drawn())]
    samples = [
        Sample(f"i{k}", f"{k}.jpg", f"c{k}", "image", "cat", f"machine{k % 4}", "train" if k % 4 < 2 else "test")
        for k in range(len(looks))
    ]
    view = View.of(samples, {s.id: seen for s, seen in zip(samples, looks, strict=True)}, {"classes": CLASSES})
    assert not list(shift_faults(view))


def test_a_look_holds_what_the_file_says_of_itself() -> None:
    picture = Image.fromarray(scenes(1)[0])
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Maker", "M3", "2021:05:06 07:08:09"
    exif[0x8769] = {0x8827: 400, 0x829A: 0.01, 0x920A: "damaged"}
    exif[0x8825] = {1: "N"}
    told = {}
    for quality in (30, 90):
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=quality, exif=exif, dpi=(300, 300))
        told[quality] = look(out.getvalue())
    assert told[30].coarseness > 2 * told[90].coarseness > 0
    assert (told[30].made_by, told[30].taken_at) == ("Maker M3", 1620284889.0)
    set_to = {"sensitivity (ISO)": 400.0, "exposure time": 0.01, "resolution in DPI": 300.0, "place on the earth": 1.0}
    assert told[30].exposure == set_to
    clear = picture.convert("RGBA")
    clear.putalpha(100)
    out = io.BytesIO()
    clear.save(out, "PNG")
    assert look(out.getvalue()).see_through
    assert not told[30].see_through


@pytest.mark.filterwarnings("ignore")  # PIL's words on what it finds there; a child that decodes does not hear them
@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_damaged_exif_takes_nothing_from_the_picture(tail: bytes) -> None:
    out = io.BytesIO()
    Image.fromarray(scenes(1)[0]).save(
        out, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01" + tail
    )
    seen = look(out.getvalue())
    assert (seen.reason, seen.width) == ("", 96)


def three(looks: list[Look]) -> View:
    names = ("cat", "cow", "dog")
    samples = [Sample(f"i{k}", f"{k}.jpg", f"c{k}", "image", names[k % 3]) for k in range(len(looks))]
    return View.of(samples, {s.id: seen for s, seen in zip(samples, looks, strict=True)}, {"classes": names})


def stamped(thumbnail: np.ndarray) -> np.ndarray:
    """A bright mark in the upper left corner."""
    marked = thumbnail // 2
    marked[1:4, 1:5] = 250
    return marked


def test_one_class_of_three_that_something_else_tells_is_named() -> None:
    looks = drawn(180)
    assert list(shortcut_faults(three(looks))) == []
    (fault,) = shortcut_faults(three([replace(one, coarseness=9.9) if k % 3 else one for k, one in enumerate(looks)]))
    assert "the JPEG quality alone tells" in fault.message
    dark = [replace(one, thumbnail=one.thumbnail // 2) for one in looks]
    marked = [replace(one, thumbnail=stamped(one.thumbnail)) if k % 3 == 1 else one for k, one in enumerate(dark)]
    assert list(shortcut_faults(three(dark))) == []
    (fault,) = shortcut_faults(three(marked))
    assert "upper left corner" in fault.message
    assert "'cow'" in fault.message


def test_a_small_mark_among_bright_corners_is_told_by_where_it_is() -> None:
    """A corner of every picture is bright somewhere: its mean and its contrast say nothing, its parts do."""
    rng = np.random.default_rng(0)
    looks = []
    for k, one in enumerate(drawn(180)):
        thumbnail = one.thumbnail // 3
        down, right = (0, 0) if k % 3 == 1 else rng.integers(0, 3, 2) * 2 + (rng.random() < 0.5)
        thumbnail[down : down + 2, right : right + 2] = 250
        looks.append(replace(one, thumbnail=thumbnail))
    (fault,) = shortcut_faults(three(looks))
    assert "the upper left corner alone tells class 'cow'" in fault.message


def test_a_test_part_that_is_turned_is_told_and_pictures_without_a_top_are_not() -> None:
    rng = np.random.default_rng(0)
    sky = np.linspace(200, 40, 32)[:, None, None] + rng.normal(0, 25, (160, 32, 32, 3))
    cells = rng.normal(128, 40, (160, 32, 32, 3))

    def turned(pictures: np.ndarray) -> list[Fault]:
        """Half of them is the test part, turned by half a circle."""
        grey = pictures.clip(0, 255).astype(np.uint8)
        looks = [replace(one, thumbnail=grey[k]) for k, one in enumerate(drawn(160))]
        looks = [replace(one, thumbnail=one.thumbnail[::-1, ::-1]) if k % 4 > 1 else one for k, one in enumerate(looks)]
        return list(shift_faults(seen(looks, split=True)))

    (fault,) = turned(sky)
    assert fault.message.startswith("which way is up differs between test and train")
    assert turned(cells) == []
