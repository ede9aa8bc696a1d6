"""Scans as they lie in files: what DICOM and NIfTI say of their numbers, bad ones, and what must never be kept."""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scans_kit import NAMELESS, SECRETS, dicom, enhanced, series, without_pixels

from snowroll.base.errors import DataError
from snowroll.base.nouns import Sample
from snowroll.prepare.bundles import as_bundle, unbundled
from snowroll.prepare.files_check import file_faults
from snowroll.prepare.view import View
from snowroll.tasks.medical import nifti
from snowroll.tasks.medical.dicom import affine_of
from snowroll.tasks.medical.looking import as_rgb, as_seen, look, mosaic
from snowroll.tasks.medical.scans import cleaned, open_scan

VOLUME = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)


# what the tags say of the numbers -----------------------------------------------------------------------------------


def test_slices_become_a_volume_in_hounsfield_units_whatever_their_order() -> None:
    files = series(VOLUME)
    scan = open_scan(as_bundle([files[3], files[0], files[4], files[1], files[2]]))
    np.testing.assert_array_equal(scan.voxels[0], VOLUME.astype(np.float32) - 1024)
    assert scan.spacing == (2.5, 0.8, 0.8)
    assert scan.modality == "CT"


@pytest.mark.parametrize(
    ("orientation", "shape"),
    [((1, 0, 0, 0, 1, 0), (5, 6, 7)), ((0, 1, 0, 0, 0, -1), (6, 7, 5)), ((1, 0, 0, 0, 0, -1), (6, 5, 7))],
    ids=["axial", "sagittal", "coronal"],
)
def test_volumes_are_turned_to_head_back_and_left(orientation: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """The brightest voxel lies where the patient's coordinates say, however the slices ran."""
    scan = open_scan(as_bundle(series(VOLUME, orientation=orientation)))
    assert scan.voxels.shape[1:] == shape
    assert sorted(scan.spacing) == [0.8, 0.8, 2.5]
    across, down = np.array(orientation[:3]), np.array(orientation[3:])
    normal = np.cross(across, down)
    at = normal * 2.5 * 4 + down * 0.8 * 5 + across * 0.8 * 6  # of the last voxel, in (left, back, head)
    corner = np.array([axis > 0 for axis in at[::-1]])  # head, back, left
    bright = np.array(np.unravel_index(scan.voxels[0].argmax(), shape))
    moved = np.abs(at[::-1]) > 1e-9
    assert all((bright[axis] == shape[axis] - 1) == corner[axis] for axis in range(3) if moved[axis])


def test_a_negative_is_turned_positive_and_a_window_is_left_alone() -> None:
    pixels = np.array([[0, 100], [200, 255]], np.uint8)
    scan = open_scan(dicom(pixels, PhotometricInterpretation="MONOCHROME1", Modality="DX"))
    np.testing.assert_array_equal(scan.voxels[0, 0], 255 - pixels.astype(np.float32))
    assert scan.is_flat


@pytest.mark.parametrize(("modality", "told"), [("CT", 1000 - 1024), ("MR", 4095 - 1000 - 1024)])
def test_slices_of_a_negative_are_turned_by_one_rule(modality: str, told: float) -> None:
    volume = np.full((3, 6, 7), 1000, np.uint16)
    volume[1, 0, 0], volume[2, 0, 0] = 3000, 0  # each slice has extremes of its own
    tags = {"PhotometricInterpretation": "MONOCHROME1", "BitsStored": 12, "HighBit": 11, "Modality": modality}
    scan = open_scan(as_bundle(series(volume, **tags)))
    assert set(scan.voxels[0][volume == 1000].tolist()) == {told}


def test_frames_of_one_file_are_a_volume() -> None:
    scan = open_scan(dicom(VOLUME.astype(np.uint16), Modality="MR", PixelSpacing=[1, 1], SpacingBetweenSlices=3))
    assert scan.voxels.shape == (1, 5, 6, 7)
    assert scan.spacing == (3.0, 1.0, 1.0)


def test_frames_go_by_what_each_of_them_and_all_together_tell() -> None:
    """Values in Hounsfield units, spacing in mm, and from the feet to the head, whatever the order in the file."""
    volume = np.full((3, 6, 7), 1000, np.uint16)
    volume[:, 0, 0] = 1024, 0, 10
    raw = enhanced(volume, [9, 6, 3], [-1024, -1024, -1000])
    for one in (raw, cleaned(raw)):
        scan = open_scan(one)
        assert scan.spacing == (3.0, 0.8, 0.7)
        assert scan.voxels[0, :, 0, 0].tolist() == [-990, -1024, 0]
        assert scan.voxels[0, :, 1, 1].tolist() == [0, -24, -24]
        np.testing.assert_allclose(affine_of([one])[:3, 3], [0, 0, 3], atol=1e-6)
    assert_nameless(cleaned(raw))
    assert cleaned(cleaned(raw)) == cleaned(raw)


def test_colours_stay_colours() -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (6, 7, 3)).astype(np.uint8)
    scan = open_scan(dicom(rgb, Modality="XC"))
    np.testing.assert_array_equal(scan.voxels[:, 0].transpose(1, 2, 0), rgb)


