"""DICOM: what its tags say of the numbers, slices to volumes, and what may be kept of a file.

Only tags that a scan's numbers need are ever copied (KEPT); all others, private ones among them, and the preamble are
left behind, so no list of personal tags has to be complete.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from snowroll.base.errors import DataError, SnowrollError
from snowroll.tasks.medical.frames import groups_alone, lift, planes_of, rescaled_by_frame
from snowroll.tasks.medical.scans import Scan, needs, refuse_many_voxels

_AT = 128  # bytes of preamble before the mark
_MARK = b"DICM"
# of the file's meaning, none of a person's
_KEPT = (
    "SOPClassUID Modality SamplesPerPixel PhotometricInterpretation PlanarConfiguration NumberOfFrames Rows Columns "
    "BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue RescaleIntercept RescaleSlope "
    "WindowCenter WindowWidth VOILUTFunction PixelSpacing ImagerPixelSpacing SliceThickness SpacingBetweenSlices "
    "ImagePositionPatient ImageOrientationPatient InstanceNumber BurnedInAnnotation PresentationLUTShape "
    "RedPaletteColorLookupTableDescriptor GreenPaletteColorLookupTableDescriptor "
    "BluePaletteColorLookupTableDescriptor RedPaletteColorLookupTableData GreenPaletteColorLookupTableData "
    "BluePaletteColorLookupTableData PixelData"
)
KEPT = tuple(_KEPT.split())
PROJECTIONS = frozenset({"CR", "DX", "DR", "MG", "US", "XA", "RF", "XC", "SM", "OP", "ES", "IO", "PX"})  # no volumes
NO_PICTURES = frozenset({"SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "SR", "PR", "KO", "REG"})
_IN_UNITS = frozenset({"CT", "PT"})  # numbers that mean the same whether white or black is shown for the high ones
_GAP = 1.5  # times the usual distance between slices: some are missing there


@dataclass(frozen=True, slots=True)
class Header:
    """What reading a folder needs to know of one file. The names in it are hashes."""

    reason: str  # why it is no picture; "" where it is one
    patient: str = ""
    series: str = ""  # equal for files that may be slices of one volume
    named: str = ""  # equal for files that the machine calls one series, however they lie
    modality: str = ""
    place: float = 0.0  # mm along the series' normal
    has_place: bool = False
    number: int = 0
    frames: int = 1
    burned_in: bool = False


def is_dicom(raw: bytes) -> bool:
    return raw[_AT : _AT + 4] == _MARK


def header(raw: bytes) -> Header:
    """In a limited child."""
    try:
        data = _read(raw, stop_before_pixels=False)
    except DataError as fault:
        return Header(fault.what)
    modality = str(data.get("Modality", ""))
    if modality in NO_PICTURES:
        return Header(f"a DICOM {modality}, which is no picture: save segmentations as NIfTI", modality=modality)
    if "PixelData" not in data:
        return Header("a DICOM without pixel data", modality=modality)
    place, direction = _place(data), _direction(data)
    uid = str(data.get("SeriesInstanceUID", ""))
    parts = (uid, data.Rows, data.Columns, np.round(direction, 2).tolist())
    name = str(data.get("PatientID", "") or data.get("PatientName", "") or data.get("StudyInstanceUID", ""))
    return Header(
        "",
        patient=pseudonym(name) if name else "",
        series=hashlib.sha256(repr(parts).encode()).hexdigest()[:16],
        named=hashlib.sha256(uid.encode()).hexdigest()[:16] if uid else "",
        modality=modality,
        place=0.0 if place is None else float(place @ _normal(direction)),
        has_place=place is not None and "ImageOrientationPatient" in data,
        number=_whole(data.get("InstanceNumber")),
        frames=max(1, _whole(data.get("NumberOfFrames"))),
        burned_in=str(data.get("BurnedInAnnotation", "")).upper() == "YES",
    )


@lru_cache(maxsize=4096)
def pseudonym(name: str) -> str:
    """A patient's group. Slow on purpose (10 ms): short numbers could be guessed by trying all of them."""
    return "patient " + hashlib.scrypt(name.strip().encode(), salt=b"snowroll patient", n=1 << 12, r=8, p=1).hex()[:12]


