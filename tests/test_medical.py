"""Medical tasks: folders of scans as they come, frames, what a diagnosis and a mask are worth, answers as files."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scans_kit import SECRETS, dicom, series, without_pixels

from snowroll.base.errors import UsageError
from snowroll.base.nouns import Json, Prediction, Sample
from snowroll.design.windows import starts_of
from snowroll.evaluate.calibration import at_temperature
from snowroll.evaluate.ranking import auroc, average_precision
from snowroll.prepare.archives import Limits
from snowroll.prepare.bundles import as_bundle
from snowroll.prepare.duplicates import copy_groups, pairs_of
from snowroll.prepare.packed_png import packed
from snowroll.prepare.read import Folder
from snowroll.prepare.settings import PrepareSettings
from snowroll.prepare.view import View
from snowroll.project.looks import look_at
from snowroll.project.opened import open_project
from snowroll.tasks.medical import nifti
from snowroll.tasks.medical.answers import read
from snowroll.tasks.medical.deploying import Fitted
from snowroll.tasks.medical.diagnosing import calibration_of, in_words, threshold_for
from snowroll.tasks.medical.dicom import header
from snowroll.tasks.medical.example import drawn
from snowroll.tasks.medical.fitting import fitted, fitted_labels, spans_of, unfitted
from snowroll.tasks.medical.looking import mosaic, unmosaic
from snowroll.tasks.medical.masks.reading import read_masked_scans
from snowroll.tasks.medical.masks.scoring import surface_mm
from snowroll.tasks.medical.masks.task import MedicalMasks
from snowroll.tasks.medical.masks.volumes import as_volume, numbered_volume
from snowroll.tasks.medical.options import MedicalOptions
from snowroll.tasks.medical.presets import PRESETS
from snowroll.tasks.medical.reading import find_scans, read_scans
from snowroll.tasks.medical.scans import cleaned, open_scan
from snowroll.tasks.medical.task import Medical
from snowroll.verbs.init import init
from snowroll.web.asking import Answer, keep

VOLUME = np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)


# folders ------------------------------------------------------------------------------------------------------------


def write(folder: Path, files: list[bytes], start: int = 1) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, raw in enumerate(files, start):
        (folder / f"IM{number:04}").write_bytes(raw)


@pytest.mark.slow
def test_a_folder_of_series_is_read_by_patients(tmp_path: Path) -> None:
    for patient in range(4):
        kind = "tumour" if patient % 2 else "clear"
        files = series(VOLUME, PatientID=f"P{patient}", SeriesInstanceUID=f"1.2.{patient}")
        scout = series(VOLUME[:1], orientation=(0, 1, 0, 0, 0, -1), PatientID=f"P{patient}")
        write(tmp_path / kind / f"p{patient}", files)
        write(tmp_path / kind / f"p{patient}", scout, start=90)
    reading = read_scans(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert [(one.where, one.target) for one in reading.found][:1] == [("clear/p0//IM0001", "clear")]
    assert len(reading.found) == 4
    assert len({one.group for one in reading.found}) == 4
    assert not any("P0" in str(one.group) for one in reading.found)
    assert "another orientation" in reading.skipped["clear/p0/IM0090"]
    folder = Folder(tmp_path)
    assert open_scan(folder.read("clear/p0//IM0001")).voxels.shape == (1, 5, 6, 7)


def test_a_series_of_two_orientations_is_told_of(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(0, 4096, (8, 6, 7)).astype(np.int16)
    write(tmp_path / "ct", series(volume))
    write(tmp_path / "ct", series(volume[:3], orientation=(1, 0, 0, 0, 0, -1)), start=20)
    write(tmp_path / "other", series(volume, SeriesInstanceUID="1.2.3"))
    folder = Folder(tmp_path)
    scans = find_scans(folder, PrepareSettings(workers=1))
    samples = [Sample(where, where, "0", "scan") for where in sorted(scans.groups)]
    looks = {one.id: Medical().look(folder.read(one.where), 100) for one in samples}
    (fault,) = Medical().faults(View.of(samples, looks))
    assert fault.code == "mixed_series"
    assert list(fault.paths) == ["ct//IM0001", "ct//IM0020"]
    assert "ct//IM0020" in fault.message


def test_a_folder_of_several_series_may_be_larger_than_a_sample(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(0, 4096, (5, 256, 256)).astype(np.int16)
    for n in range(2):
        write(tmp_path / "ct", series(volume + n, SeriesInstanceUID=f"1.2.{n}"), start=10 * n)
    lesion = nifti.written((volume > 4000).astype(np.uint8), (2.5, 0.8, 0.8))
    (tmp_path / "ct" / "mask.nii.gz").write_bytes(gzip.compress(lesion))
    folder = Folder(tmp_path, Limits(file_mb=1))
    reading = read_masked_scans(folder, PrepareSettings())
    assert reading is not None
    assert len(reading.found) == 2
    for n, one in enumerate(reading.found):
        np.testing.assert_array_equal(
            open_scan(folder.read(one.where)).voxels[0], (volume + n).astype(np.float32) - 1024
        )
        assert one.target is not None
        assert one.group is not None


def test_two_pictures_of_a_patient_share_a_group(tmp_path: Path) -> None:
    for number in range(6):
        kind = tmp_path / ("ill" if number % 2 else "well")
        kind.mkdir(exist_ok=True)
        raw = dicom(np.full((8, 8), number, np.uint16), Modality="DX", PatientID=f"P{number // 3}")
        (kind / f"{number}.dcm").write_bytes(raw)
    reading = read_scans(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert len(reading.found) == 6
    assert len({one.group for one in reading.found}) == 2


def test_what_is_no_picture_is_left_out_with_the_reason(tmp_path: Path) -> None:
    for number in range(4):
        kind = tmp_path / ("ill" if number % 2 else "well")
        kind.mkdir(exist_ok=True)
        (kind / f"{number}.dcm").write_bytes(dicom(np.full((8, 8), number, np.uint16), Modality="CR"))
    (tmp_path / "ill" / "seg.dcm").write_bytes(dicom(VOLUME[0], Modality="SEG"))
    (tmp_path / "ill" / "empty.dcm").write_bytes(without_pixels())
    (tmp_path / "ill" / "notes.txt").write_text("hello")
    reading = read_scans(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert len(reading.found) == 4
    assert "save segmentations as NIfTI" in reading.skipped["ill/seg.dcm"]
    assert "without pixel data" in reading.skipped["ill/empty.dcm"]
    assert "notes.txt" in str(reading.skipped)


def photographed(root: Path, n: int) -> list[str]:
    """Scans of two classes, in class folders."""
    names = [f"{('well', 'ill')[number % 2]}/{number}.dcm" for number in range(n)]
    for number, name in enumerate(names):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(dicom(np.full((8, 8), number, np.uint16), Modality="DX", PatientID=f"P{number}"))
    return names


def test_a_scan_about_which_rows_disagree_is_left_out(tmp_path: Path) -> None:
    names = photographed(tmp_path, 6)
    rows = [f"{name},{'ab'[number % 2]}" for number, name in enumerate(names)]
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows, f"{names[0]},b", "gone.dcm,a"]))
    reading = read_scans(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {one.where: one.target for one in reading.found} == {name: "ab"[n % 2] for n, name in enumerate(names) if n}
    assert reading.skipped[names[0]].startswith("two rows that disagree")
    assert "there is no such file" in reading.skipped["gone.dcm"]
    assert "labels.csv" not in reading.skipped


def test_a_manifest_beside_class_folders_tells_groups_and_splits(tmp_path: Path) -> None:
    names = photographed(tmp_path, 6)
    rows = [f"{name},{'train' if n < 4 else 'test'},q{n // 2}" for n, name in enumerate(names)]
    (tmp_path / "people.csv").write_text("\n".join(["path,split,patient", *rows]))
    reading = read_scans(Folder(tmp_path), PrepareSettings())
    assert reading is not None
    assert {one.where: (one.target, one.split, one.group) for one in reading.found} == {
        name: (name.split("/")[0], "train" if n < 4 else "test", f"q{n // 2}") for n, name in enumerate(names)
    }


@pytest.mark.parametrize(
    ("scans", "case"),
    [
        (("imagesTr/c{n}_0000.nii.gz", "imagesTr/c{n}_0001.nii.gz", "labelsTr/c{n}.nii.gz"), "c{n}"),
        (("c{n}/t1.nii.gz", "c{n}/t2.nii.gz", "c{n}/seg.nii.gz"), "c{n}"),
        (("c{n}/ct.nii.gz", "c{n}/pet.nii.gz", "c{n}/seg.nii.gz"), "c{n}/pet.nii.gz"),
        (("c{n}.nii.gz", "c{n}_seg.nii.gz"), "c{n}"),
    ],
)
def test_manifests_name_scans_with_masks_too(tmp_path: Path, scans: tuple[str, ...], case: str) -> None:
    for n in range(4):
        voxels, lesion = drawn(n, ill=True)
        for name in scans:
            path = tmp_path / name.format(n=n)
            path.parent.mkdir(exist_ok=True)
            raw = nifti.written(lesion.astype(np.uint8) if name == scans[-1] else voxels, (1, 1, 1))
            path.write_bytes(gzip.compress(raw, 1))
    rows = [f"{case.format(n=n)},{'train' if n < 3 else 'test'},p{n // 2}" for n in range(4)]
    (tmp_path / "people.csv").write_text("\n".join(["scan,split,patient", *rows]))
    folder = Folder(tmp_path)
    reading = read_masked_scans(folder, PrepareSettings())
    assert reading is not None
    told = [(one.split, one.group) for one in sorted(reading.found, key=lambda one: one.where)]
    assert told == [("train", "p0"), ("train", "p0"), ("train", "p1"), ("test", "p1")]
    assert all(len(open_scan(folder.read(one.where)).voxels) == len(scans) - 1 for one in reading.found)


LAYOUTS = {
    "nnU-Net": ("imagesTr/case_{n:02}_0000.nii.gz", "labelsTr/case_{n:02}.nii.gz"),
    "nnU-Net without channels": ("imagesTr/liver_{n:04}.nii.gz", "labelsTr/liver_{n:04}.nii.gz"),
    "side by side": ("p{n}.nii.gz", "p{n}_seg.nii.gz"),
    "a folder each": ("p{n}/image.nii.gz", "p{n}/label.nii.gz"),
    "LiTS": ("volume-{n}.nii", "segmentation-{n}.nii"),
    "BIDS": (
        "sub-{n:02}/anat/sub-{n:02}_T1w.nii.gz",
        "derivatives/sub-{n:02}/anat/sub-{n:02}_T1w_label-lesion_roi.nii.gz",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_masks_are_found_in_common_layouts(tmp_path: Path, layout: str) -> None:
    for n in range(6):
        voxels, lesion = drawn(n, ill=True)
        for name, values in zip(LAYOUTS[layout], (voxels, lesion.astype(np.uint8)), strict=True):
            path = tmp_path / name.format(n=n)
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = nifti.written(values, (2, 1, 1))
            path.write_bytes(gzip.compress(raw, 1) if path.suffix == ".gz" else raw)
    reading = read_masked_scans(Folder(tmp_path), PrepareSettings())
    assert reading is not None, layout
    assert len(reading.found) == 6
    for n, one in enumerate(sorted(reading.found, key=lambda one: one.where)):
        np.testing.assert_array_equal(
            numbered_volume(one.target, ["background", "foreground"]), drawn(n, ill=True)[1].astype(np.uint8)
        )


DECLARED = {
    "Decathlon": ("imagesTr/liver_{n}.nii.gz", "labelsTr/liver_{n}.nii.gz", "imagesTs/liver_{n}.nii.gz"),
    "batches": ("Training Batch {m}/volume-{n}.nii", "Training Batch {m}/segmentation-{n}.nii", "Test/volume-{n}.nii"),
    "challenge": ("B20_TrainingData/p{n}/p{n}.nii", "B20_TrainingData/p{n}/p{n}_seg.nii", "B20_TestData/p{n}/p{n}.nii"),
    "grades": ("{kind}/p{n}/p{n}_t1.nii,{kind}/p{n}/p{n}_t2.nii", "{kind}/p{n}/p{n}_seg.nii", ""),
}


@pytest.mark.parametrize("layout", DECLARED)
def test_folders_of_splits_and_of_channels_are_no_classes_of_scans(tmp_path: Path, layout: str) -> None:
    places, mask, test = DECLARED[layout]
    for n in range(8):
        voxels, lesion = drawn(n % 2, ill=True)
        for place in [*places.split(","), mask] if n < 6 else [test] if test else []:
            path = tmp_path / "data" / place.format(n=n, m=1 + n % 2, kind="HL"[n % 2] + "GG")
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = nifti.written(lesion.astype(np.uint8) if place == mask else voxels, (2, 1, 1))
            path.write_bytes(gzip.compress(raw, 1) if path.suffix == ".gz" else raw)
    answer = init(tmp_path, None, (), "", {}, lambda line: None)
    assert answer.json["task"] == "medical_masks"
    assert (answer.json["samples"], answer.json["labelled"]) == (8 if test else 6, 6)


def put_scans(folder: Path, scans: dict[str, np.ndarray]) -> None:
    for name, voxels in scans.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(gzip.compress(nifti.written(voxels, (2, 1, 1)), 1))


def test_masks_in_folders_of_classes_are_no_samples(tmp_path: Path) -> None:
    for n in range(6):
        voxels, lesion = drawn(n, ill=True)
        home = f"{('low', 'high')[n % 2]}/p{n}"
        put_scans(tmp_path, {f"{home}/t1.nii.gz": voxels, f"{home}/seg.nii.gz": lesion.astype(np.uint8)})
    reading = read_scans(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert [one.where for one in reading.found] == sorted(f"{('low', 'high')[n % 2]}/p{n}/t1.nii.gz" for n in range(6))
    assert reading.skipped["low/p0/seg.nii.gz"] == "the mask of a scan beside it"


@pytest.mark.parametrize(("name", "are_classes"), [("case_{n:03}", False), ("grade{n}", True), ("{n}", True)])
def test_a_folder_for_each_case_is_no_class_of_scans(tmp_path: Path, name: str, are_classes: bool) -> None:
    for n in range(8):
        put_scans(tmp_path, {f"{name.format(n=n // 2)}/{n}.nii.gz": drawn(n, ill=True)[0]})
    assert (read_scans(Folder(tmp_path), PrepareSettings(workers=1)) is not None) == are_classes


def test_a_folder_for_each_patient_is_no_class_of_scans(tmp_path: Path) -> None:
    for n in range(4):
        write(tmp_path / f"{'abcd'[n]}/ct", series(VOLUME + n, SeriesInstanceUID=f"1.2.{n}", PatientID=f"p{n}"))
    assert read_scans(Folder(tmp_path), PrepareSettings(workers=1)) is None


def test_frames_of_one_patient_are_a_group(tmp_path: Path) -> None:
    """As hearts are handed out: two moments of a beat."""
    for n in range(6):
        voxels, lesion = drawn(n, ill=True)
        name = f"training/patient{n // 2:03}/patient{n // 2:03}_frame{n % 2:02}"
        put_scans(tmp_path, {f"{name}.nii.gz": voxels, f"{name}_gt.nii.gz": lesion.astype(np.uint8)})
    reading = read_masked_scans(Folder(tmp_path), PrepareSettings(workers=1))
    assert reading is not None
    assert [one.group for one in reading.found] == [f"patient{n // 2:03}" for n in range(6)]


def test_the_limit_of_a_mask_is_that_of_its_scan(tmp_path: Path) -> None:
    voxels, lesion = drawn(0, ill=True)
    for name, values in {"p0.nii": voxels, "p0_seg.nii": lesion.astype(np.uint8)}.items():
        (tmp_path / name).write_bytes(nifti.written(values, (2, 1, 1)))
    for megapixels, is_read in ((voxels.size / 1e6, True), (voxels.size / 1.1e6, False)):
        reading = read_masked_scans(Folder(tmp_path), PrepareSettings(megapixels=megapixels))
        assert reading is not None
        assert any("too large" in why for why in reading.skipped.values()) != is_read


@pytest.mark.parametrize("kinds", [("healthy", "lesion"), ("no", "yes")])
def test_classes_of_scans_are_no_masks(tmp_path: Path, kinds: tuple[str, str]) -> None:
    for n in range(12):
        path = tmp_path / "data" / kinds[n % 2] / f"{n // 2}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(nifti.written(drawn(n, ill=bool(n % 2))[0] // 10, (2, 1, 1)), 1))
    answer = init(tmp_path, None, (), "", {}, lambda line: None)
    assert answer.json["task"] == "medical"
    assert answer.json["classes"] == dict.fromkeys(kinds, 6)


@pytest.mark.slow
def test_volumes_that_look_alike_are_no_copies(tmp_path: Path) -> None:
    for n in range(12):
        path = tmp_path / "data" / ("well", "ill")[n % 2] / f"{n}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(nifti.written(drawn(n, ill=bool(n % 2))[0], (2, 1, 1)), 1))
    (tmp_path / "data" / "ill" / "again.nii.gz").write_bytes((tmp_path / "data" / "ill" / "1.nii.gz").read_bytes())
    init(tmp_path, None, (), "", {}, lambda line: None)
    opened = open_project(tmp_path, {})
    samples = list(opened.store.catalog.samples().values())
    view = View.of(samples, look_at(opened, samples, lambda line: None))
    assert [sorted(view.where(row) for row in group) for group in copy_groups(view, pairs_of(view))] == [
        ["ill/1.nii.gz", "ill/again.nii.gz"]
    ]


def test_files_of_one_case_are_channels(tmp_path: Path) -> None:
    for n in range(5):
        voxels, lesion = drawn(n, ill=True)
        for kind, values in (("t1", voxels), ("t2", voxels * 2), ("flair", -voxels), ("seg", lesion.astype(np.uint8))):
            path = tmp_path / f"BraTS_{n:03}" / f"BraTS_{n:03}_{kind}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(gzip.compress(nifti.written(values, (1, 1, 1)), 1))
    folder = Folder(tmp_path)
    reading = read_masked_scans(folder, PrepareSettings())
    assert reading is not None
    assert len(reading.found) == 5
    scan = open_scan(folder.read(reading.found[0].where))
    np.testing.assert_array_equal(scan.voxels[0], -scan.voxels[1])
    assert len(scan.voxels) == 3


def test_a_case_that_lacks_a_channel_is_left_out(tmp_path: Path) -> None:
    for n in range(4):
        voxels, lesion = drawn(n, ill=True)
        for kind in ("t1", "t2", "flair", "seg"):
            path = tmp_path / f"p{n}" / f"{kind}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            if (n, kind) != (2, "t2"):
                raw = nifti.written(lesion.astype(np.uint8) if kind == "seg" else voxels, (1, 1, 1))
                path.write_bytes(gzip.compress(raw, 1))
    folder = Folder(tmp_path)
    reading = read_masked_scans(folder, PrepareSettings())
    assert reading is not None
    assert [len(open_scan(folder.read(one.where)).voxels) for one in reading.found] == [3, 3, 3]
    assert all(
        "of a case of 2 files where most have 3" in reading.skipped[f"p2/{kind}.nii.gz"] for kind in ("t1", "flair")
    )


@pytest.mark.slow
def test_a_series_and_the_mask_in_its_folder(tmp_path: Path) -> None:
    for n in range(3):
        write(tmp_path / f"p{n}", series(VOLUME + n, SeriesInstanceUID=f"1.2.{n}"))
        mask = (VOLUME > 100).astype(np.uint8)
        (tmp_path / f"p{n}" / "mask.nii.gz").write_bytes(gzip.compress(nifti.written(mask, (2.5, 0.8, 0.8))))
    folder = Folder(tmp_path)
    reading = read_masked_scans(folder, PrepareSettings())
    assert reading is not None
    assert len(reading.found) == 3
    assert reading.found[0].target is not None
    # the mask in the folder is no slice
    assert open_scan(cleaned(folder.read(reading.found[0].where))).voxels.shape == (1, 5, 6, 7)


# frames -------------------------------------------------------------------------------------------------------------

shapes = st.tuples(st.integers(1, 9), st.integers(2, 30), st.integers(2, 30))
sizes = st.one_of(st.just((0.0, 0.0, 0.0)), st.tuples(*[st.floats(0.4, 6)] * 3))


@settings(max_examples=60)
@given(shapes, sizes, sizes, st.sampled_from(["window", "zscore"]))
def test_the_graph_fits_scans_as_the_pack_does(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], target: tuple[float, float, float], way: str
) -> None:
    voxels = np.random.default_rng(sum(shape)).normal(100, 400, (1, *shape)).astype(np.float32)
    spacing = tuple(float(np.float32(mm)) for mm in spacing)  # type: ignore[assignment]
    frame = (4, 16, 20)
    options = MedicalOptions(frame=frame, spacing=target, intensity=way)  # type: ignore[arg-type]
    mine = fitted(voxels, spacing, frame=frame, target=target, intensity=way, low=options.low, high=options.high)  # type: ignore[arg-type]
    graph, told, _ = Fitted(options)(torch.from_numpy(voxels), torch.tensor(spacing))
    assert told.tolist() == [list(shape)]
    levels = graph[0].mul(255).round().byte().numpy()
    assert np.abs(levels.astype(int) - mine.astype(int)).max() <= 1
    assert (levels != mine).mean() < 0.02


@settings(max_examples=60)
@given(shapes, sizes, sizes)
def test_labels_come_back_to_their_grid(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], target: tuple[float, float, float]
) -> None:
    labels = np.zeros(shape, np.uint8)
    labels[:, shape[1] // 2 :] = 1
    frame = (12, 40, 40)
    framed = fitted_labels(labels, spacing, frame=frame, target=target, outside=255)
    back = unfitted(framed, shape, spacing, target)
    assert back.shape == shape
    assert set(np.unique(back)) <= {0, 1}  # nothing of the border
    wide = spans_of(shape, spacing, frame, target)
    if all(span.size >= side for span, side in zip(wide, shape, strict=True)):
        np.testing.assert_array_equal(back, labels)


@given(st.tuples(st.integers(1, 30), st.integers(1, 5), st.integers(1, 5)))
def test_mosaics_and_targets_lose_nothing(shape: tuple[int, int, int]) -> None:
    labels = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)
    np.testing.assert_array_equal(unmosaic(mosaic(labels), shape), labels)
    target = as_volume(labels, ["a", "b", "c"], (3, 1, 1))
    np.testing.assert_array_equal(numbered_volume(json.loads(json.dumps(target)), ["a", "b", "c"]), labels)


@given(st.integers(1, 300), st.integers(1, 100))
def test_windows_cover_everything(whole: int, part: int) -> None:
    starts = starts_of(whole, part)
    covered = {place for start in starts for place in range(start, start + part)}
    assert covered >= set(range(whole))
    assert len(set(starts)) == len(starts)
    assert whole <= part or max(starts) + part == whole


def test_medical_scans_need_their_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    def absent(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(UsageError, match="snowroll\\[medical\\]"):
        open_scan(bytes(128) + b"DICM" + bytes(8))


def test_patients_are_hashes() -> None:
    head = header(dicom(VOLUME[0], Modality="CT"))
    assert head.patient.startswith("patient ")
    assert SECRETS["PatientID"] not in repr(head)
    assert header(dicom(VOLUME[1], Modality="MR")).patient == head.patient


@pytest.mark.slow
def test_what_is_painted_over_the_slices_is_a_mask_of_the_volume(tmp_path: Path) -> None:
    for number in range(6):
        path = tmp_path / "data" / f"{number}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(nifti.written(VOLUME + number, (2.5, 0.8, 0.8)), 1))
    init(tmp_path, None, ("background", "lesion"), "medical_masks", {}, lambda line: None)
    opened = open_project(tmp_path, {})
    sample = min(opened.store.catalog.samples().values(), key=lambda sample: sample.where)
    labels = (VOLUME > 100).astype(np.uint8)
    classes = ["background", "lesion"]
    painted = {"mask": packed(mosaic(labels)), "classes": classes}  # beside the slices the page paints the ground
    schema = opened.task.schema(classes)
    small = {"mask": packed(labels[0]), "classes": classes}
    answers = [
        Answer(client_id=f"client-{number:04}", sample=sample.id, target=target)
        for number, target in enumerate((painted, small))
    ]
    kept = keep(opened, answers, schema, "somebody", 0.0)
    assert kept.saved == ["client-0000"]
    assert "where slices of [5, 6, 7] make" in kept.refused[0]["error"]
    label = opened.store.catalog.labels()[sample.id]
    assert label.target == as_volume(labels, classes, (2.5, 0.8, 0.8))


# what a diagnosis is worth --------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0.001, 0.999), st.booleans()), min_size=2, max_size=60), st.floats(0.05, 1))
def test_the_threshold_finds_the_share_that_was_asked_for(rows: list[tuple[float, bool]], share: float) -> None:
    scores, ill = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if not ill.any():
        return
    threshold = threshold_for(scores, ill, share)
    found = (scores[ill] >= threshold).mean()
    assert found >= share - 1e-9
    lowest = scores[ill][scores[ill] >= threshold].min()
    assert (scores[ill] > lowest).mean() < share  # a higher one would find less than was asked for


@given(
    st.lists(st.tuples(st.floats(-4, 4), st.booleans()), min_size=2, max_size=60),
    st.sampled_from([0.5, 0.9, 0.95, 1.0]),
)
def test_the_threshold_is_told_with_what_it_reached(rows: list[tuple[float, bool]], share: float) -> None:
    ill = np.array([row[1] for row in rows])
    logits = np.array([[0.0, row[0]] for row in rows])
    found = calibration_of(logits, ill.astype(int), ill, share)
    told = in_words(found, "yes", share, 20)
    assert f"{found['threshold']:.3g}" in told
    assert f"{len(rows)} validation scans" in told
    if not ill.any() or ill.all():
        assert found["threshold"] == 0.5
        assert "none was chosen" in told
        return
    reached = int((at_temperature(logits, found["temperature"])[ill, 1] >= found["threshold"]).sum())
    assert reached / ill.sum() >= share - 1e-9
    assert f"to find {100 * share:g} % of 'yes': of {ill.sum()} among" in told
    assert f"it found {reached} (" in told


def test_a_threshold_that_nobody_chose_is_told() -> None:
    assert "0.5 on: fewer than 20 validation scans" in in_words(None, "yes", 0.95, 20)
    assert in_words(None, None, 0.95, 20) == ""
    assert "chosen on 40 validation scans" in in_words({"threshold": 0.3, "n": 40, "temperature": 1.0}, "yes", 0.95, 20)


def test_answers_follow_the_threshold() -> None:
    outputs = {"probabilities": np.array([[0.8, 0.2], [0.6, 0.4]]), "threshold": np.array([0.3, 0.3])}
    low, high = read(outputs, {"classes": ["no", "yes"]})
    assert (low.value, high.value) == ("no", "yes")
    assert high.probability == 0.4
    assert 0 < low.doubt < 1


def test_ranks_agree_with_scikit_learn() -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 20, 200) / 20, rng.random(200) < 0.3
    weight = rng.integers(0, 4, 200).astype(float)
    assert auroc(scores, truth, weight) == pytest.approx(roc_auc_score(truth, scores, sample_weight=weight))
    found = average_precision(scores, truth, weight)
    assert found == pytest.approx(average_precision_score(truth, scores, sample_weight=weight))


@pytest.mark.parametrize("spacing", [(1, 1, 1), (3, 0.5, 0.7)])
def test_surfaces_are_measured_in_mm(spacing: tuple[float, float, float]) -> None:
    truth = np.zeros((8, 20, 20), bool)
    truth[2:6, 5:12, 5:12] = True
    for axis in range(3):
        assert surface_mm(truth, np.roll(truth, 2, axis), spacing) == pytest.approx(2 * spacing[axis])
    assert surface_mm(truth, truth, spacing) == 0
    assert surface_mm(truth, ~truth & False, spacing) is None


def test_nothing_to_be_found_and_nothing_said_is_perfect() -> None:
    classes = ["background", "lesion"]
    empty, full = (as_volume(np.full((3, 4, 4), value, np.uint8), classes, (1, 1, 1)) for value in (0, 1))
    schema = {"type": "mask", "classes": classes}
    said = [Prediction(empty, 1.0, 0.0), Prediction(full, 1.0, 0.0), Prediction(empty, 1.0, 0.0)]
    assert MedicalMasks().credit(said, [empty, empty, full], schema).tolist() == [1, 0, 0]
    scores = MedicalMasks().scorer(said, [empty, empty, full], schema)(None)
    assert (scores["scans_passed"], scores["scans_found"]) == (0.5, 0)


@pytest.mark.parametrize("organ_is_told", [False, True])
@pytest.mark.parametrize("lesions", [(0, 1), (1, 1), (0, 0)])
def test_an_organ_in_every_scan_is_no_finding(organ_is_told: bool, lesions: tuple[int, int]) -> None:
    classes = ["background", "lesion", "liver"]
    schema = {"type": "mask", "classes": classes}

    def scan(lesion: int, liver: int) -> Json:
        voxels = np.zeros((3, 4, 4), np.uint8)
        voxels[0, 0], voxels[1] = lesion, 2 * liver
        return as_volume(voxels, classes, (1, 1, 1))

    targets = [scan(lesion, 1) for lesion in lesions]
    said = [Prediction(scan(0, organ_is_told), 1.0, 0.0) for _ in lesions]
    scores = MedicalMasks().scorer(said, targets, schema)(None)
    found, passed = scores["scans_found"], scores["scans_passed"]
    assert found == 0 if sum(lesions) == 1 else np.isnan(found), "the lesion was missed wherever it is"
    assert passed == 1 if 0 in lesions else np.isnan(passed)
    assert np.isnan(scores["scans_passed"]) == (0 not in lesions), "of no scan without, nothing is known"


# presets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_name_settings_there_are(name: str) -> None:
    from snowroll.base.task import find_task

    preset = PRESETS[name]
    assert preset.fitting(find_task(preset.task)) == preset.settings


def test_a_preset_begins_a_project(tmp_path: Path) -> None:
    for number in range(12):
        path = tmp_path / "data" / ("PNEUMONIA" if number % 2 else "NORMAL") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((20, 20), 20 * number, np.uint8)).save(path)
    flags = {"task.sensitivity": "0.9"}
    answer = init(tmp_path, None, (), "", flags, lambda line: None, "chest_xray")
    assert answer.json["task"] == "medical"
    opened = open_project(tmp_path, {})
    assert opened.settings.values["task.sensitivity"] == 0.9  # a flag wins
    assert opened.settings.values["task.flip"] is False
    with pytest.raises(UsageError, match="did you mean"):
        init(tmp_path / "other", tmp_path / "data", (), "", {}, lambda line: None, "chest_xrays")


# answers as files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SAR"])
def test_an_answer_lies_on_the_scan_it_answers(axes: str) -> None:
    import nibabel

    straight = nibabel.Nifti1Image.from_bytes(nifti.written(VOLUME, (2.5, 0.8, 0.7)))
    own = nibabel.orientations.axcodes2ornt(axes)
    change = nibabel.orientations.ornt_transform(nibabel.io_orientation(straight.affine), own)
    scan = straight.as_reoriented(change)
    labels = (VOLUME > 100).astype(np.uint8)
    value = as_volume(labels, ["background", "lesion"], (2.5, 0.8, 0.7))
    ending, raw = MedicalMasks().as_file(value, scan.to_bytes())
    answer = nibabel.Nifti1Image.from_bytes(gzip.decompress(raw))
    assert ending == ".nii.gz"
    np.testing.assert_allclose(answer.affine, scan.affine, atol=1e-5)
    np.testing.assert_array_equal(np.asarray(answer.dataobj), np.asarray(scan.dataobj) > 100)


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1)])
def test_an_answer_to_a_series_lies_where_the_patient_lay(orientation: tuple[int, ...]) -> None:
    import nibabel

    raw = as_bundle(series(VOLUME, orientation=orientation))
    scan = open_scan(raw)
    lit = (scan.voxels[0] == scan.voxels.max()).astype(np.uint8)  # the last voxel of the last slice
    _, packed_answer = MedicalMasks().as_file(as_volume(lit, ["background", "lesion"], scan.spacing), raw)
    answer = nibabel.Nifti1Image.from_bytes(gzip.decompress(packed_answer))
    (at,) = np.argwhere(np.asarray(answer.dataobj))
    across, down = np.array(orientation[:3], float), np.array(orientation[3:], float)
    told = np.cross(across, down) * 2.5 * 4 + down * 0.8 * 5 + across * 0.8 * 6  # mm to left, back and head
    np.testing.assert_allclose(nibabel.affines.apply_affine(answer.affine, at), told * [-1, -1, 1], atol=1e-5)


@pytest.mark.slow
def test_a_folder_of_series_is_answered_scan_by_scan(tmp_path: Path) -> None:
    for n in range(2):
        write(tmp_path / f"p{n}", series(VOLUME + n, SeriesInstanceUID=f"1.2.{n}"))
    for task in (Medical(), MedicalMasks()):
        assert task.samples_in(Folder(tmp_path), PrepareSettings()) == ["p0//IM0001", "p1//IM0001"]
    (tmp_path / "damaged.dcm").write_bytes(bytes(128) + b"DICM" + bytes(40))
    for task in (Medical(), MedicalMasks()):  # what cannot be read is answered, too: in words
        assert "damaged.dcm" in task.samples_in(Folder(tmp_path), PrepareSettings())