@pytest.mark.parametrize("way", ["YBR_FULL", "YBR_FULL_422", "JPEG", "JPEG 2000"])
def test_colours_are_the_same_however_they_are_stored(way: str) -> None:
    """Ultrasound and endoscopy come as JPEG and YBR."""
    from PIL import Image

    rgb = np.repeat(np.array([[[200, 40, 30]], [[20, 160, 60]], [[30, 50, 210]]], np.uint8), 8, axis=1).repeat(
        16, axis=0
    )
    ybr = np.asarray(Image.fromarray(rgb).convert("YCbCr"))
    if way.startswith("YBR"):
        raw = dicom(ybr, Modality="US", PhotometricInterpretation=way)
        if way == "YBR_FULL_422":  # of two pixels both lights, and one of each colour
            pairs = ybr.reshape(-1, 2, 3)
            halved = np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], axis=1)
            raw = dicom(ybr, Modality="US", PhotometricInterpretation=way, PixelData=halved.tobytes())
    else:
        raw = compressed_colours(rgb, way)
    scan = open_scan(raw)
    assert np.abs(scan.voxels[:, 0].transpose(1, 2, 0) - rgb).max() <= 12
    np.testing.assert_array_equal(open_scan(cleaned(raw)).voxels, scan.voxels)


def compressed_colours(rgb: np.ndarray, way: str) -> bytes:
    import io

    import pydicom
    from PIL import Image

    stream = io.BytesIO()
    if way == "JPEG":
        Image.fromarray(rgb).save(stream, "JPEG", quality=95, subsampling=0)
    else:
        Image.fromarray(rgb).save(stream, "JPEG2000", no_jp2=True, mct=1, irreversible=False)
    data = pydicom.dcmread(io.BytesIO(dicom(rgb, Modality="ES")))
    data.PhotometricInterpretation = "YBR_FULL_422" if way == "JPEG" else "YBR_RCT"
    data.PixelData = pydicom.encaps.encapsulate([stream.getvalue()])
    data["PixelData"].VR = "OB"
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGBaseline8Bit if way == "JPEG" else pydicom.uid.JPEG2000Lossless
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_missing_slices_are_counted() -> None:
    files = series(np.zeros((8, 4, 4), np.int16) + np.arange(8, dtype=np.int16)[:, None, None])
    scan = open_scan(as_bundle(files[:3] + files[5:]))
    assert scan.notes["missing"] == 2
    assert look(as_bundle(files[:3] + files[5:]), 100).own["missing"] == 2


def test_nifti_comes_back_as_it_was_written() -> None:
    scan = open_scan(nifti.written(VOLUME, (2.5, 0.8, 0.7)))
    np.testing.assert_array_equal(scan.voxels[0], VOLUME.astype(np.float32))
    assert scan.spacing == pytest.approx((2.5, 0.8, 0.7))
    assert open_scan(gzip.compress(nifti.written(VOLUME, (1, 1, 1)))).voxels.shape == (1, 5, 6, 7)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SAR", "PIL"])
