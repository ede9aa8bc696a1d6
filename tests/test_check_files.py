"""Each fault of a single file is named with its cause; whole files raise none."""

import io
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from test_check_duplicates import jpeg, scenes, view_of

from snowroll.base.nouns import Fault, Sample
from snowroll.prepare.check import check, left_out
from snowroll.prepare.files_check import file_faults
from snowroll.prepare.look import Look, look, panels
from snowroll.prepare.pictures_check import picture_faults
from snowroll.prepare.view import View
from snowroll.verbs.check import told_of_all


def saved(rgb: np.ndarray, format: str, **more: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(rgb).save(out, format, **more)  # type: ignore[arg-type]
    return out.getvalue()


PHOTOS = scenes(30)
OTHER = scenes(1, seed=9)[0]
WHOLE = [(f"{k}.jpg", jpeg(rgb), None, None) for k, rgb in enumerate(PHOTOS)]


@pytest.mark.parametrize(
    ("name", "raw", "code"),
    [
        ("x.jpg", b"", "empty_file"),
        ("x.jpg", jpeg(OTHER)[:900], "truncated_file"),
        ("x.png", saved(OTHER, "PNG")[:5000], "truncated_file"),
        ("x.jpg", jpeg(OTHER)[:-400] + bytes(400), "truncated_file"),
        ("x.jpg", b"this is a letter, not a picture", "unreadable_file"),
        ("x.jpg", saved(OTHER, "PNG"), "wrong_extension"),
        ("x.jpg", saved(np.full((96, 96, 3), 200, np.uint8), "JPEG"), "blank_picture"),
        ("x.png", saved(OTHER[:8, :8], "PNG"), "odd_size"),
        (
            "x.jpg",
            saved(OTHER, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
            "exif_rotation",
        ),
    ],
)
def test_a_planted_fault_is_named_and_no_other(name: str, raw: bytes, code: str) -> None:
    faults = check(view_of([*WHOLE, (name, raw, None, None)]))
    assert [(fault.code, fault.paths) for fault in faults] == [(code, (name,))]
    assert all(fault.message and fault.cure for fault in faults)


def test_whole_files_raise_no_fault() -> None:
    assert check(view_of(WHOLE)) == []
    assert look(jpeg(OTHER) + bytes(500)).reason == ""  # padded after its end


def test_unreadable_files_are_left_out_and_block_only_where_they_are_most() -> None:
    bad = [(f"bad{k}.jpg", f"text {k}".encode(), None, None) for k in range(40)]
    few, many = view_of([*WHOLE, *bad[:5]]), view_of([*WHOLE, *bad])
    assert {fault.severity for fault in check(few)} == {"warn"}
    assert len(left_out(check(few), few)) == 5
    assert check(many)[0].code == "mostly_unreadable"
    assert check(many)[0].severity == "block"


@settings(max_examples=60)
@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\x93NUMPY"]))
def test_any_bytes_give_a_look_and_never_an_error(tail: bytes, head: bytes) -> None:
    seen = look(head + tail)
    assert seen.reason or seen.thumbnail.shape == (32, 32, 3)


def test_a_blurred_picture_is_less_sharp() -> None:
    sharp = PHOTOS[1]
    soft = np.asarray(Image.fromarray(sharp).resize((24, 24)).resize((96, 96)))
    assert look(saved(soft, "PNG")).sharpness < 0.5 * look(saved(sharp, "PNG")).sharpness


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda rgb: np.asarray(Image.fromarray(rgb).resize((9, 9)).resize((96, 96))), "blurred_picture"),
        (lambda rgb: (rgb * 0.08).astype(np.uint8), "underexposed_picture"),
        (lambda rgb: (255 - (255 - rgb) * 0.05).astype(np.uint8), "overexposed_picture"),
    ],
)
def test_pictures_of_which_little_is_left_are_named(change: Callable[[np.ndarray], np.ndarray], code: str) -> None:
    faults = check(view_of([*WHOLE, ("x.jpg", saved(change(OTHER), "PNG"), None, None)]))
    assert {fault.paths for fault in faults if fault.code == code} == {("x.jpg",)}


def test_a_placeholder_is_named_and_not_taken_for_labels_that_clash() -> None:
    drawn = np.full((96, 96, 3), 230, np.uint8)
    drawn[40:56, 20:76] = 90
    stock = [(f"{kind}/{k}.png", saved(drawn, "PNG"), kind, None) for kind in ("a", "b") for k in range(3)]
    real = [(f"{'ab'[k % 2]}/{k}.jpg", jpeg(rgb), "ab"[k % 2], None) for k, rgb in enumerate(PHOTOS)]
    faults = {fault.code: fault for fault in check(view_of([*real, *stock]))}
    assert set(faults["placeholder_picture"].paths) == {name for name, *_ in stock}
    assert "conflicting_labels" not in faults


