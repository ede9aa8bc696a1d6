"""DICOM and NIfTI files made in code, with everything in their tags that must never be kept."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

SECRETS = {
    "PatientName": "Mustermann^Erika",
    "PatientID": "PID-778812",
    "PatientBirthDate": "19690423",
    "PatientAddress": "Musterweg 7",
    "InstitutionName": "Klinik Musterstadt",
    "ReferringPhysicianName": "Doktor^Geheim",
    "AccessionNumber": "ACC-99120",
    "StudyID": "STUDY-4711",
    "StudyDate": "20240229",
    "StudyDescription": "Kopf Erika M",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.11111",
    "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.22222",
    "DeviceSerialNumber": "SER-1234567",
    "OperatorsName": "Operator^Olga",
}
NAMELESS = b"PRIVATE Mustermann note"


def dicom(pixels: np.ndarray, **tags: Any) -> bytes:
    """One file of these pixels: [H, W] or [frames, H, W] of integers, or [H, W, 3] uint8; with SECRETS in its tags."""
    import pydicom
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

    preamble = (b"II*\0" + NAMELESS).ljust(128, b"x")  # a TIFF's header, as some machines write there
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID("1.2.826.0.1.3680043.8.498.33333")
    data = FileDataset(io.BytesIO(), Dataset(), file_meta=meta, preamble=preamble)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    for name, value in SECRETS.items():
        setattr(data, name, value)
    data.add_new(0x00091010, "LO", NAMELESS.decode())
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    data.SamplesPerPixel = 3 if colour else 1
    data.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        data.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        data.NumberOfFrames = len(pixels)
    data.Rows, data.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    bits = pixels.dtype.itemsize * 8
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(data, name, value)
    out = io.BytesIO()
    data.save_as(out, enforce_file_format=True)
    return out.getvalue()


def series(
    volume: np.ndarray,
    spacing: tuple[float, float, float] = (2.5, 0.8, 0.8),
    orientation: Sequence[float] = (1, 0, 0, 0, 1, 0),
    **tags: Any,
) -> list[bytes]:
    """A file for each slice of [D, H, W], lying one after the other along the normal; CT unless tags say otherwise."""
    normal = np.cross(orientation[:3], orientation[3:])
    made = []
    for number, pixels in enumerate(volume):
        place = (normal * spacing[0] * number).tolist()
        told = {
            "Modality": "CT",
            "RescaleSlope": 1,
            "RescaleIntercept": -1024,
            "PixelSpacing": [spacing[1], spacing[2]],
            "SliceThickness": spacing[0],
            "ImageOrientationPatient": list(orientation),
            "ImagePositionPatient": place,
            "InstanceNumber": number + 1,
            **tags,
        }
        made.append(dicom(pixels, **told))
    return made


def enhanced(volume: np.ndarray, places: Sequence[float], intercepts: Sequence[float], **tags: Any) -> bytes:
    """One file of frames [D, H, W] that tells spacing and orientation for all, place (mm) and intercept for each."""
    from pydicom.dataset import Dataset

    def group(**told: Any) -> list[Dataset]:
        inner = Dataset()
        for name, value in told.items():
            setattr(inner, name, value)
        return [inner]

    shared = group(
        PixelMeasuresSequence=group(PixelSpacing=[0.8, 0.7], SliceThickness=5),
        PlaneOrientationSequence=group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
    )
    frames = [
        group(
            PlanePositionSequence=group(ImagePositionPatient=[0, 0, place]),
            PixelValueTransformationSequence=group(RescaleSlope=1, RescaleIntercept=intercept, RescaleType="HU"),
            FrameContentSequence=group(FrameComments=NAMELESS.decode()),
        )[0]
        for place, intercept in zip(places, intercepts, strict=True)
    ]
    groups = {"SharedFunctionalGroupsSequence": shared, "PerFrameFunctionalGroupsSequence": frames}
    return dicom(volume, **{"Modality": "CT", **groups, **tags})


def without_pixels() -> bytes:
    """A DICOM that holds no picture."""
    import pydicom

    data = pydicom.dcmread(io.BytesIO(dicom(np.zeros((6, 7), np.int16))))
    del data.PixelData
    out = io.BytesIO()
    data.save_as(out)
    return out.getvalue()