def test_nifti_is_turned_to_head_back_and_left_whatever_its_axes(axes: str) -> None:
    import nibabel

    straight = nibabel.Nifti1Image.from_bytes(nifti.written(VOLUME, (2.5, 0.8, 0.7)))
    own = nibabel.orientations.axcodes2ornt(axes)
    change = nibabel.orientations.ornt_transform(nibabel.io_orientation(straight.affine), own)
    scan = open_scan(straight.as_reoriented(change).to_bytes())
    np.testing.assert_array_equal(scan.voxels[0], VOLUME.astype(np.float32))
    assert scan.spacing == pytest.approx((2.5, 0.8, 0.7))


# bad input ----------------------------------------------------------------------------------------------------------


def four_axes() -> bytes:
    import nibabel

    return nibabel.Nifti1Image(np.zeros((3, 3, 3, 5), np.int16), np.eye(4)).to_bytes()


def of_an_absent_codec() -> bytes:
    import io

    import pydicom

    data = pydicom.dcmread(io.BytesIO(dicom(VOLUME[0].astype(np.uint16))))
    data.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xf7 no JPEG-LS at all \xff\xd9"])
    data["PixelData"].VR = "OB"
    data.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (four_axes, "what lies along the fourth"),
        (without_pixels, "without pixel data"),
        (of_an_absent_codec, "JPEG-LS"),
        (lambda: dicom(VOLUME[0])[:-20], "pixel data"),
        (lambda: dicom(np.zeros((4, 4, 3), np.uint8), PhotometricInterpretation="YBR_PARTIAL_422"), "YBR_PARTIAL_422"),
        (lambda: nifti.written(VOLUME, (1, 1, 1))[:400], "NIfTI"),
        (lambda: gzip.compress(nifti.written(VOLUME, (1, 1, 1)))[:-30], "gzip"),
        (lambda: as_bundle([b"no scan"]), "not a picture"),
        (lambda: as_bundle([]), "empty zip"),
    ],
    ids=[
        "4-D",
        "no pixels",
        "no codec",
        "cut DICOM",
        "old colours",
        "cut NIfTI",
        "cut gzip",
        "zip of junk",
        "empty zip",
    ],
)
def test_bad_scans_end_in_words(raw: object, told: str) -> None:
    with pytest.raises(DataError, match=told) as fault:
        open_scan(raw())  # type: ignore[operator]
    assert "\n" not in str(fault.value)
    assert look(raw(), 100).reason  # type: ignore[operator]


@pytest.mark.parametrize("way", ["files", "frames"])
def test_two_points_in_time_are_no_volume_and_copies_of_slices_are(way: str) -> None:
    def doubled(more: int) -> bytes:
        volume = VOLUME.astype(np.uint16)
        both = np.concatenate([volume, volume + more])
        if way == "files":
            return as_bundle([*series(volume), *series(both[5:])])
        return enhanced(both, [*range(5)] * 2, [-1024] * 10)

    with pytest.raises(DataError, match="5 of 10 slices lie where another one lies"):
        open_scan(doubled(7))
    assert "points in time" in look(doubled(7), 100).reason
    np.testing.assert_array_equal(open_scan(doubled(0)).voxels[0], VOLUME.astype(np.float32) - 1024)


def test_an_absent_codec_names_the_extra() -> None:
    with pytest.raises(DataError, match="medical-codecs"):
        open_scan(of_an_absent_codec())


def test_check_tells_each_reason_with_its_own_cure() -> None:
    files = [four_axes(), of_an_absent_codec(), dicom(VOLUME[0])[:-20], dicom(VOLUME[1])[:-40], four_axes()]
    samples = [Sample(str(n), str(n), "0", "scan") for n in range(len(files))]
    looks = {sample.id: look(raw, 100) for sample, raw in zip(samples, files, strict=True)}
    told = {fault.paths: fault for fault in file_faults(View.of(samples, looks)) if fault.code == "unreadable_file"}
    assert sorted(told) == [("0", "4"), ("1",), ("2", "3")]
    assert "fourth" in told["0", "4"].message
    assert "JPEG-LS" in told["1",].message
    assert told["1",].cure.startswith("pip install 'snowroll[medical-codecs]'")
    assert told["2", "3"].cure == "replace or remove the file; until then they are left out"