def cleaned(raw: bytes) -> bytes:
    """The file again with the tags of KEPT alone. Raises DataError for what is no DICOM picture."""
    pydicom = needs("pydicom")
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset

    data = _read(raw, stop_before_pixels=False)
    kept = Dataset()
    with _in_words():
        for name in KEPT:
            if name in data:
                kept[name] = data[name]
        if frames := data.get("PerFrameFunctionalGroupsSequence"):
            kept.PerFrameFunctionalGroupsSequence = [groups_alone(frame) for frame in frames]
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = data.file_meta.get("TransferSyntaxUID", pydicom.uid.ImplicitVRLittleEndian)
        meta.MediaStorageSOPClassUID = data.get("SOPClassUID", pydicom.uid.SecondaryCaptureImageStorage)
        # a name of its own: made from what is kept, so that it tells nothing else
        pixels = bytes(data.PixelData) if "PixelData" in data else b""
        name = f"2.25.{int(hashlib.sha256(pixels).hexdigest()[:30], 16)}"
        meta.MediaStorageSOPInstanceUID = kept.SOPInstanceUID = pydicom.uid.UID(name)
        out = io.BytesIO()
        whole = FileDataset(out, kept, file_meta=meta, preamble=b"\0" * _AT)
        whole.save_as(out, enforce_file_format=True)
    return out.getvalue()


def of_one_series(parts: Sequence[bytes]) -> list[bytes]:
    """Of several files those that lie in one volume with the first."""
    return _sorted_out(parts)[0]


def _sorted_out(parts: Sequence[bytes]) -> tuple[list[bytes], int]:
    """(files that lie in one volume with the first, how many others the machine calls the same series)"""
    heads = [header(part) for part in parts]
    first = heads[0]
    own = [part for part, head in zip(parts, heads, strict=True) if not head.reason and head.series == first.series]
    others = [head for head in heads if head.named and head.named == first.named and head.series != first.series]
    return own, len(others)