def test_a_bomb_is_told_by_its_header() -> None:
    raw = bytearray(saved(OTHER, "PNG"))
    raw[16:24] = (60_000).to_bytes(4, "big") * 2
    raw[29:33] = zlib.crc32(raw[12:29]).to_bytes(4, "big")
    faults = check(view_of([*WHOLE, ("x.png", bytes(raw), None, None)]))
    assert [(fault.code, fault.paths) for fault in faults] == [("oversized_picture", ("x.png",))]


def test_empty_files_of_two_classes_are_no_copies_with_labels_that_clash() -> None:
    files = [("a/x.jpg", b"", "a", "train"), ("b/y.jpg", b"", "b", "test")]
    assert [fault.code for fault in check(view_of([*WHOLE, *files]))] == ["empty_file"]


@given(st.integers(2, 6), st.integers(3, 6), st.integers(10, 40), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_contact_sheet_is_counted(down: int, across: int, side: int, gap: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = np.full((down * (side + gap) + gap, across * (side + gap) + gap), rng.uniform(0, 255), np.float32)
    for row in range(down):
        for column in range(across):
            top, left = gap + row * (side + gap), gap + column * (side + gap)
            page[top : top + side, left : left + side] = rng.uniform(0, 255, (side, side))
    assert panels(page) == down * across
    assert panels(page[gap + 1 : gap + side, gap + 1 : gap + side]) == 1


def test_sheets_among_pictures_are_told_and_pictures_of_panels_are_not() -> None:
    looks = [Look(9, "JPEG", width=60, height=60, contrast=0.2, panels=12 if k < 2 else 1) for k in range(30)]
    samples = [Sample(f"i{k}", f"{k}.jpg", f"c{k}", "image") for k in range(30)]

    def sheets(looks: list[Look]) -> list[Fault]:
        view = View.of(samples, {s.id: seen for s, seen in zip(samples, looks, strict=True)})
        return [fault for fault in picture_faults(view) if fault.code == "contact_sheet"]

    (fault,) = sheets(looks)
    assert fault.samples == ("i0", "i1")
    assert "12 panels" in fault.message
    assert sheets([replace(one, panels=12) for one in looks]) == []


def test_what_was_made_from_samples_is_told_by_its_name() -> None:
    names = [f"cat/{k}.jpg" for k in range(20)]

    def derived(more: list[str]) -> list[Fault]:
        samples = [Sample(name, name, name, "image") for name in names + more]
        return [fault for fault in file_faults(View.of(samples, {})) if fault.code == "derived_files"]

    (fault,) = derived([f"cat/{k}_cam.jpg" for k in range(6)])
    assert fault.samples == tuple(f"cat/{k}_cam.jpg" for k in range(6))
    assert derived([f"cat/{k}_2.jpg" for k in range(6)]) == []  # numbers count shots
    assert derived([f"dog/{k}_cam.jpg" for k in range(6)]) == []  # not beside it
    assert derived([f"cat/{k}_cam.jpg" for k in range(20, 26)]) == []  # of no sample


def test_the_grey_that_a_decoder_left_is_told() -> None:
    data = saved(PHOTOS[0], "JPEG", quality=90)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
        half = Image.open(io.BytesIO(data[: len(data) // 2]))
        half.load()
    again = io.BytesIO()
    half.save(again, "JPEG", quality=90)
    assert look(again.getvalue()).padded > 0.2
    assert not look(again.getvalue()).cut_off
    assert all(look(jpeg(rgb)).padded == 0 for rgb in PHOTOS)
    faults = check(view_of([("half.jpg", again.getvalue(), None, None), *WHOLE]))
    assert [fault.paths for fault in faults if fault.code == "half_lost_picture"] == [("half.jpg",)]


def test_a_person_is_told_a_few_findings_of_one_code_and_how_many_more_there_are() -> None:
    found = [Fault("blurred", "note", (f"{k}.png",), f"number {k}", "look", 1.0) for k in range(8)]
    lines = told_of_all([Fault("empty_file", "block", ("x",), "nothing", "delete", 1.0), *found])
    assert lines[0].startswith("BLOCK  empty_file")
    assert [line for line in lines if "number" in line] == [f"note   blurred: number {k}" for k in range(5)]
    assert lines[-1] == "note   blurred: 3 more findings in 3 files; --json lists them"


def test_a_finding_fills_no_screen() -> None:
    long = "x" * 9_000
    lines = told_of_all([Fault("skipped_files", "note", (long,) * 9, f"not read: {long}", f"mend {long}", 1.0)])
    assert max(map(len, lines)) < 1_200
    assert all("letters more" in line for line in lines)