def test_too_many_voxels_are_refused_from_the_header() -> None:
    with pytest.raises(DataError, match="too large"):
        open_scan(nifti.written(np.zeros((20, 300, 300), np.uint8), (1, 1, 1)), megapixels=1)
    with pytest.raises(DataError, match="too large"):
        open_scan(dicom(np.zeros((1200, 1000), np.uint8)), megapixels=1)
    with pytest.raises(DataError, match="bomb"):
        open_scan(gzip.compress(b"\x5c\x01\0\0" + bytes(80 << 20)))


@settings(max_examples=60)
@given(
    st.binary(max_size=400), st.sampled_from([b"", b"\0" * 128 + b"DICM", b"\x5c\x01\0\0", b"PK\x03\x04", b"\x1f\x8b"])
)
def test_any_bytes_are_a_scan_or_end_in_words(tail: bytes, head: bytes) -> None:
    for way in (open_scan, cleaned):
        with suppress(DataError):
            way(head + tail)


# what must never be kept --------------------------------------------------------------------------------------------


def assert_nameless(raw: bytes, where: object = "") -> None:
    for name, value in SECRETS.items():
        assert value.encode() not in raw, f"{name} in {where}"
    assert NAMELESS not in raw, where


def test_cleaned_scans_hold_no_personal_tag_and_the_same_numbers() -> None:
    files = series(VOLUME)
    assert SECRETS["PatientName"].encode() in files[0]
    whole = as_bundle(files)
    clean = cleaned(whole)
    assert_nameless(clean)
    np.testing.assert_array_equal(open_scan(clean).voxels, open_scan(whole).voxels)
    assert open_scan(clean).spacing == open_scan(whole).spacing
    assert cleaned(clean) == clean  # so that what was cleaned once is known again


def test_cleaned_nifti_holds_no_free_text() -> None:
    import nibabel

    image = nibabel.Nifti1Image(VOLUME, np.eye(4))
    image.header["descrip"] = b"Mustermann^Erika"
    image.header["db_name"] = b"PID-778812"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAMELESS))
    raw = image.to_bytes()
    assert NAMELESS in raw
    clean = cleaned(raw)
    assert_nameless(clean)
    np.testing.assert_array_equal(open_scan(clean).voxels, open_scan(raw).voxels)
    assert cleaned(clean) == clean


def test_a_bundle_keeps_the_slices_of_its_first_and_no_others() -> None:
    other = series(VOLUME[:3], orientation=(0, 1, 0, 0, 0, -1))
    mixed = as_bundle([*series(VOLUME), *other])
    assert len(unbundled(cleaned(mixed))) == 5
    assert open_scan(mixed).voxels.shape == (1, 5, 6, 7)


@pytest.mark.parametrize("spelled", [(40, 80), ([40, 600], [80, 2000])])
def test_people_see_a_scan_in_its_own_window_and_nothing_learns_by_it(spelled: tuple[Any, Any]) -> None:
    volume = np.linspace(-1000, 2000, VOLUME.size).reshape(VOLUME.shape).astype(np.int16)
    plain = [open_scan(as_bundle(series(volume)))]
    scans = [
        open_scan(as_bundle(series(volume, WindowCenter=spelled[0], WindowWidth=spelled[1]))),
        open_scan(dicom(volume[1], Modality="CT", WindowCenter=spelled[0], WindowWidth=spelled[1])),
    ]
    for scan in scans:
        seen, values = as_seen(scan)[..., 0], mosaic(scan.voxels[0])
        assert (seen[values <= 0] == 0).all()
        assert (seen[values >= 79] == 255).all()
        assert scan.voxels.min() < 0
    np.testing.assert_array_equal(scans[0].voxels, plain[0].voxels)
    np.testing.assert_array_equal(as_rgb(scans[0]), as_rgb(plain[0]))
    assert len(np.unique(as_seen(plain[0]))) > 20


@pytest.mark.parametrize(
    "window",
    [{}, {"WindowCenter": 9000, "WindowWidth": 10}, {"WindowCenter": 5, "WindowWidth": 0}, {"WindowCenter": 5}],
)
def test_a_window_that_shows_nothing_is_none(window: dict[str, int]) -> None:
    scan = open_scan(dicom(VOLUME[0], Modality="MR", **window))
    np.testing.assert_array_equal(as_seen(scan), as_rgb(scan))