def open_series(parts: Sequence[bytes], megapixels: float) -> Scan:
    """One file, or the slices of one volume in any order, as a scan."""
    parts, lying_otherwise = _sorted_out(parts) if len(parts) > 1 else (parts, 0)
    if not parts:
        raise DataError("not one slice can be read", cure="check the files")
    slices = [_read(part) for part in parts]
    with _in_words():
        first = slices[0]
        frames = max(1, _whole(first.get("NumberOfFrames")))
        refuse_many_voxels(int(first.Rows) * int(first.Columns) * frames * len(slices), megapixels)
        if "PixelData" not in first:
            raise DataError("a DICOM without pixel data", cure="leave it out")
        notes = {"burned_in": 1.0} if str(first.get("BurnedInAnnotation", "")).upper() == "YES" else {}
        if lying_otherwise:
            notes["lying_otherwise"] = float(lying_otherwise)
        return replace(_volume(slices, notes), window=_window(slices[len(slices) // 2]))


def _volume(slices: Sequence[Any], notes: dict[str, float]) -> Scan:
    if len(slices) > 1:
        return _stacked(slices, [_numbers(one) for one in slices], notes)
    (one,) = slices
    voxels = _numbers(one)
    if planes := _planes(one):
        return _stacked(planes, [voxels[:, row : row + 1] for row in range(len(planes))], notes)
    return Scan(voxels, _spacing(one, voxels.shape[1]), str(one.get("Modality", "")), notes)


def _window(data: Any) -> tuple[float, float] | None:
    """The first window of a slice, from black to white (DICOM PS3.3 C.11.2.1.2.1); None where it tells none, or light
    was turned.
    """
    turned = str(data.get("PhotometricInterpretation", "")) == "MONOCHROME1"
    told = [data.get(name) for name in ("WindowCenter", "WindowWidth")]
    try:
        centre, width = (float(one if isinstance(one, (int, float, str)) else one[0]) for one in told)
    except (TypeError, ValueError, IndexError):
        return None
    if turned or not (np.isfinite(centre) and np.isfinite(width) and width > 1):
        return None
    return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2


class Stack(NamedTuple):
    """Slices of one series in their order along its normal."""

    rows: list[int]  # places of the slices; two in one place are one
    doubled: list[tuple[int, int]]  # what lies in one place: the slice among `rows`, and another one
    step: float  # mm between two of them, usually
    missing: int


def _stack(slices: Sequence[Any]) -> Stack:
    normal = _normal(_direction(slices[0]))
    places = [_place(one) for one in slices]
    along = np.array([0.0 if place is None else float(place @ normal) for place in places])
    order = np.argsort(along, kind="stable")
    rows, doubled = list[int](), list[tuple[int, int]]()
    for row in order.tolist():
        if not rows or along[row] - along[rows[-1]] > 1e-3:
            rows.append(row)
        else:
            doubled.append((rows[-1], row))
    steps = np.diff(along[rows])
    step = float(np.median(steps)) if len(steps) else float(slices[0].get("SliceThickness", 0) or 0)
    missing = int(np.round(steps[steps > _GAP * step] / step - 1).sum()) if len(steps) and step else 0
    return Stack(rows, doubled, step, missing)


def _stacked(slices: Sequence[Any], shown: Sequence[np.ndarray], notes: dict[str, float]) -> Scan:
    """shown: the numbers [C, 1, H, W] of each slice."""
    first, stack = slices[0], _stack(slices)
    differ = sum(not np.array_equal(shown[row], shown[other]) for row, other in stack.doubled)
    if differ:
        told = f"{differ:,} of {len(slices):,} slices lie where another one lies and show something else"
        raise DataError(
            f"{told}: several points in time, or echoes", cure="put what belongs together into a folder of its own"
        )
    if stack.missing:
        notes = {**notes, "missing": float(stack.missing)}
    voxels = np.concatenate([shown[row] for row in stack.rows], axis=1)
    _, high, wide = _spacing(first, 1)
    spacing = (stack.step, high, wide)
    order, back = _order(_axes(first))
    turned = np.flip(
        voxels.transpose(0, *(1 + axis for axis in order)), tuple(1 + axis for axis in range(3) if back[axis])
    )
    mm = (spacing[order[0]], spacing[order[1]], spacing[order[2]])
    return Scan(np.ascontiguousarray(turned), mm, str(first.get("Modality", "")), notes)


def _axes(data: Any) -> np.ndarray:
    """[3, 3] how depth, height and width run, in (left, back, head)."""
    direction = _direction(data)
    across, down = direction
    return np.stack([_normal(direction), down, across])


def _order(axes: np.ndarray) -> tuple[list[int], list[bool]]:
    """Which axes lie nearest to head, back and left, and which of these run the other way."""
    left, order = {0, 1, 2}, list[int]()
    for part in (2, 1, 0):
        order.append(max(left, key=lambda axis: abs(axes[axis][part])))
        left.discard(order[-1])
    return order, [bool(axes[axis][part] < 0) for axis, part in zip(order, (2, 1, 0), strict=True)]


def affine_of(parts: Sequence[bytes]) -> np.ndarray:
    """[4, 4] NIfTI's, of a mask on the scan's grid with axes to left, back and head: to mm right, front and head.

    parts: as `open_series` takes them.
    """
    parts = of_one_series(parts) if len(parts) > 1 else parts
    slices = [_read(part) for part in parts]
    slices = (_planes(slices[0]) if len(slices) == 1 else []) or slices
    first, order, back, counts = slices[0], [0, 1, 2], [False] * 3, [1, int(slices[0].Rows), int(slices[0].Columns)]
    spacing = list(_spacing(first, 1))
    if len(slices) > 1:
        stack = _stack(slices)
        first, spacing[0], counts[0] = slices[stack.rows[0]], stack.step, len(stack.rows)
        order, back = _order(_axes(first))
    vectors = _axes(first) * np.array([mm or 1.0 for mm in spacing])[:, None]
    place = _place(first)
    origin = np.zeros(3) if place is None else place
    affine = np.eye(4)
    for column, axis in enumerate((2, 1, 0)):  # left, back, head
        source, turned = order[axis], back[axis]
        affine[:3, column] = -vectors[source] if turned else vectors[source]
        origin = origin + (vectors[source] * (counts[source] - 1) if turned else 0)
    affine[:3, 3] = origin
    return np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _numbers(data: Any) -> np.ndarray:
    """float32 [C, frames, H, W] in the modality's units: Hounsfield units for CT; white is high, whatever the file."""
    from pydicom.pixels.processing import apply_color_lut, apply_rescale

    kind = str(data.get("PhotometricInterpretation", "MONOCHROME2"))
    if kind.startswith("YBR_PARTIAL"):
        raise DataError(f"colours as {kind}, which is not read", cure="save it as RGB")
    try:
        pixels = data.pixel_array  # of other YBR it has made RGB, and left the tag as it was
    except (NotImplementedError, RuntimeError, AttributeError, ValueError, ImportError) as fault:
        raise DataError(_why_no_pixels(data, fault), cure=_codec(data)) from None
    frames = max(1, _whole(data.get("NumberOfFrames")))
    if kind == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, data)
        if pixels.dtype == np.uint16:
            pixels = pixels // 257
    if kind in ("MONOCHROME1", "MONOCHROME2"):
        if kind == "MONOCHROME1" and str(data.get("Modality", "")) not in _IN_UNITS:
            pixels = _turned_light(pixels, data)
        values = rescaled_by_frame(pixels, data) if data.get("PerFrameFunctionalGroupsSequence") else None
        values = apply_rescale(pixels, data) if values is None else values
        return np.asarray(values, np.float32).reshape(1, frames, *pixels.shape[-2:])
    shaped = np.asarray(pixels, np.float32).reshape(frames, *pixels.shape[-3:])
    return np.ascontiguousarray(shaped.transpose(3, 0, 1, 2))


def _turned_light(pixels: np.ndarray, data: Any) -> np.ndarray:
    """Stored numbers mirrored within what their bits can hold: alike in all slices, whatever else these show."""
    bits = _whole(data.get("BitsStored")) or 8 * pixels.dtype.itemsize
    return (-1 if _whole(data.get("PixelRepresentation")) else (1 << bits) - 1) - pixels.astype(np.int64)


def _why_no_pixels(data: Any, fault: Exception) -> str:
    syntax = data.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax.is_compressed:
        return f"no codec here reads its compression, {syntax.name}"
    return f"damaged pixel data ({' '.join(str(fault).split())[:120]})"


def _codec(data: Any) -> str:
    syntax = data.file_meta.get("TransferSyntaxUID")
    if syntax is not None and syntax.is_compressed:
        return "pip install 'snowroll[medical-codecs]', or save it uncompressed"
    return "replace or remove the file"


def _spacing(data: Any, depth: int) -> tuple[float, float, float]:
    """mm; zeros where the file does not tell."""
    rows, columns = _floats(data.get("PixelSpacing") or data.get("ImagerPixelSpacing"), 2) or (0.0, 0.0)
    deep = data.get("SpacingBetweenSlices") or data.get("SliceThickness")
    between = abs(float(deep)) if deep not in (None, "") else 0.0
    if depth == 1 and not between:
        between = rows
    return (between, rows, columns) if min(between, rows, columns) > 0 else (0.0, 0.0, 0.0)


def _planes(data: Any) -> list[Any]:
    """See `planes_of`. Raises DataError where the frames do not lie side by side."""
    made = planes_of(data, max(1, _whole(data.get("NumberOfFrames"))))
    if any(np.abs(_direction(plane) - _direction(made[0])).max() > 0.01 for plane in made):
        raise DataError("frames of several orientations in one file", cure="export each as a series of its own")
    return made


def _place(data: Any) -> np.ndarray | None:
    found = _floats(data.get("ImagePositionPatient"), 3)
    return None if found is None else np.array(found)


def _direction(data: Any) -> np.ndarray:
    """[2, 3] how columns and rows run, in (left, back, head)."""
    found = _floats(data.get("ImageOrientationPatient"), 6)
    return np.array(found or (1.0, 0, 0, 0, 1, 0)).reshape(2, 3)


def _normal(direction: np.ndarray) -> np.ndarray:
    return np.cross(direction[0], direction[1])


def _floats(value: Any, n: int) -> list[float] | None:
    try:
        found = [float(part) for part in value]
    except (TypeError, ValueError):
        return None
    return found if len(found) == n and all(np.isfinite(found)) else None


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0


def _read(raw: bytes, stop_before_pixels: bool = False) -> Any:
    """The parsed file. Raises DataError for damage."""
    pydicom = needs("pydicom")
    with _in_words():
        data = pydicom.dcmread(io.BytesIO(raw), stop_before_pixels=stop_before_pixels)
        lift(data)
        return data


@contextmanager
def _in_words() -> Any:
    """pydicom's many faults as one, and its warnings about odd values kept to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except SnowrollError:
            raise
        except MemoryError:
            raise DataError("a DICOM that needs more memory than allowed", cure="split the series") from None
        except Exception as fault:  # anything at all on damaged input
            told = f"a damaged DICOM ({' '.join(str(fault).split())[:120] or type(fault).__name__})"
            raise DataError(told, cure="replace or remove the file") from None


def are_pictures(heads: Sequence[Header]) -> bool:
    """Whether files that could be slices of one volume are single pictures after all."""
    return heads[0].modality in PROJECTIONS or any(head.frames > 1 or not head.has_place for head in heads)
